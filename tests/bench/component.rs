//! The job `component`: what the sandbox costs. A guest against the native driver on the same files, chunks through the contract, how long a
//! component takes to start, and Redis against a loop that a client would write.

use std::fs;
use std::hint::black_box;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::data::{self, Media};
use crate::jobs::{Bench, Outcome};
use crate::measure::{Contestant, Result, prepare};

/// About 2 GiB.
const FILES: Media = Media { small: 20_000, large: 20, shrink: 1 };

/// What goes through the contract in one piece.
const THROUGH: u64 = 2 << 30;

const KEYS: u64 = 1_000_000;

/// So many starts are measured as one.
const STARTS: u32 = 20;

/// There is nothing to be reached: it is measured.
pub(crate) const NO_GOAL: f64 = 1e9;

/// Measures everything that has to do with components.
///
/// # Errors
/// Something fails: there are no results then.
pub(crate) fn component(bench: &Bench) -> Result<Vec<Outcome>> {
    let mut outcomes = files(bench)?;
    outcomes.extend(chunks(bench)?);
    outcomes.extend(starts(bench)?);
    outcomes.extend(redis(bench)?);
    Ok(outcomes)
}

fn files(bench: &Bench) -> Result<Vec<Outcome>> {
    data::media(&bench.path("files"), bench.shrunk(FILES))?;
    let native = |path: &str| format!("[[set]]\nname = \"files\"\ndriver = \"filesystem\"\npath = \"{path}\"\n");
    let guest = |path: &str| {
        set(bench, "files", "filesystem-tree", "path = \"/data\"", &format!("write = [{{ path = \"{path}\", guest = \"/data\" }}]"))
    };
    for compression in ["zstd", "store"] {
        bench.configure(&format!("native-{compression}.toml"), compression, &native("files"))?;
        bench.configure(&format!("guest-{compression}.toml"), compression, &guest("files"))?;
    }
    bench.configure("native-back.toml", "zstd", &native("back"))?;
    bench.configure("guest-back.toml", "zstd", &guest("back"))?;
    // Compiled once; a component's target has to be there before it is granted.
    prepare(&bench.work, &format!("{} plan -q -c guest-zstd.toml", host(bench)))?;
    let mut outcomes = Vec::new();
    for (compression, goal) in [("zstd", 1.0 / 0.95), ("store", NO_GOAL)] {
        let ours = mine(bench, &format!("dump -c guest-{compression}.toml out.zip"), "out.zip");
        let theirs = native_driver(bench, &format!("dump -c native-{compression}.toml out.zip"), "out.zip");
        outcomes.push(bench.compare(&format!("`filesystem-tree` dump, {compression}"), ours, [(theirs, goal)])?);
    }
    for which in ["native", "guest"] {
        prepare(&bench.work, &format!("{} dump -q -c {which}-zstd.toml {which}.zip", host(bench)))?;
    }
    let ours = Contestant { command: format!("{} -q restore -c guest-back.toml guest.zip", host(bench)), ..mine(bench, "", "back") };
    let theirs = native_driver(bench, "restore -c native-back.toml native.zip", "back");
    outcomes.push(bench.compare("`filesystem-tree` restore, zstd", ours, [(theirs, NO_GOAL)])?);
    bench.clear()?;
    Ok(outcomes)
}

fn chunks(bench: &Bench) -> Result<Vec<Outcome>> {
    let bytes = THROUGH / bench.shrink;
    fs::create_dir(bench.path("notes"))?;
    let mut outcomes = Vec::new();
    for (name, chunk) in [("64 KiB", 65_536), ("1 MiB", 1_048_576)] {
        let config = format!("directory = \"/notes\", generate = {bytes}, chunk = {chunk}");
        let text = set(bench, "notes", "notes-c", &config, "write = [{ path = \"notes\", guest = \"/notes\" }]");
        bench.configure("chunks.toml", "store", &text)?;
        prepare(&bench.work, &format!("rm -f chunks.zip; {} dump -q -c chunks.toml chunks.zip", host(bench)))?;
        for (way, command) in [("written", "dump -c chunks.toml -"), ("read and compared", "restore -c chunks.toml chunks.zip")] {
            let mut outcome = bench.compare(&format!("chunks of {name} {way}, stored"), mine(bench, command, "nothing"), [])?;
            outcome.rate = Some((bytes, 0.0));
            outcomes.push(outcome);
        }
    }
    bench.clear()?;
    Ok(outcomes)
}

fn starts(bench: &Bench) -> Result<Vec<Outcome>> {
    fs::create_dir(bench.path("files"))?;
    bench.configure("redis.toml", "store", &set(bench, "redis", "redis", "address = \"127.0.0.1:1\"", "net = [\"127.0.0.1:1\"]"))?;
    bench.configure("native.toml", "store", "[[set]]\nname = \"files\"\ndriver = \"filesystem\"\npath = \"files\"\n")?;
    let each = |before: &str, file: &str| format!("for i in {{1..{STARTS}}}; do {before} {} plan -q -c {file}; done", host(bench));
    let without = |bench: &Bench| Contestant { command: each("", "native.toml"), ..native_driver(bench, "", "nothing") };
    prepare(&bench.work, &each("", "redis.toml"))?;
    let mut outcomes = Vec::new();
    for (job, before, most) in [("cached", "", 0.010), ("cold: compiled anew", "rm -rf cache;", NO_GOAL)] {
        let ours = Contestant { command: each(before, "redis.toml"), ..mine(bench, "", "nothing") };
        let mut outcome = bench.compare(&format!("start of the Redis driver, {job}"), ours, [(without(bench), NO_GOAL)])?;
        outcome.each = Some((STARTS, most));
        outcomes.push(outcome);
    }
    bench.clear()?;
    Ok(outcomes)
}

fn redis(bench: &Bench) -> Result<Vec<Outcome>> {
    let server = Server::start(&bench.path("server"))?;
    populate(&server.address, KEYS / bench.shrink)?;
    let grant = format!("net = [\"{}\"]", server.address);
    bench.configure("redis.toml", "zstd", &set(bench, "redis", "redis", &format!("address = \"{}\"", server.address), &grant))?;
    let itself = std::env::current_exe()?;
    let theirs = Contestant {
        name: "a loop of SCAN, PTTL and DUMP".into(),
        command: format!("{} --redis-loop {}", itself.display(), server.address),
        ..native_driver(bench, "", "nothing")
    };
    let dump = bench.compare(
        &format!("Redis dump, {} keys, zstd", KEYS / bench.shrink),
        mine(bench, "dump -c redis.toml out.zip", "out.zip"),
        [(theirs, 1.0 / 0.8)],
    )?;
    drop(server);
    bench.clear()?;
    Ok(vec![dump])
}

/// What a client would write: page by page, each page's keys in one pipeline. Keeps nothing.
///
/// # Errors
/// The server fails.
pub(crate) fn redis_loop(address: &str) -> Result<()> {
    let mut connection = redis::Client::open(format!("redis://{address}/"))?.get_connection()?;
    let (mut cursor, mut keys) = (0_u64, 0);
    loop {
        let page: Vec<Vec<u8>>;
        (cursor, page) = redis::cmd("SCAN").arg(cursor).arg("COUNT").arg(1000).query(&mut connection)?;
        let mut pipeline = redis::pipe();
        for key in &page {
            pipeline.cmd("PTTL").arg(key).cmd("DUMP").arg(key);
        }
        if !page.is_empty() {
            let values: Vec<redis::Value> = pipeline.query(&mut connection)?;
            keys += values.len() / 2;
            black_box(values);
        }
        if cursor == 0 {
            eprintln!("    {keys} keys");
            return Ok(());
        }
    }
}

/// A server without a file of its own.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(directory: &Path) -> Result<Self> {
        fs::create_dir(directory)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()]);
        let process = command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let server = Self { process, address: format!("127.0.0.1:{port}") };
        let begun = Instant::now();
        while std::net::TcpStream::connect(&server.address).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err("redis-server does not come up".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail where it has ended already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sessions as applications keep them: hashes and strings, every other one with an expiry.
fn populate(address: &str, count: u64) -> Result<()> {
    let mut connection = redis::Client::open(format!("redis://{address}/"))?.get_connection()?;
    let mut rng = fastrand::Rng::with_seed(7);
    for begin in (0..count).step_by(10_000) {
        let mut pipeline = redis::pipe();
        for number in begin..(begin + 10_000).min(count) {
            let (key, token) = (format!("session:{:016x}", rng.u64(..)), format!("{:032x}", rng.u128(..)));
            if number % 2 == 0 {
                pipeline.cmd("SET").arg(key).arg(token).arg("EX").arg(rng.u32(86_400..864_000)).ignore();
            } else {
                pipeline.cmd("HSET").arg(key).arg("user").arg(number).arg("token").arg(token).arg("theme").arg("dark").ignore();
            }
        }
        pipeline.exec(&mut connection)?;
    }
    Ok(())
}

/// A set with a guest's component.
fn set(bench: &Bench, name: &str, guest: &str, config: &str, grant: &str) -> String {
    format!(
        "[[set]]\nname = \"{name}\"\ndriver = \"component\"\ncomponent = \"{}/{guest}.wasm\"\nconfig = {{ {config} }}\ngrant = {{ {grant} }}\n",
        bench.guests.display()
    )
}

/// The binary, with a cache of compiled components of its own.
fn host(bench: &Bench) -> String {
    format!("XDG_CACHE_HOME=\"$PWD/cache\" {}", bench.host.display())
}

fn mine(bench: &Bench, arguments: &str, makes: &'static str) -> Contestant {
    Contestant {
        before: String::new(),
        name: "dr-host".into(),
        command: format!("{} -q {arguments}", host(bench)),
        makes,
        rounds: bench.rounds,
    }
}

fn native_driver(bench: &Bench, arguments: &str, makes: &'static str) -> Contestant {
    Contestant { name: "the native `filesystem`".into(), ..mine(bench, arguments, makes) }
}

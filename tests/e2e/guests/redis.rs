//! `redis`: against a real server, whatever keys hold.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use dr_host_tests::host::Host;
use dr_host_tests::machine::guest;
use dr_host_tests::redis::Server;
use redis::{Connection, cmd};
use tempfile::TempDir;

/// A directory with a configuration whose one set is a server's: `config` beside the address, `more` beside `config`.
fn configured(directory: &TempDir, server: &Server, config: &str, more: &str) -> Host {
    configured_at(directory, &server.address(), config, more)
}

fn configured_at(directory: &TempDir, address: &str, config: &str, more: &str) -> Host {
    let component = guest("redis");
    let text = format!(
        "version = 1\n\n[[set]]\nname = \"state\"\n\n[[set.children]]\nname = \"sessions\"\ndriver = \"component\"\ncomponent = \"{}\"\n\
         config = {{ address = \"{address}\", {config} }}\ngrant = {{ net = [\"{address}\"] }}\n{more}\n",
        component.display()
    );
    Host::configured(directory.path(), &text).env("XDG_CACHE_HOME", &super::cache())
}

fn run(connection: &mut Connection, command: &str) {
    let mut parts = command.split(' ');
    let mut parsed = cmd(parts.next().expect("a command has a name"));
    parts.for_each(|part| _ = parsed.arg(part));
    parsed.exec(connection).unwrap_or_else(|why| panic!("`{command}`: {why}"));
}

/// One key of every type and encoding, with expiries, and keys and values of any bytes.
fn fill(connection: &mut Connection) {
    for command in [
        "SET text plain",
        "SET number 12345",
        "RPUSH list a b c",
        "SADD set:of:numbers 1 2 3",
        "SADD set x y z",
        "HSET hash field value other 1",
        "ZADD sorted 1.5 one 2.5 two",
        "XADD stream 1-1 sensor 7",
        "XADD stream 2-1 sensor 8",
        "XGROUP CREATE stream readers 0",
        "XREADGROUP GROUP readers me COUNT 1 STREAMS stream >",
        "PFADD loglog a b c d e",
        "GEOADD places 13.361389 38.115556 Palermo",
        "SETBIT bits 1000 1",
        "SET expires:later soon PX 86400000",
    ] {
        run(connection, command);
    }
    let long: Vec<u8> = (0..300_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (key, value) in [(&b"\0\xff\r\n binary \xfe"[..], &b"\0\r\n$5\r\n"[..]), (b"", b"the empty key"), (b"long", &long)] {
        cmd("SET").arg(key).arg(value).exec(connection).expect("a string can be set");
    }
    for member in 0..2000 {
        cmd("HSET").arg("large hash").arg(member).arg("x".repeat(100)).exec(connection).expect("a field can be set");
        cmd("ZADD").arg("large sorted").arg(member).arg(format!("member {member}")).exec(connection).expect("a member can be added");
    }
}

fn expiry(connection: &mut Connection, key: &str) -> i64 {
    cmd("PEXPIRETIME").arg(key).query(connection).expect("the server knows expiries")
}

fn keys(connection: &mut Connection) -> u64 {
    cmd("DBSIZE").query(connection).expect("the server counts keys")
}

/// Every type, keys and values of any bytes, expiries to the millisecond: dumped from one server, restored to another, which is
/// empty. Then nothing distinguishes them.
#[test]
fn whatever_keys_hold_comes_back() {
    let (directory, source, target) = (TempDir::new().unwrap(), Server::start(), Server::start());
    fill(&mut source.connect(0));
    let expires = expiry(&mut source.connect(0), "expires:later");

    let dumped = configured(&directory, &source, "", "").run(["dump", "a.zip"]).expect(0);
    configured(&directory, &target, "", "").run(["restore", "a.zip"]).expect(0);

    assert_eq!(target.digest(), source.digest());
    assert_eq!(expiry(&mut target.connect(0), "expires:later"), expires);
    assert!(format!("{dumped}").contains("interval"), "{dumped}");
    let group: String = format!("{:?}", cmd("XINFO").arg("GROUPS").arg("stream").query::<redis::Value>(&mut target.connect(0)).unwrap());
    assert!(group.contains("readers"), "{group}");
    Host::new(directory.path()).run(["verify", "a.zip"]).expect(0);
}

/// Several databases keep their numbers; one alone goes where the configuration says.
#[test]
fn databases_come_back_under_their_numbers_and_one_under_any() {
    let (directory, source, target) = (TempDir::new().unwrap(), Server::start(), Server::start());
    for database in [0, 3, 60] {
        run(&mut source.connect(database), &format!("SET of {database}"));
    }

    configured(&directory, &source, "databases = \"all\"", "").run(["dump", "all.zip"]).expect(0);
    configured(&directory, &target, "databases = \"all\"", "").run(["restore", "all.zip"]).expect(0);
    assert_eq!(target.digest(), source.digest());

    configured(&directory, &source, "databases = [3]", "").run(["dump", "three.zip"]).expect(0);
    configured(&directory, &target, "database = 7", "").run(["restore", "three.zip"]).expect(0);
    assert_eq!(cmd("GET").arg("of").query::<String>(&mut target.connect(7)).unwrap(), "3");

    let refused = configured(&directory, &target, "databases = [0, 3]", "").run(["restore", "all.zip"]).expect(1);
    assert!(refused.stderr.contains("the archive holds databases that are not the set's: 60"), "{refused}");
}

/// A server that asks for a password, and a user with few rights: neither INFO nor PEXPIRETIME is theirs. What is missing is told
/// with what to do.
#[test]
fn passwords_and_acl_users_are_let_in() {
    let (directory, source, target) = (TempDir::new().unwrap(), Server::start(), Server::start());
    let mut connection = source.connect(0);
    run(&mut connection, "SET session:1 alice PX 3600000");
    let expires = expiry(&mut connection, "session:1");
    run(&mut connection, "ACL SETUSER dumper on >secret-of-the-dumper ~* +select +dbsize +ping +scan +dump +pttl +time");
    run(&mut connection, "CONFIG SET requirepass secret-of-the-server");

    let refused = configured(&directory, &source, "", "").run(["dump", "a.zip"]).expect(1);
    assert!(refused.stderr.contains("the server asks for a password"), "{refused}");
    assert!(refused.stderr.contains("secrets = { password"), "{refused}");

    let secret = |name: &str| format!("secrets = {{ password = \"secret-of-the-{name}\" }}");
    configured(&directory, &source, "", &secret("server")).run(["dump", "a.zip"]).expect(0);
    configured(&directory, &source, "username = \"dumper\"", &secret("dumper")).run(["dump", "b.zip"]).expect(0);
    let wrong = configured(&directory, &source, "username = \"dumper\"", &secret("server")).run(["dump", "c.zip"]).expect(1);
    assert!(wrong.stderr.contains("WRONGPASS"), "{wrong}");
    assert!(!wrong.stderr.contains("secret-of-the-server"), "{wrong}");

    configured(&directory, &target, "", "").run(["restore", "b.zip"]).expect(0);
    let restored = expiry(&mut target.connect(0), "session:1");
    assert!((expires - restored).abs() < 1000, "without PEXPIRETIME the expiry is the time and PTTL: {expires}, {restored}");
}

/// A user who may reach some keys only dumps those, with their expiries as they are; one who may not ask for what a dump needs is told
/// what that is.
#[test]
fn acl_users_of_some_keys_dump_those() {
    let (directory, source, target) = (TempDir::new().unwrap(), Server::start(), Server::start());
    let mut connection = source.connect(0);
    run(&mut connection, "SET user:1 alice PX 3600000");
    run(&mut connection, "SET other:1 bob");
    let expires = expiry(&mut connection, "user:1");
    run(&mut connection, "ACL SETUSER some on >password-of-some ~user:* +select +dbsize +ping +scan +dump +pexpiretime");
    run(&mut connection, "ACL SETUSER timeless on >password-of-some ~* +select +dbsize +ping +scan +dump +pttl");
    let dump = |user: &str, matching: &str| {
        let secret = "secrets = { password = \"password-of-some\" }";
        configured(&directory, &source, &format!("username = \"{user}\", match = \"{matching}\""), secret).run([
            "dump",
            "--overwrite",
            "a.zip",
        ])
    };

    dump("some", "user:*").expect(0);
    configured(&directory, &target, "", "").run(["restore", "a.zip"]).expect(0);
    assert_eq!((expiry(&mut target.connect(0), "user:1"), keys(&mut target.connect(0))), (expires, 1));

    let told = dump("some", "*").expect(1);
    assert!(told.stderr.contains("the server refuses `PEXPIRETIME`: NOPERM"), "{told}");
    let told = dump("timeless", "*").expect(1);
    assert!(told.stderr.contains("the server refuses `TIME`: NOPERM"), "{told}");
    assert!(told.stderr.contains("let the user run the commands"), "{told}");
}

/// Of a database that others use as well, only what matches is dumped, and only that is in a restore's way or flushed.
#[test]
fn a_pattern_takes_its_keys_and_leaves_the_others() {
    let (directory, source, target) = (TempDir::new().unwrap(), Server::start(), Server::start());
    for key in ["session:1", "session:2", "cache:1"] {
        run(&mut source.connect(0), &format!("SET {key} old"));
    }
    run(&mut target.connect(0), "SET cache:9 theirs");

    let config = "match = \"session:*\"";
    configured(&directory, &source, config, "").run(["dump", "a.zip"]).expect(0);
    configured(&directory, &target, config, "").run(["restore", "a.zip"]).expect(0);
    assert_eq!(keys(&mut target.connect(0)), 3);

    run(&mut target.connect(0), "SET session:3 newer");
    let config = "match = \"session:*\", on_existing = \"flush\"";
    configured(&directory, &target, config, "").run(["restore", "a.zip"]).expect(0);
    let mut all: Vec<String> = cmd("KEYS").arg("*").query(&mut target.connect(0)).unwrap();
    all.sort();
    assert_eq!(all, ["cache:9", "session:1", "session:2"]);
}

/// An archive that holds more than the set to which it is restored: the keys that do not match are left out as the server's own SCAN
/// would, and what bears their names in the target stays as it is.
#[test]
fn a_pattern_leaves_out_what_the_archive_holds_beside_it() {
    let (directory, source, target) = (TempDir::new().unwrap(), Server::start(), Server::start());
    for key in ["user:1", "user:2", "user:12", "session:1", "a*b", "a]b", "a-b", "acb", "aab", "a\\b", "ü", ""] {
        cmd("SET").arg(key).arg("archived").exec(&mut source.connect(0)).expect("a string can be set");
    }
    configured(&directory, &source, "", "").run(["dump", "a.zip"]).expect(0);
    let all = |server: &Server, pattern: &str| {
        let mut all: Vec<Vec<u8>> = cmd("KEYS").arg(pattern).query(&mut server.connect(0)).unwrap();
        all.sort();
        all
    };
    for pattern in [
        "user:*",
        "*",
        "*1",
        "*:*2",
        "user:?",
        "a[a-c]b",
        "a[c-a]b",
        "a[^a-c]b",
        r"a\*b",
        r"a\\b",
        r"a[\]\-]b",
        "a[",
        "a[c",
        "u*r*2",
        "?",
        "??",
        "x",
    ] {
        run(&mut target.connect(0), "FLUSHALL");
        run(&mut target.connect(0), "SET session:1 newer");
        let config = format!("match = '{pattern}', on_existing = \"replace\"");
        let restored = configured(&directory, &target, &config, "").run(["restore", "a.zip"]).expect(0);
        let (expected, has_session) = (all(&source, pattern), pattern == "*" || pattern == "*1");
        assert_eq!(all(&target, pattern), expected, "{pattern}");
        assert_eq!(keys(&mut target.connect(0)) as usize, expected.len() + usize::from(!has_session), "{pattern}");
        let left_out = format!("keys of the archive that do not match `{pattern}` were left out: {}", 12 - expected.len());
        assert_eq!(restored.stderr.contains(&left_out), expected.len() < 12, "{restored}");
    }
    let session: String = cmd("GET").arg("session:1").query(&mut target.connect(0)).unwrap();
    assert_eq!(session, "newer");
}

/// A target that holds keys: refused, unless the configuration or the command line says what becomes of them.
#[test]
fn what_stands_in_the_target_is_kept_unless_told_otherwise() {
    let (directory, source, target) = (TempDir::new().unwrap(), Server::start(), Server::start());
    run(&mut source.connect(0), "SET key archived");
    configured(&directory, &source, "", "").run(["dump", "a.zip"]).expect(0);
    let stand = || {
        run(&mut target.connect(0), "FLUSHALL");
        run(&mut target.connect(0), "SET key newer");
        run(&mut target.connect(0), "SET extra newer");
    };
    let get = || cmd("GET").arg("key").query::<String>(&mut target.connect(0)).unwrap();

    stand();
    let refused = configured(&directory, &target, "", "").run(["restore", "a.zip"]).expect(1);
    assert!(refused.stderr.contains("the target holds keys already"), "{refused}");
    assert!(refused.stderr.contains("on_existing = \"replace\""), "{refused}");
    assert_eq!((get().as_str(), keys(&mut target.connect(0))), ("newer", 2));
    configured(&directory, &target, "on_existing = \"refuse\"", "").run(["restore", "a.zip"]).expect(1);
    assert_eq!((get().as_str(), keys(&mut target.connect(0))), ("newer", 2));

    for (config, arguments, left) in [
        ("on_existing = \"replace\"", &["restore", "a.zip"][..], 2),
        ("", &["restore", "--extra", "keep", "a.zip"], 2),
        ("on_existing = \"flush\"", &["restore", "a.zip"], 1),
        ("", &["restore", "--extra", "delete", "--yes", "a.zip"], 1),
        ("", &["restore", "--recreate", "--yes", "a.zip"], 1),
        ("", &["restore", "--recreate", "--extra", "keep", "--yes", "a.zip"], 2),
        // The command line is stronger than the configuration.
        ("on_existing = \"flush\"", &["restore", "--extra", "keep", "a.zip"], 2),
        ("on_existing = \"refuse\"", &["restore", "--extra", "keep", "a.zip"], 2),
        ("on_existing = \"refuse\"", &["restore", "--extra", "delete", "--yes", "a.zip"], 1),
        ("on_existing = \"replace\"", &["restore", "--extra", "delete", "--yes", "a.zip"], 1),
        ("on_existing = \"replace\"", &["restore", "--recreate", "--yes", "a.zip"], 1),
    ] {
        stand();
        configured(&directory, &target, config, "").run(arguments).expect(0);
        assert_eq!((get().as_str(), keys(&mut target.connect(0))), ("archived", left), "{config} {arguments:?}");
    }
}

/// Nothing is flushed for an archive that is damaged, also where the configuration alone says that it is.
#[test]
fn a_damaged_archive_flushes_nothing() {
    let (directory, source, target) = (TempDir::new().unwrap(), Server::start(), Server::start());
    for key in 0..200 {
        run(&mut source.connect(0), &format!("SET key:{key} {}", "archived".repeat(key)));
    }
    let host = configured(&directory, &source, "", "");
    host.run(["dump", "a.zip"]).expect(0);
    let path = directory.path().join("a.zip");
    let mut archive = std::fs::read(&path).unwrap();
    let begin = archive.windows(4).position(|bytes| bytes == [0x28, 0xb5, 0x2f, 0xfd]).expect("a frame of zstd");
    archive[begin + 40] ^= 1;
    std::fs::write(&path, archive).unwrap();
    run(&mut target.connect(0), "SET key newer");
    let refused = configured(&directory, &target, "on_existing = \"flush\"", "").run(["restore", "a.zip"]).expect(1);
    assert!(refused.stderr.contains("before_restore") && refused.stderr.contains("nothing was changed"), "{refused}");
    assert_eq!(keys(&mut target.connect(0)), 1);
}

/// A value that is damaged is refused by the server before the end of its entry shows the damage: it is told as what it is. One that the
/// server cannot read and that is whole is told as of a newer server.
#[test]
fn damage_that_the_server_finds_first_is_told_as_damage() {
    let (directory, source, target) = (TempDir::new().unwrap(), Server::start(), Server::start());
    for key in 0..20_000 {
        // What LZF cannot make smaller is found in the archive as it is.
        let value: Vec<u8> = (0..500).map(|_| fastrand::u8(..)).collect();
        cmd("SET").arg(key).arg(value).exec(&mut source.connect(0)).expect("a string can be set");
    }
    configured(&directory, &source, "", "").run(["dump", "--compression", "store", "a.zip"]).expect(0);
    let path = directory.path().join("a.zip");
    let mut archive = std::fs::read(&path).unwrap();
    archive[10_000] ^= 1;
    std::fs::write(&path, archive).unwrap();
    let refused = configured(&directory, &target, "", "").run(["restore", "a.zip"]).expect(1);
    assert!(refused.stderr.contains("damaged") && !refused.stderr.contains("older"), "{refused}");

    let newer = with_payload(b"\0\x07archived\xe7\x03checksum");
    configured_at(&directory, &newer, "", "").run(["dump", "--overwrite", "a.zip"]).expect(0);
    let refused = configured(&directory, &target, "", "").run(["restore", "--extra", "keep", "a.zip"]).expect(1);
    assert!(refused.stderr.contains("the server is older than the one that was dumped"), "{refused}");
}

/// What speaks like a server with one key, `key`, whose payload is this. Gives its address.
fn with_payload(payload: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || listener.incoming().for_each(|connection| answer(&connection.expect("a connection"), payload)));
    address
}

fn answer(mut connection: &TcpStream, payload: &[u8]) {
    let mut lines = BufReader::new(connection).lines().map_while(Result::ok);
    // A command is `*2`, then for each of its parts `$3` and the part.
    while let Some(parts) = lines.next().map(|line| line[1..].parse::<usize>().expect("an array")) {
        let command: Vec<String> = (0..parts).map(|_| lines.nth(1).expect("a part")).collect();
        let bulk = |bytes: &[u8]| [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        let reply = match command[0].as_str() {
            "INFO" => bulk(b"redis_mode:standalone"),
            "DBSIZE" => b":1\r\n".to_vec(),
            "PEXPIRETIME" => b":-1\r\n".to_vec(),
            "SCAN" => b"*2\r\n$1\r\n0\r\n*1\r\n$3\r\nkey\r\n".to_vec(),
            "DUMP" => bulk(payload),
            _ => b"+OK\r\n".to_vec(),
        };
        connection.write_all(&reply).expect("it listens");
    }
}

/// Nothing is flushed for an archive whose hashes are right, and whose entries are none, or hold what the server cannot read.
#[test]
fn an_archive_that_the_server_cannot_read_flushes_nothing() {
    let (directory, target) = (TempDir::new().unwrap(), Server::start());
    run(&mut target.connect(0), "SET key newer");
    for (payload, says) in [
        (&b"short"[..], "a payload is shorter than any can be"),
        (b"\0\x07archived\xe7\x03checksum", "the archive's values have the format 999, and the server reads formats up to"),
    ] {
        configured_at(&directory, &with_payload(payload), "", "").run(["dump", "--overwrite", "a.zip"]).expect(0);
        for (config, arguments) in [
            ("on_existing = \"flush\"", &["restore", "a.zip"][..]),
            ("on_existing = \"flush\", match = \"k*\"", &["restore", "a.zip"]),
            ("", &["restore", "--extra", "delete", "--yes", "a.zip"]),
        ] {
            let refused = configured(&directory, &target, config, "").run(arguments).expect(1);
            assert!(refused.stderr.contains(says) && refused.stderr.contains("nothing was changed"), "{refused}");
            assert_eq!(cmd("GET").arg("key").query::<String>(&mut target.connect(0)).unwrap(), "newer");
        }
    }
    // What does not belong to the set is in nobody's way.
    let config = "on_existing = \"flush\", match = \"other:*\"";
    run(&mut target.connect(0), "SET other:1 newer");
    configured(&directory, &target, config, "").run(["restore", "a.zip"]).expect(0);
    assert_eq!(keys(&mut target.connect(0)), 1);
}

/// Nobody listens; the database does not exist; the address is not granted: each is told, and what to do.
#[test]
fn what_cannot_be_reached_is_told() {
    let (directory, server) = (TempDir::new().unwrap(), Server::start());
    let far = configured(&directory, &server, "database = 64", "").run(["dump", "a.zip"]).expect(1);
    assert!(far.stderr.contains("DB index is out of range") && far.stderr.contains("`databases` setting"), "{far}");
    let host = configured(&directory, &server, "", "");
    drop(server);
    let nobody = host.run(["dump", "a.zip"]).expect(1);
    assert!(nobody.stderr.contains("nobody listens there"), "{nobody}");
    assert!(!directory.path().join("a.zip").exists());
}

/// A connection that the server cuts off is told in a line, whatever the environment asks of programs in Rust.
#[test]
fn a_broken_connection_is_told_without_a_backtrace() {
    let directory = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    // What is closed with something unread is reset.
    let served = thread::spawn(move || listener.accept().expect("the driver comes").0.read_exact(&mut [0]).expect("a byte"));
    let host = configured_at(&directory, &address, "", "").env("RUST_BACKTRACE", "1");
    let ended = host.run(["dump", "a.zip"]).expect(1);
    served.join().expect("it was served");
    let broken = format!("error: state/sessions (redis, before_dump): the connection to `{address}` broke: ");
    assert!(ended.stderr.starts_with(&broken), "{ended}");
    assert!(!ended.stderr.to_lowercase().contains("backtrace"), "{ended}");
}

/// A million keys of all types, in three databases, some of which expire: there and back, and the servers' digests are the same. The
/// guest has the memory that it gets by default.
#[test]
fn a_million_keys_survive() {
    let (directory, source, target) = (TempDir::new().unwrap(), Server::start(), Server::start());
    for (database, count) in [(0, 700_000), (1, 200_000), (2, 100_000)] {
        populate(&mut source.connect(database), count);
    }
    run(&mut source.connect(0), "DEBUG SET-ACTIVE-EXPIRE 0");
    let total: u64 = (0..3).map(|database| keys(&mut source.connect(database))).sum();
    assert_eq!(total, 1_000_000);

    let begun = SystemTime::now();
    configured(&directory, &source, "databases = \"all\"", "").run(["dump", "a.zip"]).expect(0);
    let dumped = SystemTime::now();
    configured(&directory, &target, "databases = \"all\"", "").run(["restore", "a.zip"]).expect(0);
    let restored = SystemTime::now();

    assert_eq!(target.digest(), source.digest());
    let took = |from: SystemTime, to: SystemTime| to.duration_since(from).unwrap().as_secs_f64();
    println!("dump {:.1} s, restore {:.1} s", took(begun, dumped), took(dumped, restored));
}

/// Makes this many keys in the server itself: seven types in turn, every tenth with an expiry a day from now on.
fn populate(connection: &mut Connection, count: u64) {
    const SCRIPT: &str = "
        for n = tonumber(ARGV[1]), tonumber(ARGV[2]) - 1 do
            local key, kind = 'key:' .. n .. string.char(n % 256), n % 7
            if kind == 0 then redis.call('SET', key, 'value ' .. n .. string.rep('x', n % 100))
            elseif kind == 1 then redis.call('SET', key, n)
            elseif kind == 2 then redis.call('RPUSH', key, n, 'two', 'three')
            elseif kind == 3 then redis.call('SADD', key, 'a', n, 'c')
            elseif kind == 4 then redis.call('HSET', key, 'name', 'n' .. n, 'at', n)
            elseif kind == 5 then redis.call('ZADD', key, n, 'a', n / 3, 'b')
            else redis.call('XADD', key, '1-1', 'n', n) end
            if n % 10 == 0 then redis.call('PEXPIREAT', key, ARGV[3] + n) end
        end";
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    for begin in (0..count).step_by(50_000) {
        let end = (begin + 50_000).min(count);
        cmd("EVAL").arg(SCRIPT).arg(0).arg(begin).arg(end).arg(now + 86_400_000).exec(connection).expect("a script can run");
    }
}

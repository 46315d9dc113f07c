//! A real S3 server, `garage`, for one test: on private ports, with one bucket, gone when the test is.
//!
//! Objects are put and read with `curl`, which names any key as it is and knows nothing of the library under test.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::machine;

/// The name of the bucket.
pub const BUCKET: &str = "shop";

/// The region that the server says it is in.
pub const REGION: &str = "garage";

/// The access key that may do everything with the bucket.
pub const ACCESS_KEY: &str = "GK0123456789abcdef01234567";

/// Its secret.
pub const SECRET_KEY: &str = "5ec2e7bad05ec2e7bad05ec2e7bad05ec2e7bad05ec2e7bad05ec2e7bad05ec2";

/// How long a server may take to answer its first request.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub struct Server {
    process: Child,
    directory: TempDir,
    endpoint: String,
}

/// An object, as the server gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its content.
    pub content: Vec<u8>,
    /// The headers of the answer, their names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Object {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

impl Server {
    /// Starts one, with an empty bucket.
    ///
    /// # Panics
    /// It does not come up: what it said is shown.
    pub fn start() -> Self {
        // Another process may take a port between the choice and the start.
        (0..5).find_map(|_| Self::try_start()).expect("garage starts within five attempts")
    }

    fn try_start() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let (api, rpc) = (free_port(), free_port());
        let configuration = configuration(directory.path(), api, rpc);
        fs::write(directory.path().join("garage.toml"), configuration).expect("a configuration");
        let log = fs::File::create(directory.path().join("log")).expect("a log");
        let process = Command::new(machine::garage())
            .args(["-c", "garage.toml", "server", "--single-node", "--default-bucket"])
            .current_dir(directory.path())
            .env("GARAGE_DEFAULT_ACCESS_KEY", ACCESS_KEY)
            .env("GARAGE_DEFAULT_SECRET_KEY", SECRET_KEY)
            .env("GARAGE_DEFAULT_BUCKET", BUCKET)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("garage can be started");
        let mut server = Self { process, directory, endpoint: format!("http://127.0.0.1:{api}") };
        server.comes_up().then_some(server)
    }

    fn comes_up(&mut self) -> bool {
        let begun = Instant::now();
        while self.request(&["--fail", &self.url("?list-type=2")]).is_none() {
            if self.process.try_wait().expect("the process can be looked at").is_some() {
                return false;
            }
            let log = || fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "garage does not answer:\n{}", log());
            thread::sleep(Duration::from_millis(50));
        }
        true
    }

    /// Its URL.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The keys of a set that lets the host reach it.
    pub fn settings(&self) -> String {
        format!(
            "endpoint = \"{}\"\nregion = \"{REGION}\"\nallow_http = true\naccess_key_id = \"{ACCESS_KEY}\"\nsecret_access_key = \
             \"{SECRET_KEY}\"\n",
            self.endpoint
        )
    }

    /// Puts an object.
    ///
    /// # Panics
    /// The server does not take it.
    pub fn put(&self, key: &str, content: &[u8], headers: &[&str]) {
        let file = self.directory.path().join("upload");
        fs::File::create(&file).and_then(|mut file| file.write_all(content)).expect("a file");
        let data = format!("@{}", file.display());
        let mut arguments = vec!["--fail", "--request", "PUT", "--data-binary", &data];
        if !headers.iter().any(|header| header.starts_with("content-type:")) {
            arguments.extend(["--header", "content-type: application/octet-stream"]);
        }
        headers.iter().for_each(|header| arguments.extend(["--header", header]));
        let url = self.key_url(key);
        arguments.push(&url);
        assert!(self.request(&arguments).is_some(), "`{key}` cannot be put");
    }

    /// Puts many objects at once, without headers of their own.
    ///
    /// # Panics
    /// The server does not take one.
    pub fn put_all<'a>(&self, objects: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
        let directory = tempfile::tempdir().expect("a directory");
        let upload = |(number, (key, content)): (usize, (&str, &[u8]))| {
            let file = directory.path().join(number.to_string());
            fs::write(&file, content).expect("a file");
            format!("upload-file = \"{}\"\nurl = \"{}\"\n", file.display(), self.key_url(key))
        };
        self.batch(objects.into_iter().enumerate().map(upload));
    }

    /// All objects whose keys begin so: keys without that beginning, and contents.
    ///
    /// # Panics
    /// The server does not give one.
    pub fn get_all(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let directory = tempfile::tempdir().expect("a directory");
        let keys: Vec<String> = self.keys().into_iter().filter(|key| key.starts_with(prefix)).collect();
        let download = |(number, key): (usize, &String)| {
            format!("output = \"{}\"\nurl = \"{}\"\n", directory.path().join(number.to_string()).display(), self.key_url(key))
        };
        self.batch(keys.iter().enumerate().map(download));
        let content = |number: usize| fs::read(directory.path().join(number.to_string())).expect("what was fetched");
        keys.iter().enumerate().map(|(number, key)| (key[prefix.len()..].to_owned(), content(number))).collect()
    }

    /// Lets one `curl` make many requests.
    fn batch(&self, requests: impl Iterator<Item = String>) {
        let common = format!(
            "fail\nsilent\npath-as-is\ngloboff\nnoproxy = \"*\"\naws-sigv4 = \"aws:amz:{REGION}:s3\"\nuser = \
             \"{ACCESS_KEY}:{SECRET_KEY}\"\nheader = \"x-amz-content-sha256: UNSIGNED-PAYLOAD\"\nheader = \"content-type: \
             application/octet-stream\"\n"
        );
        let sections: Vec<String> = requests.map(|request| format!("{common}{request}")).collect();
        if sections.is_empty() {
            return;
        }
        let file = self.directory.path().join("requests");
        fs::write(&file, sections.join("next\n")).expect("a file");
        let output = machine::tool("curl").arg("--fail-early").arg("--config").arg(file).output().expect("curl can be started");
        assert!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Deletes an object.
    ///
    /// # Panics
    /// The server refuses.
    pub fn delete(&self, key: &str) {
        assert!(self.request(&["--fail", "--request", "DELETE", &self.key_url(key)]).is_some(), "`{key}` cannot be deleted");
    }

    /// An object, if it is there.
    pub fn get(&self, key: &str) -> Option<Object> {
        let headers = self.directory.path().join("headers");
        let content = self.request(&["--fail", "--dump-header", &headers.display().to_string(), &self.key_url(key)])?;
        let text = fs::read_to_string(headers).expect("the headers can be read");
        let headers = text.lines().filter_map(|line| line.split_once(": "));
        Some(Object { content, headers: headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect() })
    }

    /// All keys, in their order.
    ///
    /// # Panics
    /// The server does not list them.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        loop {
            let after = keys.last().map_or(String::new(), |last| format!("&start-after={}", encoded(last, false)));
            let page = self.request(&["--fail", &self.url(&format!("?list-type=2{after}"))]).expect("a listing");
            let page = String::from_utf8(page).expect("a listing is text");
            let found = page.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap_or_default());
            keys.extend(found.map(unescaped));
            if !page.contains("<IsTruncated>true</IsTruncated>") {
                return keys;
            }
        }
    }

    fn url(&self, rest: &str) -> String {
        format!("{}/{BUCKET}{rest}", self.endpoint)
    }

    fn key_url(&self, key: &str) -> String {
        self.url(&format!("/{}", encoded(key, true)))
    }

    /// What `curl` got; nothing where it failed.
    fn request(&self, arguments: &[&str]) -> Option<Vec<u8>> {
        let output = machine::tool("curl")
            .args(["--silent", "--path-as-is", "--globoff", "--noproxy", "*", "--aws-sigv4", &format!("aws:amz:{REGION}:s3")])
            .args(["--user", &format!("{ACCESS_KEY}:{SECRET_KEY}"), "--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"])
            .args(arguments)
            .output()
            .expect("curl can be started");
        output.status.success().then_some(output.stdout)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail where it has ended already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(directory: &Path, api: u16, rpc: u16) -> String {
    let directory = directory.display();
    format!(
        "metadata_dir = \"{directory}/meta\"\ndata_dir = \"{directory}/data\"\ndb_engine = \"sqlite\"\nreplication_factor = 1\n\
         rpc_bind_addr = \"127.0.0.1:{rpc}\"\nrpc_secret = \"{}\"\n\n[s3_api]\ns3_region = \"{REGION}\"\napi_bind_addr = \
         \"127.0.0.1:{api}\"\n",
        "0123456789abcdef".repeat(4)
    )
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Percent-encoded as signatures want it; slashes stay where they separate segments.
fn encoded(text: &str, keep_slashes: bool) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || (keep_slashes && byte == b'/');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn unescaped(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

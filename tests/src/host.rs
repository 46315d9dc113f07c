//! The binary under test, run as a person or a script would run it.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::machine::tool;

/// The binary, as this build made it: it stands above the directory of the running test's own executable.
///
/// # Panics
/// It has not been built: `tests/run` builds it.
pub fn binary() -> PathBuf {
    let test = env::current_exe().expect("the running test has an executable");
    let built = test.ancestors().nth(2).expect("tests run from `target/<profile>/deps`").join("dr-host");
    assert!(built.is_file(), "`{}` is not built: `tests/run`, or `cargo build --workspace --all-targets`, builds it", built.display());
    built
}

/// How to run the binary: in which directory, with which environment.
///
/// Of the environment of the tests it sees `PATH` alone, so that no configuration of the machine gets in.
#[derive(Clone, Debug)]
pub struct Host {
    directory: PathBuf,
    environment: Vec<(String, String)>,
}

impl Host {
    /// Runs in this directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), environment: Vec::new() }
    }

    /// Runs in this directory, with this text as its `dumprestore.toml`.
    ///
    /// # Panics
    /// The file cannot be written.
    pub fn configured(directory: impl Into<PathBuf>, configuration: &str) -> Self {
        let host = Self::new(directory);
        fs::write(host.directory.join("dumprestore.toml"), configuration).expect("the configuration can be written");
        host
    }

    /// Adds a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The directory in which it runs.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The command, for what [`Host::run`] and [`Host::start`] do not cover.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(&self.directory).stdin(Stdio::null()).env_clear();
        command.envs(env::var_os("PATH").map(|path| ("PATH", path))).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ended {
        let output = self.command(arguments).output().expect("the binary can be started");
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs it on a terminal of this many columns, where a person types `typed`; gives all that the terminal shows, and the exit
    /// code. `environment` comes on top.
    ///
    /// # Panics
    /// `script`, which gives it the terminal, is not installed.
    pub fn on_terminal(&self, columns: u16, arguments: &str, environment: &[(&str, &str)], typed: &str) -> (String, i32) {
        let mut command = tool("script");
        let line = format!("stty rows 40 cols {columns}; '{}' {arguments}", binary().display());
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(&self.directory).env_clear();
        command.envs(env::var_os("PATH").map(|path| ("PATH", path))).env("TERM", "xterm-256color").env("SHELL", "/bin/sh");
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).envs(environment.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`script` can be started");
        child.stdin.take().expect("its input is piped").write_all(typed.as_bytes()).expect("it can be typed to");
        let output = child.wait_with_output().expect("it can be waited for");
        (String::from_utf8_lossy(&output.stdout).replace('\r', ""), output.status.code().expect("it ends by itself"))
    }

    /// Starts it, with `--json` among its arguments, so that a test can act on its events.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Running {
        let mut child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary can be started");
        let events = BufReader::new(child.stdout.take().expect("its standard output is piped"));
        let mut errors = child.stderr.take().expect("its standard error is piped");
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).expect("standard error can be read");
            String::from_utf8_lossy(&text).into_owned()
        });
        Running { child, events, seen: String::new(), stderr: Some(stderr) }
    }
}

/// A run that goes on. Dropped before its end, it is killed: a failing test leaves no process behind.
pub struct Running {
    child: Child,
    events: BufReader<ChildStdout>,
    seen: String,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next event; none at the end.
    ///
    /// # Panics
    /// A line is not JSON.
    pub fn event(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.events.read_line(&mut line).expect("standard output can be read");
        self.seen.push_str(&line);
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap_or_else(|why| panic!("`{line}` is no event: {why}")))
    }

    /// The next event for which `wanted` holds.
    ///
    /// # Panics
    /// The run ends without one.
    pub fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.event() {
                Some(event) if wanted(&event) => return event,
                Some(_) => {}
                None => panic!("the run ended without the event that was waited for:\n{}", self.seen),
            }
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Its output cannot be read.
    pub fn wait(mut self) -> Ended {
        self.events.read_to_string(&mut self.seen).expect("standard output can be read");
        let status = self.child.wait().expect("the process can be waited for");
        let stderr = self.stderr.take().expect("it is waited for once").join().expect("standard error was read");
        Ended { code: status.code(), stdout: std::mem::take(&mut self.seen), stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail where it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a run left: how it ended, and all that it said.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit code; none where a signal killed it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ended {
    /// Expects this exit code.
    ///
    /// # Panics
    /// It is another one; what the run said is shown.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Its events, of a run with `--json`.
    ///
    /// # Panics
    /// A line is not JSON.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|why| panic!("`{line}` is no event: {why}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Its events of this name.
    #[track_caller]
    pub fn events_of(&self, name: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == name).collect()
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {:?}\nstdout:\n{}\nstderr:\n{}", self.code, self.stdout, self.stderr)
    }
}

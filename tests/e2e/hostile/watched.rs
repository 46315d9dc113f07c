//! A run of the host with `--json`, watched from outside: what it said and when, how long it took, how much memory.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use dr_host_tests::host::Host;
use serde_json::Value;
use wait4::Wait4;

/// A run that says nothing for so long hangs: the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run that is over.
pub(crate) struct Watched {
    /// Its events, each with the time at which it was seen.
    events: Vec<(Instant, Value)>,
    /// The bytes of its standard output.
    printed: usize,
    stderr: String,
    code: Option<i32>,
    /// The most memory that it had, in bytes.
    pub(crate) peak: u64,
    /// From its start to its end.
    pub(crate) took: Duration,
}

impl Watched {
    /// Runs the host; `--json` is among the arguments.
    pub(crate) fn run(host: &Host, arguments: &[&str]) -> Self {
        let begun = Instant::now();
        let command = &mut host.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary can be started");
        let stdout = child.stdout.take().expect("its standard output is piped");
        let mut errors = child.stderr.take().expect("its standard error is piped");
        let stderr = thread::spawn(move || {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).expect("standard error can be read");
            String::from_utf8_lossy(&text).into_owned()
        });
        let (said, heard) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let line = line.expect("standard output is text");
                if said.send((Instant::now(), line)).is_err() {
                    break;
                }
            }
        });
        let (mut events, mut printed) = (Vec::new(), 0);
        loop {
            match heard.recv_timeout(PATIENCE) {
                Ok((at, line)) => {
                    printed += line.len() + 1;
                    events.push((at, serde_json::from_str(&line).unwrap_or_else(|why| panic!("`{line}` is no event: {why}"))));
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    child.kill().expect("it can be killed");
                    panic!("{arguments:?} hangs; its last event was {:?}", events.last());
                }
            }
        }
        let ended = child.wait4().expect("it can be waited for");
        let (took, stderr) = (begun.elapsed(), stderr.join().expect("standard error was read"));
        Self { events, printed, stderr, code: ended.status.code(), peak: ended.rusage.maxrss, took }
    }

    /// It ended with this code.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// What the error of this set in this moment (or, without both, of the run) says: message, details, hint.
    #[track_caller]
    pub(crate) fn error(&self, at: Option<(&str, &str)>, kind: &str) -> String {
        let fits = |failure: &Value| match at {
            Some((set, moment)) => failure["set"] == set && failure["moment"] == moment,
            None => failure["set"].is_null(),
        };
        let mut errors = self.of("error").map(|event| &event["failure"]).filter(|failure| fits(failure));
        let error = errors.next().unwrap_or_else(|| panic!("no error of {at:?}: {self}"));
        assert_eq!(error["kind"], kind, "{self}");
        texts(error)
    }

    /// It said these words in the error of this set in this moment.
    #[track_caller]
    pub(crate) fn says(&self, at: Option<(&str, &str)>, kind: &str, words: &[&str]) -> &Self {
        let error = self.error(at, kind);
        words.iter().for_each(|words| assert!(error.contains(words), "`{words}` is missing in:\n{error}\n{self}"));
        self
    }

    /// The finding of a set: what it says.
    #[track_caller]
    pub(crate) fn finds(&self, kind: &str, words: &[&str]) -> &Self {
        let mut found = self.of("finding").map(|event| &event["finding"]).filter(|found| found["kind"] == kind);
        let found = texts(found.next().unwrap_or_else(|| panic!("no finding `{kind}`: {self}")));
        words.iter().for_each(|words| assert!(found.contains(words), "`{words}` is missing in:\n{found}\n{self}"));
        self
    }

    /// What a set logged.
    pub(crate) fn log_of(&self, set: &str) -> Vec<&str> {
        self.of("log").filter(|event| event["set"] == set).filter_map(|event| event["message"].as_str()).map(str::trim_end).collect()
    }

    /// The moments that ran, in their order: `set moment`.
    pub(crate) fn moments(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        self.of("moment").map(|event| text(&event["set"]) + " " + &text(&event["moment"])).collect()
    }

    /// What became of the sets, in their order: `set state`.
    pub(crate) fn states(&self) -> Vec<String> {
        let finished = self.of("finished").next().unwrap_or_else(|| panic!("the run did not finish: {self}"));
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        finished["sets"].as_array().expect("sets").iter().map(|set| text(&set["set"]) + " " + &text(&set["state"])).collect()
    }

    /// How long a moment of the hostile set took: to the event that tells its end, or to whatever comes next.
    #[track_caller]
    pub(crate) fn time_of(&self, moment: &str) -> Duration {
        let begins = |event: &Value| event["event"] == "moment" && event["set"] == "state" && event["moment"] == moment;
        let begin = self.events.iter().position(|(_, event)| begins(event)).unwrap_or_else(|| panic!("no {moment}: {self}"));
        let goes_on = |event: &Value| event["event"] == "progress" || event["event"] == "log";
        let ended = self.events[begin + 1..].iter().find(|(_, event)| !goes_on(event)).unwrap_or_else(|| panic!("{self}"));
        ended.0 - self.events[begin].0
    }

    /// Its exit code; none where a signal killed it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.code
    }

    /// How many bytes it printed.
    pub(crate) fn printed(&self) -> usize {
        self.printed + self.stderr.len()
    }

    fn of(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().map(|(_, event)| event).filter(move |event| event["event"] == name)
    }
}

/// All texts in a value, one a line.
fn texts(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone() + "\n",
        Value::Array(all) => all.iter().map(texts).collect(),
        Value::Object(all) => all.values().map(texts).collect(),
        _ => String::new(),
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begun = self.events.first().map(|(at, _)| *at);
        writeln!(f, "exit code {:?} after {:?}, at most {} KiB of memory", self.code, self.took, self.peak / 1024)?;
        for (at, event) in &self.events {
            let text = event.to_string();
            let shown: String = text.chars().take(1000).collect();
            writeln!(f, "{:>9.3?} {shown}", *at - begun.unwrap_or(*at))?;
        }
        let shown: String = self.stderr.chars().take(4000).collect();
        write!(f, "stderr:\n{shown}")
    }
}

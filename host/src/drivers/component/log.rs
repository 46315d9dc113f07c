//! What a guest says: its log, standard output and standard error, one line each, without its secrets, up to the limit of
//! its volume. The last lines are kept for the message that tells of its end.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use super::limits::show_size;
use crate::drivers::{Level, Reporter};
use crate::redact::Redactor;

/// The most bytes of one line; what follows becomes another.
const LINE: usize = 4096;

/// How many of the last lines are kept.
const KEPT: usize = 10;

/// The log of one set's component, in one run, whatever becomes of its instances.
pub(super) struct Log {
    limit: u64,
    redactor: Redactor,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Where lines go; of the moment that runs.
    reporter: Option<Arc<dyn Reporter>>,
    /// Bytes so far.
    volume: u64,
    /// Whether there was a finding.
    has_found: bool,
    /// Lines and findings left out since this was last told.
    left_out: u64,
    /// The last lines of the moment.
    last: VecDeque<String>,
    /// Lines of standard output and standard error that have no end yet.
    begun: [Vec<u8>; 2],
}

impl Log {
    /// One that strikes these secrets, and lets this many bytes pass.
    pub(super) fn new(limit: u64, redactor: Redactor) -> Arc<Self> {
        Arc::new(Self { limit, redactor, state: Mutex::default() })
    }

    /// A text without secrets.
    pub(super) fn clean(&self, text: &str) -> String {
        self.redactor.strike(text).into_owned()
    }

    /// Begins a moment: its lines go to this reporter.
    pub(super) fn begin(&self, reporter: Arc<dyn Reporter>) {
        let mut state = self.state();
        state.last.clear();
        state.reporter = Some(reporter);
    }

    /// Ends a moment: what has no end yet is a line, and what was left out is told. Returns the last lines.
    pub(super) fn end(&self) -> Vec<String> {
        let mut state = self.state();
        for stream in [Stream::Output, Stream::Error] {
            let mut rest = std::mem::take(&mut state.begun[stream as usize]);
            if !rest.is_empty() {
                self.put_printed(&mut state, stream, &mut rest, LINE);
                self.put(&mut state, Level::Info, self.line(stream, &rest));
            }
        }
        let left_out = std::mem::take(&mut state.left_out);
        if let Some(reporter) = state.reporter.take().filter(|_| left_out > 0) {
            let limit = show_size(self.limit);
            let message = format!("{left_out} lines and findings of the driver's were left out: its limit is {limit}, `limit.log`");
            reporter.log(Level::Warn, message);
        }
        state.last.drain(..).collect()
    }

    /// A text without secrets, of at most [`LINE`] bytes: what a guest returns is shown and kept like its log.
    pub(super) fn short(&self, text: &str) -> String {
        let clean = self.clean(text);
        if clean.len() <= LINE {
            return clean;
        }
        format!("{}…", &clean[..clean.floor_char_boundary(LINE)])
    }

    /// Whether one more finding of so many bytes is within the limit; else it is counted as left out. The first always is, however
    /// full the log may be: that something was found cannot be hidden.
    pub(super) fn takes_finding(&self, bytes: usize) -> bool {
        let mut state = self.state();
        state.volume = state.volume.saturating_add(bytes as u64 + 1);
        let fits = state.volume <= self.limit || !state.has_found;
        state.has_found = true;
        state.left_out += u64::from(!fits);
        fits
    }

    /// Ends a run: the next one has all of the limit again.
    pub(super) fn end_run(&self) {
        let mut state = self.state();
        (state.volume, state.has_found) = (0, false);
    }

    /// A line of the guest's log.
    pub(super) fn say(&self, level: Level, text: &str) {
        // Whole, so that no secret is missed where it is cut.
        let text = self.clean(text);
        let mut state = self.state();
        text.split('\n').for_each(|line| pieces(line).for_each(|piece| self.put(&mut state, level, piece.to_owned())));
    }

    /// Takes a line, without secrets.
    fn put(&self, state: &mut State, level: Level, clean: String) {
        if state.last.len() == KEPT {
            state.last.pop_front();
        }
        state.last.push_back(clean.clone());
        state.volume = state.volume.saturating_add(clean.len() as u64 + 1);
        match &state.reporter {
            Some(reporter) if state.volume <= self.limit => reporter.log(level, clean),
            Some(_) => state.left_out += 1,
            None => {}
        }
    }

    /// Takes what is printed. What has no end yet is kept until a secret that begins in its first line would be whole.
    fn write(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.state();
        let mut begun = std::mem::take(&mut state.begun[stream as usize]);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ended = line.strip_suffix(b"\n");
            for part in ended.unwrap_or(line).chunks(LINE) {
                begun.extend_from_slice(part);
                self.put_printed(&mut state, stream, &mut begun, LINE + self.redactor.longest());
            }
            if ended.is_some() {
                self.put_printed(&mut state, stream, &mut begun, LINE);
                self.put(&mut state, Level::Info, self.line(stream, &begun));
                begun.clear();
            }
        }
        state.begun[stream as usize] = begun;
    }

    /// Takes pieces of a long line until no more than `most` bytes are left of it.
    fn put_printed(&self, state: &mut State, stream: Stream, line: &mut Vec<u8>, most: usize) {
        while line.len() > most {
            let cut = self.cut(line);
            self.put(state, Level::Info, self.line(stream, &line[..cut]));
            line.drain(..cut);
        }
    }

    /// Where to cut a line of more than [`LINE`] bytes: through no secret, and through no character.
    fn cut(&self, line: &[u8]) -> usize {
        let across = self.redactor.ranges(line).into_iter().find(|secret| secret.start < LINE && LINE < secret.end);
        match across {
            Some(secret) if secret.start > 0 => secret.start,
            Some(secret) => secret.end,
            None => (LINE - 3..=LINE).rev().find(|at| line[*at] & 0xC0 != 0x80).unwrap_or(LINE),
        }
    }

    /// A line that was printed, or a piece of one, without secrets.
    fn line(&self, stream: Stream, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        let name = match stream {
            Stream::Output => "stdout",
            Stream::Error => "stderr",
        };
        format!("{name}: {}", self.clean(text.trim_end_matches('\r')))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line in pieces of at most [`LINE`] bytes.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let cut = line.floor_char_boundary(LINE);
        rest = Some(&line[cut..]).filter(|rest| !rest.is_empty());
        Some(&line[..cut])
    })
}

/// One of the two streams of a guest.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Output,
    Error,
}

/// A stream of a guest, as lines of its log. It takes all that is written, and keeps no more than a line.
#[derive(Clone)]
pub(super) struct Printed {
    log: Arc<Log>,
    stream: Stream,
}

impl Printed {
    /// Of this log.
    pub(super) fn new(log: &Arc<Log>, stream: Stream) -> Self {
        Self { log: log.clone(), stream }
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Printed {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.log.write(self.stream, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers::{Finding, Unit};
    use crate::redact::Secrets;

    /// Keeps what it hears.
    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Reporter for Heard {
        fn log(&self, level: Level, message: String) {
            self.0.lock().expect("nobody panicked").push(format!("{level:?} {message}"));
        }

        fn progress(&self, _done: u64, _total: Option<u64>, _unit: Unit) {}

        fn finding(&self, _finding: Finding) {}
    }

    fn print(log: &Arc<Log>, stream: Stream, bytes: &[u8]) {
        log.write(stream, bytes);
    }

    #[test]
    fn streams_become_lines_without_secrets() {
        let mut secrets = Secrets::default();
        secrets.add("hunter2");
        let log = Log::new(1000, Redactor::new(&secrets));
        let heard = Arc::new(Heard::default());
        log.begin(heard.clone());
        print(&log, Stream::Error, b"panicked at hun");
        print(&log, Stream::Output, b"one\r\ntwo\n");
        print(&log, Stream::Error, b"ter2\n\xff");
        log.say(Level::Warn, "mind hunter2\nand this");
        let last = log.end();
        let lines = heard.0.lock().expect("nobody panicked").clone();
        assert_eq!(
            lines,
            [
                "Info stdout: one",
                "Info stdout: two",
                "Info stderr: panicked at ***",
                "Warn mind ***",
                "Warn and this",
                "Info stderr: \u{fffd}"
            ]
        );
        assert_eq!(last.len(), 6);
    }

    /// A log that strikes `hunter2` and a key of more than a line, and what is heard of it.
    fn with_secrets() -> (Arc<Log>, Arc<Heard>, String) {
        let key: String = (0..LINE + 100).map(|at| char::from(b'a' + (at % 23) as u8)).collect();
        let mut secrets = Secrets::default();
        secrets.add("hunter2");
        secrets.add(&key);
        let log = Log::new(1 << 20, Redactor::new(&secrets));
        let heard = Arc::new(Heard::default());
        log.begin(heard.clone());
        (log, heard, key)
    }

    fn all_heard(heard: &Heard) -> String {
        let lines = heard.0.lock().expect("nobody panicked");
        lines.iter().map(|line| line.trim_start_matches("Info std").trim_start_matches("err: ").trim_start_matches("out: ")).collect()
    }

    #[test]
    fn a_secret_across_a_cut_is_struck_as_a_whole() {
        for before in LINE - 9..LINE + 3 {
            for (step, end) in [(700, ""), (5000, "\n")] {
                let (log, heard, key) = with_secrets();
                let text = format!("{}hunter2{}{key}{end}", "x".repeat(before), "y".repeat(LINE));
                text.as_bytes().chunks(step).for_each(|part| print(&log, Stream::Error, part));
                log.end();
                let expected = format!("{}***{}***", "x".repeat(before), "y".repeat(LINE));
                assert_eq!(all_heard(&heard), expected, "{before} bytes before it, {step} at a time");
            }
        }
    }

    #[test]
    fn a_secret_across_a_cut_of_a_log_message_is_struck_too() {
        let (log, heard, key) = with_secrets();
        log.say(Level::Info, &format!("{}hunter2{key}", "x".repeat(LINE - 2)));
        log.end();
        let heard = heard.0.lock().expect("nobody panicked").concat();
        assert!(!heard.contains("hun") && heard.ends_with("****"), "{}", &heard[LINE - 10..]);
    }

    #[test]
    fn a_cut_goes_through_no_character() {
        for before in LINE - 4..=LINE {
            let (log, heard, _) = with_secrets();
            let text = format!("{}{}", "x".repeat(before), "€".repeat(LINE));
            print(&log, Stream::Output, text.as_bytes());
            log.end();
            assert_eq!(all_heard(&heard), text);
        }
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_memory_than_a_line() {
        let log = Log::new(10 * LINE as u64, Redactor::default());
        log.begin(Arc::new(Heard::default()));
        print(&log, Stream::Output, &vec![b'x'; 100 * LINE]);
        log.say(Level::Info, &"é".repeat(3 * LINE));
        assert!(log.state().begun[0].len() <= LINE);
        assert!(log.end().iter().all(|line| line.len() <= LINE + 10));
    }
}

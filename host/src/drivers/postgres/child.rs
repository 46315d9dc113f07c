//! Child processes: started so that no signal of a terminal reaches them before it reaches us, ended when the run is cancelled,
//! and what they say on standard error made into one clear message.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::drivers::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};

/// How often the request to stop, and the end of a child, are looked for.
const LOOK: Duration = Duration::from_millis(20);

/// How long a child may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// How many bytes of a child's words are kept.
const KEPT: usize = 1 << 20;

/// Runs a program to its end while `work` reads what it writes.
///
/// Its warnings become ours.
///
/// # Errors
/// It cannot be started, or fails: what it says is the message; `work` fails; the run is cancelled.
pub(super) fn run<T>(mut command: Command, context: &Context, work: impl FnOnce(&mut ChildStdout) -> Result<T>) -> Result<T> {
    context.check()?;
    let name = command.get_program().to_string_lossy().rsplit('/').next().unwrap_or_default().to_owned();
    // Messages are read by a program: in the one language that it knows.
    command.env("LC_ALL", "C").env_remove("PGCLIENTENCODING").env_remove("PG_COLOR");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().while_doing(|| format!("cannot start `{}`", command.get_program().display()))?;
    // Started with both piped, it has both.
    let (Some(mut stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else { unreachable!("both are piped") };
    std::thread::scope(|scope| {
        let words = scope.spawn(move || listen(stderr));
        let worked = watched(&child, context, || work(&mut stdout));
        drop(stdout);
        let status = wait(&mut child, context, worked.is_err());
        let words = words.join().unwrap_or_default();
        context.check()?;
        let status = status.while_doing(|| format!("cannot wait for `{name}`"))?;
        words.lines().filter_map(|line| line.strip_prefix(&name)?.strip_prefix(": warning: ")).for_each(|warning| {
            context.warn(format!("`{name}`: {warning}"));
        });
        match worked {
            // Whatever it says of it: it was us who stopped listening.
            Err(error) => Err(error),
            Ok(value) if status.success() => Ok(value),
            _ => Err(failure(&name, status, &words)),
        }
    })
}

/// Reads and throws away what a program writes.
pub(super) fn ignore(stdout: &mut ChildStdout) -> Result<()> {
    std::io::copy(stdout, &mut std::io::sink()).map(|_| ()).while_doing(|| "cannot read from a child process")
}

/// Reads all that a program writes.
pub(super) fn collect(stdout: &mut ChildStdout) -> Result<String> {
    let mut bytes = Vec::new();
    stdout.read_to_end(&mut bytes).while_doing(|| "cannot read from a child process")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Does some work, and asks the child to end if the run is cancelled meanwhile: that ends the work, too.
fn watched<T>(child: &Child, context: &Context, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let (working, over) = crossbeam_channel::bounded::<()>(0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut asked: Option<Instant> = None;
            while over.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                if context.cancel.is_cancelled() {
                    let since = asked.get_or_insert_with(Instant::now).elapsed();
                    end(child, if since > GRACE { Signal::KILL } else { Signal::TERM });
                }
            }
        });
        let done = work();
        drop(working);
        done
    })
}

/// Waits for the child's end; where `at_once`, or where the run is cancelled, it is asked to end.
fn wait(child: &mut Child, context: &Context, at_once: bool) -> std::io::Result<ExitStatus> {
    let mut asked: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if at_once || context.cancel.is_cancelled() {
            let since = asked.get_or_insert_with(Instant::now).elapsed();
            end(child, if since > GRACE { Signal::KILL } else { Signal::TERM });
        }
        std::thread::sleep(if asked.is_some() { LOOK } else { Duration::from_millis(1) });
    }
}

/// Sends a signal to the child and to those that it started. It has not been waited for, so the number is still its own.
fn end(child: &Child, signal: Signal) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // Fails where it has just ended, which is what is wanted.
        let _ = kill_process_group(group, signal);
    }
}

/// The child's words, the first of them where they are many.
fn listen(stderr: ChildStderr) -> String {
    let mut words = String::new();
    let mut line = Vec::new();
    let mut stderr = BufReader::new(stderr);
    while stderr.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        if words.len() + line.len() <= KEPT {
            words.push_str(&String::from_utf8_lossy(&line));
        }
        line.clear();
    }
    words
}

/// The failure of a program of PostgreSQL's: what it was at, and the cause as the server or it named it.
fn failure(name: &str, status: ExitStatus, words: &str) -> Error {
    let prefix = format!("{name}: ");
    let said = |mark: &str| words.lines().find_map(|line| line.strip_prefix(&prefix)?.strip_prefix(mark));
    let Some(cause) = said("error: ") else {
        let last = words.lines().rfind(|line| !line.is_empty()).map_or(String::new(), |line| format!(": {line}"));
        return Error::new(ErrorKind::Other, format!("`{name}` ended with {status}{last}"));
    };
    let cause = cause.strip_prefix("could not execute query: ").or_else(|| cause.strip_prefix("query failed: ")).unwrap_or(cause);
    let cause = ["ERROR:  ", "FATAL:  "].iter().find_map(|mark| cause.strip_prefix(mark)).unwrap_or(cause);
    let object = said("from TOC entry ").and_then(object).map_or(String::new(), |object| format!(" at {object}"));
    let mut error = Error::new(kind(cause), format!("`{name}` failed{object}: {}", cause.trim_end_matches(['.', '\n'])));
    for mark in ["DETAIL:  ", "HINT:  "] {
        if let Some(more) = words.lines().find_map(|line| line.strip_prefix(mark)) {
            error = if mark == "HINT:  " { error.hint(more) } else { error.with("detail", more) };
        }
    }
    match words.lines().find_map(|line| line.strip_prefix("Command was: ")) {
        Some(statement) => error.with("statement", statement),
        None => error,
    }
}

/// The kind of a failure, by the server's words; a program does not tell its SQLSTATE.
fn kind(cause: &str) -> ErrorKind {
    let has = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    if has(&["permission denied", "must be owner", "must be superuser", "must be member", "password authentication"]) {
        ErrorKind::PermissionDenied
    } else if has(&["does not exist", "is not available", "could not open extension control file"]) {
        ErrorKind::NotFound
    } else if has(&[
        "lock timeout",
        "server closed the connection",
        "terminating connection",
        "could not connect",
        "No space left",
        "shutting down",
    ]) {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Other
    }
}

/// `TABLE public orders` of `215; 1259 16386 TABLE public orders shop`.
fn object(entry: &str) -> Option<String> {
    let mut words = entry.split(' ').skip(3).collect::<Vec<_>>();
    words.pop();
    (!words.is_empty()).then(|| format!("`{}`", words.join(" ")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn what_pg_restore_says_becomes_one_message() {
        let words = "pg_restore: while PROCESSING TOC:\n\
                     pg_restore: from TOC entry 215; 1259 16386 TABLE orders shop\n\
                     pg_restore: error: could not execute query: ERROR:  role \"shop\" does not exist\n\
                     Command was: ALTER TABLE public.orders OWNER TO shop;\n\n";
        let error = failure("pg_restore", ExitStatus::from_raw(256), words);
        assert_eq!(error.message(), "`pg_restore` failed at `TABLE orders`: role \"shop\" does not exist");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.context(), [("statement".into(), "ALTER TABLE public.orders OWNER TO shop;".into())]);
    }

    #[test]
    fn a_program_that_says_nothing_is_told_by_its_end() {
        let error = failure("pg_dump", ExitStatus::from_raw(9), "");
        assert_eq!(error.message(), "`pg_dump` ended with signal: 9 (SIGKILL)");
    }
}

//! The words of the contract in those of the [`Driver`](crate::drivers::Driver) trait, and back.

use jiff::Timestamp;

use super::wit::dumprestore::driver::{archive, control, log, types};
use super::wit::exports::dumprestore::driver::moments;
use crate::archive::{Entry, EntryInfo};
use crate::drivers::{Context, Ended, Extra, FindingKind, Level, LinkColumn, Outcome, PointInTime, Unit, Worth};
use crate::error::{Error, ErrorKind, Result};

pub(super) fn error_out(error: &Error) -> types::Error {
    types::Error {
        kind: match error.kind() {
            ErrorKind::InvalidConfig => types::ErrorKind::InvalidConfig,
            ErrorKind::Unavailable => types::ErrorKind::Unavailable,
            ErrorKind::PermissionDenied => types::ErrorKind::PermissionDenied,
            ErrorKind::NotFound => types::ErrorKind::NotFound,
            ErrorKind::Unsupported => types::ErrorKind::Unsupported,
            ErrorKind::Corrupt => types::ErrorKind::Corrupt,
            ErrorKind::Cancelled => types::ErrorKind::Cancelled,
            ErrorKind::Other => types::ErrorKind::Other,
        },
        message: error.message().to_owned(),
        hint: error.advice().map(str::to_owned),
        retryable: error.is_retryable(),
        untouched: error.is_untouched(),
        context: error.context().to_vec(),
    }
}

pub(super) fn error_in(error: types::Error) -> Error {
    let kind = match error.kind {
        types::ErrorKind::InvalidConfig => ErrorKind::InvalidConfig,
        types::ErrorKind::Unavailable => ErrorKind::Unavailable,
        types::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        types::ErrorKind::NotFound => ErrorKind::NotFound,
        types::ErrorKind::Unsupported => ErrorKind::Unsupported,
        types::ErrorKind::Corrupt => ErrorKind::Corrupt,
        types::ErrorKind::Cancelled => ErrorKind::Cancelled,
        types::ErrorKind::Other => ErrorKind::Other,
    };
    let mut converted = Error::new(kind, error.message);
    if let Some(hint) = error.hint {
        converted = converted.hint(hint);
    }
    if error.retryable {
        converted = converted.retryable();
    }
    if error.untouched {
        converted = converted.untouched();
    }
    error.context.into_iter().fold(converted, |error, (key, value)| error.with(key, value))
}

fn time_out(at: Timestamp) -> types::Timestamp {
    // A time before 1970 has seconds and nanoseconds below zero here, and nanoseconds from 0 up there.
    let nanoseconds = at.subsec_nanosecond();
    let borrowed = i64::from(nanoseconds < 0);
    let nanoseconds = if nanoseconds < 0 { nanoseconds + 1_000_000_000 } else { nanoseconds };
    types::Timestamp { seconds: at.as_second() - borrowed, nanoseconds: nanoseconds.unsigned_abs() }
}

fn time_in(at: types::Timestamp) -> Result<Timestamp> {
    let wrong = || {
        let message = format!(
            "the driver gives a time of {} s and {} ns since 1970; an archive holds times from {} to {}, with less than 1000000000 ns",
            at.seconds,
            at.nanoseconds,
            Timestamp::MIN,
            Timestamp::MAX
        );
        Error::new(ErrorKind::Other, message)
    };
    let nanoseconds = i32::try_from(at.nanoseconds).ok().filter(|nanoseconds| *nanoseconds < 1_000_000_000).ok_or_else(wrong)?;
    Timestamp::new(at.seconds, 0)
        .and_then(|seconds| seconds.checked_add(jiff::SignedDuration::from_nanos(i64::from(nanoseconds))))
        .map_err(|_| wrong())
}

pub(super) fn entry_in(entry: archive::Entry) -> Result<Entry> {
    let modified = entry.modified.map(time_in).transpose().map_err(|error| error.with("entry", &entry.name))?;
    Ok(Entry { name: entry.name.into(), modified, attributes: entry.attributes })
}

pub(super) fn info_out(info: EntryInfo) -> Result<archive::EntryInfo> {
    let EntryInfo { entry, size, sha256 } = info;
    let Some(name) = entry.name.as_str().map(str::to_owned) else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("the name `{}` is no UTF-8, which a component's entries must be", entry.name),
        ));
    };
    let entry = archive::Entry { name, modified: entry.modified.map(time_out), attributes: entry.attributes };
    Ok(archive::EntryInfo { entry, size, sha256: hex::encode(sha256) })
}

pub(super) fn level_in(level: log::Level) -> Level {
    match level {
        log::Level::Trace => Level::Trace,
        log::Level::Debug => Level::Debug,
        log::Level::Info => Level::Info,
        log::Level::Warn => Level::Warn,
        log::Level::Error => Level::Error,
    }
}

pub(super) fn unit_in(unit: control::Unit) -> Unit {
    match unit {
        control::Unit::Bytes => Unit::Bytes,
        control::Unit::Entries => Unit::Entries,
    }
}

pub(super) fn finding_kind_in(kind: control::FindingKind) -> FindingKind {
    match kind {
        control::FindingKind::Vanished => FindingKind::Vanished,
        control::FindingKind::Changed => FindingKind::Changed,
        control::FindingKind::Skipped => FindingKind::Skipped,
    }
}

pub(super) fn worth_in(worth: moments::Worth) -> Worth {
    match worth {
        moments::Worth::Exact => Worth::Exact,
        moments::Worth::Interval => Worth::Interval,
        moments::Worth::None => Worth::None,
    }
}

pub(super) fn context_out(context: &Context, config: &str) -> moments::Context {
    moments::Context {
        set: context.set.to_string(),
        config: config.to_owned(),
        recreate: context.restore.recreate,
        extra: match context.restore.extra {
            None => moments::Extra::Refuse,
            Some(Extra::Keep) => moments::Extra::Keep,
            Some(Extra::Delete) => moments::Extra::Delete,
        },
    }
}

pub(super) fn ended_out(ended: &Ended) -> moments::Ended {
    match ended {
        Ended::Ok => moments::Ended::Ok,
        Ended::Failed(why) => moments::Ended::Failed(why.clone()),
        Ended::Cancelled => moments::Ended::Cancelled,
        Ended::Trapped(why) => moments::Ended::Trapped(why.clone()),
    }
}

pub(super) fn column_out(column: &LinkColumn) -> moments::LinkColumn {
    let LinkColumn { table, column, json_path, condition } = column.clone();
    moments::LinkColumn { table, column, json_path, condition }
}

pub(super) fn point_in(point: moments::PointInTime) -> Result<PointInTime> {
    Ok(PointInTime { worth: worth_in(point.worth), at: time_in(point.at)?, details: point.details.into_iter().collect() })
}

pub(super) fn outcome_in(outcome: moments::Outcome) -> Outcome {
    Outcome { format: outcome.format, notes: outcome.notes.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_and_after_1970_survive() {
        for text in ["1969-12-31T23:59:58.25Z", "1970-01-01T00:00:00Z", "2026-11-25T20:00:00.123456789Z", "-000044-03-15T12:00:00.5Z"] {
            let at: Timestamp = text.parse().expect("a time");
            let there = time_out(at);
            assert!(there.nanoseconds < 1_000_000_000);
            assert_eq!(time_in(there).expect("a time"), at, "{text}");
        }
        time_in(types::Timestamp { seconds: i64::MAX, nanoseconds: 0 }).expect_err("far beyond");
        time_in(types::Timestamp { seconds: 0, nanoseconds: 1_000_000_000 }).expect_err("too many nanoseconds");
    }

    #[test]
    fn a_time_that_no_archive_holds_is_told_with_its_entry() {
        let modified = Some(types::Timestamp { seconds: 253_402_300_799, nanoseconds: 0 });
        let error = entry_in(archive::Entry { name: "a/b".into(), modified, attributes: Vec::new() }).expect_err("far beyond");
        assert_eq!(
            error.message(),
            "the driver gives a time of 253402300799 s and 0 ns since 1970; an archive holds times from -009999-01-02T01:59:59Z to \
             9999-12-30T22:00:00.999999999Z, with less than 1000000000 ns"
        );
        assert_eq!(error.context(), [("entry".to_owned(), "a/b".to_owned())]);
    }

    #[test]
    fn an_error_of_the_hosts_comes_back_unchanged() {
        let error = Error::corrupt("`a` is damaged").hint("verify").with("file", "a").with("file", "b").retryable().untouched();
        let back = error_in(error_out(&error));
        assert_eq!(format!("{back:?}"), format!("{error:?}"));
    }
}

//! Numbers as people read them: sizes, counts, times, rates. The same everywhere.

use jiff::Timestamp;

/// A size: `0 B`, `1023 B`, `1.0 KiB`, `12.3 MiB`.
pub(in crate::cli) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    // What would be shown as `1024.0` belongs to the next unit.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A count with separators: `12,031`.
pub(in crate::cli) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count of things: `1 entry`, `12,031 entries`.
pub(in crate::cli) fn things(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// How long something took: `0.3 s`, `59.9 s`, `12 min 03 s`, `3 h 05 min`.
pub(in crate::cli) fn duration(seconds: f64) -> String {
    if seconds < 59.95 {
        return format!("{:.1} s", seconds.max(0.0));
    }
    // A run does not last as long as an f64 can say.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let whole = seconds.round() as u64;
    if whole < 3600 { format!("{} min {:02} s", whole / 60, whole % 60) } else { format!("{} h {:02} min", whole / 3600, whole / 60 % 60) }
}

/// How long something will still take: `8 s`, `12 min 03 s`.
pub(in crate::cli) fn left(seconds: f64) -> String {
    if seconds < 59.5 { format!("{:.0} s", seconds.max(0.0).ceil()) } else { duration(seconds) }
}

/// A moment, in UTC: `2026-11-22 21:35:37Z`.
pub(in crate::cli) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal_and_never_show_1024_of_a_unit() {
        let shown = [0, 1023, 1024, 1536, 1_048_575, 1_048_576, 10_737_418_240, u64::MAX].map(size);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 MiB", "10.0 GiB", "16.0 EiB"]);
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(things(1, "entry", "entries"), "1 entry");
        assert_eq!(things(0, "entry", "entries"), "0 entries");
    }

    #[test]
    fn durations_change_their_unit_without_a_gap() {
        let shown = [0.04, 59.94, 59.95, 60.4, 3599.4, 3599.6, 11_100.0].map(duration);
        assert_eq!(shown, ["0.0 s", "59.9 s", "1 min 00 s", "1 min 00 s", "59 min 59 s", "1 h 00 min", "3 h 05 min"]);
        assert_eq!([0.2, 59.4, 61.0].map(left), ["1 s", "60 s", "1 min 01 s"]);
    }
}

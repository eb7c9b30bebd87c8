//! Parsing of times in filters: absolute, or relative to now.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use sqlx::error::BoxDynError;

use super::{Problem, to_microseconds};

/// The accepted formats of a time, for error messages.
pub(crate) const FORMS: &str = "a time: 2026-01-31T08:30:00Z or +01:00, 2026-01-31 (midnight UTC), \
     -15m (ago) or +2h with s, m, h, d or w, now, today, yesterday, or seconds or milliseconds \
     since 1970";

/// Checks that RFC 3339 can express a time. Otherwise its text could not be
/// parsed.
pub(crate) fn time_problem(time: &chrono::DateTime<chrono::Utc>) -> Option<&'static str> {
    (!(1..=9999).contains(&time.year())).then_some("must be in the years 1 to 9999")
}

/// Parses a time. Relative times are relative to `now`.
pub(crate) fn read(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Problem> {
    let midnight = |days: u64| {
        let date = now.date_naive().checked_sub_days(Days::new(days));
        date.map(|date| date.and_time(NaiveTime::MIN).and_utc())
    };
    let time = match text {
        "now" => Some(now),
        "today" => midnight(0),
        "yesterday" => midnight(1),
        _ => absolute(text)
            .or_else(|| date(text))
            .or_else(|| epoch(text))
            .or_else(|| relative(text, now)),
    };
    match time.map(to_microseconds) {
        Some(time) => match time_problem(&time) {
            None => Ok(time),
            Some(problem) => Err(Problem::new(problem)),
        },
        // In the query of a URL, `+` is a space.
        None if text.contains(' ') && read(&text.replace(' ', "+"), now).is_ok() => {
            Err(Problem::new(format!(
                "`{text}` has a space where + was; in a URL, write %2B for +"
            )))
        }
        None => Err(Problem::unreadable(text, FORMS)),
    }
}

/// Parses a date and time in ISO 8601 with a zone.
///
/// `T`, `t` or a space separates the two. Seconds and their fraction are
/// optional. The zone is `Z`, `z`, `+01:00`, `+0100` or `+01`.
fn absolute(text: &str) -> Option<DateTime<Utc>> {
    if !text.is_ascii() || text.len() < 17 {
        return None;
    }
    let (day, rest) = text.split_at(10);
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let at = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at(at);
    let clock = ["%H:%M:%S%.f", "%H:%M"]
        .iter()
        .find_map(|format| NaiveTime::parse_from_str(clock, format).ok())?;
    let local = NaiveDateTime::new(calendar(day)?, clock);
    local
        .checked_sub_signed(TimeDelta::minutes(offset(zone)?))
        .map(|time| time.and_utc())
}

/// Parses a zone, and returns minutes east of UTC.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits = zone.get(1..)?;
    let (hours, minutes) = match digits.len() {
        2 => (digits, "00"),
        4 => digits.split_at(2),
        5 => digits.split_once(':')?,
        _ => return None,
    };
    let number = |text: &str, max: i64| {
        let is_number = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        is_number
            .then(|| text.parse::<i64>().ok())
            .flatten()
            .filter(|n| *n <= max)
    };
    Some(sign * (number(hours, 23)? * 60 + number(minutes, 59)?))
}

fn date(text: &str) -> Option<DateTime<Utc>> {
    Some(calendar(text)?.and_time(NaiveTime::MIN).and_utc())
}

/// Parses `2026-01-31`. It must have ten characters: a year of two digits is a
/// mistake.
fn calendar(text: &str) -> Option<NaiveDate> {
    (text.len() == 10 && text.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
        .flatten()
}

/// Parses a number of seconds or milliseconds since 1970.
///
/// A number of 9 to 11 digits is seconds (from 1973 on), with an optional
/// fraction. A number of 12 to 14 digits is milliseconds.
fn epoch(text: &str) -> Option<DateTime<Utc>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    match whole.len() {
        9..=11 => {
            let nanoseconds: u32 = format!("{fraction:0<9}").parse().ok()?;
            DateTime::from_timestamp(number, nanoseconds)
        }
        12..=14 if !text.contains('.') => DateTime::from_timestamp_millis(number),
        _ => None,
    }
}

/// Parses a time relative to now, such as `-15m` or `+2h`.
fn relative(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let sign = match text.chars().next()? {
        '-' => -1,
        '+' => 1,
        _ => return None,
    };
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let digits = text.get(1..text.len() - 1)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.parse::<i64>().ok()?.checked_mul(unit)?;
    now.checked_add_signed(TimeDelta::try_seconds(sign * seconds)?)
}

/// Decodes a time from PostgreSQL's binary format.
///
/// The driver's own decoding panics at `infinity`, which is the largest number.
pub(super) fn from_binary(bytes: &[u8]) -> Result<DateTime<Utc>, BoxDynError> {
    // Microseconds since 2000-01-01 (PostgreSQL's source, datatype/timestamp.h).
    const EPOCH: i64 = 946_684_800_000_000;
    let microseconds = i64::from_be_bytes(bytes.try_into()?);
    microseconds
        .checked_add(EPOCH)
        .and_then(DateTime::from_timestamp_micros)
        .ok_or_else(|| "the time is infinity, or beyond what can be read".into())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn read_of_any_time_format_returns_its_time() {
        let now = "2026-03-01T10:20:30.123456Z".parse().expect("a time");
        let same = |text: &str, time: &str| {
            let read = read(text, now).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                read,
                time.parse::<chrono::DateTime<chrono::Utc>>().expect(time),
                "{text}"
            );
        };
        for text in [
            "2026-01-31T08:30:00Z",
            "2026-01-31t08:30:00z",
            "2026-01-31 08:30:00Z",
            "2026-01-31T08:30Z",
            "2026-01-31T09:30:00+01:00",
            "2026-01-31T09:30:00+0100",
            "2026-01-31T09:30:00+01",
            "2026-01-31T03:00:00.000-0530",
            "1769848200",
            "1769848200.0",
            "1769848200000",
        ] {
            same(text, "2026-01-31T08:30:00Z");
        }
        same(
            "2026-01-31T08:30:00.1234567Z",
            "2026-01-31T08:30:00.123456Z",
        );
        same("1769848200.25", "2026-01-31T08:30:00.25Z");
        same("2026-01-31", "2026-01-31T00:00:00Z");
        same("now", "2026-03-01T10:20:30.123456Z");
        same("today", "2026-03-01T00:00:00Z");
        same("yesterday", "2026-02-28T00:00:00Z");
        same("-15m", "2026-03-01T10:05:30.123456Z");
        same("-90s", "2026-03-01T10:19:00.123456Z");
        same("+2h", "2026-03-01T12:20:30.123456Z");
        same("-1d", "2026-02-28T10:20:30.123456Z");
        same("-2w", "2026-02-15T10:20:30.123456Z");
    }

    #[test]
    fn read_of_invalid_time_is_refused() {
        let now = "2026-03-01T10:20:30Z".parse().expect("a time");
        for text in [
            "",
            "2026",
            "20260131",
            "26-01-31",
            "2026-02-30",
            "2026-1-31",
            "+2026-01-31",
            "2026-01-31T08:30:00",
            "2026-01-31T24:00:00Z",
            "2026-01-31T08:30:00+24:00",
            "2026-01-31T08:30:00+1",
            "2026-01-31T08:30:00+01:0",
            "-m",
            "-15",
            "15m",
            "-15M",
            "-1.5h",
            "--1h",
            "-99999999999999999999d",
            "-9223372036854775807w",
            "-999999d",
            "1769848200.",
            ".5",
            "-1769848200",
            "176984820000000000",
            "infinity",
            "ünï-01-31T08:30Z",
            "2026-01-31T08:30:00Zzz",
            "９",
            "-９m",
        ] {
            assert!(read(text, now).is_err(), "{text}");
        }
        let error = |text| read(text, now).expect_err(text).to_string();
        insta::assert_snapshot!(
            [
                error("noon"),
                error("-999999d"),
                error("2026-01-31T08:30:00 01:00")
            ]
            .join("\n")
        );
    }
}

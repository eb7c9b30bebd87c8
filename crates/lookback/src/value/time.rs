//! Times: parsing of their text, absolute or relative to now, and their stored form.
//!
//! PostgreSQL stores `infinity` and `-infinity`, and the years from 4714 BC to 294276.
//! A `DateTime` ends before that: its least and greatest values stand for the two
//! infinities, and a finite time beyond them is read as the last microsecond before.

use chrono::{
    DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, SubsecRound as _,
    TimeDelta, Utc,
};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

use super::Problem;

/// The accepted formats of a time, for error messages.
pub(crate) const FORMS: &str = "a time: 2026-01-31T08:30:00Z or +01:00, 2026-01-31 (midnight UTC), \
     -15m (ago) or +2h with s, m, h, d or w, now, today, yesterday, infinity, or seconds or \
     milliseconds since 1970";

/// The problem of a time before the first one that PostgreSQL stores.
pub(super) const TOO_EARLY: &str =
    "must not be before 24 November 4714 BC, the first day that PostgreSQL stores";

const INFINITY: DateTime<Utc> = DateTime::<Utc>::MAX_UTC;
const NEGATIVE_INFINITY: DateTime<Utc> = DateTime::<Utc>::MIN_UTC;

/// The last microsecond of a `DateTime`; `INFINITY` is some nanoseconds later.
const LAST: DateTime<Utc> = match DateTime::from_timestamp_micros(INFINITY.timestamp_micros()) {
    Some(time) => time,
    None => INFINITY,
};

/// The first time that PostgreSQL stores, in microseconds since 2000: 24 November 4714 BC.
const FIRST: i64 = -211_813_488_000_000_000;

/// The first time after those that PostgreSQL stores: the year 294277.
const END: i64 = 9_223_371_331_200_000_000;

/// Microseconds from 1970 to 2000, from which PostgreSQL counts (its source,
/// `datatype/timestamp.h`).
const EPOCH: i64 = 946_684_800_000_000;

/// The name of an infinite time; `None` for a finite one.
pub(crate) fn infinity_name(time: &DateTime<Utc>) -> Option<&'static str> {
    if *time == INFINITY {
        Some("infinity")
    } else if *time == NEGATIVE_INFINITY {
        Some("-infinity")
    } else {
        None
    }
}

fn named_infinity(text: &str) -> Option<DateTime<Utc>> {
    match text {
        "infinity" => Some(INFINITY),
        "-infinity" => Some(NEGATIVE_INFINITY),
        _ => None,
    }
}

/// Formats a time in RFC 3339, or as `infinity` or `-infinity`. A year before 0 or after
/// 9999 has its sign before it.
pub(crate) fn text(time: &DateTime<Utc>) -> String {
    match infinity_name(time) {
        Some(name) => name.to_owned(),
        None => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
    }
}

/// Truncates a time to microseconds; `None` for the one that stands for `-infinity`.
fn finite(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    Some(time.trunc_subsecs(6)).filter(|time| *time != NEGATIVE_INFINITY)
}

/// Parses a time with its zone, and the other texts that [`text`] formats.
pub(crate) fn from_text(text: &str) -> Option<DateTime<Utc>> {
    let rfc3339 = || DateTime::parse_from_rfc3339(text).ok();
    let signed = || {
        text.starts_with(['+', '-'])
            .then(|| absolute(text))
            .flatten()
    };
    named_infinity(text)
        .or_else(|| rfc3339().and_then(|time| finite(time.to_utc())))
        .or_else(|| signed().and_then(finite))
}

/// Checks that PostgreSQL can store a time.
pub(crate) fn time_problem(time: &DateTime<Utc>) -> Option<&'static str> {
    StoredTime::new(*time).is_none().then_some(TOO_EARLY)
}

/// Parses a time as in a filter: `2026-03-01`, `2026-03-01T12:00:00Z`, seconds or milliseconds since
/// 1970, `now`, `today`, `yesterday`, or relative to `now`, such as `-15m`.
///
/// # Errors
///
/// The text is not a time, or PostgreSQL cannot store it.
pub fn parse_time(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Problem> {
    read(text, now)
}

/// Parses a time. Relative times are relative to `now`.
pub(crate) fn read(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Problem> {
    if let Some(time) = named_infinity(text) {
        return Ok(time);
    }
    let time = absolute(text)
        .or_else(|| date(text))
        .or_else(|| epoch(text))
        .or_else(|| read_relative(text, now));
    match time.and_then(finite) {
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
        None if absolute(&format!("{text}Z")).is_some() => Err(Problem::new(format!(
            "`{text}` has no time zone; write {text}Z for UTC, or an offset such as +01:00"
        ))),
        None if has_named_zone(text) => Err(Problem::new(format!(
            "`{text}` has a time zone by name; write its offset from UTC at that time, such as \
             +01:00"
        ))),
        None => Err(Problem::unreadable(text, FORMS)),
    }
}

/// Whether a date and a time are followed by the name of a zone: `2026-01-31 08:30 CET`.
fn has_named_zone(text: &str) -> bool {
    let Some(clock) = text
        .get(10..)
        .and_then(|rest| rest.strip_prefix(['T', 't', ' ']))
    else {
        return false;
    };
    let is_clock = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.');
    let zone = clock.trim_start_matches(is_clock);
    calendar(&text[..10]).is_some()
        && zone.len() < clock.len()
        && zone.len() < 40
        && zone
            .trim_start_matches([' ', '['])
            .starts_with(|c: char| c.is_ascii_alphabetic())
}

/// Parses a time relative to now: `now`, `today`, `yesterday`, or a distance such as `-15m`.
pub(crate) fn read_relative(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let midnight = |days: u64| {
        let date = now.date_naive().checked_sub_days(Days::new(days));
        date.map(|date| date.and_time(NaiveTime::MIN).and_utc())
    };
    match text {
        "now" => Some(now),
        "today" => midnight(0),
        "yesterday" => midnight(1),
        _ => relative(text, now),
    }
}

/// Whether a text starts as a date does: with a year and a month.
pub(crate) fn starts_with_date(text: &str) -> bool {
    let is_date = |c: (usize, u8)| match c.0 {
        4 => c.1 == b'-',
        _ => c.1.is_ascii_digit(),
    };
    text.len() >= 7 && text.bytes().take(7).enumerate().all(is_date)
}

/// Parses a date and time in ISO 8601 with a zone.
///
/// `T`, `t` or a space separates the two. Seconds and their fraction are
/// optional. The zone is `Z`, `z`, `+01:00`, `+0100` or `+01`.
fn absolute(text: &str) -> Option<DateTime<Utc>> {
    if !text.is_ascii() {
        return None;
    }
    let (day, rest) = text.split_once(['T', 't', ' '])?;
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
pub(crate) fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.chars().next()? {
        '-' => -1,
        '+' => 1,
        _ => return None,
    };
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

/// Parses `2026-01-31`. The year must have four digits: one of two digits is a
/// mistake. As in ISO 8601, a year before 0 and one after 9999 have a sign.
pub(super) fn calendar(text: &str) -> Option<NaiveDate> {
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.as_bytes().first().copied(), digits),
        None => (None, text),
    };
    let year = digits.find('-')?;
    let is_year = match sign {
        None => year == 4,
        Some(b'-') => (4..=6).contains(&year),
        Some(_) => (5..=6).contains(&year),
    };
    (is_year && digits.len() == year + 6 && digits.starts_with(|c: char| c.is_ascii_digit()))
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

/// A time as PostgreSQL stores it: microseconds since 2000, or an infinity.
///
/// It holds every time that the server sends. The driver's own decoding of a `DateTime`
/// panics at `infinity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StoredTime(i64);

impl StoredTime {
    /// Converts a time; `None` if PostgreSQL cannot store it.
    pub(crate) fn new(time: DateTime<Utc>) -> Option<Self> {
        if time == INFINITY {
            Some(Self(i64::MAX))
        } else if time == NEGATIVE_INFINITY {
            Some(Self(i64::MIN))
        } else {
            Self::finite(time.timestamp_micros().checked_sub(EPOCH)?)
        }
    }

    /// A time that is known to be finite, from microseconds since 2000.
    pub(crate) fn of_microseconds(microseconds: i64) -> Self {
        Self(microseconds.clamp(FIRST, END - 1))
    }

    fn finite(microseconds: i64) -> Option<Self> {
        (FIRST..END)
            .contains(&microseconds)
            .then_some(Self(microseconds))
    }

    /// Converts to the nearest `DateTime`.
    pub(crate) fn time(self) -> DateTime<Utc> {
        match self.0 {
            i64::MAX => INFINITY,
            i64::MIN => NEGATIVE_INFINITY,
            microseconds => microseconds
                .checked_add(EPOCH)
                .and_then(DateTime::from_timestamp_micros)
                .unwrap_or(LAST),
        }
    }

    pub(super) fn from_binary(bytes: &[u8]) -> Result<Self, BoxDynError> {
        Ok(Self(i64::from_be_bytes(bytes.try_into()?)))
    }

    /// Formats the time for a cursor: microseconds since 1970, or the name of an infinity.
    pub(crate) fn to_cursor_text(self) -> String {
        match self.0 {
            i64::MAX => "infinity".to_owned(),
            i64::MIN => "-infinity".to_owned(),
            microseconds => (i128::from(microseconds) + i128::from(EPOCH)).to_string(),
        }
    }

    /// Parses the text that [`to_cursor_text`](Self::to_cursor_text) formats.
    pub(crate) fn from_cursor_text(text: &str) -> Option<Self> {
        if let Some(time) = named_infinity(text) {
            return Self::new(time);
        }
        let microseconds = text.parse::<i128>().ok()? - i128::from(EPOCH);
        Self::finite(i64::try_from(microseconds).ok()?)
    }
}

impl Type<Postgres> for StoredTime {
    fn type_info() -> PgTypeInfo {
        <DateTime<Utc> as Type<Postgres>>::type_info()
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        <DateTime<Utc> as Type<Postgres>>::compatible(ty)
    }
}

impl<'r> Decode<'r, Postgres> for StoredTime {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => Self::from_binary(value.as_bytes()?),
            PgValueFormat::Text => {
                let time = match named_infinity(value.as_str()?) {
                    Some(time) => time,
                    None => <DateTime<Utc> as Decode<'_, Postgres>>::decode(value)?,
                };
                Self::new(time).ok_or_else(|| "the time is beyond what can be read".into())
            }
        }
    }
}

impl PgHasArrayType for StoredTime {
    fn array_type_info() -> PgTypeInfo {
        <DateTime<Utc> as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for StoredTime {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.0.to_be_bytes());
        Ok(IsNull::No)
    }
}

#[cfg(test)]
mod tests {
    use super::{END, EPOCH, FIRST, StoredTime, from_text, read, text};

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
        same("-0043-03-15", "-0043-03-15T00:00:00Z");
        same("-4713-11-24T00:00:00Z", "-4713-11-24T00:00:00Z");
        same("+12345-01-02T03:04:05+01:00", "+12345-01-02T02:04:05Z");
    }

    #[test]
    fn text_of_any_stored_time_is_read_as_that_time() {
        let now = chrono::Utc::now();
        let stored = [i64::MIN, FIRST, -1, 0, EPOCH, i64::MAX].map(StoredTime);
        let texts = stored.map(|time| text(&time.time()));
        insta::assert_snapshot!(texts.join("\n"));
        for (time, text) in stored.into_iter().zip(&texts) {
            assert_eq!(
                from_text(text).and_then(StoredTime::new),
                Some(time),
                "{text}"
            );
            let read = read(text, now).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(StoredTime::new(read), Some(time), "{text}");
            let cursor = time.to_cursor_text();
            assert_eq!(
                StoredTime::from_cursor_text(&cursor),
                Some(time),
                "{cursor}"
            );
        }
        // Beyond a `DateTime`: read as its last microsecond, which is not infinity.
        let last = StoredTime(END - 1);
        assert_eq!(text(&last.time()), "+262142-12-31T23:59:59.999999Z");
        assert_eq!(
            StoredTime::from_cursor_text(&last.to_cursor_text()),
            Some(last)
        );
        for beyond in ["9224318016000000000", "-210866803200000001", "", "inf"] {
            assert_eq!(StoredTime::from_cursor_text(beyond), None, "{beyond}");
        }
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
            "-9999999d",
            "1769848200.",
            ".5",
            "-1769848200",
            "176984820000000000",
            "Infinity",
            "inf",
            "12345-01-01",
            "+0043-01-01",
            "-43-01-01",
            "-4713-11-23",
            "-262143-01-01",
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
                error("-9999999d"),
                error("2026-01-31T08:30:00 01:00"),
                error("2026-01-31T08:30:00"),
                error("2026-01-31 08:30 Europe/Berlin"),
                error("2026-01-31T08:30:00[Europe/Berlin]")
            ]
            .join("\n")
        );
    }
}

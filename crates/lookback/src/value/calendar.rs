//! Dates, and times without a zone, as PostgreSQL stores them.
//!
//! A date is a number of days since 2000-01-01, a time of day and a time without zone are
//! microseconds, since midnight or since 2000-01-01. The least and the greatest values of a
//! date and of a time without zone are the two infinities. The types of `chrono` end before
//! those of PostgreSQL: a value beyond them is read as their last one.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike as _, Utc};

use super::{Problem, time};

/// The forms of a date, for error messages.
const DATES: &str = "a date: 2026-01-31, today, yesterday, or -7d (days ago) with d or w";

/// The forms of a time without zone, for error messages.
const TIMESTAMPS: &str = "a time without a zone: 2026-01-31T08:30:00, 2026-01-31 (midnight), or, \
     in UTC, now, today, yesterday or -15m (ago) with s, m, h, d or w";

const TIMES: &str = "a time of day, such as 08:30 or 08:30:00.5";

/// The first date that PostgreSQL stores: 24 November 4714 BC.
const FIRST_DATE: i32 = -2_451_545;

const DAY: i64 = 86_400_000_000;

fn epoch() -> NaiveDateTime {
    // Constant arithmetic: 2000-01-01 is in the range of the type.
    DateTime::<Utc>::from_timestamp(946_684_800, 0)
        .unwrap_or_default()
        .naive_utc()
}

/// The reason why a date is not stored, if there is one.
pub(crate) fn date_problem(days: i32) -> Option<&'static str> {
    (days < FIRST_DATE && days != i32::MIN).then_some(time::TOO_EARLY)
}

/// The reason why a time without zone is not stored, if there is one.
pub(crate) fn timestamp_problem(microseconds: i64) -> Option<&'static str> {
    (microseconds < i64::from(FIRST_DATE) * DAY && microseconds != i64::MIN)
        .then_some(time::TOO_EARLY)
}

pub(super) fn days_of(date: NaiveDate) -> i32 {
    match date {
        NaiveDate::MAX => i32::MAX,
        NaiveDate::MIN => i32::MIN,
        date => {
            let days = date.signed_duration_since(epoch().date()).num_days();
            i32::try_from(days).unwrap_or(i32::MAX)
        }
    }
}

/// The nearest date.
pub(super) fn date(days: i32) -> NaiveDate {
    match days {
        i32::MAX => NaiveDate::MAX,
        i32::MIN => NaiveDate::MIN,
        days => TimeDelta::try_days(i64::from(days))
            .and_then(|days| epoch().date().checked_add_signed(days))
            .filter(|date| *date < NaiveDate::MAX)
            .or_else(|| NaiveDate::MAX.pred_opt())
            .unwrap_or(NaiveDate::MAX),
    }
}

pub(super) fn microseconds_of(time: NaiveDateTime) -> i64 {
    match time {
        NaiveDateTime::MAX => i64::MAX,
        NaiveDateTime::MIN => i64::MIN,
        time => time
            .signed_duration_since(epoch())
            .num_microseconds()
            .unwrap_or(i64::MAX - 1),
    }
}

/// The nearest time without zone.
pub(super) fn timestamp(microseconds: i64) -> NaiveDateTime {
    let last = || NaiveDateTime::MAX.checked_sub_signed(TimeDelta::microseconds(1));
    match microseconds {
        i64::MAX => NaiveDateTime::MAX,
        i64::MIN => NaiveDateTime::MIN,
        microseconds => epoch()
            .checked_add_signed(TimeDelta::microseconds(microseconds))
            .or_else(last)
            .unwrap_or(NaiveDateTime::MAX),
    }
}

pub(super) fn microseconds_of_day(time: NaiveTime) -> i64 {
    i64::from(time.num_seconds_from_midnight()) * 1_000_000 + i64::from(time.nanosecond() / 1_000)
}

/// The nearest time of day: PostgreSQL also has 24:00:00.
pub(super) fn time_of_day(microseconds: i64) -> NaiveTime {
    let microseconds = microseconds.clamp(0, DAY - 1);
    let seconds = u32::try_from(microseconds / 1_000_000).unwrap_or(0);
    let rest = u32::try_from(microseconds % 1_000_000).unwrap_or(0);
    NaiveTime::from_num_seconds_from_midnight_opt(seconds, rest * 1_000).unwrap_or_default()
}

/// Formats a date in ISO 8601, or as an infinity.
pub(crate) fn date_text(days: i32) -> String {
    match days {
        i32::MAX => "infinity".to_owned(),
        i32::MIN => "-infinity".to_owned(),
        days => date(days).to_string(),
    }
}

/// Formats a time without zone in ISO 8601, or as an infinity.
pub(crate) fn timestamp_text(microseconds: i64) -> String {
    match microseconds {
        i64::MAX => "infinity".to_owned(),
        i64::MIN => "-infinity".to_owned(),
        microseconds => format!("{:?}", timestamp(microseconds)),
    }
}

/// Formats a time of day in ISO 8601.
pub(crate) fn time_text(microseconds: i64) -> String {
    if microseconds >= DAY {
        "24:00:00".to_owned()
    } else {
        format!("{:?}", time_of_day(microseconds))
    }
}

/// Parses a date.
pub(crate) fn date_from_text(text: &str) -> Result<i32, Problem> {
    absolute_date(text).ok_or_else(|| Problem::unreadable(text, "a date, such as 2026-01-31"))
}

fn absolute_date(text: &str) -> Option<i32> {
    match text {
        "infinity" => Some(i32::MAX),
        "-infinity" => Some(i32::MIN),
        text => time::calendar(text).map(days_of),
    }
}

/// Parses a date, also one relative to now, in UTC.
pub(crate) fn read_date(text: &str, now: DateTime<Utc>) -> Result<i32, Problem> {
    let relative = || {
        let is_date = !text.ends_with(['s', 'm', 'h']);
        let time = time::read_relative(text, now).filter(|_| is_date)?;
        Some(days_of(time.date_naive()))
    };
    absolute_date(text)
        .or_else(relative)
        .ok_or_else(|| Problem::unreadable(text, DATES))
}

/// Parses a time without zone.
pub(crate) fn timestamp_from_text(text: &str) -> Result<i64, Problem> {
    absolute_timestamp(text).ok_or_else(|| {
        with_zone(text).unwrap_or_else(|| {
            Problem::unreadable(text, "a time without a zone, such as 2026-01-31T08:30:00")
        })
    })
}

/// Parses a time without zone, also one relative to now, in UTC.
pub(crate) fn read_timestamp(text: &str, now: DateTime<Utc>) -> Result<i64, Problem> {
    let relative = || time::read_relative(text, now).map(|time| microseconds_of(time.naive_utc()));
    absolute_timestamp(text)
        .or_else(relative)
        .ok_or_else(|| with_zone(text).unwrap_or_else(|| Problem::unreadable(text, TIMESTAMPS)))
}

/// The problem of a text that is a time with a zone.
fn with_zone(text: &str) -> Option<Problem> {
    time::from_text(text)?;
    let at = text.rfind(['Z', 'z', '+', '-'])?;
    let local = absolute_timestamp(&text[..at])?;
    Some(Problem::new(format!(
        "`{text}` has a time zone, and the column has none; write the local time, such as {}",
        timestamp_text(local)
    )))
}

fn absolute_timestamp(text: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let (day, clock) = match text.split_once(['T', 't', ' ']) {
        Some((day, clock)) => (day, clock_time(clock)?),
        None => (text, NaiveTime::MIN),
    };
    time::calendar(day).map(|day| microseconds_of(day.and_time(clock)))
}

fn clock_time(text: &str) -> Option<NaiveTime> {
    ["%H:%M:%S%.f", "%H:%M"]
        .iter()
        .find_map(|format| NaiveTime::parse_from_str(text, format).ok())
}

/// Parses a time of day.
pub(crate) fn time_from_text(text: &str) -> Result<i64, Problem> {
    if matches!(text, "24:00" | "24:00:00") {
        return Ok(DAY);
    }
    clock_time(text)
        .map(microseconds_of_day)
        .ok_or_else(|| Problem::unreadable(text, TIMES))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

    use super::{
        date, date_from_text, date_text, days_of, microseconds_of, read_date, read_timestamp,
        time_from_text, time_text, timestamp, timestamp_from_text, timestamp_text,
    };

    #[test]
    fn text_of_any_stored_value_is_read_as_that_value() {
        for days in [i32::MIN, -2_451_545, -1, 0, 9_527, 90_000_000, i32::MAX] {
            let text = date_text(days);
            assert_eq!(date_from_text(&text).expect(&text), days, "{text}");
            assert_eq!(days_of(date(days)), days, "{text}");
        }
        for microseconds in [
            i64::MIN,
            -211_813_488_000_000_000,
            -1,
            0,
            1_500_000,
            i64::MAX,
        ] {
            let text = timestamp_text(microseconds);
            assert_eq!(
                timestamp_from_text(&text).expect(&text),
                microseconds,
                "{text}"
            );
            assert_eq!(
                microseconds_of(timestamp(microseconds)),
                microseconds,
                "{text}"
            );
        }
        for microseconds in [0, 1, 30_600_500_000, 86_399_999_999, 86_400_000_000] {
            let text = time_text(microseconds);
            assert_eq!(time_from_text(&text).expect(&text), microseconds, "{text}");
        }
        assert_eq!(date_text(9_527), "2026-01-31");
        assert_eq!(time_text(30_600_500_000), "08:30:00.500");
        assert_eq!(timestamp_text(-1), "1999-12-31T23:59:59.999999");
    }

    #[test]
    fn value_beyond_chrono_is_its_last_finite_one() {
        assert!(date(i32::MAX - 1) < NaiveDate::MAX);
        assert!(timestamp(i64::MAX - 1) < NaiveDateTime::MAX);
    }

    #[test]
    fn relative_date_and_time_are_in_utc() {
        let now: DateTime<Utc> = "2026-03-01T10:20:30Z".parse().expect("a time");
        let on = |text: &str| read_date(text, now).map(date_text);
        assert_eq!(on("today").as_deref(), Ok("2026-03-01"));
        assert_eq!(on("yesterday").as_deref(), Ok("2026-02-28"));
        assert_eq!(on("-7d").as_deref(), Ok("2026-02-22"));
        assert!(on("-15m").is_err());
        let at = |text: &str| read_timestamp(text, now).map(timestamp_text);
        assert_eq!(at("-15m").as_deref(), Ok("2026-03-01T10:05:30"));
        assert_eq!(at("2026-01-31 08:30").as_deref(), Ok("2026-01-31T08:30:00"));
        let zone = at("2026-01-31T08:30:00+01:00")
            .expect_err("a zone")
            .to_string();
        assert_eq!(
            zone,
            "`2026-01-31T08:30:00+01:00` has a time zone, and the column has none; write the local \
             time, such as 2026-01-31T08:30:00"
        );
    }
}

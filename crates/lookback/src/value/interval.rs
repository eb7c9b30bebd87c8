//! Intervals: months, days and microseconds, as PostgreSQL keeps them apart.

use std::time::Duration;

use chrono::TimeDelta;
use sqlx::postgres::types::PgInterval;

use super::Problem;

/// The forms of an interval, for error messages.
const FORMS: &str = "an interval, such as PT1H30M, 90s, 1h 30m, 3 days or 01:30:00";

/// `infinity` and `-infinity`, which PostgreSQL has since version 17.
const INFINITY: PgInterval = PgInterval {
    months: i32::MAX,
    days: i32::MAX,
    microseconds: i64::MAX,
};
const NEGATIVE_INFINITY: PgInterval = PgInterval {
    months: i32::MIN,
    days: i32::MIN,
    microseconds: i64::MIN,
};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The reason why an interval is not stored, if there is one.
pub(crate) fn interval_problem(interval: &PgInterval) -> Option<&'static str> {
    let is_infinite = *interval == INFINITY || *interval == NEGATIVE_INFINITY;
    is_infinite.then_some("must be finite, and at most 292,000 years long")
}

/// Formats an interval in ISO 8601, such as `P1Y2M3DT4H5M6.5S`.
///
/// Each number has its own sign, as in PostgreSQL.
pub(crate) fn text(interval: &PgInterval) -> String {
    if *interval == INFINITY {
        return "infinity".to_owned();
    }
    if *interval == NEGATIVE_INFINITY {
        return "-infinity".to_owned();
    }
    let mut text = "P".to_owned();
    let mut push = |number: i64, unit: char| {
        if number != 0 {
            text.push_str(&format!("{number}{unit}"));
        }
    };
    push(i64::from(interval.months / 12), 'Y');
    push(i64::from(interval.months % 12), 'M');
    push(i64::from(interval.days), 'D');
    let time = interval.microseconds;
    let mut clock = String::new();
    for (number, unit) in [(time / HOUR, 'H'), (time % HOUR / MINUTE, 'M')] {
        if number != 0 {
            clock.push_str(&format!("{number}{unit}"));
        }
    }
    let (seconds, fraction) = (time % MINUTE / SECOND, time % SECOND);
    if seconds != 0 || fraction != 0 {
        let sign = if time < 0 { "-" } else { "" };
        clock.push_str(&format!("{sign}{}", seconds.abs()));
        if fraction != 0 {
            let digits = format!("{:06}", fraction.abs());
            clock.push_str(&format!(".{}", digits.trim_end_matches('0')));
        }
        clock.push('S');
    }
    if clock.is_empty() && text == "P" {
        clock.push_str("0S");
    }
    if !clock.is_empty() {
        text.push('T');
        text.push_str(&clock);
    }
    text
}

/// Parses an interval: ISO 8601, numbers with units, or `[days] hours:minutes:seconds`.
pub(crate) fn read(text: &str) -> Result<PgInterval, Problem> {
    let sum = match text.trim() {
        "infinity" => return Ok(INFINITY),
        "-infinity" => return Ok(NEGATIVE_INFINITY),
        text => match iso(text) {
            Some(sum) => Some(sum),
            None => words(text),
        },
    };
    let found = sum.and_then(Sum::interval);
    found.ok_or_else(|| Problem::unreadable(text, FORMS))
}

/// The sum of the parts of an interval.
#[derive(Default)]
struct Sum {
    months: i64,
    days: i64,
    microseconds: i64,
}

/// What a number counts.
#[derive(Clone, Copy)]
enum Unit {
    Months(i64),
    Days(i64),
    Microseconds(i64),
}

impl Sum {
    /// Adds a number of units. Only hours and shorter units have a fraction.
    fn add(&mut self, number: &str, unit: Unit) -> Option<()> {
        let negative = number.starts_with('-');
        let digits = number.trim_start_matches(['-', '+']);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if digits.is_empty() || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let count: i64 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        let signed = |number: i64| if negative { -number } else { number };
        let sum = match unit {
            Unit::Months(size) if fraction.is_empty() => {
                return add_to(&mut self.months, signed(count.checked_mul(size)?));
            }
            Unit::Days(size) if fraction.is_empty() => {
                return add_to(&mut self.days, signed(count.checked_mul(size)?));
            }
            Unit::Microseconds(size) => {
                let billionths: i64 = format!("{fraction:0<9.9}").parse().ok()?;
                let part = i128::from(size) * i128::from(billionths) / 1_000_000_000;
                count
                    .checked_mul(size)?
                    .checked_add(i64::try_from(part).ok()?)?
            }
            Unit::Months(_) | Unit::Days(_) => return None,
        };
        add_to(&mut self.microseconds, signed(sum))
    }

    fn interval(self) -> Option<PgInterval> {
        Some(PgInterval {
            months: self.months.try_into().ok()?,
            days: self.days.try_into().ok()?,
            microseconds: self.microseconds,
        })
    }
}

fn add_to(sum: &mut i64, number: i64) -> Option<()> {
    *sum = sum.checked_add(number)?;
    Some(())
}

/// Parses ISO 8601: `P1Y2M3DT4H5M6.5S`, with `W` for weeks.
fn iso(text: &str) -> Option<Sum> {
    let rest = text.strip_prefix(['P', 'p'])?;
    let mut sum = Sum::default();
    let (mut in_time, mut number, mut parts) = (false, String::new(), 0);
    for c in rest.chars() {
        match (c.to_ascii_uppercase(), in_time) {
            ('T', false) if number.is_empty() => in_time = true,
            ('0'..='9' | '.' | '-' | '+', _) => number.push(c),
            (unit, in_time) => {
                let unit = match (unit, in_time) {
                    ('Y', false) => Unit::Months(12),
                    ('M', false) => Unit::Months(1),
                    ('W', false) => Unit::Days(7),
                    ('D', false) => Unit::Days(1),
                    ('H', true) => Unit::Microseconds(HOUR),
                    ('M', true) => Unit::Microseconds(MINUTE),
                    ('S', true) => Unit::Microseconds(SECOND),
                    _ => return None,
                };
                sum.add(&number, unit)?;
                number.clear();
                parts += 1;
            }
        }
    }
    (parts > 0 && number.is_empty()).then_some(sum)
}

/// Parses numbers with units, and a clock: `1 day 02:03:04`, `1h30m`, `90 s`.
fn words(text: &str) -> Option<Sum> {
    let mut sum = Sum::default();
    let mut rest = text.trim();
    let mut parts = 0;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !(c.is_ascii_digit() || "+-.:".contains(c)))
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        if number.contains(':') {
            clock(number, &mut sum)?;
            rest = after.trim_start();
        } else {
            let after = after.trim_start();
            let end = after
                .find(|c: char| !c.is_alphabetic())
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            sum.add(number, named_unit(unit)?)?;
            rest = after.trim_start();
        }
        parts += 1;
    }
    (parts > 0).then_some(sum)
}

fn clock(text: &str, sum: &mut Sum) -> Option<()> {
    let (sign, unsigned) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (if text.starts_with('-') { "-" } else { "" }, digits),
        None => ("", text),
    };
    let mut numbers = unsigned.split(':');
    for unit in [HOUR, MINUTE, SECOND] {
        let Some(number) = numbers.next() else { break };
        sum.add(&format!("{sign}{number}"), Unit::Microseconds(unit))?;
    }
    numbers.next().is_none().then_some(())
}

fn named_unit(name: &str) -> Option<Unit> {
    Some(match name.to_lowercase().as_str() {
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Months(12),
        "mon" | "mons" | "month" | "months" => Unit::Months(1),
        "w" | "week" | "weeks" => Unit::Days(7),
        "d" | "day" | "days" => Unit::Days(1),
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Microseconds(HOUR),
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Microseconds(MINUTE),
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Microseconds(SECOND),
        "ms" | "millisecond" | "milliseconds" => Unit::Microseconds(1_000),
        "us" | "µs" | "μs" | "microsecond" | "microseconds" => Unit::Microseconds(1),
        _ => return None,
    })
}

/// Converts a duration, truncated to microseconds. One that is too long is an infinity,
/// which is not stored.
pub(super) fn of_duration(duration: Duration) -> PgInterval {
    match i64::try_from(duration.as_micros()) {
        Ok(microseconds) => PgInterval {
            microseconds,
            ..PgInterval::default()
        },
        Err(_) => INFINITY,
    }
}

/// Converts a difference of times, truncated to microseconds.
pub(super) fn of_delta(delta: TimeDelta) -> PgInterval {
    match delta.num_microseconds() {
        Some(microseconds) => PgInterval {
            microseconds,
            ..PgInterval::default()
        },
        None if delta < TimeDelta::zero() => NEGATIVE_INFINITY,
        None => INFINITY,
    }
}

/// The length of an interval whose days have 24 hours.
///
/// # Errors
///
/// It has months, whose length differs, or is infinite.
pub(super) fn to_delta(interval: PgInterval) -> Result<TimeDelta, Problem> {
    if interval_problem(&interval).is_some() || interval.months != 0 {
        return Err(Problem::new(format!(
            "{} has no fixed length; read it as a PgInterval",
            text(&interval)
        )));
    }
    let days = i64::from(interval.days).checked_mul(DAY);
    days.and_then(|days| days.checked_add(interval.microseconds))
        .map(TimeDelta::microseconds)
        .ok_or_else(|| Problem::new(format!("{} is too long", text(&interval))))
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::types::PgInterval;

    use super::{read, text};

    fn interval(months: i32, days: i32, microseconds: i64) -> PgInterval {
        PgInterval {
            months,
            days,
            microseconds,
        }
    }

    #[test]
    fn interval_is_read_in_every_form() {
        for (form, expected) in [
            ("PT1H30M", interval(0, 0, 5_400_000_000)),
            ("1h30m", interval(0, 0, 5_400_000_000)),
            ("1.5 hours", interval(0, 0, 5_400_000_000)),
            ("01:30:00", interval(0, 0, 5_400_000_000)),
            ("90 min", interval(0, 0, 5_400_000_000)),
            ("-90s", interval(0, 0, -90_000_000)),
            ("250ms", interval(0, 0, 250_000)),
            ("P1Y2M3W4DT5.000001S", interval(14, 25, 5_000_001)),
            (
                "1 year 2 mons 3 days 04:05:06.7",
                interval(14, 3, 14_706_700_000),
            ),
            ("-1 days +02:03:00", interval(0, -1, 7_380_000_000)),
            ("P1DT-2H", interval(0, 1, -7_200_000_000)),
            ("PT0S", interval(0, 0, 0)),
        ] {
            assert_eq!(read(form).expect(form), expected, "{form}");
        }
        for form in [
            "",
            "P",
            "PT",
            "1",
            "1 day ago",
            "1.5 days",
            "P1",
            "h",
            "1:2:3:4",
            "five days",
        ] {
            assert!(read(form).is_err(), "{form}");
        }
    }

    #[test]
    fn text_of_any_interval_is_read_as_that_interval() {
        for value in [
            interval(0, 0, 0),
            interval(14, -3, 14_706_700_000),
            interval(-13, 0, -1),
            interval(0, 0, -3_661_000_001),
            interval(i32::MAX, i32::MIN, i64::MIN),
            super::INFINITY,
            super::NEGATIVE_INFINITY,
        ] {
            let shown = text(&value);
            assert_eq!(read(&shown).expect(&shown), value, "{shown}");
        }
        assert_eq!(text(&interval(14, 3, 14_706_700_000)), "P1Y2M3DT4H5M6.7S");
        assert_eq!(text(&interval(0, 0, -500_000)), "PT-0.5S");
    }
}

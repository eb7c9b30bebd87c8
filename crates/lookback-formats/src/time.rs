//! Times of other loggers.

use chrono::{
    DateTime, Datelike as _, Duration, FixedOffset, NaiveDate, NaiveDateTime, SubsecRound as _,
    TimeZone as _, Utc,
};
use lookback::value::JsonRef;

use crate::{FieldNames, Options, TimeUnit};

/// A time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) time: DateTime<Utc>,
    /// Whether it had no zone.
    pub(crate) is_local: bool,
    /// Whether it is a whole number of microseconds, as stored.
    pub(crate) is_exact: bool,
}

impl Read {
    /// Notes the digits of its fraction: those behind the ninth were cut.
    fn with_digits(mut self, fraction: &str) -> Self {
        let cut = fraction.get(9..).unwrap_or_default();
        self.is_exact &= cut.bytes().all(|digit| digit == b'0');
        self
    }

    /// Whether it may be the time of a record, and not a number of something else.
    pub(crate) fn is_of_this_century(&self) -> bool {
        (2000..2100).contains(&self.time.year())
    }

    /// Digits below a microsecond are cut.
    fn new(time: DateTime<Utc>, is_local: bool) -> Self {
        Self {
            time: time.trunc_subsecs(6),
            is_local,
            is_exact: time.timestamp_subsec_nanos().is_multiple_of(1_000),
        }
    }
}

/// How fields are found, and times read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    /// The offset of times without a zone.
    pub(crate) offset: FixedOffset,
    /// The time near which times without a year are.
    pub(crate) now: DateTime<Utc>,
    /// The unit of times that are numbers, if it is known.
    pub(crate) unit: Option<TimeUnit>,
    pub(crate) names: &'a FieldNames,
    /// How many lines the current one is within.
    depth: u8,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self {
            offset: options.offset,
            now: options.now,
            unit: options.time_unit,
            names: &options.names,
            depth: 0,
        }
    }

    /// Returns the rules for a line within the current one; `None` if there are too many around it.
    pub(crate) fn within(self) -> Option<Self> {
        const MAX_DEPTH: u8 = 4;
        let depth = self.depth + 1;
        (depth <= MAX_DEPTH).then_some(Self { depth, ..self })
    }

    fn local(self, time: NaiveDateTime) -> Option<Read> {
        Some(Read::new(
            self.offset.from_local_datetime(&time).single()?.to_utc(),
            true,
        ))
    }

    /// Reads a time: a number or its text since 1970, or a date in a common form.
    pub(crate) fn time_of(self, value: &JsonRef<'_>) -> Option<Read> {
        match value {
            JsonRef::String(text) => self.time_of_text(text),
            JsonRef::Number(number) => of_epoch(number, self.unit),
            // MongoDB, and the instant of Log4j 2.
            JsonRef::Object(_) => {
                if let Some(date) = value.get("$date") {
                    return self.time_of(date);
                }
                let number = |name: &str| match value.get(name) {
                    Some(JsonRef::Number(number)) => number.parse().ok(),
                    _ => None,
                };
                let nanos = number("nanoOfSecond").unwrap_or(0);
                at(number("epochSecond")?, u32::try_from(nanos).ok()?)
            }
            _ => None,
        }
    }

    /// Reads the text of a time.
    pub(crate) fn time_of_text(self, text: &str) -> Option<Read> {
        let text = text.trim().trim_start_matches('[').trim_end_matches(']');
        if !text.is_ascii() {
            // Java writes a narrow blank before `AM` and `PM`.
            let plain = (text.len() <= 64 && text.contains('\u{202f}'))
                .then(|| text.replace('\u{202f}', " "))?;
            return self.time_of_text(&plain).filter(|_| plain.is_ascii());
        }
        if text.len() > 64 {
            return None;
        }
        if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return of_epoch(text, self.unit);
        }
        // Their first letters tell the forms apart, and most texts are no time.
        let bytes = text.as_bytes();
        match (bytes.first(), bytes.get(2)) {
            (Some(b'0'..=b'9'), Some(b' ')) => self.of_other(text),
            (Some(b'0'..=b'9'), Some(b'-' | b'/'))
                if bytes.get(3).is_some_and(u8::is_ascii_alphabetic) =>
            {
                of_common_log(text).or_else(|| self.of_other(text))
            }
            (Some(b'0'..=b'9'), _) => self.of_iso(text).or_else(|| self.of_numbers(text)),
            (Some(b'A'..=b'Z'), _) => self.of_other(text),
            _ => None,
        }
    }

    /// Reads `2026-03-04T05:06:07.008Z` and its kind: with `/` or `.` in the date, a blank or `_`
    /// before the time, a comma before the fraction, a zone with or without a colon, or none.
    fn of_iso(self, text: &str) -> Option<Read> {
        let separators = (text.as_bytes().get(4)?, text.as_bytes().get(7)?);
        if !matches!(separators, (b'-', b'-') | (b'/', b'/') | (b'.', b'.')) {
            return None;
        }
        let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        let rest = &text[10..];
        // gin and Airflow put a sign before the blank.
        let rest = rest
            .strip_prefix(" - ")
            .or_else(|| rest.strip_prefix(", "))
            .map_or_else(|| rest.strip_prefix(['T', 't', ' ', '_', ':']), Some)?;
        self.of_clock(date, rest)
    }

    /// Reads other dates in numbers: `20260304T050607Z`, `20260304 05:06:07`, `31.12.2026 05:06:07`
    /// and `31/12/2026 05:06:07`, if it is certain which number is the month.
    fn of_numbers(self, text: &str) -> Option<Read> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let date = |year: &str, month: u32, day: u32| {
            NaiveDate::from_ymd_opt(year.parse().ok()?, month, day)
        };
        if digits == 8 {
            let (year, month, day) = (&text[..4], &text[4..6], &text[6..8]);
            let date = date(year, month.parse().ok()?, day.parse().ok()?)?;
            let rest = text[8..].strip_prefix(['T', 't', ' ', '-', '_'])?;
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            if end != 6 {
                return self.of_clock(date, rest);
            }
            let (hour, minute, second) = (&rest[..2], &rest[2..4], &rest[4..]);
            return self.of_clock(date, &format!("{hour}:{minute}:{second}"));
        }
        let separator = text[digits..]
            .chars()
            .next()
            .filter(|c| "/.-".contains(*c))?;
        let mut parts = text.splitn(3, separator);
        let (first, second, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let (year, rest) = rest.split_at_checked(4)?;
        let is_number = |text: &str| (1..=2).contains(&text.len());
        if !is_number(first) || !is_number(second) {
            return None;
        }
        let (first, second): (u32, u32) = (first.parse().ok()?, second.parse().ok()?);
        let has_half = rest.ends_with("AM") || rest.ends_with("PM");
        let date = match separator {
            _ if first > 12 => date(year, second, first),
            '/' | '-' if second > 12 || (separator == '/' && has_half) => date(year, first, second),
            '.' => date(year, second, first),
            // In one country it is the month, and in another the day.
            _ => None,
        }?;
        let rest = rest.strip_prefix(',').unwrap_or(rest);
        self.of_clock(date, rest.strip_prefix(['T', ' ', '_'])?)
    }

    /// Reads the time of a day, with what may be behind it: a fraction, `AM` or `PM`, a zone.
    fn of_clock(self, date: NaiveDate, rest: &str) -> Option<Read> {
        let end = rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ',')))
            .unwrap_or(rest.len());
        let (time, zone) = rest.split_at(end);
        let zone = zone.trim();
        let half = zone
            .get(..2)
            .filter(|half| matches!(*half, "AM" | "PM" | "am" | "pm"));
        let zone = half.map_or(zone, |_| zone[2..].trim_start());
        let mut parts = time.splitn(2, ['.', ',']);
        let clock = parts.next()?;
        let mut clock = clock.split(':');
        let mut next = || clock.next().map(str::parse::<u32>);
        let (hour, minute) = (next()?.ok()?, next()?.ok()?);
        let second = next().transpose().ok()?.unwrap_or(0);
        let hour = match half {
            None => hour,
            Some(_) if !(1..=12).contains(&hour) => return None,
            Some("AM" | "am") => hour % 12,
            Some(_) => hour % 12 + 12,
        };
        // A leap second is the last moment of its minute.
        let (second, leap) = if second == 60 {
            (59, true)
        } else {
            (second, false)
        };
        // Some loggers write milliseconds behind a colon.
        let fraction = parts.next().or_else(|| clock.next()).unwrap_or_default();
        let nanos = nanoseconds(fraction)?;
        let time =
            date.and_hms_nano_opt(hour, minute, second, if leap { 999_999_999 } else { nanos })?;
        match offset_of(zone) {
            Offset::Known(offset) => Some(Read::new(
                offset.from_local_datetime(&time).single()?.to_utc(),
                false,
            )),
            Offset::Missing => self.local(time),
            Offset::Unknown => None,
        }
        .map(|read| read.with_digits(fraction))
    }

    /// Reads the forms of syslog (`Nov  3 09:23:38`, without a year) and of the C library.
    fn of_other(self, text: &str) -> Option<Read> {
        if let Some((time, fraction)) = text.rsplit_once(',')
            && !fraction.is_empty()
            && fraction.bytes().all(|byte| byte.is_ascii_digit())
        {
            return self.of_other(&format!("{time}.{fraction}"));
        }
        let begins_with_day = text.starts_with(|c: char| c.is_ascii_digit());
        let may_be = |form: &&str| form.starts_with("%d") == begins_with_day;
        let forms = [
            "%a %b %e %H:%M:%S%.f %Y",
            "%a %b %e %H:%M:%S%.f %Z %Y",
            "%b %e, %Y %H:%M:%S%.f",
            "%b %e, %Y %I:%M:%S %p",
            "%b %e %Y %H:%M:%S%.f",
            "%d %b %Y %H:%M:%S%.f",
            "%d/%b/%Y %H:%M:%S%.f",
            "%d/%b/%Y:%H:%M:%S%.f",
            "%d-%b-%Y %H:%M:%S%.f",
            "%d-%b-%Y %H:%M:%S UTC",
        ];
        for form in forms.into_iter().filter(may_be) {
            if let Ok(time) = NaiveDateTime::parse_from_str(text, form) {
                return self.local(time);
            }
        }
        // `Thu, 15 Jan 2026 10:00:00 GMT`.
        if let Ok(time) = DateTime::parse_from_rfc2822(text) {
            return Some(Read::new(time.to_utc(), false));
        }
        for form in ["%a, %d %b %Y %H:%M:%S %z", "%d/%b/%Y %H:%M:%S %z"] {
            if let Ok(time) = DateTime::parse_from_str(text, form) {
                return Some(Read::new(time.to_utc(), false));
            }
        }
        (!begins_with_day)
            .then(|| self.without_year(text, "%Y %b %e %H:%M:%S%.f"))
            .flatten()
    }

    /// Reads `0102 03:04:05.678901`: month and day, as klog and glog write them.
    pub(crate) fn time_of_klog(self, text: &str) -> Option<Read> {
        self.without_year(text, "%Y %m%d %H:%M:%S%.f")
    }

    /// Reads `01-02 03:04:05.678`: month and day, as Android writes them.
    pub(crate) fn time_of_android(self, text: &str) -> Option<Read> {
        self.without_year(text, "%Y %m-%d %H:%M:%S%.f")
    }

    /// Reads a time near the present, in a form with a year.
    fn without_year(self, text: &str, form: &str) -> Option<Read> {
        let year = self.now.with_timezone(&self.offset).year();
        let with_year = |year: i32| {
            let time = NaiveDateTime::parse_from_str(&format!("{year} {text}"), form).ok()?;
            self.local(time)
        };
        let this = with_year(year);
        match this {
            Some(read) if read.time.signed_duration_since(self.now) <= Duration::days(1) => {
                Some(read)
            }
            _ => with_year(year - 1),
        }
    }
}

/// Reads a number since 1970, in a unit or by its size in seconds, milliseconds, microseconds or
/// nanoseconds.
pub(crate) fn of_epoch(number: &str, unit: Option<TimeUnit>) -> Option<Read> {
    if unit.is_none()
        && number.len() == 13
        && !number.starts_with('0')
        && let Ok(milliseconds) = number.parse::<u64>()
    {
        // The commonest form.
        let time = DateTime::from_timestamp_millis(i64::try_from(milliseconds).ok()?)?;
        return Some(Read {
            time,
            is_local: false,
            is_exact: true,
        });
    }
    if number.bytes().any(|byte| matches!(byte, b'e' | b'E'))
        && let Some((mantissa, exponent)) = number.split_once(['e', 'E'])
    {
        // A float such as 1.761e9 has no more digits than f64.
        let value: f64 = format!("{mantissa}e{exponent}").parse().ok()?;
        return value
            .is_finite()
            .then(|| of_epoch(&format!("{value:.9}"), unit))
            .flatten();
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: i64 = whole.parse().ok()?;
    let per_second = match (unit, whole.unsigned_abs()) {
        (Some(unit), _) => unit.per_second(),
        // Smaller numbers are durations, counters, and the like.
        (None, 0..100_000_000) => return None,
        (None, 100_000_000..100_000_000_000) => 1,
        (None, 100_000_000_000..100_000_000_000_000) => 1_000,
        (None, 100_000_000_000_000..100_000_000_000_000_000) => 1_000_000,
        (None, _) => 1_000_000_000,
    };
    let nanos_per_unit = i128::from(1_000_000_000 / per_second);
    let of_fraction = i128::from(i64::from(nanoseconds(fraction)?) / per_second);
    let sign = if number.starts_with('-') { -1 } else { 1 };
    let nanos = i128::from(whole) * nanos_per_unit + sign * of_fraction;
    let read = at_nanos(nanos)?.with_digits(fraction);
    if read.is_exact || fraction.is_empty() {
        return Some(read);
    }
    // A float is near the time, not before it.
    let micros = i64::try_from((nanos + 500).div_euclid(1_000)).ok()?;
    Some(Read {
        time: DateTime::from_timestamp_micros(micros)?,
        ..read
    })
}

fn at_nanos(nanos: i128) -> Option<Read> {
    let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
    at(
        seconds,
        u32::try_from(nanos.rem_euclid(1_000_000_000)).ok()?,
    )
}

/// Returns a time in the years that are written with four digits. Others are no times of logs, and
/// PostgreSQL does not hold them all.
fn at(seconds: i64, nanos: u32) -> Option<Read> {
    const YEARS: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;
    if !YEARS.contains(&seconds) {
        return None;
    }
    Some(Read::new(DateTime::from_timestamp(seconds, nanos)?, false))
}

/// Reads the digits of a fraction of a second; more than nine are cut.
fn nanoseconds(digits: &str) -> Option<u32> {
    let digits = digits.get(..digits.len().min(9))?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u32 = if digits.is_empty() {
        0
    } else {
        digits.parse().ok()?
    };
    let missing = u32::try_from(9 - digits.len()).ok()?;
    Some(number * 10_u32.pow(missing))
}

/// Reads `30/Sep/2025:00:10:38 +0800`.
fn of_common_log(text: &str) -> Option<Read> {
    let time = of_usual_common_log(text)
        .or_else(|| DateTime::parse_from_str(text, "%d/%b/%Y:%H:%M:%S%.f %z").ok())?;
    Some(Read::new(time.to_utc(), false))
}

/// As [`of_common_log`], in the form that servers write, without a fraction: many times as fast.
fn of_usual_common_log(text: &str) -> Option<DateTime<FixedOffset>> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let bytes: &[u8; 26] = text.as_bytes().try_into().ok()?;
    let separators = [2, 6, 11, 14, 17, 20].map(|at| bytes[at]);
    if separators != *b"//::: " {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        bytes[range].iter().try_fold(0, |number, byte| {
            byte.is_ascii_digit()
                .then(|| number * 10 + u32::from(byte - b'0'))
        })
    };
    let month = (1..)
        .zip(MONTHS)
        .find(|(_, name)| name.as_bytes() == &bytes[3..6])?
        .0;
    let year = i32::try_from(number(7..11)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, month, number(0..2)?)?;
    let time = date.and_hms_opt(number(12..14)?, number(15..17)?, number(18..20)?)?;
    let seconds = i32::try_from(number(22..24)? * 3600 + number(24..26)? * 60).ok()?;
    let offset = match bytes[21] {
        b'+' => FixedOffset::east_opt(seconds)?,
        b'-' => FixedOffset::west_opt(seconds)?,
        _ => return None,
    };
    offset.from_local_datetime(&time).single()
}

/// Names of zones that stand for one offset, in hours. Others stand for several, such as `IST`.
const ZONES: [(&str, i32); 27] = [
    ("CET", 1),
    ("CEST", 2),
    ("WET", 0),
    ("WEST", 1),
    ("BST", 1),
    ("EET", 2),
    ("EEST", 3),
    ("MSK", 3),
    ("EST", -5),
    ("EDT", -4),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
    ("AKST", -9),
    ("AKDT", -8),
    ("HST", -10),
    ("JST", 9),
    ("KST", 9),
    ("SGT", 8),
    ("HKT", 8),
    ("AEST", 10),
    ("AEDT", 11),
    ("AWST", 8),
    ("NZST", 12),
    ("NZDT", 13),
];

enum Offset {
    Known(FixedOffset),
    Missing,
    Unknown,
}

fn offset_of(zone: &str) -> Offset {
    if let Some((_, hours)) = ZONES.iter().find(|(name, _)| *name == zone) {
        return FixedOffset::east_opt(hours * 3600).map_or(Offset::Unknown, Offset::Known);
    }
    // Java writes the place behind it: `+01:00[Europe/Berlin]`.
    let zone = match zone.split_once('[') {
        Some((offset, place)) => {
            let place = place.trim_end_matches(']');
            let is_place = place.contains('/') || matches!(place, "UTC" | "GMT" | "Z");
            if !is_place || place.contains(' ') {
                return Offset::Unknown;
            }
            offset.trim_end()
        }
        None => zone,
    };
    match zone {
        "" => return Offset::Missing,
        "Z" | "z" | "UTC" | "GMT" => {
            return FixedOffset::east_opt(0).map_or(Offset::Unknown, Offset::Known);
        }
        _ => {}
    }
    // Go writes the name of the zone after the offset: `+0100 CET`, `-0300 -03`.
    let (zone, name) = zone.split_once(' ').unwrap_or((zone, ""));
    let is_of_name = |byte: u8| byte.is_ascii_uppercase() || b"+-0123456789".contains(&byte);
    if !name.bytes().all(is_of_name) {
        return Offset::Unknown;
    }
    let sign = match zone.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Offset::Unknown,
    };
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = match digits.len() {
        2 => (digits.parse::<i32>(), Ok(0)),
        4 => (digits[..2].parse::<i32>(), digits[2..].parse::<i32>()),
        _ => return Offset::Unknown,
    };
    let (Ok(hours), Ok(minutes)) = (hours, minutes) else {
        return Offset::Unknown;
    };
    FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60))
        .map_or(Offset::Unknown, Offset::Known)
}

#[cfg(test)]
mod tests {
    use super::Rules;
    use crate::Options;
    use chrono::{DateTime, FixedOffset, Utc};

    fn options() -> Options {
        Options {
            offset: FixedOffset::east_opt(0).unwrap(),
            now: "2026-11-28T12:00:00Z".parse::<DateTime<Utc>>().unwrap(),
            ..Options::default()
        }
    }

    fn read(text: &str) -> Option<super::Read> {
        Rules::new(&options()).time_of_text(text)
    }

    #[test]
    fn time_of_any_form_is_read() {
        for (text, time) in [
            ("2026-03-04T05:06:07.008Z", "2026-03-04T05:06:07.008Z"),
            ("2025-03-10T19:57:38-04:00", "2025-03-10T23:57:38Z"),
            ("2025-03-10 19:57:38,703 +0100", "2025-03-10T18:57:38.703Z"),
            ("2026/01/02 03:04:05", "2026-01-02T03:04:05Z"),
            ("2026-01-02 03:04:05.5 +0100 CET", "2026-01-02T02:04:05.5Z"),
            ("30/Sep/2025:00:10:38 +0800", "2025-09-29T16:10:38Z"),
            ("01/Jan/2026:23:59:59 -0330", "2026-01-02T03:29:59Z"),
            ("30/Sep/2025:00:10:38.25 +08:00", "2025-09-29T16:10:38.25Z"),
            ("Nov  3 09:23:38", "2026-11-03T09:23:38Z"),
            ("02 Jan 2026 03:04:05.678", "2026-01-02T03:04:05.678Z"),
            ("02/Jan/2026 03:04:05", "2026-01-02T03:04:05Z"),
            ("2026-01-02 03:04:05 -0300 -03", "2026-01-02T06:04:05Z"),
            ("2026-01-02 03:04:05.678 CET", "2026-01-02T02:04:05.678Z"),
            ("2026-01-02 03:04:05 EST", "2026-01-02T08:04:05Z"),
            ("2026/01/02 - 03:04:05", "2026-01-02T03:04:05Z"),
            (
                "2026-01-02T03:04:05+01:00[Europe/Berlin]",
                "2026-01-02T02:04:05Z",
            ),
            ("2026-01-02, 03:04:05 UTC", "2026-01-02T03:04:05Z"),
            ("02-Jan-2026 03:04:05 UTC", "2026-01-02T03:04:05Z"),
            ("02/Jan/2026:03:04:05.678", "2026-01-02T03:04:05.678Z"),
            (
                "Fri Jan 02 03:04:05.678901 2026",
                "2026-01-02T03:04:05.678901Z",
            ),
            ("Dec 31 23:59:59", "2025-12-31T23:59:59Z"),
            ("1761234567890", "2025-10-23T15:49:27.890Z"),
            ("1761234567", "2025-10-23T15:49:27Z"),
            ("2026-01-02 03:04:05:678", "2026-01-02T03:04:05.678Z"),
            ("1761019822.3152757", "2025-10-21T04:10:22.315276Z"),
            ("1734860261221373", "2024-12-22T09:37:41.221373Z"),
            ("1761234567890123456", "2025-10-23T15:49:27.890123Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999Z"),
            ("Thu, 15 Jan 2026 10:00:00 GMT", "2026-01-15T10:00:00Z"),
            ("20260115T100000Z", "2026-01-15T10:00:00Z"),
            ("20260115T100000.25+0100", "2026-01-15T09:00:00.25Z"),
            ("20260115 10:00:00.123", "2026-01-15T10:00:00.123Z"),
            ("20260115-10:00:00", "2026-01-15T10:00:00Z"),
            ("2026.01.15 10:00:00", "2026-01-15T10:00:00Z"),
            ("15.01.2026 10:00:00", "2026-01-15T10:00:00Z"),
            ("5.1.2026, 10:00:00", "2026-01-05T10:00:00Z"),
            ("31/12/2025 23:59:59", "2025-12-31T23:59:59Z"),
            ("12/31/2025 23:59:59", "2025-12-31T23:59:59Z"),
            ("1/5/2026 12:00:01 AM", "2026-01-05T00:00:01Z"),
            ("1/5/2026 3:00:00 PM", "2026-01-05T15:00:00Z"),
            ("25-01-2026 10:00:00,5", "2026-01-25T10:00:00.5Z"),
            ("15-Jan-2026 10:00:00.123", "2026-01-15T10:00:00.123Z"),
            ("15 Jan 2026 10:00:00,123", "2026-01-15T10:00:00.123Z"),
            ("Jan 15 2026 10:00:00", "2026-01-15T10:00:00Z"),
            ("Jan 5, 2026 6:07:09 PM", "2026-01-05T18:07:09Z"),
            ("Jan 5, 2026 6:07:09\u{202f}AM", "2026-01-05T06:07:09Z"),
        ] {
            let read = read(text);
            let time: DateTime<Utc> = time.parse().unwrap();
            assert_eq!(read.map(|read| read.time), Some(time), "{text}");
        }
        for text in [
            "",
            "12",
            "soon",
            "2026-13-01T00:00:00Z",
            "31/Sep/2025:00:10:38 +0800",
            "2026-01-01 00:00:00 +0000 shop.access:",
            "0000000012345",
            "30/Foo/2025:00:10:38 +0800",
            "2026-01-01T00:00:00 Mars",
            "web.1",
            "05/01/2026 10:00:00",
            "05-01-2026 10:00:00",
            "13/13/2026 10:00:00",
            "20261301T100000Z",
            "20260115T1000Z",
            "20260115T100000 Mars",
            "1/5/2026 13:00:00 PM",
            "10:00:00",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn time_at_the_end_of_all_times_is_read_or_none() {
        let options = Options {
            now: DateTime::<Utc>::MAX_UTC,
            time_unit: Some(crate::TimeUnit::Seconds),
            ..options()
        };
        let rules = Rules::new(&options);
        for text in [
            "8210266876799.9999999",
            "-8334601228800.9",
            "Nov  3 09:23:38",
            "1e300",
        ] {
            let _ = rules.time_of_text(text);
        }
        assert!(!read("1761234567.1234567890123").unwrap().is_exact);
        let before = super::of_epoch("-1761234567.5", None).unwrap();
        assert_eq!(before.time.to_rfc3339(), "1914-03-11T08:10:32.500+00:00");
        assert!(read("2026-01-02T03:04:05.1234560000001Z").is_some_and(|read| !read.is_exact));
    }

    #[test]
    fn time_without_zone_is_said() {
        assert!(read("2026-11-28 03:07:43,703").unwrap().is_local);
        assert!(!read("2026-11-28 03:07:43,703Z").unwrap().is_local);
    }
}

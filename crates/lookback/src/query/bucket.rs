//! Buckets of time, to group by.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};

use super::aggregate::Keys;
use super::select::{Cells, Columns, Selection, TermKind, Terms};
use crate::error::Error;
use crate::model::{Model, nearest};
use crate::query::{Column, NotNull, Nullable};
use crate::search::index::rollups::{MINUTE, UNITS};
use crate::value::{Problem, Quoted, time};

/// The width and the start of the buckets of time that records are grouped by.
///
/// Buckets of a fixed length are counted from Monday, 1 January 2001, 00:00. All begin as
/// in a time zone: UTC, unless [`in_zone`](Self::in_zone) names another.
///
/// As text: `30s`, `5m`, `1h`, `7d`; `day`, `week`, `month`, `quarter`, `year`,
/// also with a zone: `day@Europe/Berlin`, `6h@+05:30`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    width: Width,
    zone: Option<Cow<'static, str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Fixed(Duration),
    Calendar(&'static str),
}

const CALENDAR: [&str; 5] = ["day", "week", "month", "quarter", "year"];

impl Bucket {
    /// Buckets of this length: whole microseconds, at least one.
    pub const fn every(length: Duration) -> Self {
        Self {
            width: Width::Fixed(length),
            zone: None,
        }
    }

    /// Buckets of this many minutes.
    pub const fn minutes(minutes: u32) -> Self {
        Self::every(Duration::from_secs(minutes as u64 * 60))
    }

    /// Buckets of this many hours.
    pub const fn hours(hours: u32) -> Self {
        Self::every(Duration::from_secs(hours as u64 * 3_600))
    }

    /// Calendar days.
    pub const fn day() -> Self {
        Self::calendar(CALENDAR[0])
    }

    /// Calendar weeks, from Monday.
    pub const fn week() -> Self {
        Self::calendar(CALENDAR[1])
    }

    /// Calendar months.
    pub const fn month() -> Self {
        Self::calendar(CALENDAR[2])
    }

    /// Calendar quarters.
    pub const fn quarter() -> Self {
        Self::calendar(CALENDAR[3])
    }

    /// Calendar years.
    pub const fn year() -> Self {
        Self::calendar(CALENDAR[4])
    }

    const fn calendar(name: &'static str) -> Self {
        Self {
            width: Width::Calendar(name),
            zone: None,
        }
    }

    /// Begins buckets as in this time zone: a name such as `Europe/Berlin`, or an offset.
    ///
    /// The offset is that of ISO 8601, as in filters: `+02:00` is east of UTC.
    #[must_use]
    pub fn in_zone(mut self, zone: impl Into<Cow<'static, str>>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// Whether it is made of whole minutes, as latency windows are: of this many of them, or by
    /// the calendar.
    #[must_use]
    pub fn is_of_minutes(&self) -> bool {
        self.rollup_unit().is_some()
    }

    /// Renders the start of the bucket of `column` as SQL.
    ///
    /// Times in the first years and the last year that PostgreSQL stores are in no bucket,
    /// whose start it might not store: they are groups themselves.
    pub(super) fn render(&self, column: &str, terms: &mut Terms<'_>) -> Result<String, Problem> {
        let start = self.render_start(column, terms)?;
        Ok(format!(
            "CASE WHEN {column} >= timestamptz '4600-01-01 00:00:00+00 BC' \
             AND {column} < timestamptz '294276-01-01 00:00:00+00' \
             THEN {start} ELSE {column} END"
        ))
    }

    fn render_start(&self, column: &str, terms: &mut Terms<'_>) -> Result<String, Problem> {
        let zone = self.bind_zone(terms)?;
        match self.width {
            Width::Fixed(length) => {
                // A longer one would overflow in date_bin.
                let most = Duration::from_secs(100 * 366 * 86_400);
                if length.subsec_nanos() % 1_000 != 0 || length.is_zero() || length > most {
                    return Err(Problem::new(format!(
                        "{length:?} is not a length in whole microseconds from 1 µs to 100 years"
                    )));
                }
                let seconds = bound(terms.sql.argument(length.as_secs_f64()))?;
                let length = format!("make_interval(secs => {seconds})");
                let Some(zone) = zone else {
                    return Ok(format!(
                        "date_bin({length}, {column}, timestamptz '2001-01-01 00:00:00+00')"
                    ));
                };
                // The start, as the clocks there show it.
                let local = format!("{column} AT TIME ZONE {zone}");
                let start = format!("date_bin({length}, {local}, timestamp '2001-01-01 00:00:00')");
                // When clocks are set back, they show an hour twice. It is the one from which
                // as much time has passed as the clocks say, if there is one.
                let passed = format!("{column} - (({local}) - {start})");
                Ok(format!(
                    "CASE WHEN ({passed}) AT TIME ZONE {zone} = {start} THEN {passed} \
                     ELSE {start} AT TIME ZONE {zone} END"
                ))
            }
            Width::Calendar(name) => {
                let zone = match zone {
                    Some(zone) => zone,
                    None => bound(terms.sql.argument("UTC"))?,
                };
                Ok(format!("date_trunc('{name}', {column}, {zone})"))
            }
        }
    }

    /// Renders the seconds that the zone is east of UTC at a time; `None` without a zone.
    pub(super) fn render_offset(
        &self,
        time: &str,
        terms: &mut Terms<'_>,
    ) -> Result<Option<String>, Problem> {
        let zone = self.bind_zone(terms)?;
        Ok(zone.map(|zone| {
            format!(
                "CASE WHEN isfinite({time}) THEN extract(epoch FROM (({time}) AT TIME ZONE {zone}) \
                 - (({time}) AT TIME ZONE 'UTC'))::integer END"
            )
        }))
    }

    fn bind_zone(&self, terms: &mut Terms<'_>) -> Result<Option<String>, Problem> {
        let Some(zone) = &self.zone else {
            return Ok(None);
        };
        bound(terms.sql.argument(server_zone(zone)?)).map(Some)
    }

    /// The longest buckets of a roll-up of which this one consists, in seconds; `None` if it
    /// is not made of minutes.
    pub(super) fn rollup_unit(&self) -> Option<i32> {
        if self.zone.is_some() {
            // Where it starts, and when clocks change, depends on the zone.
            return match self.width {
                Width::Fixed(length) => is_multiple(length, MINUTE).then_some(MINUTE),
                Width::Calendar(_) => Some(MINUTE),
            };
        }
        match self.width {
            Width::Fixed(length) => UNITS.into_iter().find(|unit| is_multiple(length, *unit)),
            Width::Calendar(_) => Some(UNITS[0]),
        }
    }

    /// Whether a zone is named.
    pub(super) fn has_zone(&self) -> bool {
        self.zone.is_some()
    }
}

fn is_multiple(length: Duration, unit: i32) -> bool {
    length.subsec_nanos() == 0
        && length
            .as_secs()
            .is_multiple_of(u64::from(unit.unsigned_abs()))
}

fn bound(bound: Result<String, Error>) -> Result<String, Problem> {
    bound.map_err(|_| Problem::new("is not something that can be bound"))
}

/// Converts a time zone to the text by which PostgreSQL knows it.
///
/// PostgreSQL reads `+02:00` and `UTC+2` as POSIX does: west of UTC. An offset is converted,
/// and other texts with one are rejected.
fn server_zone(zone: &str) -> Result<String, Problem> {
    /// Names of the IANA database that have a digit, besides those in `Etc/`.
    const WITH_DIGIT: [&str; 7] = [
        "EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT", "GMT0", "GMT+0", "GMT-0",
    ];
    if zone.is_empty() {
        return Err(Problem::new(
            "names no time zone after @; write one such as day@Europe/Berlin, or nothing",
        ));
    }
    if let Some(minutes) = time::offset(zone) {
        let west = if minutes > 0 { '-' } else { '+' };
        let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
        return Ok(format!("<ISO>{west}{hours:02}:{minutes:02}"));
    }
    let is_name = zone
        .chars()
        .all(|c| c.is_ascii_alphabetic() || "/_-".contains(c));
    let has_digit = |name: &&str| name.eq_ignore_ascii_case(zone);
    let is_etc = zone
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("etc/"));
    if is_name || is_etc || WITH_DIGIT.iter().any(has_digit) {
        return Ok(zone.to_owned());
    }
    Err(Problem::new(format!(
        "{} is not a time zone; write a name such as Europe/Berlin, or an offset from UTC such as \
         +02:00 (east) or -05:00",
        Quoted(zone)
    )))
}

impl FromStr for Bucket {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        const EXPECTED: &str =
            "a length such as 30s, 5m, 1h or 7d, or day, week, month, quarter or year";
        let unreadable = || match nearest(text, CALENDAR.into_iter()) {
            Some(near) => Problem::new(format!(
                "{} is not {EXPECTED}; did you mean {near}?",
                Quoted(text)
            )),
            None => Problem::unreadable(text, EXPECTED),
        };
        let (name, zone) = match text.split_once('@') {
            Some((name, zone)) => (name, Some(zone)),
            None => (text, None),
        };
        zone.map(server_zone).transpose()?;
        let bucket = match CALENDAR.into_iter().find(|known| *known == name) {
            Some(name) => Self::calendar(name),
            None => {
                let unit = name.char_indices().last().map_or(0, |(at, _)| at);
                let (number, unit) = name.split_at(unit);
                let seconds: u64 = match unit {
                    "s" => 1,
                    "m" => 60,
                    "h" => 3_600,
                    "d" => 86_400,
                    _ => return Err(unreadable()),
                };
                let number: u64 = number
                    .parse()
                    .ok()
                    .filter(|number| *number > 0)
                    .ok_or_else(unreadable)?;
                let seconds = number.checked_mul(seconds).ok_or_else(unreadable)?;
                Self::every(Duration::from_secs(seconds))
            }
        };
        Ok(match zone {
            Some(zone) => bucket.in_zone(zone.to_owned()),
            None => bucket,
        })
    }
}

/// The start of the bucket of a column of times, created by [`Column::bucket`].
pub struct Bucketed<M, N> {
    column: usize,
    bucket: Bucket,
    of: PhantomData<fn() -> (M, N)>,
}

impl<M: Model, N> Column<M, DateTime<Utc>, N> {
    /// The bucket of time of this column, to group by.
    pub fn bucket(self, bucket: Bucket) -> Bucketed<M, N> {
        Bucketed {
            column: self.index(),
            bucket,
            of: PhantomData,
        }
    }
}

impl<M: Model, N> Bucketed<M, N> {
    fn push_to(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
        push_bucket::<M>(self.column, &self.bucket, terms)
    }
}

pub(super) fn push_bucket<M: Model>(
    column: usize,
    bucket: &Bucket,
    terms: &mut Terms<'_>,
) -> Result<(), Error> {
    let column = &M::TABLE.columns[column];
    let term = bucket
        .render(&column.quoted(), terms)
        .map_err(|problem| Error::invalid_field(M::TABLE.name, column.name, problem))?;
    terms.push(column, term);
    terms.set_kind(TermKind::Bucket(column.name, bucket.clone()));
    Ok(())
}

/// Appends the start of a bucket, and its offset from UTC if the bucket has a zone.
pub(super) fn push_bucket_with_offset<M: Model>(
    column: usize,
    bucket: &Bucket,
    terms: &mut Terms<'_>,
) -> Result<(), Error> {
    push_bucket::<M>(column, bucket, terms)?;
    let column = &M::TABLE.columns[column];
    let start = terms.list.last().cloned().unwrap_or_default();
    let offset = bucket
        .render_offset(&start, terms)
        .map_err(|problem| Error::invalid_field(M::TABLE.name, column.name, problem))?;
    if let Some(offset) = offset {
        terms.push(column, offset);
        terms.set_kind(TermKind::OfBucket);
    }
    Ok(())
}

/// Formats the start of a bucket as its zone shows it, `2026-03-29T00:00:00+01:00`.
///
/// A zone that is off by seconds, as before time was standardized, is shown in UTC.
pub(super) fn text_in_zone(start: DateTime<Utc>, offset: Option<i32>) -> String {
    match offset
        .filter(|seconds| seconds % 60 == 0)
        .and_then(FixedOffset::east_opt)
    {
        Some(zone) => start
            .with_timezone(&zone)
            .to_rfc3339_opts(SecondsFormat::AutoSi, false),
        None => time::text(&start),
    }
}

impl<M: Model> Selection<M> for Bucketed<M, NotNull> {
    type Row = DateTime<Utc>;

    fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
        self.push_to(terms)
    }

    fn read(&self, cells: &mut Cells<'_>) -> Result<DateTime<Utc>, sqlx::Error> {
        cells.value()
    }
}

impl<M: Model> Selection<M> for Bucketed<M, Nullable> {
    type Row = Option<DateTime<Utc>>;

    fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
        self.push_to(terms)
    }

    fn read(&self, cells: &mut Cells<'_>) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
        cells.nullable()
    }
}

impl<M: Model> Keys<M> for Bucketed<M, NotNull> {}
impl<M: Model> Keys<M> for Bucketed<M, Nullable> {}
impl<M: Model> Columns<M> for Bucketed<M, NotNull> {}
impl<M: Model> Columns<M> for Bucketed<M, Nullable> {}

impl<M, N> Clone for Bucketed<M, N> {
    fn clone(&self) -> Self {
        Self {
            column: self.column,
            bucket: self.bucket.clone(),
            of: PhantomData,
        }
    }
}

impl<M: Model, N> fmt::Debug for Bucketed<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:?}",
            M::TABLE.columns[self.column].name,
            self.bucket
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Bucket, server_zone};

    #[test]
    fn offset_of_zone_is_east_of_utc() {
        for (zone, posix) in [
            ("+02:00", "<ISO>-02:00"),
            ("-0530", "<ISO>+05:30"),
            ("+05", "<ISO>-05:00"),
            ("Z", "<ISO>+00:00"),
            ("Europe/Berlin", "Europe/Berlin"),
            ("Etc/GMT+2", "Etc/GMT+2"),
            ("EST5EDT", "EST5EDT"),
        ] {
            assert_eq!(server_zone(zone).as_deref(), Ok(posix), "{zone}");
        }
    }

    #[test]
    fn bucket_parses_lengths_and_names() {
        let read = |text: &str| text.parse::<Bucket>();
        assert_eq!(read("5m"), Ok(Bucket::minutes(5)));
        assert_eq!(read("30s"), Ok(Bucket::every(Duration::from_secs(30))));
        assert_eq!(read("2d"), Ok(Bucket::hours(48)));
        assert_eq!(read("week"), Ok(Bucket::week()));
        assert_eq!(
            read("day@Europe/Berlin"),
            Ok(Bucket::day().in_zone("Europe/Berlin"))
        );
        assert_eq!(read("6h@+05:30"), Ok(Bucket::hours(6).in_zone("+05:30")));
        for invalid in [
            "",
            "m",
            "0m",
            "-1h",
            "1.5h",
            "5 m",
            "fortnight",
            "9µ",
            "99999999999999999d",
            "day@",
            "day@UTC+2",
            "day@+25:00",
            "day@CET-1CEST",
            "day@XYZ5",
            "day@<A>-2",
            "day@Europe/Berlin;",
        ] {
            assert!(read(invalid).is_err(), "{invalid}");
        }
    }
}

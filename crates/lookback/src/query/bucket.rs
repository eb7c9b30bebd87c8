//! Buckets of time, to group by.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::aggregate::Keys;
use super::select::{Cells, Selection, Terms};
use crate::error::Error;
use crate::model::Model;
use crate::query::{Column, NotNull, Nullable};
use crate::value::Problem;

/// The width and the start of the buckets of time that records are grouped by.
///
/// Buckets of a fixed length are counted from Monday, 1 January 2001, 00:00 UTC.
/// Calendar buckets begin as in a time zone: UTC, unless
/// [`in_zone`](Self::in_zone) names another.
///
/// As text: `30s`, `5m`, `1h`, `7d`; `day`, `week`, `month`, `quarter`, `year`,
/// also with a zone: `day@Europe/Berlin`.
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

    /// Begins calendar buckets as in this time zone, such as `Europe/Berlin`.
    #[must_use]
    pub fn in_zone(mut self, zone: impl Into<Cow<'static, str>>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// Renders the start of the bucket of `column` as SQL.
    pub(super) fn render(&self, column: &str, terms: &mut Terms<'_>) -> Result<String, Problem> {
        let bound = |bound: Result<String, Error>| {
            bound.map_err(|_| Problem::new("is not something that can be bound"))
        };
        match self.width {
            Width::Fixed(length) => {
                if self.zone.is_some() {
                    return Err(Problem::new(
                        "is of a fixed length, which no time zone changes; name a zone with \
                         day, week, month, quarter or year",
                    ));
                }
                // A longer one would overflow in date_bin.
                let most = Duration::from_secs(100 * 366 * 86_400);
                if length.subsec_nanos() % 1_000 != 0 || length.is_zero() || length > most {
                    return Err(Problem::new(format!(
                        "{length:?} is not a length in whole microseconds from 1 µs to 100 years"
                    )));
                }
                let seconds = bound(terms.sql.argument(length.as_secs_f64()))?;
                Ok(format!(
                    "date_bin(make_interval(secs => {seconds}), {column}, \
                     timestamptz '2001-01-01 00:00:00+00')"
                ))
            }
            Width::Calendar(name) => {
                let zone = self.zone.as_deref().unwrap_or("UTC").to_owned();
                let zone = bound(terms.sql.argument(zone))?;
                Ok(format!("date_trunc('{name}', {column}, {zone})"))
            }
        }
    }
}

impl FromStr for Bucket {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        const EXPECTED: &str =
            "a length such as 30s, 5m, 1h or 7d, or day, week, month, quarter or year";
        let unreadable = || Problem::unreadable(text, EXPECTED);
        let (name, zone) = match text.split_once('@') {
            Some((name, zone)) => (name, Some(zone)),
            None => (text, None),
        };
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
    Ok(())
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

    use super::Bucket;

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
        ] {
            assert!(read(invalid).is_err(), "{invalid}");
        }
    }
}

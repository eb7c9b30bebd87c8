//! What goes by itself: how it is written, and what is in force.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use lookback::maintenance::Policy;
use serde::Deserialize;

use crate::args::{RetainArgs, RetainTable};
use crate::config::{Origin, Setting};
use crate::failure::Failure;

/// A length of time: `90m`, `12h`, `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Age(pub(crate) Duration);

/// A number of bytes: `500MB`, `50GB`, `1TiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Size(pub(crate) u64);

const UNITS_OF_TIME: [(&str, u64); 5] = [
    ("w", 7 * 86_400),
    ("d", 86_400),
    ("h", 3_600),
    ("m", 60),
    ("s", 1),
];
const UNITS_OF_SIZE: [(&str, u64); 9] = [
    ("TIB", 1 << 40),
    ("GIB", 1 << 30),
    ("MIB", 1 << 20),
    ("KIB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// A whole number and its unit, as a number of the smallest one.
fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (unit, factor) = units.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number = text.strip_suffix(unit)?.trim_end();
    // Not `+5`, which is a number as well.
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
    number
        .parse::<u64>()
        .ok()
        .filter(|_| is_plain)?
        .checked_mul(*factor)
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // More than that ends in an overflow of the calendar.
        const LONGEST: u64 = 1_000 * 366 * 86_400;
        measure(text, &UNITS_OF_TIME)
            .filter(|seconds| *seconds <= LONGEST)
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or_else(|| format!("`{text}` is not a time such as 90m, 12h or 30d"))
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        measure(&text.to_ascii_uppercase(), &UNITS_OF_SIZE)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a size such as 500MB, 50GB or 1TiB"))
    }
}

impl TryFrom<String> for Age {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_measure(f, self.0.as_secs(), &UNITS_OF_TIME, "s")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_measure(f, self.0, &UNITS_OF_SIZE[4..], "B")
    }
}

/// In the largest unit that gives a whole number.
fn write_measure(
    f: &mut fmt::Formatter<'_>,
    number: u64,
    units: &[(&str, u64)],
    least: &str,
) -> fmt::Result {
    let whole = |(_, factor): &&(&str, u64)| number >= *factor && number.is_multiple_of(*factor);
    match units.iter().find(whole) {
        Some((unit, factor)) => write!(f, "{}{unit}", number / factor),
        None => write!(f, "{number}{least}"),
    }
}

/// `[retention]` of `lookback.toml`: for all tables, and for one.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    pub(crate) older_than: Option<Age>,
    pub(crate) larger_than: Option<Size>,
    pub(crate) deleted_older_than: Option<Age>,
    logs: Option<OfPartitions>,
    requests: Option<OfPartitions>,
    metrics: Option<OfMetrics>,
    users: Option<OfUsers>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfPartitions {
    older_than: Option<Age>,
    larger_than: Option<Size>,
    deleted_older_than: Option<Age>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfMetrics {
    older_than: Option<Age>,
    deleted_older_than: Option<Age>,
}

/// A user who is not deleted does not go for being old.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfUsers {
    deleted_older_than: Option<Age>,
}

/// What is in force.
#[derive(Clone, Debug)]
pub(crate) struct Retention {
    pub(crate) older_than: Setting<Age>,
    pub(crate) larger_than: Setting<Size>,
    pub(crate) deleted_older_than: Setting<Age>,
    /// Of the file, for one table.
    pub(crate) file: Section,
}

impl Section {
    /// What is said of one table alone.
    fn of(&self, table: RetainTable) -> (Option<Age>, Option<Size>, Option<Age>) {
        match table {
            RetainTable::Logs | RetainTable::Requests => {
                let section = match table {
                    RetainTable::Logs => self.logs,
                    _ => self.requests,
                };
                section.map_or((None, None, None), |s| {
                    (s.older_than, s.larger_than, s.deleted_older_than)
                })
            }
            RetainTable::Metrics => self.metrics.map_or((None, None, None), |s| {
                (s.older_than, None, s.deleted_older_than)
            }),
            RetainTable::Users => self
                .users
                .map_or((None, None, None), |s| (None, None, s.deleted_older_than)),
        }
    }
}

impl Retention {
    /// What is configured for a table: by the environment, then for it alone,
    /// then for all.
    pub(crate) fn of(&self, table: RetainTable) -> Policy {
        fn chosen<T: Copy>(all: &Setting<T>, own: Option<T>) -> Option<T> {
            match all.origin {
                Origin::Environment(_) => all.value,
                _ => own.or(all.value),
            }
        }
        let (older, larger, deleted) = self.file.of(table);
        policy(
            table,
            chosen(&self.older_than, older),
            chosen(&self.larger_than, larger),
            chosen(&self.deleted_older_than, deleted),
        )
    }
}

/// What can be said of this table, out of what is said of all.
fn policy(
    table: RetainTable,
    older: Option<Age>,
    larger: Option<Size>,
    deleted: Option<Age>,
) -> Policy {
    let is_user = table == RetainTable::Users;
    let has_partitions = matches!(table, RetainTable::Logs | RetainTable::Requests);
    Policy {
        older_than: older.map(|age| age.0).filter(|_| !is_user),
        larger_than: larger.map(|size| size.0).filter(|_| has_partitions),
        deleted_older_than: deleted.map(|age| age.0),
    }
}

impl RetainArgs {
    /// What goes of a table. What is typed is all that is done: the configured
    /// policies count where none is typed.
    pub(crate) fn policy(&self, table: RetainTable, configured: &Retention) -> Policy {
        match self.says_what() {
            true => policy(
                table,
                self.older_than,
                self.larger_than,
                self.deleted_older_than,
            ),
            false => configured.of(table),
        }
    }

    pub(crate) fn says_what(&self) -> bool {
        self.older_than.is_some() || self.larger_than.is_some() || self.deleted_older_than.is_some()
    }

    /// What is typed of a table of which it cannot be said is a wrong call.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.table {
            Some(RetainTable::Users) if self.older_than.is_some() => Err(Failure::usage(
                "--older-than: users stay until they are deleted",
            )
            .hint("for deleted users: --deleted-older-than")),
            Some(RetainTable::Users | RetainTable::Metrics) if self.larger_than.is_some() => {
                Err(Failure::usage("--larger-than: is for logs and requests"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Age, Size};

    #[test]
    fn ages_and_sizes_read_back_as_they_are_written() {
        for text in ["90m", "12h", "30d", "2w", "45s", "0s"] {
            assert_eq!(text.parse::<Age>().unwrap().to_string(), text);
        }
        for text in ["50GB", "500MB", "1TB", "7B", "1536KB"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!("1 GiB".parse(), Ok(Size(1 << 30)));
        assert_eq!("10gb".parse(), Ok(Size(10_000_000_000)));
        for wrong in [
            "",
            "d",
            "30",
            "-30d",
            "+3d",
            "3.5d",
            "30D",
            "99999999999999w",
            "1000001w",
        ] {
            assert!(wrong.parse::<Age>().is_err(), "{wrong}");
        }
        for wrong in ["", "GB", "50", "-1GB", "1.5GB", "99999999999TB"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}

//! Retention policies: their syntax and their configuration.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use lookback::maintenance::RetentionPolicy;
use serde::Deserialize;

use crate::args::{PruneArgs, StorageTable};
use crate::config::{Origin, Setting};
use crate::failure::Failure;

/// An age: `90m`, `12h`, `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Age(pub(crate) Duration);

/// A number of bytes: `500MB`, `50GB`, `1TiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Size(pub(crate) u64);

const TIME_UNITS: [(&str, u64); 5] = [
    ("w", 7 * 86_400),
    ("d", 86_400),
    ("h", 3_600),
    ("m", 60),
    ("s", 1),
];
const SIZE_UNITS: [(&str, u64); 9] = [
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

/// Parses an integer with a unit, and converts it to the smallest unit.
fn parse_quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (unit, factor) = units.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number = text.strip_suffix(unit)?.trim_end();
    // Rejects `+5`, which `parse` accepts.
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
        // Longer ages overflow the calendar.
        const LONGEST: u64 = 1_000 * 366 * 86_400;
        parse_quantity(text, &TIME_UNITS)
            .filter(|seconds| *seconds <= LONGEST)
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or_else(|| format!("expected a time such as 90m, 12h or 30d, got `{text}`"))
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_quantity(&text.to_ascii_uppercase(), &SIZE_UNITS)
            .map(Self)
            .ok_or_else(|| format!("expected a size such as 500MB, 50GB or 1TiB, got `{text}`"))
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
        write_quantity(f, self.0.as_secs(), &TIME_UNITS, "s")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quantity(f, self.0, &SIZE_UNITS[4..], "B")
    }
}

/// Formats a number in the largest unit that gives an integer.
fn write_quantity(
    f: &mut fmt::Formatter<'_>,
    number: u64,
    units: &[(&str, u64)],
    smallest: &str,
) -> fmt::Result {
    let whole = |(_, factor): &&(&str, u64)| number >= *factor && number.is_multiple_of(*factor);
    match units.iter().find(whole) {
        Some((unit, factor)) => write!(f, "{}{unit}", number / factor),
        None => write!(f, "{number}{smallest}"),
    }
}

/// `[retention]` of `lookback.toml`: for all tables, and per table.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetentionSection {
    pub(crate) older_than: Option<Age>,
    pub(crate) larger_than: Option<Size>,
    pub(crate) deleted_older_than: Option<Age>,
    logs: Option<PartitionedTablePolicy>,
    requests: Option<PartitionedTablePolicy>,
    metrics: Option<MetricsPolicy>,
    users: Option<UsersPolicy>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartitionedTablePolicy {
    older_than: Option<Age>,
    larger_than: Option<Size>,
    deleted_older_than: Option<Age>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricsPolicy {
    older_than: Option<Age>,
    deleted_older_than: Option<Age>,
}

/// The policy for users, who are never deleted because of their age.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UsersPolicy {
    deleted_older_than: Option<Age>,
}

/// The configured retention.
#[derive(Clone, Debug)]
pub(crate) struct Retention {
    pub(crate) older_than: Setting<Age>,
    pub(crate) larger_than: Setting<Size>,
    pub(crate) deleted_older_than: Setting<Age>,
    /// The section of the file, with policies per table.
    pub(crate) file: RetentionSection,
}

impl RetentionSection {
    /// Returns the policy of one table, without the policy for all tables.
    /// The values for one table: `older_than`, `larger_than`, `deleted_older_than`.
    pub(crate) fn of(&self, table: StorageTable) -> (Option<Age>, Option<Size>, Option<Age>) {
        match table {
            StorageTable::Logs | StorageTable::Requests => {
                let section = match table {
                    StorageTable::Logs => self.logs,
                    _ => self.requests,
                };
                section.map_or((None, None, None), |s| {
                    (s.older_than, s.larger_than, s.deleted_older_than)
                })
            }
            StorageTable::Metrics => self.metrics.map_or((None, None, None), |s| {
                (s.older_than, None, s.deleted_older_than)
            }),
            StorageTable::Users => self
                .users
                .map_or((None, None, None), |s| (None, None, s.deleted_older_than)),
        }
    }
}

impl Retention {
    /// Returns the configured policy of a table.
    ///
    /// The environment comes first, then the table's policy, then the policy for all tables.
    pub(crate) fn of(&self, table: StorageTable) -> RetentionPolicy {
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

/// Reduces a policy to what applies to this table.
fn policy(
    table: StorageTable,
    older: Option<Age>,
    larger: Option<Size>,
    deleted: Option<Age>,
) -> RetentionPolicy {
    let is_user = table == StorageTable::Users;
    let has_partitions = matches!(table, StorageTable::Logs | StorageTable::Requests);
    let mut policy = RetentionPolicy::default();
    policy.older_than = older.map(|age| age.0).filter(|_| !is_user);
    policy.larger_than = larger.map(|size| size.0).filter(|_| has_partitions);
    policy.deleted_older_than = deleted.map(|age| age.0);
    policy
}

impl PruneArgs {
    /// The policy for a table: the limits on the command line, otherwise the configured ones.
    pub(crate) fn policy(&self, table: StorageTable, configured: &Retention) -> RetentionPolicy {
        if self.has_limits() {
            policy(
                table,
                self.older_than,
                self.larger_than,
                self.deleted_older_than,
            )
        } else {
            configured.of(table)
        }
    }

    pub(crate) fn has_limits(&self) -> bool {
        self.older_than.is_some() || self.larger_than.is_some() || self.deleted_older_than.is_some()
    }

    /// Rejects limits that do not apply to the given table.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.table {
            Some(StorageTable::Users) if self.older_than.is_some() => {
                Err(Failure::usage("--older-than: does not apply to users")
                    .hint("to purge soft-deleted users: --deleted-older-than"))
            }
            Some(StorageTable::Users | StorageTable::Metrics) if self.larger_than.is_some() => Err(
                Failure::usage("--larger-than: applies only to logs and requests"),
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Age, Size};

    #[test]
    fn ages_and_sizes_round_trip() {
        for text in ["90m", "12h", "30d", "2w", "45s", "0s"] {
            assert_eq!(text.parse::<Age>().unwrap().to_string(), text);
        }
        for text in ["50GB", "500MB", "1TB", "7B", "1536KB"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!("1 GiB".parse(), Ok(Size(1 << 30)));
        assert_eq!("10gb".parse(), Ok(Size(10_000_000_000)));
        for invalid in [
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
            assert!(invalid.parse::<Age>().is_err(), "{invalid}");
        }
        for invalid in ["", "GB", "50", "-1GB", "1.5GB", "99999999999TB"] {
            assert!(invalid.parse::<Size>().is_err(), "{invalid}");
        }
    }
}

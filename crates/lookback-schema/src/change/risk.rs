//! The risks of changes: long locks, failures on existing rows, lost data.

use std::fmt;

use crate::change::{Change, TypeChange};
use crate::schema::{Constraint, Fill};
use crate::syntax::DataType;

/// A risk of a change. A change without a risk holds its lock only briefly.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Risk {
    /// The table is locked while every row is read or written.
    Locks {
        /// The lock.
        lock: Lock,
        /// A clause that describes how long it is held.
        during: &'static str,
    },
    /// Existing rows may make the change fail; then nothing is changed.
    MayFail(String),
    /// The change deletes data.
    LosesData(String),
}

/// A table lock that makes other sessions wait (PostgreSQL manual, 13.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lock {
    /// Blocks reads and writes.
    AccessExclusive,
    /// Blocks writes.
    Share,
    /// Blocks writes, on both tables.
    ShareRowExclusive,
    /// Allows reads and writes, and blocks other changes of the table.
    ShareUpdateExclusive,
    /// Locks the rows that are written.
    RowExclusive,
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessExclusive => "ACCESS EXCLUSIVE (no reads, no writes)",
            Self::Share => "SHARE (no writes)",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE (no writes)",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE (reads and writes go on)",
            Self::RowExclusive => "ROW EXCLUSIVE (reads go on, writes to the same rows wait)",
        })
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locks { lock, during } => write!(f, "locks the table: {lock} {during}"),
            Self::MayFail(why) => write!(f, "may fail on existing rows: {why}"),
            Self::LosesData(what) => write!(f, "LOSES DATA: {what}"),
        }
    }
}

const REWRITE: &str = "while every row is written again";
const SCAN: &str = "while every row is read";
const BUILD: &str = "while the index is built";

impl Change {
    /// The risks of this change for a table with rows.
    pub fn risks(&self) -> Vec<Risk> {
        let exclusive = |during| Risk::Locks {
            lock: Lock::AccessExclusive,
            during,
        };
        match self {
            Self::DropTable(_)
            | Self::DropColumn {
                generated: false, ..
            } => {
                vec![Risk::LosesData(match self {
                    Self::DropTable(_) => format!("every row of {}", self.object()),
                    _ => format!("the values of {}", self.object()),
                })]
            }
            Self::AddColumn {
                column, existing, ..
            } => {
                let mut risks = Vec::new();
                let rewrites = match &column.fill {
                    Fill::Default(default) => calls_a_function(default.as_str()),
                    Fill::IdentityAlways
                    | Fill::IdentityByDefault
                    | Fill::Serial
                    | Fill::Stored(_) => true,
                    Fill::None | Fill::Virtual(_) => existing
                        .as_ref()
                        .is_some_and(|value| calls_a_function(value.as_str())),
                };
                if rewrites {
                    risks.push(exclusive(REWRITE));
                }
                if column.not_null && column.fill == Fill::None && existing.is_none() {
                    risks.push(Risk::MayFail(format!(
                        "a table with rows has no value for {}",
                        self.object()
                    )));
                }
                risks
            }
            Self::AlterType {
                column,
                from,
                to,
                using,
                without,
                in_key,
                ..
            } => {
                let change = TypeChange::new(from, to);
                let object = self.object();
                let mut risks = change.risks(column, &object, using.as_ref(), *in_key);
                let Some(without) = without else {
                    return risks;
                };
                // Only the removed values differ between the two types.
                risks.retain(|risk| !matches!(risk, Risk::MayFail(_)));
                if !without.is_empty() {
                    risks.push(Risk::MayFail(format!(
                        "rows whose {} is {}",
                        self.object(),
                        without.join(" or ")
                    )));
                }
                risks
            }
            Self::SetNotNull { proved: false, .. } => vec![
                exclusive(SCAN),
                Risk::MayFail(format!("rows whose {} is null", self.object())),
            ],
            Self::FillNulls { .. } => vec![Risk::Locks {
                lock: Lock::RowExclusive,
                during: "while the rows are written",
            }],
            Self::AddConstraint { constraint, .. } => constraint_risks(constraint),
            Self::AlterSequence { from, to, .. } => {
                let bytes = |ty: &DataType| {
                    ["smallint", "integer", "bigint"]
                        .iter()
                        .position(|name| ty.is_builtin(name))
                };
                if bytes(to) < bytes(from) {
                    vec![Risk::MayFail(format!(
                        "a sequence of {} that is past the largest {to}",
                        self.object()
                    ))]
                } else {
                    Vec::new()
                }
            }
            Self::ValidateConstraint { .. } => vec![Risk::MayFail(
                "rows that break it; nothing is changed then: repair them and run this again"
                    .to_owned(),
            )],
            Self::CreateIndex {
                index,
                concurrently,
                ..
            } => {
                let mut risks = Vec::new();
                if !concurrently {
                    risks.push(Risk::Locks {
                        lock: Lock::Share,
                        during: BUILD,
                    });
                }
                if index.unique {
                    risks.push(Risk::MayFail("rows with the same key".to_owned()));
                }
                risks
            }
            Self::CreatePartition { .. } => vec![Risk::MayFail(
                "rows of the default partition that belong in the new one".to_owned(),
            )],
            Self::MoveRows { remade, .. } => {
                let mut risks = vec![
                    exclusive(REWRITE),
                    Risk::MayFail("rows that belong to no partition".to_owned()),
                ];
                if *remade {
                    risks.push(Risk::LosesData(format!(
                        "what no model has of {}: its triggers, grants and policies",
                        self.object()
                    )));
                }
                risks
            }
            _ => Vec::new(),
        }
    }
}

fn constraint_risks(constraint: &Constraint) -> Vec<Risk> {
    match constraint {
        Constraint::Check {
            not_valid: true, ..
        } => {
            return vec![Risk::MayFail(
                "later changes of rows that break it, until they are repaired".to_owned(),
            )];
        }
        _ if constraint.is_not_valid() => return Vec::new(),
        _ => {}
    }
    let (lock, during, why) = match constraint {
        Constraint::PrimaryKey(_) => (
            Lock::AccessExclusive,
            BUILD,
            "rows with the same key, or none",
        ),
        Constraint::Unique(_) => (Lock::AccessExclusive, BUILD, "rows with the same key"),
        Constraint::Exclude(_) => (Lock::AccessExclusive, BUILD, "rows that exclude each other"),
        Constraint::Check { .. } => (Lock::AccessExclusive, SCAN, "rows that break it"),
        Constraint::ForeignKey(_) => (
            Lock::ShareRowExclusive,
            SCAN,
            "rows that refer to what is not there",
        ),
    };
    vec![Risk::Locks { lock, during }, Risk::MayFail(why.to_owned())]
}

/// Whether a default calls a function that may be volatile.
///
/// PostgreSQL then rewrites every row.
fn calls_a_function(expression: &str) -> bool {
    let stable = [
        "now",
        "transaction_timestamp",
        "statement_timestamp",
        "date_trunc",
        "lower",
        "upper",
    ];
    let Ok(found) = crate::syntax::tokens(expression) else {
        return true;
    };
    found.windows(2).any(|pair| {
        pair[1].is("(")
            && pair[0].kind == crate::syntax::TokenKind::Word
            && !stable.iter().any(|name| pair[0].is_word(name))
    })
}

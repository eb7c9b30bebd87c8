//! The risks of changes: long locks, failures on existing rows, lost data.

use std::fmt;

use crate::change::{Change, TypeChange};
use crate::schema::{Constraint, Fill};
use crate::syntax::{DataType, TokenKind};

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

pub(super) const REWRITE: &str = "while every row is written again";
const SCAN: &str = "while every row is read";
const BUILD: &str = "while the index is built";

impl Risk {
    /// Whether every row of the table is written again.
    pub(super) fn is_rewrite(&self) -> bool {
        matches!(self, Self::Locks { during, .. } if *during == REWRITE)
    }
}

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
                indexed,
                ..
            } => {
                let change = TypeChange::new(from, to);
                let object = self.object();
                let mut risks = change.risks(column, &object, using.as_ref(), *indexed);
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
        _ if constraint.is_not_valid() || !constraint.is_enforced() => return Vec::new(),
        _ => {}
    }
    let (lock, during, why) = match constraint {
        Constraint::PrimaryKey(key) | Constraint::Unique(key) if key.without_overlaps => (
            Lock::AccessExclusive,
            BUILD,
            "rows with the same key whose ranges overlap or are empty",
        ),
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
/// PostgreSQL then rewrites every row; it computes a default that is stable once.
fn calls_a_function(expression: &str) -> bool {
    let Ok(found) = crate::syntax::tokens(expression) else {
        return true;
    };
    (1..found.len()).any(|open| {
        let name = &found[open - 1];
        let before = open.checked_sub(2).map(|at| &found[at]);
        // `x::numeric(10,2)`, `CAST (x AS varchar(5))`
        let is_type = before.is_some_and(|token| token.is("::") || token.is_word("as"));
        let is_name = matches!(name.kind, TokenKind::Word | TokenKind::Quoted);
        // Another schema may have a function of the same name.
        let is_foreign = before.is_some_and(|token| token.is("."))
            && !open
                .checked_sub(3)
                .is_some_and(|at| found[at].is_word("pg_catalog"));
        let is_stable = || {
            crate::syntax::unquoted(name.kind, name.text)
                .is_some_and(|name| STABLE.contains(&name.as_str()))
        };
        found[open].is("(") && is_name && !is_type && (is_foreign || !is_stable())
    })
}

/// Functions of PostgreSQL, and words before a parenthesis, that are not volatile.
#[rustfmt::skip]
const STABLE: &[&str] = &[
    "abs", "age", "all", "and", "any", "array_append", "array_cat", "array_fill",
    "array_length", "array_prepend", "array_to_string", "between", "bit", "bit_length", "btrim",
    "case", "cast", "ceil", "ceiling", "char", "char_length", "character", "character_length",
    "chr", "coalesce", "concat", "concat_ws", "convert_from", "convert_to", "current_catalog",
    "current_database", "current_date", "current_role", "current_schema", "current_schemas",
    "current_setting", "current_time", "current_timestamp", "current_user", "date", "date_part",
    "date_trunc", "daterange", "decimal", "decode", "div", "else", "encode", "enum_first",
    "enum_last", "enum_range", "exp", "extract", "float", "floor", "format", "greatest",
    "in", "inet_client_addr", "inet_server_addr", "initcap", "int4range", "int8range", "interval",
    "jsonb_build_array", "jsonb_build_object", "jsonb_object", "jsonb_set", "json_build_array",
    "json_build_object", "json_object", "justify_days", "justify_hours", "least", "left",
    "length", "like", "ln", "localtime", "localtimestamp", "log", "lower", "lpad", "ltrim",
    "make_date", "make_interval", "make_time", "make_timestamp", "make_timestamptz", "md5", "mod",
    "not", "now", "nullif", "numeric", "numrange", "octet_length", "or", "overlay", "pi", "point",
    "position", "power", "quote_ident", "quote_literal", "repeat", "replace", "reverse", "right",
    "round", "row", "rpad", "rtrim", "session_user", "sign", "split_part", "sqrt",
    "statement_timestamp", "string_to_array", "strpos", "substr", "substring", "then", "time",
    "timestamp", "timestamptz", "timezone", "to_char", "to_date", "to_hex", "to_json", "to_jsonb",
    "to_number", "to_timestamp", "to_tsquery", "to_tsvector", "transaction_timestamp",
    "translate", "trim", "trunc", "tsrange", "tstzrange", "upper", "user", "varchar", "when",
];

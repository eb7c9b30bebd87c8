//! Constraints of a table, parsed and formatted as PostgreSQL prints them
//! (`pg_get_constraintdef`).

use std::fmt;

use crate::schema::index::IndexKey;
use crate::syntax::Expression;
use crate::syntax::{Name, quoted, quoted_list};

/// A constraint of a table, without its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// `PRIMARY KEY (…)`
    PrimaryKey(Key),
    /// `UNIQUE (…)`
    Unique(Key),
    /// `CHECK (…)`
    Check {
        /// The condition that must not be false.
        expression: Expression,
        /// Whether tables that inherit do not get it.
        no_inherit: bool,
        /// Whether rows that existed before it are not checked yet.
        not_valid: bool,
        /// `NOT ENFORCED`: no row is checked (since PostgreSQL 18).
        not_enforced: bool,
    },
    /// `FOREIGN KEY (…) REFERENCES …`
    ForeignKey(ForeignKey),
    /// `EXCLUDE USING …`
    Exclude(Exclusion),
}

/// The columns of a primary key or a unique constraint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// The columns, in order.
    pub columns: Vec<String>,
    /// `WITHOUT OVERLAPS`: two rows may have the same key if the ranges in its last column do not
    /// overlap (since PostgreSQL 18).
    pub without_overlaps: bool,
    /// Whether two nulls count as equal (unique constraints only).
    pub nulls_not_distinct: bool,
    /// Columns that its index stores besides the key.
    pub include: Vec<String>,
    /// The time at which it is checked.
    pub deferral: Deferral,
}

/// A reference to the key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The table they refer to.
    pub table: Name,
    /// The columns they refer to.
    pub references: Vec<String>,
    /// `PERIOD`: the range in the last column must be covered by rows of the other table (since
    /// PostgreSQL 18).
    pub period: bool,
    /// `MATCH FULL`: either all columns are null or none is.
    pub match_full: bool,
    /// The action on an update of the key.
    pub on_update: Action,
    /// The action on a deletion.
    pub on_delete: Action,
    /// The columns that a deletion sets; empty for all.
    pub set_columns: Vec<String>,
    /// The time at which it is checked.
    pub deferral: Deferral,
    /// Whether rows that existed before it are not checked yet.
    pub not_valid: bool,
    /// `NOT ENFORCED`: no row is checked (since PostgreSQL 18).
    pub not_enforced: bool,
}

/// The action on referring rows when a key is updated or deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Refuses the change, at the end of the statement or transaction.
    #[default]
    NoAction,
    /// Refuses the change at once.
    Restrict,
    /// Updates or deletes the referring rows, too.
    Cascade,
    /// Sets the referring columns to null.
    SetNull,
    /// Sets the referring columns to their defaults.
    SetDefault,
}

/// An exclusion constraint: no two rows may satisfy all operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// The access method, such as `gist`.
    pub method: String,
    /// The compared columns and expressions, with their operators.
    pub elements: Vec<(IndexKey, String)>,
    /// Columns that its index stores besides the elements.
    pub include: Vec<String>,
    /// Storage parameters of its index, sorted by name.
    pub with: Vec<(String, String)>,
    /// The condition of the rows that it applies to.
    pub predicate: Option<Expression>,
    /// The time at which it is checked.
    pub deferral: Deferral,
}

/// The time at which a constraint is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deferral {
    /// Always at once.
    #[default]
    NotDeferrable,
    /// At once, unless the transaction defers it with `SET CONSTRAINTS`.
    Deferrable,
    /// At the end of the transaction.
    InitiallyDeferred,
}

impl Constraint {
    /// The same constraint, validated against all rows.
    #[must_use]
    pub fn validated(mut self) -> Self {
        match &mut self {
            Self::Check { not_valid, .. } => *not_valid = false,
            Self::ForeignKey(key) => key.not_valid = false,
            _ => {}
        }
        self
    }

    /// The time at which it is checked.
    pub(crate) fn deferral(&self) -> Deferral {
        match self {
            Self::PrimaryKey(key) | Self::Unique(key) => key.deferral,
            Self::ForeignKey(key) => key.deferral,
            Self::Exclude(exclusion) => exclusion.deferral,
            Self::Check { .. } => Deferral::NotDeferrable,
        }
    }

    /// Whether existing rows are not validated yet.
    pub fn is_not_valid(&self) -> bool {
        match self {
            Self::Check { not_valid, .. } => *not_valid,
            Self::ForeignKey(key) => key.not_valid,
            _ => false,
        }
    }

    /// Whether its definition is checked at all.
    pub(crate) fn is_enforced(&self) -> bool {
        match self {
            Self::Check { not_enforced, .. } => !not_enforced,
            Self::ForeignKey(key) => !key.not_enforced,
            Self::PrimaryKey(_) | Self::Unique(_) | Self::Exclude(_) => true,
        }
    }

    /// What it has that servers before PostgreSQL 18 do not know, as SQL.
    pub fn since_18(&self) -> Option<&'static str> {
        match self {
            Self::PrimaryKey(key) | Self::Unique(key) if key.without_overlaps => {
                Some("WITHOUT OVERLAPS")
            }
            Self::ForeignKey(key) if key.period => Some("PERIOD"),
            _ if !self.is_enforced() => Some("NOT ENFORCED"),
            _ => None,
        }
    }

    /// Whether it is a part of `CREATE TABLE`. Other constraints are added
    /// afterwards. Of two identical keys, `CREATE TABLE` keeps only one. A
    /// check that is not valid would become valid. A foreign key may refer to a
    /// table that does not exist yet.
    pub(crate) fn comes_with_its_table(&self) -> bool {
        match self {
            Self::PrimaryKey(_) => true,
            Self::Check { not_valid, .. } => !not_valid,
            Self::Unique(_) | Self::Exclude(_) | Self::ForeignKey(_) => false,
        }
    }

    /// Its expressions.
    pub(crate) fn expressions(&self) -> Vec<&Expression> {
        match self {
            Self::Check { expression, .. } => vec![expression],
            Self::Exclude(exclusion) => {
                let keys = exclusion.elements.iter().map(|(key, _)| &key.expression);
                keys.chain(&exclusion.predicate).collect()
            }
            Self::PrimaryKey(_) | Self::Unique(_) | Self::ForeignKey(_) => Vec::new(),
        }
    }

    /// Whether PostgreSQL creates an index for it.
    pub fn has_index(&self) -> bool {
        matches!(
            self,
            Self::PrimaryKey(_) | Self::Unique(_) | Self::Exclude(_)
        )
    }

    /// The kind, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PrimaryKey(_) => "primary key",
            Self::Unique(_) => "unique constraint",
            Self::Check { .. } => "check",
            Self::ForeignKey(_) => "foreign key",
            Self::Exclude(_) => "exclusion constraint",
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrimaryKey(key) => write!(f, "PRIMARY KEY {key}"),
            Self::Unique(key) => {
                f.write_str("UNIQUE ")?;
                if key.nulls_not_distinct {
                    f.write_str("NULLS NOT DISTINCT ")?;
                }
                write!(f, "{key}")
            }
            Self::Check {
                expression,
                no_inherit,
                not_valid,
                not_enforced,
            } => {
                write!(f, "CHECK ({expression})")?;
                if *no_inherit {
                    f.write_str(" NO INHERIT")?;
                }
                write_validity(f, *not_valid, *not_enforced)
            }
            Self::ForeignKey(key) => write!(f, "{key}"),
            Self::Exclude(exclusion) => write!(f, "{exclusion}"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}", quoted_list(&self.columns))?;
        if self.without_overlaps {
            f.write_str(" WITHOUT OVERLAPS")?;
        }
        f.write_str(")")?;
        write_include(f, &self.include)?;
        write!(f, "{}", self.deferral)
    }
}

impl fmt::Display for ForeignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FOREIGN KEY ({}) REFERENCES {} ({})",
            with_period(&self.columns, self.period),
            self.table,
            with_period(&self.references, self.period)
        )?;
        if self.match_full {
            f.write_str(" MATCH FULL")?;
        }
        if self.on_update != Action::NoAction {
            write!(f, " ON UPDATE {}", self.on_update)?;
        }
        if self.on_delete != Action::NoAction {
            write!(f, " ON DELETE {}", self.on_delete)?;
            if !self.set_columns.is_empty() {
                write!(f, " ({})", quoted_list(&self.set_columns))?;
            }
        }
        write!(f, "{}", self.deferral)?;
        write_validity(f, self.not_valid, self.not_enforced)
    }
}

impl Exclusion {
    /// Whether it contains a column of this name.
    pub(crate) fn mentions(&self, column: &str) -> bool {
        let keys = self.elements.iter().map(|(key, _)| &key.expression);
        keys.chain(&self.predicate).any(|e| e.mentions(column))
            || self.include.iter().any(|name| name == column)
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EXCLUDE USING {} (", quoted(&self.method))?;
        for (at, (key, operator)) in self.elements.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{key} WITH {operator}")?;
        }
        f.write_str(")")?;
        write_include(f, &self.include)?;
        write_with(f, &self.with)?;
        if let Some(predicate) = &self.predicate {
            write!(f, " WHERE ({predicate})")?;
        }
        write!(f, "{}", self.deferral)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
        })
    }
}

/// Formats it with a space in front; the default one is left out.
impl fmt::Display for Deferral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotDeferrable => "",
            Self::Deferrable => " DEFERRABLE",
            Self::InitiallyDeferred => " DEFERRABLE INITIALLY DEFERRED",
        })
    }
}

fn write_validity(f: &mut fmt::Formatter<'_>, not_valid: bool, not_enforced: bool) -> fmt::Result {
    f.write_str(if not_enforced {
        " NOT ENFORCED"
    } else if not_valid {
        " NOT VALID"
    } else {
        ""
    })
}

/// The columns, with `PERIOD` before the last one.
fn with_period(columns: &[String], period: bool) -> String {
    match columns.split_last() {
        Some((last, [])) if period => format!("PERIOD {}", quoted(last)),
        Some((last, others)) if period => {
            format!("{}, PERIOD {}", quoted_list(others), quoted(last))
        }
        _ => quoted_list(columns),
    }
}

pub(super) fn write_include(f: &mut fmt::Formatter<'_>, include: &[String]) -> fmt::Result {
    if include.is_empty() {
        return Ok(());
    }
    write!(f, " INCLUDE ({})", quoted_list(include))
}

pub(super) fn write_with(f: &mut fmt::Formatter<'_>, with: &[(String, String)]) -> fmt::Result {
    if with.is_empty() {
        return Ok(());
    }
    let with: Vec<String> = with
        .iter()
        .map(|(name, value)| {
            let plain = value
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'.');
            if plain && !value.is_empty() {
                format!("{} = {value}", quoted(name))
            } else {
                format!("{} = {}", quoted(name), crate::syntax::literal(value))
            }
        })
        .collect();
    write!(f, " WITH ({})", with.join(", "))
}

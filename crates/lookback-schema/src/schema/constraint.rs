//! Constraints of a table. Written and read as PostgreSQL prints them
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
        /// Not for tables that inherit.
        no_inherit: bool,
        /// Not yet held against the rows that were there before it.
        not_valid: bool,
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
    /// Two nulls are the same (unique constraints only).
    pub nulls_not_distinct: bool,
    /// Columns that are only stored with it.
    pub include: Vec<String>,
    /// When it is checked.
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
    /// `MATCH FULL`: all columns are null or none.
    pub match_full: bool,
    /// The action on an update of the key.
    pub on_update: Action,
    /// The action on a deletion.
    pub on_delete: Action,
    /// The columns that a deletion sets, if not all of them.
    pub set_columns: Vec<String>,
    /// When it is checked.
    pub deferral: Deferral,
    /// Not yet held against the rows that were there before it.
    pub not_valid: bool,
}

/// The referential action on the rows that refer to a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// It is refused, at the end of the statement or transaction.
    #[default]
    NoAction,
    /// It is refused at once.
    Restrict,
    /// They change, or go, with it.
    Cascade,
    /// Their columns are set to null.
    SetNull,
    /// Their columns are set to their defaults.
    SetDefault,
}

/// No two rows for which every operator is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// The access method, such as `gist`.
    pub method: String,
    /// The compared columns and expressions, with their operators.
    pub elements: Vec<(IndexKey, String)>,
    /// Columns that are only stored with it.
    pub include: Vec<String>,
    /// Storage parameters of its index, sorted by name.
    pub with: Vec<(String, String)>,
    /// Which rows it is about.
    pub predicate: Option<Expression>,
    /// When it is checked.
    pub deferral: Deferral,
}

/// When a constraint is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deferral {
    /// At once, always.
    #[default]
    NotDeferrable,
    /// At once, unless the transaction asks for its end.
    Deferrable,
    /// At the end of the transaction.
    InitiallyDeferred,
}

impl Constraint {
    /// The same constraint, held against all rows.
    #[must_use]
    pub fn validated(mut self) -> Self {
        match &mut self {
            Self::Check { not_valid, .. } => *not_valid = false,
            Self::ForeignKey(key) => key.not_valid = false,
            _ => {}
        }
        self
    }

    /// When it is held against rows.
    pub(crate) fn deferral(&self) -> Deferral {
        match self {
            Self::PrimaryKey(key) | Self::Unique(key) => key.deferral,
            Self::ForeignKey(key) => key.deferral,
            Self::Exclude(exclusion) => exclusion.deferral,
            Self::Check { .. } => Deferral::NotDeferrable,
        }
    }

    /// Whether it is not yet held against all rows.
    pub fn is_not_valid(&self) -> bool {
        match self {
            Self::Check { not_valid, .. } => *not_valid,
            Self::ForeignKey(key) => key.not_valid,
            _ => false,
        }
    }

    /// Whether `CREATE TABLE` makes it. Of two keys that are alike that keeps
    /// one, and of a check that is not valid it makes one that is: those are
    /// added afterwards, as is what refers to other tables.
    pub(crate) fn comes_with_its_table(&self) -> bool {
        match self {
            Self::PrimaryKey(_) => true,
            Self::Check { not_valid, .. } => !not_valid,
            Self::Unique(_) | Self::Exclude(_) | Self::ForeignKey(_) => false,
        }
    }

    /// Whether it needs an index that PostgreSQL makes with it.
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
            } => {
                write!(f, "CHECK ({expression})")?;
                if *no_inherit {
                    f.write_str(" NO INHERIT")?;
                }
                write_not_valid(f, *not_valid)
            }
            Self::ForeignKey(key) => write!(f, "{key}"),
            Self::Exclude(exclusion) => write!(f, "{exclusion}"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({})", quoted_list(&self.columns))?;
        write_include(f, &self.include)?;
        write!(f, "{}", self.deferral)
    }
}

impl fmt::Display for ForeignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FOREIGN KEY ({}) REFERENCES {} ({})",
            quoted_list(&self.columns),
            self.table,
            quoted_list(&self.references)
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
        write_not_valid(f, self.not_valid)
    }
}

impl Exclusion {
    /// Whether a column of this name is anywhere in it.
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

/// With a space before it, unless it is the usual one.
impl fmt::Display for Deferral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotDeferrable => "",
            Self::Deferrable => " DEFERRABLE",
            Self::InitiallyDeferred => " DEFERRABLE INITIALLY DEFERRED",
        })
    }
}

fn write_not_valid(f: &mut fmt::Formatter<'_>, not_valid: bool) -> fmt::Result {
    f.write_str(if not_valid { " NOT VALID" } else { "" })
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

//! Indexes of a table, parsed and formatted as PostgreSQL prints the part after
//! the name of the table (`pg_get_indexdef`).

use std::fmt;

use crate::schema::constraint::{write_include, write_with};
use crate::syntax::Expression;
use crate::syntax::{Name, quoted};

/// An index, without its name and its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Whether no two rows may have the same key.
    pub unique: bool,
    /// The access method, such as `btree`, `gin` or `hnsw`.
    pub method: String,
    /// The indexed columns and expressions, in order.
    pub keys: Vec<IndexKey>,
    /// Columns that are stored besides the keys.
    pub include: Vec<String>,
    /// Whether two nulls count as equal (unique indexes only).
    pub nulls_not_distinct: bool,
    /// Storage parameters, sorted by name.
    pub with: Vec<(String, String)>,
    /// The condition of the indexed rows, for a partial index.
    pub predicate: Option<Expression>,
}

/// One key of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexKey {
    /// A column, or an expression of columns.
    pub expression: Expression,
    /// The collation, if it is not that of the column.
    pub collation: Option<Name>,
    /// The operator class with its parameters, if it is not the default one.
    pub opclass: Option<String>,
    /// Whether it is sorted from the largest to the smallest.
    pub descending: bool,
    /// Whether nulls come first; by default they do if the key is descending.
    pub nulls_first: bool,
}

impl IndexKey {
    /// An ascending key with nothing else set.
    pub fn new(expression: Expression) -> Self {
        Self {
            expression,
            collation: None,
            opclass: None,
            descending: false,
            nulls_first: false,
        }
    }
}

/// Formats `[UNIQUE] USING method (keys) …`. In `CREATE INDEX`, `UNIQUE` is
/// before the name of the index; here it is first.
impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unique {
            f.write_str("UNIQUE ")?;
        }
        self.write_body(f)
    }
}

impl Index {
    /// Everything after the name of the table in `CREATE INDEX`.
    pub(crate) fn body(&self) -> impl fmt::Display {
        struct Body<'a>(&'a Index);
        impl fmt::Display for Body<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write_body(f)
            }
        }
        Body(self)
    }

    fn write_body(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "USING {} (", quoted(&self.method))?;
        for (at, key) in self.keys.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{key}")?;
        }
        f.write_str(")")?;
        write_include(f, &self.include)?;
        if self.nulls_not_distinct {
            f.write_str(" NULLS NOT DISTINCT")?;
        }
        write_with(f, &self.with)?;
        match &self.predicate {
            Some(predicate) => write!(f, " WHERE {predicate}"),
            None => Ok(()),
        }
    }

    /// Its expressions: the keys and the condition.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let keys = self.keys.iter().map(|key| &key.expression);
        keys.chain(&self.predicate)
    }

    /// Whether it contains a column of this name.
    pub fn mentions(&self, column: &str) -> bool {
        self.keys.iter().any(|key| key.expression.mentions(column))
            || self.include.iter().any(|name| name == column)
            || self
                .predicate
                .as_ref()
                .is_some_and(|predicate| predicate.mentions(column))
    }
}

impl fmt::Display for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.expression.is_name_or_call() {
            write!(f, "{}", self.expression)?;
        } else {
            write!(f, "({})", self.expression)?;
        }
        if let Some(collation) = &self.collation {
            write!(f, " COLLATE {collation}")?;
        }
        if let Some(opclass) = &self.opclass {
            write!(f, " {opclass}")?;
        }
        if self.descending {
            f.write_str(" DESC")?;
        }
        match (self.nulls_first, self.descending) {
            (true, false) => f.write_str(" NULLS FIRST"),
            (false, true) => f.write_str(" NULLS LAST"),
            _ => Ok(()),
        }
    }
}

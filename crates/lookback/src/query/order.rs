//! The order of records.

use std::fmt;
use std::marker::PhantomData;

use super::QueryBuilder;
use super::nearest::Target;
use crate::db::Sql;
use crate::error::Error;
use crate::filter::{FieldPath, field_path, split_field};
use crate::model::{ColumnDef, ColumnRole, Model, Table};

/// An order of records by one column, or by a place in JSON.
///
/// NULL is last, in both directions, unless [`nulls_first`](Self::nulls_first) is
/// set.
pub struct Order<M> {
    pub(super) by: OrderBy,
    of: PhantomData<fn() -> M>,
}

/// One column of an order, for any model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OrderBy {
    pub(super) field: FieldPath,
    /// Orders by the distance from it, and not by the value.
    pub(super) target: Option<Target>,
    pub(super) descending: bool,
    pub(super) nulls_first: bool,
}

impl<M> Order<M> {
    pub(crate) fn new(column: usize, descending: bool) -> Self {
        Self::of_field(FieldPath::of_column(column), descending)
    }

    pub(crate) fn of_field(field: FieldPath, descending: bool) -> Self {
        Self {
            by: OrderBy {
                field,
                target: None,
                descending,
                nulls_first: false,
            },
            of: PhantomData,
        }
    }

    /// Sorts NULL before every value.
    #[must_use]
    pub fn nulls_first(mut self) -> Self {
        self.by.nulls_first = true;
        self
    }

    /// Sorts NULL after every value, which is the default.
    #[must_use]
    pub fn nulls_last(mut self) -> Self {
        self.by.nulls_first = false;
        self
    }
}

const NULLS_FIRST: &str = "nullsfirst";
const NULLS_LAST: &str = "nullslast";

impl<M: Model> Order<M> {
    /// Parses an order: `created_at`, `-created_at` for descending,
    /// `-duration__nullsfirst` for NULL first, `meta.user.id` for a place in JSON.
    ///
    /// A place in JSON is in the order of `jsonb`: numbers by their value, strings, and
    /// values of different types apart. A missing value and `null` are NULL.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for an unknown field, and for another word after `__`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let (name, nulls) = split_field(M::TABLE, name);
        let order = Self {
            by: OrderBy {
                field: field_path(M::TABLE, name)?,
                target: None,
                descending,
                nulls_first: false,
            },
            of: PhantomData,
        };
        match nulls {
            None | Some(NULLS_LAST) => Ok(order),
            Some(NULLS_FIRST) => Ok(order.nulls_first()),
            Some(other) => Err(Error::invalid_field(
                M::TABLE.name,
                text,
                format!("{other} is not a place for null; write {NULLS_FIRST} or {NULLS_LAST}"),
            )),
        }
    }
}

impl OrderBy {
    /// Formats the order as text, which [`Order::parse`] reads.
    pub(super) fn to_text(&self, table: &'static Table) -> String {
        let mut name = self.field.to_text(self.def(table));
        if let Some(target) = &self.target {
            name.push_str(&target.to_text());
        }
        let minus = if self.descending { "-" } else { "" };
        if self.nulls_first {
            format!("{minus}{name}__{NULLS_FIRST}")
        } else {
            format!("{minus}{name}")
        }
    }

    pub(super) fn def(&self, table: &'static Table) -> &'static ColumnDef {
        &table.columns[self.field.column]
    }

    /// The value that records are ordered by, in SQL.
    pub(super) fn key(&self, table: &'static Table, sql: &mut Sql) -> Result<String, Error> {
        if let Some(target) = &self.target {
            target.sql(table, self.def(table), sql)
        } else if self.field.is_in_json() {
            self.field.json_value(table, sql)
        } else {
            Ok(self.def(table).order_key())
        }
    }

    /// Whether the value may be NULL.
    pub(super) fn is_nullable(&self, table: &'static Table) -> bool {
        // `nearest_to` leaves out records without a vector.
        self.target.is_none() && (self.field.is_in_json() || self.def(table).nullable)
    }

    /// The direction in `ORDER BY`. It omits the place of NULL for a column that
    /// cannot be NULL: an index would not support an order with it.
    pub(super) fn direction(&self, table: &'static Table) -> &'static str {
        let nullable = self.is_nullable(table);
        match (self.descending, nullable, self.nulls_first) {
            (false, false, _) => "ASC",
            (true, false, _) => "DESC",
            (false, true, false) => "ASC NULLS LAST",
            (true, true, false) => "DESC NULLS LAST",
            (false, true, true) => "ASC NULLS FIRST",
            (true, true, true) => "DESC NULLS FIRST",
        }
    }

    /// The reverse order.
    pub(super) fn reversed(self) -> Self {
        Self {
            field: self.field,
            target: self.target,
            descending: !self.descending,
            nulls_first: !self.nulls_first,
        }
    }
}

impl<M: Model> QueryBuilder<M> {
    /// The order of the query, then the newest id.
    pub(super) fn order(&self) -> Vec<OrderBy> {
        let table = M::TABLE;
        let id = table.index_of(ColumnRole::Id);
        let mut order = self.order.clone();
        // The id is unique: columns after it have no effect.
        match order.iter().position(|by| by.field.column == id) {
            Some(at) => order.truncate(at + 1),
            None => order.push(OrderBy {
                field: FieldPath::of_column(id),
                target: None,
                descending: true,
                nulls_first: false,
            }),
        }
        order
    }
}

impl<M> Clone for Order<M> {
    fn clone(&self) -> Self {
        Self {
            by: self.by.clone(),
            of: PhantomData,
        }
    }
}

impl<M> PartialEq for Order<M> {
    fn eq(&self, other: &Self) -> bool {
        self.by == other.by
    }
}

impl<M: Model> fmt::Debug for Order<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.by.to_text(M::TABLE))
    }
}

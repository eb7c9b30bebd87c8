//! Selected columns, instead of whole records.

use std::fmt;

use sqlx::postgres::PgRow;
use sqlx::{Row as _, ValueRef as _};

use super::bucket::Bucket;
use super::page_bytes::RowBytes;
use super::read::undecodable;
use super::{Page, QueryBuilder};
use crate::db::Db;
use crate::db::Sql;
use crate::error::Error;
use crate::filter::{FieldPath, field_path};
use crate::model::{ColumnDef, Model, Table};
use crate::query::{Column, NotNull, Nullable};
use crate::value::{ColumnValue, JsonMap};

/// The expressions of each row: a column, or a tuple of up to eight.
///
/// A nullable column gives an `Option`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not something that a query of `{M}` can give",
    note = "give a column of the model, or a tuple of up to eight: (Log::id(), Log::message())"
)]
pub trait Selection<M: Model>: Send + Sync {
    /// A row of the result.
    type Row: Send;

    /// Appends the expressions.
    #[doc(hidden)]
    fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error>;

    /// Reads their values, in the same order.
    #[doc(hidden)]
    fn read(&self, cells: &mut Cells<'_>) -> Result<Self::Row, sqlx::Error>;
}

/// A selection of columns only, for [`QueryBuilder::select`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a column of `{M}`, nor a tuple of columns",
    note = "give a column of the model, or a tuple of up to eight: (Log::id(), Log::message())"
)]
pub trait Columns<M: Model>: Selection<M> {}

/// The expressions of a `SELECT`.
#[doc(hidden)]
#[derive(Debug)]
pub struct Terms<'a> {
    pub(super) sql: &'a mut Sql,
    pub(super) list: Vec<String>,
    /// The order expression of each: its position, or its key.
    pub(super) orders: Vec<String>,
    /// The name of each in errors.
    names: Vec<String>,
    /// The kind of each.
    pub(super) kinds: Vec<TermKind>,
    /// Whether the rows are counts of records, of a roll-up, and not records.
    pub(super) rows_are_counts: bool,
}

/// The kind of an expression: whether roll-ups have it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TermKind {
    /// A column, or a place in its JSON.
    Place(FieldPath),
    /// The start of a bucket of time of a column.
    Bucket(&'static str, Bucket),
    /// An expression of the bucket before it.
    OfBucket,
    /// The number of records.
    Count,
    Other,
}

/// Reads the values of a row in order.
#[doc(hidden)]
#[derive(Debug)]
pub struct Cells<'a> {
    row: &'a PgRow,
    next: usize,
}

impl<'a> Terms<'a> {
    pub(super) fn new(sql: &'a mut Sql) -> Self {
        Self {
            sql,
            list: Vec::new(),
            orders: Vec::new(),
            names: Vec::new(),
            kinds: Vec::new(),
            rows_are_counts: false,
        }
    }

    /// Sets the kind of the last expression.
    pub(super) fn set_kind(&mut self, kind: TermKind) {
        if let Some(last) = self.kinds.last_mut() {
            *last = kind;
        }
    }

    /// Appends an expression that is computed from a column.
    pub(super) fn push(&mut self, column: &ColumnDef, term: String) {
        self.list.push(term);
        self.orders.push(self.list.len().to_string());
        self.names.push(column.name.to_owned());
        self.kinds.push(TermKind::Other);
    }

    pub(super) fn push_column(&mut self, table: &'static Table, index: usize) {
        let column = &table.columns[index];
        self.push(column, column.quoted());
        if let Some(order) = self.orders.last_mut() {
            *order = column.order_key();
        }
        self.set_kind(TermKind::Place(FieldPath::of_column(index)));
    }

    /// Appends a column, or a place in its JSON.
    pub(super) fn push_field(
        &mut self,
        table: &'static Table,
        field: &FieldPath,
    ) -> Result<(), Error> {
        if field.is_in_json() {
            let value = field.json_value(table, self.sql)?;
            self.push(&table.columns[field.column], value);
            self.set_kind(TermKind::Place(field.clone()));
        } else {
            self.push_column(table, field.column);
        }
        Ok(())
    }

    /// Formats the expressions with the names that [`Cells`] reads.
    pub(super) fn named(list: &[String]) -> String {
        let named: Vec<String> = (0..)
            .zip(list)
            .map(|(place, term)| format!("{term} AS {}", cell(place)))
            .collect();
        named.join(", ")
    }
}

fn cell(place: usize) -> String {
    format!("__cell{place}")
}

impl<'a> Cells<'a> {
    pub(super) fn new(row: &'a PgRow) -> Self {
        Self { row, next: 0 }
    }

    /// The next value, or `None` for NULL.
    pub(super) fn nullable<T: ColumnValue>(&mut self) -> Result<Option<T>, sqlx::Error> {
        let name = cell(self.next);
        self.next += 1;
        super::read_nullable(self.row, &name)
    }

    /// The next value, which is not NULL.
    pub(super) fn value<T: ColumnValue>(&mut self) -> Result<T, sqlx::Error> {
        let name = cell(self.next);
        self.nullable()?
            .ok_or_else(|| undecodable(&name, "the value is null".into()))
    }

    /// The next value as JSON, as the column formats it.
    pub(super) fn json(&mut self, column: &ColumnDef) -> Result<crate::Json, sqlx::Error> {
        let name = cell(self.next);
        self.next += 1;
        if self.row.try_get_raw(name.as_str())?.is_null() {
            return Ok(crate::Json::Null);
        }
        (column.read_json)(self.row, &name)
    }
}

impl<M: Model, T: ColumnValue> Selection<M> for Column<M, T, NotNull> {
    type Row = T;

    fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
        terms.push_column(M::TABLE, self.index());
        Ok(())
    }

    fn read(&self, cells: &mut Cells<'_>) -> Result<T, sqlx::Error> {
        cells.value()
    }
}

impl<M: Model, T: ColumnValue> Selection<M> for Column<M, T, Nullable> {
    type Row = Option<T>;

    fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
        terms.push_column(M::TABLE, self.index());
        Ok(())
    }

    fn read(&self, cells: &mut Cells<'_>) -> Result<Option<T>, sqlx::Error> {
        cells.nullable()
    }
}

impl<M: Model, T: ColumnValue> Columns<M> for Column<M, T, NotNull> {}
impl<M: Model, T: ColumnValue> Columns<M> for Column<M, T, Nullable> {}

/// Implements the traits of selections for tuples.
macro_rules! tuples {
    ($(($($name:ident)+))+) => {$(
        impl<M: Model, $($name: Selection<M>),+> Selection<M> for ($($name,)+) {
            type Row = ($($name::Row,)+);

            fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
                #[allow(non_snake_case, reason = "the names are those of type parameters")]
                let ($($name,)+) = self;
                $($name.push(terms)?;)+
                Ok(())
            }

            fn read(&self, cells: &mut Cells<'_>) -> Result<Self::Row, sqlx::Error> {
                #[allow(non_snake_case, reason = "the names are those of type parameters")]
                let ($($name,)+) = self;
                Ok(($($name.read(cells)?,)+))
            }
        }

        impl<M: Model, $($name: Columns<M>),+> Columns<M> for ($($name,)+) {}
        impl<M: Model, $($name: super::Keys<M>),+> super::Keys<M> for ($($name,)+) {}
        impl<M: Model, $($name: super::Measures<M>),+> super::Measures<M> for ($($name,)+) {}
    )+};
}

tuples! {
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
}

/// Visible columns by name, and places in JSON; each row is a JSON object.
#[derive(Clone, Debug)]
pub struct Fields(Vec<(String, FieldPath)>);

impl Fields {
    /// Parses the names of columns, and paths such as `meta.user.id`.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for an unknown or repeated name, or if there is none.
    pub fn parse<M: Model>(names: &[impl AsRef<str>]) -> Result<Self, Error> {
        let table = M::TABLE;
        let mut places = Vec::with_capacity(names.len());
        for name in names {
            let name = name.as_ref();
            let field = field_path(table, name)?;
            if places.iter().any(|(_, other)| *other == field) {
                return Err(Error::invalid_field(table.name, name, "is given twice"));
            }
            places.push((name.to_owned(), field));
        }
        if places.is_empty() {
            return Err(Error::invalid_field(
                table.name,
                "fields",
                "names no field; give at least one",
            ));
        }
        Ok(Self(places))
    }
}

impl<M: Model> Selection<M> for Fields {
    type Row = JsonMap;

    fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
        self.0
            .iter()
            .try_for_each(|(_, field)| terms.push_field(M::TABLE, field))
    }

    fn read(&self, cells: &mut Cells<'_>) -> Result<JsonMap, sqlx::Error> {
        let mut fields = JsonMap::new();
        for (name, field) in &self.0 {
            let value = cells.json(&M::TABLE.columns[field.column])?;
            fields.insert(name.clone(), value);
        }
        Ok(fields)
    }
}

impl<M: Model> Columns<M> for Fields {}

/// The shape of the rows of a result: whole records, or a selection.
pub(super) trait Shape<M: Model>: Send + Sync {
    type Row: Send;

    /// The list after `SELECT`.
    fn list(&self, sql: &mut Sql) -> Result<String, Error>;

    fn read(&self, row: &PgRow) -> Result<Self::Row, sqlx::Error>;

    /// The bytes of a row; `None` if they are not limited.
    fn bytes(&self) -> Option<&RowBytes> {
        None
    }
}

/// Whole records.
pub(super) struct WholeRecords {
    /// Their columns.
    pub(super) list: String,
    pub(super) bytes: RowBytes,
}

impl<M: Model> Shape<M> for WholeRecords {
    type Row = M;

    fn list(&self, _: &mut Sql) -> Result<String, Error> {
        Ok(self.list.clone())
    }

    fn read(&self, row: &PgRow) -> Result<M, sqlx::Error> {
        M::from_row(row)
    }

    fn bytes(&self) -> Option<&RowBytes> {
        Some(&self.bytes)
    }
}

pub(super) struct Selected<S>(pub(super) S);

impl<M: Model, S: Selection<M>> Shape<M> for Selected<S> {
    type Row = S::Row;

    fn list(&self, sql: &mut Sql) -> Result<String, Error> {
        let mut terms = Terms::new(sql);
        self.0.push(&mut terms)?;
        Ok(Terms::named(&terms.list))
    }

    fn read(&self, row: &PgRow) -> Result<S::Row, sqlx::Error> {
        self.0
            .read(&mut Cells::new(row))
            .map_err(|error| with_column_name::<M>(&self.0, error))
    }
}

/// Replaces the name of a cell in an error by the name of its column.
pub(super) fn with_column_name<M: Model>(
    selection: &impl Selection<M>,
    error: sqlx::Error,
) -> sqlx::Error {
    let sqlx::Error::ColumnDecode { index, source } = error else {
        return error;
    };
    let mut sql = Sql::default();
    let mut terms = Terms::new(&mut sql);
    // It succeeded when the statement was built.
    let names = match selection.push(&mut terms) {
        Ok(()) => terms.names,
        Err(_) => Vec::new(),
    };
    let mut named = (0..).zip(names);
    let name = named.find(|(place, _)| cell(*place) == index);
    sqlx::Error::ColumnDecode {
        index: name.map_or(index, |(_, name)| name),
        source,
    }
}

/// A borrowed selection.
impl<M: Model, S: Selection<M>> Selection<M> for &S {
    type Row = S::Row;

    fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
        (**self).push(terms)
    }

    fn read(&self, cells: &mut Cells<'_>) -> Result<S::Row, sqlx::Error> {
        (**self).read(cells)
    }
}

/// A query of selected columns, created by [`QueryBuilder::select`].
#[derive(Clone)]
pub struct Select<M, S> {
    pub(super) query: QueryBuilder<M>,
    pub(super) selection: S,
}

impl<M: Model, S> fmt::Debug for Select<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select")
            .field("query", &self.query)
            .finish_non_exhaustive()
    }
}

impl<M: Model> QueryBuilder<M> {
    /// Selects these columns instead of whole records.
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// use lookback::Log;
    ///
    /// let page = Log::records()
    ///     .filter(Log::level().eq("error"))
    ///     .select((Log::id(), Log::message(), Log::trace_id()))
    ///     .list(&pool)
    ///     .await?;
    /// for (id, message, trace_id) in page.data {
    ///     let (_, _, _): (i64, String, Option<String>) = (id, message, trace_id);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn select<S: Columns<M>>(self, columns: S) -> Select<M, S> {
        Select {
            query: self,
            selection: columns,
        }
    }

    /// As [`select`](Self::select), from the names of visible columns. Each row is a
    /// JSON object.
    ///
    /// # Errors
    ///
    /// As [`Fields::parse`].
    pub fn select_text(self, names: &[impl AsRef<str>]) -> Result<Select<M, Fields>, Error> {
        Ok(self.select(Fields::parse::<M>(names)?))
    }
}

impl<M: Model, S: Columns<M>> Select<M, S> {
    /// Reads a page of rows, and the total.
    ///
    /// # Errors
    ///
    /// As [`QueryBuilder::list`].
    pub async fn list<'c>(&self, db: impl Into<Db<'c>>) -> Result<Page<S::Row>, Error> {
        self.query.page(db.into(), &Selected(&self.selection)).await
    }

    /// Reads the first row in order, if there is any.
    ///
    /// # Errors
    ///
    /// As [`QueryBuilder::list`].
    pub async fn first<'c>(&self, db: impl Into<Db<'c>>) -> Result<Option<S::Row>, Error> {
        let one = self.query.clone().limit(1).without_total();
        let page = one.page(db.into(), &Selected(&self.selection)).await?;
        Ok(page.data.into_iter().next())
    }

    /// Reads the row of the record with this id.
    ///
    /// # Errors
    ///
    /// As [`QueryBuilder::get`].
    pub async fn get<'c>(&self, db: impl Into<Db<'c>>, id: i64) -> Result<S::Row, Error> {
        self.query
            .row_of(db.into(), id, &Selected(&self.selection))
            .await
    }
}

//! A statement that is being built: its text, and the values bound to it.

use std::fmt;

use futures_core::stream::BoxStream;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, PgConnection, Row as _, Type};

use crate::error::Error;
use crate::model::ColumnDef;
use crate::value::{Json, Parameter, Value};

/// A statement that is being built.
///
/// The text comes from this crate and from models. The values of callers are
/// bound, except for [numbers](Self::written) that the planner must see. So
/// [`query`](Self::query) and [`define`](Self::define), and no other places, may
/// mark the text as safe.
#[derive(Debug, Default)]
pub(crate) struct Sql {
    text: String,
    arguments: PgArguments,
    once: bool,
}

/// A part of a statement, whose values are bound in that statement.
///
/// It can be written in several places and binds its values once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fragment(String);

impl Fragment {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The planner's estimates for a statement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) rows: f64,
    /// In the planner's unit: reading one page sequentially.
    pub(crate) cost: f64,
}

impl Sql {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            arguments: PgArguments::default(),
            once: false,
        }
    }

    /// Marks the text as unlikely to be used again: it is not kept as a prepared
    /// statement.
    pub(crate) fn once(mut self) -> Self {
        self.once = true;
        self
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Binds a value and appends its placeholder.
    pub(crate) fn bind<'q, T>(&mut self, value: T) -> Result<(), Error>
    where
        T: Encode<'q, Postgres> + Type<Postgres>,
    {
        let placeholder = self.argument(value)?;
        self.push(&placeholder);
        Ok(())
    }

    /// Binds a value of a column and appends its placeholder.
    pub(crate) fn bind_value(&mut self, column: &ColumnDef, value: Value<'_>) -> Result<(), Error> {
        self.bind(Parameter {
            ty: column.ty,
            value,
        })?;
        if let Some(ty) = column.cast {
            self.push(&format!("::{ty}"));
        }
        Ok(())
    }

    /// Binds a value and returns its placeholder, which may be written more than
    /// once.
    pub(crate) fn argument<'q, T>(&mut self, value: T) -> Result<String, Error>
    where
        T: Encode<'q, Postgres> + Type<Postgres>,
    {
        // The protocol counts parameters in 16 bits.
        if self.arguments.len() >= usize::from(u16::MAX) {
            return Err(Error::from(sqlx::Error::Encode(
                "the filters of the query hold more than 65,535 values".into(),
            )));
        }
        self.arguments
            .add(value)
            .map_err(|error| Error::from(sqlx::Error::Encode(error)))?;
        Ok(format!("${}", self.arguments.len()))
    }

    /// Formats a number as a literal, such as the page size in a statement with
    /// a generic plan.
    ///
    /// PostgreSQL caches a generic plan for a prepared statement only if it
    /// estimates that plan to cost no more than custom plans. For a limit that
    /// is a parameter, it assumes a tenth of the table. So a statement with such
    /// a limit is planned each time, and with ten partitions planning takes
    /// longer than reading the page.
    ///
    /// Each number makes a separate prepared statement. On each connection the
    /// driver keeps the 100 most recently used ones. So use this for numbers
    /// with few distinct values, such as page sizes, and not for offsets or ids.
    pub(crate) fn written(number: u64) -> String {
        number.to_string()
    }

    /// Returns whether nothing has been written.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns the number of bound values.
    pub(crate) fn bound(&self) -> usize {
        self.arguments.len()
    }

    /// Writes a part of the statement separately, with its values bound to the
    /// statement.
    pub(crate) fn fragment(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<Fragment, Error> {
        let text = std::mem::take(&mut self.text);
        let written = write(self);
        let fragment = std::mem::replace(&mut self.text, text);
        written.map(|()| Fragment(fragment))
    }

    /// Binds a value of a column; the fragment may be written more than once.
    pub(crate) fn value(
        &mut self,
        column: &ColumnDef,
        value: Value<'_>,
    ) -> Result<Fragment, Error> {
        self.fragment(|sql| sql.bind_value(column, value))
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) async fn fetch_all(
        self,
        conn: &mut PgConnection,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        self.query().fetch_all(conn).await
    }

    pub(crate) async fn fetch_optional(
        self,
        conn: &mut PgConnection,
    ) -> Result<Option<PgRow>, sqlx::Error> {
        self.query().fetch_optional(conn).await
    }

    /// Returns the planner's estimates for the statement, without running it.
    ///
    /// `None` if the plan does not have them.
    pub(crate) async fn expected(
        mut self,
        conn: &mut PgConnection,
    ) -> Result<Option<Expected>, sqlx::Error> {
        self.text.insert_str(0, "EXPLAIN (FORMAT JSON) ");
        let row = self.fetch_optional(conn).await?;
        let plan: Option<Json> = row.map(|row| row.try_get(0)).transpose()?;
        let of = |what: &str| plan.as_ref()?[0]["Plan"][what].as_f64();
        Ok(of("Plan Rows")
            .zip(of("Total Cost"))
            .map(|(rows, cost)| Expected { rows, cost }))
    }

    /// Runs a statement that returns no rows, and returns the number of affected
    /// rows.
    pub(crate) async fn execute(self, conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
        Ok(self.query().execute(conn).await?.rows_affected())
    }

    /// Runs statements without bound values, all or none of them, in one message.
    ///
    /// It is for DDL, which needs no prepared statement.
    pub(crate) async fn define(self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        debug_assert_eq!(self.bound(), 0, "a definition takes no values");
        sqlx::raw_sql(AssertSqlSafe(self.text))
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Streams the rows as they arrive.
    pub(crate) fn fetch(
        self,
        conn: &mut PgConnection,
    ) -> BoxStream<'_, Result<PgRow, sqlx::Error>> {
        self.query().fetch(conn)
    }

    fn query(self) -> sqlx::query::Query<'static, Postgres, PgArguments> {
        sqlx::query_with(AssertSqlSafe(self.text), self.arguments).persistent(!self.once)
    }
}

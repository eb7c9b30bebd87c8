//! The QueryBuilder: everything that reads and writes the records of a model.

use std::fmt;
use std::marker::PhantomData;

use crate::column::{Column, Order};
use crate::error::Error;
use crate::filter::{Filter, Node, searchable};
use crate::model::{Model, Role, Table};
use crate::sql::Sql;
use crate::value::ColumnValue;

mod copy;
mod found;
mod page;
mod read;
pub(crate) mod write;

pub use page::{Page, Total};
pub use read::{read, read_hidden, read_hidden_nullable, read_nullable};
pub use write::check_new;

/// The number of records that `list` returns when no limit is set.
pub const DEFAULT_LIMIT: u32 = 50;

/// The largest limit.
pub const MAX_LIMIT: u32 = 10_000;

/// Reads and writes the records of a model.
///
/// Set up what the query is about (filters, search, order), then run it with
/// one of the `async` methods. A deleted record is not there for any of them,
/// unless [`with_deleted`](Self::with_deleted) or
/// [`only_deleted`](Self::only_deleted) asks for it.
///
/// A query holds no connection: each `async` method takes `&pool`, `&mut
/// connection` or `&mut transaction`.
///
/// ```no_run
/// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
/// use lookback::{Log, NewLog, Level};
///
/// let log = Log::records()
///     .create(&pool, NewLog::new("API", Level::Error, "connection refused"))
///     .await?;
///
/// let page = Log::records()
///     .filter(Log::level().eq(Level::Error))
///     .search("database connection error")
///     .limit(20)
///     .list(&pool)
///     .await?;
/// println!("{} of {}", page.data.len(), page.total);
///
/// Log::records().delete(&pool, log.id).await?;
/// # Ok(())
/// # }
/// ```
pub struct QueryBuilder<M> {
    filter: Vec<Node>,
    search: Option<String>,
    similar_to: Option<i64>,
    order: Vec<(usize, bool)>,
    limit: u32,
    offset: u64,
    deleted: Deleted,
    hidden: Vec<usize>,
    of: PhantomData<fn() -> M>,
}

/// Which records there are, for a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deleted {
    Without,
    With,
    Only,
}

impl<M: Model> fmt::Debug for QueryBuilder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Filters<'a>(&'a [Node], &'static Table);
        impl fmt::Debug for Filters<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|node| node.debug(self.1, f))
            }
        }
        f.debug_struct("QueryBuilder")
            .field("table", &M::TABLE.name)
            .field("filter", &Filters(&self.filter, M::TABLE))
            .field("search", &self.search)
            .field("similar_to", &self.similar_to)
            .field("limit", &self.limit)
            .field("offset", &self.offset)
            .field("deleted", &self.deleted)
            .finish_non_exhaustive()
    }
}

impl<M> Clone for QueryBuilder<M> {
    fn clone(&self) -> Self {
        Self {
            filter: self.filter.clone(),
            search: self.search.clone(),
            similar_to: self.similar_to,
            order: self.order.clone(),
            limit: self.limit,
            offset: self.offset,
            deleted: self.deleted,
            hidden: self.hidden.clone(),
            of: PhantomData,
        }
    }
}

impl<M: Model> Default for QueryBuilder<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Model> QueryBuilder<M> {
    /// A query of every live record, newest first.
    pub fn new() -> Self {
        Self {
            filter: Vec::new(),
            search: None,
            similar_to: None,
            order: Vec::new(),
            limit: DEFAULT_LIMIT,
            offset: 0,
            deleted: Deleted::Without,
            hidden: Vec::new(),
            of: PhantomData,
        }
    }

    /// Only records for which this filter is true, and every other filter of
    /// the query.
    #[must_use]
    pub fn filter(mut self, filter: Filter<M>) -> Self {
        self.filter.push(filter.node);
        self
    }

    /// Only records that these words find, the best first: see the guide page
    /// "Search".
    ///
    /// Takes words, `"exact phrases"`, `-without` and `field:value`. Whatever
    /// the text, it is no error: what is not read as one of these is a word,
    /// and a blank text is no search.
    #[must_use]
    pub fn search(mut self, words: impl Into<String>) -> Self {
        self.search = Some(words.into());
        self
    }

    /// Only records like this one, the nearest by embedding first. The record
    /// itself is left out, and so are records without an embedding.
    #[must_use]
    pub fn similar_to(mut self, id: i64) -> Self {
        self.similar_to = Some(id);
        self
    }

    /// Orders by this column, after any order given before; the newest id
    /// breaks ties. Without an order, the newest id is first.
    #[must_use]
    pub fn order_by(mut self, order: Order<M>) -> Self {
        self.order.push((order.index, order.descending));
        self
    }

    /// As [`order_by`](Self::order_by), from text: `created_at`, or
    /// `-created_at` for the largest first.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for a field that is not of the model.
    pub fn order_by_text(self, text: &str) -> Result<Self, Error> {
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let index = searchable(M::TABLE, name)?;
        Ok(self.order_by(Order::new(index, descending)))
    }

    /// At most this many records: 50 by default, at most 10,000.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// Leaves out this many records at the start.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Deleted records are there as well.
    #[must_use]
    pub fn with_deleted(mut self) -> Self {
        self.deleted = Deleted::With;
        self
    }

    /// Only deleted records are there.
    #[must_use]
    pub fn only_deleted(mut self) -> Self {
        self.deleted = Deleted::Only;
        self
    }

    /// Reads this hidden column too: `User::password_hash()`.
    #[must_use]
    pub fn with_hidden<T: ColumnValue>(mut self, column: Column<M, T>) -> Self {
        self.hidden.push(column.index());
        self
    }

    /// Appends ` WHERE …`: the filters, and which records there are. The one
    /// place where soft delete is applied.
    fn push_where(&self, sql: &mut Sql) -> Result<(), Error> {
        let deleted_at = M::TABLE.role(Role::DeletedAt).quoted();
        sql.push(" WHERE ");
        match self.deleted {
            Deleted::Without => sql.push(&format!("{deleted_at} IS NULL")),
            Deleted::With => sql.push("TRUE"),
            Deleted::Only => sql.push(&format!("{deleted_at} IS NOT NULL")),
        }
        for node in &self.filter {
            sql.push(" AND (");
            node.render(M::TABLE, sql)?;
            sql.push(")");
        }
        Ok(())
    }

    /// The columns to read: the visible ones, and the hidden ones asked for.
    fn selected(&self) -> String {
        M::TABLE
            .columns
            .iter()
            .enumerate()
            .filter(|(index, column)| !column.hidden || self.hidden.contains(index))
            .map(|(_, column)| column.quoted())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

//! The QueryBuilder: everything that reads and writes the records of a model.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::db::Sql;
use crate::error::Error;
use crate::filter::{Filter, Node};
use crate::model::{ColumnRole, Model, Table};
use crate::value::ColumnValue;

mod aggregate;
mod bucket;
mod column;
mod create;
mod create_many;
mod cursor;
mod fence;
mod found;
mod order;
mod page;
mod read;
mod remove;
mod select;
mod stream;
mod update;
mod upsert;
mod window;

pub use crate::write::check_new;
pub use aggregate::{Aggregate, Average, Grouped, Keys, Measures, TextKeys, TextMeasures, count};
pub use bucket::{Bucket, Bucketed};
pub use column::{Column, NotNull, Nullable, Operand};
pub use cursor::Cursor;
pub use order::Order;
pub use page::{Hits, Page, Total};
pub use read::{read, read_hidden, read_hidden_nullable, read_json, read_no_json, read_nullable};
pub use select::{Columns, Fields, Select, Selection};
pub use stream::Records;
pub use upsert::{UniqueKey, Upserted};

use cursor::Start;
use order::By;

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
    order: Vec<By>,
    limit: Option<u32>,
    offset: u64,
    start: Option<Start>,
    count: Count,
    unchanged_since: Option<DateTime<Utc>>,
    timeout: Option<Duration>,
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

/// How far records are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    All,
    UpTo(u64),
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
            .field("start", &self.start)
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
            start: self.start.clone(),
            count: self.count,
            unchanged_since: self.unchanged_since,
            timeout: self.timeout,
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
            limit: None,
            offset: 0,
            start: None,
            count: Count::All,
            unchanged_since: None,
            timeout: None,
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
        self.order.push(order.by);
        self
    }

    /// As [`order_by`](Self::order_by), from text: see [`Order::parse`].
    ///
    /// # Errors
    ///
    /// As [`Order::parse`].
    pub fn order_by_text(self, text: &str) -> Result<Self, Error> {
        Ok(self.order_by(Order::parse(text)?))
    }

    /// At most this many records: 50 by default, at most 10,000.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Leaves out this many records at the start.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Only what comes after this place: the next page, when it is
    /// [`Page::next`]. Pages by cursor neither skip nor repeat a record that was
    /// there all the time, whatever is added or deleted between them, and the
    /// thousandth costs no more than the first.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<Cursor>) -> Self {
        self.start = Some(Start::After(cursor.into().to_string()));
        self
    }

    /// Only what comes before this place, nearest to it: the page before, when
    /// it is [`Page::previous`]. The records come in the order of the query.
    #[must_use]
    pub fn before(mut self, cursor: impl Into<Cursor>) -> Self {
        self.start = Some(Start::Before(cursor.into().to_string()));
        self
    }

    /// Counts no further than this: beyond, [`Page::total`] is
    /// [`Total::AtLeast`]. Counting reads every record that the filters let
    /// through, which takes its time on a large table.
    #[must_use]
    pub fn total_up_to(mut self, records: u64) -> Self {
        self.count = Count::UpTo(records);
        self
    }

    /// Counts nothing: [`Page::total`] is at least what was seen.
    #[must_use]
    pub fn without_total(self) -> Self {
        self.total_up_to(0)
    }

    /// A read may take this long, counted for each statement it makes: beyond,
    /// the server stops working on it, and the error is
    /// [`is_too_slow`](Error::is_too_slow), with what to do as its
    /// [`hint`](Error::hint). Without it, and as zero, the server's own
    /// `statement_timeout` holds.
    ///
    /// It is set in a transaction of its own, so that a pool's connection keeps
    /// nothing of it; that costs three short round trips. In a transaction of
    /// the caller's it is set back after the read; a read that was too slow
    /// fails the transaction, as any error of the database does, and one whose
    /// future is dropped leaves it set until the transaction ends.
    ///
    /// Dropped half-way, such a read closes its connection to a pool, and a
    /// server on Linux notices within a second and stops.
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// use std::time::Duration;
    /// use lookback::Log;
    ///
    /// let query = Log::records()
    ///     .filter(Log::message().contains("refused"))
    ///     .timeout(Duration::from_secs(5));
    /// match query.list(&pool).await {
    ///     Err(error) if error.is_too_slow() => println!("{error}; {:?}", error.hint()),
    ///     page => println!("{}", page?.total),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
        self
    }

    /// The write that follows is of a record that was last changed at this
    /// time: if someone changed it since, nothing is written, and the error
    /// [`is_conflict`](Error::is_conflict). For
    /// [`update`](Self::update), [`delete`](Self::delete),
    /// [`restore`](Self::restore) and [`hard_delete`](Self::hard_delete).
    #[must_use]
    pub fn if_updated_at(mut self, time: DateTime<Utc>) -> Self {
        self.unchanged_since = Some(time);
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
    pub fn with_hidden<T: ColumnValue, N>(mut self, column: Column<M, T, N>) -> Self {
        self.hidden.push(column.index());
        self
    }

    /// Appends ` WHERE …`: the filters, and which records there are. The one
    /// place where soft delete is applied.
    fn push_where(&self, sql: &mut Sql) -> Result<(), Error> {
        let deleted_at = M::TABLE.column_of(ColumnRole::DeletedAt).quoted();
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

    /// A condition on a record that says that neither it nor another of its kind
    /// passes the filters: by filters on search fields that are the same for all
    /// of a kind, since they are not null and have no digit. Empty if there are
    /// none.
    fn never(&self) -> Result<Sql, Error> {
        let table = M::TABLE;
        let mut sql = Sql::default();
        for node in &self.filter {
            let mut columns = Vec::new();
            let is_of_columns = node.columns(&mut columns);
            let is_fixed = |place: &usize| {
                let column = &table.columns[*place];
                table.search.contains(place)
                    && column.ty == crate::ColumnType::Text
                    && column.cast.is_none()
                    && !column.nullable
            };
            if !is_of_columns || columns.is_empty() || !columns.iter().all(is_fixed) {
                continue;
            }
            if !sql.is_empty() {
                sql.push(" OR ");
            }
            sql.push("(NOT (");
            node.render(table, &mut sql)?;
            sql.push(")");
            for place in columns {
                let column = table.columns[place].quoted();
                sql.push(&format!(" AND {column}::text !~ '[0-9]'"));
            }
            sql.push(")");
        }
        Ok(sql)
    }

    /// Refuses whatever but filters was set, for what would not heed it.
    fn only_filters(&self, what: &str) -> Result<(), Error> {
        let set = [
            ("search", self.search.is_some()),
            ("similar_to", self.similar_to.is_some()),
            ("order_by", !self.order.is_empty()),
            ("limit", self.limit.is_some()),
            ("offset", self.offset > 0),
            ("after", self.start.is_some()),
        ];
        match set.iter().find(|(_, set)| *set) {
            Some((field, _)) => Err(Error::invalid_field(
                M::TABLE.name,
                *field,
                format!("does not go with {what}"),
            )),
            None => Ok(()),
        }
    }

    /// Refuses a query that does not say by filters which records it is about.
    fn chosen_by_filters(&self, what: &str) -> Result<(), Error> {
        self.only_filters(what)?;
        self.not_by_time(what)?;
        self.not_timed(what)?;
        match self.filter.is_empty() {
            true => Err(Error::invalid_field(
                M::TABLE.name,
                "filter",
                format!("is missing; it says which {what}, and Filter::all() means every one"),
            )),
            false => Ok(()),
        }
    }

    fn not_by_time(&self, what: &str) -> Result<(), Error> {
        match self.unchanged_since {
            Some(_) => Err(Error::invalid_field(
                M::TABLE.name,
                "if_updated_at",
                format!("does not go with {what}: it is of one record, written by its id"),
            )),
            None => Ok(()),
        }
    }

    /// Refuses a time limit, which is for reads.
    fn not_timed(&self, what: &str) -> Result<(), Error> {
        match self.timeout {
            Some(_) => Err(Error::invalid_field(
                M::TABLE.name,
                "timeout",
                format!("does not go with {what}; it is for reads of a page or a number"),
            )),
            None => Ok(()),
        }
    }

    /// Refuses a query of deleted records alone, for what is of live ones.
    fn not_only_deleted(&self, what: &str) -> Result<(), Error> {
        match self.deleted {
            Deleted::Only => Err(Error::invalid_field(
                M::TABLE.name,
                "only_deleted",
                format!("does not go with {what}, which are live"),
            )),
            Deleted::With | Deleted::Without => Ok(()),
        }
    }

    /// Refuses a query that asks for anything, for what asks nothing.
    fn nothing_asked(&self, what: &str) -> Result<(), Error> {
        self.only_filters(what)?;
        self.not_by_time(what)?;
        self.not_timed(what)?;
        match self.filter.is_empty() {
            true => Ok(()),
            false => Err(Error::invalid_field(
                M::TABLE.name,
                "filter",
                format!("does not go with {what}"),
            )),
        }
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

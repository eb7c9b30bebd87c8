//! The query builder: reading and writing the records of a model.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::db::Sql;
use crate::error::Error;
use crate::filter::{FieldPath, Filter, Matching, Node};
use crate::model::{ColumnDef, ColumnRole, Model, Table};
use crate::search::{Query, Terms};
use crate::value::ColumnValue;

mod aggregate;
mod assignment;
mod bucket;
mod column;
mod create;
mod create_many;
mod create_or_ignore;
mod cursor;
mod delete;
mod fence;
mod folded_page;
mod folded_similar;
mod found;
mod hit_page;
mod import_many;
mod json_place;
mod match_rows;
mod nearest;
mod order;
mod page;
mod page_bound;
mod page_bytes;
mod patterns;
mod read;
mod rollup;
mod search_page;
mod select;
mod shown_patterns;
mod similar;
mod stream;
mod tail;
mod update;
mod upsert;
mod upsert_many;

pub use crate::write::check_new;
pub use aggregate::{Aggregate, Average, Grouped, Keys, Measures, TextKeys, TextMeasures, count};
pub use assignment::{Assignment, Steps};
pub use bucket::{Bucket, Bucketed};
pub use column::{Column, NotNull, Nullable, Operand};
pub use cursor::Cursor;
pub use import_many::{EncodedRecords, Imported};
pub use nearest::{Distance, DistanceTo};
pub use order::Order;
pub use page::{Hits, Page, Total};
pub use patterns::{Pattern, PatternPage, Patterns};
#[doc(hidden)]
pub use read::{read, read_hidden, read_hidden_nullable, read_json, read_nullable};
pub use select::{Columns, Fields, Select, Selection};
pub use stream::Records;
pub use tail::{Arrivals, ArrivedPage, ArrivedRecord, Position, Tail};
pub use upsert::{UniqueKey, Upserted};
pub use upsert_many::UpsertedMany;

use assignment::Term;
use cursor::PageStart;
use order::OrderBy;

/// The number of records that `list` returns when no limit is set.
pub const DEFAULT_LIMIT: u32 = 50;

/// The largest limit.
pub const MAX_LIMIT: u32 = 10_000;

/// Reads and writes the records of a model.
///
/// Describe the query (filters, search, order), then run it with one of the
/// `async` methods. None of them sees deleted records, unless
/// [`with_deleted`](Self::with_deleted) or
/// [`only_deleted`](Self::only_deleted) is set.
///
/// A query holds no connection: each `async` method accepts `&pool`, `&mut connection` or
/// `&mut transaction`.
///
/// ```no_run
/// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
/// use lookback::{Level, Log, NewLog};
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
    order: Vec<OrderBy>,
    distance: Distance,
    limit: Option<u32>,
    offset: u64,
    start: Option<PageStart>,
    count: Count,
    if_updated_at: Option<DateTime<Utc>>,
    /// Columns that the next update computes.
    assignments: Vec<(usize, Term)>,
    timeout: Option<Duration>,
    page_bytes: Option<u64>,
    deleted: Deleted,
    hidden: Vec<usize>,
    folds: bool,
    of: PhantomData<fn() -> M>,
}

/// Whether a query sees deleted records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deleted {
    Without,
    With,
    Only,
}

/// The number up to which records are counted.
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
            distance: self.distance,
            limit: self.limit,
            offset: self.offset,
            start: self.start.clone(),
            count: self.count,
            if_updated_at: self.if_updated_at,
            assignments: self.assignments.clone(),
            timeout: self.timeout,
            page_bytes: self.page_bytes,
            deleted: self.deleted,
            hidden: self.hidden.clone(),
            folds: self.folds,
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
    /// Starts a query of every live record, newest first.
    pub fn new() -> Self {
        Self {
            filter: Vec::new(),
            search: None,
            similar_to: None,
            order: Vec::new(),
            distance: Distance::default(),
            limit: None,
            offset: 0,
            start: None,
            count: Count::All,
            if_updated_at: None,
            assignments: Vec::new(),
            timeout: None,
            page_bytes: None,
            deleted: Deleted::Without,
            hidden: Vec::new(),
            folds: false,
            of: PhantomData,
        }
    }

    /// Restricts the query to records that match this filter and every other filter
    /// of the query.
    #[must_use]
    pub fn filter(mut self, filter: Filter<M>) -> Self {
        self.filter.push(filter.node);
        self
    }

    /// Restricts the query to records that have all words of a text: see [`Filter::matching`].
    ///
    /// Unlike [`search`](Self::search), it orders nothing: the newest record is first, or the
    /// order is that of [`order_by`](Self::order_by).
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// use lookback::Log;
    /// use lookback::query::{Bucket, count};
    ///
    /// let refused = Log::records().matching("connection refused -cache");
    /// let newest = refused.clone().limit(20).without_total().list(&pool).await?;
    /// let hour = Log::created_at().bucket(Bucket::hours(1));
    /// let by_hour = refused.group_by(hour).aggregate(&pool, count()).await?;
    /// # let _ = (newest, by_hour);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn matching(self, text: impl AsRef<str>) -> Self {
        self.filter(Filter::matching(text))
    }

    /// Restricts the query to records that a search puts first: those with all its words that pass
    /// its `field:value`, phrases and exclusions.
    ///
    /// As [`matching`](Self::matching), but for any text of a [`search`](Self::search), to count
    /// or export what it finds. A blank text restricts nothing.
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// use lookback::Log;
    /// use lookback::query::count;
    ///
    /// let refused = Log::records().matching_search("connection refused level:error");
    /// println!("{} lines", refused.aggregate(&pool, count()).await?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn matching_search(mut self, text: impl AsRef<str>) -> Self {
        let terms = Terms::parse(M::TABLE, text.as_ref());
        if terms.is_empty() {
            return self;
        }
        if !terms.is_only_filters() {
            let words = Query::new(&terms).required_words();
            if !words.is_empty() {
                self.filter.push(Node::Matching(Matching {
                    text: terms.words.join(" "),
                    words,
                    phrases: Vec::new(),
                    without: Vec::new(),
                }));
            }
        }
        self.filter.extend(terms.into_filters());
        self
    }

    /// Restricts the query to records that a search finds, the best first.
    ///
    /// The text has words, `"exact phrases"`, `-without` and `field:value`; see the
    /// guide page "Search". Every text is valid: other syntax is a word, and a blank
    /// text is no search.
    #[must_use]
    pub fn search(mut self, words: impl Into<String>) -> Self {
        self.search = Some(words.into());
        self
    }

    /// Restricts the query to records similar to this one, the most similar first.
    ///
    /// The record itself and records without an embedding are excluded.
    #[must_use]
    pub fn similar_to(mut self, id: i64) -> Self {
        self.similar_to = Some(id);
        self
    }

    /// Folds copies: hits of a search that differ only in numbers and ids, and have as
    /// many of its words, are one row; so are records equally similar to one.
    ///
    /// The row is the best of them, the newest of equals; [`Hit::copies`](crate::search::Hit::copies)
    /// is their number, and the times of the first and the last. Limit, offset and cursors
    /// are then in rows, and [`Hits::folded`] is their number. A list without a search stays
    /// as it is.
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// use lookback::Log;
    ///
    /// let hits = Log::records().search("refused").fold_copies().hits(&pool).await?;
    /// for hit in hits.data {
    ///     if let Some(copies) = hit.copies {
    ///         println!("{} times: {}", copies.count, hit.record.message);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn fold_copies(mut self) -> Self {
        self.folds = true;
        self
    }

    /// Orders by this column, after the orders that were set before.
    ///
    /// The newest id breaks ties. Without an order, the newest id is first.
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

    /// Limits the number of records: 50 by default, at most 10,000.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Skips this many records.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Starts after this cursor: with [`Page::next`], on the next page.
    ///
    /// Pages by cursor neither skip nor repeat a record that exists the whole time,
    /// whatever is added or deleted between them. The thousandth page costs as much
    /// as the first.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<Cursor>) -> Self {
        self.start = Some(PageStart::After(cursor.into().to_string()));
        self
    }

    /// Ends before this cursor: with [`Page::previous`], on the previous page. The
    /// records are in the order of the query.
    #[must_use]
    pub fn before(mut self, cursor: impl Into<Cursor>) -> Self {
        self.start = Some(PageStart::Before(cursor.into().to_string()));
        self
    }

    /// Stops counting at this number; a larger [`Page::total`] is
    /// [`Total::AtLeast`].
    ///
    /// Counting reads every record that the filters match, which is slow on a large
    /// table.
    #[must_use]
    pub fn total_up_to(mut self, records: u64) -> Self {
        self.count = Count::UpTo(records);
        self
    }

    /// Does not count: [`Page::total`] is at least the number of records read.
    #[must_use]
    pub fn without_total(self) -> Self {
        self.total_up_to(0)
    }

    /// Limits the time of each statement of a read.
    ///
    /// The server stops a statement that takes longer, and the error
    /// [`is_too_slow`](Error::is_too_slow); its [`remedy`](Error::remedy) has the next
    /// step. Without a limit, or with zero, the server's own `statement_timeout` applies.
    ///
    /// The limit is set in a transaction of the read itself, so that the connection
    /// of a pool does not keep it; that costs three short round trips. In the
    /// caller's transaction it is reset after the read. A read that was too slow
    /// fails that transaction, as every database error does, and a read whose future
    /// is dropped leaves the limit set until the transaction ends.
    ///
    /// A dropped read closes its connection to a pool; a server on Linux notices
    /// within a second and stops.
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
    ///     Err(error) if error.is_too_slow() => println!("{error}; {:?}", error.remedy()),
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

    /// Ends a page of whole records early, once its records have about this many bytes.
    ///
    /// A page then has fewer records than its limit, at least one, and
    /// [`Page::next`] (or [`previous`](Page::previous) of a page that ends
    /// [`before`](Self::before) a cursor) is that of the others. Texts, JSON, bytes and arrays
    /// are counted, as they are when they are not compressed. A page in the order of a hidden
    /// column has no cursors, and so no limit. Without it, or with zero, a page has any size:
    /// 10,000 log lines of a megabyte are ten gigabytes.
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// use lookback::Log;
    ///
    /// let page = Log::records().limit(10_000).max_page_bytes(16 << 20).list(&pool).await?;
    /// # let _ = page.next;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn max_page_bytes(mut self, bytes: u64) -> Self {
        self.page_bytes = Some(bytes).filter(|bytes| *bytes > 0);
        self
    }

    /// Writes only if the record was last changed at this time.
    ///
    /// If it has changed since, nothing is written, and the error
    /// [`is_conflict`](Error::is_conflict). Applies to [`update`](Self::update),
    /// [`delete`](Self::delete), [`restore`](Self::restore) and
    /// [`hard_delete`](Self::hard_delete).
    #[must_use]
    pub fn if_updated_at(mut self, time: DateTime<Utc>) -> Self {
        self.if_updated_at = Some(time);
        self
    }

    /// Includes deleted records.
    #[must_use]
    pub fn with_deleted(mut self) -> Self {
        self.deleted = Deleted::With;
        self
    }

    /// Restricts the query to deleted records.
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

    /// Appends ` WHERE …`: soft delete and the filters.
    fn push_where(&self, sql: &mut Sql) -> Result<(), Error> {
        sql.push(" WHERE ");
        self.push_condition(sql)
    }

    /// Appends the condition of [`push_where`](Self::push_where). The only place where soft
    /// delete is applied.
    fn push_condition(&self, sql: &mut Sql) -> Result<(), Error> {
        let deleted_at = M::TABLE.column_of(ColumnRole::DeletedAt).quoted();
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

    /// Appends the condition that neither a record nor another one with its template
    /// passes the filters.
    ///
    /// It has the filters on search fields that are not NULL and have no digit, because
    /// they are the same for all records of a template. Nothing is appended if there are
    /// no such filters.
    fn push_template_exclusion(&self, sql: &mut Sql) -> Result<(), Error> {
        let table = M::TABLE;
        for node in &self.filter {
            let mut places = Vec::new();
            let has_only_places = node.places(&mut places);
            let is_fixed = |place: &FieldPath| {
                let column = &table.columns[place.column];
                table.search.contains(&place.column)
                    && column.ty == crate::value::ColumnType::Text
                    && column.cast.is_none()
                    && !column.nullable
            };
            if !has_only_places || places.is_empty() || !places.iter().all(is_fixed) {
                continue;
            }
            if !sql.is_empty() {
                sql.push(" OR ");
            }
            sql.push("(NOT (");
            node.render(table, sql)?;
            sql.push(")");
            for place in places {
                let column = table.columns[place.column].quoted();
                sql.push(&format!(" AND {column}::text !~ '[0-9]'"));
            }
            sql.push(")");
        }
        Ok(())
    }

    /// Returns an error if a setting other than a filter is set, for a method that
    /// would ignore it.
    fn check_only_filters(&self, what: &str) -> Result<(), Error> {
        let set = [
            ("search", self.search.is_some()),
            ("similar_to", self.similar_to.is_some()),
            ("order_by", !self.order.is_empty()),
            ("limit", self.limit.is_some()),
            ("offset", self.offset > 0),
            ("after", self.start.is_some()),
            ("set", !self.assignments.is_empty()),
        ];
        match set.iter().find(|(_, set)| *set) {
            Some((field, _)) => Err(Error::invalid_field(
                M::TABLE.name,
                *field,
                format!("cannot be combined with {what}"),
            )),
            None => Ok(()),
        }
    }

    /// Returns an error if a write of many records has no filter, or another setting.
    fn check_has_filter(&self, what: &str) -> Result<(), Error> {
        self.check_only_filters(what)?;
        self.check_no_if_updated_at(what)?;
        self.check_no_timeout(what)?;
        if self.filter.is_empty() {
            Err(Error::invalid_field(
                M::TABLE.name,
                "filter",
                format!("is required; use Filter::all() for every one of the {what}"),
            ))
        } else {
            Ok(())
        }
    }

    /// Returns an error if `if_updated_at` is set, for a method that would ignore it.
    fn check_no_if_updated_at(&self, what: &str) -> Result<(), Error> {
        if !self.assignments.is_empty() {
            return Err(Error::invalid_field(
                M::TABLE.name,
                "set",
                format!("cannot be combined with {what}: it applies to an update"),
            ));
        }
        match self.if_updated_at {
            Some(_) => Err(Error::invalid_field(
                M::TABLE.name,
                "if_updated_at",
                format!(
                    "cannot be combined with {what}: it applies to a write of one record by its id"
                ),
            )),
            None => Ok(()),
        }
    }

    /// Returns an error if there is a time limit, which is for reads.
    fn check_no_timeout(&self, what: &str) -> Result<(), Error> {
        match self.timeout {
            Some(_) => Err(Error::invalid_field(
                M::TABLE.name,
                "timeout",
                format!(
                    "cannot be combined with {what}; it applies only to reads of pages and counts"
                ),
            )),
            None => Ok(()),
        }
    }

    /// Returns an error for a query of deleted records, in a method for live ones.
    fn check_not_only_deleted(&self, what: &str) -> Result<(), Error> {
        match self.deleted {
            Deleted::Only => Err(Error::invalid_field(
                M::TABLE.name,
                "only_deleted",
                format!("cannot be combined with {what}, which are live"),
            )),
            Deleted::With | Deleted::Without => Ok(()),
        }
    }

    /// Returns an error if any condition is set, for a method that has none.
    fn check_no_conditions(&self, what: &str) -> Result<(), Error> {
        self.check_only_filters(what)?;
        self.check_no_if_updated_at(what)?;
        self.check_no_timeout(what)?;
        if self.filter.is_empty() {
            Ok(())
        } else {
            Err(Error::invalid_field(
                M::TABLE.name,
                "filter",
                format!("cannot be combined with {what}"),
            ))
        }
    }

    /// Returns the columns to read: the visible ones, and the selected hidden ones.
    fn selected(&self) -> String {
        self.selected_columns()
            .map(ColumnDef::quoted)
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn selected_columns(&self) -> impl Iterator<Item = &'static ColumnDef> {
        let columns = M::TABLE.columns.iter().enumerate();
        columns
            .filter(|(index, column)| !column.hidden || self.hidden.contains(index))
            .map(|(_, column)| column)
    }
}

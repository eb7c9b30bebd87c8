//! Aggregates: counts, sums, averages and percentiles of all records, or of each
//! group.

use std::fmt;
use std::marker::PhantomData;

mod text;

pub use text::{TextKeys, TextMeasures};

use super::rollup::Source;
use super::select::{Cells, Selected, Selection, Shape, TermKind, Terms, with_column_name};
use super::{MAX_LIMIT, QueryBuilder};
use crate::db::Db;
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnDef, Model};
use crate::query::{Column, NotNull, Nullable};
use crate::value::{ColumnType, ColumnValue, ErrorRate, JsonNumber, Ordered};

/// The keys of a group: columns and buckets of time, or a tuple of up to eight.
#[diagnostic::on_unimplemented(
    message = "records of `{M}` are not grouped by `{Self}`",
    note = "group by a column, by a bucket of time such as Log::created_at().bucket(Bucket::day()), \
            or by a tuple of them"
)]
pub trait Keys<M: Model>: Selection<M> {}

/// The aggregates of each group: [`count()`], a method of a column such as
/// [`avg`](Column::avg), or a tuple of up to eight.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate of records of `{M}`",
    note = "give count(), or min, max, avg, sum, percentile or count_distinct of a column, \
            or a tuple of them"
)]
pub trait Measures<M: Model>: Selection<M> {}

impl<M: Model, T: ColumnValue> Keys<M> for Column<M, T, NotNull> {}
impl<M: Model, T: ColumnValue> Keys<M> for Column<M, T, Nullable> {}

/// A type of numbers, which have an average.
#[diagnostic::on_unimplemented(
    message = "there is no mean of `{Self}`",
    note = "avg, sum and percentile are of columns of numbers"
)]
pub trait Average: ColumnValue {
    /// The type of averages and sums: a float, or a number with every digit for `i64` and
    /// decimal numbers.
    type Result;
}

impl Average for i16 {
    type Result = f64;
}

impl Average for f32 {
    type Result = f64;
}

#[cfg(feature = "rust_decimal")]
impl Average for crate::value::Decimal {
    type Result = JsonNumber;
}

impl Average for JsonNumber {
    type Result = Self;
}

impl Average for i32 {
    type Result = f64;
}

impl Average for i64 {
    type Result = JsonNumber;
}

impl Average for f64 {
    type Result = Self;
}

impl Average for ErrorRate {
    type Result = f64;
}

/// An aggregate of the records of each group, with a result of type `V`.
pub struct Aggregate<M, V> {
    call: AggregateCall,
    model: PhantomData<fn() -> (M, V)>,
}

/// An aggregate function and its column, for any model.
#[derive(Clone, Copy, Debug, PartialEq)]
struct AggregateCall {
    function: AggregateFunction,
    column: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum AggregateFunction {
    Count,
    CountDistinct,
    Min,
    Max,
    Sum,
    Avg,
    Percentile(f64),
}

/// The number of records.
pub fn count<M: Model>() -> Aggregate<M, i64> {
    Aggregate::new(AggregateFunction::Count, 0)
}

impl<M: Model, T: ColumnValue, N> Column<M, T, N> {
    /// The number of distinct values, without NULL.
    pub fn count_distinct(self) -> Aggregate<M, i64> {
        Aggregate::new(AggregateFunction::CountDistinct, self.index())
    }
}

impl<M: Model, T: Ordered, N> Column<M, T, N> {
    /// The smallest value, or `None` if there is none. Text is compared by its
    /// collation, an enum by the order of its variants.
    pub fn min(self) -> Aggregate<M, Option<T>> {
        Aggregate::new(AggregateFunction::Min, self.index())
    }

    /// The largest value, or `None` if there is none.
    pub fn max(self) -> Aggregate<M, Option<T>> {
        Aggregate::new(AggregateFunction::Max, self.index())
    }
}

impl<M: Model, T: Average, N> Column<M, T, N> {
    /// The average, or `None` if there is no value. NULL is ignored.
    ///
    /// That of `i64` and of decimal numbers is computed as PostgreSQL's `numeric`, and has all
    /// its digits.
    pub fn avg(self) -> Aggregate<M, Option<T::Result>> {
        Aggregate::new(AggregateFunction::Avg, self.index())
    }

    /// The sum, or `None` if there is no value.
    ///
    /// That of `i64` and of decimal numbers is exact. Others are floats, which are exact for whole numbers up to
    /// 2^53.
    pub fn sum(self) -> Aggregate<M, Option<T::Result>> {
        Aggregate::new(AggregateFunction::Sum, self.index())
    }

    /// The value that this share of the values, from 0 to 1, does not exceed, or
    /// `None` if there is no value.
    ///
    /// It interpolates between two values, as PostgreSQL's `percentile_cont`. It is computed
    /// with floats, and so is exact for whole numbers up to 2^53.
    pub fn percentile(self, share: f64) -> Aggregate<M, Option<f64>> {
        Aggregate::new(AggregateFunction::Percentile(share), self.index())
    }
}

impl<M, V> Aggregate<M, V> {
    fn new(function: AggregateFunction, column: usize) -> Self {
        Self {
            call: AggregateCall { function, column },
            model: PhantomData,
        }
    }
}

impl AggregateCall {
    fn push<M: Model>(self, terms: &mut Terms<'_>) -> Result<(), Error> {
        let column = &M::TABLE.columns[self.column];
        let name = column.quoted();
        let term = match self.function {
            AggregateFunction::Count => {
                // Counts of a roll-up are added up.
                let count = if terms.rows_are_counts {
                    "coalesce(sum(__rows), 0)::bigint"
                } else {
                    "count(*)"
                };
                terms.push(column, count.to_owned());
                terms.set_kind(TermKind::Count);
                return Ok(());
            }
            AggregateFunction::CountDistinct => format!("count(DISTINCT {name})"),
            AggregateFunction::Min => extreme("min", column),
            AggregateFunction::Max => extreme("max", column),
            AggregateFunction::Sum if is_exact(column) => {
                push_exact(column, format!("sum({name})"), terms);
                return Ok(());
            }
            AggregateFunction::Avg if is_exact(column) => {
                push_exact(column, average(&name), terms);
                return Ok(());
            }
            AggregateFunction::Sum => scaled(column, format!("sum({name})::float8")),
            AggregateFunction::Avg => scaled(column, format!("avg({name})::float8")),
            AggregateFunction::Percentile(share) => {
                if !(0.0..=1.0).contains(&share) {
                    return Err(Error::invalid_field(
                        M::TABLE.name,
                        column.name,
                        format!("{share} is not a share from 0 to 1, such as 0.95"),
                    ));
                }
                let share = terms.sql.argument(share)?;
                scaled(
                    column,
                    format!("percentile_cont({share}) WITHIN GROUP (ORDER BY {name}::float8)"),
                )
            }
        };
        terms.push(column, term);
        Ok(())
    }
}

/// Whether sums and averages of a column are exact: those of `bigint` and `numeric` are
/// `numeric`.
fn is_exact(column: &ColumnDef) -> bool {
    matches!(column.ty, ColumnType::Int8 | ColumnType::Numeric)
        && (column.scale - 1.0).abs() < f64::EPSILON
}

/// The average as a `numeric`. PostgreSQL's `avg` has no fraction for numbers of 17 digits; a
/// quotient has at least the scale of its numerator.
fn average(number: &str) -> String {
    format!("sum({number}) * 1.0000000000000000 / nullif(count({number}), 0)")
}

/// Appends a `numeric`, without zeros at the end of a fraction.
fn push_exact(column: &ColumnDef, term: String, terms: &mut Terms<'_>) {
    terms.push(column, format!("trim_scale(({term})::numeric)"));
}

/// Scales a number to the unit that the column has in Rust.
fn scaled(column: &ColumnDef, term: String) -> String {
    match column.scale {
        1.0 => term,
        scale => format!("{term} * {scale:e}::float8"),
    }
}

/// The smallest or largest value, in the order that `order_by` uses.
fn extreme(function: &str, column: &ColumnDef) -> String {
    match column.listed() {
        Some(listed) => format!("({listed})[{function}({})]", column.order_key()),
        // PostgreSQL has no `min` of them. Their text has the same order.
        None if column.ty == ColumnType::Uuid => {
            format!("{function}({}::text COLLATE \"C\")::uuid", column.quoted())
        }
        None => format!("{function}({})", column.quoted()),
    }
}

impl<M: Model> Selection<M> for Aggregate<M, i64> {
    type Row = i64;

    fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
        self.call.push::<M>(terms)
    }

    fn read(&self, cells: &mut Cells<'_>) -> Result<i64, sqlx::Error> {
        cells.value()
    }
}

impl<M: Model, T: ColumnValue> Selection<M> for Aggregate<M, Option<T>> {
    type Row = Option<T>;

    fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
        self.call.push::<M>(terms)
    }

    fn read(&self, cells: &mut Cells<'_>) -> Result<Option<T>, sqlx::Error> {
        cells.nullable()
    }
}

impl<M: Model> Measures<M> for Aggregate<M, i64> {}
impl<M: Model, T: ColumnValue> Measures<M> for Aggregate<M, Option<T>> {}

/// A query that returns a row for each group of records, created by
/// [`QueryBuilder::group_by`].
#[derive(Clone)]
pub struct Grouped<M, K> {
    query: QueryBuilder<M>,
    keys: K,
    top: Option<u32>,
}

impl<M: Model> QueryBuilder<M> {
    /// Groups records with equal keys.
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// use lookback::{Log, RequestSnapshot};
    /// use lookback::query::{Bucket, count};
    ///
    /// // How many lines of each level there are in each hour.
    /// let rows = Log::records()
    ///     .group_by((Log::created_at().bucket(Bucket::hours(1)), Log::level()))
    ///     .aggregate(&pool, count())
    ///     .await?;
    /// for ((hour, level), lines) in rows {
    ///     println!("{hour} {level} {lines}");
    /// }
    ///
    /// // The ten paths that are asked for most, and how long they take.
    /// let duration = RequestSnapshot::duration();
    /// let slow = RequestSnapshot::records()
    ///     .group_by(RequestSnapshot::path())
    ///     .top(10)
    ///     .aggregate(&pool, (count(), duration.avg(), duration.percentile(0.95)))
    ///     .await?;
    /// # let _ = slow;
    /// # Ok(())
    /// # }
    /// ```
    pub fn group_by<K: Keys<M>>(self, keys: K) -> Grouped<M, K> {
        Grouped {
            query: self,
            keys,
            top: None,
        }
    }

    /// As [`group_by`](Self::group_by), from text: names of visible fields, and of
    /// times with a [`Bucket`](crate::query::Bucket), `created_at__1h`. Each key is a JSON
    /// object.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for an unknown field or bucket.
    pub fn group_by_text(self, keys: &[impl AsRef<str>]) -> Result<Grouped<M, TextKeys>, Error> {
        Ok(self.group_by(TextKeys::parse::<M>(keys)?))
    }

    /// Computes aggregates of all records.
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// use lookback::Log;
    /// use lookback::query::count;
    ///
    /// let (lines, last) = Log::records()
    ///     .filter(Log::level().eq("error"))
    ///     .aggregate(&pool, (count(), Log::created_at().max()))
    ///     .await?;
    /// # let _ = (lines, last);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for a filter whose value its column cannot have, a
    /// percentile that is not from 0 to 1, or a query that has a search, an
    /// order or a page.
    pub async fn aggregate<'c, A: Measures<M>>(
        &self,
        db: impl Into<Db<'c>>,
        measures: A,
    ) -> Result<A::Row, Error> {
        let table = M::TABLE;
        self.check_only_filters("aggregates")?;
        self.check_no_if_updated_at("aggregates")?;
        let kinds = kinds(|terms| measures.push(terms))?;
        let plan = self.rollup_plan(&kinds);
        let statement = |source: &Source<'_>| {
            let mut sql = Sql::default();
            let mut terms = Terms::new(&mut sql);
            terms.rows_are_counts = source.is_rollup();
            measures.push(&mut terms)?;
            let list = Terms::named(&terms.list);
            sql.push(&format!("SELECT {list} FROM "));
            self.push_source(source, &mut sql)?;
            Ok(sql)
        };
        let mut session = db.into().limited(self.timeout).await?;
        let rows = self
            .fetch_from(plan.as_ref(), &mut session, &statement)
            .await;
        let rows = session.end(table, rows).await?;
        let row = rows
            .first()
            .ok_or_else(|| Error::from(sqlx::Error::RowNotFound))?;
        Shape::<M>::read(&Selected(&measures), row)
            .map_err(|error| Error::of_record(table, "all records", error))
    }
}

impl<M: Model, K: Keys<M>> Grouped<M, K> {
    /// Limits the result to the groups with the largest first measure, largest first.
    #[must_use]
    pub fn top(mut self, groups: u32) -> Self {
        self.top = Some(groups);
        self
    }

    /// Computes aggregates of each group: pairs of its keys and its measures, in the
    /// order of the keys, NULL last.
    ///
    /// # Errors
    ///
    /// As [`QueryBuilder::aggregate`], and [`Error::is_invalid`] for more than
    /// 10,000 groups without a [`top`](Self::top).
    pub async fn aggregate<'c, A: Measures<M>>(
        &self,
        db: impl Into<Db<'c>>,
        measures: A,
    ) -> Result<Vec<(K::Row, A::Row)>, Error> {
        let table = M::TABLE;
        self.query.check_only_filters("groups of records")?;
        self.query.check_no_if_updated_at("groups of records")?;
        let refuse = |problem: String| Err(Error::invalid_field(table.name, "group_by", problem));
        if let Some(top) = self.top
            && top > MAX_LIMIT
        {
            return refuse(format!("the top {top} are more than {MAX_LIMIT} groups"));
        }
        let kinds = kinds(|terms| {
            self.keys.push(terms)?;
            measures.push(terms)
        })?;
        let plan = self.query.rollup_plan(&kinds);
        let statement = |source: &Source<'_>| {
            let mut sql = Sql::default();
            let mut terms = Terms::new(&mut sql);
            terms.rows_are_counts = source.is_rollup();
            self.keys.push(&mut terms)?;
            let keys = terms.list.len();
            measures.push(&mut terms)?;
            let (list, orders) = (Terms::named(&terms.list), terms.orders);
            sql.push(&format!("SELECT {list} FROM "));
            self.query.push_source(source, &mut sql)?;
            let places: Vec<String> = (1..=keys).map(|place| place.to_string()).collect();
            sql.push(&format!(" GROUP BY {}", places.join(", ")));
            if source.is_rollup() {
                // A group whose records were all removed.
                sql.push(" HAVING sum(__rows) <> 0");
            }
            let mut order: Vec<String> = orders[..keys].to_vec();
            if self.top.is_some() {
                order.insert(0, format!("{} DESC NULLS LAST", orders[keys]));
            }
            let limit = self.top.unwrap_or(MAX_LIMIT + 1);
            sql.push(&format!(" ORDER BY {} LIMIT {limit}", order.join(", ")));
            Ok(sql)
        };
        let mut session = db.into().limited(self.query.timeout).await?;
        let rows = self
            .query
            .fetch_from(plan.as_ref(), &mut session, &statement)
            .await
            .map_err(|error| error.with_field("group_by"));
        let rows = session.end(table, rows).await?;
        if rows.len() > MAX_LIMIT as usize {
            return refuse(format!(
                "makes more than {MAX_LIMIT} groups; add a filter, use longer time buckets, \
                 or ask for the top ones"
            ));
        }
        let mut groups = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut cells = Cells::new(row);
            let read = |cells: &mut Cells<'_>| {
                let keys = self.keys.read(cells)?;
                Ok((keys, measures.read(cells)?))
            };
            let group = read(&mut cells);
            groups.push(group.map_err(|error| {
                let error = with_column_name(&(&self.keys, &measures), error);
                Error::of_record(table, "a group", error)
            })?);
        }
        Ok(groups)
    }
}

/// Returns the kinds of the expressions that `push` appends.
fn kinds(push: impl FnOnce(&mut Terms<'_>) -> Result<(), Error>) -> Result<Vec<TermKind>, Error> {
    let mut sql = Sql::default();
    let mut terms = Terms::new(&mut sql);
    push(&mut terms)?;
    Ok(terms.kinds)
}

impl<M, V> Clone for Aggregate<M, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, V> Copy for Aggregate<M, V> {}

impl<M: Model, V> fmt::Debug for Aggregate<M, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = M::TABLE.columns[self.call.column].name;
        match self.call.function {
            AggregateFunction::Count => f.write_str("count()"),
            function => write!(f, "{function:?}({name})"),
        }
    }
}

impl<M: Model, K> fmt::Debug for Grouped<M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grouped")
            .field("query", &self.query)
            .field("top", &self.top)
            .finish_non_exhaustive()
    }
}

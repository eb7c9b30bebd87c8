//! Reading records: `get`, `first`, `count`, `exists` and `list`.

use std::collections::HashMap;

use sqlx::error::BoxDynError;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _, ValueRef as _};

use super::create::not_found;
use super::cursor::{self, Cursor, OrderKey, PageStart};
use super::match_rows::fetch_matched;
use super::nearest::begin_scan;
use super::order::OrderBy;
use super::page_bound::PageOrder;
use super::page_bytes::{self, RowBytes};
use super::rollup::{RollupPlan, Source};
use super::select::{Shape, TermKind, WholeRecords};
use super::{Count, DEFAULT_LIMIT, MAX_LIMIT, Page, QueryBuilder, Total};
use crate::db::Sql;
use crate::db::{Db, Session};
use crate::error::Error;
use crate::model::{ColumnRole, Model};
use crate::value::Hidden;
use crate::value::{ColumnValue, Json};

impl<M: Model> QueryBuilder<M> {
    /// Reads the record with this id.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if no record that the query matches has this id;
    /// [`Error::is_invalid`] if the query has a search, an order or a page.
    pub async fn get<'c>(&self, db: impl Into<Db<'c>>, id: i64) -> Result<M, Error> {
        self.row_of(db.into(), id, &self.whole()).await
    }

    pub(super) async fn row_of<S: Shape<M>>(
        &self,
        db: Db<'_>,
        id: i64,
        shape: &S,
    ) -> Result<S::Row, Error> {
        let table = M::TABLE;
        self.check_only_filters("a record read by its id")?;
        self.check_no_if_updated_at("a record to read")?;
        let mut sql = Sql::default();
        let list = shape.list(&mut sql)?;
        sql.push(&format!("SELECT {list} FROM {}", table.quoted()));
        self.push_where(&mut sql)?;
        sql.push(&format!(
            " AND {} = ",
            table.column_of(ColumnRole::Id).quoted()
        ));
        sql.bind(id)?;
        let mut session = db.limited(self.timeout).await?;
        let row = sql
            .fetch_optional(session.conn())
            .await
            .map_err(|error| Error::from_driver(table, error));
        match session.end(table, row).await? {
            Some(row) => shape
                .read(&row)
                .map_err(|error| Error::of_record(table, format!("record {id}"), error)),
            None => Err(not_found(table, id)),
        }
    }

    /// Reads the first record in order, if there is any.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn first<'c>(&self, db: impl Into<Db<'c>>) -> Result<Option<M>, Error> {
        let page = self.clone().limit(1).without_total().list(db).await?;
        Ok(page.data.into_iter().next())
    }

    /// Counts the records on all pages.
    ///
    /// It is exact, unless [`total_up_to`](Self::total_up_to) limits counting or a
    /// search has more candidates than it looks at.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn count<'c>(&self, db: impl Into<Db<'c>>) -> Result<Total, Error> {
        Ok(self.clone().limit(0).list(db).await?.total)
    }

    /// Returns whether the query matches any record. Stops at the first one.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn exists<'c>(&self, db: impl Into<Db<'c>>) -> Result<bool, Error> {
        let table = M::TABLE;
        if self.search.is_some() || self.similar_to.is_some() {
            return Ok(self.first(db).await?.is_some());
        }
        self.check_page()?;
        let mut session = db.into().limited(self.timeout).await?;
        let found = self.exists_on(session.conn()).await;
        session.end(table, found).await
    }

    async fn exists_on(&self, conn: &mut PgConnection) -> Result<bool, Error> {
        let table = M::TABLE;
        let resolved = self.resolved(conn).await?;
        let start = resolved.as_ref().unwrap_or(self).start.as_ref();
        let mut sql = Sql::new(&format!("SELECT EXISTS (SELECT 1 FROM {}", table.quoted()));
        self.push_where(&mut sql)?;
        if let Some(start) = start {
            cursor::push_start(table, &self.order(), start, &mut sql)?;
        }
        // A page with limit 0 has no record.
        self.push_limit(&mut sql)?;
        sql.push(")");
        let row = sql
            .fetch_optional(conn)
            .await
            .map_err(|error| Error::from_driver(table, error))?;
        Ok(match row {
            Some(row) => row.try_get(0)?,
            None => false,
        })
    }

    /// Reads a page of records, and the total.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for a filter with a value that its column cannot have, a
    /// limit over 10,000, a cursor of another list, an offset together with a cursor,
    /// or a search or [`similar_to`](Self::similar_to) together with an order or with
    /// each other; [`Error::is_not_found`] if the record of `similar_to` is not found.
    pub async fn list<'c>(&self, db: impl Into<Db<'c>>) -> Result<Page<M>, Error> {
        self.page(db.into(), &self.whole()).await
    }

    pub(super) fn whole(&self) -> WholeRecords {
        WholeRecords {
            list: self.selected(),
            bytes: RowBytes::of_columns(self.selected_columns()),
        }
    }

    /// Returns an error for an invalid limit, offset or cursor.
    pub(super) fn check_page(&self) -> Result<(), Error> {
        let refuse =
            |field, problem: String| Err(Error::invalid_field(M::TABLE.name, field, problem));
        self.check_no_if_updated_at("records to list")?;
        if let Some(limit) = self.limit
            && limit > MAX_LIMIT
        {
            return refuse(
                "limit",
                format!("{limit} is more than {MAX_LIMIT}; read page by page"),
            );
        }
        self.check_offset()
    }

    /// Returns an error for an invalid offset.
    pub(super) fn check_offset(&self) -> Result<(), Error> {
        let refuse =
            |field, problem: String| Err(Error::invalid_field(M::TABLE.name, field, problem));
        if i64::try_from(self.offset).is_err() {
            return refuse("offset", "is beyond the last record of any table".into());
        }
        if self.start.is_some() && self.offset > 0 {
            return refuse(
                "offset",
                "cannot be combined with a cursor; give one of them".into(),
            );
        }
        Ok(())
    }

    /// Appends the start of the page, the order, the limit if there is one, and the
    /// offset.
    pub(super) fn push_page(&self, sql: &mut Sql) -> Result<(), Error> {
        let table = M::TABLE;
        let order = self.order();
        if let Some(start) = &self.start {
            cursor::push_start(table, &order, start, sql)?;
        }
        let mut keys = Vec::with_capacity(order.len());
        for by in &order {
            keys.push(format!("{} {}", by.key(table, sql)?, by.direction(table)));
        }
        sql.push(&format!(" ORDER BY {}", keys.join(", ")));
        self.push_limit(sql)
    }

    /// Appends the limit and the offset, if there are any: Citus takes a limit of NULL beside an
    /// offset for 0.
    fn push_limit(&self, sql: &mut Sql) -> Result<(), Error> {
        if let Some(limit) = self.limit {
            sql.push(" LIMIT ");
            sql.bind(i64::from(limit))?;
        }
        if self.offset > 0 {
            sql.push(" OFFSET ");
            sql.bind(i64::try_from(self.offset).unwrap_or(i64::MAX))?;
        }
        Ok(())
    }

    /// Reads a page without a search, in one statement: the page and the total are of
    /// the same moment.
    pub(super) async fn list_ordered<S: Shape<M>>(
        &self,
        conn: &mut PgConnection,
        shape: &S,
    ) -> Result<Page<S::Row>, Error> {
        let fenced = self.is_fenced(conn).await?;
        let resolved = self.resolved(conn).await?;
        let query = resolved.as_ref().unwrap_or(self);
        let plan = match self.count {
            Count::All => self.rollup_plan(&[TermKind::Count]),
            Count::UpTo(_) => None,
        };
        let mut order = query.page_order(conn).await?;
        let mut rows = query
            .fetch_page(shape, fenced, &order, plan.as_ref(), conn)
            .await?;
        // No record beyond a bound belongs to a page that is full within it.
        let read = self.rows_read(shape, &rows)?.unwrap_or(rows.len());
        if read <= self.page_size() as usize && order.bound.take().is_some() {
            order.rows = None;
            rows = query
                .fetch_page(shape, fenced, &order, plan.as_ref(), conn)
                .await?;
        }
        self.page_of_rows(shape, &rows)
    }

    async fn fetch_page<S: Shape<M>>(
        &self,
        shape: &S,
        fenced: bool,
        order: &PageOrder,
        plan: Option<&RollupPlan>,
        conn: &mut PgConnection,
    ) -> Result<Vec<PgRow>, Error> {
        let statement = |source: &Source<'_>| self.list_statement(shape, fenced, order, source);
        if order.rows.is_some() {
            return fetch_matched::<M>(conn, statement(&Source::Records)?).await;
        }
        self.fetch_rows(plan, conn, &statement).await
    }

    /// Reads a page in the order of a distance.
    pub(super) async fn list_nearest<S: Shape<M>>(
        &self,
        session: &mut Session<'_>,
        shape: &S,
    ) -> Result<Page<S::Row>, Error> {
        let mut settings = begin_scan(session.conn()).await?;
        let page = self.list_ordered(settings.conn(), shape).await;
        let (_, ended) = settings.end().await;
        let page = page?;
        ended?;
        Ok(page)
    }

    /// Returns the query with a start that has all values of its cursor; `None` if this one
    /// has them.
    pub(super) async fn resolved(&self, conn: &mut PgConnection) -> Result<Option<Self>, Error> {
        let Some(start) = &self.start else {
            return Ok(None);
        };
        let start = cursor::resolve(M::TABLE, &self.order(), start, conn).await?;
        Ok(start.map(|start| Self {
            start: Some(start),
            ..self.clone()
        }))
    }

    /// Returns the statement that reads a page and its total.
    fn list_statement<S: Shape<M>>(
        &self,
        shape: &S,
        fenced: bool,
        page_order: &PageOrder,
        counted: &Source<'_>,
    ) -> Result<Sql, Error> {
        let table = M::TABLE;
        let mut sql = Sql::default();
        let list = shape.list(&mut sql)?;
        let before = sql.bound();
        let filter = sql.fragment(|sql| self.push_where(sql))?;
        // A generic plan is the best for all values if there are none, or only the id at which
        // the page starts. With other values it may not be: for a rare time or name, a generic
        // plan reads the table from its newest record.
        let keeps_plan = sql.bound() == before
            && self.offset == 0
            && *page_order == PageOrder::default()
            && (self.start.is_none() || self.order().len() == 1);
        let number = |sql: &mut Sql, number: u64| {
            if keeps_plan {
                Ok(Sql::written(number))
            } else {
                sql.argument(i64::try_from(number).unwrap_or(i64::MAX))
            }
        };
        let start = sql.fragment(|sql| {
            if let Some(start) = &self.start {
                cursor::push_start(table, &self.order(), start, sql)?;
            }
            self.push_page_order(page_order, sql)
        })?;
        // One record more than the page shows whether there is a next page.
        let limit = match self.page_size() {
            0 => 0,
            size => u64::from(size) + 1,
        };
        let limit = number(&mut sql, limit)?;
        let offset = number(&mut sql, self.offset)?;

        let mut order = self.order();
        if self.is_backwards() {
            order = order.into_iter().map(OrderBy::reversed).collect();
        }
        // The keys are selected beside the columns: a key may not be among the columns, and
        // only the outermost ORDER BY is binding.
        let (mut kept, mut inner, mut outer) = (String::new(), Vec::new(), Vec::new());
        for (place, by) in order.into_iter().enumerate() {
            let key = OrderKey::of(table, by, &mut sql)?;
            let (alias, direction) = (OrderKey::alias(place), key.by.direction(table));
            kept.push_str(&format!(", {} AS {alias}", key.sql));
            inner.push(format!("{} {direction}", key.sql));
            outer.push(format!("page.{alias} {direction}"));
        }
        let from = match &page_order.rows {
            Some(rows) => rows.from(table, &mut sql)?,
            None => table.quoted(),
        };
        let count = match self.count {
            Count::All if counted.is_rollup() => {
                let counts = sql.fragment(|sql| self.push_source(counted, sql))?;
                format!("SELECT coalesce(sum(__rows), 0)::bigint AS total FROM {counts}")
            }
            Count::All => format!("SELECT count(*) AS total FROM {from}{filter}"),
            Count::UpTo(0) => "SELECT NULL::bigint AS total".to_owned(),
            Count::UpTo(most) => {
                let most = most.saturating_add(1).min(i64::MAX.unsigned_abs());
                let most = number(&mut sql, most)?;
                format!(
                    "SELECT count(*) AS total FROM (SELECT 1 FROM {from}{filter} LIMIT {most}) AS capped"
                )
            }
        };
        let records = if fenced && page_order.rows.is_none() {
            // An OFFSET is an optimization fence: the planner cannot push the outer order inside.
            format!("(SELECT * FROM {from}{filter} OFFSET 0) AS fenced WHERE TRUE")
        } else {
            format!("{from}{filter}")
        };
        let (inner, outer) = (inner.join(", "), outer.join(", "));
        let mut page = format!(
            "SELECT {list}{kept} FROM {records}{start} ORDER BY {inner} LIMIT {limit} OFFSET {offset}"
        );
        if let Some((most, bytes)) = self.bytes_of_page(shape) {
            page = bytes.limit(&page, most, &outer);
        }
        sql.push(&format!(
            "SELECT matched.total AS __total, page.* FROM ({count}) AS matched \
             LEFT JOIN LATERAL ({page}) AS page ON TRUE \
             ORDER BY {outer}",
        ));
        Ok(sql)
    }

    /// Builds a page from the rows of a [`list_statement`](Self::list_statement).
    fn page_of_rows<S: Shape<M>>(&self, shape: &S, rows: &[PgRow]) -> Result<Page<S::Row>, Error> {
        let table = M::TABLE;
        // There is always one row, for the total; on an empty page its keys are NULL.
        let counted: Option<i64> = match rows.first() {
            Some(row) => row.try_get("__total")?,
            None => None,
        };
        let id = OrderKey::alias(self.order().len() - 1);
        let mut found: Vec<&PgRow> = Vec::with_capacity(rows.len());
        for row in rows {
            if row.try_get::<Option<i64>, _>(id.as_str())?.is_some() {
                found.push(row);
            }
        }
        let read = self.rows_read(shape, rows)?.unwrap_or(found.len());
        found.truncate(self.page_size() as usize);
        let more = read > found.len();
        if self.is_backwards() {
            found.reverse();
        }
        let total = match (counted.map(i64::unsigned_abs), self.count) {
            (Some(total), Count::UpTo(most)) if total > most => Total::AtLeast(most),
            (Some(total), _) => Total::Exact(total),
            (None, _) => {
                let seen = self.offset + found.len() as u64 + u64::from(more);
                Total::AtLeast(if found.is_empty() { 0 } else { seen })
            }
        };
        let [next, previous] = self.cursors(&found, more)?;
        let mut data = Vec::with_capacity(found.len());
        for row in found {
            let read = shape.read(row).map_err(|error| {
                let id: i64 = row.try_get(id.as_str()).unwrap_or_default();
                Error::of_record(table, format!("record {id}"), error)
            });
            data.push(read?);
        }
        Ok(Page {
            data,
            total,
            next,
            previous,
        })
    }

    /// Returns the cursors of the next and of the previous page; `more` states whether there
    /// are records beyond the end that was read last.
    fn cursors(&self, found: &[&PgRow], more: bool) -> Result<[Option<Cursor>; 2], Error> {
        let table = M::TABLE;
        let keys = cursor::keys(table, &self.order(), &mut Sql::default())?;
        let is_open = keys.iter().all(|key| key.is_visible(table));
        let cursor_of = |row: Option<&&PgRow>, exists: bool| -> Result<Option<Cursor>, Error> {
            match row {
                Some(row) if exists && is_open => Ok(Some(Cursor::of_row(table, &keys, row)?)),
                _ => Ok(None),
            }
        };
        let backwards = self.is_backwards();
        let came_after = matches!(self.start, Some(PageStart::After(_))) || self.offset > 0;
        Ok([
            cursor_of(found.last(), backwards || more)?,
            cursor_of(found.first(), if backwards { more } else { came_after })?,
        ])
    }

    /// Returns the number of rows of a page before it was ended by their bytes; `None` if
    /// those are not limited.
    fn rows_read<S: Shape<M>>(
        &self,
        shape: &S,
        rows: &[PgRow],
    ) -> Result<Option<usize>, sqlx::Error> {
        match rows.first() {
            Some(row) if self.bytes_of_page(shape).is_some() => {
                page_bytes::rows_read(row).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Returns the limit of the bytes of a page, and the bytes of a row.
    ///
    /// There is none for an order by a hidden column: the others would be on no page, since
    /// that order has no cursors.
    pub(super) fn bytes_of_page<'s, S: Shape<M>>(
        &self,
        shape: &'s S,
    ) -> Option<(u64, &'s RowBytes)> {
        let is_hidden = |by: &OrderBy| by.def(M::TABLE).hidden;
        let (most, bytes) = self.page_bytes.zip(shape.bytes())?;
        (!self.order().iter().any(is_hidden)).then_some((most, bytes))
    }

    pub(super) fn page_size(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT)
    }

    pub(super) fn is_backwards(&self) -> bool {
        matches!(self.start, Some(PageStart::Before(_)))
    }

    /// Reads the rows of the records with these ids that the query matches, in the
    /// order of the ids, each with the index of its id.
    pub(super) async fn rows_of<S: Shape<M>>(
        &self,
        session: &mut Session<'_>,
        ids: &[i64],
        shape: &S,
    ) -> Result<Vec<(usize, S::Row)>, Error> {
        let table = M::TABLE;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::default();
        let list = shape.list(&mut sql)?;
        let (id, key) = (table.column_of(ColumnRole::Id).quoted(), OrderKey::alias(0));
        sql.push(&format!(
            "SELECT {list}, {id} AS {key} FROM {}",
            table.quoted()
        ));
        self.push_where(&mut sql)?;
        sql.push(&format!(" AND {id} = ANY("));
        sql.bind(ids.to_vec())?;
        sql.push(")");
        let rows = sql
            .fetch_all(session.conn())
            .await
            .map_err(|error| Error::from_driver(table, error))?;
        let places: HashMap<i64, usize> = (0..).zip(ids).map(|(place, id)| (*id, place)).collect();
        let mut placed = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: i64 = row.try_get(key.as_str())?;
            let read = shape
                .read(row)
                .map_err(|error| Error::of_record(table, format!("record {id}"), error))?;
            placed.extend(places.get(&id).map(|place| (*place, read)));
        }
        placed.sort_by_key(|(place, _)| *place);
        Ok(placed)
    }
}

/// Reads a column of a row; used by generated code.
///
/// # Errors
///
/// A missing column, or a value that is not a `T`.
pub fn read<T: ColumnValue>(row: &PgRow, name: &str) -> Result<T, sqlx::Error> {
    read_nullable(row, name)?.ok_or_else(|| undecodable(name, "the value is null".into()))
}

/// Reads a nullable column of a row; used by generated code.
///
/// # Errors
///
/// As [`read`].
pub fn read_nullable<T: ColumnValue>(row: &PgRow, name: &str) -> Result<Option<T>, sqlx::Error> {
    let value = row.try_get_raw(name)?;
    if value.is_null() {
        return Ok(None);
    }
    T::from_database(value)
        .map(Some)
        .map_err(|error| undecodable(name, error))
}

/// Reads a column of a row as JSON; used by generated code.
///
/// # Errors
///
/// As [`read`].
pub fn read_json<T: ColumnValue>(row: &PgRow, name: &str) -> Result<Json, sqlx::Error> {
    let value: T = read(row, name)?;
    Ok(value.to_json().into_owned())
}

/// Reads a hidden column, which may be missing from the row; used by generated
/// code.
///
/// # Errors
///
/// A value that is not a `T`.
pub fn read_hidden<T: ColumnValue>(row: &PgRow, name: &str) -> Result<Hidden<T>, sqlx::Error> {
    if_selected(read(row, name))
}

/// Reads a hidden nullable column; used by generated code.
///
/// # Errors
///
/// As [`read_hidden`].
pub fn read_hidden_nullable<T: ColumnValue>(
    row: &PgRow,
    name: &str,
) -> Result<Hidden<Option<T>>, sqlx::Error> {
    if_selected(read_nullable(row, name))
}

fn if_selected<T>(read: Result<T, sqlx::Error>) -> Result<Hidden<T>, sqlx::Error> {
    match read {
        Ok(value) => Ok(Hidden::present(value)),
        Err(sqlx::Error::ColumnNotFound(_)) => Ok(Hidden::absent()),
        Err(error) => Err(error),
    }
}

pub(super) fn undecodable(name: &str, source: BoxDynError) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: name.to_owned(),
        source,
    }
}

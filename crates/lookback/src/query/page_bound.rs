//! The bound of a page in the order of a time, or of matches in the order of ids.
//!
//! PostgreSQL does not know that ids and times increase together. For the newest records by
//! `created_at`, it reads and sorts all records. So a bound is looked for first: a time from
//! which on enough records match. The statement of the page gets it as one more condition,
//! which the BRIN index on the time serves.
//!
//! Nor does it know how many records have some words. For the newest with two common ones, it
//! may read and sort all, instead of reading from the newest id on until the page is full. So
//! the same is done with a bound on the id.
//!
//! Where a bound comes from cannot make a page wrong: if a page within a bound is full, no
//! record beyond the bound belongs to it; if it is not full, it is read without a bound.
//! Ids and the times of segments are only hints of where the nearest records are. PostgreSQL
//! keeps the index right for every program that writes.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::{Count, QueryBuilder, cursor};
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnRole, Model, Table};
use crate::search::{CAN_READ_SEGMENTS, MatchRows, NearestSegments};
use crate::value::{ColumnType, StoredTime};

/// The number of records that are looked at first: those with the nearest ids.
const NEAREST_IDS: u64 = 1_024;

/// The number of records with the nearest ids in which matches are looked for: at first, and if
/// the rows that may match are not known.
const NEAREST_MATCHES: u64 = 4_096;
const FARTHER_MATCHES: u64 = 65_536;

/// The largest page, with what it skips, for which a bound is looked for.
const MAX_WANTED: u64 = 50_000;

/// The number of sealed records within a bound, by their segments, above which a better bound is
/// looked for: ids are not in the order of times.
const MANY_RECORDS: i64 = 200_000;

/// The number of sealed records in which matching ones are looked for at first, how much it grows,
/// and the share of all of them from which on all are read.
const FIRST_RECORDS: i64 = 8_192;
const GROWTH: i64 = 4;
const MAX_SHARE: i64 = 3;

/// What is known of the records of a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PageOrder {
    /// A bound within which the page is full.
    pub(super) bound: Option<PageBound>,
    /// Whether few of the nearest records match.
    is_rare: bool,
    /// The rows that may have the words of the filters, from the bound on if there is one.
    pub(super) rows: Option<MatchRows>,
}

/// A time or an id that no record of a page is beyond.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PageBound {
    column: usize,
    /// Whether the page starts with the newest record.
    descending: bool,
    value: BoundValue,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum BoundValue {
    Time(StoredTime),
    Id(i64),
}

impl PageBound {
    /// Appends ` AND …`: the record is not beyond the bound.
    pub(super) fn push(&self, table: &'static Table, sql: &mut Sql) -> Result<(), Error> {
        let operator = if self.descending { ">=" } else { "<=" };
        let column = table.columns[self.column].quoted();
        sql.push(&format!(" AND {column} {operator} "));
        match self.value {
            BoundValue::Time(time) => sql.bind(time),
            BoundValue::Id(id) => sql.bind(id),
        }
    }
}

/// The time or the id that a page is ordered by.
#[derive(Clone, Copy, Debug)]
struct PageKey {
    column: usize,
    is_id: bool,
    descending: bool,
}

impl PageKey {
    fn bound(self, value: BoundValue) -> PageBound {
        PageBound {
            column: self.column,
            descending: self.descending,
            value,
        }
    }

    /// Reads the bound that a probe has found.
    fn read(self, row: &PgRow) -> Result<Option<PageBound>, sqlx::Error> {
        let value = if self.is_id {
            row.try_get::<Option<i64>, _>("bound")?.map(BoundValue::Id)
        } else {
            let time: Option<StoredTime> = row.try_get("bound")?;
            time.map(BoundValue::Time)
        };
        Ok(value.map(|value| self.bound(value)))
    }

    fn direction(self) -> &'static str {
        if self.descending { "DESC" } else { "ASC" }
    }

    /// The aggregate that returns the time farthest from the start of the page.
    fn farthest(self) -> &'static str {
        if self.descending { "min" } else { "max" }
    }
}

/// Where matching records are looked for.
#[derive(Clone, Copy, Debug)]
enum Place<'a> {
    /// Among this many records with the ids nearest to the start of the page.
    NearestIds(u64),
    /// Among the records within a bound.
    Within(&'a PageBound),
}

impl<M: Model> QueryBuilder<M> {
    /// Looks for a bound of the page, if its order is that of a time, or if it has matches in the
    /// order of ids.
    pub(super) async fn page_order(&self, conn: &mut PgConnection) -> Result<PageOrder, Error> {
        let table = M::TABLE;
        let mut order = PageOrder::default();
        let wanted = self.offset.saturating_add(u64::from(self.page_size()) + 1);
        let has_page = self.limit != Some(0) && wanted <= MAX_WANTED;
        let key = self.page_key().filter(|_| has_page);
        if self.has_words()
            && let Some(found) = self.order_of_matches(key, wanted, conn).await?
        {
            return Ok(found);
        }
        let Some(key) = key else {
            return Ok(order);
        };
        if key.is_id {
            let place = Place::NearestIds(FARTHER_MATCHES);
            order.bound = self.probe(key, place, wanted, conn).await?.0;
            return Ok(order);
        }
        let nearest = (wanted * 4).next_power_of_two().max(NEAREST_IDS);
        let place = Place::NearestIds(nearest);
        let (found, can_read_segments) = self.probe(key, place, wanted, conn).await?;
        order.is_rare = found.is_none();
        order.bound = found;
        if !can_read_segments || key.column != table.index_of(ColumnRole::CreatedAt) {
            return Ok(order);
        }
        let times = self.times();
        let segments = NearestSegments {
            table,
            descending: key.descending,
            times: &times,
            start: self.start_of_page()?.and_then(|(time, _)| time),
        };
        if let Some(BoundValue::Time(time)) = order.bound.as_ref().map(|bound| bound.value)
            && segments.records_within(conn, time).await? <= MANY_RECORDS
        {
            return Ok(order);
        }
        let mut records = FIRST_RECORDS;
        while let Some(within) = segments.time_of(conn, records, MAX_SHARE).await? {
            let within = key.bound(BoundValue::Time(within));
            let (found, _) = self
                .probe(key, Place::Within(&within), wanted, conn)
                .await?;
            if found.is_some() {
                order.bound = found;
                return Ok(order);
            }
            records = records.saturating_mul(GROWTH);
        }
        Ok(order)
    }

    /// Looks for the bound of a page of matches among the nearest records, and if they have too
    /// few, for the rows that may match at all. `None` if neither is known.
    async fn order_of_matches(
        &self,
        key: Option<PageKey>,
        wanted: u64,
        conn: &mut PgConnection,
    ) -> Result<Option<PageOrder>, Error> {
        // If all are counted, they are counted in the rows of the page.
        let by_id = key.filter(|key| key.is_id && !matches!(self.count, Count::All));
        if let Some(key) = by_id {
            let place = Place::NearestIds(NEAREST_MATCHES);
            let (bound, _) = self.probe(key, place, wanted, conn).await?;
            if bound.is_some() {
                return Ok(Some(PageOrder {
                    bound,
                    ..PageOrder::default()
                }));
            }
        }
        let Some(rows) = self.match_rows(conn).await? else {
            return Ok(None);
        };
        let bound = match (rows.floor(), by_id) {
            (None, _) => None,
            // Where nothing is counted, for which the rows are too few.
            (Some(floor), Some(key)) if key.descending && self.count == Count::UpTo(0) => {
                Some(key.bound(BoundValue::Id(floor)))
            }
            _ => return Ok(None),
        };
        Ok(Some(PageOrder {
            bound,
            rows: Some(rows),
            is_rare: false,
        }))
    }

    /// Appends ` AND …`: what is known of the records of a page.
    pub(super) fn push_page_order(&self, order: &PageOrder, sql: &mut Sql) -> Result<(), Error> {
        if let Some(bound) = &order.bound {
            bound.push(M::TABLE, sql)?;
        }
        if order.is_rare {
            self.push_values(sql)?;
        }
        Ok(())
    }

    /// Appends ` AND …`: the filters on the value of a text once more, as the BRIN index has
    /// them.
    ///
    /// That index knows in which pages of the table a value occurs, and is worth reading for a
    /// rare value only. The planner cannot tell, and would use it for others, too, if it had the
    /// column itself.
    fn push_values(&self, sql: &mut Sql) -> Result<(), Error> {
        let table = M::TABLE;
        for (place, value) in self.values() {
            let column = &table.columns[place];
            let is_text = column.ty == ColumnType::Text && column.cast.is_none();
            if !is_text || !table.search.contains(&place) {
                continue;
            }
            sql.push(&format!(" AND ({} || '') = ", column.quoted()));
            sql.bind_value(column, value.clone())?;
        }
        Ok(())
    }

    /// The time that comes first in the order of the page, or the id of matches.
    fn page_key(&self) -> Option<PageKey> {
        let table = M::TABLE;
        let Some(by) = self.order.first() else {
            return self.has_words().then(|| PageKey {
                column: table.index_of(ColumnRole::Id),
                is_id: true,
                descending: !self.is_backwards(),
            });
        };
        let column = by.def(table);
        // Of other tables, no index is known to serve a bound.
        let is_time = table.sealed && table.times().any(|time| time.name == column.name);
        if !is_time || by.field.is_in_json() || by.target.is_some() {
            return None;
        }
        Some(PageKey {
            column: by.field.column,
            is_id: false,
            descending: by.descending != self.is_backwards(),
        })
    }

    /// The time, if the order starts with one, and the id of the cursor at which the page starts or
    /// ends.
    fn start_of_page(&self) -> Result<Option<(Option<StoredTime>, i64)>, Error> {
        match &self.start {
            Some(start) => cursor::time_and_id(M::TABLE, &self.order(), start),
            None => Ok(None),
        }
    }

    /// Looks for as many matching records as the page needs, and returns the bound that has
    /// them; `None` if there are fewer. Also returns whether the segments can be read.
    async fn probe(
        &self,
        key: PageKey,
        place: Place<'_>,
        wanted: u64,
        conn: &mut PgConnection,
    ) -> Result<(Option<PageBound>, bool), Error> {
        let table = M::TABLE;
        let row = self
            .probe_statement(key, place, wanted)?
            .fetch_optional(conn)
            .await
            .map_err(|error| Error::from_driver(table, error))?
            .ok_or(sqlx::Error::RowNotFound)?;
        let found = row.try_get::<i64, _>("found")?.unsigned_abs();
        let bound = key.read(&row)?.filter(|_| found >= wanted);
        Ok((bound, row.try_get("can_read_segments")?))
    }

    fn probe_statement(&self, key: PageKey, place: Place<'_>, wanted: u64) -> Result<Sql, Error> {
        let table = M::TABLE;
        let mut sql = Sql::default();
        let from = match place {
            Place::NearestIds(most) => self.nearest_ids(key, most, &mut sql)?,
            Place::Within(_) => table.quoted(),
        };
        let condition = sql.fragment(|sql| {
            self.push_where(sql)?;
            if let Some(start) = &self.start {
                cursor::push_start(table, &self.order(), start, sql)?;
            }
            match place {
                Place::NearestIds(_) => Ok(()),
                Place::Within(bound) => {
                    bound.push(table, sql)?;
                    self.push_values(sql)
                }
            }
        })?;
        let wanted = sql.argument(i64::try_from(wanted).unwrap_or(i64::MAX))?;
        sql.push(&format!(
            "SELECT count(*) AS found, {farthest}(__key) AS bound, {can_read} AS can_read_segments \
             FROM (SELECT {column} AS __key FROM {from}{condition} \
             ORDER BY {column} {direction} LIMIT {wanted}) AS nearest",
            farthest = key.farthest(),
            can_read = CAN_READ_SEGMENTS,
            column = table.columns[key.column].quoted(),
            direction = key.direction(),
        ));
        Ok(sql)
    }

    /// The item of the `FROM` list for the records with the ids nearest to the start of the page.
    fn nearest_ids(&self, key: PageKey, most: u64, sql: &mut Sql) -> Result<String, Error> {
        let table = M::TABLE;
        let (id, from) = (table.column_of(ColumnRole::Id).quoted(), table.quoted());
        let start = match self.start_of_page()? {
            Some((_, start)) => {
                let operator = if key.descending { "<=" } else { ">=" };
                format!(" WHERE {id} {operator} {}", sql.argument(start)?)
            }
            None => String::new(),
        };
        Ok(format!(
            "(SELECT * FROM {from}{start} ORDER BY {id} {direction} LIMIT {most}) AS {alias}",
            direction = key.direction(),
            most = Sql::written(most),
            alias = table.alias(),
        ))
    }
}

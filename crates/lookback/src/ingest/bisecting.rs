//! Bisecting a batch: if PostgreSQL rejects rows of it, until each bad row is known.

use std::ops::Range;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection, Postgres, Transaction};

use super::batch::{Batch, Group};
use super::connection::timed;
use super::error_class::{ErrorClass, classify_driver};
use super::row;
use crate::db::Sql;
use crate::error::Error;
use crate::model::Table;
use crate::write::MAX_INSERT_VALUES;
use crate::write::copy::{CHUNK, HEADER, TRAILER, statement};
use crate::write::quoted_list;

/// A row that was rejected: the index of its group in the batch, and its index there.
#[derive(Debug)]
pub(super) struct RejectedRow {
    pub(super) group: usize,
    pub(super) row: usize,
    pub(super) error: Error,
}

/// Sends the rows of a group: by COPY, or by `INSERT` for a few rows (see
/// `write/insert.rs`).
pub(super) async fn send(
    conn: &mut PgConnection,
    table: &'static Table,
    group: &Group,
) -> Result<(), sqlx::Error> {
    if group.len() * group.columns.len() <= MAX_INSERT_VALUES
        && let Ok(sql) = insert(table, group, 0..group.len())
    {
        return sql.once().execute(conn).await.map(drop);
    }
    copy(conn, &statement(table, &group.columns), &group.bytes).await
}

/// The `INSERT` for some rows of a group.
fn insert(table: &'static Table, group: &Group, rows: Range<usize>) -> Result<Sql, Error> {
    let mut sql = Sql::new(&format!(
        "INSERT INTO {} ({}) VALUES ",
        table.quoted(),
        quoted_list(&group.columns)
    ));
    let first = rows.start;
    for row in rows {
        sql.push(if row > first { ", (" } else { "(" });
        row::bind(&mut sql, &group.columns, group.row(row))?;
        sql.push(")");
    }
    Ok(sql)
}

/// Sends the bytes of a COPY.
async fn copy(conn: &mut PgConnection, statement: &str, bytes: &[u8]) -> Result<(), sqlx::Error> {
    let mut copy = conn.copy_in_raw(statement).await?;
    for chunk in bytes.chunks(CHUNK) {
        copy.send(chunk).await?;
    }
    copy.finish().await?;
    Ok(())
}

/// The maximum number of rows that are sent one by one after a row of their batch was
/// rejected.
///
/// The importer does the same, and has the reason (`lookback-cli/src/import/store.rs`).
const MAX_SINGLE_ROWS: usize = 64;

/// Stores a batch without its rejected rows, in a transaction.
///
/// A rejection rolls back all rows that were sent with the bad one, so as many are sent
/// together as seems safe: half as many after each rejection, and twice as many after
/// each success. PostgreSQL names the row of a COPY that failed, but not if a constraint
/// is checked after the last row; then only halving finds it.
pub(super) async fn store_bisecting(
    transaction: &mut Transaction<'_, Postgres>,
    table: &'static Table,
    batch: &Batch,
    timeout: Duration,
) -> Result<Vec<RejectedRow>, sqlx::Error> {
    let mut bisection = Bisection {
        transaction,
        table,
        timeout,
        rejected_rows: Vec::new(),
    };
    // A constraint that is checked at the commit would not name the row.
    let immediate = sqlx::raw_sql("SET CONSTRAINTS ALL IMMEDIATE");
    timed(timeout, immediate.execute(&mut **bisection.transaction)).await?;
    for (index, group) in batch.groups.iter().enumerate() {
        bisection.group(index, group).await?;
    }
    Ok(bisection.rejected_rows)
}

struct Bisection<'s, 'c> {
    transaction: &'s mut Transaction<'c, Postgres>,
    table: &'static Table,
    timeout: Duration,
    rejected_rows: Vec<RejectedRow>,
}

/// The row that caused the rejection, if it is known, and the error.
struct RejectedTogether(Option<usize>, Error);

impl Bisection<'_, '_> {
    async fn group(&mut self, index: usize, group: &Group) -> Result<(), sqlx::Error> {
        let (mut from, mut size) = (0, group.len());
        let mut has_rejection = false;
        let mut bad: Option<(usize, Error)> = None;
        while from < group.len() {
            if let Some((row, error)) = bad.take_if(|(row, _)| *row == from) {
                self.reject(index, row, error);
                from += 1;
                continue;
            }
            let to = match &bad {
                Some((row, _)) => *row,
                None => group.len().min(from + size),
            };
            if has_rejection && to - from <= MAX_SINGLE_ROWS {
                if self.try_rows(index, group, from..to).await? {
                    size *= 2;
                }
                from = to;
                continue;
            }
            match self.try_copy(group, from, to).await? {
                None => {
                    from = to;
                    size = size.saturating_mul(2);
                }
                Some(RejectedTogether(row, error)) => {
                    has_rejection = true;
                    size = ((to - from) / 2).max(MAX_SINGLE_ROWS);
                    bad = row
                        .filter(|row| *row < to - from)
                        .map(|row| (from + row, error));
                }
            }
        }
        Ok(())
    }

    fn reject(&mut self, group: usize, row: usize, error: Error) {
        self.rejected_rows.push(RejectedRow {
            group,
            row,
            error: error.of_one_row(),
        });
    }

    /// Sends rows with one COPY, all or none of them.
    async fn try_copy(
        &mut self,
        group: &Group,
        from: usize,
        to: usize,
    ) -> Result<Option<RejectedTogether>, sqlx::Error> {
        let bytes = [HEADER, &group.bytes[group.byte_range(from, to)], &TRAILER].concat();
        let table = self.table;
        let statement = statement(table, &group.columns);
        let work = async {
            let mut savepoint = self.transaction.begin().await?;
            match copy(&mut savepoint, &statement, &bytes).await {
                Ok(()) => savepoint.commit().await.map(|()| None),
                Err(error) => roll_back(table, savepoint, error).await.map(Some),
            }
        };
        let error = timed(self.timeout, work).await?;
        Ok(error.map(|error| {
            let error = Error::from_driver(self.table, error);
            RejectedTogether(error.fields().first().and_then(|field| field.row), error)
        }))
    }

    /// Sends rows sequentially; true if none is rejected.
    async fn try_rows(
        &mut self,
        index: usize,
        group: &Group,
        rows: Range<usize>,
    ) -> Result<bool, sqlx::Error> {
        let (table, before) = (self.table, self.rejected_rows.len());
        for row in rows {
            let sql = match insert(self.table, group, row..row + 1) {
                Ok(sql) => sql,
                Err(error) => {
                    self.reject(index, row, error);
                    continue;
                }
            };
            let work = async {
                let mut savepoint = self.transaction.begin().await?;
                match sql.execute(&mut savepoint).await {
                    Ok(_) => savepoint.commit().await.map(|()| None),
                    Err(error) => roll_back(table, savepoint, error).await.map(Some),
                }
            };
            if let Some(error) = timed(self.timeout, work).await? {
                self.reject(index, row, Error::from_driver(self.table, error));
            }
        }
        Ok(self.rejected_rows.len() == before)
    }
}

/// Rolls back to the savepoint if a row is the cause; passes on any other error.
async fn roll_back(
    table: &'static Table,
    savepoint: Transaction<'_, Postgres>,
    error: sqlx::Error,
) -> Result<sqlx::Error, sqlx::Error> {
    match classify_driver(table, &error) {
        ErrorClass::Row => savepoint.rollback().await.map(|()| error),
        ErrorClass::Table | ErrorClass::Transient => Err(error),
    }
}

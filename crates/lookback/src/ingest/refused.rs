//! A batch of which PostgreSQL refuses rows: which, and why.

use std::ops::Range;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection, Postgres, Transaction};

use super::batch::{Batch, Group};
use super::fault::{self, Fault};
use super::row;
use super::session::timed;
use crate::db::Sql;
use crate::error::Error;
use crate::model::Table;
use crate::write::MAX_INSERT_VALUES;
use crate::write::copy::{CHUNK, HEADER, TRAILER, statement};
use crate::write::quoted_list;

/// A row that was refused: the place of its group in the batch, and its own in
/// the group.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) group: usize,
    pub(super) row: usize,
    pub(super) error: Error,
}

/// Sends the rows of a group: by COPY, or by `INSERT` if they are few (see
/// `query/few.rs`).
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

/// The `INSERT` of rows of a group.
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

/// So few rows are sent one by one once a row of their batch was refused: the
/// importer has the reason (`lookback-cli/src/import/store.rs`).
const FEW: usize = 64;

/// Stores a batch without the rows that are refused, in a transaction.
///
/// A refusal undoes all that was sent with the row, so as many are sent
/// together as seems safe: half as many after each refusal, and twice as many
/// after each success. PostgreSQL says which row of a COPY it was, but not if a
/// constraint is checked after the last one; then halving alone finds it.
pub(super) async fn store(
    transaction: &mut Transaction<'_, Postgres>,
    table: &'static Table,
    batch: &Batch,
    timeout: Duration,
) -> Result<Vec<Refusal>, sqlx::Error> {
    let mut search = Search {
        transaction,
        table,
        timeout,
        refusals: Vec::new(),
    };
    // A constraint that is checked at the commit would not tell of which row it speaks.
    let immediate = sqlx::raw_sql("SET CONSTRAINTS ALL IMMEDIATE");
    timed(timeout, immediate.execute(&mut **search.transaction)).await?;
    for (place, group) in batch.groups.iter().enumerate() {
        search.group(place, group).await?;
    }
    Ok(search.refusals)
}

struct Search<'s, 'c> {
    transaction: &'s mut Transaction<'c, Postgres>,
    table: &'static Table,
    timeout: Duration,
    refusals: Vec<Refusal>,
}

/// Why rows were refused together, and the row if it is known.
struct Refused(Option<usize>, Error);

impl Search<'_, '_> {
    async fn group(&mut self, place: usize, group: &Group) -> Result<(), sqlx::Error> {
        let (mut from, mut size) = (0, group.len());
        let mut careful = false;
        let mut bad: Option<(usize, Error)> = None;
        while from < group.len() {
            if let Some((row, error)) = bad.take_if(|(row, _)| *row == from) {
                self.refuse(place, row, error);
                from += 1;
                continue;
            }
            let to = match &bad {
                Some((row, _)) => *row,
                None => group.len().min(from + size),
            };
            if careful && to - from <= FEW {
                if self.one_by_one(place, group, from..to).await? {
                    size *= 2;
                }
                from = to;
                continue;
            }
            match self.together(group, from, to).await? {
                None => {
                    from = to;
                    size = size.saturating_mul(2);
                }
                Some(Refused(row, error)) => {
                    careful = true;
                    size = ((to - from) / 2).max(FEW);
                    bad = row
                        .filter(|row| *row < to - from)
                        .map(|row| (from + row, error));
                }
            }
        }
        Ok(())
    }

    fn refuse(&mut self, group: usize, row: usize, error: Error) {
        self.refusals.push(Refusal {
            group,
            row,
            error: error.of_one_row(),
        });
    }

    /// Sends rows with one COPY, all or none of them.
    async fn together(
        &mut self,
        group: &Group,
        from: usize,
        to: usize,
    ) -> Result<Option<Refused>, sqlx::Error> {
        let bytes = [HEADER, &group.bytes[group.span(from, to)], &TRAILER].concat();
        let statement = statement(self.table, &group.columns);
        let work = async {
            let mut savepoint = self.transaction.begin().await?;
            match copy(&mut savepoint, &statement, &bytes).await {
                Ok(()) => savepoint.commit().await.map(|()| None),
                Err(error) => undo(savepoint, error).await.map(Some),
            }
        };
        let error = timed(self.timeout, work).await?;
        Ok(error.map(|error| {
            let error = Error::from_driver(self.table, error);
            Refused(error.fields().first().and_then(|field| field.row), error)
        }))
    }

    /// Sends rows one after the other; true if none is refused.
    async fn one_by_one(
        &mut self,
        place: usize,
        group: &Group,
        rows: Range<usize>,
    ) -> Result<bool, sqlx::Error> {
        let before = self.refusals.len();
        for row in rows {
            let sql = match insert(self.table, group, row..row + 1) {
                Ok(sql) => sql,
                Err(error) => {
                    self.refuse(place, row, error);
                    continue;
                }
            };
            let work = async {
                let mut savepoint = self.transaction.begin().await?;
                match sql.execute(&mut savepoint).await {
                    Ok(_) => savepoint.commit().await.map(|()| None),
                    Err(error) => undo(savepoint, error).await.map(Some),
                }
            };
            if let Some(error) = timed(self.timeout, work).await? {
                self.refuse(place, row, Error::from_driver(self.table, error));
            }
        }
        Ok(self.refusals.len() == before)
    }
}

/// Takes back what a row spoiled; any other error is not the row's.
async fn undo(
    savepoint: Transaction<'_, Postgres>,
    error: sqlx::Error,
) -> Result<sqlx::Error, sqlx::Error> {
    match fault::of(&error) {
        Fault::Row => savepoint.rollback().await.map(|()| error),
        Fault::Table | Fault::Passing => Err(error),
    }
}

//! Inserting many records, by `INSERT` or `COPY`.

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::copy::{copy_all, omits_same_columns};
use super::insert::{fit_one_insert, insert};
use crate::db::{CloseOnDrop, begin};
use crate::error::Error;
use crate::model::{ColumnValues, Model as _};

/// Inserts validated records, all or none, and returns their number.
///
/// A small number of records is inserted by one `INSERT` in a transaction of its
/// own, or in a savepoint of the open one, which takes less time than a COPY
/// (see `insert.rs`). An error has the
/// index of its record. If the future is dropped, or the connection was lost, the
/// connection is closed.
pub(crate) async fn insert_many<N: ColumnValues>(
    mut session: CloseOnDrop<'_>,
    records: &[N],
) -> Result<u64, Error> {
    let Some(first) = records.first() else {
        session.release();
        return Ok(0);
    };
    let are_alike = records.iter().all(|one| omits_same_columns(one, first));
    if are_alike && fit_one_insert(records) {
        let is_callers = session.conn().is_in_transaction();
        let inserted = if is_callers {
            insert_in_savepoint(session.conn(), records).await
        } else {
            insert_in_transaction(session.conn(), records).await
        };
        match inserted {
            // Nothing is stored. The error of a COPY names the record, and the caller's
            // transaction fails with it, as with that of any statement.
            Err(error) if is_callers || error.is_invalid() || error.is_conflict() => {}
            Err(error) => return Err(error),
            Ok(inserted) => {
                session.release();
                return Ok(inserted);
            }
        }
    }
    let copied = copy_all(session.conn(), records).await;
    if matches!(copied, Ok(_) | Err((_, sqlx::Error::Database(_)))) {
        session.release();
    }
    let table = N::Model::TABLE;
    copied.map_err(|(before, error)| Error::from_driver(table, error).after_rows(before))
}

/// Inserts in a transaction: an `INSERT` by itself takes effect once it is sent,
/// even if its future is dropped.
async fn insert_in_transaction<N: ColumnValues>(
    conn: &mut PgConnection,
    records: &[N],
) -> Result<u64, Error> {
    let mut transaction = begin(conn).await?;
    let inserted = insert(&mut transaction, records, Error::from_driver).await?;
    transaction.commit().await?;
    Ok(inserted)
}

/// Inserts in a savepoint of the open transaction, which is as it was after an error.
///
/// Not by the driver's transactions: the one in a transaction that has failed would roll that back.
async fn insert_in_savepoint<N: ColumnValues>(
    conn: &mut PgConnection,
    records: &[N],
) -> Result<u64, Error> {
    conn.execute("SAVEPOINT lookback_insert").await?;
    let inserted = insert(&mut *conn, records, Error::from_driver).await;
    if inserted.is_err() {
        conn.execute("ROLLBACK TO SAVEPOINT lookback_insert")
            .await?;
    }
    conn.execute("RELEASE SAVEPOINT lookback_insert").await?;
    inserted
}

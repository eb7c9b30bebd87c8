//! Creating many records.

use sqlx::{Connection as _, PgConnection};

use super::QueryBuilder;
use crate::db::{CloseOnDrop, Db};
use crate::error::{Error, FieldError};
use crate::model::{ColumnValues, Model};
use crate::write::{are_few, check_record, copy_runs, insert, leaves_the_same};

impl<M: Model> QueryBuilder<M> {
    /// Inserts many records in one statement, all or none of them, and returns
    /// how many: by binary COPY, or by `INSERT` if they are few.
    ///
    /// Every record is checked before the first is sent; the times and the
    /// embedding are filled in as in [`create`](Self::create).
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every wrong field of every wrong record, or
    /// with the first that the database itself refuses; each names the place
    /// of its record, from 0. [`Error::is_conflict`] if one clashes.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it stores nothing. With a pool that is all;
    /// a connection or transaction of the caller's is then in the middle of a
    /// COPY and has to be closed.
    pub async fn create_many<'c>(
        &self,
        db: impl Into<Db<'c>>,
        records: &[M::New],
    ) -> Result<u64, Error> {
        let table = M::TABLE;
        self.nothing_asked("records to create")?;
        self.not_only_deleted("records to create")?;
        let wrong: Vec<FieldError> = records
            .iter()
            .enumerate()
            .filter_map(|(place, record)| Some((place, check_record(record).err()?)))
            .flat_map(|(place, wrong)| wrong.into_iter().map(move |field| field.at_row(place)))
            .collect();
        if !wrong.is_empty() {
            return Err(Error::invalid(table.name, wrong));
        }
        if records.is_empty() {
            return Ok(0);
        }
        let mut session = CloseOnDrop::new(db.into().session().await?);
        let are_alike = records
            .iter()
            .all(|record| leaves_the_same(record, &records[0]));
        if are_alike && are_few(records) && !session.conn().is_in_transaction() {
            match insert_few(session.conn(), records).await {
                // Nothing is stored: a COPY says which record it is.
                Err(error) if error.is_invalid() || error.is_conflict() => {}
                Err(error) => return Err(error),
                Ok(inserted) => {
                    session.release();
                    return Ok(inserted);
                }
            }
        }
        let copied = copy_runs(session.conn(), records).await;
        if matches!(copied, Ok(_) | Err((_, sqlx::Error::Database(_)))) {
            session.release();
        }
        copied.map_err(|(before, error)| Error::from_driver(table, error).after_rows(before))
    }
}

/// In a transaction: an `INSERT` by itself is stored once it is on its way, also
/// if nobody waits for it any more.
async fn insert_few<N: ColumnValues>(conn: &mut PgConnection, records: &[N]) -> Result<u64, Error> {
    let mut transaction = conn.begin().await?;
    let inserted = insert(&mut transaction, records).await?;
    transaction.commit().await?;
    Ok(inserted)
}

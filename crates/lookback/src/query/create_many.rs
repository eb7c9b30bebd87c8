//! Inserting many records.

use super::QueryBuilder;
use crate::db::{CloseOnDrop, Db};
use crate::error::Error;
use crate::model::Model;
use crate::write::{check_records, insert_many};

impl<M: Model> QueryBuilder<M> {
    /// Inserts many records, all or none, and returns their number.
    ///
    /// It uses a binary COPY, or an `INSERT` for a small number of records. Every
    /// record is validated before the first is sent; the times and the embedding are
    /// filled in as in [`create`](Self::create).
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every invalid field of every record, or with the
    /// first one that the database rejects; each has the index of its record, from
    /// 0. [`Error::is_conflict`] if a record violates a unique key.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before it is done, nothing is stored. The caller's
    /// connection or transaction is then in the middle of a COPY and has to be
    /// closed; the connection of a pool is closed automatically.
    pub async fn create_many<'c>(
        &self,
        db: impl Into<Db<'c>>,
        records: &[M::New],
    ) -> Result<u64, Error> {
        self.check_no_conditions("records to create")?;
        self.check_not_only_deleted("records to create")?;
        check_records(records)?;
        if records.is_empty() {
            return Ok(0);
        }
        let session = CloseOnDrop::new(db.into().session().await?);
        insert_many(session, records).await
    }
}

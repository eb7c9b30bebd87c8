//! Inserting records whose unique key is not taken, and ignoring the others.

use super::QueryBuilder;
use super::create::fetch_record;
use super::upsert::{UniqueKey, insert_statement};
use super::upsert_many::ResolvingInsert;
use crate::db::{CloseOnDrop, Db, begin};
use crate::error::Error;
use crate::model::Model;
use crate::write::{check_new, check_records};

impl<M: Model> QueryBuilder<M> {
    /// Inserts a record, unless a record has the same unique key. Returns the record as
    /// stored, or `None` if it was not created.
    ///
    /// It is one statement, `INSERT … ON CONFLICT DO NOTHING`: of several concurrent calls
    /// one creates the record. A soft-deleted record has its key, too, unless the key has
    /// `WHERE deleted_at IS NULL`.
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool, window: lookback::NewMetric) -> Result<(), lookback::Error> {
    /// use lookback::Metric;
    ///
    /// let key = Metric::metrics_endpoint_window_start_key();
    /// match Metric::records().create_or_ignore(&pool, window, key).await? {
    ///     Some(created) => println!("{} is new", created.id),
    ///     None => println!("the window was there"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every invalid field; [`Error::is_conflict`] if it
    /// violates another unique key.
    pub async fn create_or_ignore<'c>(
        &self,
        db: impl Into<Db<'c>>,
        new: M::New,
        key: UniqueKey<M>,
    ) -> Result<Option<M>, Error> {
        let table = M::TABLE;
        self.check_no_conditions("a record to create")?;
        self.check_not_only_deleted("a record to create")?;
        check_new(&new)?;
        let mut sql = insert_statement::<M>(std::slice::from_ref(&new), crate::write::now())?;
        sql.push(&format!(
            " ON CONFLICT {} DO NOTHING RETURNING {}",
            key.target(),
            self.selected()
        ));
        let mut session = db.into().session().await?;
        fetch_record(sql, session.conn(), table).await
    }

    /// Inserts many records, all or none, except those whose unique key a record has.
    /// Returns the number of created records.
    ///
    /// Of several records of the list with the same key, the first is created. See
    /// [`create_or_ignore`](Self::create_or_ignore).
    ///
    /// # Errors
    ///
    /// As [`create_many`](Self::create_many).
    pub async fn create_many_or_ignore<'c>(
        &self,
        db: impl Into<Db<'c>>,
        records: &[M::New],
        key: UniqueKey<M>,
    ) -> Result<u64, Error> {
        self.check_no_conditions("records to create")?;
        self.check_not_only_deleted("records to create")?;
        check_records(records)?;
        let now = crate::write::now();
        let mut session = CloseOnDrop::new(db.into().session().await?);
        let mut transaction = begin(session.conn()).await?;
        let insert = ResolvingInsert {
            statement: |some: &[M::New]| {
                let mut sql = insert_statement::<M>(some, now)?;
                let target = key.target();
                sql.push(&format!(" ON CONFLICT {target} DO NOTHING RETURNING TRUE"));
                Ok(sql)
            },
            on_no_row: None::<fn() -> Error>,
        };
        let created = insert.run::<M>(&mut transaction, records).await?.len();
        transaction.commit().await?;
        session.release();
        Ok(u64::try_from(created).unwrap_or(u64::MAX))
    }
}

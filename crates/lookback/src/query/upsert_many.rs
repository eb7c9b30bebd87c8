//! Upserts of many records, and other inserts that resolve a conflict.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::QueryBuilder;
use super::upsert::UniqueKey;
use crate::db::{CloseOnDrop, Db, Sql, begin};
use crate::error::{Error, sqlstate};
use crate::model::Model;
use crate::write::{MAX_INSERT_VALUES, check_records, given_columns, now, omits_same_columns};

/// The numbers of records that an upsert of many created and updated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpsertedMany {
    /// The number of new records.
    pub created: u64,
    /// The number of updates of records that were there.
    pub updated: u64,
}

impl<M: Model> QueryBuilder<M> {
    /// Inserts many records, or updates those with the same unique key, all or none.
    ///
    /// It is as [`upsert`](Self::upsert) of each record, in their order, in few statements:
    /// of several records of the list with the same key, the last one stays. Two lists with
    /// the same keys in different orders may deadlock; the server then fails one of the two,
    /// which can be repeated.
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool, windows: Vec<lookback::NewMetric>) -> Result<(), lookback::Error> {
    /// use lookback::Metric;
    ///
    /// let key = Metric::metrics_endpoint_window_start_key();
    /// let stored = Metric::records().upsert_many(&pool, &windows, key).await?;
    /// println!("{} are new, {} were there", stored.created, stored.updated);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every invalid field of every record, each with the index of
    /// its record, from 0; [`Error::is_conflict`] with the first record that violates another
    /// unique key, or whose key a deleted record has.
    pub async fn upsert_many<'c>(
        &self,
        db: impl Into<Db<'c>>,
        records: &[M::New],
        key: UniqueKey<M>,
    ) -> Result<UpsertedMany, Error> {
        self.check_no_conditions("records to upsert")?;
        check_records(records)?;
        let now = now();
        let mut session = CloseOnDrop::new(db.into().session().await?);
        let mut transaction = begin(session.conn()).await?;
        let insert = ResolvingInsert {
            statement: |some: &[M::New]| self.upsert_statement(some, key, now),
            on_no_row: Some(|| self.key_conflict(key)),
        };
        let rows = insert.run::<M>(&mut transaction, records).await?;
        let mut done = UpsertedMany::default();
        for row in &rows {
            if row.try_get("__created")? {
                done.created += 1;
            } else {
                done.updated += 1;
            }
        }
        transaction.commit().await?;
        session.release();
        Ok(done)
    }
}

/// An `INSERT` with `ON CONFLICT` and `RETURNING`, of many records.
pub(super) struct ResolvingInsert<S, E> {
    /// The statement for records that leave the same columns to the database.
    pub(super) statement: S,
    /// The error of a record for which the statement returns no row; without one, there may
    /// be no row.
    pub(super) on_no_row: Option<E>,
}

impl<S, E> ResolvingInsert<S, E> {
    /// Runs the statement for all records, in a transaction that is open. Returns the rows.
    ///
    /// A statement that fails is repeated record by record, which gives the error its record,
    /// and lets one record resolve a conflict with another of the list.
    pub(super) async fn run<M: Model>(
        &self,
        conn: &mut PgConnection,
        records: &[M::New],
    ) -> Result<Vec<PgRow>, Error>
    where
        S: Fn(&[M::New]) -> Result<Sql, Error>,
        E: Fn() -> Error,
    {
        let mut rows = Vec::new();
        let mut before = 0;
        for some in chunks::<M>(records) {
            match self.run_chunk::<M>(conn, some).await {
                Ok(found) => rows.extend(found),
                Err(error) if is_of_a_record(&error) => {
                    for (place, one) in some.chunks(1).enumerate() {
                        let found = self.run_chunk::<M>(conn, one).await;
                        rows.extend(found.map_err(|error| error.at_row(before + place))?);
                    }
                }
                Err(error) => return Err(error),
            }
            before += some.len();
        }
        Ok(rows)
    }

    /// Runs the statement under a savepoint.
    async fn run_chunk<M: Model>(
        &self,
        conn: &mut PgConnection,
        some: &[M::New],
    ) -> Result<Vec<PgRow>, Error>
    where
        S: Fn(&[M::New]) -> Result<Sql, Error>,
        E: Fn() -> Error,
    {
        let sql = (self.statement)(some)?;
        let sql = if some.len() > 1 { sql.once() } else { sql };
        let mut savepoint = begin(conn).await?;
        let rows = sql.fetch_all(&mut savepoint).await;
        let rows = rows.map_err(|error| Error::from_driver(M::TABLE, error));
        let outcome = match (rows, &self.on_no_row) {
            (Ok(rows), Some(error)) if rows.len() < some.len() => Err(error()),
            (rows, _) => rows,
        };
        match outcome {
            Ok(rows) => {
                savepoint.commit().await?;
                Ok(rows)
            }
            Err(error) => {
                savepoint.rollback().await?;
                Err(error)
            }
        }
    }
}

/// Whether a record is the reason of an error, or two of the same list.
fn is_of_a_record(error: &Error) -> bool {
    let is_twice = error.sqlstate() == Some(sqlstate::CARDINALITY_VIOLATION);
    error.is_invalid() || error.is_conflict() || is_twice
}

/// Splits records into those of one statement.
fn chunks<M: Model>(records: &[M::New]) -> impl Iterator<Item = &[M::New]> {
    let runs = records.chunk_by(omits_same_columns);
    runs.flat_map(|run| {
        let columns = run.first().map_or(1, |record| given_columns(record).len());
        run.chunks((MAX_INSERT_VALUES / columns.max(1)).max(1))
    })
}

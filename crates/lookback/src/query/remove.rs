//! Deleting records, softly or for good, and bringing them back.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Deleted, QueryBuilder};
use crate::db::Db;
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnRole, Model, check};
use crate::value::{ColumnValue as _, Value};
use crate::write::now;

/// Records purged by one statement, and outside of a transaction of the caller's
/// for good with it.
const PURGED_AT_A_TIME: u64 = 10_000;

impl<M: Model> QueryBuilder<M> {
    /// Deletes a record softly: it stays in the table, and no query sees it
    /// unless asked. [`restore`](Self::restore) brings it back.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`], also if it is deleted already;
    /// [`Error::is_conflict`] if it was changed since
    /// [`if_updated_at`](Self::if_updated_at).
    pub async fn delete<'c>(&self, db: impl Into<Db<'c>>, id: i64) -> Result<(), Error> {
        self.only_filters("a record deleted by its id")?;
        self.not_timed("a record deleted by its id")?;
        let live = self.live()?;
        let mut session = db.into().session().await?;
        let conn = session.conn();
        // Nothing is read back: what cannot be read can be deleted all the same.
        match live.set_one(conn, id, &[deleted_now::<M>()]).await? {
            0 => Err(live.missing(conn, id).await),
            _ => Ok(()),
        }
    }

    /// Deletes softly every record that the query is about, all or none of
    /// them, and returns how many.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] if there is no filter
    /// ([`Filter::all`](crate::Filter::all) says that every record is meant),
    /// or a search, an order or a page.
    pub async fn delete_all<'c>(&self, db: impl Into<Db<'c>>) -> Result<u64, Error> {
        self.chosen_by_filters("records to delete")?;
        let live = self.live()?;
        let mut session = db.into().session().await?;
        live.set_all(session.conn(), &[deleted_now::<M>()]).await
    }

    /// Brings back a softly deleted record and returns it.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if there is no deleted record of this id;
    /// [`Error::is_conflict`] if a live record has taken its place, or it was
    /// changed since [`if_updated_at`](Self::if_updated_at).
    pub async fn restore<'c>(&self, db: impl Into<Db<'c>>, id: i64) -> Result<M, Error> {
        self.only_filters("a record restored by its id")?;
        self.not_timed("a record restored by its id")?;
        let mut session = db.into().session().await?;
        let live = [(M::TABLE.index_of(ColumnRole::DeletedAt), Value::Null)];
        self.clone()
            .only_deleted()
            .set(session.conn(), id, &live)
            .await
    }

    /// Brings back every softly deleted record that the filters let through,
    /// all or none of them, and returns how many.
    ///
    /// # Errors
    ///
    /// As [`delete_all`](Self::delete_all); [`Error::is_conflict`] if a live
    /// record has taken the place of one of them.
    pub async fn restore_all<'c>(&self, db: impl Into<Db<'c>>) -> Result<u64, Error> {
        self.chosen_by_filters("records to restore")?;
        let mut session = db.into().session().await?;
        let live = [(M::TABLE.index_of(ColumnRole::DeletedAt), Value::Null)];
        let deleted = self.clone().only_deleted();
        deleted.set_all(session.conn(), &live).await
    }

    /// Deletes a record for good. One that is softly deleted is seen only
    /// [`with_deleted`](Self::with_deleted).
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`]; [`Error::is_conflict`] if it was changed since
    /// [`if_updated_at`](Self::if_updated_at).
    pub async fn hard_delete<'c>(&self, db: impl Into<Db<'c>>, id: i64) -> Result<(), Error> {
        let table = M::TABLE;
        self.only_filters("a record deleted by its id")?;
        self.not_timed("a record deleted by its id")?;
        let mut sql = Sql::new(&format!("DELETE FROM {}", table.quoted()));
        self.push_where(&mut sql)?;
        self.push_unchanged(&mut sql)?;
        sql.push(&format!(
            " AND {} = ",
            table.column_of(ColumnRole::Id).quoted()
        ));
        sql.bind(id)?;
        let mut session = db.into().session().await?;
        let conn = session.conn();
        let deleted = sql
            .execute(conn)
            .await
            .map_err(|error| Error::from_driver(table, error))?;
        match deleted {
            0 => Err(self.missing(conn, id).await),
            _ => Ok(()),
        }
    }

    /// Deletes for good every record that the query is about, all or none of
    /// them, and returns how many.
    ///
    /// # Errors
    ///
    /// As [`delete_all`](Self::delete_all).
    pub async fn hard_delete_all<'c>(&self, db: impl Into<Db<'c>>) -> Result<u64, Error> {
        let table = M::TABLE;
        self.chosen_by_filters("records to delete")?;
        let mut sql = Sql::new(&format!("DELETE FROM {}", table.quoted()));
        self.push_where(&mut sql)?;
        let mut session = db.into().session().await?;
        sql.execute(session.conn())
            .await
            .map_err(|error| Error::from_driver(table, error))
    }

    /// Deletes for good the records that were softly deleted before this time,
    /// those of the filters if there are any, and returns how many; at most
    /// [`limit`](Self::limit), if there is one.
    ///
    /// Some ten thousand at a time. In a transaction of the caller's all are gone
    /// with its commit; elsewhere each batch is for good, and purging that was
    /// interrupted goes on where it stopped when it is called again.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] if the query has a search, an order, an offset or a
    /// cursor.
    pub async fn purge<'c>(
        &self,
        db: impl Into<Db<'c>>,
        deleted_before: DateTime<Utc>,
    ) -> Result<u64, Error> {
        let mut query = self.clone().only_deleted();
        query.limit = None;
        query.only_filters("records to purge")?;
        query.not_by_time("records to purge")?;
        query.not_timed("records to purge")?;
        check(
            M::TABLE.column_of(ColumnRole::DeletedAt),
            &deleted_before.to_value(),
        )
        .map_err(|wrong| Error::invalid(M::TABLE.name, vec![wrong]))?;
        let most = self.limit.map_or(u64::MAX, u64::from);
        let mut session = db.into().session().await?;
        let mut purged = 0;
        while purged < most {
            let wanted = PURGED_AT_A_TIME.min(most - purged);
            let done = query
                .purge_some(session.conn(), deleted_before, wanted)
                .await?;
            purged += done;
            // Fewer than were asked for may be those that another purge was quicker with.
            if done == 0 {
                break;
            }
        }
        Ok(purged)
    }

    async fn purge_some(
        &self,
        conn: &mut PgConnection,
        deleted_before: DateTime<Utc>,
        wanted: u64,
    ) -> Result<u64, Error> {
        let table = M::TABLE;
        let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
        let deleted_at = table.column_of(ColumnRole::DeletedAt);
        let mut sql = Sql::default();
        self.push_where(&mut sql)?;
        sql.push(&format!(" AND {} < ", deleted_at.quoted()));
        sql.bind_value(deleted_at, deleted_before.to_value())?;
        let scope = sql.take_text();
        let wanted = sql.argument(i64::try_from(wanted).unwrap_or(i64::MAX))?;
        // Locked where they are chosen: a record that is restored meanwhile is waited for, looked
        // at again there, and left alone.
        sql.push(&format!(
            "DELETE FROM {from} WHERE {id} IN \
             (SELECT {id} FROM {from}{scope} LIMIT {wanted} FOR UPDATE)"
        ));
        sql.execute(conn)
            .await
            .map_err(|error| Error::from_driver(table, error))
    }

    /// The same of live records only: of those that are deleted already the
    /// first time of deletion stays.
    fn live(&self) -> Result<Self, Error> {
        self.not_only_deleted("records to delete")?;
        let mut live = self.clone();
        live.deleted = Deleted::Without;
        Ok(live)
    }
}

fn deleted_now<M: Model>() -> (usize, Value<'static>) {
    let place = M::TABLE.index_of(ColumnRole::DeletedAt);
    (place, Value::Timestamptz(now()))
}

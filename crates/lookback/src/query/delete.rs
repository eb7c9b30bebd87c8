//! Soft delete, hard delete, restore and purge.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::assignment::NewValue;
use super::create::{fetch_record, fetch_records};
use super::{Deleted, QueryBuilder};
use crate::db::Db;
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnRole, Model, check};
use crate::value::{ColumnValue as _, Value};
use crate::write::now;

/// The most records that one statement purges. Outside the caller's transaction,
/// each statement commits.
const PURGE_BATCH: u64 = 10_000;

impl<M: Model> QueryBuilder<M> {
    /// Soft-deletes a record: it stays in the table, but queries do not see it.
    ///
    /// [`restore`](Self::restore) restores it.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`], also if it is already deleted;
    /// [`Error::is_conflict`] if it has changed since
    /// [`if_updated_at`](Self::if_updated_at).
    pub async fn delete<'c>(&self, db: impl Into<Db<'c>>, id: i64) -> Result<(), Error> {
        self.check_only_filters("a record deleted by its id")?;
        self.check_no_timeout("a record deleted by its id")?;
        let live = self.live()?;
        let mut session = db.into().session().await?;
        let conn = session.conn();
        // Does not read the record: one that cannot be read can still be deleted.
        match live.execute_update(conn, id, &[deleted_now::<M>()]).await? {
            0 => Err(live.not_found_or_changed(conn, id).await),
            _ => Ok(()),
        }
    }

    /// Soft-deletes a record, and returns it as stored. See [`delete`](Self::delete).
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete). A record that cannot be read stays deleted.
    pub async fn delete_returning<'c>(&self, db: impl Into<Db<'c>>, id: i64) -> Result<M, Error> {
        self.check_only_filters("a record deleted by its id")?;
        self.check_no_timeout("a record deleted by its id")?;
        let live = self.live()?;
        let mut session = db.into().session().await?;
        live.update_and_read(session.conn(), id, &[deleted_now::<M>()])
            .await
    }

    /// Soft-deletes every record that the query matches, all or none, and returns them in
    /// no particular order.
    ///
    /// All of them are in memory; [`delete_all`](Self::delete_all) returns their number.
    ///
    /// # Errors
    ///
    /// As [`delete_all`](Self::delete_all).
    pub async fn delete_all_returning<'c>(&self, db: impl Into<Db<'c>>) -> Result<Vec<M>, Error> {
        self.check_has_filter("records to delete")?;
        let live = self.live()?;
        let mut sql = live.update_where(&[deleted_now::<M>()])?;
        sql.push(&format!(" RETURNING {}", self.selected()));
        let mut session = db.into().session().await?;
        fetch_records(sql, session.conn(), M::TABLE).await
    }

    /// Soft-deletes every record that the query matches, all or none, and returns
    /// their number.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] if there is no filter
    /// ([`Filter::all`](crate::Filter::all) matches every record), or if there is a
    /// search, an order or a page.
    pub async fn delete_all<'c>(&self, db: impl Into<Db<'c>>) -> Result<u64, Error> {
        self.check_has_filter("records to delete")?;
        let live = self.live()?;
        let mut session = db.into().session().await?;
        live.update_matching(session.conn(), &[deleted_now::<M>()])
            .await
    }

    /// Restores a soft-deleted record and returns it.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if no deleted record has this id;
    /// [`Error::is_conflict`] if a live record has its unique key, or it has changed
    /// since [`if_updated_at`](Self::if_updated_at).
    pub async fn restore<'c>(&self, db: impl Into<Db<'c>>, id: i64) -> Result<M, Error> {
        self.check_only_filters("a record restored by its id")?;
        self.check_no_timeout("a record restored by its id")?;
        let mut session = db.into().session().await?;
        let live = [(
            M::TABLE.index_of(ColumnRole::DeletedAt),
            NewValue::Given(Value::Null),
        )];
        self.clone()
            .only_deleted()
            .update_and_read(session.conn(), id, &live)
            .await
    }

    /// Restores every soft-deleted record that the filters match, all or none, and
    /// returns their number.
    ///
    /// # Errors
    ///
    /// As [`delete_all`](Self::delete_all); [`Error::is_conflict`] if a live record
    /// has the unique key of one of them.
    pub async fn restore_all<'c>(&self, db: impl Into<Db<'c>>) -> Result<u64, Error> {
        self.check_has_filter("records to restore")?;
        let mut session = db.into().session().await?;
        let live = [(
            M::TABLE.index_of(ColumnRole::DeletedAt),
            NewValue::Given(Value::Null),
        )];
        let deleted = self.clone().only_deleted();
        deleted.update_matching(session.conn(), &live).await
    }

    /// Deletes a record permanently. A soft-deleted one is only seen
    /// [`with_deleted`](Self::with_deleted).
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`]; [`Error::is_conflict`] if it has changed since
    /// [`if_updated_at`](Self::if_updated_at).
    pub async fn hard_delete<'c>(&self, db: impl Into<Db<'c>>, id: i64) -> Result<(), Error> {
        let table = M::TABLE;
        self.check_only_filters("a record deleted by its id")?;
        self.check_no_timeout("a record deleted by its id")?;
        let mut sql = Sql::new(&format!("DELETE FROM {}", table.quoted()));
        self.push_where_id(&mut sql, id)?;
        let mut session = db.into().session().await?;
        let conn = session.conn();
        let deleted = sql
            .execute(conn)
            .await
            .map_err(|error| Error::from_driver(table, error))?;
        match deleted {
            0 => Err(self.not_found_or_changed(conn, id).await),
            _ => Ok(()),
        }
    }

    /// Deletes a record permanently, and returns it. See [`hard_delete`](Self::hard_delete).
    ///
    /// # Errors
    ///
    /// As [`hard_delete`](Self::hard_delete). A record that cannot be read stays deleted.
    pub async fn hard_delete_returning<'c>(
        &self,
        db: impl Into<Db<'c>>,
        id: i64,
    ) -> Result<M, Error> {
        let table = M::TABLE;
        self.check_only_filters("a record deleted by its id")?;
        self.check_no_timeout("a record deleted by its id")?;
        let mut sql = Sql::new(&format!("DELETE FROM {}", table.quoted()));
        self.push_where_id(&mut sql, id)?;
        sql.push(&format!(" RETURNING {}", self.selected()));
        let mut session = db.into().session().await?;
        let conn = session.conn();
        match fetch_record(sql, conn, table).await? {
            Some(record) => Ok(record),
            None => Err(self.not_found_or_changed(conn, id).await),
        }
    }

    /// Permanently deletes every record that the query matches, all or none, and returns
    /// them in no particular order.
    ///
    /// # Errors
    ///
    /// As [`delete_all`](Self::delete_all).
    pub async fn hard_delete_all_returning<'c>(
        &self,
        db: impl Into<Db<'c>>,
    ) -> Result<Vec<M>, Error> {
        let table = M::TABLE;
        self.check_has_filter("records to delete")?;
        let mut sql = Sql::new(&format!("DELETE FROM {}", table.quoted()));
        self.push_where(&mut sql)?;
        sql.push(&format!(" RETURNING {}", self.selected()));
        let mut session = db.into().session().await?;
        fetch_records(sql, session.conn(), table).await
    }

    /// Permanently deletes every record that the query matches, all or none, and
    /// returns their number.
    ///
    /// # Errors
    ///
    /// As [`delete_all`](Self::delete_all).
    pub async fn hard_delete_all<'c>(&self, db: impl Into<Db<'c>>) -> Result<u64, Error> {
        let table = M::TABLE;
        self.check_has_filter("records to delete")?;
        let mut sql = Sql::new(&format!("DELETE FROM {}", table.quoted()));
        self.push_where(&mut sql)?;
        let mut session = db.into().session().await?;
        sql.execute(session.conn())
            .await
            .map_err(|error| Error::from_driver(table, error))
    }

    /// Purges records that were soft-deleted before this time, and returns their
    /// number.
    ///
    /// Only records that the filters match are purged, at most
    /// [`limit`](Self::limit), if there is one. They are deleted in batches of ten
    /// thousand. In the caller's transaction all batches commit with it; elsewhere
    /// each batch commits, and the next call continues an interrupted purge.
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
        query.check_only_filters("records to purge")?;
        query.check_no_if_updated_at("records to purge")?;
        query.check_no_timeout("records to purge")?;
        check(
            M::TABLE.column_of(ColumnRole::DeletedAt),
            &deleted_before.to_value(),
        )
        .map_err(|error| Error::invalid(M::TABLE.name, vec![error]))?;
        let most = self.limit.map_or(u64::MAX, u64::from);
        let mut session = db.into().session().await?;
        let mut purged = 0;
        while purged < most {
            let wanted = PURGE_BATCH.min(most - purged);
            let done = query
                .purge_batch(session.conn(), deleted_before, wanted)
                .await?;
            purged += done;
            // A smaller batch may be due to a concurrent purge.
            if done == 0 {
                break;
            }
        }
        Ok(purged)
    }

    async fn purge_batch(
        &self,
        conn: &mut PgConnection,
        deleted_before: DateTime<Utc>,
        wanted: u64,
    ) -> Result<u64, Error> {
        let table = M::TABLE;
        let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
        let deleted_at = table.column_of(ColumnRole::DeletedAt);
        let mut sql = Sql::default();
        let scope = sql.fragment(|sql| {
            self.push_condition(sql)?;
            sql.push(&format!(" AND {} < ", deleted_at.quoted()));
            sql.bind_value(deleted_at, deleted_before.to_value())
        })?;
        let wanted = sql.argument(i64::try_from(wanted).unwrap_or(i64::MAX))?;
        // Under the condition twice: the server waits for a concurrent restore, checks the record
        // again, and skips it. Row locks of the selection would do the same, but not on several
        // machines. The second time it is written so that only the ids choose an index.
        sql.push(&format!(
            "DELETE FROM {from} WHERE {id} = ANY(ARRAY(\
             SELECT {id} FROM {from} WHERE {scope} LIMIT {wanted})) AND ({scope}) IS TRUE"
        ));
        sql.execute(conn)
            .await
            .map_err(|error| Error::from_driver(table, error))
    }

    /// Returns the query restricted to live records: deleted records keep their first time of
    /// deletion.
    fn live(&self) -> Result<Self, Error> {
        self.check_not_only_deleted("records to delete")?;
        let mut live = self.clone();
        live.deleted = Deleted::Without;
        Ok(live)
    }
}

fn deleted_now<M: Model>() -> (usize, NewValue<'static>) {
    let place = M::TABLE.index_of(ColumnRole::DeletedAt);
    (place, NewValue::Given(Value::Timestamptz(now())))
}

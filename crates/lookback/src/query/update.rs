//! Changing records: one by its id, or all that a query is about.

use chrono::SecondsFormat;
use sqlx::{PgConnection, Row as _};

use super::QueryBuilder;
use super::create::{not_found, one};
use crate::db::Sql;
use crate::db::{CloseOnDrop, Db, TransactionScope};
use crate::embedding::{Embedding, Encoder};
use crate::error::{Error, FieldError};
use crate::model::encoder_texts;
use crate::model::{ColumnRole, ColumnValues, Model, Table, check};
use crate::search::index::Changes;
use crate::value::{ColumnValue, Value};
use crate::write::{now, search_values};

/// Records whose embeddings are made anew at a time, all of them in memory.
const BATCH: i64 = 500;

impl<M: Model> QueryBuilder<M> {
    /// Changes a record and returns it as stored. A field that the patch
    /// leaves out is kept, and a patch of nothing changes nothing.
    ///
    /// `updated_at` moves with every change, and the embedding follows a
    /// change of a search field.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`], [`Error::is_invalid`] with every wrong field,
    /// [`Error::is_conflict`] if it clashes with another record, or was changed
    /// since [`if_updated_at`](Self::if_updated_at); [`Error::Outdated`] for a search
    /// field of a `sealed` model, in a transaction of `REPEATABLE READ` or
    /// `SERIALIZABLE` that began before records were sealed.
    pub async fn update<'c>(
        &self,
        db: impl Into<Db<'c>>,
        id: i64,
        patch: M::Patch,
    ) -> Result<M, Error> {
        let table = M::TABLE;
        self.only_filters("a record changed by its id")?;
        self.not_timed("a record changed by its id")?;
        let changes = changes(&patch)?;
        let mut session = db.into().session().await?;
        if changes.is_empty() {
            let conn = session.conn();
            return match self.one_by_id(conn, id).await? {
                Some(record) => Ok(record),
                None => Err(self.missing(conn, id).await),
            };
        }
        if !touches_search(table, &changes) {
            return self.set(session.conn(), id, &changes).await;
        }
        let mut session = CloseOnDrop::new(session);
        let record = self
            .update_with_embedding(session.conn(), id, changes)
            .await;
        session.release();
        record
    }

    /// Changes a record, with its embedding made anew.
    async fn update_with_embedding(
        &self,
        conn: &mut PgConnection,
        id: i64,
        mut changes: Vec<(usize, Value<'_>)>,
    ) -> Result<M, Error> {
        let table = M::TABLE;
        // The embedding is of all search fields: those that stay are read, and
        // the row is locked so that no other change comes between.
        let mut together = TransactionScope::begin(conn).await?;
        let summaries = Changes::begin(together.conn(), table).await?;
        let mut scope = Sql::default();
        self.push_where(&mut scope)?;
        self.push_unchanged(&mut scope)?;
        scope.push(&format!(
            " AND {} = ",
            table.column_of(ColumnRole::Id).quoted()
        ));
        scope.bind(id)?;
        let kept = search_fields(table, scope, "", together.conn()).await?;
        let Some((_, kept)) = kept.into_iter().next() else {
            return Err(self.missing(together.conn(), id).await);
        };
        let embedding = embedding_after(table, &changes, &kept);
        changes.push((
            table.index_of(ColumnRole::Embedding),
            embedding
                .as_ref()
                .map_or(Value::Null, ColumnValue::to_value),
        ));
        let record = self.set(together.conn(), id, &changes).await;
        // What is stored and cannot be read is stored all the same, as without a transaction.
        if matches!(record, Ok(_) | Err(Error::Unreadable { .. })) {
            summaries.done(together.conn(), &[id]).await?;
            together.commit().await?;
        }
        record
    }

    /// Changes every record that the query is about, all or none of them, and
    /// returns how many.
    ///
    /// As with [`update`](Self::update), the embeddings follow a change of a
    /// search field: then the records are read, some at a time, and locked
    /// until all are changed. Dropped half-way in a transaction of the caller's,
    /// it may have changed some: roll back.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update); [`Error::is_invalid`] too if there is no
    /// filter ([`Filter::all`](crate::Filter::all) says that every record is
    /// meant), or a search, an order or a page.
    pub async fn update_all<'c>(
        &self,
        db: impl Into<Db<'c>>,
        patch: M::Patch,
    ) -> Result<u64, Error> {
        let table = M::TABLE;
        self.chosen_by_filters("records to change")?;
        let mut changes = changes(&patch)?;
        if changes.is_empty() {
            return Ok(0);
        }
        let mut session = CloseOnDrop::new(db.into().session().await?);
        if touches_search(table, &changes) {
            let set = |index: &usize| changes.iter().any(|(changed, _)| changed == index);
            if table.sealed || !table.search.iter().all(set) {
                let done = self.update_with_embeddings(session.conn(), &changes).await;
                session.release();
                return done;
            }
            // All search fields are set, and so the embedding is the same for all.
            let embedding = embedding_after(table, &changes, &[]);
            let value = embedding.map_or(Value::Null, |e| e.to_value().into_owned());
            changes.push((table.index_of(ColumnRole::Embedding), value));
        }
        let done = self.set_all(session.conn(), &changes).await;
        session.release();
        done
    }

    /// Changes every record that the query is about, with the embedding of each
    /// made anew.
    async fn update_with_embeddings(
        &self,
        conn: &mut PgConnection,
        changes: &[(usize, Value<'_>)],
    ) -> Result<u64, Error> {
        let table = M::TABLE;
        let id = table.column_of(ColumnRole::Id).quoted();
        let mut together = TransactionScope::begin(conn).await?;
        let summaries = Changes::begin(together.conn(), table).await?;
        // Up to the newest record of now: those that are added meanwhile are not meant.
        let mut sql = Sql::new(&format!("SELECT max({id}) FROM {}", table.quoted()));
        self.push_where(&mut sql)?;
        let newest = sql
            .fetch_optional(together.conn())
            .await
            .map_err(|error| Error::from_driver(table, error))?;
        let newest: Option<i64> = newest.map(|row| row.try_get(0)).transpose()?.flatten();
        let (mut done, mut last) = (0_u64, i64::MIN);
        while let Some(newest) = newest {
            // In the order of ids, each once: a record that was changed is behind.
            let mut scope = Sql::default();
            self.push_where(&mut scope)?;
            scope.push(&format!(" AND {id} > "));
            scope.bind(last)?;
            scope.push(&format!(" AND {id} <= "));
            scope.bind(newest)?;
            let some = format!(" ORDER BY {id} LIMIT {BATCH}");
            let kept = search_fields(table, scope, &some, together.conn()).await?;
            let Some((batch_last, _)) = kept.last() else {
                break;
            };
            last = *batch_last;
            let ids: Vec<i64> = kept.iter().map(|(id, _)| *id).collect();
            let embeddings: Vec<Option<pgvector::Vector>> = kept
                .iter()
                .map(|(_, kept)| embedding_after(table, changes, kept))
                .map(|embedding| embedding.map(|e| e.as_slice().to_vec().into()))
                .collect();
            let mut sql = Sql::new(&format!("UPDATE {} SET ", table.quoted()));
            push_changes(table, changes, &mut sql)?;
            sql.push(&format!(
                ", {} = made.__embedding FROM (SELECT unnest(",
                table.column_of(ColumnRole::Embedding).quoted()
            ));
            sql.bind(&ids)?;
            sql.push(") AS __id, unnest(");
            sql.bind(embeddings)?;
            sql.push(&format!(") AS __embedding) AS made WHERE {id} = made.__id"));
            done += sql
                .execute(together.conn())
                .await
                .map_err(|error| Error::from_driver(table, error))?;
            summaries.done(together.conn(), &ids).await?;
        }
        together.commit().await?;
        Ok(done)
    }

    /// Sets columns of every record that the query is about, and moves
    /// `updated_at`.
    pub(super) async fn set_all(
        &self,
        conn: &mut PgConnection,
        changes: &[(usize, Value<'_>)],
    ) -> Result<u64, Error> {
        let table = M::TABLE;
        let mut sql = Sql::new(&format!("UPDATE {} SET ", table.quoted()));
        push_changes(table, changes, &mut sql)?;
        self.push_where(&mut sql)?;
        sql.execute(conn)
            .await
            .map_err(|error| Error::from_driver(table, error))
    }

    /// Sets columns of one record, moves `updated_at`, and tells whether it was
    /// there.
    pub(super) async fn set_one(
        &self,
        conn: &mut PgConnection,
        id: i64,
        changes: &[(usize, Value<'_>)],
    ) -> Result<u64, Error> {
        let table = M::TABLE;
        self.setting(id, changes)?
            .execute(conn)
            .await
            .map_err(|error| Error::from_driver(table, error))
    }

    /// Sets columns of one record, moves `updated_at`, and reads it.
    pub(super) async fn set(
        &self,
        conn: &mut PgConnection,
        id: i64,
        changes: &[(usize, Value<'_>)],
    ) -> Result<M, Error> {
        let mut sql = self.setting(id, changes)?;
        sql.push(&format!(" RETURNING {}", self.selected()));
        match one(sql, conn, M::TABLE).await? {
            Some(record) => Ok(record),
            None => Err(self.missing(conn, id).await),
        }
    }

    fn setting(&self, id: i64, changes: &[(usize, Value<'_>)]) -> Result<Sql, Error> {
        let table = M::TABLE;
        let mut sql = Sql::new(&format!("UPDATE {} SET ", table.quoted()));
        push_changes(table, changes, &mut sql)?;
        self.push_where(&mut sql)?;
        self.push_unchanged(&mut sql)?;
        sql.push(&format!(
            " AND {} = ",
            table.column_of(ColumnRole::Id).quoted()
        ));
        sql.bind(id)?;
        Ok(sql)
    }

    /// Appends ` AND …`: not changed since the time that the caller knows.
    pub(super) fn push_unchanged(&self, sql: &mut Sql) -> Result<(), Error> {
        if let Some(time) = &self.unchanged_since {
            let column = M::TABLE.column_of(ColumnRole::UpdatedAt);
            check(column, &time.to_value())
                .map_err(|wrong| Error::invalid(M::TABLE.name, vec![wrong]))?;
            sql.push(&format!(" AND {} = ", column.quoted()));
            sql.bind_value(column, time.to_value())?;
        }
        Ok(())
    }

    /// Why a write found no record of this id: there is none, or it was changed
    /// since.
    pub(super) async fn missing(&self, conn: &mut PgConnection, id: i64) -> Error {
        let table = M::TABLE;
        let Some(expected) = self.unchanged_since else {
            return not_found(table, id);
        };
        let mut there = self.clone();
        there.unchanged_since = None;
        let column = table.column_of(ColumnRole::UpdatedAt).quoted();
        let changed = async {
            let mut sql = Sql::new(&format!("SELECT {column} FROM {}", table.quoted()));
            there.push_where(&mut sql)?;
            sql.push(&format!(
                " AND {} = ",
                table.column_of(ColumnRole::Id).quoted()
            ));
            sql.bind(id)?;
            let row = sql.fetch_optional(conn).await?;
            let time =
                row.map(|row| super::read(&row, table.column_of(ColumnRole::UpdatedAt).name));
            Ok::<Option<chrono::DateTime<chrono::Utc>>, Error>(time.transpose()?)
        };
        match changed.await {
            Ok(None) => not_found(table, id),
            Ok(Some(changed)) => {
                let text = |time: chrono::DateTime<chrono::Utc>| {
                    time.to_rfc3339_opts(SecondsFormat::Micros, true)
                };
                Error::Conflict(FieldError::new(
                    table.column_of(ColumnRole::UpdatedAt).name,
                    format!(
                        "is {}, not {}: record {id} was changed since; read it again",
                        text(changed),
                        text(expected)
                    ),
                ))
            }
            Err(error) => error,
        }
    }

    async fn one_by_id(&self, conn: &mut PgConnection, id: i64) -> Result<Option<M>, Error> {
        let table = M::TABLE;
        let mut sql = Sql::new(&format!(
            "SELECT {} FROM {}",
            self.selected(),
            table.quoted()
        ));
        self.push_where(&mut sql)?;
        self.push_unchanged(&mut sql)?;
        sql.push(&format!(
            " AND {} = ",
            table.column_of(ColumnRole::Id).quoted()
        ));
        sql.bind(id)?;
        one(sql, conn, table).await
    }
}

/// What a patch changes, checked.
fn changes<P: ColumnValues>(patch: &P) -> Result<Vec<(usize, Value<'_>)>, Error> {
    let table = P::Model::TABLE;
    let changes: Vec<(usize, Value<'_>)> = (0..table.columns.len())
        .filter_map(|index| patch.value(index).map(|value| (index, value)))
        .collect();
    let wrong: Vec<FieldError> = changes
        .iter()
        .filter_map(|(index, value)| check(&table.columns[*index], value).err())
        .collect();
    match wrong.is_empty() {
        true => Ok(changes),
        false => Err(Error::invalid(table.name, wrong)),
    }
}

fn touches_search(table: &'static Table, changes: &[(usize, Value<'_>)]) -> bool {
    let changed = |index: &usize| changes.iter().any(|(changed, _)| changed == index);
    table.search.iter().any(changed)
}

/// Appends `column = value, …` and moves `updated_at`.
fn push_changes(
    table: &'static Table,
    changes: &[(usize, Value<'_>)],
    sql: &mut Sql,
) -> Result<(), Error> {
    for (index, value) in changes {
        let column = &table.columns[*index];
        sql.push(&format!("{} = ", column.quoted()));
        sql.bind_value(column, value.clone())?;
        sql.push(", ");
    }
    // Never back and never the same, whatever the clock of this machine says.
    let updated_at = table.column_of(ColumnRole::UpdatedAt).quoted();
    sql.push(&format!("{updated_at} = greatest("));
    sql.bind(now())?;
    sql.push(&format!(", {updated_at} + interval '1 microsecond')"));
    Ok(())
}

/// The embedding of a record whose search fields were `kept`, after changes.
fn embedding_after(
    table: &'static Table,
    changes: &[(usize, Value<'_>)],
    kept: &[Value<'_>],
) -> Option<Embedding> {
    let mut encoder = Encoder::default();
    for (place, index) in table.search.iter().enumerate() {
        match changes.iter().find(|(changed, _)| changed == index) {
            Some((_, value)) => encoder.add_value(value),
            None => kept
                .get(place)
                .into_iter()
                .for_each(|kept| encoder.add_value(kept)),
        }
    }
    encoder.finish()
}

/// The ids and the values of the search fields, in their order, of the records
/// of `scope`, which stay locked until the transaction ends.
async fn search_fields(
    table: &'static Table,
    mut sql: Sql,
    page: &str,
    conn: &mut PgConnection,
) -> Result<Vec<(i64, Vec<Value<'static>>)>, Error> {
    let scope = sql.take_text();
    let mut columns = vec![table.column_of(ColumnRole::Id).quoted()];
    columns.extend(encoder_texts(table));
    sql.push(&format!(
        "SELECT {} FROM {}{scope}{page} FOR UPDATE",
        columns.join(", "),
        table.quoted()
    ));
    let rows = sql
        .fetch_all(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))?;
    let mut records = Vec::with_capacity(rows.len());
    for row in &rows {
        records.push((row.try_get(0)?, search_values(table, row, 1)?));
    }
    Ok(records)
}

//! Updating records: one by its id, or all that a query matches.

use chrono::SecondsFormat;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::QueryBuilder;
use super::assignment::{NewValue, ranged};
use super::create::{STORED_RECORD, fetch_record, not_found};
use crate::db::{CloseOnDrop, Db, Sql, TransactionScope, begin, is_distributed};
use crate::embedding::{Embedding, Encoder};
use crate::error::{Error, FieldError};
use crate::model::encoder_texts;
use crate::model::{ColumnDef, ColumnRole, ColumnValues, Model, Table, check};
use crate::search::index::Changes;
use crate::value::time::infinity_name;
use crate::value::{ColumnValue, Value};
use crate::write::{now, search_values};

/// The number of records in memory while their embeddings are recomputed.
const UPDATE_BATCH: i64 = 500;

impl<M: Model> QueryBuilder<M> {
    /// Updates a record and returns it as stored.
    ///
    /// Fields that the patch omits keep their value; an empty patch changes nothing.
    /// Every change sets `updated_at`, and a change of a search field the embedding.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`]; [`Error::is_invalid`] with every invalid field;
    /// [`Error::is_conflict`] if it violates a unique key, or has changed since
    /// [`if_updated_at`](Self::if_updated_at); [`Error::is_stale_snapshot`] for a search field
    /// of a `sealed` model, in a transaction of `REPEATABLE READ` or `SERIALIZABLE` that began
    /// before records were sealed.
    pub async fn update<'c>(
        &self,
        db: impl Into<Db<'c>>,
        id: i64,
        patch: M::Patch,
    ) -> Result<M, Error> {
        let table = M::TABLE;
        let (query, changes) = self.split_assignments(changes(&patch)?)?;
        query.check_only_filters("a record changed by its id")?;
        query.check_no_timeout("a record changed by its id")?;
        let mut session = db.into().session().await?;
        if changes.is_empty() {
            let conn = session.conn();
            return match query.one_by_id(conn, id).await? {
                Some(record) => Ok(record),
                None => Err(query.not_found_or_changed(conn, id).await),
            };
        }
        if !touches_search(table, &changes) {
            return query.update_and_read(session.conn(), id, &changes).await;
        }
        let mut session = CloseOnDrop::new(session);
        let record = query
            .update_with_embedding(session.conn(), id, changes)
            .await;
        session.release();
        record
    }

    /// Updates a record and its embedding.
    async fn update_with_embedding(
        &self,
        conn: &mut PgConnection,
        id: i64,
        mut changes: Vec<(usize, NewValue<'_>)>,
    ) -> Result<M, Error> {
        let table = M::TABLE;
        // The embedding depends on all search fields: the unchanged ones are read, and the row
        // is locked against concurrent changes.
        let mut transaction = TransactionScope::begin(conn).await?;
        let summaries = Changes::begin(transaction.conn(), table).await?;
        let mut sql = select_search_fields(table);
        self.push_where_id(&mut sql, id)?;
        let kept = lock_search_fields(table, sql, transaction.conn()).await?;
        let Some((_, kept)) = kept.into_iter().next() else {
            return Err(self.not_found_or_changed(transaction.conn(), id).await);
        };
        let embedding = embedding_after(table, &changes, &kept);
        changes.push((
            table.index_of(ColumnRole::Embedding),
            NewValue::Given(
                embedding
                    .as_ref()
                    .map_or(Value::Null, ColumnValue::to_value),
            ),
        ));
        let record = self.update_and_read(transaction.conn(), id, &changes).await;
        // A record that is stored but cannot be read stays stored, as without a transaction.
        if record.as_ref().err().is_none_or(Error::is_unreadable) {
            summaries.done(transaction.conn(), &[id]).await?;
            transaction.commit().await?;
        }
        record
    }

    /// Updates every record that the query matches, all or none, and returns their
    /// number.
    ///
    /// As with [`update`](Self::update), a change of a search field changes the embedding: then
    /// the records are read in batches, and locked until all are updated. If the future is
    /// dropped half-way in the caller's transaction, some records may be updated: roll back.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update); also [`Error::is_invalid`] if there is no filter
    /// ([`Filter::all`](crate::Filter::all) matches every record), or if there is a
    /// search, an order or a page.
    pub async fn update_all<'c>(
        &self,
        db: impl Into<Db<'c>>,
        patch: M::Patch,
    ) -> Result<u64, Error> {
        let table = M::TABLE;
        let (query, mut changes) = self.split_assignments(changes(&patch)?)?;
        query.check_has_filter("records to change")?;
        if changes.is_empty() {
            return Ok(0);
        }
        let mut session = CloseOnDrop::new(db.into().session().await?);
        if touches_search(table, &changes) {
            let set = |index: &usize| changes.iter().any(|(changed, _)| changed == index);
            if table.sealed || !table.search.iter().all(set) {
                if let Some(column) = ranged(table, &changes).first() {
                    return Err(Error::invalid_field(
                        table.name,
                        column.name,
                        "cannot be computed in one update with a search field, because it has a \
                         range; update twice",
                    ));
                }
                let done = query.update_with_embeddings(session.conn(), &changes).await;
                session.release();
                return done;
            }
            // All search fields are set, so the embedding is the same for all records.
            let embedding = embedding_after(table, &changes, &[]);
            let value = embedding.map_or(Value::Null, |e| e.to_value().into_owned());
            changes.push((
                table.index_of(ColumnRole::Embedding),
                NewValue::Given(value),
            ));
        }
        let done = query.update_matching(session.conn(), &changes).await;
        session.release();
        done
    }

    /// Updates every record that the query matches, and the embedding of each.
    async fn update_with_embeddings(
        &self,
        conn: &mut PgConnection,
        changes: &[(usize, NewValue<'_>)],
    ) -> Result<u64, Error> {
        let table = M::TABLE;
        let id = table.column_of(ColumnRole::Id).quoted();
        let mut transaction = TransactionScope::begin(conn).await?;
        let summaries = Changes::begin(transaction.conn(), table).await?;
        let is_distributed = is_distributed(transaction.conn(), table).await?;
        // Up to the newest record now, without those that are added meanwhile.
        let mut sql = Sql::new(&format!("SELECT max({id}) FROM {}", table.quoted()));
        self.push_where(&mut sql)?;
        let newest = sql
            .fetch_optional(transaction.conn())
            .await
            .map_err(|error| Error::from_driver(table, error))?;
        let newest: Option<i64> = newest.map(|row| row.try_get(0)).transpose()?.flatten();
        let (mut done, mut last) = (0_u64, i64::MIN);
        while let Some(newest) = newest {
            // In the order of ids, each record once.
            let mut sql = select_search_fields(table);
            self.push_where(&mut sql)?;
            sql.push(&format!(" AND {id} > "));
            sql.bind(last)?;
            sql.push(&format!(" AND {id} <= "));
            sql.bind(newest)?;
            sql.push(&format!(" ORDER BY {id} LIMIT {UPDATE_BATCH}"));
            let (read_to, kept) = if is_distributed {
                self.lock_by_writing(sql, transaction.conn()).await?
            } else {
                let kept = lock_search_fields(table, sql, transaction.conn()).await?;
                (kept.last().map(|(id, _)| *id), kept)
            };
            match read_to {
                Some(read_to) => last = read_to,
                None => break,
            }
            if kept.is_empty() {
                continue;
            }
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
                .execute(transaction.conn())
                .await
                .map_err(|error| Error::from_driver(table, error))?;
            summaries.done(transaction.conn(), &ids).await?;
        }
        transaction.commit().await?;
        Ok(done)
    }

    /// Does the same as [`lock_search_fields`] where rows are in shards, of which Citus locks
    /// those of one at a time: they are written as they are, if they still match. Returns the
    /// greatest id of those that were read, too.
    async fn lock_by_writing(
        &self,
        select: Sql,
        conn: &mut PgConnection,
    ) -> Result<(Option<i64>, Vec<(i64, Vec<Value<'static>>)>), Error> {
        let table = M::TABLE;
        let id = table.column_of(ColumnRole::Id).quoted();
        let updated_at = table.column_of(ColumnRole::UpdatedAt).quoted();
        let rows = select.fetch_all(&mut *conn).await;
        let rows = rows.map_err(|error| Error::from_driver(table, error))?;
        let ids: Result<Vec<i64>, _> = rows.iter().map(|row| row.try_get(0)).collect();
        let ids = ids?;
        let mut records = Vec::with_capacity(ids.len());
        let Some(read_to) = ids.last().copied() else {
            return Ok((None, records));
        };
        let mut sql = Sql::new(&format!(
            "UPDATE {} SET {updated_at} = {updated_at}",
            table.quoted()
        ));
        self.push_where(&mut sql)?;
        sql.push(&format!(" AND {id} = ANY("));
        sql.bind(ids)?;
        sql.push(&format!(
            ") RETURNING {id}, {}",
            encoder_texts(table).join(", ")
        ));
        let rows = sql.fetch_all(conn).await;
        for row in &rows.map_err(|error| Error::from_driver(table, error))? {
            records.push((row.try_get(0)?, search_values(table, row, 1)?));
        }
        records.sort_by_key(|(id, _)| *id);
        Ok((Some(read_to), records))
    }

    /// Sets columns and `updated_at` of every record that the query matches.
    pub(super) async fn update_matching(
        &self,
        conn: &mut PgConnection,
        changes: &[(usize, NewValue<'_>)],
    ) -> Result<u64, Error> {
        let table = M::TABLE;
        let columns = ranged(table, changes);
        if columns.is_empty() {
            let updated = self.update_where(changes)?.execute(conn).await;
            return updated.map_err(|error| refusal(table, changes, error));
        }
        // The least and the greatest result of each column are in its range, or nothing is
        // changed.
        let mut sql = Sql::new("WITH changed AS (");
        let update = sql.fragment(|sql| self.push_update(changes, sql))?;
        sql.push(&update.to_string());
        let (mut returned, mut extremes) = (Vec::new(), Vec::new());
        for (place, column) in columns.iter().enumerate() {
            let name = format!("__computed{place}");
            returned.push(format!("{} AS {name}", column.quoted()));
            extremes.push(format!(
                ", min({name}) AS __min{place}, max({name}) AS __max{place}"
            ));
        }
        sql.push(&format!(
            " RETURNING {}) SELECT count(*) AS __count{} FROM changed",
            returned.join(", "),
            extremes.concat()
        ));
        let mut transaction = begin(conn).await?;
        let row = sql
            .fetch_optional(&mut transaction)
            .await
            .map_err(|error| refusal(table, changes, error))?
            .ok_or(sqlx::Error::RowNotFound)?;
        for (place, column) in columns.iter().enumerate() {
            for name in ["__min", "__max"] {
                check_computed(table, column, &row, &format!("{name}{place}"))?;
            }
        }
        let count: i64 = row.try_get("__count")?;
        transaction.commit().await?;
        Ok(count.unsigned_abs())
    }

    /// The statement that sets columns and `updated_at` of every record that the query
    /// matches.
    pub(super) fn update_where(&self, changes: &[(usize, NewValue<'_>)]) -> Result<Sql, Error> {
        let mut sql = Sql::default();
        self.push_update(changes, &mut sql)?;
        Ok(sql)
    }

    fn push_update(&self, changes: &[(usize, NewValue<'_>)], sql: &mut Sql) -> Result<(), Error> {
        let table = M::TABLE;
        sql.push(&format!("UPDATE {} SET ", table.quoted()));
        push_changes(table, changes, sql)?;
        self.push_where(sql)
    }

    /// Sets columns and `updated_at` of one record, and returns the number of updated
    /// rows.
    pub(super) async fn execute_update(
        &self,
        conn: &mut PgConnection,
        id: i64,
        changes: &[(usize, NewValue<'_>)],
    ) -> Result<u64, Error> {
        let table = M::TABLE;
        self.update_by_id(id, changes)?
            .execute(conn)
            .await
            .map_err(|error| Error::from_driver(table, error))
    }

    /// Sets columns and `updated_at` of one record, and reads it.
    pub(super) async fn update_and_read(
        &self,
        conn: &mut PgConnection,
        id: i64,
        changes: &[(usize, NewValue<'_>)],
    ) -> Result<M, Error> {
        let table = M::TABLE;
        let columns = ranged(table, changes);
        let mut sql = self.update_by_id(id, changes)?;
        sql.push(&format!(" RETURNING {}", self.selected()));
        for (place, column) in columns.iter().enumerate() {
            sql.push(&format!(", {} AS __computed{place}", column.quoted()));
        }
        let read = |row: PgRow| {
            M::from_row(&row).map_err(|error| Error::of_record(table, STORED_RECORD, error))
        };
        let row = if columns.is_empty() {
            sql.fetch_optional(&mut *conn)
                .await
                .map_err(|error| refusal(table, changes, error))?
        } else {
            let mut transaction = begin(conn).await?;
            let row = sql
                .fetch_optional(&mut transaction)
                .await
                .map_err(|error| refusal(table, changes, error))?;
            if let Some(row) = &row {
                for (place, column) in columns.iter().enumerate() {
                    check_computed(table, column, row, &format!("__computed{place}"))?;
                }
            }
            transaction.commit().await?;
            row
        };
        match row {
            Some(row) => read(row),
            None => Err(self.not_found_or_changed(conn, id).await),
        }
    }

    fn update_by_id(&self, id: i64, changes: &[(usize, NewValue<'_>)]) -> Result<Sql, Error> {
        let table = M::TABLE;
        let mut sql = Sql::new(&format!("UPDATE {} SET ", table.quoted()));
        push_changes(table, changes, &mut sql)?;
        self.push_where_id(&mut sql, id)?;
        Ok(sql)
    }

    /// Appends the condition of a write to one record: ` WHERE …` of the query, not
    /// changed since the time of `if_updated_at`, and this id.
    pub(super) fn push_where_id(&self, sql: &mut Sql, id: i64) -> Result<(), Error> {
        self.push_where(sql)?;
        self.push_if_updated_at(sql)?;
        let column = M::TABLE.column_of(ColumnRole::Id);
        sql.push(&format!(" AND {} = ", column.quoted()));
        sql.bind(id)
    }

    /// Appends ` AND …`: not changed since the time of `if_updated_at`.
    pub(super) fn push_if_updated_at(&self, sql: &mut Sql) -> Result<(), Error> {
        if let Some(time) = &self.if_updated_at {
            let column = M::TABLE.column_of(ColumnRole::UpdatedAt);
            check(column, &time.to_value())
                .map_err(|error| Error::invalid(M::TABLE.name, vec![error]))?;
            sql.push(&format!(" AND {} = ", column.quoted()));
            sql.bind_value(column, time.to_value())?;
        }
        Ok(())
    }

    /// The error of a write that matched no record: not found, or changed since.
    pub(super) async fn not_found_or_changed(&self, conn: &mut PgConnection, id: i64) -> Error {
        let table = M::TABLE;
        let Some(expected) = self.if_updated_at else {
            return not_found(table, id);
        };
        let mut there = self.clone();
        there.if_updated_at = None;
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
                let text = |time: chrono::DateTime<chrono::Utc>| match infinity_name(&time) {
                    Some(name) => name.to_owned(),
                    None => time.to_rfc3339_opts(SecondsFormat::Micros, true),
                };
                Error::conflict(FieldError::new(
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
        self.push_where_id(&mut sql, id)?;
        fetch_record(sql, conn, table).await
    }
}

/// The validated changes of a patch.
fn changes<P: ColumnValues>(patch: &P) -> Result<Vec<(usize, Value<'_>)>, Error> {
    let table = P::Model::TABLE;
    let changes: Vec<(usize, Value<'_>)> = (0..table.columns.len())
        .filter_map(|index| Some((index, table.columns[index].stored(patch.value(index)?))))
        .collect();
    let wrong: Vec<FieldError> = changes
        .iter()
        .filter_map(|(index, value)| check(&table.columns[*index], value).err())
        .collect();
    if wrong.is_empty() {
        Ok(changes)
    } else {
        Err(Error::invalid(table.name, wrong))
    }
}

/// Checks a value that the database computed against the range of its column.
fn check_computed(
    table: &'static Table,
    column: &ColumnDef,
    row: &PgRow,
    name: &str,
) -> Result<(), Error> {
    let value = Value::read(row, name, column.ty)?;
    if value == Value::Null {
        return Ok(());
    }
    check(column, &value).map_err(|error| Error::invalid(table.name, vec![error]))
}

/// Translates the error of an update. A number that is out of range is that of the column
/// that is computed, if there is only one.
fn refusal(table: &'static Table, changes: &[(usize, NewValue<'_>)], error: sqlx::Error) -> Error {
    let error = Error::from_driver(table, error);
    let mut computed = changes.iter().filter(|(_, value)| value.given().is_none());
    match (computed.next(), computed.next()) {
        (Some((column, _)), None) => error.with_field(table.columns[*column].name),
        _ => error,
    }
}

fn touches_search(table: &'static Table, changes: &[(usize, NewValue<'_>)]) -> bool {
    let changed = |index: &usize| changes.iter().any(|(changed, _)| changed == index);
    table.search.iter().any(changed)
}

/// Appends `column = value, …` and a new `updated_at`.
fn push_changes(
    table: &'static Table,
    changes: &[(usize, NewValue<'_>)],
    sql: &mut Sql,
) -> Result<(), Error> {
    for (index, value) in changes {
        let column = &table.columns[*index];
        sql.push(&format!("{} = ", column.quoted()));
        value.push(table, column, sql)?;
        sql.push(", ");
    }
    // Always increases, even if the clock of this machine goes back.
    let updated_at = table.column_of(ColumnRole::UpdatedAt).quoted();
    sql.push(&format!("{updated_at} = greatest("));
    sql.bind(now())?;
    let kept = addable_time(&updated_at);
    sql.push(&format!(", {kept} + interval '1 microsecond')"));
    Ok(())
}

/// A time in SQL, or NULL for one to which PostgreSQL adds nothing: an infinity, or its last
/// year.
pub(super) fn addable_time(time: &str) -> String {
    format!(
        "CASE WHEN isfinite({time}) AND {time} < timestamptz '294276-01-01 00:00:00+00' \
         THEN {time} END"
    )
}

/// The embedding after changes of a record with the search fields `kept`.
fn embedding_after(
    table: &'static Table,
    changes: &[(usize, NewValue<'_>)],
    kept: &[Value<'_>],
) -> Option<Embedding> {
    let mut encoder = Encoder::default();
    for (place, index) in table.search.iter().enumerate() {
        let change = changes.iter().find(|(changed, _)| changed == index);
        match change.and_then(|(_, value)| value.given()) {
            Some(value) => encoder.add_value(value),
            None => kept
                .get(place)
                .into_iter()
                .for_each(|kept| encoder.add_value(kept)),
        }
    }
    encoder.finish()
}

/// Returns the `SELECT` for [`lock_search_fields`], without its `WHERE` clause.
fn select_search_fields(table: &'static Table) -> Sql {
    let mut columns = vec![table.column_of(ColumnRole::Id).quoted()];
    columns.extend(encoder_texts(table));
    Sql::new(&format!(
        "SELECT {} FROM {}",
        columns.join(", "),
        table.quoted()
    ))
}

/// Returns the ids and the values of the search fields, in their order, of the
/// records of a statement, which stay locked until the transaction ends.
async fn lock_search_fields(
    table: &'static Table,
    mut sql: Sql,
    conn: &mut PgConnection,
) -> Result<Vec<(i64, Vec<Value<'static>>)>, Error> {
    sql.push(" FOR UPDATE");
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

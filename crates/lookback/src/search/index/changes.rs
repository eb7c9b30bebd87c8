//! Adding sealed records whose text changed to their summaries.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::bloom_filter::{BloomFilter, TrigramSet};
use super::postings_builder::{PostingsBuilder, SealedRecord};
use super::segments::sealed_range;
use super::{Lock, corruption, lock};
use crate::db::{Sql, one};
use crate::embedding::Embedding;
use crate::error::{Error, ErrorKind, Remedy};
use crate::model::{ColumnRole, Table};
use crate::model::{search_fields, search_text};

/// Adds changed records to the summaries, in the transaction that changes them.
/// Their earlier texts remain in the summaries, which costs a comparison.
#[derive(Debug)]
pub(crate) struct Changes {
    table: &'static Table,
}

impl Changes {
    /// Prepares a change. Call it before the first change: until the
    /// transaction ends, no segment of the table is sealed, so none is with the
    /// earlier text.
    ///
    /// # Errors
    ///
    /// [`Error::is_stale_snapshot`] in a transaction whose snapshot is older
    /// than a segment that was sealed since: it would mistake the record for an
    /// unsealed one.
    pub(crate) async fn begin(
        conn: &mut PgConnection,
        table: &'static Table,
    ) -> Result<Self, Error> {
        if table.sealed {
            lock(conn, table, Lock::Shared).await?;
            if is_snapshot_stale(conn).await? {
                return Err(ErrorKind::StaleSnapshot { table: table.name }.into());
            }
        }
        Ok(Self { table })
    }

    /// Adds the changed records with these ids.
    pub(crate) async fn done(&self, conn: &mut PgConnection, ids: &[i64]) -> Result<(), Error> {
        if !self.table.sealed {
            return Ok(());
        }
        let Some((from, until)) = sealed_range(conn, self.table).await? else {
            return Ok(());
        };
        let ids = ids.iter().copied();
        let mut ids: Vec<i64> = ids.filter(|id| (from..=until).contains(id)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        ids.sort_unstable();
        let mut update: Option<BlockUpdate> = None;
        for changed in self.records(conn, &ids).await? {
            if update
                .as_ref()
                .is_none_or(|update| update.last_id < changed.id)
            {
                if let Some(update) = update.take() {
                    update.write(conn, self.table).await?;
                }
                update = Some(BlockUpdate::of(conn, self.table, changed.id).await?);
            }
            if let Some(update) = &mut update {
                update.add(&changed);
            }
        }
        if let Some(update) = update {
            update.write(conn, self.table).await?;
        }
        Ok(())
    }

    /// Adds inserted records with these ids, also to the counts and times of their segments.
    pub(crate) async fn inserted(&self, conn: &mut PgConnection, ids: &[i64]) -> Result<(), Error> {
        if !self.table.sealed {
            return Ok(());
        }
        let Some((from, until)) = sealed_range(conn, self.table).await? else {
            return Ok(());
        };
        if !ids.iter().any(|id| (from..=until).contains(id)) {
            return Ok(());
        }
        self.done(conn, ids).await?;
        let (table, id) = (
            self.table.quoted(),
            self.table.column_of(ColumnRole::Id).quoted(),
        );
        let created_at = self.table.column_of(ColumnRole::CreatedAt).quoted();
        let mut sql = Sql::default();
        let target = sql.argument(self.table.name)?;
        let ids = sql.argument(ids)?;
        sql.push(&format!(
            "UPDATE sealed_segments AS s SET rows = s.rows + added.rows, \
               oldest = least(s.oldest, added.oldest), newest = greatest(s.newest, added.newest) \
             FROM (\
               SELECT g.id, count(*) AS rows, min(r.{created_at}) AS oldest, \
                 max(r.{created_at}) AS newest \
               FROM {table} AS r JOIN sealed_segments AS g \
                 ON r.{id} BETWEEN g.first_id AND g.last_id \
               WHERE r.{id} = ANY({ids}) AND g.target = {target} AND NOT g.is_tombstone \
               GROUP BY g.id) AS added \
             WHERE s.id = added.id"
        ));
        sql.execute(conn).await?;
        Ok(())
    }

    async fn records(
        &self,
        conn: &mut PgConnection,
        ids: &[i64],
    ) -> Result<Vec<ChangedRecord>, Error> {
        let table = self.table;
        let id = table.column_of(ColumnRole::Id).quoted();
        let mut sql = Sql::new(&format!(
            "SELECT {id} AS __id, {} AS __text, {} AS __fields, {} AS __embedding FROM {} WHERE {id} = ANY(",
            search_text(table),
            search_fields(table, None),
            table.column_of(ColumnRole::Embedding).quoted(),
            table.quoted(),
        ));
        sql.bind(ids)?;
        sql.push(&format!(") ORDER BY {id}"));
        let rows = sql
            .fetch_all(conn)
            .await
            .map_err(|error| Error::from_driver(table, error))?;
        let record = |row: &sqlx::postgres::PgRow| {
            Ok::<_, sqlx::Error>(ChangedRecord {
                id: row.try_get("__id")?,
                text: row.try_get("__text")?,
                fields: row.try_get("__fields")?,
                embedding: row.try_get("__embedding")?,
            })
        };
        Ok(rows.iter().map(record).collect::<Result<_, _>>()?)
    }
}

/// Returns whether segments may have been sealed that the transaction does not
/// see.
///
/// It reads by a snapshot of its start, and more ids of segments were assigned
/// than the snapshot contains. Ids of an interrupted sealing count too, until
/// another one is done; the last segment is therefore marked as deleted and not
/// removed (`orphans.rs`).
///
/// # Errors
///
/// [`Error::is_setup`] if the role of such a transaction has no right on the
/// sequence of these ids: it cannot know.
async fn is_snapshot_stale(conn: &mut PgConnection) -> Result<bool, Error> {
    const SEQUENCE: &str = "pg_get_serial_sequence('sealed_segments', 'id')::regclass";
    let sql = Sql::new(&format!(
        "SELECT CASE \
           WHEN current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable') \
             THEN FALSE \
           WHEN has_sequence_privilege({SEQUENCE}, 'USAGE, SELECT') \
             THEN coalesce(pg_sequence_last_value({SEQUENCE}) \
               > (SELECT coalesce(max(id), 0) FROM sealed_segments), FALSE) \
           END"
    ));
    one::<Option<bool>>(conn, sql).await?.ok_or_else(|| {
        Error::setup(
            "the role has no right on the sequence of sealed_segments.id, which a transaction of \
             this isolation level reads before it changes a searched text",
            Remedy::Grant,
        )
    })
}

/// A record after its change.
struct ChangedRecord {
    id: i64,
    text: String,
    fields: Vec<String>,
    embedding: Option<Embedding>,
}

/// The additions for changed records of one block.
struct BlockUpdate {
    segment: Option<LockedSegment>,
    block: Option<LockedBlock>,
    postings: PostingsBuilder,
    /// The greatest id that may be of the block.
    last_id: i64,
}

impl BlockUpdate {
    async fn of(conn: &mut PgConnection, table: &'static Table, id: i64) -> Result<Self, Error> {
        // Always in this order, so that two transactions do not deadlock.
        let segment = LockedSegment::of(conn, table, id).await?;
        let block = LockedBlock::of(conn, table, id).await?;
        Ok(Self {
            last_id: block.as_ref().map_or(id, |block| block.last_id),
            segment,
            block,
            postings: PostingsBuilder::default(),
        })
    }

    fn add(&mut self, changed: &ChangedRecord) {
        let ChangedRecord {
            id,
            text,
            fields,
            embedding,
        } = changed;
        if let Some(block) = &mut self.block {
            block.filter.add_record(text);
            if !block.has_templates {
                block.filter.add_text(text);
            }
        }
        if let Some(segment) = &mut self.segment {
            segment.trigrams.add_record(text);
        }
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let record = SealedRecord {
            id: *id,
            fields: &fields,
            text: Some(text),
            vector: embedding.as_ref(),
        };
        self.postings.add(&record, |_| {});
    }

    async fn write(self, conn: &mut PgConnection, table: &'static Table) -> Result<(), Error> {
        if let Some(block) = self.block {
            let mut sql = Sql::new("UPDATE search_blocks SET bloom_filter = ");
            sql.bind(block.filter.as_bytes())?;
            sql.push(" WHERE id = ");
            sql.bind(block.id)?;
            sql.execute(&mut *conn).await?;
        }
        if let Some(segment) = self
            .segment
            .filter(|segment| segment.trigrams != segment.before)
        {
            let mut sql = Sql::new("UPDATE sealed_segments SET trigrams = ");
            sql.bind(segment.trigrams.into_bytes())?;
            sql.push(" WHERE id = ");
            sql.bind(segment.id)?;
            sql.execute(&mut *conn).await?;
        }
        self.postings.store(conn, table.name).await
    }
}

/// A block that is being added to, with its row locked.
struct LockedBlock {
    id: i64,
    last_id: i64,
    has_templates: bool,
    filter: BloomFilter,
}

impl LockedBlock {
    async fn of(
        conn: &mut PgConnection,
        table: &'static Table,
        id: i64,
    ) -> Result<Option<Self>, Error> {
        let select = "SELECT id, last_id, has_templates, bloom_filter FROM search_blocks WHERE";
        let Some(row) = summary_of(conn, select, table, id).await? else {
            return Ok(None);
        };
        let filter = BloomFilter::from_bytes(row.try_get("bloom_filter")?);
        let filter = filter.ok_or_else(|| wrong_length(table, "search_blocks.bloom_filter"))?;
        Ok(Some(Self {
            id: row.try_get("id")?,
            last_id: row.try_get("last_id")?,
            has_templates: row.try_get("has_templates")?,
            filter,
        }))
    }
}

/// The masked trigrams of a segment that is being added to, with its row
/// locked.
struct LockedSegment {
    id: i64,
    before: TrigramSet,
    trigrams: TrigramSet,
}

impl LockedSegment {
    async fn of(
        conn: &mut PgConnection,
        table: &'static Table,
        id: i64,
    ) -> Result<Option<Self>, Error> {
        let select = "SELECT id, trigrams FROM sealed_segments WHERE NOT is_tombstone AND";
        let Some(row) = summary_of(conn, select, table, id).await? else {
            return Ok(None);
        };
        let trigrams = TrigramSet::from_bytes(row.try_get("trigrams")?);
        let trigrams = trigrams.ok_or_else(|| wrong_length(table, "sealed_segments.trigrams"))?;
        Ok(Some(Self {
            id: row.try_get("id")?,
            before: trigrams.clone(),
            trigrams,
        }))
    }
}

/// Reads the summary of a record, and locks it.
async fn summary_of(
    conn: &mut PgConnection,
    select: &str,
    table: &'static Table,
    id: i64,
) -> Result<Option<PgRow>, Error> {
    let mut sql = Sql::new(&format!("{select} target = "));
    sql.bind(table.name)?;
    sql.push(" AND first_id <= ");
    sql.bind(id)?;
    sql.push(" AND last_id >= ");
    sql.bind(id)?;
    sql.push(" ORDER BY first_id DESC LIMIT 1 FOR UPDATE");
    Ok(sql.fetch_optional(conn).await?)
}

fn wrong_length(table: &'static Table, column: &str) -> Error {
    let problem = format_args!("{column} has another length than this version writes");
    corruption(table, problem)
}

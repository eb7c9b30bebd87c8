//! Sealed records whose text changes.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::bloom_filter::{Letters, Signature};
use super::postings_builder::{Kinds, Record};
use super::{Lock, damaged, lock, sealed};
use crate::db::Sql;
use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::model::{search_fields, search_text};

/// What has to be done in a transaction that changes search fields, so that the
/// summaries of sealed records name what the records come to be. What they were
/// stays named, which costs a comparison.
#[derive(Debug)]
pub(crate) struct Changes {
    table: &'static Table,
}

impl Changes {
    /// To be called before the first change: from then on, until the transaction
    /// ends, no segment of the table is sealed, so that none is with the text of
    /// before.
    ///
    /// # Errors
    ///
    /// [`Error::StaleSnapshot`] in a transaction whose snapshot is older than a segment
    /// that was sealed meanwhile: it would take the record for one that is not
    /// sealed.
    pub(crate) async fn begin(
        conn: &mut PgConnection,
        table: &'static Table,
    ) -> Result<Self, Error> {
        if table.sealed {
            lock(conn, table, Lock::Shared).await?;
            if is_outdated(conn).await? {
                return Err(Error::StaleSnapshot { table: table.name });
            }
        }
        Ok(Self { table })
    }

    /// To be called with the ids of changed records.
    pub(crate) async fn done(&self, conn: &mut PgConnection, ids: &[i64]) -> Result<(), Error> {
        if !self.table.sealed {
            return Ok(());
        }
        let Some((from, until)) = sealed(conn, self.table).await? else {
            return Ok(());
        };
        let ids = ids.iter().copied();
        let mut ids: Vec<i64> = ids.filter(|id| (from..=until).contains(id)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        ids.sort_unstable();
        let mut beside: Option<Beside> = None;
        for changed in self.records(conn, &ids).await? {
            if beside
                .as_ref()
                .is_none_or(|beside| beside.last_id < changed.id)
            {
                if let Some(beside) = beside.take() {
                    beside.write(conn, self.table).await?;
                }
                beside = Some(Beside::of(conn, self.table, changed.id).await?);
            }
            if let Some(beside) = &mut beside {
                beside.add(&changed);
            }
        }
        if let Some(beside) = beside {
            beside.write(conn, self.table).await?;
        }
        Ok(())
    }

    async fn records(&self, conn: &mut PgConnection, ids: &[i64]) -> Result<Vec<Changed>, Error> {
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
            Ok::<_, sqlx::Error>(Changed {
                id: row.try_get("__id")?,
                text: row.try_get("__text")?,
                fields: row.try_get("__fields")?,
                embedding: row.try_get("__embedding")?,
            })
        };
        Ok(rows.iter().map(record).collect::<Result<_, _>>()?)
    }
}

/// Whether segments may have been sealed that the transaction does not see: it
/// reads by a snapshot of its beginning, and more ids of segments were given out
/// than are in it. Those of a sealing that was cut short count too, until another
/// one is done; of segments that were forgotten, the last stays for it, marked as
/// deleted (`gone.rs`).
async fn is_outdated(conn: &mut PgConnection) -> Result<bool, Error> {
    let sql = Sql::new(
        "SELECT CASE WHEN current_setting('transaction_isolation') IN ('repeatable read', 'serializable') \
           THEN coalesce(\
             pg_sequence_last_value(pg_get_serial_sequence('sealed_segments', 'id')::regclass) \
               > (SELECT coalesce(max(id), 0) FROM sealed_segments), FALSE) \
           ELSE FALSE END AS outdated",
    );
    let row = sql.fetch_optional(conn).await?;
    Ok(row
        .map(|row| row.try_get("outdated"))
        .transpose()?
        .unwrap_or(false))
}

/// A record as it is now.
struct Changed {
    id: i64,
    text: String,
    fields: Vec<String>,
    embedding: Option<Embedding>,
}

/// What comes to be known of changed records that are of one block.
struct Beside {
    segment: Option<Segment>,
    block: Option<Block>,
    kinds: Kinds,
    /// The greatest id that may be of the block.
    last_id: i64,
}

impl Beside {
    async fn of(conn: &mut PgConnection, table: &'static Table, id: i64) -> Result<Self, Error> {
        // Always in this order, so that two transactions do not wait for each other.
        let segment = Segment::of(conn, table, id).await?;
        let block = Block::of(conn, table, id).await?;
        Ok(Self {
            last_id: block.as_ref().map_or(id, |block| block.last_id),
            segment,
            block,
            kinds: Kinds::default(),
        })
    }

    fn add(&mut self, changed: &Changed) {
        let Changed {
            id,
            text,
            fields,
            embedding,
        } = changed;
        if let Some(block) = &mut self.block {
            block.signature.add_record(text);
            if !block.has_templates {
                block.signature.add_text(text);
            }
        }
        if let Some(segment) = &mut self.segment {
            segment.letters.add_record(text);
        }
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let record = Record {
            id: *id,
            fields: &fields,
            text: Some(text),
            vector: embedding.as_ref(),
        };
        self.kinds.add(&record, |_| {});
    }

    async fn write(self, conn: &mut PgConnection, table: &'static Table) -> Result<(), Error> {
        if let Some(block) = self.block {
            let mut sql = Sql::new("UPDATE search_blocks SET updated_at = now(), grams = ");
            sql.bind(block.signature.as_bytes())?;
            sql.push(" WHERE id = ");
            sql.bind(block.id)?;
            sql.execute(&mut *conn).await?;
        }
        if let Some(segment) = self
            .segment
            .filter(|segment| segment.letters != segment.before)
        {
            let mut sql = Sql::new("UPDATE sealed_segments SET updated_at = now(), odd_letters = ");
            sql.bind(segment.letters.into_bytes())?;
            sql.push(" WHERE id = ");
            sql.bind(segment.id)?;
            sql.execute(&mut *conn).await?;
        }
        self.kinds.store(conn, table.name).await
    }
}

/// A block that is being added to, locked against others who do.
struct Block {
    id: i64,
    last_id: i64,
    has_templates: bool,
    signature: Signature,
}

impl Block {
    async fn of(
        conn: &mut PgConnection,
        table: &'static Table,
        id: i64,
    ) -> Result<Option<Self>, Error> {
        let select = "SELECT id, last_id, has_templates, grams FROM search_blocks";
        let Some(row) = summary_of(conn, select, table, id).await? else {
            return Ok(None);
        };
        let signature = Signature::from_bytes(row.try_get("grams")?);
        let signature = signature.ok_or_else(|| unreadable(table, "search_blocks.grams"))?;
        Ok(Some(Self {
            id: row.try_get("id")?,
            last_id: row.try_get("last_id")?,
            has_templates: row.try_get("has_templates")?,
            signature,
        }))
    }
}

/// What templates of a segment leave out, which is being added to, locked against
/// others who do.
struct Segment {
    id: i64,
    before: Letters,
    letters: Letters,
}

impl Segment {
    async fn of(
        conn: &mut PgConnection,
        table: &'static Table,
        id: i64,
    ) -> Result<Option<Self>, Error> {
        let select = "SELECT id, odd_letters FROM sealed_segments";
        let Some(row) = summary_of(conn, select, table, id).await? else {
            return Ok(None);
        };
        let letters = Letters::from_bytes(row.try_get("odd_letters")?);
        let letters = letters.ok_or_else(|| unreadable(table, "sealed_segments.odd_letters"))?;
        Ok(Some(Self {
            id: row.try_get("id")?,
            before: letters.clone(),
            letters,
        }))
    }
}

/// The summary that a record is in, locked.
async fn summary_of(
    conn: &mut PgConnection,
    select: &str,
    table: &'static Table,
    id: i64,
) -> Result<Option<PgRow>, Error> {
    let mut sql = Sql::new(&format!("{select} WHERE target = "));
    sql.bind(table.name)?;
    sql.push(" AND first_id <= ");
    sql.bind(id)?;
    sql.push(" AND last_id >= ");
    sql.bind(id)?;
    sql.push(" AND deleted_at IS NULL ORDER BY first_id DESC LIMIT 1 FOR UPDATE");
    Ok(sql.fetch_optional(conn).await?)
}

fn unreadable(table: &'static Table, column: &str) -> Error {
    let problem = format_args!("{column} has another length than this version writes");
    damaged(table, problem)
}

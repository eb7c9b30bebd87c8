//! Sealed records whose text changes.

use sqlx::{PgConnection, Row as _};

use super::grams::{Letters, Signature};
use super::template::{spelling, template_kept};
use super::{Lock, lock, sealed_until};
use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::{Role, Table};
use crate::models::{NewSearchKind, SearchKind};
use crate::search::{fields, searched};
use crate::sql::Sql;

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
    pub(crate) async fn begin(
        conn: &mut PgConnection,
        table: &'static Table,
    ) -> Result<Self, Error> {
        if table.sealed {
            lock(conn, table, Lock::Shared).await?;
        }
        Ok(Self { table })
    }

    /// To be called with the ids of changed records.
    pub(crate) async fn done(&self, conn: &mut PgConnection, ids: &[i64]) -> Result<(), Error> {
        if !self.table.sealed {
            return Ok(());
        }
        let Some(until) = sealed_until(conn, self.table).await? else {
            return Ok(());
        };
        let mut ids: Vec<i64> = ids.iter().copied().filter(|id| *id <= until).collect();
        if ids.is_empty() {
            return Ok(());
        }
        ids.sort_unstable();
        let mut block: Option<Block> = None;
        let mut kinds = Vec::new();
        for changed in self.records(conn, &ids).await? {
            let Changed {
                id,
                text,
                fields,
                embedding,
            } = changed;
            if block.as_ref().is_none_or(|block| block.last_id < id) {
                if let Some(block) = block.take() {
                    block.write(conn).await?;
                }
                block = Block::of(conn, self.table, id).await?;
            }
            if let Some(block) = &mut block {
                block.signature.add_record(&text);
            }
            add_letters(conn, self.table, id, &text).await?;
            let template = template_kept(&text).unwrap_or_default();
            let mut kind = NewSearchKind::new(
                self.table.name,
                id,
                id,
                template,
                spelling(&fields),
                1,
                vec![id],
            );
            kind.vector = embedding;
            kinds.push(kind);
        }
        if let Some(block) = block {
            block.write(conn).await?;
        }
        SearchKind::records().create_many(conn, &kinds).await?;
        Ok(())
    }

    async fn records(&self, conn: &mut PgConnection, ids: &[i64]) -> Result<Vec<Changed>, Error> {
        let table = self.table;
        let id = table.role(Role::Id).quoted();
        let mut sql = Sql::new(&format!(
            "SELECT {id} AS __id, {} AS __text, {} AS __fields, {} AS __embedding FROM {} WHERE {id} = ANY(",
            searched(table),
            fields(table, None),
            table.role(Role::Embedding).quoted(),
            table.quoted(),
        ));
        sql.bind(ids)?;
        sql.push(&format!(") ORDER BY {id}"));
        let rows = sql
            .fetch_all(conn)
            .await
            .map_err(|error| Error::of_table(table, error))?;
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

/// A record as it is now.
struct Changed {
    id: i64,
    text: String,
    fields: Vec<String>,
    embedding: Option<Embedding>,
}

/// A block that is being added to, locked against others who do.
struct Block {
    id: i64,
    last_id: i64,
    signature: Signature,
}

impl Block {
    async fn of(
        conn: &mut PgConnection,
        table: &'static Table,
        id: i64,
    ) -> Result<Option<Self>, Error> {
        let mut sql = Sql::new("SELECT id, last_id, grams FROM search_blocks WHERE target = ");
        sql.bind(table.name)?;
        sql.push(" AND first_id <= ");
        sql.bind(id)?;
        sql.push(" AND last_id >= ");
        sql.bind(id)?;
        sql.push(" ORDER BY first_id DESC LIMIT 1 FOR UPDATE");
        let Some(row) = sql.fetch_optional(conn).await? else {
            return Ok(None);
        };
        let signature = Signature::from_bytes(row.try_get("grams")?);
        Ok(match signature {
            Some(signature) => Some(Self {
                id: row.try_get("id")?,
                last_id: row.try_get("last_id")?,
                signature,
            }),
            None => None,
        })
    }

    async fn write(self, conn: &mut PgConnection) -> Result<(), Error> {
        let mut sql = Sql::new("UPDATE search_blocks SET updated_at = now(), grams = ");
        sql.bind(self.signature.as_bytes())?;
        sql.push(" WHERE id = ");
        sql.bind(self.id)?;
        sql.execute(conn).await?;
        Ok(())
    }
}

/// Adds the letters of a text to those of the segment of its record.
async fn add_letters(
    conn: &mut PgConnection,
    table: &'static Table,
    id: i64,
    text: &str,
) -> Result<(), Error> {
    let mut sql = Sql::new("SELECT id, odd_letters FROM sealed_segments WHERE target = ");
    sql.bind(table.name)?;
    sql.push(" AND first_id <= ");
    sql.bind(id)?;
    sql.push(" AND last_id >= ");
    sql.bind(id)?;
    sql.push(" ORDER BY first_id DESC LIMIT 1 FOR UPDATE");
    let Some(row) = sql.fetch_optional(&mut *conn).await? else {
        return Ok(());
    };
    let Some(before) = Letters::from_bytes(row.try_get("odd_letters")?) else {
        return Ok(());
    };
    let mut letters = before.clone();
    letters.add_record(text);
    if letters == before {
        return Ok(());
    }
    let mut sql = Sql::new("UPDATE sealed_segments SET updated_at = now(), odd_letters = ");
    sql.bind(letters.into_bytes())?;
    sql.push(" WHERE id = ");
    sql.bind(row.try_get::<i64, _>("id")?)?;
    sql.execute(conn).await?;
    Ok(())
}

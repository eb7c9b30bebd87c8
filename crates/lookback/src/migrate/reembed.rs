//! Recomputing the vectors of another encoder.

use sqlx::{PgConnection, Row as _};

use crate::db::{Sql, begin, is_distributed};
use crate::embedding::{Embedding, Encoder};
use crate::error::Error;
use crate::migrate::Models;
use crate::model::{ColumnRole, Table, encoder_texts};
use crate::setup::record_encoder;
use crate::value::StoredTime;
use crate::write::search_values;

/// The number of rows that are read, and locked, at a time.
const BATCH: i64 = 2_000;

/// The progress of [`reembed`] in one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reembedded {
    /// The table.
    pub table: &'static str,
    /// The number of rows read so far.
    pub done: u64,
    /// The number of rows at the start.
    pub rows: u64,
    /// The number of rows whose vector changed.
    pub changed: u64,
}

/// Recomputes the vector of every row of these models, and writes changed ones.
///
/// Deleted rows are included; `updated_at` is kept. `say` is called after each
/// batch is committed.
///
/// After an interrupted run, another one reads all rows and writes the remaining
/// vectors. A row is locked only during its batch. Rows that a program with
/// another encoder writes meanwhile keep its vectors: stop such programs first.
///
/// If the models are those of [`Models::lookback`], the version is recorded at
/// the end, so that [`check_encoder`](crate::setup::check_encoder) succeeds.
///
/// Returns the progress of each table with search fields.
///
/// # Errors
///
/// Those of the database.
pub async fn reembed(
    conn: &mut PgConnection,
    models: &Models,
    say: &mut (dyn FnMut(&Reembedded) + Send),
) -> Result<Vec<Reembedded>, Error> {
    let mut all = Vec::new();
    for table in models.tables().filter(|table| !table.search.is_empty()) {
        all.push(reembed_table(conn, table, say).await?);
    }
    if models.own {
        record_encoder(conn).await?;
    }
    Ok(all)
}

async fn reembed_table(
    conn: &mut PgConnection,
    table: &'static Table,
    say: &mut (dyn FnMut(&Reembedded) + Send),
) -> Result<Reembedded, Error> {
    let count = Sql::new(&format!("SELECT count(*) FROM {}", table.quoted()));
    let rows: i64 = match count.fetch_optional(conn).await? {
        Some(row) => row.try_get(0)?,
        None => 0,
    };
    let mut progress = Reembedded {
        table: table.name,
        done: 0,
        rows: rows.unsigned_abs(),
        changed: 0,
    };
    say(&progress);
    let mut after = None;
    while let Some(batch) = batch(conn, table, after).await? {
        after = batch.last;
        progress.done += batch.read;
        progress.changed += batch.changed;
        say(&progress);
    }
    Ok(progress)
}

struct Batch {
    /// The last id that is done.
    last: Option<i64>,
    read: u64,
    changed: u64,
}

/// Recomputes the next rows, in a transaction of their own.
async fn batch(
    conn: &mut PgConnection,
    table: &'static Table,
    after: Option<i64>,
) -> Result<Option<Batch>, Error> {
    let (id, embedding) = (
        table.column_of(ColumnRole::Id),
        table.column_of(ColumnRole::Embedding),
    );
    let is_distributed = is_distributed(conn, table).await?;
    let updated_at = table.column_of(ColumnRole::UpdatedAt).quoted();
    let mut transaction = begin(conn).await?;
    let mut sql = Sql::new(&format!(
        "SELECT {}, {}, {updated_at}, {} FROM {}",
        id.quoted(),
        embedding.quoted(),
        encoder_texts(table).join(", "),
        table.quoted()
    ));
    if let Some(after) = after {
        sql.push(&format!(" WHERE {} > ", id.quoted()));
        sql.bind(after)?;
    }
    sql.push(&format!(" ORDER BY {} LIMIT ", id.quoted()));
    sql.bind(BATCH)?;
    if !is_distributed {
        sql.push(" FOR NO KEY UPDATE");
    }
    let rows = sql.fetch_all(&mut transaction).await?;
    let Some(last) = rows.last() else {
        return Ok(None);
    };
    let last: i64 = last.try_get(0)?;

    let (mut ids, mut vectors, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        let stored: Option<Embedding> = row.try_get(1)?;
        let mut encoder = Encoder::default();
        for value in search_values(table, row, 3)? {
            encoder.add_value(&value);
        }
        let made = encoder.finish();
        if made != stored {
            ids.push(row.try_get::<i64, _>(0)?);
            times.push(row.try_get::<StoredTime, _>(2)?);
            // The shortest text that reads back as the same numbers.
            vectors.push(made.map(|made| format!("{made:?}")));
        }
    }
    let changed = ids.len() as u64;
    if changed > 0 {
        let mut sql = Sql::new(&format!(
            "UPDATE {} AS old SET {} = made.vector::{} FROM unnest(",
            table.quoted(),
            embedding.quoted(),
            embedding.ty.sql()
        ));
        sql.bind(ids)?;
        sql.push(", ");
        sql.bind(vectors)?;
        sql.push(", ");
        sql.bind(times)?;
        // Rows in shards of several servers are not locked: those that changed are read again.
        sql.push(&format!(
            ") AS made (id, vector, time) WHERE old.{} = made.id AND old.{updated_at} = made.time",
            id.quoted()
        ));
        if sql.execute(&mut transaction).await? < changed && is_distributed {
            transaction.rollback().await?;
            return Ok(Some(Batch {
                last: after,
                read: 0,
                changed: 0,
            }));
        }
    }
    transaction.commit().await?;
    Ok(Some(Batch {
        last: Some(last),
        read: rows.len() as u64,
        changed,
    }))
}

//! Raw binary COPY: the baseline of the writer.

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgPoolCopyExt as _;
use sqlx::{AssertSqlSafe, Executor as _, PgPool};

/// The columns of `logs` except `deleted_at` and the id, which the server generates.
const COLUMNS: &str = "source, level, message, meta, trace_id, created_at, updated_at, embedding";

/// The size of a chunk of COPY data.
const CHUNK: usize = 256 * 1024;

/// Creates a table with the columns of `logs` and a primary key.
///
/// The table has no checks and no other index.
///
/// # Panics
///
/// If a table of this name exists, or `logs` does not.
pub async fn create_bare_table(pool: &PgPool, table: &str) {
    let sql = format!(
        "CREATE TABLE {table} (LIKE logs INCLUDING DEFAULTS); \
         ALTER TABLE {table} DROP COLUMN id; \
         ALTER TABLE {table} ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    );
    execute(pool, &sql).await;
}

/// Reads all rows of `logs` as the bytes of a binary COPY, for [`copy_in`].
///
/// # Panics
///
/// If the server does not answer.
pub async fn copy_out(pool: &PgPool) -> Vec<u8> {
    let copy = format!("COPY (SELECT {COLUMNS} FROM logs) TO STDOUT (FORMAT binary)");
    let rows = pool.copy_out_raw(&copy).await.unwrap();
    rows.try_fold(Vec::new(), async |mut all, chunk| {
        all.extend_from_slice(&chunk);
        Ok(all)
    })
    .await
    .unwrap()
}

/// Writes the bytes of [`copy_out`] with one COPY.
///
/// The table is `logs`, or one created by [`create_bare_table`].
///
/// # Panics
///
/// If the server rejects them.
pub async fn copy_in(pool: &PgPool, table: &str, bytes: &[u8]) {
    let statement = format!("COPY {table} ({COLUMNS}) FROM STDIN (FORMAT binary)");
    let mut copy = pool.copy_in_raw(&statement).await.unwrap();
    for chunk in bytes.chunks(CHUNK) {
        copy.send(chunk).await.unwrap();
    }
    copy.finish().await.unwrap();
}

/// Runs statements sequentially on one connection.
///
/// # Panics
///
/// If one fails.
pub async fn execute(pool: &PgPool, sql: &str) {
    pool.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
        .unwrap();
}

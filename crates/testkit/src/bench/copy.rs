//! What raw binary COPY costs: the measure of the writer.

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgPoolCopyExt as _;
use sqlx::{AssertSqlSafe, Executor as _, PgPool};

/// The columns of `logs` without the id, which the server gives, and without
/// `deleted_at`.
const COLUMNS: &str = "source, level, message, meta, trace_id, created_at, updated_at, embedding";

/// Bytes that are handed to a COPY at a time.
const CHUNK: usize = 256 * 1024;

/// Makes a table with the columns of `logs`, a primary key, and no check nor
/// any other index.
///
/// # Panics
///
/// If there is one of this name, or no `logs`.
pub async fn create_plain(pool: &PgPool, table: &str) {
    let sql = format!(
        "CREATE TABLE {table} (LIKE logs INCLUDING DEFAULTS); \
         ALTER TABLE {table} DROP COLUMN id; \
         ALTER TABLE {table} ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    );
    execute(pool, &sql).await;
}

/// All rows of `logs` as the bytes of a binary COPY, as the server itself
/// writes them; for [`copied_in`].
///
/// # Panics
///
/// If the server does not answer.
pub async fn copied_out(pool: &PgPool) -> Vec<u8> {
    let copy = format!("COPY (SELECT {COLUMNS} FROM logs) TO STDOUT (FORMAT binary)");
    let rows = pool.copy_out_raw(&copy).await.unwrap();
    rows.try_fold(Vec::new(), async |mut all, chunk| {
        all.extend_from_slice(&chunk);
        Ok(all)
    })
    .await
    .unwrap()
}

/// One COPY of the bytes of [`copied_out`] into `logs`, or into a table that
/// [`create_plain`] made.
///
/// # Panics
///
/// If the server refuses them.
pub async fn copied_in(pool: &PgPool, table: &str, bytes: &[u8]) {
    let statement = format!("COPY {table} ({COLUMNS}) FROM STDIN (FORMAT binary)");
    let mut copy = pool.copy_in_raw(&statement).await.unwrap();
    for chunk in bytes.chunks(CHUNK) {
        copy.send(chunk).await.unwrap();
    }
    copy.finish().await.unwrap();
}

/// Runs statements of a benchmark's own, one after the other on one connection.
///
/// # Panics
///
/// If one fails.
pub async fn execute(pool: &PgPool, sql: &str) {
    pool.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
        .unwrap();
}

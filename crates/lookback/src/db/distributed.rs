//! Tables that Citus distributes over several servers: what is different for them.
//!
//! The rows of such a table are in shards, tables of other servers, and the table itself is
//! empty. Citus runs a statement on each shard, if it can: no row locks on several shards, no
//! limit within a lateral subquery, no triggers of rows.

use sqlx::PgConnection;

use super::{Sql, one};
use crate::error::Error;
use crate::model::Table;

/// Returns the SQL condition that a table, an expression of its object id, is distributed.
///
/// It works without Citus, too: Citus gives each of these tables a trigger.
pub(crate) fn is_distributed_sql(table: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM pg_catalog.pg_trigger AS t \
           JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid \
           WHERE t.tgrelid = {table} AND p.proname = 'citus_truncate_trigger')"
    )
}

/// Returns whether a table is distributed.
pub(crate) async fn is_distributed(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<bool, Error> {
    let mut sql = Sql::default();
    let name = sql.argument(table.quoted())?;
    let condition = is_distributed_sql(&format!("to_regclass({name})"));
    sql.push(&format!("SELECT {condition}"));
    one(conn, sql).await
}

//! Summarising the new pages of a table in its BRIN indexes.
//!
//! A BRIN index says of a range of pages which times and values they have, once it is
//! summarised; the records of other ranges are read one by one. Autovacuum summarises at most
//! once a minute, and drops requests under load.

use sqlx::{Connection as _, PgConnection};

use crate::db::{BEGIN, Sql};
use crate::error::Error;
use crate::model::Table;

/// How long to wait for another process that vacuums or summarises a partition.
const LOCK_TIMEOUT: &str = "100ms";

/// Summarises new ranges of pages, as far as the role owns the indexes and no other process is
/// working on them. In a transaction of the caller, it does nothing.
///
/// Writers and readers do not wait for it.
pub(super) async fn summarise_page_ranges(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<(), Error> {
    if conn.is_in_transaction() {
        return Ok(());
    }
    let mut transaction = conn.begin_with(BEGIN).await?;
    Sql::new(&format!(
        "SELECT set_config('lock_timeout', '{LOCK_TIMEOUT}', TRUE)"
    ))
    .fetch_optional(&mut transaction)
    .await?;
    let mut sql = Sql::default();
    let name = sql.argument(table.quoted())?;
    sql.push(&format!(
        "SELECT brin_summarize_new_values(i.indexrelid) FROM pg_index AS i \
           JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS am ON am.oid = c.relam \
         WHERE am.amname = 'brin' AND c.relkind = 'i' AND i.indisvalid \
           AND pg_has_role(c.relowner, 'USAGE') AND (i.indrelid = to_regclass({name}) \
           OR i.indrelid IN (SELECT relid FROM pg_partition_tree(to_regclass({name}))))"
    ));
    match sql.execute(&mut transaction).await {
        Ok(_) => Ok(transaction.commit().await?),
        // Another process has a lock, or dropped the partition: autovacuum, or the next call,
        // summarises what is left.
        Err(sqlx::Error::Database(_)) => Ok(transaction.rollback().await?),
        Err(error) => Err(error.into()),
    }
}

//! How PostgreSQL goes through indexes while a search runs.

use sqlx::{Connection as _, PgConnection, Postgres, Row as _, Transaction};

use super::statement::Likeness;
use crate::model::Table;
use crate::sql::Sql;

/// A transaction, or a savepoint in the caller's, that is rolled back in the
/// end: nothing is written in it, and with it goes what was set.
pub(crate) struct Session<'c> {
    transaction: Transaction<'c, Postgres>,
    has_vector_index: bool,
}

/// Without these an index hands over its nearest rows, of which a filter may
/// leave none; with them it goes on until there are enough. Where it gives up
/// at last, the search scans. Compiling a statement of milliseconds to machine
/// code takes longer than running it.
const SETTINGS: [(&str, &str); 5] = [
    ("hnsw.iterative_scan", "strict_order"),
    ("hnsw.ef_search", "200"),
    ("ivfflat.iterative_scan", "relaxed_order"),
    ("ivfflat.probes", "10"),
    ("jit", "off"),
];

impl<'c> Session<'c> {
    pub(crate) async fn begin(
        table: &'static Table,
        conn: &'c mut PgConnection,
    ) -> Result<Self, sqlx::Error> {
        let mut transaction = conn.begin().await?;
        let set: Vec<String> = SETTINGS
            .iter()
            .map(|(name, value)| format!("set_config('{name}', '{value}', TRUE)"))
            .collect();
        // Of the table and of its partitions, however deep.
        let mut sql = Sql::new(&format!(
            "SELECT EXISTS (\
               SELECT FROM pg_index AS i \
               JOIN pg_class AS c ON c.oid = i.indexrelid \
               JOIN pg_am AS am ON am.oid = c.relam \
               WHERE am.amname IN ('hnsw', 'ivfflat') AND (i.indrelid = to_regclass($1) \
               OR i.indrelid IN (SELECT relid FROM pg_partition_tree(to_regclass($1))))) AS has_vector_index, {}",
            set.join(", ")
        ));
        sql.argument(table.quoted()).map_err(driver)?;
        let row = sql.fetch_optional(&mut transaction).await?;
        let has_vector_index = row.map_or(Ok(false), |row| row.try_get("has_vector_index"))?;
        Ok(Self {
            transaction,
            has_vector_index,
        })
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Whether there is an index that finds most of the nearest rows, and not
    /// always all of them.
    pub(crate) fn has_vector_index(&self) -> bool {
        self.has_vector_index
    }

    /// How the nearest rows are to be read.
    pub(super) fn likeness(&self) -> Likeness {
        match self.has_vector_index {
            true => Likeness::ByIndex,
            false => Likeness::ByScan,
        }
    }

    /// From now on no index is read in its order: the nearest rows come from a
    /// scan, or from a bitmap of what the filters leave.
    pub(crate) async fn without_indexes(&mut self) -> Result<(), sqlx::Error> {
        let sql = Sql::new("SELECT set_config('enable_indexscan', 'off', TRUE)");
        sql.fetch_optional(&mut self.transaction).await.map(drop)
    }

    pub(crate) async fn end(self) -> Result<(), sqlx::Error> {
        self.transaction.rollback().await
    }
}

fn driver(error: crate::Error) -> sqlx::Error {
    match error {
        crate::Error::Driver(source) => source,
        other => sqlx::Error::Encode(Box::new(other)),
    }
}

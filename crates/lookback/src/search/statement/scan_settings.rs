//! The local settings of a search: how PostgreSQL scans indexes.

use sqlx::{PgConnection, Row as _};

use crate::db::Sql;
use crate::db::TransactionScope;
use crate::error::Error;
use crate::model::Table;
use crate::search::scope::Scope;
use crate::search::statement::VectorScan;

/// A connection with the local settings of a search.
///
/// Outside a transaction it begins one, which is rolled back at the end and
/// with it the settings: nothing is written in it. In the caller's transaction,
/// without a savepoint (see [`Together`]), the previous settings are restored.
pub(crate) struct SearchSession<'c> {
    table: &'static Table,
    together: Together<'c>,
    /// The previous settings, in the order of [`SETTINGS`] and [`INDEX_SCANS`];
    /// `None` for a setting that did not exist.
    before: Vec<Option<String>>,
    has_vector_index: bool,
}

/// Without iterative scans an index returns its nearest rows, and a filter may
/// leave none of them; with them it continues until there are enough. If it
/// gives up, the search scans. Compiling a statement of milliseconds by JIT
/// takes longer than running it.
const SETTINGS: [(&str, &str); 5] = [
    ("hnsw.iterative_scan", "strict_order"),
    ("hnsw.ef_search", "200"),
    ("ivfflat.iterative_scan", "relaxed_order"),
    ("ivfflat.probes", "10"),
    ("jit", "off"),
];

/// The cost of reading the records of a search, in the planner's unit (one
/// sequential page), above which summaries are used: about ten thousand records
/// of some hundred bytes. An operator may set another: `ALTER DATABASE … SET
/// lookback.scan_cost = 20000`.
const SCAN_COST: f64 = 2_500.0;
const SCAN_COST_SETTING: &str = "lookback.scan_cost";

/// The setting that keeps plans from reading an index in its order.
const INDEX_SCANS: &str = "enable_indexscan";

impl<'c> SearchSession<'c> {
    pub(crate) async fn begin(
        table: &'static Table,
        conn: &'c mut PgConnection,
    ) -> Result<Self, sqlx::Error> {
        let mut together = TransactionScope::begin(conn).await?;
        let names = SETTINGS.iter().map(|(name, _)| *name);
        let before: Vec<String> = names
            .chain([INDEX_SCANS])
            .map(|name| format!("current_setting('{name}', TRUE)"))
            .collect();
        let set: Vec<String> = SETTINGS
            .iter()
            .map(|(name, value)| format!("set_config('{name}', '{value}', TRUE)"))
            .collect();
        // `pg_partition_tree` covers partitions at any depth. `OFFSET 0` makes the server read the
        // previous settings before it sets others.
        let mut sql = Sql::new(&format!(
            "SELECT was.before, EXISTS (\
               SELECT FROM pg_index AS i \
               JOIN pg_class AS c ON c.oid = i.indexrelid \
               JOIN pg_am AS am ON am.oid = c.relam \
               WHERE am.amname IN ('hnsw', 'ivfflat') AND (i.indrelid = to_regclass($1) \
               OR i.indrelid IN (SELECT relid FROM pg_partition_tree(to_regclass($1))))) AS has_vector_index, {} \
             FROM (SELECT ARRAY[{}] AS before OFFSET 0) AS was",
            set.join(", "),
            before.join(", "),
        ));
        sql.argument(table.quoted()).map_err(driver)?;
        let row = sql.fetch_optional(together.conn()).await?;
        let (before, has_vector_index) = match row {
            Some(row) => (row.try_get("before")?, row.try_get("has_vector_index")?),
            None => (Vec::new(), false),
        };
        Ok(Self {
            table,
            together,
            before,
            has_vector_index,
        })
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.together.conn()
    }

    /// Returns whether there is an index that finds most of the nearest rows,
    /// but not always all.
    pub(crate) fn has_vector_index(&self) -> bool {
        self.has_vector_index
    }

    /// Returns how the nearest rows are read.
    pub(in crate::search) fn vector_scan(&self) -> VectorScan {
        if self.has_vector_index {
            VectorScan::Index
        } else {
            VectorScan::Sequential
        }
    }

    /// Returns whether the summaries of a sealed table are used: if reading all
    /// rows of the scope costs more than [`SCAN_COST`], and no index finds the
    /// nearest.
    pub(crate) async fn should_use_summaries(&mut self, scope: &Scope<'_>) -> Result<bool, Error> {
        if !self.table.sealed || self.has_vector_index {
            return Ok(false);
        }
        let row = Sql::new(&format!(
            "SELECT current_setting('{SCAN_COST_SETTING}', TRUE) AS cost"
        ))
        .fetch_optional(self.conn())
        .await?;
        let set: Option<String> = row.map(|row| row.try_get("cost")).transpose()?.flatten();
        let most = match set.as_deref().map_or("", str::trim) {
            // The value of a custom setting after `RESET` in a session that had set it.
            "" => SCAN_COST,
            set => scan_cost(set).ok_or_else(|| {
                let problem = format!(
                    "expected a cost such as {SCAN_COST}, in the planner's unit, got `{set}`; SET \
                     {SCAN_COST_SETTING} to a number, or RESET it (where it was set: for the \
                     session, ALTER ROLE or ALTER DATABASE)"
                );
                Error::invalid_field(self.table.name, SCAN_COST_SETTING, problem)
            })?,
        };
        let mut sql = scope.where_clause()?;
        let scope = sql.take_text();
        sql.push(&format!("SELECT FROM {}{scope}", self.table.quoted()));
        let expected = sql
            .expected(self.conn())
            .await
            .map_err(|error| Error::from_driver(self.table, error))?;
        Ok(expected.is_none_or(|expected| expected.cost > most))
    }

    /// Keeps later statements from reading an index in its order: the nearest
    /// rows come from a scan, or from a bitmap of the filters.
    pub(crate) async fn disable_index_scans(&mut self) -> Result<(), sqlx::Error> {
        let sql = Sql::new(&format!("SELECT set_config('{INDEX_SCANS}', 'off', TRUE)"));
        sql.fetch_optional(self.conn()).await.map(drop)
    }

    /// Ends the session and returns the outcome. The previous settings are
    /// restored only if the transaction has not failed: in a failed one nothing
    /// can be set, and it will be rolled back.
    pub(crate) async fn finish<T>(self, outcome: Result<T, Error>) -> Result<T, Error> {
        let table = self.table;
        let ended = self.restore().await;
        let value = outcome?;
        ended.map_err(|error| Error::from_driver(table, error))?;
        Ok(value)
    }

    async fn restore(self) -> Result<(), sqlx::Error> {
        let conn = match self.together {
            TransactionScope::Own(transaction) => return transaction.rollback().await,
            TransactionScope::Outer(conn) => conn,
        };
        let mut sql = Sql::default();
        let names = SETTINGS.iter().map(|(name, _)| *name);
        let mut set = Vec::new();
        for (name, before) in names.chain([INDEX_SCANS]).zip(self.before) {
            let before = sql.argument(before).map_err(driver)?;
            set.push(format!("set_config('{name}', {before}, TRUE)"));
        }
        sql.push(&format!("SELECT {}", set.join(", ")));
        sql.fetch_optional(conn).await.map(drop)
    }
}

/// Parses a cost; NaN is none.
fn scan_cost(set: &str) -> Option<f64> {
    set.parse().ok().filter(|cost: &f64| !cost.is_nan())
}

fn driver(error: crate::Error) -> sqlx::Error {
    match error {
        crate::Error::Driver(source) => source,
        other => sqlx::Error::Encode(Box::new(other)),
    }
}

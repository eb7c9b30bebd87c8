//! The local settings of a search: how PostgreSQL scans indexes.

use sqlx::{PgConnection, Row as _};

use crate::db::{LocalSetting, LocalSettings, Sql, is_distributed_sql, one};
use crate::error::Error;
use crate::model::Table;
use crate::search::scope::Scope;
use crate::search::statement::VectorScan;

/// A connection with the local settings of a search (see [`LocalSettings`]).
pub(crate) struct SearchSession<'c> {
    table: &'static Table,
    settings: LocalSettings<&'c mut PgConnection>,
    has_vector_index: bool,
    has_unordered_index: bool,
    has_text_index: bool,
    is_distributed: bool,
    /// The setting [`SCAN_COST_SETTING`], if it is set.
    scan_cost: Option<String>,
    /// Whether summaries are used, and whether all rows of the scope are few, once it is
    /// known.
    uses_summaries: Option<bool>,
    is_scan_small: bool,
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
pub(in crate::search) const SCAN_COST_SETTING: &str = "lookback.scan_cost";

/// The setting that keeps plans from reading an index in its order.
const INDEX_SCANS: &str = "enable_indexscan";

impl<'c> SearchSession<'c> {
    pub(crate) async fn begin(
        table: &'static Table,
        conn: &'c mut PgConnection,
    ) -> Result<Self, sqlx::Error> {
        let index_scans = LocalSetting {
            name: INDEX_SCANS,
            value: None,
            condition: None,
        };
        let settings = SETTINGS.map(|(name, value)| LocalSetting::new(name, value));
        let settings: Vec<LocalSetting<'_>> = settings.into_iter().chain([index_scans]).collect();
        let (settings, row) = LocalSettings::begin(conn, &settings, |sql| {
            // `pg_partition_tree` covers partitions at any depth.
            let table = sql.argument(table.quoted())?;
            Ok(format!(
                "(SELECT array_agg(DISTINCT am.amname::text) FILTER (WHERE am.amname <> 'gin' OR i.indexprs IS NOT NULL) \
                   FROM pg_index AS i \
                   JOIN pg_class AS c ON c.oid = i.indexrelid \
                   JOIN pg_am AS am ON am.oid = c.relam \
                   WHERE am.amname IN ('hnsw', 'ivfflat', 'gin') AND (i.indrelid = to_regclass({table}) \
                   OR i.indrelid IN (SELECT relid FROM pg_partition_tree(to_regclass({table}))))\
                 ) AS search_indexes, current_setting('{SCAN_COST_SETTING}', TRUE) AS scan_cost, \
                 {is_distributed} AS is_distributed, ",
                is_distributed = is_distributed_sql(&format!("to_regclass({table})")),
            ))
        })
        .await?;
        let indexes: Option<Vec<String>> = row.try_get("search_indexes")?;
        let indexes = indexes.unwrap_or_default();
        let has = |method: &str| indexes.iter().any(|index| index == method);
        Ok(Self {
            table,
            has_vector_index: has("hnsw") || has("ivfflat"),
            has_unordered_index: has("ivfflat"),
            has_text_index: has("gin"),
            is_distributed: row.try_get("is_distributed")?,
            scan_cost: row.try_get("scan_cost")?,
            uses_summaries: None,
            is_scan_small: false,
            settings,
        })
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.settings.conn()
    }

    /// Returns whether there is an index that finds most of the nearest rows,
    /// but not always all.
    pub(crate) fn has_vector_index(&self) -> bool {
        self.has_vector_index
    }

    /// Returns whether the rows are in shards on several servers.
    pub(crate) fn is_distributed(&self) -> bool {
        self.is_distributed
    }

    /// Returns whether there is an index on an expression that may serve letters.
    pub(in crate::search) fn has_text_index(&self) -> bool {
        self.has_text_index
    }

    /// Returns whether an index returns the nearest rows only approximately in order.
    pub(crate) fn has_unordered_index(&self) -> bool {
        self.has_unordered_index
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
    /// nearest. A session has one scope.
    pub(crate) async fn should_use_summaries(&mut self, scope: &Scope<'_>) -> Result<bool, Error> {
        if let Some(known) = self.uses_summaries {
            return Ok(known);
        }
        if !self.table.sealed || self.has_vector_index {
            return Ok(false);
        }
        if self.is_distributed && self.scan_cost.is_none() {
            // Citus expects the same number of rows of any statement, at no cost.
            let mut sql = Sql::new(
                "SELECT EXISTS (SELECT 1 FROM sealed_segments WHERE NOT is_tombstone AND target = ",
            );
            sql.bind(self.table.name)?;
            sql.push(")");
            let is_sealed: bool = one(self.conn(), sql).await?;
            self.uses_summaries = Some(is_sealed);
            return Ok(is_sealed);
        }
        let most = scan_cost(self.table, self.scan_cost.as_deref())?;
        let mut sql = Sql::new(&format!("SELECT FROM {}", self.table.quoted()));
        scope.push_where(&mut sql)?;
        let expected = sql
            .expected(self.conn())
            .await
            .map_err(|error| Error::from_driver(self.table, error))?;
        let is_large = expected
            .as_ref()
            .is_none_or(|expected| expected.cost > most);
        self.is_scan_small = expected.is_some_and(|expected| expected.cost <= SCAN_COST);
        self.uses_summaries = Some(is_large);
        Ok(is_large)
    }

    /// Returns whether all rows of the scope are known to be few.
    pub(in crate::search) fn is_scan_small(&self) -> bool {
        self.is_scan_small
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
        let (_, ended) = self.settings.end().await;
        let value = outcome?;
        ended.map_err(|error| Error::from_driver(table, error))?;
        Ok(value)
    }
}

/// Returns the cost of reading records above which summaries are used, from the value of
/// [`SCAN_COST_SETTING`].
pub(in crate::search) fn scan_cost(table: &'static Table, set: Option<&str>) -> Result<f64, Error> {
    let set = set.map_or("", str::trim);
    // The value of a custom setting after `RESET` in a session that had set it.
    if set.is_empty() {
        return Ok(SCAN_COST);
    }
    let cost = set.parse().ok().filter(|cost: &f64| !cost.is_nan());
    cost.ok_or_else(|| {
        let problem = format!(
            "expected a cost such as {SCAN_COST}, in the planner's unit, got `{set}`; SET \
             {SCAN_COST_SETTING} to a number, or RESET it (where it was set: for the \
             session, ALTER ROLE or ALTER DATABASE)"
        );
        Error::invalid_field(table.name, SCAN_COST_SETTING, problem)
    })
}

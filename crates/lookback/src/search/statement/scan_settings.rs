//! How PostgreSQL goes through indexes while a search runs.

use sqlx::{PgConnection, Row as _};

use crate::db::Sql;
use crate::db::TransactionScope;
use crate::error::Error;
use crate::model::Table;
use crate::search::scope::Scope;
use crate::search::statement::Likeness;

/// Statements under the settings of a search.
///
/// In a transaction of their own, which is rolled back in the end: nothing is
/// written in it, and with it goes what was set. In a transaction of the
/// caller's without a savepoint (see [`TransactionScope`]): what was set is set back.
pub(crate) struct Session<'c> {
    table: &'static Table,
    together: TransactionScope<'c>,
    /// What was set before, in the order of [`SETTINGS`] and
    /// [`WITHOUT_INDEXES`]; `None` for what was not known yet.
    before: Vec<Option<String>>,
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

/// What reading the records of a search may cost, in the planner's unit (one page
/// that is read in order), before the summaries of a sealed table are asked
/// which of them to read. Of records of some hundred bytes that are some ten
/// thousand. An operator may set another: `ALTER DATABASE … SET
/// lookback.scan_cost = 20000`.
const SCAN_COST: f64 = 2_500.0;
const SCAN_COST_SETTING: &str = "lookback.scan_cost";

/// How plans are kept from reading an index in its order.
const WITHOUT_INDEXES: &str = "enable_indexscan";

impl<'c> Session<'c> {
    pub(crate) async fn begin(
        table: &'static Table,
        conn: &'c mut PgConnection,
    ) -> Result<Self, sqlx::Error> {
        let mut together = TransactionScope::begin(conn).await?;
        let names = SETTINGS.iter().map(|(name, _)| *name);
        let before: Vec<String> = names
            .chain([WITHOUT_INDEXES])
            .map(|name| format!("current_setting('{name}', TRUE)"))
            .collect();
        let set: Vec<String> = SETTINGS
            .iter()
            .map(|(name, value)| format!("set_config('{name}', '{value}', TRUE)"))
            .collect();
        // Of the table and of its partitions, however deep. What was set before is read first:
        // `OFFSET 0` keeps the two apart.
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

    /// Whether there is an index that finds most of the nearest rows, and not
    /// always all of them.
    pub(crate) fn has_vector_index(&self) -> bool {
        self.has_vector_index
    }

    /// How the nearest rows are to be read.
    pub(in crate::search) fn likeness(&self) -> Likeness {
        match self.has_vector_index {
            true => Likeness::ByIndex,
            false => Likeness::ByScan,
        }
    }

    /// Whether records of a scope, ` WHERE …`, are to be found by the summaries
    /// of a sealed table: where reading all of them costs more than
    /// [`SCAN_COST`], and no index finds the nearest.
    pub(crate) async fn is_read_by_summaries(&mut self, scope: &Scope<'_>) -> Result<bool, Error> {
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
            // As a setting is after `RESET`, once it was set in the session.
            "" => SCAN_COST,
            set => scan_cost(set).ok_or_else(|| {
                let problem = format!(
                    "`{set}` is not a cost such as {SCAN_COST}, in the planner's unit; SET \
                     {SCAN_COST_SETTING} to a number, or RESET it (where it was set: for the \
                     session, ALTER ROLE or ALTER DATABASE)"
                );
                Error::invalid_field(self.table.name, SCAN_COST_SETTING, problem)
            })?,
        };
        let mut sql = scope.records()?;
        let scope = sql.take_text();
        sql.push(&format!("SELECT FROM {}{scope}", self.table.quoted()));
        let expected = sql
            .expected(self.conn())
            .await
            .map_err(|error| Error::from_driver(self.table, error))?;
        Ok(expected.is_none_or(|expected| expected.cost > most))
    }

    /// From now on no index is read in its order: the nearest rows come from a
    /// scan, or from a bitmap of what the filters leave.
    pub(crate) async fn without_indexes(&mut self) -> Result<(), sqlx::Error> {
        let sql = Sql::new(&format!(
            "SELECT set_config('{WITHOUT_INDEXES}', 'off', TRUE)"
        ));
        sql.fetch_optional(self.conn()).await.map(drop)
    }

    /// Ends it with what came of it. What was set is set back where nothing but
    /// Lookback itself found something wrong: in a transaction that failed nothing
    /// can be set, and it will be rolled back.
    pub(crate) async fn end_with<T>(self, outcome: Result<T, Error>) -> Result<T, Error> {
        let table = self.table;
        let ended = self.end().await;
        let value = outcome?;
        ended.map_err(|error| Error::from_driver(table, error))?;
        Ok(value)
    }

    async fn end(self) -> Result<(), sqlx::Error> {
        let conn = match self.together {
            TransactionScope::Own(transaction) => return transaction.rollback().await,
            TransactionScope::Outer(conn) => conn,
        };
        let mut sql = Sql::default();
        let names = SETTINGS.iter().map(|(name, _)| *name);
        let mut set = Vec::new();
        for (name, before) in names.chain([WITHOUT_INDEXES]).zip(self.before) {
            let before = sql.argument(before).map_err(driver)?;
            set.push(format!("set_config('{name}', {before}, TRUE)"));
        }
        sql.push(&format!("SELECT {}", set.join(", ")));
        sql.fetch_optional(conn).await.map(drop)
    }
}

/// A number to which a cost can be compared.
fn scan_cost(set: &str) -> Option<f64> {
    set.parse().ok().filter(|cost: &f64| !cost.is_nan())
}

fn driver(error: crate::Error) -> sqlx::Error {
    match error {
        crate::Error::Driver(source) => source,
        other => sqlx::Error::Encode(Box::new(other)),
    }
}

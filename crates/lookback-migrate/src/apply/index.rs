//! Builds indexes with `CONCURRENTLY`. A build that fails or is killed leaves an INVALID index,
//! which slows down writes and is used by no query.

use std::time::Duration;

use lookback_schema::ConcurrentIndex;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::non_transactional::StepError;
use super::statements::ScriptStatement;
use super::{FIRST_PAUSE, Run, WaitOutcome, query, raw};
use crate::error::{Error, HistoryError, LockError};
use crate::event::{Event, Holder};
use crate::files::Script;
use crate::sqlstate::{is_connection_lost, is_lock_conflict, message};

/// The pause before an index without a running build is checked again. A build disappears from
/// `pg_stat_progress_create_index` shortly before its commit makes the index valid.
const SETTLED: Duration = Duration::from_millis(100);

/// An index of the table with the requested name.
#[derive(Debug, PartialEq)]
struct FoundIndex {
    oid: i64,
    /// The name with its schema, quoted.
    name: String,
    valid: bool,
}

const FIND_INDEX: &str = "SELECT class.oid::bigint AS oid, \
     format('%I.%I', space.nspname, class.relname) AS name, \
     index.indisvalid AND index.indisready AS valid \
     FROM pg_class AS owner JOIN pg_class AS class USING (relnamespace) \
     JOIN pg_namespace AS space ON space.oid = class.relnamespace \
     JOIN pg_index AS index ON index.indexrelid = class.oid AND index.indrelid = owner.oid \
     WHERE owner.oid = to_regclass($1) AND class.relname = $2::text::name";

/// Checks whether a session is building this index.
///
/// A role without the right to see other sessions only sees that a build runs.
const IS_BEING_BUILT: &str = "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index \
     WHERE datname = current_database() AND (index_relid = $1::bigint::oid OR relid IS NULL)) AS busy";

/// Reads the whole definition of an index, except for its name and its table.
const DEFINITION: &str = "SELECT concat_ws(' | ', method.amname, index.indisunique, \
     index.indnullsnotdistinct, index.indnkeyatts, \
     (SELECT string_agg(pg_get_indexdef(index.indexrelid, place, true), ', ' ORDER BY place) \
        FROM generate_series(1, index.indnatts) AS place), \
     index.indclass::text, index.indcollation::text, index.indoption::text, \
     coalesce(class.reloptions::text, ''), \
     coalesce(pg_get_expr(index.indpred, index.indrelid), '')) AS definition \
     FROM pg_index AS index JOIN pg_class AS class ON class.oid = index.indexrelid \
     JOIN pg_am AS method ON method.oid = class.relam ";

/// Finds the indexes left by a `REINDEX CONCURRENTLY` that was stopped.
///
/// PostgreSQL manual, REINDEX, "Rebuilding Indexes Concurrently".
const REINDEX_LEFTOVERS: &str = "SELECT format('%I.%I', space.nspname, class.relname) AS name \
     FROM pg_index AS index JOIN pg_class AS class ON class.oid = index.indexrelid \
     JOIN pg_namespace AS space ON space.oid = class.relnamespace \
     WHERE NOT index.indisvalid AND class.relname ~ '_cc(new|old)[0-9]*$' \
     AND index.indrelid = coalesce((SELECT indrelid FROM pg_index \
       WHERE indexrelid = to_regclass($1)), to_regclass($1)) \
     AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS busy \
       WHERE busy.relid = index.indrelid) ORDER BY name";

impl Run<'_> {
    /// Builds an index unless a valid one with the same definition exists.
    pub(super) async fn build(
        &mut self,
        script: &Script,
        step: &ScriptStatement<'_>,
        index: &ConcurrentIndex<'_>,
    ) -> Result<(), StepError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.find_index(index).await? {
                Some(found) if !found.valid => {
                    if self.is_being_built(&found).await? {
                        let waiting = self.wait(script, step.line, Duration::ZERO, &mut pause);
                        match waiting.await? {
                            WaitOutcome::Again => continue,
                            WaitOutcome::Enough(holders) => {
                                return Err(being_built(found, holders).into());
                            }
                        }
                    }
                    tokio::time::sleep(SETTLED).await;
                    if self.find_index(index).await?.as_ref() == Some(&found)
                        && !self.is_being_built(&found).await?
                    {
                        self.drop_invalid(&found.name).await?;
                    }
                }
                Some(found) if self.has_definition(&found, index).await? => {
                    (self.events)(Event::IndexExists { index: found.name });
                    return Ok(());
                }
                Some(found) if !index.if_not_exists => {
                    return Err(other_index(script, step, &found).into());
                }
                _ => {}
            }
            let error = match raw(self.conn, step.sql).await {
                Ok(()) => return Ok(()),
                Err(error) if is_connection_lost(&error) => {
                    return Err(StepError::Sql(error, None));
                }
                Err(error) => error,
            };
            let note = self.clean_up(index).await;
            if is_lock_conflict(&error) {
                match self
                    .wait(script, step.line, Duration::ZERO, &mut pause)
                    .await?
                {
                    WaitOutcome::Again => continue,
                    WaitOutcome::Enough(holders) => {
                        return Err(StepError::Locked(error, note, holders));
                    }
                }
            }
            return Err(StepError::Sql(error, note));
        }
    }

    /// Drops the index left by a failed build, and returns a note about it.
    async fn clean_up(&mut self, index: &ConcurrentIndex<'_>) -> Option<String> {
        let left = match self.find_index(index).await {
            Ok(found) => found.filter(|found| !found.valid)?,
            Err(error) => {
                return Some(format!(
                    "the state of the index is unknown ({})",
                    message(&error)
                ));
            }
        };
        let name = left.name;
        Some(match self.drop_invalid(&name).await {
            Ok(()) => format!("the INVALID index {name} that it left was dropped"),
            Err(error) => {
                format!(
                    "it left the INVALID index {name}, which the next run drops ({})",
                    message(&error)
                )
            }
        })
    }

    async fn drop_invalid(&mut self, name: &str) -> Result<(), sqlx::Error> {
        raw(self.conn, &format!("DROP INDEX CONCURRENTLY {name}")).await?;
        (self.events)(Event::DroppedInvalidIndex {
            index: name.to_owned(),
        });
        Ok(())
    }

    async fn find_index(
        &mut self,
        index: &ConcurrentIndex<'_>,
    ) -> Result<Option<FoundIndex>, sqlx::Error> {
        let row = query(FIND_INDEX)
            .bind(index.table)
            .bind(index.name.as_deref().unwrap_or_default())
            .fetch_optional(&mut *self.conn)
            .await?;
        let read = |row: sqlx::postgres::PgRow| {
            Ok(FoundIndex {
                oid: row.try_get("oid")?,
                name: row.try_get("name")?,
                valid: row.try_get("valid")?,
            })
        };
        row.map(read).transpose()
    }

    async fn is_being_built(&mut self, found: &FoundIndex) -> Result<bool, sqlx::Error> {
        let look = query(IS_BEING_BUILT).bind(found.oid);
        look.fetch_one(&mut *self.conn).await?.try_get("busy")
    }

    /// Whether an existing index has the definition in a statement.
    ///
    /// The statement is run on an empty table with the same columns, in a scratch transaction; then
    /// the server's definitions are compared.
    async fn has_definition(
        &mut self,
        found: &FoundIndex,
        index: &ConcurrentIndex<'_>,
    ) -> Result<bool, sqlx::Error> {
        let mut scratch = self.conn.begin().await?;
        let unique = if index.unique { "UNIQUE " } else { "" };
        let (table, definition) = (index.table, index.definition);
        let make = format!(
            "CREATE TEMPORARY TABLE lookback_twin (LIKE {table}); \
             CREATE {unique}INDEX lookback_twin_index ON pg_temp.lookback_twin {definition}"
        );
        raw(&mut scratch, &make).await?;
        let there = format!("{DEFINITION} WHERE index.indexrelid = $1::bigint::oid");
        let there = query(AssertSqlSafe(there))
            .bind(found.oid)
            .fetch_one(&mut *scratch)
            .await?;
        let wanted =
            format!("{DEFINITION} WHERE index.indrelid = to_regclass('pg_temp.lookback_twin')");
        let wanted = query(AssertSqlSafe(wanted))
            .fetch_one(&mut *scratch)
            .await?;
        scratch.rollback().await?;
        let of = |row: &sqlx::postgres::PgRow| row.try_get::<String, _>("definition");
        Ok(of(&there)? == of(&wanted)?)
    }

    /// Drops the indexes left by a `REINDEX CONCURRENTLY` that was stopped.
    pub(super) async fn drop_reindex_leftovers(&mut self, name: &str) -> Result<(), sqlx::Error> {
        let left = self.reindex_leftovers(name).await?;
        if left.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(SETTLED).await;
        for name in self.reindex_leftovers(name).await? {
            if left.contains(&name) {
                self.drop_invalid(&name).await?;
            }
        }
        Ok(())
    }

    async fn reindex_leftovers(&mut self, name: &str) -> Result<Vec<String>, sqlx::Error> {
        let rows = query(REINDEX_LEFTOVERS)
            .bind(name)
            .fetch_all(&mut *self.conn)
            .await?;
        rows.iter().map(|row| row.try_get("name")).collect()
    }
}

fn being_built(found: FoundIndex, holders: Vec<Holder>) -> Error {
    let index = found.name;
    LockError::IndexInProgress { index, holders }.into()
}

fn other_index(script: &Script, step: &ScriptStatement<'_>, found: &FoundIndex) -> Error {
    HistoryError::IndexDiffers {
        file: script.name().to_owned(),
        line: step.line,
        index: found.name.clone(),
    }
    .into()
}

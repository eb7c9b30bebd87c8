//! The history table: sqlx's `_sqlx_migrations`, unless another one is set.
//!
//! The row of an applied migration is as sqlx writes it. While a file without a
//! transaction runs, its row has `success = false`, which means "partially
//! applied" in sqlx. Its `execution_time` is then negative and encodes the
//! number of statements that took effect. Its checksum covers the file up to
//! that point. The next run uses this to resume where a killed run stopped.

use std::time::Duration;

use chrono::{DateTime, Utc};
use lookback_schema::Name;
use sqlx::migrate::Migrate as _;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::privileges::MissingCreate;
use super::{migrate_error, query};
use crate::error::{Error, GenerateError, HistoryError};
use crate::files::MigrationFile;

/// A row of the table.
#[derive(Clone, Debug)]
pub(super) struct HistoryRecord {
    pub(super) version: i64,
    pub(super) description: String,
    pub(super) applied_at: DateTime<Utc>,
    pub(super) checksum: Vec<u8>,
    /// `None` for an applied migration.
    pub(super) progress: Option<ScriptProgress>,
}

/// The progress of a file without a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScriptProgress {
    pub(super) direction: Direction,
    /// The number of statements that took effect.
    pub(super) done: usize,
    /// Whether the next statement was started, with an unknown outcome.
    pub(super) begun: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

/// Smaller values count statements of the file that reverts the migration.
const DOWN: i64 = -(1 << 40);

impl ScriptProgress {
    /// Encodes the progress as `execution_time`: -1 for nothing, as in sqlx.
    pub(super) fn encode(self) -> i64 {
        let count = i64::try_from(self.done * 2 + usize::from(self.begun)).unwrap_or(i64::MAX >> 1);
        match self.direction {
            Direction::Up => -1 - count,
            Direction::Down => DOWN - count,
        }
    }

    fn decode(time: i64) -> Self {
        let (direction, count) = if time <= DOWN {
            (Direction::Down, DOWN - time)
        } else {
            (Direction::Up, (-1 - time).max(0))
        };
        Self {
            direction,
            done: usize::try_from(count / 2).unwrap_or(usize::MAX),
            begun: count % 2 == 1,
        }
    }
}

/// The history table, with its schema: a migration may change the search path.
#[derive(Clone, Debug)]
pub(super) struct HistoryTable(String);

impl HistoryTable {
    /// Finds the table with this name, which has SQL syntax.
    pub(super) async fn find(conn: &mut PgConnection, name: &str) -> Result<Option<Self>, Error> {
        let row = query(
            "SELECT format('%I.%I', space.nspname, class.relname) AS name FROM pg_class AS class \
             JOIN pg_namespace AS space ON space.oid = class.relnamespace \
             WHERE class.oid = to_regclass($1)",
        )
        .bind(checked(name)?)
        .fetch_optional(conn)
        .await?;
        Ok(row.map(|row| row.try_get("name").map(Self)).transpose()?)
    }

    /// Finds the table, or creates it as sqlx does.
    pub(super) async fn ensure(conn: &mut PgConnection, name: &str) -> Result<Self, Error> {
        if let Some(table) = Self::find(conn, name).await? {
            return Ok(table);
        }
        // sqlx puts the name into its SQL without quotes.
        let name = checked(name)?;
        let made = conn.ensure_migrations_table(&name).await;
        if let Err(source) = made.map_err(migrate_error) {
            let missing = MissingCreate::find(conn, &source, Some(&name)).await;
            return Err(match missing {
                Some(missing) => HistoryError::TableNotCreated {
                    table: name.clone(),
                    missing,
                    source,
                }
                .into(),
                None => source.into(),
            });
        }
        let made = Self::find(conn, &name).await?;
        made.ok_or_else(|| HistoryError::TableNotFound { table: name }.into())
    }

    pub(super) async fn records(
        &self,
        conn: &mut PgConnection,
    ) -> Result<Vec<HistoryRecord>, Error> {
        let rows = self
            // The driver decodes no infinite time.
            .query(
                "SELECT version, description, success, checksum, execution_time, \
                 least(greatest(installed_on, '0001-01-01'), '9999-12-31') AS installed_on \
                 FROM {} ORDER BY version",
            )
            .fetch_all(conn)
            .await?;
        let read = |row: &sqlx::postgres::PgRow| {
            let progress = ScriptProgress::decode(row.try_get("execution_time")?);
            let success: bool = row.try_get("success")?;
            Ok(HistoryRecord {
                version: row.try_get("version")?,
                description: row.try_get("description")?,
                applied_at: row.try_get("installed_on")?,
                checksum: row.try_get("checksum")?,
                progress: (!success).then_some(progress),
            })
        };
        rows.iter().map(read).collect()
    }

    /// Records a migration that was applied in a transaction.
    pub(super) async fn insert(
        &self,
        conn: &mut PgConnection,
        file: &MigrationFile,
        time: Duration,
    ) -> Result<(), sqlx::Error> {
        let sql = "INSERT INTO {} (version, description, success, checksum, execution_time) \
                   VALUES ($1, $2, true, $3, $4)";
        self.query(sql)
            .bind(file.version())
            .bind(file.description())
            .bind(file.up().checksum())
            .bind(nanoseconds(time))
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Records the progress of a file without a transaction.
    pub(super) async fn set_progress(
        &self,
        conn: &mut PgConnection,
        file: &MigrationFile,
        progress: ScriptProgress,
        checksum: &[u8],
    ) -> Result<(), sqlx::Error> {
        let sql = "INSERT INTO {} (version, description, success, checksum, execution_time) \
                   VALUES ($1, $2, false, $3, $4) ON CONFLICT (version) DO UPDATE \
                   SET success = false, checksum = $3, execution_time = $4";
        self.query(sql)
            .bind(file.version())
            .bind(file.description())
            .bind(checksum)
            .bind(progress.encode())
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Records that a file without a transaction is applied.
    pub(super) async fn set_applied(
        &self,
        conn: &mut PgConnection,
        file: &MigrationFile,
        time: Duration,
    ) -> Result<(), sqlx::Error> {
        let sql = "UPDATE {} SET success = true, checksum = $2, execution_time = $3, \
                   installed_on = now() WHERE version = $1";
        self.query(sql)
            .bind(file.version())
            .bind(file.up().checksum())
            .bind(nanoseconds(time))
            .execute(conn)
            .await?;
        Ok(())
    }

    pub(super) async fn delete(
        &self,
        conn: &mut PgConnection,
        version: i64,
    ) -> Result<(), sqlx::Error> {
        let deleted = self
            .query("DELETE FROM {} WHERE version = $1")
            .bind(version);
        deleted.execute(conn).await?;
        Ok(())
    }

    /// The SQL that removes the record of a migration, for a user to run.
    pub(super) fn delete_sql(&self, version: i64) -> String {
        format!("DELETE FROM {} WHERE version = {version}", self.0)
    }

    /// The SQL that records this progress, for a user to run.
    pub(super) fn progress_sql(
        &self,
        version: i64,
        progress: ScriptProgress,
        checksum: &[u8],
    ) -> String {
        let checksum: String = checksum.iter().map(|byte| format!("{byte:02x}")).collect();
        format!(
            "UPDATE {} SET execution_time = {}, checksum = '\\x{checksum}' WHERE version = {version}",
            self.0,
            progress.encode()
        )
    }

    fn query(
        &self,
        sql: &str,
    ) -> sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments> {
        query(AssertSqlSafe(sql.replacen("{}", &self.0, 1)))
    }
}

/// Formats the name of a table, in quotes where it needs them.
fn checked(name: &str) -> Result<String, Error> {
    match name.parse::<Name>() {
        Ok(name) => Ok(name.to_string()),
        Err(_) => Err(GenerateError::TableName {
            name: name.to_owned(),
        }
        .into()),
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Direction, ScriptProgress};

    #[test]
    fn script_progress_round_trips_through_encode() {
        for direction in [Direction::Up, Direction::Down] {
            for done in [0, 1, 2, 70_000] {
                for begun in [false, true] {
                    let progress = ScriptProgress {
                        direction,
                        done,
                        begun,
                    };
                    assert!(progress.encode() < 0);
                    assert_eq!(ScriptProgress::decode(progress.encode()), progress);
                }
            }
        }
        // The value that sqlx writes before it knows the time.
        let nothing = ScriptProgress {
            direction: Direction::Up,
            done: 0,
            begun: false,
        };
        assert_eq!(nothing.encode(), -1);
    }
}

//! Applies pending migrations, each file in a transaction.

use std::time::{Duration, Instant};

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgArguments, PgConnectOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres, SqlSafeStr};

use crate::apply::privileges::MissingCreate;
use crate::column_users;
use crate::error::{Error, HistoryError, StatementError};
use crate::event::{Event, EventSink, Holder};
use crate::files::{MigrationFile, Migrations, Script};
use crate::sqlstate::{is_connection_lost, is_lock_conflict};
use history::{Direction, HistoryRecord, HistoryTable};
use lock::{LockSession, blockers};
use statements::ScriptStatement;

mod baseline;
mod history;
mod index;
mod lock;
mod non_transactional;
pub(crate) mod privileges;
mod revert;
pub(crate) mod statements;
mod status;

pub use baseline::{Baseline, baseline};
pub use revert::revert;
pub use status::{Migration, MigrationState, pending, status};

/// The default wait of [`apply`] for another process that applies migrations.
pub const DEFAULT_LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// Options of [`apply`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ApplyOptions {
    /// The longest wait for another process that applies migrations; 60 s by default.
    ///
    /// Retries after lock conflicts on tables may take the same time in total.
    pub lock_timeout: Duration,
    /// The longest wait of a statement for a table lock; 2 s by default.
    ///
    /// Other sessions queue behind the statement during this wait. A statement with `CONCURRENTLY`
    /// has no limit, because it blocks no session.
    pub statement_lock_timeout: Duration,
    /// The connection options, used for a [warning](Event::Pooler) about poolers.
    pub connected_to: Option<PgConnectOptions>,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self {
            lock_timeout: DEFAULT_LOCK_TIMEOUT,
            statement_lock_timeout: Duration::from_secs(2),
            connected_to: None,
        }
    }
}

impl ApplyOptions {
    /// Host and port, if they look like those of a connection pooler.
    ///
    /// Known are PgBouncer's port and the ports of hosting services.
    fn pooler(&self) -> Option<(String, u16)> {
        let to = self.connected_to.as_ref()?;
        let (host, port) = (to.get_host(), to.get_port());
        (matches!(port, 6432 | 6543) || host.contains("pooler")).then(|| (host.to_owned(), port))
    }
}

/// Applies the pending migrations and returns them, in order.
///
/// Each file is applied in one transaction that also writes its row in sqlx's table
/// (`_sqlx_migrations`, or [another](Migrations::in_table)). So a file is either applied completely
/// or not at all. A file that starts with `-- no-transaction` is run statement by statement; a
/// later run resumes it where it stopped.
///
/// Only one process at a time applies migrations. Others wait for it and then find nothing to do.
///
/// # Errors
///
/// - [`Error::is_statement`] if a statement failed. The error has the file, the line, the server's
///   message and the state of the database.
/// - [`Error::is_locked`] if another process holds the lock. The error names it.
/// - [`Error::is_history`] if an applied file was changed or is missing.
/// - [`Error::is_script`] if a file is not valid SQL.
/// - [`Error::is_hook`] if a [hook](crate::Hooks) of the migrations failed.
///
/// # Cancellation
///
/// If the future is dropped early, every file is either applied or not applied. A file without a
/// transaction is finished by the next run. The connection keeps the lock: close it, or run again
/// on it.
pub async fn apply(
    conn: &mut PgConnection,
    migrations: &Migrations,
    options: &ApplyOptions,
    on_event: EventSink<'_>,
) -> Result<Vec<Migration>, Error> {
    let before = migrations.hooks().before_lock(conn).await;
    before.map_err(Error::from_hook)?;
    let mut run = Run::start(conn, migrations, options, on_event).await?;
    let result = run.apply(migrations).await;
    run.end(result).await
}

/// A run on a connection that holds the lock.
struct Run<'a> {
    conn: &'a mut PgConnection,
    events: EventSink<'a>,
    options: &'a ApplyOptions,
    session: LockSession,
    table: HistoryTable,
    /// The file that was applied last.
    newest: Option<String>,
    waited: Duration,
}

impl<'a> Run<'a> {
    async fn start(
        conn: &'a mut PgConnection,
        migrations: &Migrations,
        options: &'a ApplyOptions,
        events: EventSink<'a>,
    ) -> Result<Self, Error> {
        let session = LockSession::start(conn, options, events).await?;
        let table = match HistoryTable::ensure(conn, migrations.table()).await {
            Ok(table) => table,
            Err(error) => {
                let _ = session.end(conn).await;
                return Err(error);
            }
        };
        Ok(Self {
            conn,
            events,
            options,
            session,
            table,
            newest: None,
            waited: Duration::ZERO,
        })
    }

    /// Releases the lock.
    async fn end<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        // Closing the connection also releases the lock, so the first error is returned.
        let ended = self.session.end(self.conn).await;
        let value = result?;
        ended?;
        Ok(value)
    }

    async fn apply(&mut self, migrations: &Migrations) -> Result<Vec<Migration>, Error> {
        let records = self.table.records(self.conn).await?;
        let found = status::compare(migrations, &records);
        status::check(&found)?;
        let files = status::to_apply(migrations, &found);
        let scripts: Result<Vec<_>, Error> = files
            .iter()
            .map(|file| statements::read(file.up()))
            .collect();
        let scripts = scripts?;
        let before = migrations.hooks().before_files(self.conn).await;
        before.map_err(Error::from_hook)?;

        let newest = found.iter().rfind(|m| m.is_applied());
        self.newest = newest.and_then(|m| m.file.clone());
        let newest = newest.map(|m| m.version);
        for (file, steps) in files.iter().zip(&scripts) {
            let name = file.up().name().to_owned();
            if let Some(newest) = newest.filter(|newest| file.version() < *newest) {
                let file = name.clone();
                (self.events)(Event::OutOfOrder { file, newest });
            }
            let file_name = name.clone();
            (self.events)(Event::Applying { file: file_name });
            let time = if file.up().no_transaction() {
                let record = records.iter().find(|r| r.version == file.version());
                self.step_by_step(file, file.up(), steps, Direction::Up, record)
                    .await?
            } else {
                let record = records.iter().find(|r| r.version == file.version());
                Self::check_not_partial(file, record)?;
                self.in_transaction(file, file.up(), steps, Direction::Up)
                    .await?
            };
            self.session.reset(self.conn).await?;
            self.newest = Some(name.clone());
            (self.events)(Event::Applied { file: name, time });
        }

        let after = migrations.hooks().after_files(self.conn).await;
        after.map_err(Error::from_hook)?;
        let applied = |file: &&MigrationFile| Migration {
            version: file.version(),
            description: file.description().to_owned(),
            file: Some(file.up().name().to_owned()),
            state: MigrationState::Applied,
            applied_at: None,
        };
        Ok(files.iter().map(applied).collect())
    }

    /// Rejects a partly applied file that no longer runs without a transaction.
    fn check_not_partial(
        file: &MigrationFile,
        record: Option<&HistoryRecord>,
    ) -> Result<(), Error> {
        if record.is_none() {
            return Ok(());
        }
        Err(HistoryError::TransactionAdded {
            file: file.up().name().to_owned(),
        }
        .into())
    }

    /// Runs a file and records it, in one transaction.
    async fn in_transaction(
        &mut self,
        file: &MigrationFile,
        script: &Script,
        steps: &[ScriptStatement<'_>],
        direction: Direction,
    ) -> Result<Duration, Error> {
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            let stop = match self.attempt(file, script, steps, direction).await {
                Ok(()) => return Ok(begun.elapsed()),
                Err(stop) => stop,
            };
            let (at, error) = match stop {
                AttemptError::At(at, error) => (at, error),
                AttemptError::Other(error) => return Err(error),
            };
            let line = at.and_then(|at| steps.get(at)).map_or(0, |step| step.line);
            let waited = begun.elapsed();
            let blocked = if is_lock_conflict(&error) {
                match self.wait(script, line, waited, &mut pause).await? {
                    WaitOutcome::Again => continue,
                    WaitOutcome::Enough(holders) => Some(holders),
                }
            } else {
                None
            };
            let state = self.describe_rollback(at.is_none() && is_connection_lost(&error));
            let missing = MissingCreate::find(self.conn, &error, None).await;
            let users = match at.and_then(|at| steps.get(at)) {
                Some(step) => column_users::find(self.conn, step.sql, &error).await,
                None => Vec::new(),
            };
            let failure = StatementError::new(script, steps, at, error, state);
            let sql = at.and_then(|at| steps.get(at)).map(|step| step.sql);
            let failure = failure
                .with_missing_create(missing)
                .with_users(users)
                .with_server(self.conn.server_version_num(), sql);
            return Err(match blocked {
                Some(holders) => failure.with_holders(holders).into(),
                None => failure.into(),
            });
        }
    }

    async fn attempt(
        &mut self,
        file: &MigrationFile,
        script: &Script,
        steps: &[ScriptStatement<'_>],
        direction: Direction,
    ) -> Result<(), AttemptError> {
        let begun = Instant::now();
        let mut transaction = self.conn.begin().await?;
        // Checked in the transaction: from here on a pooler cannot switch the session.
        self.session.check(&mut transaction, script.name()).await?;
        let timeout = milliseconds(self.options.statement_lock_timeout);
        query("SELECT set_config('lock_timeout', $1, true)")
            .bind(timeout)
            .execute(&mut *transaction)
            .await?;
        for (at, step) in steps.iter().enumerate() {
            if let Err(error) = raw(&mut transaction, step.sql).await {
                // A lost connection is rolled back by the server, too.
                let _ = transaction.rollback().await;
                return Err(AttemptError::At(Some(at), error));
            }
        }
        let recorded = match direction {
            Direction::Up => {
                let time = begun.elapsed();
                self.table.insert(&mut transaction, file, time).await
            }
            Direction::Down => self.table.delete(&mut transaction, file.version()).await,
        };
        // A role or mode that the file has set may forbid recording it.
        recorded.map_err(|error| AttemptError::At(None, error))?;
        let committed = transaction.commit().await;
        committed.map_err(|error| AttemptError::At(None, error))
    }

    fn describe_rollback(&self, in_doubt: bool) -> String {
        let before = match &self.newest {
            Some(newest) => format!("as after {newest}"),
            None => "as before the first migration".to_owned(),
        };
        if in_doubt {
            format!("unknown: as after this file, or {before}")
        } else {
            format!("rolled back; the database is {before}")
        }
    }

    /// Waits before a retry after a lock conflict, or returns the holders of the lock.
    async fn wait(
        &mut self,
        script: &Script,
        line: usize,
        attempt: Duration,
        pause: &mut Duration,
    ) -> Result<WaitOutcome, Error> {
        self.waited += attempt;
        let holders = blockers(self.conn).await?;
        let left = self.options.lock_timeout.saturating_sub(self.waited);
        if left.is_zero() {
            return Ok(WaitOutcome::Enough(holders));
        }
        let this = (*pause).min(left);
        (self.events)(Event::Retrying {
            file: script.name().to_owned(),
            line,
            holders,
            pause: this,
        });
        tokio::time::sleep(this).await;
        self.waited += this;
        *pause = (*pause * 2).min(MAX_PAUSE);
        Ok(WaitOutcome::Again)
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The outcome of waiting for a lock.
enum WaitOutcome {
    /// Make another attempt.
    Again,
    /// Give up; these sessions hold locks.
    Enough(Vec<Holder>),
}

/// The reason why an attempt failed.
enum AttemptError {
    /// The statement with this index failed; `None` for `COMMIT`.
    At(Option<usize>, sqlx::Error),
    Other(Error),
}

impl From<Error> for AttemptError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<sqlx::Error> for AttemptError {
    fn from(error: sqlx::Error) -> Self {
        Self::Other(error.into())
    }
}

/// Runs a statement of a file unchanged, by the simple query protocol.
async fn raw(conn: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(conn).await?;
    Ok(())
}

/// Formats a time as a value of `lock_timeout`, which must not be 0.
fn milliseconds(time: Duration) -> String {
    let most = i32::MAX.unsigned_abs().into();
    let milliseconds = time.as_millis().clamp(1, most);
    format!("{milliseconds}ms")
}

/// Creates a query without a prepared statement: a migration may discard prepared statements, and a
/// pooler loses them.
fn query(sql: impl SqlSafeStr) -> Query<'static, Postgres, PgArguments> {
    sqlx::query(sql).persistent(false)
}

fn migrate_error(error: MigrateError) -> sqlx::Error {
    match error {
        MigrateError::Execute(source) => source,
        error => sqlx::Error::Migrate(Box::new(error)),
    }
}

//! Applies files without a transaction and records each statement.

use std::time::{Duration, Instant};

use lookback_schema::StatementKind;
use sqlx::{Connection as _, Row as _};

use super::history::{Direction, HistoryRecord, ScriptProgress};
use super::statements::{ScriptStatement, checksum_of};
use super::{FIRST_PAUSE, Run, WaitOutcome, milliseconds, query, raw};
use crate::apply::privileges::MissingCreate;
use crate::error::{Error, HistoryError, StatementError};
use crate::event::{Event, Holder};
use crate::files::{MigrationFile, Script};
use crate::sqlstate::{is_connection_lost, is_lock_conflict};

/// The reason why a statement failed.
pub(super) enum StepError {
    /// The server's error, and a note on the cleanup after it.
    Sql(sqlx::Error, Option<String>),
    /// The same for a lock conflict, with the sessions that hold locks.
    Locked(sqlx::Error, Option<String>, Vec<Holder>),
    Other(Error),
}

impl From<sqlx::Error> for StepError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error, None)
    }
}

impl From<Error> for StepError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// The position in a file that is run.
struct ScriptPosition<'a> {
    file: &'a MigrationFile,
    script: &'a Script,
    steps: &'a [ScriptStatement<'a>],
    direction: Direction,
    /// The index of the statement, from 0.
    at: usize,
    /// Whether an earlier run stopped within this statement.
    was_begun: bool,
    /// Whether the file has started a transaction of its own.
    open: bool,
    /// Whether `lock_timeout` is off; `None` before it is set.
    waits_for_locks: Option<bool>,
}

impl<'a> ScriptPosition<'a> {
    fn step(&self) -> &'a ScriptStatement<'a> {
        &self.steps[self.at]
    }

    /// The progress after `done` statements.
    fn progress(&self, done: usize, begun: bool) -> (ScriptProgress, Vec<u8>) {
        let direction = self.direction;
        let progress = ScriptProgress {
            direction,
            done,
            begun,
        };
        (progress, checksum_of(self.script, self.steps, done))
    }
}

impl Run<'_> {
    /// Runs a file without a transaction, resuming an earlier run.
    pub(super) async fn step_by_step(
        &mut self,
        file: &MigrationFile,
        script: &Script,
        steps: &[ScriptStatement<'_>],
        direction: Direction,
        record: Option<&HistoryRecord>,
    ) -> Result<Duration, Error> {
        let begun = Instant::now();
        let mut place = ScriptPosition {
            file,
            script,
            steps,
            direction,
            at: 0,
            was_begun: false,
            open: false,
            waits_for_locks: None,
        };
        self.session.check(self.conn, script.name()).await?;
        let earlier = record.and_then(|record| Some((record, record.progress?)));
        match earlier.filter(|(_, progress)| progress.direction == direction) {
            Some((record, progress)) => self.resume(&mut place, record, progress)?,
            None => self.record_progress(&place, 0, false).await?,
        }
        let from = place.at;
        for at in from..steps.len() {
            place.at = at;
            place.was_begun &= at == from;
            if let Err(error) = self.step(&mut place).await {
                return Err(self.describe_error(&place, error).await);
            }
        }
        match direction {
            Direction::Up => {
                let time = begun.elapsed();
                self.table.set_applied(self.conn, file, time).await?;
            }
            Direction::Down => self.table.delete(self.conn, file.version()).await?,
        }
        Ok(begun.elapsed())
    }

    fn resume(
        &mut self,
        place: &mut ScriptPosition<'_>,
        record: &HistoryRecord,
        progress: ScriptProgress,
    ) -> Result<(), Error> {
        let name = place.script.name();
        let done = progress.done;
        let all = place.steps.len();
        let version = place.file.version();
        if done > all || record.checksum != place.progress(done.min(all), false).1 {
            return Err(HistoryError::StatementsEdited {
                file: name.to_owned(),
                done,
                forget: self.table.delete_sql(version),
            }
            .into());
        }
        place.at = done;
        place.was_begun = progress.begun;
        if let Some(step) = place.steps.get(done)
            && progress.begun
            && step.kind == StatementKind::NonTransactional
        {
            let (again, checksum) = place.progress(done, false);
            let again = self.table.progress_sql(version, again, &checksum);
            let (past, checksum) = place.progress(done + 1, false);
            let past = self.table.progress_sql(version, past, &checksum);
            return Err(HistoryError::OutcomeUnknown {
                file: name.to_owned(),
                line: step.line,
                statement: done + 1,
                statements: all,
                done: past,
                not_done: again,
            }
            .into());
        }
        (self.events)(Event::Resuming {
            file: name.to_owned(),
            done,
        });
        Ok(())
    }

    async fn step(&mut self, place: &mut ScriptPosition<'_>) -> Result<(), StepError> {
        let step = place.step();
        self.session.check(self.conn, place.script.name()).await?;
        self.set_lock_timeout(place).await?;
        if place.open {
            raw(self.conn, step.sql).await?;
        } else {
            match &step.kind {
                // Recorded in the same transaction.
                StatementKind::Plain => return self.run_in_transaction(place).await,
                StatementKind::CreateIndex(index) => {
                    self.build(place.script, step, index).await?;
                }
                StatementKind::DropIndex(index) => {
                    if place.was_begun && !self.exists(index).await? {
                        let index = (*index).to_owned();
                        (self.events)(Event::IndexAlreadyDropped { index });
                    } else {
                        self.record_progress(place, place.at, true).await?;
                        self.run_with_retries(place).await?;
                    }
                }
                StatementKind::Reindex { name, .. } => {
                    self.drop_reindex_leftovers(name).await?;
                    if let Err(error) = self.run_with_retries(place).await {
                        // If this fails, too, the first error is the one to return.
                        let _ = self.drop_reindex_leftovers(name).await;
                        return Err(error);
                    }
                }
                StatementKind::NonTransactional => {
                    self.record_progress(place, place.at, true).await?;
                    self.run_with_retries(place).await?;
                }
                _ => self.run_with_retries(place).await?,
            }
        }
        match step.kind {
            StatementKind::Begin => place.open = true,
            StatementKind::End { chain } => place.open = chain,
            _ => {}
        }
        Ok(self.record_progress(place, place.at + 1, false).await?)
    }

    /// Runs a statement and records it, in one transaction.
    async fn run_in_transaction(&mut self, place: &ScriptPosition<'_>) -> Result<(), StepError> {
        let (progress, checksum) = place.progress(place.at + 1, false);
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            let mut transaction = self.conn.begin().await?;
            let mut result = raw(&mut transaction, place.step().sql).await;
            if result.is_ok() {
                let note =
                    self.table
                        .set_progress(&mut transaction, place.file, progress, &checksum);
                result = note.await;
            }
            let result = match result {
                Ok(()) => transaction.commit().await,
                Err(error) => {
                    let _ = transaction.rollback().await;
                    Err(error)
                }
            };
            match result {
                Ok(()) => return Ok(()),
                Err(error) => {
                    self.wait_before_retry(place, error, begun, &mut pause)
                        .await?;
                }
            }
        }
    }

    /// Runs a statement outside of a transaction, with retries after lock conflicts.
    async fn run_with_retries(&mut self, place: &ScriptPosition<'_>) -> Result<(), StepError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            match raw(self.conn, place.step().sql).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    self.wait_before_retry(place, error, begun, &mut pause)
                        .await?;
                }
            }
        }
    }

    /// Waits if a retry may help; otherwise returns the error.
    async fn wait_before_retry(
        &mut self,
        place: &ScriptPosition<'_>,
        error: sqlx::Error,
        begun: Instant,
        pause: &mut Duration,
    ) -> Result<(), StepError> {
        // `DO` or `CALL` may have committed something before the lock conflict.
        if !is_lock_conflict(&error) || place.step().kind == StatementKind::NonTransactional {
            return Err(error.into());
        }
        let line = place.step().line;
        match self
            .wait(place.script, line, begun.elapsed(), pause)
            .await?
        {
            WaitOutcome::Again => Ok(()),
            WaitOutcome::Enough(holders) => Err(StepError::Locked(error, None, holders)),
        }
    }

    /// Sets `lock_timeout` only when it changes, so that a file may set its own.
    async fn set_lock_timeout(
        &mut self,
        place: &mut ScriptPosition<'_>,
    ) -> Result<(), sqlx::Error> {
        let waits_for_locks = place.step().kind.is_concurrent();
        if place.waits_for_locks == Some(waits_for_locks) {
            return Ok(());
        }
        place.waits_for_locks = Some(waits_for_locks);
        let timeout = if waits_for_locks {
            "0".to_owned()
        } else {
            milliseconds(self.options.statement_lock_timeout)
        };
        query("SELECT set_config('lock_timeout', $1, false)")
            .bind(timeout)
            .execute(&mut *self.conn)
            .await?;
        Ok(())
    }

    async fn exists(&mut self, name: &str) -> Result<bool, sqlx::Error> {
        let look = query("SELECT to_regclass($1) IS NOT NULL AS there").bind(name);
        look.fetch_one(&mut *self.conn).await?.try_get("there")
    }

    async fn record_progress(
        &mut self,
        place: &ScriptPosition<'_>,
        done: usize,
        begun: bool,
    ) -> Result<(), sqlx::Error> {
        let (progress, checksum) = place.progress(done, begun);
        let noted = self
            .table
            .set_progress(self.conn, place.file, progress, &checksum);
        noted.await
    }

    /// Creates the error of a failed statement, with the state of the database.
    async fn describe_error(&mut self, place: &ScriptPosition<'_>, error: StepError) -> Error {
        let (error, note, holders) = match error {
            StepError::Sql(error, note) => (error, note, None),
            StepError::Locked(error, note, holders) => (error, note, Some(holders)),
            StepError::Other(error) => {
                // The first error is the one to return.
                let _ = self.settle_progress(place).await;
                return error;
            }
        };
        let state = if is_connection_lost(&error) {
            "the statements before this one took effect; whether this one did is unknown".to_owned()
        } else {
            match self.settle_progress(place).await {
                Ok(done) => self.describe_state(place, done, note),
                Err(error) => format!("unknown ({error})"),
            }
        };
        let missing = MissingCreate::find(self.conn, &error, None).await;
        let failure = StatementError::new(place.script, place.steps, Some(place.at), error, state);
        let failure = failure.with_missing_create(missing);
        match holders {
            Some(holders) => failure.with_holders(holders).into(),
            None => failure.into(),
        }
    }

    /// Records the progress of the file and returns it.
    async fn settle_progress(&mut self, place: &ScriptPosition<'_>) -> Result<usize, Error> {
        if place.open {
            raw(self.conn, "ROLLBACK").await?;
        }
        let version = place.file.version();
        let records = self.table.records(self.conn).await?;
        let record = records.iter().find(|record| record.version == version);
        let done = record
            .and_then(|record| record.progress)
            .map_or(0, |p| p.done);
        match (done, place.direction) {
            (0, Direction::Up) => self.table.delete(self.conn, version).await?,
            (0, Direction::Down) => {
                let time = Duration::ZERO;
                self.table.set_applied(self.conn, place.file, time).await?;
            }
            _ => self.record_progress(place, done, false).await?,
        }
        Ok(done)
    }

    fn describe_state(
        &self,
        place: &ScriptPosition<'_>,
        done: usize,
        note: Option<String>,
    ) -> String {
        let before = match (&self.newest, place.direction) {
            (_, Direction::Down) => "the migration is applied as before".to_owned(),
            (Some(newest), Direction::Up) => format!("the database is as after {newest}"),
            (None, Direction::Up) => "the database is as before the first migration".to_owned(),
        };
        let mut state = match done {
            0 => format!("no statement of the file took effect; {before}"),
            1 => "statement 1 of the file took effect and stays".to_owned(),
            _ => format!("statements 1 to {done} of the file took effect and stay"),
        };
        if done > 0 {
            state += &format!("; the next run resumes with statement {}", done + 1);
        }
        if done < place.at && place.open {
            state += "; the transaction of the file was rolled back";
        }
        if !place.open && can_be_partial(&place.step().kind) {
            state += "; the failed statement may have done a part of its work";
        }
        if let Some(note) = note {
            state += "; ";
            state += &note;
        }
        state
    }
}

/// Whether a failed statement may have done a part of its work.
fn can_be_partial(kind: &StatementKind<'_>) -> bool {
    matches!(
        kind,
        StatementKind::DropIndex(_)
            | StatementKind::Reindex { .. }
            | StatementKind::Idempotent
            | StatementKind::NonTransactional
    )
}

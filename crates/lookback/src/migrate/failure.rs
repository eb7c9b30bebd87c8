//! A statement of a migration that failed.

use std::fmt;

use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use super::event::{Holder, Listed};
use super::migrations::Script;
use super::script::{Step, line_at};
use crate::error::Error;

/// A migration that failed: where, in the server's own words, and what state
/// the database is in.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The name of the file.
    pub file: String,
    /// The line: that of the place which the server gives, or else the first of
    /// the statement. `None` for a file that failed at its end, in `COMMIT`.
    pub line: Option<usize>,
    /// The number of the statement in the file, from 1.
    pub statement: Option<usize>,
    /// How many statements the file has.
    pub statements: usize,
    /// The SQLSTATE; `None` if the connection was lost.
    pub code: Option<String>,
    /// The server's own words.
    pub message: String,
    /// The server's detail.
    pub detail: Option<String>,
    /// The server's hint.
    pub hint: Option<String>,
    /// Where the server was, in a function or a block.
    pub context: Option<String>,
    /// What the database is like now.
    pub state: String,
    /// What to do.
    pub advice: String,
    source: sqlx::Error,
}

/// The SQLSTATEs that are told apart (PostgreSQL manual, appendix A).
mod code {
    pub(super) const INSUFFICIENT_PRIVILEGE: &str = "42501";
    /// Of a table or index, of a type, schema or extension, of a column.
    pub(super) const DUPLICATES: [&str; 3] = ["42P07", "42710", "42701"];
    pub(super) const ACTIVE_SQL_TRANSACTION: &str = "25001";
    pub(super) const LOCK_NOT_AVAILABLE: &str = "55P03";
    pub(super) const DEADLOCK_DETECTED: &str = "40P01";
    pub(super) const QUERY_CANCELED: &str = "57014";
    /// The server or an administrator has ended the session: 57P01 and others.
    pub(super) const SESSION_ENDED: &str = "57P";
}

impl Failure {
    /// `at` is the place of the statement; `None` for the end of the file.
    pub(super) fn new(
        script: &Script,
        steps: &[Step<'_>],
        at: Option<usize>,
        source: sqlx::Error,
        state: String,
    ) -> Self {
        let step = at.and_then(|at| steps.get(at));
        let refusal = refusal(&source);
        let line = step.map(|step| match refusal.and_then(PgDatabaseError::position) {
            Some(PgErrorPosition::Original(position)) => line_at(step, position),
            _ => step.line,
        });
        let text = |part: Option<&str>| part.map(str::to_owned);
        Self {
            file: script.name().to_owned(),
            line,
            statement: at.map(|at| at + 1),
            statements: steps.len(),
            code: refusal.map(|refusal| refusal.code().to_owned()),
            message: match refusal {
                Some(refusal) => refusal.message().to_owned(),
                None => format!("the connection was lost ({source})"),
            },
            detail: text(refusal.and_then(PgDatabaseError::detail)),
            hint: text(refusal.and_then(PgDatabaseError::hint)),
            context: text(refusal.and_then(PgDatabaseError::r#where)),
            advice: advice(refusal.map(PgDatabaseError::code)),
            state,
            source,
        }
    }

    /// The same, naming who holds locks.
    pub(super) fn held_by(mut self, holders: &[Holder]) -> Self {
        self.advice = format!(
            "run it again when the table is not in use, or wait longer{}",
            Listed(holders)
        );
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(line), Some(statement)) = (self.line, self.statement) {
            let all = self.statements;
            write!(f, ", line {line} (statement {statement} of {all})")?;
        } else {
            f.write_str(", at its end (COMMIT)")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(code) = &self.code {
            write!(f, " (SQLSTATE {code})")?;
        }
        for (label, text) in [
            ("detail", &self.detail),
            ("the server's hint", &self.hint),
            ("context", &self.context),
        ] {
            if let Some(text) = text {
                write!(f, "\n    {label}: {}", text.replace('\n', "\n        "))?;
            }
        }
        write!(f, "\n    state: {}", self.state)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Migration(Box::new(failure))
    }
}

fn advice(code: Option<&str>) -> String {
    const AGAIN: &str = "run it again: it finds out what is applied";
    match code {
        None => AGAIN,
        Some(code) if code.starts_with(code::SESSION_ENDED) => AGAIN,
        Some(code::ACTIVE_SQL_TRANSACTION) => {
            "put the statement into a file of its own with \"-- no-transaction\" as its first line"
        }
        Some(code::INSUFFICIENT_PRIVILEGE) => {
            "have the statement run in this database by a role that may (for CREATE EXTENSION, a \
             superuser), and run it again"
        }
        Some(code) if code::DUPLICATES.contains(&code) => {
            "correct the file, or what it found in the database, and run it again; if the database \
             has all of this already, record it: db baseline"
        }
        Some(code::QUERY_CANCELED) => {
            "it was cancelled, or statement_timeout is too short for it; run it again"
        }
        Some(_) => "correct the file, or what it found in the database, and run it again",
    }
    .to_owned()
}

/// Whether a lock was not free, and another attempt may find it so.
pub(super) fn is_lock(error: &sqlx::Error) -> bool {
    refusal(error).is_some_and(|refusal| {
        matches!(
            refusal.code(),
            code::LOCK_NOT_AVAILABLE | code::DEADLOCK_DETECTED
        )
    })
}

/// Whether the server may not be there any more.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    refusal(error).is_none_or(|refusal| refusal.code().starts_with(code::SESSION_ENDED))
}

fn refusal(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref())
}

//! Errors of statements in a migration.

use std::fmt;

use lookback_schema::{retyped_columns, since_18};
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use super::Remedy;
use crate::apply::privileges::MissingCreate;
use crate::apply::statements::{ScriptStatement, line_at};
use crate::event::Holder;
use crate::files::Script;
use crate::sqlstate::{self, server_error};

/// A failed statement with its position, the server's message and the
/// database's state.
#[derive(Debug)]
#[non_exhaustive]
pub struct StatementError {
    /// The name of the file.
    pub file: String,
    /// The line reported by the server, or the first line of the statement.
    ///
    /// `None` for a file that failed in `COMMIT`.
    pub line: Option<usize>,
    /// The number of the statement in the file, from 1.
    pub statement: Option<usize>,
    /// The number of statements in the file.
    pub statements: usize,
    /// The SQLSTATE; `None` if the connection was lost.
    pub code: Option<String>,
    /// The server's message.
    pub message: String,
    /// The server's detail.
    pub detail: Option<String>,
    /// The server's hint.
    pub hint: Option<String>,
    /// The server's context, such as the line of a function.
    pub context: Option<String>,
    /// The state of the database after the failure.
    pub state: String,
    remedy: Remedy,
    source: sqlx::Error,
}

impl StatementError {
    /// `at` is the index of the statement; `None` for the end of the file.
    pub(crate) fn new(
        script: &Script,
        steps: &[ScriptStatement<'_>],
        at: Option<usize>,
        source: sqlx::Error,
        state: String,
    ) -> Self {
        let step = at.and_then(|at| steps.get(at));
        let refusal = server_error(&source);
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
            remedy: remedy(
                refusal.map(PgDatabaseError::code),
                step.map(|step| step.sql),
            ),
            state,
            source,
        }
    }

    /// Adds the sessions that hold locks.
    pub(crate) fn with_holders(mut self, holders: Vec<Holder>) -> Self {
        self.remedy = Remedy::WaitForTable { holders };
        self
    }

    /// Adds the schema in which the role may not create objects.
    pub(crate) fn with_missing_create(mut self, missing: Option<MissingCreate>) -> Self {
        if let Some(MissingCreate { schema, role }) = missing {
            self.remedy = Remedy::GrantCreate { schema, role };
        }
        self
    }

    /// Adds what uses a column whose type cannot be changed for that reason.
    pub(crate) fn with_users(mut self, users: Vec<String>) -> Self {
        if !users.is_empty() {
            self.remedy = Remedy::RecreateUsers { users };
        }
        self
    }

    /// Adds the version of the server, which may be too old for the statement.
    pub(crate) fn with_server(mut self, server: Option<u32>, sql: Option<&str>) -> Self {
        if self.code.as_deref() == Some(sqlstate::SYNTAX_ERROR)
            && let (Some(server), Some(sql)) = (server, sql.and_then(since_18))
            && server < 180_000
        {
            self.message = format!(
                "{}: {sql} needs PostgreSQL 18, and the server has version {}",
                self.message,
                server / 10_000
            );
            self.remedy = Remedy::UpgradeServer;
        }
        self
    }

    pub(super) fn remedy(&self) -> Remedy {
        self.remedy.clone()
    }
}

impl fmt::Display for StatementError {
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

impl std::error::Error for StatementError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

fn remedy(code: Option<&str>, sql: Option<&str>) -> Remedy {
    match code {
        // A value that is no label of a changed enum, or text that another type refuses.
        Some(sqlstate::INVALID_TEXT_REPRESENTATION) if sql.is_some_and(changes_type) => {
            Remedy::ChangeValues
        }
        Some(code) if sqlstate::UNDEFINED_FUNCTION.contains(&code) => Remedy::CreateFunction,
        None => Remedy::ApplyAgain,
        Some(code) if code.starts_with(sqlstate::SESSION_ENDED) => Remedy::ApplyAgain,
        Some(sqlstate::ACTIVE_SQL_TRANSACTION) => Remedy::MoveOutOfTransaction,
        Some(sqlstate::INSUFFICIENT_PRIVILEGE) => Remedy::Grant,
        Some(code) if sqlstate::DUPLICATES.contains(&code) => Remedy::CorrectOrBaseline,
        Some(sqlstate::QUERY_CANCELED) => Remedy::ApplyAgainWithTime,
        Some(_) => Remedy::CorrectFile,
    }
}

fn changes_type(sql: &str) -> bool {
    retyped_columns(sql).is_some()
}

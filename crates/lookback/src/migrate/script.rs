//! A file as the statements to run, looked through before any of them is.

use lookback_schema::{StatementKind, statement_kind, statements};

use super::migrations::{Script, checksum};
use crate::error::Error;

/// A statement of a file.
#[derive(Clone, Debug)]
pub(super) struct Step<'a> {
    pub(super) sql: &'a str,
    pub(super) line: usize,
    pub(super) kind: StatementKind<'a>,
    /// Where it ends in the file.
    end: usize,
}

/// The statements of a file that can be run.
pub(super) fn read(script: &Script) -> Result<Vec<Step<'_>>, Error> {
    let at_line = |line: usize, problem: &str, hint: &str| Error::Setup {
        problem: format!("{}, line {line}: {problem}", script.name()),
        hint: hint.to_owned(),
    };
    let not_sql = |error: lookback_schema::LexError| {
        at_line(error.line, error.problem, "no file was applied")
    };
    let mut steps = Vec::new();
    // The line of a BEGIN without its end.
    let mut open = None;
    for statement in statements(script.sql()).map_err(not_sql)? {
        let kind = statement_kind(statement.sql).map_err(not_sql)?;
        let line = statement.line;
        match &kind {
            StatementKind::Begin | StatementKind::End { .. } if !script.no_transaction() => {
                return Err(at_line(
                    line,
                    "it begins or ends a transaction, and the file is in one already",
                    "take BEGIN and COMMIT out, or make \"-- no-transaction\" the first line",
                ));
            }
            StatementKind::Begin | StatementKind::End { chain: true } => open = Some(line),
            StatementKind::End { chain: false } => open = None,
            StatementKind::CopyStream => {
                return Err(at_line(
                    line,
                    "COPY from or to the client does not work in a migration",
                    "write INSERT, or COPY from a file of the server",
                ));
            }
            StatementKind::CreateIndex(index) if index.name.is_none() => {
                return Err(at_line(
                    line,
                    "an index that is built CONCURRENTLY needs a name",
                    "without one, what a killed build leaves cannot be told from other indexes",
                ));
            }
            _ => {}
        }
        steps.push(Step {
            sql: statement.sql,
            line,
            kind,
            // Both are of the same text.
            end: statement.sql.as_ptr().addr() - script.sql().as_ptr().addr() + statement.sql.len(),
        });
    }
    match open {
        Some(line) => Err(at_line(
            line,
            "the file ends before this transaction",
            "write COMMIT; no file was applied",
        )),
        None => Ok(steps),
    }
}

/// The checksum of a file up to the end of its first `done` statements: these
/// are in the database, the rest may be corrected.
pub(super) fn checksum_of(script: &Script, steps: &[Step<'_>], done: usize) -> Vec<u8> {
    let end = done.checked_sub(1).and_then(|last| steps.get(last));
    checksum(&script.sql()[..end.map_or(0, |step| step.end)])
}

/// The line of the place that the server gives, in characters from 1.
pub(super) fn line_at(step: &Step<'_>, position: usize) -> usize {
    let before = step.sql.chars().take(position.saturating_sub(1));
    step.line + before.filter(|c| *c == '\n').count()
}

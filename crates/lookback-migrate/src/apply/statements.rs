//! Reads the statements of a file and checks all of them before any is run.

use lookback_schema::{StatementKind, statement_kind, statements};

use crate::error::{Error, ScriptError, ScriptProblem};
use crate::files::Script;
use crate::files::migrations::checksum;

/// A statement of a file.
#[derive(Clone, Debug)]
pub(crate) struct ScriptStatement<'a> {
    pub(crate) sql: &'a str,
    pub(crate) line: usize,
    pub(crate) kind: StatementKind<'a>,
    /// The byte after its end in the file.
    end: usize,
}

/// Reads the statements of a file and checks that they can be run.
pub(crate) fn read(script: &Script) -> Result<Vec<ScriptStatement<'_>>, Error> {
    let at_line = |line: usize, problem: ScriptProblem| ScriptError {
        file: script.name().to_owned(),
        line,
        problem,
    };
    let not_sql = |error: lookback_schema::LexError| {
        let problem = if error.is_copy_rows() {
            ScriptProblem::CopyStream
        } else if error.is_psql_command() {
            ScriptProblem::PsqlCommand
        } else {
            ScriptProblem::NotSql(error.problem)
        };
        at_line(error.line, problem)
    };
    let mut steps = Vec::new();
    // The line of a `BEGIN` that has no end yet.
    let mut open = None;
    for statement in statements(script.sql()).map_err(not_sql)? {
        let kind = statement_kind(statement.sql).map_err(not_sql)?;
        let line = statement.line;
        match &kind {
            StatementKind::Begin | StatementKind::End { .. } if !script.no_transaction() => {
                return Err(at_line(line, ScriptProblem::Transaction).into());
            }
            StatementKind::Begin | StatementKind::End { chain: true } => open = Some(line),
            StatementKind::End { chain: false } => open = None,
            StatementKind::CopyStream => {
                return Err(at_line(line, ScriptProblem::CopyStream).into());
            }
            StatementKind::CreateIndex(index) if index.name.is_none() => {
                return Err(at_line(line, ScriptProblem::UnnamedIndex).into());
            }
            _ => {}
        }
        steps.push(ScriptStatement {
            sql: statement.sql,
            line,
            kind,
            // Both pointers are into the same text.
            end: statement.sql.as_ptr().addr() - script.sql().as_ptr().addr() + statement.sql.len(),
        });
    }
    match open {
        Some(line) => Err(at_line(line, ScriptProblem::OpenTransaction).into()),
        None => Ok(steps),
    }
}

/// The checksum of a file up to the end of its first `done` statements.
///
/// These statements took effect; the rest of the file may be corrected.
pub(crate) fn checksum_of(script: &Script, steps: &[ScriptStatement<'_>], done: usize) -> Vec<u8> {
    let end = done.checked_sub(1).and_then(|last| steps.get(last));
    checksum(&script.sql()[..end.map_or(0, |step| step.end)])
}

/// Converts the server's position, in characters from 1, to a line.
pub(crate) fn line_at(step: &ScriptStatement<'_>, position: usize) -> usize {
    let before = step.sql.chars().take(position.saturating_sub(1));
    step.line + before.filter(|c| *c == '\n').count()
}

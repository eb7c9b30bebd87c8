//! Splits a file of SQL into statements.

use crate::syntax::lexer::{LexError, Token, line_of, tokens};

/// One statement of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The statement, from its first word, without the semicolon.
    pub sql: &'a str,
    /// The line of its first word, from 1.
    pub line: usize,
}

/// Splits `sql` into its statements, in order. Semicolons in strings, comments,
/// parentheses and SQL-standard function bodies (`BEGIN ATOMIC … END`) do not
/// end a statement.
///
/// # Errors
///
/// An unterminated string, quoted identifier or comment, with its line.
pub fn statements(sql: &str) -> Result<Vec<Statement<'_>>, LexError> {
    let mut found = Vec::new();
    let mut current: Vec<Token<'_>> = Vec::new();
    let mut parentheses = 0_usize;
    let mut blocks = 0_usize;
    let mut lines = Lines {
        sql,
        at: 0,
        line: 1,
    };
    for token in tokens(sql)? {
        if token.is(";") && parentheses == 0 && blocks == 0 {
            found.extend(lines.statement(&current));
            current.clear();
            continue;
        }
        if token.is("(") {
            parentheses += 1;
        } else if token.is(")") {
            parentheses = parentheses.saturating_sub(1);
        } else if is_routine(&current) {
            // `BEGIN ATOMIC` opens the body; in it, `CASE` has an `END`, too.
            if token.is_word("atomic") && current.last().is_some_and(|last| last.is_word("begin"))
                || token.is_word("case") && blocks > 0
            {
                blocks += 1;
            } else if token.is_word("end") {
                blocks = blocks.saturating_sub(1);
            }
        }
        current.push(token);
    }
    found.extend(lines.statement(&current));
    Ok(found)
}

/// Counts lines in a single pass over a file.
struct Lines<'a> {
    sql: &'a str,
    /// The position so far, and its line.
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    fn statement(&mut self, tokens: &[Token<'a>]) -> Option<Statement<'a>> {
        let (first, last) = (tokens.first()?, tokens.last()?);
        self.line += line_of(&self.sql[self.at..], first.start - self.at) - 1;
        self.at = first.start;
        Some(Statement {
            sql: &self.sql[first.start..last.end()],
            line: self.line,
        })
    }
}

/// Whether it is `CREATE [OR REPLACE] FUNCTION` or `PROCEDURE`.
fn is_routine(tokens: &[Token<'_>]) -> bool {
    let mut words = tokens.iter();
    let mut next = words.next();
    if !next.is_some_and(|token| token.is_word("create")) {
        return false;
    }
    next = words.next();
    if next.is_some_and(|token| token.is_word("or")) {
        next = words.nth(1);
    }
    next.is_some_and(|token| token.is_word("function") || token.is_word("procedure"))
}

#[cfg(test)]
mod tests {
    use super::statements;

    fn split(sql: &str) -> Vec<(usize, &str)> {
        statements(sql)
            .unwrap()
            .into_iter()
            .map(|statement| (statement.line, statement.sql))
            .collect()
    }

    #[test]
    fn statements_ignore_semicolons_in_strings_comments_and_bodies() {
        assert_eq!(
            split(
                "-- a; comment\nSELECT ';' /* ; /* ; */ */ ;;\n\nSELECT $x$ ; $x$, \"a;b\", E'\\';'"
            ),
            vec![(2, "SELECT ';'"), (4, "SELECT $x$ ; $x$, \"a;b\", E'\\';'"),]
        );
        let function = "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC \
                        SELECT CASE WHEN true THEN 1 END; SELECT 2; END";
        assert_eq!(
            split(&format!("{function}; SELECT 1")),
            vec![(1, function), (1, "SELECT 1")]
        );
        assert_eq!(split(" -- nothing\n"), vec![]);
    }

    #[test]
    fn statements_with_unclosed_quote_or_comment_name_the_line() {
        let error = |sql| statements(sql).unwrap_err().to_string();
        assert_eq!(error("SELECT 1;\nSELECT 'x"), "line 2: unterminated string");
        assert_eq!(error("/* /* */"), "line 1: unterminated comment");
        assert_eq!(
            error("\n\n$a$ b"),
            "line 3: unterminated dollar-quoted string"
        );
        assert_eq!(error("\"a"), "line 1: unterminated quoted identifier");
    }
}

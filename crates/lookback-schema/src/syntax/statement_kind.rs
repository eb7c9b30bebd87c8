//! Classifies statements by the way they are run.

use crate::syntax::lexer::{LexError, Token, TokenKind, tokens};

/// The way a statement of a migration has to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatementKind<'a> {
    /// A statement that can run in a transaction.
    Plain,
    /// The start of a transaction.
    Begin,
    /// The end of a transaction: `COMMIT`, `ROLLBACK` and their other names.
    End {
        /// Whether it has `AND CHAIN`.
        chain: bool,
    },
    /// `CREATE INDEX CONCURRENTLY`
    CreateIndex(ConcurrentIndex<'a>),
    /// `DROP INDEX CONCURRENTLY` of this index, as written.
    DropIndex(&'a str),
    /// `REINDEX INDEX` or `TABLE CONCURRENTLY`.
    Reindex {
        /// Whether it names a table instead of an index.
        table: bool,
        /// The name, as written.
        name: &'a str,
    },
    /// A statement outside of transactions that can run twice.
    ///
    /// `VACUUM`, `SET` and the like.
    Idempotent,
    /// A statement that can neither run in a transaction nor run twice.
    ///
    /// `CALL`, `DO`, `CREATE DATABASE` and the like.
    NonTransactional,
    /// `COPY … FROM STDIN` or `TO STDOUT`, for which a migration has no client.
    CopyStream,
}

/// The parts of a `CREATE INDEX CONCURRENTLY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConcurrentIndex<'a> {
    /// Whether it has `UNIQUE`.
    pub unique: bool,
    /// Whether it has `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The name in the catalog; `None` if the server chooses one.
    pub name: Option<String>,
    /// The table, as written.
    pub table: &'a str,
    /// The text after the table: method, columns and the rest.
    pub definition: &'a str,
}

impl StatementKind<'_> {
    /// Whether it has `CONCURRENTLY`: such a statement waits long and blocks no
    /// session.
    pub fn is_concurrent(&self) -> bool {
        matches!(
            self,
            Self::CreateIndex(_) | Self::DropIndex(_) | Self::Reindex { .. }
        )
    }
}

/// Classifies one statement.
///
/// # Errors
///
/// An unterminated string, quoted identifier or comment.
pub fn statement_kind(sql: &str) -> Result<StatementKind<'_>, LexError> {
    let tokens = tokens(sql)?;
    let words = Words {
        sql,
        tokens: &tokens,
        at: 0,
    };
    Ok(words.kind())
}

struct Words<'a, 't> {
    sql: &'a str,
    tokens: &'t [Token<'a>],
    at: usize,
}

impl<'a> Words<'a, '_> {
    fn kind(mut self) -> StatementKind<'a> {
        let Some(first) = self.tokens.first() else {
            return StatementKind::Plain;
        };
        let first = first.text.to_ascii_lowercase();
        self.at = 1;
        let chain = self.has("chain") && !self.has("no");
        match first.as_str() {
            "begin" => StatementKind::Begin,
            "start" if self.peek("transaction") => StatementKind::Begin,
            "commit" | "rollback" if self.peek("prepared") => StatementKind::NonTransactional,
            "rollback" if self.has("to") => StatementKind::Plain,
            "commit" | "end" | "rollback" | "abort" => StatementKind::End { chain },
            "prepare" if self.peek("transaction") => StatementKind::End { chain: false },
            "copy" if self.has("stdin") || self.has("stdout") => StatementKind::CopyStream,
            "create" => self.create(),
            "drop" => self.drop(),
            "reindex" => self.reindex(),
            "alter" if self.peek("system") => StatementKind::Idempotent,
            "alter" if self.peek("database") || self.peek("subscription") => {
                StatementKind::NonTransactional
            }
            "alter" if self.has("concurrently") => StatementKind::NonTransactional,
            "alter" | "analyze" | "comment" | "copy" | "delete" | "grant" | "import" | "insert"
            | "lock" | "merge" | "refresh" | "release" | "revoke" | "savepoint" | "security"
            | "select" | "table" | "truncate" | "update" | "values" | "with" => {
                StatementKind::Plain
            }
            "checkpoint" | "cluster" | "discard" | "load" | "reset" | "set" | "show" | "vacuum" => {
                StatementKind::Idempotent
            }
            _ => StatementKind::NonTransactional,
        }
    }

    fn create(mut self) -> StatementKind<'a> {
        if ["database", "tablespace", "subscription"]
            .iter()
            .any(|what| self.peek(what))
        {
            return StatementKind::NonTransactional;
        }
        let unique = self.take("unique");
        if !(self.take("index") && self.take("concurrently")) {
            return StatementKind::Plain;
        }
        let if_not_exists = self.take("if") && self.take("not") && self.take("exists");
        let name = match self.tokens.get(self.at) {
            Some(token) if !token.is_word("on") => {
                self.at += 1;
                Some(catalog_name(token))
            }
            _ => None,
        };
        self.take("on");
        self.take("only");
        let table = self.path();
        StatementKind::CreateIndex(ConcurrentIndex {
            unique,
            if_not_exists,
            name,
            table,
            definition: self.rest(),
        })
    }

    fn drop(mut self) -> StatementKind<'a> {
        if ["database", "tablespace", "subscription"]
            .iter()
            .any(|what| self.peek(what))
        {
            return StatementKind::NonTransactional;
        }
        if !(self.take("index") && self.take("concurrently")) {
            return StatementKind::Plain;
        }
        if self.take("if") {
            self.take("exists");
        }
        StatementKind::DropIndex(self.path())
    }

    fn reindex(mut self) -> StatementKind<'a> {
        if self.peek_is("(") {
            while self.at < self.tokens.len() && !self.peek_is(")") {
                self.at += 1;
            }
            self.at += 1;
        }
        let table = self.peek("table");
        if !(self.take("table") || self.take("index")) || !self.take("concurrently") {
            return StatementKind::Idempotent;
        }
        StatementKind::Reindex {
            table,
            name: self.path(),
        }
    }

    /// Reads a name with its schema, as written.
    fn path(&mut self) -> &'a str {
        let Some(first) = self.tokens.get(self.at) else {
            return "";
        };
        self.at += 1;
        let mut end = first.end();
        while self.peek_is(".") {
            end = self.tokens.get(self.at + 1).map_or(end, Token::end);
            self.at += 2;
        }
        &self.sql[first.start..end]
    }

    fn rest(&self) -> &'a str {
        self.tokens
            .get(self.at)
            .map_or("", |token| &self.sql[token.start..])
    }

    fn has(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token.is_word(word))
    }

    fn peek(&self, word: &str) -> bool {
        self.tokens
            .get(self.at)
            .is_some_and(|token| token.is_word(word))
    }

    fn peek_is(&self, text: &str) -> bool {
        self.tokens.get(self.at).is_some_and(|token| token.is(text))
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek(word);
        self.at += usize::from(found);
        found
    }
}

/// The name in the catalog: unquoted, or in lower case.
fn catalog_name(token: &Token<'_>) -> String {
    match token.kind {
        // The lexer has checked both quotes; `U&"…"` has more characters before
        // them.
        TokenKind::Quoted if token.text.starts_with('"') => {
            token.text[1..token.text.len() - 1].replace("\"\"", "\"")
        }
        _ => token.text.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ConcurrentIndex, StatementKind, statement_kind};

    fn kind(sql: &str) -> StatementKind<'_> {
        statement_kind(sql).unwrap()
    }

    #[test]
    fn statement_kind_parses_concurrent_index_statements() {
        assert_eq!(
            kind(
                "create /* x */ UNIQUE index concurrently if not exists \"A b\"\"\" on only \
                 \"my\".t USING gin (a) where b > 0"
            ),
            StatementKind::CreateIndex(ConcurrentIndex {
                unique: true,
                if_not_exists: true,
                name: Some("A b\"".to_owned()),
                table: "\"my\".t",
                definition: "USING gin (a) where b > 0",
            })
        );
        let StatementKind::CreateIndex(index) = kind("CREATE INDEX CONCURRENTLY ON t (a)") else {
            panic!("no index");
        };
        assert_eq!(
            (index.name, index.table, index.definition),
            (None, "t", "(a)")
        );
        assert_eq!(
            kind("DROP INDEX CONCURRENTLY IF EXISTS s.\"I\" CASCADE"),
            StatementKind::DropIndex("s.\"I\"")
        );
        assert_eq!(
            kind("REINDEX (VERBOSE) TABLE CONCURRENTLY s.t"),
            StatementKind::Reindex {
                table: true,
                name: "s.t"
            }
        );
    }

    #[test]
    fn statement_kind_tells_transaction_control_from_lookalikes() {
        use StatementKind::{Begin, CopyStream, End, Idempotent, NonTransactional, Plain};
        for (sql, expected) in [
            ("BEGIN", Begin),
            ("start transaction read write", Begin),
            ("END", End { chain: false }),
            ("commit and chain", End { chain: true }),
            ("COMMIT AND NO CHAIN", End { chain: false }),
            ("ROLLBACK TO SAVEPOINT a", Plain),
            ("ROLLBACK", End { chain: false }),
            ("COMMIT PREPARED 'x'", NonTransactional),
            ("DO $$ BEGIN COMMIT; END $$", NonTransactional),
            ("COPY t FROM STDIN", CopyStream),
            ("COPY t FROM '/x'", Plain),
            ("VACUUM t", Idempotent),
            ("REINDEX TABLE t", Idempotent),
            ("CREATE INDEX i ON t (concurrently)", Plain),
            ("CREATE DATABASE x", NonTransactional),
            (
                "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
                NonTransactional,
            ),
            ("INSERT INTO t VALUES ('commit')", Plain),
            ("", Plain),
        ] {
            assert_eq!(kind(sql), expected, "{sql}");
        }
    }
}

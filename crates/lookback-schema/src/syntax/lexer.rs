//! Splits SQL into tokens (PostgreSQL manual, 4.1 "Lexical Structure").

use thiserror::Error;

/// A token of SQL, with its position in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: TokenKind,
    /// The text as written, with quotes.
    pub(crate) text: &'a str,
    /// The position of its first byte.
    pub(crate) start: usize,
}

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in double quotes.
    Quoted,
    /// A string: `'…'`, `E'…'`, `U&'…'`, `$$…$$`.
    String,
    /// `B'…'` or `X'…'`.
    Bits,
    /// A number.
    Number,
    /// `$1`.
    Parameter,
    /// An operator, including `::` and `:=`.
    Operator,
    /// One of `( ) [ ] , ; . :`.
    Punctuation,
}

/// Text that is not SQL.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {problem}")]
pub struct LexError {
    /// The line, from 1.
    pub line: usize,
    /// The problem there.
    pub problem: &'static str,
}

impl Token<'_> {
    /// Whether this is that keyword, in any case.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether this is that operator or punctuation.
    pub(crate) fn is(&self, text: &str) -> bool {
        matches!(self.kind, TokenKind::Operator | TokenKind::Punctuation) && self.text == text
    }

    /// The position after its last byte.
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// The problem of a `\connect`, and of the other commands of psql.
const PSQL_COMMAND: &str = "a command of psql, which the server does not know";

/// The problem of rows after a `COPY … FROM stdin;`, as `pg_dump` writes them.
const COPY_ROWS: &str = "COPY from STDIN with its rows is not supported in a migration";

impl LexError {
    /// Whether it is a command of psql, such as `\connect`.
    pub fn is_psql_command(&self) -> bool {
        self.problem == PSQL_COMMAND
    }

    /// Whether rows follow a `COPY … FROM stdin`.
    pub fn is_copy_rows(&self) -> bool {
        self.problem == COPY_ROWS
    }
}

/// The tokens of `sql`, without white space and comments.
pub(crate) fn tokens(sql: &str) -> Result<Vec<Token<'_>>, LexError> {
    let mut lexer = Lexer { sql, at: 0 };
    let mut tokens = Vec::new();
    loop {
        match lexer.next() {
            Ok(Some(token)) => tokens.push(token),
            Ok(None) => return Ok(tokens),
            Err(error) => return Err(copied_rows(sql, &tokens).unwrap_or(error)),
        }
    }
}

/// The error for the first `COPY … FROM stdin;` in `found`, whose rows are no SQL.
fn copied_rows(sql: &str, found: &[Token<'_>]) -> Option<LexError> {
    let end = found
        .windows(3)
        .position(|next| next[0].is_word("from") && next[1].is_word("stdin") && !next[2].is(")"))?;
    let copy = found[..end]
        .iter()
        .rev()
        .find(|token| token.is_word("copy"))?;
    Some(LexError {
        line: line_of(sql, copy.start),
        problem: COPY_ROWS,
    })
}

/// The line of that byte, from 1.
pub(crate) fn line_of(sql: &str, at: usize) -> usize {
    sql.as_bytes()[..at.min(sql.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
        + 1
}

struct Lexer<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Result<Option<Token<'a>>, LexError> {
        self.skip_blank()?;
        let start = self.at;
        let Some(first) = self.peek(0) else {
            return Ok(None);
        };
        let kind = match first {
            b'\'' => self.quoted(b'\'', false)?,
            b'"' => {
                self.quoted(b'"', false)?;
                TokenKind::Quoted
            }
            b'e' | b'E' if self.peek(1) == Some(b'\'') => {
                self.at += 1;
                self.quoted(b'\'', true)?
            }
            b'b' | b'B' | b'x' | b'X' if self.peek(1) == Some(b'\'') => {
                self.at += 1;
                self.quoted(b'\'', false)?;
                TokenKind::Bits
            }
            b'n' | b'N' if self.peek(1) == Some(b'\'') => {
                self.at += 1;
                self.quoted(b'\'', false)?
            }
            b'u' | b'U' if self.peek(1) == Some(b'&') && self.peek(2) == Some(b'\'') => {
                self.at += 2;
                self.quoted(b'\'', false)?
            }
            b'u' | b'U' if self.peek(1) == Some(b'&') && self.peek(2) == Some(b'"') => {
                self.at += 2;
                self.quoted(b'"', false)?;
                TokenKind::Quoted
            }
            b'$' => self.dollar()?,
            b'0'..=b'9' => self.number(),
            b'.' if self.peek(1).is_some_and(|b| b.is_ascii_digit()) => self.number(),
            byte if is_name_start(byte) => {
                self.skip_while(is_name_part);
                TokenKind::Word
            }
            b':' if matches!(self.peek(1), Some(b':' | b'=')) => {
                self.at += 2;
                TokenKind::Operator
            }
            b'(' | b')' | b'[' | b']' | b',' | b';' | b'.' | b':' => {
                self.at += 1;
                TokenKind::Punctuation
            }
            byte if is_operator(byte) => self.operator(),
            b'\\' => return Err(self.error(start, PSQL_COMMAND)),
            _ => return Err(self.error(start, "a character that SQL has no use for")),
        };
        Ok(Some(Token {
            kind,
            text: &self.sql[start..self.at],
            start,
        }))
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.sql.as_bytes().get(self.at + ahead).copied()
    }

    fn skip_while(&mut self, test: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&test) {
            self.at += 1;
        }
    }

    fn skip_blank(&mut self) -> Result<(), LexError> {
        loop {
            match (self.peek(0), self.peek(1)) {
                // Some editors put a byte order mark before the text.
                (Some(0xEF), Some(0xBB)) if self.at == 0 => self.at += '\u{feff}'.len_utf8(),
                (Some(byte), _) if byte.is_ascii_whitespace() || byte == 0x0B => self.at += 1,
                (Some(b'-'), Some(b'-')) => self.skip_while(|byte| byte != b'\n'),
                (Some(b'/'), Some(b'*')) => self.block_comment()?,
                _ => return Ok(()),
            }
        }
    }

    /// Skips `/* … */`, which can be nested.
    fn block_comment(&mut self) -> Result<(), LexError> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    self.at += 2;
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                (Some(_), _) => self.at += 1,
                (None, _) => return Err(self.error(start, "unterminated comment")),
            }
        }
    }

    /// Reads up to the closing quote; a doubled quote is a part of the text.
    fn quoted(&mut self, quote: u8, escapes: bool) -> Result<TokenKind, LexError> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek(0) {
                None if quote == b'"' => {
                    return Err(self.error(start, "unterminated quoted identifier"));
                }
                None => return Err(self.error(start, "unterminated string")),
                Some(b'\\') if escapes => self.at += 2,
                Some(byte) if byte == quote => {
                    self.at += 1;
                    if self.peek(0) != Some(quote) {
                        return Ok(TokenKind::String);
                    }
                    self.at += 1;
                }
                Some(_) => self.at += 1,
            }
        }
    }

    /// Reads `$1`, or `$tag$ … $tag$`.
    fn dollar(&mut self) -> Result<TokenKind, LexError> {
        let start = self.at;
        if self.peek(1).is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
            return Ok(TokenKind::Parameter);
        }
        self.at += 1;
        self.skip_while(|byte| is_name_part(byte) && byte != b'$');
        if self.peek(0) != Some(b'$') {
            return Err(self.error(start, "a $ that begins neither a parameter nor a string"));
        }
        self.at += 1;
        let tag = &self.sql[start..self.at];
        match self.sql[self.at..].find(tag) {
            Some(length) => {
                self.at += length + tag.len();
                Ok(TokenKind::String)
            }
            None => Err(self.error(start, "unterminated dollar-quoted string")),
        }
    }

    fn number(&mut self) -> TokenKind {
        if self.peek(0) == Some(b'0')
            && matches!(self.peek(1), Some(b'x' | b'X' | b'o' | b'O' | b'b' | b'B'))
        {
            self.at += 2;
            self.skip_while(|byte| byte.is_ascii_hexdigit() || byte == b'_');
            return TokenKind::Number;
        }
        self.skip_while(|byte| byte.is_ascii_digit() || byte == b'_');
        if self.peek(0) == Some(b'.') && self.peek(1) != Some(b'.') {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit() || byte == b'_');
        }
        if matches!(self.peek(0), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.peek(1), Some(b'+' | b'-')));
            if self
                .peek(1 + sign)
                .is_some_and(|byte| byte.is_ascii_digit())
            {
                self.at += 1 + sign;
                self.skip_while(|byte| byte.is_ascii_digit() || byte == b'_');
            }
        }
        TokenKind::Number
    }

    fn operator(&mut self) -> TokenKind {
        let start = self.at;
        while let Some(byte) = self.peek(0) {
            let comment = matches!(
                (byte, self.peek(1)),
                (b'-', Some(b'-')) | (b'/', Some(b'*'))
            );
            if !is_operator(byte) || (comment && self.at > start) {
                break;
            }
            self.at += 1;
        }
        // Longer operators end in + or - only if they contain one of these.
        let special =
            |text: &str| text.contains(['~', '!', '@', '#', '%', '^', '&', '|', '`', '?']);
        while self.at - start > 1 {
            let text = &self.sql[start..self.at];
            if special(text) || !text.ends_with(['+', '-']) {
                break;
            }
            self.at -= 1;
        }
        TokenKind::Operator
    }

    fn error(&self, at: usize, problem: &'static str) -> LexError {
        LexError {
            line: line_of(self.sql, at),
            problem,
        }
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

fn is_name_part(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

fn is_operator(byte: u8) -> bool {
    b"+-*/<>=~!@#%^&|`?".contains(&byte)
}

//! The lexer of filters in text.

use crate::value::{Problem, Quoted};

/// Text with a position up to which it has been read.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The position in characters, counted from 1, for an error.
    ///
    /// It counts all characters before: too slow for every item of a list.
    pub(super) fn position(&self) -> usize {
        #[cfg(test)]
        work::add(self.at);
        self.text[..self.at].chars().count() + 1
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub(super) fn skip_spaces(&mut self) {
        let spaces = self.rest().len() - self.rest().trim_start().len();
        self.at += spaces;
    }

    pub(super) fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    pub(super) fn expect(&mut self, c: char, what: &str) -> Result<(), Problem> {
        if self.peek() != Some(c) {
            return Err(self.unexpected(what));
        }
        self.at += c.len_utf8();
        Ok(())
    }

    /// The error that something else was expected here.
    pub(super) fn unexpected(&self, what: &str) -> Problem {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(_) => Quoted(self.rest()).to_string(),
        };
        Problem::new(format!(
            "at character {}, expected {what}, got {found}",
            self.position()
        ))
    }

    /// Takes the text before any of these characters, or the end.
    pub(super) fn until(&mut self, ends: &[char]) -> &'a str {
        let rest = self.rest();
        let length = rest.find(ends).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Takes text in double quotes, if it is next: `\"` is a quote in it, and `\\`
    /// a backslash.
    pub(super) fn quoted(&mut self) -> Result<Option<String>, Problem> {
        let start = self.clone();
        if !self.take("\"") {
            return Ok(None);
        }
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Ok(Some(text));
                }
                '\\' => match chars.next() {
                    Some((_, c @ ('"' | '\\'))) => text.push(c),
                    _ => {
                        self.at += at;
                        return Err(Problem::new(format!(
                            "at character {}, a \\ in quotes has \" or \\ after it; write \\\\ \
                             for one \\",
                            self.position()
                        )));
                    }
                },
                c => text.push(c),
            }
        }
        Err(Problem::new(format!(
            "the quote at character {} is not closed",
            start.position()
        )))
    }

    /// Takes the text of a JSON value, which ends at a comma or one of `ends`
    /// outside of all quotes and brackets. It may not be valid JSON.
    pub(super) fn json(&mut self, ends: &[char]) -> &'a str {
        let rest = self.rest();
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        let mut length = rest.len();
        for (at, c) in rest.char_indices() {
            if in_string {
                in_string = escaped || c != '"';
                escaped = !escaped && c == '\\';
                continue;
            }
            match c {
                '"' => in_string = true,
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.saturating_sub(1),
                c if depth == 0 && (c == ',' || ends.contains(&c)) => {
                    length = at;
                    break;
                }
                _ => {}
            }
        }
        self.at += length;
        &rest[..length]
    }
}

/// The start of a name or text, for an error.
pub(super) fn excerpt(text: &str) -> String {
    const LENGTH: usize = 60;
    let mut excerpt: String = text.chars().take(LENGTH).collect();
    if excerpt.len() < text.len() {
        excerpt.push('…');
    }
    excerpt
}

/// Counts the bytes that were read for the positions of errors.
#[cfg(test)]
pub(super) mod work {
    use std::cell::Cell;

    thread_local! {
        static BYTES: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn add(bytes: usize) {
        BYTES.set(BYTES.get() + bytes);
    }

    pub(in crate::filter) fn done() -> usize {
        BYTES.get()
    }
}

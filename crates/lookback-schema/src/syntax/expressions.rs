//! SQL expressions that are equal when they mean the same.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;
use crate::syntax::DataType;
use crate::syntax::{Name, quoted, unquoted};
use crate::syntax::{Token, TokenKind, tokens};

mod canonical;

/// An SQL expression: a default, a check or the key of an index.
///
/// Two expressions are equal if they differ only in what PostgreSQL does not keep: white space,
/// comments, the case of keywords, redundant parentheses, `now()` for `CURRENT_TIMESTAMP`, `IN (…)`
/// for `= ANY (ARRAY[…])`, `BETWEEN` for two comparisons, `LIKE` for `~~`, another name of a type,
/// or a cast of a string to text. The column `"user"` and the keyword `user` are different. The
/// text is kept as given, without comments around it.
#[derive(Clone)]
pub struct Expression {
    text: String,
    canonical: String,
    names: Names,
}

/// The names in an expression.
#[derive(Clone, Default)]
struct Names {
    /// Names that may be columns.
    columns: Vec<String>,
    /// Keywords without parentheses that have a value.
    keywords: Vec<String>,
}

impl Expression {
    /// Parses the text of an expression.
    ///
    /// # Errors
    ///
    /// Text that is not exactly one expression: empty text, quotes or parentheses that are not
    /// closed, more than one statement.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        let text = text.trim().to_owned();
        let found = tokens(&text)
            .map_err(|error| Error::new(format!("`{text}` is not an expression: {error}")))?;
        balanced(&found)
            .map_err(|why| Error::new(format!("`{text}` is not an expression: {why}")))?;
        let canonical = canonical::canonical(&found);
        let names = Names::of(&found);
        // A comment at the end would hide SQL that is written after the expression.
        let (start, end) = (found[0].start, found[found.len() - 1].end());
        let text = text[start..end].to_owned();
        Ok(Self {
            text,
            canonical,
            names,
        })
    }

    /// Parses the text that a server prints, without redundant parentheses around the whole of it.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn printed(text: &str) -> Result<Self, Error> {
        let Ok(found) = tokens(text) else {
            return Self::new(text);
        };
        let (mut first, mut last) = (0, found.len());
        while last > first + 2
            && found[first].is("(")
            && closing(&found, first) == Some(last - 1)
            && !is_list(&found[first + 1..last - 1])
        {
            first += 1;
            last -= 1;
        }
        match (found.get(first), found[..last].last()) {
            (Some(start), Some(end)) => Self::new(&text[start.start..end.end()]),
            _ => Self::new(text),
        }
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is null, of any type.
    pub fn is_null(&self) -> bool {
        self.canonical == "null"
    }

    /// Whether this and `other` are equal as defaults of a column of type `ty`.
    ///
    /// A cast of a literal to that type makes no difference.
    pub fn is_same_default(&self, other: &Self, ty: &DataType) -> bool {
        self == other || self.default_form(ty) == other.default_form(ty)
    }

    fn default_form(&self, ty: &DataType) -> String {
        match tokens(&self.text) {
            Ok(found) => canonical::canonical_default(&found, ty),
            Err(_) => self.canonical.clone(),
        }
    }

    /// The name of the column, if the expression is only a column.
    pub fn as_column(&self) -> Option<String> {
        let only = self.lexed().len() == 1;
        only.then(|| self.names.columns.first().cloned()).flatten()
    }

    /// Whether it contains a column of this name.
    pub fn mentions(&self, column: &str) -> bool {
        self.names.columns.iter().any(|name| name == column)
    }

    /// The keywords in it that have a value and no parentheses, such as `user` and `current_date`.
    ///
    /// A column of such a name has to be written in quotes.
    pub fn keywords(&self) -> &[String] {
        &self.names.keywords
    }

    /// Whether it can be the default of a column: it contains no column and is no query.
    pub(crate) fn is_a_default(&self) -> bool {
        self.names.columns.is_empty() && !self.lexed().iter().any(|token| token.is_word("select"))
    }

    /// Whether it may contain the type of this name.
    pub(crate) fn mentions_type(&self, name: &Name) -> bool {
        let quoted = quoted(&name.name);
        self.lexed()
            .iter()
            .any(|token| token.is_word(&name.name) || token.text == quoted)
    }

    /// Whether it contains the string literal `text`.
    pub fn mentions_literal(&self, text: &str) -> bool {
        self.lexed()
            .iter()
            .any(|token| token.kind == TokenKind::String && is_literal(token.text, text))
    }

    /// The functions that it calls, each with the texts of its arguments.
    pub(crate) fn calls(&self) -> Vec<(String, Vec<&str>)> {
        let found = self.lexed();
        let calls = (1..found.len()).filter(|open| found[*open].is("("));
        let calls = calls.filter_map(|open| {
            let name = unquoted(found[open - 1].kind, found[open - 1].text)?;
            let close = closing(&found, open)?;
            Some((name, self.arguments(&found, open, close)))
        });
        calls.collect()
    }

    /// The texts between the commas from `open` to `close`.
    fn arguments(&self, found: &[Token<'_>], open: usize, close: usize) -> Vec<&str> {
        let mut arguments = Vec::new();
        let (mut first, mut at) = (open + 1, open + 1);
        while at <= close {
            let token = found[at];
            if token.is(",") || at == close {
                if first < at {
                    arguments.push(&self.text[found[first].start..found[at - 1].end()]);
                }
                first = at + 1;
            } else if token.is("(") || token.is("[") {
                at = closing(found, at).unwrap_or(close).min(close - 1);
            }
            at += 1;
        }
        arguments
    }

    /// Whether an index key needs no parentheses around it: it is the name of a column or the call
    /// of a function.
    pub(crate) fn is_name_or_call(&self) -> bool {
        let found = self.lexed();
        let Some(first) = found.first() else {
            return false;
        };
        if !matches!(first.kind, TokenKind::Word | TokenKind::Quoted) {
            return false;
        }
        if found.len() == 1 {
            return self.as_column().is_some();
        }
        let open = match (found.get(1), found.get(3)) {
            (Some(next), _) if next.is("(") => 1,
            (Some(dot), Some(next)) if dot.is(".") && next.is("(") => 3,
            _ => return false,
        };
        let special = [
            "extract",
            "overlay",
            "position",
            "substring",
            "trim",
            "cast",
            "row",
        ];
        if special.iter().any(|word| first.is_word(word)) {
            return false;
        }
        closing(&found, open) == Some(found.len() - 1)
    }

    /// The names in it that can only be columns: operands of comparisons, and names that are alone
    /// in parentheses or in a list of arguments. It may contain other columns, too.
    pub fn plain_columns(&self) -> Vec<String> {
        let found = self.lexed();
        let columns = columns(&found).into_iter();
        columns
            .filter(|at| stands_alone(&found, *at))
            .filter_map(|at| unquoted(found[at].kind, found[at].text))
            .collect()
    }

    /// The same expression after columns are renamed.
    #[must_use]
    pub fn with_renamed_columns(&self, names: &BTreeMap<String, String>) -> Self {
        let columns = columns(&self.lexed());
        self.rewritten(|found, at| {
            columns.contains(&at).then_some(())?;
            let name = unquoted(found[at].kind, found[at].text)?;
            names.get(&name).map(|new| quoted(new).into_owned())
        })
    }

    /// Renames string literals that are labels of an enum.
    #[must_use]
    pub fn with_renamed_literals(&self, names: &BTreeMap<String, String>) -> Self {
        self.rewritten(|found, at| {
            let token = found[at];
            if token.kind != TokenKind::String {
                return None;
            }
            names
                .iter()
                .find(|(old, _)| is_literal(token.text, old))
                .map(|(_, new)| crate::syntax::literal(new))
        })
    }

    /// Renames types and tables that have a schema in front.
    #[must_use]
    pub fn with_renamed_qualified(&self, names: &BTreeMap<Name, Name>) -> Self {
        self.rewritten_spans(|found, at| {
            let schema = unquoted(found[at].kind, found[at].text)?;
            let (dot, last) = (found.get(at + 1)?, found.get(at + 2)?);
            let function = found.get(at + 3).is_some_and(|next| next.is("("));
            let inner = at
                .checked_sub(1)
                .is_some_and(|before| found[before].is("."));
            if !dot.is(".") || function || inner {
                return None;
            }
            let name = Name::within(Some(schema), unquoted(last.kind, last.text)?);
            names.get(&name).map(|new| (3, new.to_string()))
        })
    }

    /// The same expression after a type in its casts is renamed.
    #[must_use]
    pub(crate) fn with_renamed_type(&self, from: &Name, to: &Name) -> Self {
        self.rewritten_spans(|found, at| {
            let before = found[at.checked_sub(1)?];
            if !before.is("::") && !before.is_word("as") {
                return None;
            }
            let part = |at: usize| found.get(at).and_then(|t| unquoted(t.kind, t.text));
            let first = part(at)?;
            // Without quotes, `time` is a type of PostgreSQL.
            if found[at].kind == TokenKind::Word && crate::syntax::is_keyword(&first) {
                return None;
            }
            let (count, name) = match found.get(at + 1) {
                Some(dot) if dot.is(".") => (3, Name::within(Some(first), part(at + 2)?)),
                _ => (1, Name::new(first)),
            };
            (name == *from).then(|| (count, to.to_string()))
        })
    }

    fn rewritten(&self, replace: impl Fn(&[Token<'_>], usize) -> Option<String>) -> Self {
        self.rewritten_spans(|found, at| Some((1, replace(found, at)?)))
    }

    /// Replaces runs of tokens. `replace` returns the number of tokens from a position on and their
    /// new text.
    fn rewritten_spans(
        &self,
        replace: impl Fn(&[Token<'_>], usize) -> Option<(usize, String)>,
    ) -> Self {
        let found = self.lexed();
        let mut text = String::with_capacity(self.text.len());
        let (mut copied, mut at) = (0, 0);
        while at < found.len() {
            match replace(&found, at) {
                Some((count, new)) => {
                    text.push_str(&self.text[copied..found[at].start]);
                    text.push_str(&new);
                    at += count;
                    copied = found[at - 1].end();
                }
                None => at += 1,
            }
        }
        text.push_str(&self.text[copied..]);
        // Names and literals replace names and literals, so the text is still an expression.
        Self::new(text).unwrap_or_else(|_| self.clone())
    }

    /// The tokens; [`new`](Self::new) has checked that there are some.
    fn lexed(&self) -> Vec<Token<'_>> {
        tokens(&self.text).unwrap_or_default()
    }
}

impl Names {
    fn of(found: &[Token<'_>]) -> Self {
        let named = |at: &usize| unquoted(found[*at].kind, found[*at].text);
        match canonical::names(found) {
            Some(names) => Self {
                columns: (names.columns.iter().chain(&names.fields))
                    .filter_map(named)
                    .collect(),
                keywords: names.keywords.iter().filter_map(named).collect(),
            },
            None => Self {
                columns: guessed_columns(found).iter().filter_map(named).collect(),
                keywords: Vec::new(),
            },
        }
    }
}

/// The positions of the names that are columns.
fn columns(found: &[Token<'_>]) -> Vec<usize> {
    match canonical::names(found) {
        Some(names) => names.columns,
        None => guessed_columns(found),
    }
}

/// The positions of the names that may be columns, in an expression with an unknown grammar.
fn guessed_columns(found: &[Token<'_>]) -> Vec<usize> {
    (0..found.len())
        .filter(|at| may_be_column(found, *at))
        .collect()
}

fn may_be_column(found: &[Token<'_>], at: usize) -> bool {
    let token = found[at];
    let Some(name) = unquoted(token.kind, token.text) else {
        return false;
    };
    let after = found.get(at + 1);
    let before = at.checked_sub(1).map(|at| &found[at]);
    let function = after.is_some_and(|next| next.is("("));
    let qualifies = after.is_some_and(|next| next.is("."));
    let is_type = before.is_some_and(|last| last.is("::"));
    let keyword = token.kind == TokenKind::Word && crate::syntax::is_keyword(&name);
    // `EXTRACT (year FROM t)`
    let is_field = after.is_some_and(|next| next.is_word("from"))
        && before.is_some_and(|last| last.is("("))
        && at
            .checked_sub(2)
            .is_some_and(|function| found[function].is_word("extract"));
    // `t AT TIME ZONE 'UTC'`
    let words = |start: Option<usize>| {
        start.is_some_and(|start| {
            ["at", "time", "zone"]
                .iter()
                .zip(start..)
                .all(|(word, at)| found.get(at).is_some_and(|token| token.is_word(word)))
        })
    };
    let is_zone = words(Some(at)) || words(at.checked_sub(2));
    !function && !qualifies && !is_type && !keyword && !is_field && !is_zone
}

/// Whether the name at `at` is an operand.
///
/// Otherwise it may be a part of a type, of a time zone or of another phrase.
fn stands_alone(found: &[Token<'_>], at: usize) -> bool {
    let before = at.checked_sub(1).map(|at| &found[at]);
    // For example `IS NOT UNKNOWN`, which contains no column.
    let after_is = at.checked_sub(2).is_some_and(|at| found[at].is_word("is"));
    let begins = before.is_none_or(|token| {
        ["(", "[", ","].iter().any(|mark| token.is(mark))
            || (token.kind == TokenKind::Operator && !token.is("::"))
            || ["and", "or"].iter().any(|word| token.is_word(word))
            || (token.is_word("not") && !after_is)
    });
    let ends = found.get(at + 1).is_none_or(|token| {
        [")", "]", ","].iter().any(|mark| token.is(mark))
            || (token.kind == TokenKind::Operator && !token.is("=>") && !token.is(":="))
            || ["is", "in", "not", "and", "or", "between", "like", "ilike"]
                .iter()
                .any(|word| token.is_word(word))
    });
    begins && ends && !in_modifiers(found, at)
}

/// Whether `at` is in the parentheses of a type: `x::geometry(point, 4326)`.
fn in_modifiers(found: &[Token<'_>], at: usize) -> bool {
    let open = (0..at)
        .rev()
        .find(|open| found[*open].is("(") && closing(found, *open).is_some_and(|end| end > at));
    let Some(name) = open.and_then(|open| open.checked_sub(1)) else {
        return false;
    };
    found[name].kind == TokenKind::Word
        && name.checked_sub(1).is_some_and(|before| {
            found[before].is("::") || found[before].is(".") || found[before].is_word("as")
        })
}

/// The position of the parenthesis that closes the one at `open`.
pub(crate) fn closing(found: &[Token<'_>], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in found.iter().enumerate().skip(open) {
        if token.is("(") || token.is("[") {
            depth += 1;
        } else if token.is(")") || token.is("]") {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

/// Whether it has a comma outside of parentheses.
fn is_list(found: &[Token<'_>]) -> bool {
    let mut at = 0;
    while at < found.len() {
        if found[at].is(",") {
            return true;
        }
        if found[at].is("(") || found[at].is("[") {
            at = closing(found, at).unwrap_or(found.len());
        }
        at += 1;
    }
    false
}

fn balanced(found: &[Token<'_>]) -> Result<(), String> {
    if found.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut open = Vec::new();
    for token in found {
        if token.is(";") {
            return Err("it holds a semicolon".to_owned());
        }
        if token.is("(") || token.is("[") {
            open.push(token.text);
        } else if token.is(")") || token.is("]") {
            let partner = if token.is(")") { "(" } else { "[" };
            if open.pop() != Some(partner) {
                return Err(format!("unmatched `{}`", token.text));
            }
        }
    }
    match open.pop() {
        Some(left) => Err(format!("a `{left}` is not closed")),
        None => Ok(()),
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical.hash(state);
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({})", self.text)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Expression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        Self::new(text).map_err(serde::de::Error::custom)
    }
}

/// Whether a literal is the string `text`, as written by this crate or as printed by the server,
/// which writes backslashes without an `E`.
fn is_literal(literal: &str, text: &str) -> bool {
    literal == crate::syntax::literal(text) || literal == format!("'{}'", text.replace('\'', "''"))
}

//! Conditions on the words of a text, in SQL.

use super::Pattern;
use super::words::allows_partial_match;
use crate::db::Sql;
use crate::error::Error;
use crate::letters::{self, ids, push_literal};

/// The condition that a text contains a word or a phrase.
pub(crate) struct Condition {
    /// The pattern for `LIKE`.
    pub(crate) pattern: String,
    /// The regular expression that it must match, too, so as to be no part of a
    /// longer word.
    delimited: Option<String>,
    /// The condition of another form.
    pub(crate) other: Option<Form>,
}

/// Another form of a word: a regular expression, and a pattern that it implies.
pub(crate) struct Form {
    pattern: Option<String>,
    regex: String,
}

impl Condition {
    /// Binds the condition for a word: as a whole word, if its parts are not
    /// selective.
    pub(crate) fn of_word(word: &str, is_id: bool, sql: &mut Sql) -> Result<Self, Error> {
        if is_id {
            let last = &word[word.len() - ID_GROUP..];
            return Ok(Self {
                pattern: pattern(word, sql)?,
                delimited: None,
                other: Some(Form {
                    pattern: Some(pattern(last, sql)?),
                    regex: regex(&ids::separated(word), sql)?,
                }),
            });
        }
        Self::bind(word, !allows_partial_match(word), sql)
    }

    /// Binds the condition for a phrase as whole words.
    pub(crate) fn of_phrase(phrase: &str, sql: &mut Sql) -> Result<Self, Error> {
        Self::bind(phrase, phrase.len() <= MAX_DELIMITED, sql)
    }

    fn bind(text: &str, is_delimited: bool, sql: &mut Sql) -> Result<Self, Error> {
        let delimit = |letters: &str| {
            if is_delimited {
                delimited(text, letters)
            } else {
                letters.to_owned()
            }
        };
        let literal = is_delimited.then(|| delimit(&literal(text)));
        let other = letters::same_letters(text).map(|letters| delimit(&letters));
        Ok(Self {
            delimited: literal
                .map(|literal| bind_lower(&literal, sql))
                .transpose()?,
            other: match other {
                Some(letters) => Some(Form {
                    pattern: None,
                    regex: regex(&letters, sql)?,
                }),
                None => None,
            },
            pattern: pattern(text, sql)?,
        })
    }

    pub(crate) fn of_text(&self, text: &str) -> String {
        let pattern = &self.pattern;
        let itself = match &self.delimited {
            // The pattern first: it is much faster.
            Some(regex) => format!("({text} LIKE {pattern} AND {text} ~ {regex})"),
            None => format!("{text} LIKE {pattern}"),
        };
        match &self.other {
            Some(other) => format!("({itself} OR {})", other.of_text(text)),
            None => itself,
        }
    }
}

impl Form {
    pub(crate) fn of_text(&self, text: &str) -> String {
        let regex = &self.regex;
        match &self.pattern {
            Some(pattern) => format!("({text} LIKE {pattern} AND {text} ~ {regex})"),
            None => format!("{text} ~ {regex}"),
        }
    }
}

/// The last digits of an id: they stand together in any notation of cards and UUIDs.
const ID_GROUP: usize = 2;

/// Binds a text, and returns the SQL of it in the lower case of [`lower_sql`](letters::lower_sql).
pub(crate) fn bind_lower(text: &str, sql: &mut Sql) -> Result<String, Error> {
    if text.is_ascii() {
        return sql.argument(text.to_ascii_lowercase());
    }
    let text = sql.argument(text.to_owned())?;
    Ok(format!("({})", letters::lower_sql(&text)))
}

/// Binds the pattern of a text that contains another. Both are in lower case, by the
/// same rules.
pub(crate) fn pattern(text: &str, sql: &mut Sql) -> Result<String, Error> {
    bind_lower(&Pattern::containing(text), sql)
}

/// The length of a phrase, in bytes, up to which it must not be a part of longer
/// words.
pub(crate) const MAX_DELIMITED: usize = 256;

/// Binds the regular expression of a phrase where it is not a part of longer words.
pub(crate) fn whole_phrase(phrase: &str, sql: &mut Sql) -> Result<String, Error> {
    bind_lower(&delimited(phrase, &literal(phrase)), sql)
}

/// Returns the regular expression of the letters of a text, where they are not a part
/// of longer words.
fn delimited(text: &str, letters: &str) -> String {
    let mut regex = String::with_capacity(letters.len() + 32);
    if text.starts_with(char::is_alphanumeric) {
        regex.push_str("(^|[^[:alnum:]])");
    }
    regex.push_str(letters);
    if text.ends_with(char::is_alphanumeric) {
        regex.push_str("($|[^[:alnum:]])");
    }
    regex
}

/// Returns the regular expression of a text as it is.
fn literal(text: &str) -> String {
    let mut regex = String::with_capacity(2 * text.len());
    text.chars()
        .for_each(|letter| push_literal(&mut regex, letter));
    regex
}

/// Binds a regular expression that has both cases of its letters.
pub(crate) fn regex(regex: &str, sql: &mut Sql) -> Result<String, Error> {
    sql.argument(regex.to_owned())
}

/// Returns the SQL condition that a text has all words.
///
/// Each is a condition of its own, which a trigram index on the text serves. The first ones
/// should be the most selective: the text is computed again for each that is compared.
pub(crate) fn all_of_text(text: &str, words: &[Condition]) -> String {
    let all: Vec<String> = words.iter().map(|word| word.of_text(text)).collect();
    if all.is_empty() {
        "TRUE".to_owned()
    } else {
        all.join(" AND ")
    }
}

//! The parser of a search text: words, `"phrases"`, `-without` and
//! `field:value`. Pure. Every text is valid: what is none of these is a word.

use crate::filter::{Comparison, Node, Pattern, Relation, Test, searchable};
use crate::model::{ColumnDef, Table};
use crate::value::{ColumnType, Value};

/// A parsed search text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Terms {
    /// Words as typed, separated by white space.
    pub(crate) words: Vec<String>,
    /// Phrases that the text must contain.
    pub(crate) phrases: Vec<String>,
    /// Words and phrases that the text must not contain.
    pub(crate) without: Vec<String>,
    /// Conditions on fields.
    pub(crate) filters: Vec<Node>,
}

/// The length, in bytes, at which a text is cut, at the last white space before
/// it. A longer text is a document, and its start contains its subject.
const MAX_BYTES: usize = 4096;

/// The number of phrases, exclusions and fields together, each a condition for
/// every row. Further phrases and fields are words; further exclusions are
/// ignored.
const MAX_CONDITIONS: usize = 32;

impl Terms {
    /// Parses a search of the records of `table`.
    pub(crate) fn parse(table: &'static Table, text: &str) -> Self {
        // No record contains NUL, so no word may.
        let text = cut(text).replace('\0', " ");
        let mut terms = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            rest = terms.take(table, rest).trim_start();
        }
        terms
    }

    /// Returns whether the search consists of filters alone.
    pub(crate) fn is_only_filters(&self) -> bool {
        self.words.is_empty() && self.phrases.is_empty()
    }

    /// Returns whether there are no terms.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_only_filters() && self.without.is_empty() && self.filters.is_empty()
    }

    /// Returns the conditions that every hit must meet.
    pub(crate) fn into_filters(self) -> Vec<Node> {
        let phrases = self.phrases.into_iter().map(Node::Searched);
        let without = self
            .without
            .into_iter()
            .map(|text| Node::Not(Box::new(Node::Searched(text))));
        phrases.chain(without).chain(self.filters).collect()
    }

    /// Parses the term at the start of `rest`, which is not white space, and
    /// returns the text after it.
    fn take<'a>(&mut self, table: &'static Table, rest: &'a str) -> &'a str {
        let is_full =
            self.phrases.len() + self.without.len() + self.filters.len() >= MAX_CONDITIONS;
        let (negated, term) = match rest.strip_prefix('-') {
            Some(term) if term.starts_with(|c: char| c.is_alphanumeric() || c == '"') => {
                (true, term)
            }
            _ => (false, rest),
        };
        if let Some((phrase, after)) = quoted(term) {
            match (phrase.trim().is_empty(), negated) {
                (true, _) => {}
                (false, true) if !is_full => self.without.push(phrase.to_owned()),
                (false, true) => {}
                (false, false) if !is_full => self.phrases.push(phrase.to_owned()),
                (false, false) => self
                    .words
                    .extend(phrase.split_whitespace().map(str::to_owned)),
            }
            return after;
        }
        if !is_full && let Some((node, after)) = field(table, term) {
            self.filters.push(if negated {
                Node::Not(Box::new(node))
            } else {
                node
            });
            return after;
        }
        let (word, after) = match term.split_once(char::is_whitespace) {
            Some((word, after)) => (word, after),
            None => (term, ""),
        };
        // An unclosed quotation mark is ignored.
        let word = word.trim_start_matches('"');
        match (word.is_empty(), negated) {
            (true, _) => {}
            (false, true) if !is_full => self.without.push(word.to_owned()),
            (false, true) => {}
            (false, false) => self.words.push(word.to_owned()),
        }
        after
    }
}

/// Cuts a long text at the last white space before the limit.
fn cut(text: &str) -> &str {
    if text.len() <= MAX_BYTES {
        return text;
    }
    let kept = &text[..text.floor_char_boundary(MAX_BYTES)];
    kept.rfind(char::is_whitespace)
        .map_or(kept, |at| &kept[..at])
}

/// Splits a leading quoted text from the text after it, if it is closed.
fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

/// Parses a leading `field:value` into a filter: containment for text and
/// arrays, `IN` for a list of enum values, otherwise equality. Returns `None`
/// if the model has no such field, or the field cannot have such a value.
fn field<'a>(table: &'static Table, text: &'a str) -> Option<(Node, &'a str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (name, value) = text.split_once(':')?;
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let (value, after) = quoted(value)
        .or_else(|| value.split_once(char::is_whitespace))
        .unwrap_or((value, ""));
    // Nothing to compare with, or an unclosed quotation mark.
    if value.is_empty() || value.starts_with('"') {
        return None;
    }
    let index = searchable(table, name).ok()?;
    let column = &table.columns[index];
    let test = match column.ty {
        _ if !column.variants.is_empty() => one_of(column, value)?,
        ColumnType::Text => Test::Like(Pattern::literal(true, value, true, true)),
        ColumnType::Array(of) => {
            let element = match of {
                ColumnType::Text => Value::Text(value.to_owned().into()),
                ColumnType::Int4 => Value::Int4(value.parse().ok()?),
                ColumnType::Int8 => Value::Int8(value.parse().ok()?),
                _ => return None,
            };
            Test::Array(Relation::Contains, Value::Array(of, vec![element]))
        }
        ColumnType::Jsonb | ColumnType::Bytea | ColumnType::Vector(_) => return None,
        _ => Test::Compare(Comparison::Eq, (column.parse)(value).ok()?),
    };
    Some((
        Node::Test {
            column: index,
            test,
        },
        after,
    ))
}

/// Parses comma-separated variants of a column, ignoring case.
fn one_of(column: &ColumnDef, values: &str) -> Option<Test> {
    let named = |value: &str| {
        let mut variants = column.variants.iter();
        variants.find(|variant| variant.eq_ignore_ascii_case(value))
    };
    let values: Option<Vec<Value<'static>>> = values
        .split(',')
        .map(|value| (column.parse)(named(value)?).ok())
        .collect();
    let mut values = values?;
    match values.len() {
        1 => values
            .pop()
            .map(|value| Test::Compare(Comparison::Eq, value)),
        _ => Some(Test::In(values)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Terms;
    use crate::{Filter, Level, Log, Metric, Model as _};

    fn terms(text: &str) -> Terms {
        Terms::parse(Log::TABLE, text)
    }

    #[test]
    fn terms_separate_words_phrases_and_exclusions() {
        let terms = terms("timeout \"connection refused\" -cache -\"slow query\" of blk_-7");
        assert_eq!(terms.words, ["timeout", "of", "blk_-7"]);
        assert_eq!(terms.phrases, ["connection refused"]);
        assert_eq!(terms.without, ["cache", "slow query"]);
        assert_eq!(terms.filters, []);
    }

    #[test]
    fn term_with_field_of_model_is_a_filter() {
        let filters = |text| terms(text).filters;
        assert_eq!(filters("level:error"), [Log::level().eq(Level::Error).node]);
        assert_eq!(
            filters("-level:error"),
            [(!Log::level().eq(Level::Error)).node]
        );
        assert_eq!(filters("level:WARN"), [Log::level().eq("warn").node]);
        assert_eq!(
            filters("level:Warn,error"),
            [Log::level().is_in(["warn", "error"]).node]
        );
        assert_eq!(filters("id:7"), [Log::id().eq(7).node]);
        assert_eq!(filters("source:pay"), [Log::source().ilike("%pay%").node]);
        assert_eq!(
            filters("message:\"100% of_it\" x"),
            [Log::message().ilike("%100\\% of\\_it%").node]
        );
        assert_eq!(
            Terms::parse(Metric::TABLE, "error_rate:0.05").filters,
            [Filter::<Metric>::parse("error_rate=0.05")
                .expect("a rate")
                .node]
        );
    }

    #[test]
    fn term_with_unknown_field_or_value_is_a_word() {
        for word in [
            "http://x",
            "foo:bar",
            "level:verbose",
            "id:seven",
            "level:",
            ":error",
            "meta:{}",
            "embedding:1",
            "--json",
            "-",
            "10:45:01",
            "a\"b\"",
        ] {
            let terms = terms(word);
            assert_eq!(
                (terms.words.as_slice(), terms.filters.len()),
                (&[word.to_owned()][..], 0)
            );
        }
    }

    #[test]
    fn terms_of_malformed_or_long_text_stay_within_limits() {
        assert_eq!(
            terms("\"connection refused").words,
            ["connection", "refused"]
        );
        assert!(terms(" \t\u{3000}\n\0").is_empty());
        assert!(terms("\"\" \" \" -\"\"").is_empty());
        assert!(terms("-cache level:info").is_only_filters());
        assert_eq!(terms("a\0b").words, ["a", "b"]);
        assert_eq!(terms(&"é".repeat(50_000)).words[0].len(), 4096);
        assert!(terms(&"word ".repeat(20_000)).words.len() <= 820);
        let conditions = terms(&"-a \"b\" id:1 ".repeat(300));
        let count = conditions.phrases.len() + conditions.without.len() + conditions.filters.len();
        assert_eq!(count, 32);
    }

    proptest! {
        /// Every text is parsed, and each term is a part of it.
        #[test]
        fn terms_of_any_text_are_parts_of_it(text in "(\\PC|[\"\\-: \0]|level:|id:|-\"){0,60}") {
            let Terms { words, phrases, without, .. } = terms(&text);
            for term in words.iter().chain(&phrases).chain(&without) {
                prop_assert!(!term.trim().is_empty());
                prop_assert!(text.replace('\0', " ").contains(term.as_str()));
            }
        }

        /// Formatted terms parse to the same terms.
        #[test]
        fn terms_round_trip_through_text(
            words in prop::collection::vec("[a-z0-9.]{1,8}", 0..4),
            phrases in prop::collection::vec("[a-z0-9:-][a-z0-9 :-]{0,8}", 0..4),
            without in prop::collection::vec("[a-z0-9]{1,8}", 0..4),
        ) {
            let text: Vec<String> = words.iter().cloned()
                .chain(phrases.iter().map(|phrase| format!("\"{phrase}\"")))
                .chain(without.iter().map(|word| format!("-{word}")))
                .collect();
            let read = terms(&text.join(" "));
            prop_assert_eq!(read, Terms { words, phrases, without, filters: Vec::new() });
        }
    }
}

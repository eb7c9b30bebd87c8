//! The parser of a search text: words, `"phrases"`, `-without` and
//! `field:value`. Pure. Every text is valid: what is none of these is a word.

use chrono::{DateTime, Utc};

use crate::filter::words::{is_option, quoted, without_minus};
use crate::filter::{Exclusion, Node};
use crate::model::Table;
use crate::search::hit::Note;
use crate::search::parse::field;

/// A parsed search text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Terms {
    /// Words as typed, separated by white space.
    pub(crate) words: Vec<String>,
    /// The words, and the exclusions that may be a part of a pasted text: `-X`.
    pub(crate) typed: Vec<String>,
    /// Phrases that the text must contain.
    pub(crate) phrases: Vec<String>,
    /// Words and phrases that the text must not contain.
    pub(crate) without: Vec<Exclusion>,
    /// Conditions on fields.
    pub(crate) filters: Vec<Node>,
    /// Notes for the person who typed the text.
    pub(crate) notes: Vec<Note>,
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
        Self::parse_at(table, text, Utc::now())
    }

    /// Parses a search, whose relative times count from `now`.
    fn parse_at(table: &'static Table, text: &str, now: DateTime<Utc>) -> Self {
        // No record contains NUL, so no word may.
        let text = cut(text).replace('\0', " ");
        let mut terms = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            rest = terms.take(table, rest, now).trim_start();
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
        let without = self.without.into_iter().map(Exclusion::into_node);
        phrases.chain(without).chain(self.filters).collect()
    }

    /// Parses the term at the start of `rest`, which is not white space, and
    /// returns the text after it.
    fn take<'a>(&mut self, table: &'static Table, rest: &'a str, now: DateTime<Utc>) -> &'a str {
        let is_full =
            self.phrases.len() + self.without.len() + self.filters.len() >= MAX_CONDITIONS;
        let (negated, term) = without_minus(rest);
        if let Some((phrase, after)) = quoted(term) {
            match (phrase.trim().is_empty(), negated) {
                (true, _) => {}
                (false, true) if !is_full => self.exclude(phrase, false),
                (false, true) => {}
                (false, false) if !is_full => self.phrases.push(phrase.to_owned()),
                (false, false) => phrase.split_whitespace().for_each(|word| self.word(word)),
            }
            return after;
        }
        let field_term = field::split(term).filter(|_| !is_full);
        if let Some((field_term, after)) = field_term
            && let Some(node) = field_term.filter(table, now)
        {
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
        if field_term.is_some() {
            self.notes.push(Note::NotAField(word.to_owned()));
        }
        match (word.is_empty(), negated) {
            (true, _) => {}
            (false, true) if !is_full => self.exclude(word, is_option(word)),
            (false, true) => {}
            (false, false) => self.word(word),
        }
        after
    }

    fn word(&mut self, word: &str) {
        self.words.push(word.to_owned());
        self.typed.push(word.to_owned());
    }

    fn exclude(&mut self, text: &str, is_option: bool) {
        if is_option {
            self.typed.push(format!("-{text}"));
        }
        self.notes.push(Note::Excluded(text.to_owned()));
        self.without.push(Exclusion {
            text: text.to_owned(),
            is_option,
        });
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Terms;
    use crate::search::Note;
    use crate::{Filter, Level, Log, Metric, Model as _};

    fn terms(text: &str) -> Terms {
        Terms::parse(Log::TABLE, text)
    }

    #[test]
    fn terms_separate_words_phrases_and_exclusions() {
        let terms = terms("timeout \"connection refused\" -cache -\"slow query\" of blk_-7");
        assert_eq!(terms.words, ["timeout", "of", "blk_-7"]);
        assert_eq!(terms.phrases, ["connection refused"]);
        let without: Vec<&str> = terms.without.iter().map(|w| w.text.as_str()).collect();
        assert_eq!(without, ["cache", "slow query"]);
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
            "meta.:1",
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

    /// Options and numbers of a pasted command are whole words, and no other text
    /// after a `-` is.
    #[test]
    fn exclusion_of_option_or_number_is_a_whole_word() {
        let excluded = |text: &str| -> Vec<(String, bool)> {
            let without = terms(text).without.into_iter();
            without
                .map(|without| (without.text, without.is_option))
                .collect()
        };
        let option = |text: &str| (text.to_owned(), true);
        assert_eq!(excluded("curl -X GET https://shop"), [option("X")]);
        assert_eq!(excluded("kubectl get pods -n shop"), [option("n")]);
        assert_eq!(excluded("exit code -1"), [option("1")]);
        assert_eq!(excluded("port -50011"), [option("50011")]);
        assert_eq!(
            excluded("timeout -gateway"),
            [("gateway".to_owned(), false)]
        );
        assert_eq!(excluded("a -\"1\""), [("1".to_owned(), false)]);
        let typed = terms("curl -X GET -gateway").typed;
        assert_eq!(typed, ["curl", "-X", "GET"]);
        assert_eq!(
            terms("x -n host:1").notes,
            [
                Note::Excluded("n".to_owned()),
                Note::NotAField("host:1".to_owned())
            ]
        );
        assert_eq!(terms("http://x level:error 10:45").notes, []);
    }

    proptest! {
        /// Every text is parsed, and each term is a part of it.
        #[test]
        fn terms_of_any_text_are_parts_of_it(text in "(\\PC|[\"\\-: \0]|level:|id:|-\"){0,60}") {
            let Terms { words, phrases, without, .. } = terms(&text);
            let without: Vec<String> = without.into_iter().map(|without| without.text).collect();
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
            let excluded: Vec<String> = read.without.iter().map(|without| without.text.clone()).collect();
            prop_assert_eq!((read.words, read.phrases, excluded), (words, phrases, without));
            prop_assert_eq!(read.filters, Vec::new());
        }
    }
}

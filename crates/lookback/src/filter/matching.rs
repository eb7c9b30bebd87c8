//! Words as a filter: all words of a text, phrases and exclusions.

use super::key::column_index;
use super::tree::{Node, Tree};
use super::words::{
    TypedWord, distinct, is_function_word, is_option, quoted, typed_words, without_minus,
};
use crate::error::FieldError;
use crate::model::Table;
use crate::value::{Problem, Quoted};

/// The field of a text filter, and what an error names.
pub(super) const MATCH: &str = "match";

/// The longest text, in bytes, and the most words, and phrases and exclusions together: a search
/// has the same limits, and leaves out the rest.
const MAX_BYTES: usize = 4096;
const MAX_WORDS: usize = 24;
const MAX_CONDITIONS: usize = 32;

/// A filter on the words of the search fields.
///
/// A record matches if it has all words, as a search has them: the letters of each word, also
/// within a longer one, and of two letters or three digits as a whole word. Function words count
/// only if there are no others. It also has all phrases, and nothing that is excluded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matching {
    /// As typed.
    pub(crate) text: String,
    pub(crate) words: Vec<MatchedWord>,
    pub(crate) phrases: Vec<String>,
    pub(crate) without: Vec<Exclusion>,
}

/// A word that a text must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MatchedWord {
    /// As typed, without the separators of an id.
    pub(crate) text: String,
    /// Whether a text may have it with separators.
    pub(crate) is_id: bool,
}

/// A text that no hit contains.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exclusion {
    pub(crate) text: String,
    /// Whether it is excluded as a whole word only, and not after a `-`.
    pub(crate) is_option: bool,
}

impl Exclusion {
    pub(crate) fn into_node(self) -> Node {
        let node = if self.is_option {
            Node::SearchedOption(self.text)
        } else {
            Node::Searched(self.text)
        };
        Node::Not(Box::new(node))
    }
}

impl Matching {
    /// Parses a text: words, `"phrases"` and `-without`.
    pub(super) fn parse(table: &'static Table, text: &str) -> Result<Self, Problem> {
        if text.len() > MAX_BYTES {
            return Err(Problem::new(format!(
                "is {} bytes long, over the limit of {MAX_BYTES}",
                text.len()
            )));
        }
        if text.contains('\0') {
            return Err(Problem::new(
                "contains a NUL character, which no record contains",
            ));
        }
        let (mut typed, mut phrases, mut without) = (Vec::new(), Vec::new(), Vec::new());
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (is_excluded, term) = without_minus(rest);
            let after = if let Some((phrase, after)) = quoted(term) {
                match (phrase.trim().is_empty(), is_excluded) {
                    (true, _) => {}
                    (false, true) => without.push(Exclusion {
                        text: phrase.to_owned(),
                        is_option: false,
                    }),
                    (false, false) => phrases.push(phrase.to_owned()),
                }
                after
            } else {
                let (word, after) = match term.split_once(char::is_whitespace) {
                    Some((word, after)) => (word, after),
                    None => (term, ""),
                };
                check_no_field(table, word)?;
                // An unclosed quotation mark is ignored, as in a search.
                let word = word.trim_start_matches('"');
                match (word.is_empty(), is_excluded) {
                    (true, _) => {}
                    (false, true) => without.push(Exclusion {
                        text: word.to_owned(),
                        is_option: is_option(word),
                    }),
                    (false, false) => typed.push(word),
                }
                after
            };
            rest = after.trim_start();
        }
        let mut words = distinct(typed_words(&typed).into_iter());
        if words.is_empty() {
            // Punctuation alone is matched as it is.
            words = distinct(typed.iter().map(|typed| [TypedWord::new(typed)]));
        }
        if words.iter().any(|word| !is_function_word(&word.word)) {
            words.retain(|word| !is_function_word(&word.word));
        }
        let conditions = phrases.len() + without.len();
        if words.is_empty() && conditions == 0 {
            return Err(Problem::new(
                "must have a word, a \"phrase\" or an exclusion, such as connection refused -cache",
            ));
        }
        if words.len() > MAX_WORDS || conditions > MAX_CONDITIONS {
            return Err(Problem::new(format!(
                "must have at most {MAX_WORDS} words, and {MAX_CONDITIONS} phrases and exclusions; \
                 put words that stand together in quotes"
            )));
        }
        let word = |word: TypedWord| MatchedWord {
            text: word.typed,
            is_id: word.is_id,
        };
        Ok(Self {
            text: text.trim().to_owned(),
            words: words.into_iter().map(word).collect(),
            phrases,
            without,
        })
    }

    /// Returns the tree of a text, with an error as an invalid node.
    pub(super) fn tree(table: &'static Table, text: &str) -> Tree {
        Tree::leaf(match Self::parse(table, text) {
            Ok(matching) => Node::Matching(matching),
            Err(problem) => Node::Invalid(FieldError::new(MATCH, problem)),
        })
    }

    /// Returns the conditions on phrases and exclusions.
    pub(super) fn conditions(&self) -> Vec<Node> {
        let phrases = self.phrases.iter().cloned().map(Node::Searched);
        let without = self.without.iter().cloned().map(Exclusion::into_node);
        phrases.chain(without).collect()
    }
}

/// Rejects `level:error`, which is a filter in a search.
fn check_no_field(table: &'static Table, word: &str) -> Result<(), Problem> {
    match word.split_once(':') {
        Some((field, value)) if !value.is_empty() && column_index(table, field).is_some() => {
            Err(Problem::new(format!(
                "{} is a filter and not a word; write it as one of its own, {field}={value}, or put \
                 it in quotes",
                Quoted(word)
            )))
        }
        _ => Ok(()),
    }
}

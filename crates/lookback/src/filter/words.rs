//! The words of a text that is searched for: what they are, and which of them a text must have.
//! Pure.

use std::collections::HashSet;

use crate::letters::ids;
use crate::letters::{fold, is_unspaced, runs};

/// The shortest fragment that is selective, and that a trigram index serves, in
/// characters.
pub(crate) const MIN_FRAGMENT: usize = 3;

/// A word of a search.
#[derive(Clone, Debug)]
pub(crate) struct TypedWord {
    /// Folded.
    pub(crate) word: String,
    /// As typed, without the separators of an id.
    pub(crate) typed: String,
    pub(crate) is_id: bool,
}

impl TypedWord {
    pub(crate) fn new(typed: &str) -> Self {
        Self {
            word: fold(typed),
            typed: typed.to_owned(),
            is_id: false,
        }
    }

    /// Returns the words of a typed text without blanks: an id, or its runs of letters
    /// and digits.
    fn all(typed: &str) -> Vec<Self> {
        match ids::id_of(typed) {
            Some(id) => vec![Self {
                is_id: true,
                ..Self::new(&id)
            }],
            None => runs(typed).map(Self::new).collect(),
        }
    }
}

/// Returns the words of typed texts without blanks. An id with blanks is one.
pub(crate) fn typed_words(typed: &[&str]) -> Vec<Vec<TypedWord>> {
    let mut words = Vec::with_capacity(typed.len());
    let mut rest = typed;
    while let Some((first, others)) = rest.split_first() {
        match ids::spaced_id(rest) {
            Some((count, id)) => {
                words.push(vec![TypedWord {
                    is_id: true,
                    ..TypedWord::new(&id)
                }]);
                rest = &rest[count..];
            }
            None => {
                words.push(TypedWord::all(first));
                rest = others;
            }
        }
    }
    words
}

/// Returns the distinct words, in order.
pub(crate) fn distinct(
    words: impl Iterator<Item = impl IntoIterator<Item = TypedWord>>,
) -> Vec<TypedWord> {
    let mut known = HashSet::new();
    let words = words.flatten();
    words
        .filter(|word| known.insert(word.word.clone()))
        .collect()
}

/// Returns whether a word has no meaning of its own: a text without it still has
/// all words of a search.
pub(crate) fn is_function_word(word: &str) -> bool {
    STOP_WORDS.contains(&word) || SHORT_STOP_WORDS.contains(&word)
}

/// Returns whether a word may match as a part of a longer one, or misspelt: not
/// two letters, which are in every other word, nor three digits, which are in
/// every other id.
pub(crate) fn allows_partial_match(word: &str) -> bool {
    let is_number = word.chars().all(char::is_numeric);
    let least = if is_number { 4 } else { MIN_FRAGMENT };
    word.chars().count() >= least
        || word.contains(is_unspaced)
        || !word.chars().any(char::is_alphanumeric)
}

/// English words of one and two letters that are in every text.
const SHORT_STOP_WORDS: [&str; 24] = [
    "a", "i", "an", "as", "at", "be", "by", "do", "he", "if", "in", "is", "it", "me", "my", "no",
    "of", "on", "or", "so", "to", "up", "us", "we",
];

/// English words that are in every text.
pub(crate) const STOP_WORDS: [&str; 37] = [
    "the", "and", "for", "was", "were", "are", "not", "but", "with", "from", "that", "this", "has",
    "have", "had", "its", "into", "been", "being", "can", "could", "did", "does", "will", "would",
    "should", "which", "when", "what", "who", "why", "how", "then", "than", "there", "their",
    "our",
];

/// Splits the minus of an exclusion from a term.
pub(crate) fn without_minus(term: &str) -> (bool, &str) {
    match term.strip_prefix('-') {
        Some(rest) if rest.starts_with(|c: char| c.is_alphanumeric() || c == '"') => (true, rest),
        _ => (false, term),
    }
}

/// Returns whether an excluded word may be an option or a number of a pasted text:
/// `curl -X`, `code -1`.
pub(crate) fn is_option(word: &str) -> bool {
    let is_number = word.chars().all(char::is_numeric);
    word.chars().all(char::is_alphanumeric) && (is_number || !allows_partial_match(word))
}

/// Splits a leading quoted text from the text after it, if it is closed.
pub(crate) fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

//! The quality of a match of two words: by letters, and by similarity.

use std::collections::HashMap;

use crate::embedding::Meaning;
use crate::filter::words::allows_partial_match;
use crate::letters::{fold, is_unspaced};
use crate::search::hit::MatchKind;

/// Qualities of the word itself, the start of another, and a part of another.
pub(super) const EXACT: f32 = 1.0;
const START: f32 = 0.9;
pub(super) const PART: f32 = 0.8;
/// The quality of the same start with another ending: `finished`, `finishing`.
const INFLECTION: f32 = 0.85;
/// The quality if all trigrams of a word are in another one.
const MISSPELLING: f32 = 0.7;
/// The quality of the same meaning in other letters. Two words with no more
/// than the minimal similarity are unrelated.
const SIMILAR: f32 = 0.6;
const MIN_WORD_SIMILARITY: f32 = 0.25;

/// The quality from which a word is a misspelling: half of the trigrams, as for
/// a short word with two letters swapped.
pub(super) const MISSPELLING_THRESHOLD: f32 = 0.34;

/// A match of two words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Match {
    pub(super) kind: MatchKind,
    /// From 0 to 1.
    pub(super) quality: f32,
}

impl Match {
    pub(super) const EXACT: Self = Self {
        kind: MatchKind::Exact,
        quality: EXACT,
    };

    /// The same id, with other separators.
    pub(super) const ID: Self = Self {
        kind: MatchKind::Exact,
        quality: START,
    };

    const NONE: Self = Self {
        kind: MatchKind::Misspelling,
        quality: 0.0,
    };
}

/// The characters of a word whose spelling is compared, as many as the encoder
/// reads.
const MAX_SPELT: usize = 64;

type Trigram = [char; 3];

/// A word of the query.
#[derive(Debug)]
struct QueryWord {
    word: String,
    /// Whether a part of it is selective: see [`allows_partial_match`].
    allows_partial_match: bool,
    trigrams: Vec<Trigram>,
    meaning: Option<Meaning>,
}

impl QueryWord {
    fn new(word: &str) -> Self {
        Self {
            word: word.to_owned(),
            allows_partial_match: allows_partial_match(word),
            trigrams: trigrams(word),
            meaning: Meaning::of(word),
        }
    }

    /// Returns whether it has neither a letter nor a digit.
    fn is_punctuation(&self) -> bool {
        !self.word.chars().any(char::is_alphanumeric)
    }

    /// Compares the letters with those of `other`, which is in lower case and
    /// has these sorted trigrams.
    fn lexical_match(&self, other: &str, other_trigrams: &[Trigram]) -> Match {
        if other == self.word {
            return Match::EXACT;
        }
        if !self.allows_partial_match {
            return Match::NONE;
        }
        match other.find(&self.word) {
            Some(0) => {
                return Match {
                    kind: MatchKind::Start,
                    quality: START,
                };
            }
            Some(_) => {
                return Match {
                    kind: MatchKind::Part,
                    quality: PART,
                };
            }
            None if is_inflection(&self.word, other) => {
                return Match {
                    kind: MatchKind::Inflection,
                    quality: INFLECTION,
                };
            }
            None => {}
        }
        if self.word.contains(is_unspaced) {
            return self.unspaced_match(other);
        }
        let shared = self
            .trigrams
            .iter()
            .filter(|trigram| other_trigrams.binary_search(trigram).is_ok())
            .count();
        #[expect(clippy::cast_precision_loss, reason = "words have few trigrams")]
        let share = shared as f32 / self.trigrams.len().max(1) as f32;
        Match {
            kind: MatchKind::Misspelling,
            quality: share * MISSPELLING,
        }
    }
}

impl QueryWord {
    /// Compares the letters of a script without spaces: its words are pairs of letters.
    fn unspaced_match(&self, other: &str) -> Match {
        let letters: Vec<char> = self.word.chars().take(MAX_SPELT).collect();
        let pairs: Vec<String> = letters.windows(2).map(String::from_iter).collect();
        let shared = pairs.iter().filter(|pair| other.contains(pair.as_str()));
        #[expect(clippy::cast_precision_loss, reason = "words have few letters")]
        let share = shared.count() as f32 / pairs.len().max(1) as f32;
        Match {
            kind: MatchKind::Misspelling,
            quality: share * MISSPELLING,
        }
    }

    /// Compares the meaning with another.
    fn similarity_match(&self, other: Option<&Meaning>) -> Option<Match> {
        let similarity = self.meaning.as_ref()?.similarity(other?);
        let quality = SIMILAR * (similarity - MIN_WORD_SIMILARITY) / (1.0 - MIN_WORD_SIMILARITY);
        Some(Match {
            kind: MatchKind::Similar,
            quality: quality.min(SIMILAR),
        })
    }
}

/// The words of the query, and a cache of how other words match them: logs
/// repeat the same words.
#[derive(Debug)]
pub(super) struct WordMatcher {
    words: Vec<QueryWord>,
    known: HashMap<String, Vec<Match>>,
}

impl WordMatcher {
    pub(super) fn new(words: &[String]) -> Self {
        Self {
            words: words.iter().map(|word| QueryWord::new(word)).collect(),
            known: HashMap::new(),
        }
    }

    /// Returns whether no word of the query has a letter or a digit.
    pub(super) fn is_punctuation(&self) -> bool {
        self.words.iter().all(QueryWord::is_punctuation)
    }

    /// Compares a word of a text with each word of the query.
    pub(super) fn matches(&mut self, word: &str) -> &[Match] {
        if !self.known.contains_key(word) {
            let folded = fold(word);
            let folded_trigrams = trigrams(&folded);
            let meaning = Meaning::of(word);
            let matches = self.words.iter().map(|query| {
                let lexical_match = query.lexical_match(&folded, &folded_trigrams);
                match query.similarity_match(meaning.as_ref()) {
                    Some(similarity_match) if similarity_match.quality > lexical_match.quality => {
                        similarity_match
                    }
                    _ => lexical_match,
                }
            });
            let matches = matches.collect();
            self.known.insert(word.to_owned(), matches);
        }
        self.known.get(word).map_or(&[], Vec::as_slice)
    }

    /// Returns the number of words that were compared.
    #[cfg(test)]
    pub(super) fn compared(&self) -> usize {
        self.known.len()
    }
}

/// The longest ending of a word, in characters.
const MAX_ENDING: usize = 3;

/// Endings of English words: the rest of two short words with the same start
/// must be one of these.
const ENDINGS: [&str; 8] = ["", "s", "es", "d", "ed", "e", "ing", "ion"];

/// Returns whether two words differ in their endings alone: one is the start of
/// the other (`close`, `closed`), or both share five letters or more, or three
/// or four with English endings (`failed`, `failing`).
fn is_inflection(word: &str, other: &str) -> bool {
    let (mut same, mut bytes) = (0, 0);
    for (a, b) in word.chars().zip(other.chars()) {
        if a != b || !a.is_alphabetic() {
            break;
        }
        same += 1;
        bytes += a.len_utf8();
    }
    let (rest, other_rest) = (&word[bytes..], &other[bytes..]);
    let is_short = |rest: &str| rest.chars().count() <= MAX_ENDING;
    let is_english = |rest: &str| ENDINGS.contains(&rest);
    match same {
        0..=2 => false,
        3 | 4 => is_english(rest) && is_english(other_rest),
        _ => is_short(rest) && is_short(other_rest),
    }
}

/// Returns the trigrams of a word padded as by `pg_trgm`, two blanks before and
/// one after, sorted and with duplicates.
fn trigrams(word: &str) -> Vec<Trigram> {
    let letters = word.chars().take(MAX_SPELT);
    let padded: Vec<char> = "  ".chars().chain(letters).chain([' ']).collect();
    let mut trigrams: Vec<Trigram> = padded
        .windows(3)
        .map(|three| [three[0], three[1], three[2]])
        .collect();
    trigrams.sort_unstable();
    trigrams
}

#[cfg(test)]
mod tests {
    use super::{MISSPELLING_THRESHOLD, WordMatcher};
    use crate::search::MatchKind;

    #[test]
    fn is_inflection_accepts_only_short_endings() {
        for (word, other) in [
            ("finished", "finish"),
            ("closed", "close"),
            ("interrupted", "interrupting"),
            ("children", "child"),
            ("failing", "failed"),
            ("adds", "adding"),
        ] {
            assert!(super::is_inflection(word, other), "{word} {other}");
        }
        for (word, other) in [
            ("status", "static"),
            ("worker", "work2"),
            ("connection", "con"),
            ("stop", "store"),
            ("being", "bed"),
            ("passwd", "pass"),
            ("16089996879", "16089996878"),
        ] {
            assert!(!super::is_inflection(word, other), "{word} {other}");
        }
    }

    #[test]
    fn trigrams_of_long_word_are_those_of_its_start() {
        let all = |length| super::trigrams(&"abc".repeat(length)).len();
        assert_eq!(all(10), 31);
        assert_eq!(all(1_000), super::MAX_SPELT + 1);
        assert_eq!(all(100_000), super::MAX_SPELT + 1);
    }

    #[test]
    fn word_matcher_ranks_exact_prefix_part_then_misspelling() {
        let mut matcher = WordMatcher::new(&["child".to_owned()]);
        let matched: Vec<_> = ["Child", "children", "grandchild", "chidl", "nothing"]
            .map(|word| matcher.matches(word)[0])
            .to_vec();
        assert!(
            matched
                .windows(2)
                .all(|two| two[0].quality > two[1].quality),
            "{matched:?}"
        );
        assert_eq!(matched[2].kind, MatchKind::Part);
        assert!(
            matched[3].quality >= MISSPELLING_THRESHOLD
                && matched[4].quality < MISSPELLING_THRESHOLD
        );
    }
}

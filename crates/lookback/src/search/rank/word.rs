//! How well one word matches another: by letters, and by meaning.

use std::collections::HashMap;

use crate::embedding::Meaning;
use crate::search::hit::MatchKind;
use crate::search::parse::text::lower;

/// The word itself; the start of another; within another.
const EXACT: f32 = 1.0;
const START: f32 = 0.9;
pub(super) const PART: f32 = 0.8;
/// The same beginning with another ending: `finished` and `finishing`.
const ENDING: f32 = 0.85;
/// All trigrams of a word, in another one.
const SPELT_ALIKE: f32 = 0.7;
/// The same meaning, in other letters. Two words whose likeness is no more than
/// `UNLIKE` have nothing to do with each other.
const ALIKE_IN_MEANING: f32 = 0.6;
const UNLIKE: f32 = 0.25;

/// From here on two words are spelt alike: half of the trigrams, as a short
/// word with two letters exchanged has them.
pub(super) const ALIKE: f32 = 0.34;

/// How a word matches.
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

    const NONE: Self = Self {
        kind: MatchKind::SpeltAlike,
        quality: 0.0,
    };
}

/// Whether a word says anything where it is a part of a longer one, or is spelt
/// a little like it: not two letters, which are in every other word, nor three
/// digits, which are in every other id.
pub(super) fn has_parts(word: &str) -> bool {
    let mut letters = word.chars();
    let least = match letters.all(char::is_numeric) {
        true => 4,
        false => 3,
    };
    word.chars().count() >= least || !word.chars().any(char::is_alphanumeric)
}

/// Of a longer word only the first characters are spelt alike or not, as the
/// encoder reads no more of it.
const MAX_SPELT: usize = 64;

type Trigram = [char; 3];

/// A word of the query.
#[derive(Debug)]
struct QueryWord {
    word: String,
    /// Whether less than all of it says anything: see [`has_parts`].
    has_parts: bool,
    trigrams: Vec<Trigram>,
    meaning: Option<Meaning>,
}

impl QueryWord {
    fn new(word: &str) -> Self {
        Self {
            word: word.to_owned(),
            has_parts: has_parts(word),
            trigrams: trigrams(word),
            meaning: Meaning::of(word),
        }
    }

    /// Whether it has no letter and no digit.
    fn is_of_signs(&self) -> bool {
        !self.word.chars().any(char::is_alphanumeric)
    }

    /// How well `other`, in lower case, matches by its letters; its trigrams are
    /// sorted.
    fn by_letters(&self, other: &str, other_trigrams: &[Trigram]) -> Match {
        if other == self.word {
            return Match::EXACT;
        }
        if !self.has_parts {
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
            None if is_other_ending(&self.word, other) => {
                return Match {
                    kind: MatchKind::OtherEnding,
                    quality: ENDING,
                };
            }
            None => {}
        }
        let shared = self
            .trigrams
            .iter()
            .filter(|trigram| other_trigrams.binary_search(trigram).is_ok())
            .count();
        #[allow(clippy::cast_precision_loss)]
        let share = shared as f32 / self.trigrams.len().max(1) as f32;
        Match {
            kind: MatchKind::SpeltAlike,
            quality: share * SPELT_ALIKE,
        }
    }
}

impl QueryWord {
    /// How well a word of this meaning matches, letters apart.
    fn by_meaning(&self, other: Option<&Meaning>) -> Option<Match> {
        let likeness = self.meaning.as_ref()?.likeness(other?);
        let quality = ALIKE_IN_MEANING * (likeness - UNLIKE) / (1.0 - UNLIKE);
        Some(Match {
            kind: MatchKind::AlikeInMeaning,
            quality: quality.min(ALIKE_IN_MEANING),
        })
    }
}

/// The words of the query, and how the words that were met so far match them:
/// logs say the same words again and again.
#[derive(Debug)]
pub(super) struct Lexicon {
    words: Vec<QueryWord>,
    known: HashMap<String, Vec<Match>>,
}

impl Lexicon {
    pub(super) fn new(words: &[String]) -> Self {
        Self {
            words: words.iter().map(|word| QueryWord::new(word)).collect(),
            known: HashMap::new(),
        }
    }

    /// Whether no word of the query has a letter or a digit.
    pub(super) fn is_of_signs(&self) -> bool {
        self.words.iter().all(QueryWord::is_of_signs)
    }

    /// How well a word of a text matches each word of the query.
    pub(super) fn matches(&mut self, word: &str) -> &[Match] {
        if !self.known.contains_key(word) {
            let folded = lower(word);
            let folded_trigrams = trigrams(&folded);
            let meaning = Meaning::of(word);
            let matches = self.words.iter().map(|query| {
                let by_letters = query.by_letters(&folded, &folded_trigrams);
                match query.by_meaning(meaning.as_ref()) {
                    Some(by_meaning) if by_meaning.quality > by_letters.quality => by_meaning,
                    _ => by_letters,
                }
            });
            let matches = matches.collect();
            self.known.insert(word.to_owned(), matches);
        }
        self.known.get(word).map_or(&[], Vec::as_slice)
    }

    /// How many words were compared with those of the query.
    #[cfg(test)]
    pub(super) fn compared(&self) -> usize {
        self.known.len()
    }
}

/// The longest ending of a word, in characters.
const MAX_ENDING: usize = 3;

/// How English bends its words: what is left of two short words that begin the
/// same has to be one of these.
const ENDINGS: [&str; 8] = ["", "s", "es", "d", "ed", "e", "ing", "ion"];

/// Whether two words are the same but for their endings: one is the start of
/// the other (`close`, `closed`), both go on from the same five letters or
/// more, or from three or four by endings of English (`failed`, `failing`).
fn is_other_ending(word: &str, other: &str) -> bool {
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

/// The trigrams of a word padded as `pg_trgm` does, two blanks before and one
/// after, sorted; one that it has twice is there twice.
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
    use super::{ALIKE, Lexicon};
    use crate::MatchKind;

    #[test]
    fn endings_are_short_and_beginnings_are_not() {
        for (word, other) in [
            ("finished", "finish"),
            ("closed", "close"),
            ("interrupted", "interrupting"),
            ("children", "child"),
            ("failing", "failed"),
            ("adds", "adding"),
        ] {
            assert!(super::is_other_ending(word, other), "{word} {other}");
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
            assert!(!super::is_other_ending(word, other), "{word} {other}");
        }
    }

    #[test]
    fn a_long_word_is_compared_by_its_start() {
        let all = |length| super::trigrams(&"abc".repeat(length)).len();
        assert_eq!(all(10), 31);
        assert_eq!(all(1_000), super::MAX_SPELT + 1);
        assert_eq!(all(100_000), super::MAX_SPELT + 1);
    }

    #[test]
    fn the_same_word_before_its_start_before_parts_before_misspellings() {
        let mut lexicon = Lexicon::new(&["child".to_owned()]);
        let matched: Vec<_> = ["Child", "children", "grandchild", "chidl", "nothing"]
            .map(|word| lexicon.matches(word)[0])
            .to_vec();
        assert!(
            matched
                .windows(2)
                .all(|two| two[0].quality > two[1].quality),
            "{matched:?}"
        );
        assert_eq!(matched[2].kind, MatchKind::Part);
        assert!(matched[3].quality >= ALIKE && matched[4].quality < ALIKE);
    }
}

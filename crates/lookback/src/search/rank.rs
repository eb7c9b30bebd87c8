//! The order of hits: pure, from texts and cosines to ids.

use std::cmp::Reverse;

use super::Candidate;
use super::candidates::MIN_COSINE;
use super::query::{Query, lower};

/// A word as it stands; at the start of another; within another.
const WHOLE: f32 = 1.0;
const START: f32 = 0.9;
const WITHIN: f32 = 0.8;
/// All trigrams of a word, spread over another one.
const SPELT_ALIKE: f32 = 0.7;
/// The words in the order and with nothing between them.
const PHRASE: f32 = 0.2;
/// Full likeness: less than any word, enough to order equals.
const LIKENESS: f32 = 0.15;

/// A match of one word that makes a hit by itself: half of its trigrams, as a
/// short word with two letters exchanged has them.
const HIT: f32 = 0.34;
/// A match of one word that, with likeness, makes a hit.
const HIT_IF_ALIKE: f32 = 0.2;

/// Orders the candidates that are hits, the best first; the newest breaks ties.
///
/// A hit has one of the words, or one spelt much like it, or is near and has
/// one spelt a little like it.
///
/// Each word of the query is worth the best match that a text has for it, and
/// counts the more, the fewer of the candidates have it.
pub(crate) fn rank(query: &Query, candidates: Vec<Candidate>) -> Vec<i64> {
    let words: Vec<QueryWord<'_>> = query
        .words
        .iter()
        .map(|word| QueryWord::new(word))
        .collect();
    let texts: Vec<Text> = candidates.iter().map(|c| Text::new(&c.text)).collect();
    let matches: Vec<Vec<f32>> = texts
        .iter()
        .map(|text| words.iter().map(|word| text.best(word)).collect())
        .collect();

    // Among candidates, not among all rows: what is common here is what was asked for.
    #[allow(clippy::cast_precision_loss)]
    let weights: Vec<f32> = (0..words.len())
        .map(|word| {
            let having = matches.iter().filter(|m| m[word] >= SPELT_ALIKE).count();
            (1.0 + (candidates.len() as f32 + 1.0) / (having as f32 + 1.0)).ln()
        })
        .collect();
    let all: f32 = weights.iter().sum();

    let mut scored: Vec<(f32, i64)> = candidates
        .iter()
        .zip(texts.iter().zip(&matches))
        .filter(|(candidate, (_, matches))| {
            let best = matches.iter().copied().fold(0.0, f32::max);
            let alike = candidate.cosine >= MIN_COSINE && best >= HIT_IF_ALIKE;
            best >= HIT || candidate.matched > 0.0 || alike
        })
        .map(|(candidate, (text, matches))| {
            let words: f32 = matches
                .iter()
                .zip(&weights)
                .map(|(m, w)| m * w)
                .sum::<f32>()
                / all;
            // The text may be cut; what the database found in all of it stands.
            let words = words.max(candidate.matched * WITHIN);
            let phrase = query.words.len() > 1 && text.contains_phrase(&query.phrase);
            let score =
                words + if phrase { PHRASE } else { 0.0 } + candidate.cosine.max(0.0) * LIKENESS;
            (score, candidate.id)
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(Reverse(a.1).cmp(&Reverse(b.1))));
    scored.into_iter().map(|(_, id)| id).collect()
}

/// A word of the query.
struct QueryWord<'a> {
    word: &'a str,
    trigrams: Vec<Trigram>,
}

impl<'a> QueryWord<'a> {
    fn new(word: &'a str) -> Self {
        Self {
            word,
            trigrams: runs(word).flat_map(trigrams).collect(),
        }
    }
}

/// The text of a candidate, in lower case, with the trigrams of its words.
struct Text {
    text: String,
    words: Vec<Vec<Trigram>>,
}

impl Text {
    fn new(text: &str) -> Self {
        let text = lower(text);
        let mut words: Vec<Vec<Trigram>> = runs(&text)
            .map(|run| {
                let mut trigrams: Vec<Trigram> = trigrams(run).collect();
                trigrams.sort_unstable();
                trigrams
            })
            .collect();
        words.sort_unstable();
        words.dedup();
        Self { text, words }
    }

    /// How well the text matches a word, from 0 to 1.
    fn best(&self, word: &QueryWord<'_>) -> f32 {
        let best = self.occurrence(word.word);
        if best > 0.0 || word.trigrams.is_empty() {
            return best;
        }
        #[allow(clippy::cast_precision_loss)]
        let share = |count: usize| count as f32 / word.trigrams.len() as f32;
        let covered = self
            .words
            .iter()
            .map(|other| {
                let shared = word
                    .trigrams
                    .iter()
                    .filter(|t| other.binary_search(t).is_ok());
                shared.count()
            })
            .max()
            .unwrap_or(0);
        share(covered) * SPELT_ALIKE
    }
}

impl Text {
    /// How well the best place where the text has these letters bounds them,
    /// or 0 if it has them nowhere.
    fn occurrence(&self, letters: &str) -> f32 {
        let mut best: f32 = 0.0;
        for (at, found) in self.text.match_indices(letters) {
            let before = self.text[..at].chars().next_back();
            let after = self.text[at + found.len()..].chars().next();
            let open = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
            best = best.max(match (open(before), open(after)) {
                (true, true) => return WHOLE,
                (true, false) => START,
                _ => WITHIN,
            });
        }
        best
    }

    fn contains_phrase(&self, phrase: &str) -> bool {
        self.occurrence(phrase) >= WHOLE
    }
}

type Trigram = [char; 3];

/// The runs of letters and digits.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|run| !run.is_empty())
}

/// The trigrams of a word padded as `pg_trgm` does: two blanks before, one
/// after.
fn trigrams(word: &str) -> impl Iterator<Item = Trigram> {
    let padded: Vec<char> = "  "
        .chars()
        .chain(word.chars())
        .chain(std::iter::once(' '))
        .collect();
    (0..padded.len() - 2).map(move |at| [padded[at], padded[at + 1], padded[at + 2]])
}

#[cfg(test)]
mod tests {
    use super::rank;
    use crate::search::{Candidate, Query};

    /// The texts in the order of the search.
    fn ranked<'a>(words: &str, texts: &[&'a str]) -> Vec<&'a str> {
        let query = Query::parse(words).expect("words");
        let candidates = (0_i64..)
            .zip(texts)
            .map(|(id, text)| Candidate {
                id,
                text: (*text).to_owned(),
                matched: 0.0,
                cosine: 0.0,
            })
            .collect();
        rank(&query, candidates)
            .into_iter()
            .map(|id| texts[usize::try_from(id).expect("small")])
            .collect()
    }

    #[test]
    fn words_before_starts_before_parts_before_misspellings() {
        let best_first = [
            "the child exited",
            "two children left",
            "a grandchild",
            "a chidl exited",
        ];
        let mut shuffled = best_first.to_vec();
        shuffled.push("nothing of the kind");
        shuffled.reverse();
        assert_eq!(ranked("child", &shuffled), best_first);
    }

    #[test]
    fn the_phrase_comes_before_its_words_apart() {
        assert_eq!(
            ranked(
                "connection refused",
                &["connection was refused", "Connection refused"]
            )[0],
            "Connection refused"
        );
    }

    #[test]
    fn a_rare_word_counts_more_than_a_common_one() {
        let texts = ["error in a", "error in b", "error in c", "timeout in d"];
        assert_eq!(ranked("error timeout", &texts)[0], "timeout in d");
    }

    #[test]
    fn the_newest_of_equals_is_first() {
        let query = Query::parse("same").expect("a word");
        let candidate = |id| Candidate {
            id,
            text: "same".to_owned(),
            matched: 0.0,
            cosine: 0.5,
        };
        let ids = rank(&query, vec![candidate(1), candidate(3), candidate(2)]);
        assert_eq!(ids, [3, 2, 1]);
    }
}

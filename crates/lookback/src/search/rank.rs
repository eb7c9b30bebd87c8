//! The order of hits: pure, from texts and cosines to scores.

pub(super) mod explain;
mod fold;
mod word;

use std::cmp::Reverse;
use std::collections::HashMap;

use super::candidates::{Candidate, WordPresence};
use super::parse::query::{Query, is_significant};
use super::parse::text::{lower, words};
use crate::embedding::{Embedding, Meaning};
use word::{MISSPELLING_THRESHOLD, PART, WordMatcher, allows_partial_match};

/// The bonus for the words as typed, next to each other.
const PHRASE_BONUS: f32 = 0.2;
/// The weight of the similarity of all words to the whole text.
const SIMILARITY_WEIGHT: f32 = 0.4;

/// The quality from which a text counts as having a word, for its IDF.
const MATCH_THRESHOLD: f32 = 0.7;

/// The factor for stop words and words that are too short to be selective.
const STOP_WORD_FACTOR: f32 = 0.3;

/// The cosine from which a row is a hit whatever its letters. Few lines with
/// the same meaning in other words are farther away; most other lines are.
pub(super) const MIN_COSINE: f32 = 0.5;
/// The similarity from which it is a hit: few dimensions can be near by chance.
const MIN_SIMILARITY: f32 = 0.25;

/// The hits among the candidates, in order.
#[derive(Debug)]
pub(crate) struct Ranking {
    pub(crate) hits: Vec<Ranked>,
    /// The weight of each word of the query; together 1.
    pub(super) weights: Vec<f32>,
}

/// A cache of meanings, by texts without their numbers.
#[derive(Debug, Default)]
struct MeaningCache {
    known: HashMap<String, Option<Meaning>>,
}

impl MeaningCache {
    /// Returns the similarity of a text to a meaning, if both have one.
    fn similarity(&mut self, meaning: &Option<Meaning>, candidate: &Candidate) -> Option<f32> {
        let meaning = meaning.as_ref()?;
        let text = without_numbers(&candidate.fields.join(" "));
        let known = self.known.entry(text);
        let of_text = known.or_insert_with_key(|text| Meaning::of(text));
        of_text.as_ref().map(|of_text| meaning.similarity(of_text))
    }
}

/// Replaces each run of digits by one `0`: numbers have no meaning.
fn without_numbers(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let mut in_number = false;
    for c in text.chars() {
        let is_digit = c.is_ascii_digit();
        if !(is_digit && in_number) {
            short.push(if is_digit { '0' } else { c });
        }
        in_number = is_digit;
    }
    short
}

/// A hit and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ranked {
    pub(crate) id: i64,
    pub(crate) score: f32,
    /// The similarity of the text to the query, if both have a meaning.
    pub(crate) similarity: Option<f32>,
}

/// Orders the candidates that are hits, the best first; the newest breaks ties.
///
/// Each word of the query scores the best match in a text, weighted by its IDF
/// among the candidates.
pub(crate) fn rank(query: &Query, candidates: &[Candidate]) -> Ranking {
    let mut matcher = WordMatcher::new(&query.words);
    let matches: Vec<Vec<f32>> = candidates
        .iter()
        .map(|candidate| best_qualities(query, candidate, &mut matcher))
        .collect();

    // Among candidates, not among all rows: what is common here is what was searched for.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts are small enough for f32"
    )]
    let idf = |word: usize| {
        let having = matches
            .iter()
            .filter(|qualities| qualities[word] >= MATCH_THRESHOLD)
            .count();
        let idf = (1.0 + (candidates.len() as f32 + 1.0) / (having as f32 + 1.0)).ln();
        if is_significant(&query.words[word]) {
            idf
        } else {
            idf * STOP_WORD_FACTOR
        }
    };
    let idfs: Vec<f32> = (0..query.words.len()).map(idf).collect();
    let all: f32 = idfs.iter().sum();
    let weights: Vec<f32> = idfs.iter().map(|idf| idf / all).collect();

    let meaning = Meaning::of(&query.all);
    let mut texts = MeaningCache::default();
    let mut hits: Vec<Ranked> = candidates
        .iter()
        .zip(&matches)
        .filter_map(|(candidate, qualities)| {
            let similarity = texts.similarity(&meaning, candidate);
            if !is_hit(query, candidate, qualities, similarity) {
                return None;
            }
            let words: f32 = qualities
                .iter()
                .zip(&weights)
                .map(|(quality, weight)| quality * weight)
                .sum();
            let mut fields = candidate.fields.iter();
            let phrase = fields.any(|text| has_phrase(query, &lower(text)));
            Some(Ranked {
                id: candidate.id,
                score: words
                    + if phrase { PHRASE_BONUS } else { 0.0 }
                    + similarity.map_or(0.0, |similarity| similarity * SIMILARITY_WEIGHT),
                similarity,
            })
        })
        .collect();
    hits.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then(Reverse(a.id).cmp(&Reverse(b.id)))
    });
    Ranking { hits, weights }
}

/// Returns whether a row with these texts, and with `whole` as its text in
/// lower case, is a hit.
pub(super) fn finds(
    query: &Query,
    texts: &[String],
    whole: &str,
    embedding: Option<&Embedding>,
) -> bool {
    let presence = query.fetch_words.iter().map(|word| {
        let has = |fragment: &String| whole.contains(fragment);
        if whole.contains(&word.word) {
            WordPresence::Word
        } else if word.fragments.iter().any(has) {
            WordPresence::Fragment
        } else {
            WordPresence::Absent
        }
    });
    let candidate = Candidate {
        id: 0,
        fields: texts.to_vec(),
        presence: presence.collect(),
        cosine: query
            .embedding
            .as_ref()
            .zip(embedding)
            .map(|(a, b)| a.cosine(b)),
    };
    let qualities = best_qualities(query, &candidate, &mut WordMatcher::new(&query.words));
    let similarity = MeaningCache::default().similarity(&Meaning::of(&query.all), &candidate);
    is_hit(query, &candidate, &qualities, similarity)
}

/// Returns whether a row that passes every filter and has every phrase is a
/// hit: it has a phrase; or one of the words; or a fragment of one and a word
/// spelt much like it; or it is near.
///
/// The result depends on the row and the query alone, not on other rows.
fn is_hit(
    query: &Query,
    candidate: &Candidate,
    qualities: &[f32],
    similarity: Option<f32>,
) -> bool {
    let is_lexical = query
        .fetch_words
        .iter()
        .zip(&candidate.presence)
        .any(|(word, presence)| match presence {
            WordPresence::Word => true,
            WordPresence::Fragment => qualities[word.index] >= MISSPELLING_THRESHOLD,
            WordPresence::Absent => false,
        });
    let is_near = || {
        candidate.cosine.is_some_and(|cosine| cosine >= MIN_COSINE)
            && similarity.is_some_and(|similarity| similarity >= MIN_SIMILARITY)
    };
    !query.phrases.is_empty() || is_lexical || is_near()
}

/// Returns the best quality of a match for each word of the query.
fn best_qualities(query: &Query, candidate: &Candidate, matcher: &mut WordMatcher) -> Vec<f32> {
    let mut best = vec![0.0; query.words.len()];
    for text in &candidate.fields {
        for range in words(text) {
            for (best, found) in best.iter_mut().zip(matcher.matches(&text[range])) {
                *best = found.quality.max(*best);
            }
        }
    }
    // The text may be truncated; what the database found in all of it counts.
    for (word, presence) in query.fetch_words.iter().zip(&candidate.presence) {
        if *presence == WordPresence::Word && allows_partial_match(&word.word) {
            best[word.index] = best[word.index].max(PART);
        }
    }
    best
}

/// Returns whether a text in lower case contains the words as typed, and not as
/// a part of longer words.
pub(super) fn has_phrase(query: &Query, text: &str) -> bool {
    let is_open = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
    let has = |phrase: &str| {
        text.match_indices(phrase).any(|(at, found)| {
            is_open(text[..at].chars().next_back())
                && is_open(text[at + found.len()..].chars().next())
        })
    };
    query.phrase().is_some_and(has)
}

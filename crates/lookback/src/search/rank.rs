//! The order of hits: pure, from texts and cosines to scores.

pub(super) mod explain;
mod fold;
mod word;

use std::cmp::Reverse;
use std::collections::HashMap;

use super::candidates::{Candidate, Had};
use super::parse::query::{Query, tells};
use super::parse::text::{lower, words};
use crate::embedding::{Embedding, Meaning};
use word::{ALIKE, Lexicon, PART, has_parts};

/// The words in the order and with nothing between them.
const PHRASE: f32 = 0.2;
/// The same meaning, of all of the words and all of the text.
const LIKENESS: f32 = 0.4;

/// A word from which on a text is said to have it, when the rare are told from
/// the common.
const HAS: f32 = 0.7;

/// What a word counts that is in every text, or is too short to say much.
const UNTOLD: f32 = 0.3;

/// Nearness from which a row is a hit, whatever its letters. Of the lines that
/// say the same in other words few are farther; of all lines most are.
pub(super) const MIN_COSINE: f32 = 0.5;
/// And likeness in meaning from which it is: few dimensions are near by chance.
const MIN_LIKENESS: f32 = 0.25;

/// The hits among the candidates, in order.
#[derive(Debug)]
pub(crate) struct Ranking {
    pub(crate) hits: Vec<Ranked>,
    /// What each word of the query counts; together they come to 1.
    pub(super) weights: Vec<f32>,
}

/// What texts mean, worked out once for those that differ in numbers alone.
#[derive(Debug, Default)]
struct Texts {
    known: HashMap<String, Option<Meaning>>,
}

impl Texts {
    /// How like a text is to what is meant, where both have a meaning.
    fn likeness(&mut self, meaning: &Option<Meaning>, candidate: &Candidate) -> Option<f32> {
        let meaning = meaning.as_ref()?;
        let text = without_numbers(&candidate.fields.join(" "));
        let known = self.known.entry(text);
        let of_text = known.or_insert_with_key(|text| Meaning::of(text));
        of_text.as_ref().map(|of_text| meaning.likeness(of_text))
    }
}

/// The text with each run of digits as one: numbers have no meaning.
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

/// A hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ranked {
    pub(crate) id: i64,
    pub(crate) score: f32,
    /// How like the text is in meaning, where both have one.
    pub(crate) likeness: Option<f32>,
}

/// Orders the candidates that are hits, the best first; the newest breaks ties.
///
/// Each word of the query is worth the best match that a text has for it, and
/// counts the more, the fewer of the candidates have it.
pub(crate) fn rank(query: &Query, candidates: &[Candidate]) -> Ranking {
    let mut lexicon = Lexicon::new(&query.words);
    let matches: Vec<Vec<f32>> = candidates
        .iter()
        .map(|candidate| best_of_each(query, candidate, &mut lexicon))
        .collect();

    // Among candidates, not among all rows: what is common here is what was asked for.
    #[allow(clippy::cast_precision_loss)]
    let rarity = |word: usize| {
        let having = matches
            .iter()
            .filter(|qualities| qualities[word] >= HAS)
            .count();
        let rarity = (1.0 + (candidates.len() as f32 + 1.0) / (having as f32 + 1.0)).ln();
        match tells(&query.words[word]) {
            true => rarity,
            false => rarity * UNTOLD,
        }
    };
    let rarities: Vec<f32> = (0..query.words.len()).map(rarity).collect();
    let all: f32 = rarities.iter().sum();
    let weights: Vec<f32> = rarities.iter().map(|rarity| rarity / all).collect();

    let meaning = Meaning::of(&query.all);
    let mut texts = Texts::default();
    let mut hits: Vec<Ranked> = candidates
        .iter()
        .zip(&matches)
        .filter_map(|(candidate, qualities)| {
            let likeness = texts.likeness(&meaning, candidate);
            if !is_hit(query, candidate, qualities, likeness) {
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
                    + if phrase { PHRASE } else { 0.0 }
                    + likeness.map_or(0.0, |likeness| likeness * LIKENESS),
                likeness,
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

/// Whether a row is a hit, whose texts and whose text in lower case these are.
pub(super) fn finds(
    query: &Query,
    texts: &[String],
    whole: &str,
    embedding: Option<&Embedding>,
) -> bool {
    let had = query
        .fetched
        .iter()
        .map(|fetched| match whole.contains(&fetched.word) {
            true => Had::Word,
            false if fetched.pieces.iter().any(|piece| whole.contains(piece)) => Had::Piece,
            false => Had::Nothing,
        });
    let candidate = Candidate {
        id: 0,
        fields: texts.to_vec(),
        had: had.collect(),
        cosine: query
            .embedding
            .as_ref()
            .zip(embedding)
            .map(|(a, b)| a.cosine(b)),
    };
    let qualities = best_of_each(query, &candidate, &mut Lexicon::new(&query.words));
    let likeness = Texts::default().likeness(&Meaning::of(&query.all), &candidate);
    is_hit(query, &candidate, &qualities, likeness)
}

/// Whether a row that no filter leaves out, and that has every phrase, is a
/// hit: it has a phrase; or one of the words, or one of their pieces and a word
/// spelt much like it; or it is near.
///
/// Of the row and the query alone: what other rows there are does not count.
fn is_hit(query: &Query, candidate: &Candidate, qualities: &[f32], likeness: Option<f32>) -> bool {
    let by_letters = query
        .fetched
        .iter()
        .zip(&candidate.had)
        .any(|(fetched, had)| match had {
            Had::Word => true,
            Had::Piece => qualities[fetched.place] >= ALIKE,
            Had::Nothing => false,
        });
    let is_near = || {
        candidate.cosine.is_some_and(|cosine| cosine >= MIN_COSINE)
            && likeness.is_some_and(|likeness| likeness >= MIN_LIKENESS)
    };
    !query.phrases.is_empty() || by_letters || is_near()
}

/// The best quality of a match for each word of the query.
fn best_of_each(query: &Query, candidate: &Candidate, lexicon: &mut Lexicon) -> Vec<f32> {
    let mut best = vec![0.0; query.words.len()];
    for text in &candidate.fields {
        for range in words(text) {
            for (best, found) in best.iter_mut().zip(lexicon.matches(&text[range])) {
                *best = found.quality.max(*best);
            }
        }
    }
    // The text may be cut; what the database found in all of it stands.
    for (fetched, had) in query.fetched.iter().zip(&candidate.had) {
        if *had == Had::Word && has_parts(&fetched.word) {
            best[fetched.place] = best[fetched.place].max(PART);
        }
    }
    best
}

/// Whether a text, which is in lower case, has the words as they were typed, and
/// not as a part of longer ones.
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

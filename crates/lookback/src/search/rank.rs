//! The order of hits: pure, from texts and cosines to scores.

pub(super) mod explain;
mod fold;
mod word;

use std::cmp::Ordering;
use std::collections::HashMap;

use super::candidates::{Candidate, Coverage, WordPresence};
use super::parse::query::{Query, is_significant};
use super::parse::text::words;
use crate::embedding::{Embedding, Meaning};
use crate::filter::words::allows_partial_match;
use crate::letters::fold;
use crate::letters::ids::find_id;
use word::{EXACT, MISSPELLING_THRESHOLD, Match, PART, WordMatcher};

/// The bonus for all words of the search: no text without one of them is ranked
/// before it.
const COVERAGE_BONUS: f32 = 1.0;
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
/// The same for a search of one or two words, whose similarity says less, unless a word
/// of the text is used like one of them.
const MIN_SIMILARITY_OF_FEW: f32 = 0.4;
const FEW_WORDS: usize = 2;
const MIN_SIMILAR_WORD: f32 = 0.2;

/// The hits among the candidates, in order.
#[derive(Debug)]
pub(crate) struct Ranking {
    pub(crate) hits: Vec<Ranked>,
    /// The weight of each word of the query; together 1.
    pub(crate) weights: Vec<f32>,
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
    pub(crate) coverage: Coverage,
}

/// Compares a hit with the place of another in the order of hits: the best first,
/// and the newest of equals.
pub(crate) fn compare(hit: &Ranked, score: f32, id: i64) -> Ordering {
    score.total_cmp(&hit.score).then(id.cmp(&hit.id))
}

/// Orders the candidates that are hits, the best first; the newest breaks ties.
///
/// Each word of the query scores the best match in a text, with the given weight or,
/// without one, with its IDF among the candidates.
pub(crate) fn rank(query: &Query, candidates: &[Candidate], weights: Option<&[f32]>) -> Ranking {
    let mut matcher = WordMatcher::new(&query.words);
    let matches: Vec<Vec<f32>> = candidates
        .iter()
        .map(|candidate| best_qualities(query, candidate, &mut matcher))
        .collect();
    let weights = match weights.filter(|weights| weights.len() == query.words.len()) {
        Some(weights) => weights.to_vec(),
        None => weights_among(query, &matches),
    };
    let mut scorer = Scorer::new(query, &weights);
    let mut hits: Vec<Ranked> = candidates
        .iter()
        .zip(&matches)
        .filter_map(|(candidate, qualities)| {
            let ranked = scorer.score(candidate, qualities);
            is_hit(query, candidate, qualities, ranked.similarity).then_some(ranked)
        })
        .collect();
    hits.sort_by(|a, b| compare(a, b.score, b.id));
    Ranking { hits, weights }
}

/// Scores rows that are hits, in their order.
pub(crate) fn score(query: &Query, rows: &[Candidate], weights: &[f32]) -> Vec<Ranked> {
    let mut matcher = WordMatcher::new(&query.words);
    let mut scorer = Scorer::new(query, weights);
    rows.iter()
        .map(|row| {
            let qualities = best_qualities(query, row, &mut matcher);
            scorer.score(row, &qualities)
        })
        .collect()
}

/// Returns the weight of each word: its IDF among the candidates with these
/// qualities.
fn weights_among(query: &Query, matches: &[Vec<f32>]) -> Vec<f32> {
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
        let idf = (1.0 + (matches.len() as f32 + 1.0) / (having as f32 + 1.0)).ln();
        if is_significant(&query.words[word]) {
            idf
        } else {
            idf * STOP_WORD_FACTOR
        }
    };
    let idfs: Vec<f32> = (0..query.words.len()).map(idf).collect();
    let all: f32 = idfs.iter().sum();
    idfs.iter().map(|idf| idf / all).collect()
}

/// Scores rows by the qualities of their matches.
struct Scorer<'a> {
    query: &'a Query,
    weights: &'a [f32],
    meaning: Option<Meaning>,
    texts: MeaningCache,
}

impl<'a> Scorer<'a> {
    fn new(query: &'a Query, weights: &'a [f32]) -> Self {
        Self {
            query,
            weights,
            meaning: Meaning::of(&query.all),
            texts: MeaningCache::default(),
        }
    }

    fn score(&mut self, candidate: &Candidate, qualities: &[f32]) -> Ranked {
        let similarity = self.texts.similarity(&self.meaning, candidate);
        let words: f32 = qualities
            .iter()
            .zip(self.weights)
            .map(|(quality, weight)| quality * weight)
            .sum();
        let mut fields = candidate.fields.iter();
        let phrase = fields.any(|text| has_phrase(self.query, &fold(text)));
        let bonus = |has: bool, bonus: f32| if has { bonus } else { 0.0 };
        Ranked {
            id: candidate.id,
            score: words
                + bonus(candidate.coverage > Coverage::Partial, COVERAGE_BONUS)
                + bonus(phrase, PHRASE_BONUS)
                + similarity.map_or(0.0, |similarity| similarity.max(0.0) * SIMILARITY_WEIGHT),
            similarity,
            coverage: candidate.coverage,
        }
    }
}

/// Returns whether a row with these texts is a hit.
pub(super) fn finds(query: &Query, texts: &[String], embedding: Option<&Embedding>) -> bool {
    let whole = &fold(&texts.join("\n"));
    let presence = query.fetch_words.iter().map(|word| {
        let has = |fragment: &String| whole.contains(&fold(fragment));
        let has_word = if word.is_id {
            !find_id(whole, &word.word).is_empty()
        } else {
            contains(whole, &word.word)
        };
        if has_word {
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
        coverage: Coverage::Partial,
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
            && similarity.is_some_and(|similarity| is_similar(query, qualities, similarity))
    };
    !query.phrases.is_empty() || is_lexical || is_near()
}

/// Returns whether a text is as similar to a query as a person would accept.
fn is_similar(query: &Query, qualities: &[f32], similarity: f32) -> bool {
    let has_similar_word = qualities.iter().any(|quality| *quality >= MIN_SIMILAR_WORD);
    let least = if query.words.len() <= FEW_WORDS && !has_similar_word {
        MIN_SIMILARITY_OF_FEW
    } else {
        MIN_SIMILARITY
    };
    similarity >= least
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
        if *presence == WordPresence::Word {
            let least = if word.is_id {
                Match::ID.quality
            } else if allows_partial_match(&word.word) {
                PART
            } else {
                EXACT
            };
            best[word.index] = best[word.index].max(least);
        }
    }
    best
}

/// Returns whether a text contains a word: as a whole word, if its parts are not
/// selective.
fn contains(text: &str, word: &str) -> bool {
    if allows_partial_match(word) {
        text.contains(word)
    } else {
        contains_whole(text, word)
    }
}

/// Returns whether a text contains another, and not as a part of longer words.
fn contains_whole(text: &str, phrase: &str) -> bool {
    let is_open = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
    text.match_indices(phrase).any(|(at, found)| {
        is_open(text[..at].chars().next_back()) && is_open(text[at + found.len()..].chars().next())
    })
}

/// Returns whether a text contains a whole word that is not an option: not after a
/// `-`.
pub(super) fn contains_option(text: &str, word: &str) -> bool {
    let is_open = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
    text.match_indices(word).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        is_open(before) && before != Some('-') && is_open(text[at + found.len()..].chars().next())
    })
}

/// Returns whether a text in lower case contains the words as typed, and not as
/// a part of longer words.
pub(super) fn has_phrase(query: &Query, text: &str) -> bool {
    let phrase = query.phrase();
    phrase.is_some_and(|phrase| contains_whole(text, phrase))
}

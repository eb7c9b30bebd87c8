//! Why a record is a hit, and where. Pure.

use super::fold::{Folded, merged};
use super::hit::{Highlight, MatchKind, Why, WordMatch};
use super::query::Query;
use super::rank::{Ranked, Ranking, has_phrase};
use super::text::{lower, words};
use super::word::{ALIKE, Lexicon, Match, QueryWord};
use crate::model::Table;

/// Says why the records of a ranking are hits.
pub(crate) struct Explainer<'a> {
    table: &'static Table,
    query: &'a Query,
    weights: &'a [f32],
    words: Vec<QueryWord>,
}

/// A match of a word of the query.
#[derive(Clone, Copy)]
struct Found<'t> {
    matched: Match,
    field: usize,
    word: &'t str,
    at: usize,
}

impl<'a> Explainer<'a> {
    pub(crate) fn new(table: &'static Table, query: &'a Query, ranking: &'a Ranking) -> Self {
        let words = query
            .words
            .iter()
            .map(|word| QueryWord::new(word))
            .collect();
        Self {
            table,
            query,
            weights: &ranking.weights,
            words,
        }
    }

    /// `texts` are those of the search fields, all of them.
    pub(crate) fn explain(&self, ranked: &Ranked, texts: &[String]) -> (Why, Vec<Highlight>) {
        let found = self.found(texts);
        let best: Vec<Option<Found<'_>>> = found.iter().map(|found| best(found)).collect();
        let matches = best.iter().enumerate().filter_map(|(place, best)| {
            best.map(|best| WordMatch {
                word: self.query.words[place].clone(),
                kind: best.matched.kind,
                field: self.field(best.field),
                matched: best.word.to_owned(),
                quality: best.matched.quality,
                weight: self.weights[place],
            })
        });
        let why = Why {
            words: matches.collect(),
            phrase: has_phrase(self.query, texts),
            likeness: ranked.likeness,
        };
        let highlights = texts.iter().enumerate().filter_map(|(field, text)| {
            let mut ranges = Vec::new();
            for (place, found) in found.iter().enumerate() {
                let here = found
                    .iter()
                    .filter(|found| found.field == field && is_shown(found, best[place]));
                ranges.extend(here.flat_map(|found| self.range(place, found)));
            }
            if !self.query.phrases.is_empty() {
                let folded = Folded::new(text);
                ranges.extend(
                    self.query
                        .phrases
                        .iter()
                        .flat_map(|phrase| folded.find(&lower(phrase))),
                );
            }
            let ranges = merged(ranges);
            (!ranges.is_empty()).then(|| Highlight {
                field: self.field(field),
                text: text.clone(),
                ranges,
            })
        });
        (why, highlights.collect())
    }

    /// Every match of each word of the query.
    fn found<'t>(&self, texts: &'t [String]) -> Vec<Vec<Found<'t>>> {
        let mut lexicon = Lexicon::new(&self.words);
        let mut found: Vec<Vec<Found<'t>>> = vec![Vec::new(); self.words.len()];
        for (field, text) in texts.iter().enumerate() {
            for range in words(text) {
                let word = &text[range.clone()];
                for (place, matched) in lexicon.matches(word).iter().enumerate() {
                    if matched.quality >= ALIKE {
                        found[place].push(Found {
                            matched: *matched,
                            field,
                            word,
                            at: range.start,
                        });
                    }
                }
            }
        }
        if self.words.iter().all(QueryWord::is_of_signs) {
            self.find_signs(texts, &mut found);
        }
        found
    }

    /// Signs are not in words; they are found as they stand.
    fn find_signs<'t>(&self, texts: &'t [String], found: &mut [Vec<Found<'t>>]) {
        for (field, text) in texts.iter().enumerate() {
            for (place, signs) in self.query.words.iter().enumerate() {
                let here = text.match_indices(signs.as_str());
                found[place].extend(here.map(|(at, word)| Found {
                    matched: Match::EXACT,
                    field,
                    word,
                    at,
                }));
            }
        }
    }

    /// The letters of a match that are those of the word; of one that is only
    /// alike, the whole word.
    fn range(&self, place: usize, found: &Found<'_>) -> Vec<std::ops::Range<usize>> {
        let whole = found.at..found.at + found.word.len();
        match found.matched.kind {
            MatchKind::Start | MatchKind::Part => {
                let ranges = Folded::new(found.word).find(&self.query.words[place]);
                ranges
                    .into_iter()
                    .map(|range| range.start + found.at..range.end + found.at)
                    .collect()
            }
            _ => vec![whole],
        }
    }

    fn field(&self, place: usize) -> &'static str {
        self.table.columns[self.table.search[place]].name
    }
}

/// The best match, the first of equals.
fn best<'t>(found: &[Found<'t>]) -> Option<Found<'t>> {
    found.iter().copied().reduce(|best, next| {
        let is_better = next.matched.quality > best.matched.quality;
        if is_better { next } else { best }
    })
}

/// Whether a match is to be seen: one of the letters is, one that is only alike
/// if there is no better one.
fn is_shown(found: &Found<'_>, best: Option<Found<'_>>) -> bool {
    match found.matched.kind {
        MatchKind::Exact | MatchKind::Start | MatchKind::Part => true,
        MatchKind::OtherEnding | MatchKind::SpeltAlike | MatchKind::AlikeInMeaning => {
            best.is_some_and(|best| found.matched.quality >= best.matched.quality)
        }
    }
}

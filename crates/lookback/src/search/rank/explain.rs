//! Why a record is a hit, and where. Pure.

use std::ops::Range;

use super::fold::{Folded, merged};
use super::word::{ALIKE, Lexicon, Match};
use crate::model::Table;
use crate::search::hit::{Highlight, MatchKind, Why, WordMatch};
use crate::search::parse::query::Query;
use crate::search::parse::text::{lower, words};
use crate::search::rank::{Ranked, Ranking, has_phrase};

/// What of the texts of a record is compared word by word, in bytes: a start of
/// each, as long as the others'. Beyond it, only the letters of the words are
/// looked for.
const LOOKED_AT: usize = 24 * 1024;

/// Beyond that, the places of a word that are looked at, and what on either side
/// is read as one word with it, in bytes.
const PLACES: usize = 8;
const AROUND: usize = 128;

/// The places in a field that a phrase or a sign is marked at.
const MARKED: usize = 1_000;

/// Says why the records of a ranking are hits.
pub(crate) struct Explainer<'a> {
    table: &'static Table,
    query: &'a Query,
    weights: &'a [f32],
    lexicon: Lexicon,
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
        Self {
            table,
            query,
            weights: &ranking.weights,
            lexicon: Lexicon::new(&query.words),
        }
    }

    /// `texts` are those of the search fields, all of them.
    pub(crate) fn explain(&mut self, ranked: &Ranked, texts: &[String]) -> (Why, Vec<Highlight>) {
        let folded: Vec<Folded> = texts.iter().map(|text| Folded::new(text)).collect();
        let found = self.found(texts, &folded);
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
            phrase: folded
                .iter()
                .any(|folded| has_phrase(self.query, folded.lower())),
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
            for phrase in &self.query.phrases {
                ranges.extend(folded[field].find(&lower(phrase)).take(MARKED));
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

    /// The matches of each word of the query.
    fn found<'t>(&mut self, texts: &'t [String], folded: &[Folded]) -> Vec<Vec<Found<'t>>> {
        let mut found: Vec<Vec<Found<'t>>> = vec![Vec::new(); self.query.words.len()];
        let start = LOOKED_AT / texts.len().max(1);
        for (field, text) in texts.iter().enumerate() {
            for looked_at in looked_at(text, &folded[field], &self.query.words, start) {
                for range in words(&text[looked_at.clone()]) {
                    let at = looked_at.start + range.start;
                    let word = &text[at..looked_at.start + range.end];
                    for (place, matched) in self.lexicon.matches(word).iter().enumerate() {
                        if matched.quality >= ALIKE {
                            found[place].push(Found {
                                matched: *matched,
                                field,
                                word,
                                at,
                            });
                        }
                    }
                }
            }
        }
        if self.lexicon.is_of_signs() {
            self.find_signs(texts, &mut found);
        }
        found
    }

    /// Signs are not in words; they are found as they stand.
    fn find_signs<'t>(&self, texts: &'t [String], found: &mut [Vec<Found<'t>>]) {
        for (field, text) in texts.iter().enumerate() {
            for (place, signs) in self.query.words.iter().enumerate() {
                let here = text.match_indices(signs.as_str()).take(MARKED);
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
    fn range(&self, place: usize, found: &Found<'_>) -> Vec<Range<usize>> {
        let whole = found.at..found.at + found.word.len();
        match found.matched.kind {
            MatchKind::Start | MatchKind::Part => {
                let folded = Folded::new(found.word);
                folded
                    .find(&self.query.words[place])
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

/// Where a text is looked at: its start, and the places beyond that have the
/// letters of a word.
fn looked_at(text: &str, folded: &Folded, words: &[String], start: usize) -> Vec<Range<usize>> {
    let is_open = |c: char| !c.is_alphanumeric();
    let end = match text.len() <= start {
        true => text.len(),
        // Not in the middle of a word, if there is an end of one.
        false => {
            let start = text.floor_char_boundary(start);
            text[..start].rfind(is_open).unwrap_or(start)
        }
    };
    let mut ranges: Vec<Range<usize>> = std::iter::once(0..end).collect();
    let is_all = end == text.len();
    for word in words.iter().filter(|_| !is_all) {
        let places = folded.find(word).skip_while(|place| place.end <= end);
        ranges.extend(places.take(PLACES).map(|place| {
            let before = text.floor_char_boundary(place.start.saturating_sub(AROUND));
            let after = text.ceil_char_boundary(place.end.saturating_add(AROUND));
            let from = text[before..place.start].rfind(is_open);
            let to = text[place.end..after].find(is_open);
            from.map_or(before, |at| before + at)..to.map_or(after, |at| place.end + at)
        }));
    }
    merged(ranges)
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

#[cfg(test)]
mod tests {
    use super::{AROUND, Explainer, LOOKED_AT, PLACES, looked_at};
    use crate::search::Terms;
    use crate::search::parse::query::Query;
    use crate::search::rank::fold::Folded;
    use crate::search::rank::{Ranked, Ranking};
    use crate::{Log, Model as _};

    /// However long a text is, and however often it has the words.
    #[test]
    fn a_long_text_is_looked_at_in_its_start_and_some_places() {
        let words = ["needle", "haystack", "é"].map(str::to_owned);
        // Up to three bytes more on either side, to the border of a character.
        let around = |word: &String| PLACES * (word.len() + 2 * (AROUND + 3));
        let most = LOOKED_AT + words.iter().map(around).sum::<usize>();
        for text in [
            "a needle in a haystack, été ".repeat(50_000),
            // Without the end of a word.
            "needle".repeat(200_000),
            "haystacké".repeat(150_000),
        ] {
            let ranges = looked_at(&text, &Folded::new(&text), &words, LOOKED_AT);
            assert!(ranges.len() <= 1 + words.len() * PLACES, "{ranges:?}");
            let bytes: usize = ranges.iter().map(ExactSizeIterator::len).sum();
            assert!((LOOKED_AT / 2..=most).contains(&bytes), "{bytes}");
        }
    }

    /// A megabyte of long words, each of which has one of the query, and a query of as
    /// many as there may be.
    #[test]
    fn few_words_of_a_long_text_are_compared() {
        const LENGTH: usize = 600;
        let word = |number: usize| format!("needle{number}{}", "x".repeat(LENGTH));
        let text = (0..1_500).map(word).collect::<Vec<_>>().join(" ");
        let others: Vec<String> = (0..200).map(|number| "y".repeat(number + 1)).collect();
        let search = format!("needle {}", others.join(" "));
        let query = Query::new(&Terms::parse(Log::TABLE, &search));
        let ranking = Ranking {
            hits: Vec::new(),
            weights: vec![0.0; query.words.len()],
        };
        let ranked = Ranked {
            id: 1,
            score: 1.0,
            likeness: None,
        };
        let mut explainer = Explainer::new(Log::TABLE, &query, &ranking);
        let (why, _) = explainer.explain(&ranked, &[text]);
        assert_eq!(why.words[0].word, "needle");
        let compared = explainer.lexicon.compared();
        // A word with a number is three: the whole, its letters and its number; and the rest.
        let most = 4 * (LOOKED_AT / LENGTH + 1 + PLACES);
        assert!((PLACES..=most).contains(&compared), "{compared}");
    }
}

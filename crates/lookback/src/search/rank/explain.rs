//! The reasons why a record is a hit, and its highlights. Pure.

use std::ops::Range;

use super::fold::{FoldedText, merged};
use super::word::{MISSPELLING_THRESHOLD, Match, WordMatcher};
use crate::letters::fold;
use crate::letters::ids::find_id;
use crate::model::Table;
use crate::search::hit::{Highlight, MatchKind, Why, WordMatch};
use crate::search::parse::query::Query;
use crate::search::parse::text::{lower, words};
use crate::search::rank::{Ranked, has_phrase};

/// The bytes of a record's texts that are compared word by word: a start of
/// each text, the same length of each. Beyond it, only places that contain the
/// letters of a word are compared.
const MAX_COMPARED: usize = 24 * 1024;

/// The places of a word that are compared beyond that, and the bytes on either
/// side that are read together with it.
const MAX_DISTANT_PLACES: usize = 8;
const CONTEXT: usize = 128;

/// The places in a field at which a phrase or punctuation is highlighted.
const MAX_HIGHLIGHTS: usize = 1_000;

/// Explains why the records of a ranking are hits.
pub(crate) struct Explainer<'a> {
    table: &'static Table,
    query: &'a Query,
    weights: &'a [f32],
    matcher: WordMatcher,
}

/// A match of a word of the query.
#[derive(Clone, Copy)]
struct Occurrence<'t> {
    matched: Match,
    field: usize,
    word: &'t str,
    at: usize,
}

impl<'a> Explainer<'a> {
    pub(crate) fn new(table: &'static Table, query: &'a Query, weights: &'a [f32]) -> Self {
        Self {
            table,
            query,
            weights,
            matcher: WordMatcher::new(&query.words),
        }
    }

    /// Explains a hit; `texts` are those of all search fields, in full.
    pub(crate) fn explain(&mut self, ranked: &Ranked, texts: &[String]) -> (Why, Vec<Highlight>) {
        let folded: Vec<FoldedText> = texts.iter().map(|text| FoldedText::new(text)).collect();
        let found = self.found(texts, &folded);
        let best: Vec<Option<Occurrence<'_>>> = found.iter().map(|found| best(found)).collect();
        let matches = best.iter().enumerate().filter_map(|(index, best)| {
            best.map(|best| WordMatch {
                word: lower(&self.query.typed_words[index]),
                kind: best.matched.kind,
                field: self.field(best.field),
                matched: best.word.to_owned(),
                quality: best.matched.quality,
                weight: self.weights[index],
            })
        });
        let why = Why {
            words: matches.collect(),
            phrase: folded
                .iter()
                .any(|folded| has_phrase(self.query, folded.lower())),
            similarity: ranked.similarity,
        };
        let highlights = texts.iter().enumerate().filter_map(|(field, text)| {
            let mut ranges = Vec::new();
            for (index, found) in found.iter().enumerate() {
                let here = found
                    .iter()
                    .filter(|found| found.field == field && is_highlighted(found, best[index]));
                ranges.extend(here.flat_map(|found| self.range(index, found)));
            }
            for phrase in &self.query.phrases {
                ranges.extend(folded[field].find(&fold(phrase)).take(MAX_HIGHLIGHTS));
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

    /// Returns the matches of each word of the query.
    fn found<'t>(
        &mut self,
        texts: &'t [String],
        folded: &[FoldedText],
    ) -> Vec<Vec<Occurrence<'t>>> {
        let mut found: Vec<Vec<Occurrence<'t>>> = vec![Vec::new(); self.query.words.len()];
        let start = MAX_COMPARED / texts.len().max(1);
        for (field, text) in texts.iter().enumerate() {
            for compared_ranges in compared_ranges(text, &folded[field], &self.query.words, start) {
                for range in words(&text[compared_ranges.clone()]) {
                    let at = compared_ranges.start + range.start;
                    let word = &text[at..compared_ranges.start + range.end];
                    for (index, matched) in self.matcher.matches(word).iter().enumerate() {
                        if matched.quality >= MISSPELLING_THRESHOLD {
                            found[index].push(Occurrence {
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
        for (index, word) in self.query.words.iter().enumerate() {
            for (field, text) in texts.iter().enumerate().filter(|_| self.query.ids[index]) {
                for range in find_id(folded[field].lower(), word) {
                    // As a whole, it was found above.
                    if range.len() == word.len() {
                        continue;
                    }
                    let range = folded[field].original(range);
                    found[index].push(Occurrence {
                        matched: Match::ID,
                        field,
                        word: &text[range.clone()],
                        at: range.start,
                    });
                }
            }
        }
        if self.matcher.is_punctuation() {
            self.find_punctuation(texts, &mut found);
        }
        found
    }

    /// Finds punctuation literally, because words contain none.
    fn find_punctuation<'t>(&self, texts: &'t [String], found: &mut [Vec<Occurrence<'t>>]) {
        for (field, text) in texts.iter().enumerate() {
            for (index, punctuation) in self.query.words.iter().enumerate() {
                let here = text
                    .match_indices(punctuation.as_str())
                    .take(MAX_HIGHLIGHTS);
                found[index].extend(here.map(|(at, word)| Occurrence {
                    matched: Match::EXACT,
                    field,
                    word,
                    at,
                }));
            }
        }
    }

    /// Returns the range of a match: the letters of the word, or the whole
    /// matched word if it is a misspelling or similar.
    fn range(&self, index: usize, found: &Occurrence<'_>) -> Vec<Range<usize>> {
        let whole = found.at..found.at + found.word.len();
        match found.matched.kind {
            MatchKind::Start | MatchKind::Part => {
                let folded = FoldedText::new(found.word);
                folded
                    .find(&self.query.words[index])
                    .map(|range| range.start + found.at..range.end + found.at)
                    .collect()
            }
            _ => vec![whole],
        }
    }

    fn field(&self, index: usize) -> &'static str {
        self.table.columns[self.table.search[index]].name
    }
}

/// Returns the ranges of a text that are compared: its start, and the places
/// beyond it that contain the letters of a word.
fn compared_ranges(
    text: &str,
    folded: &FoldedText,
    words: &[String],
    start: usize,
) -> Vec<Range<usize>> {
    let is_open = |c: char| !c.is_alphanumeric();
    let end = if text.len() <= start {
        text.len()
    } else {
        // At the end of a word, if there is one.

        let start = text.floor_char_boundary(start);
        text[..start].rfind(is_open).unwrap_or(start)
    };
    let mut ranges: Vec<Range<usize>> = std::iter::once(0..end).collect();
    let is_all = end == text.len();
    for word in words.iter().filter(|_| !is_all) {
        let places = folded.find(word).skip_while(|found| found.end <= end);
        ranges.extend(places.take(MAX_DISTANT_PLACES).map(|found| {
            let before = text.floor_char_boundary(found.start.saturating_sub(CONTEXT));
            let after = text.ceil_char_boundary(found.end.saturating_add(CONTEXT));
            let from = text[before..found.start].rfind(is_open);
            let to = text[found.end..after].find(is_open);
            from.map_or(before, |at| before + at)..to.map_or(after, |at| found.end + at)
        }));
    }
    merged(ranges)
}

/// Returns the best match, the first of equals.
fn best<'t>(found: &[Occurrence<'t>]) -> Option<Occurrence<'t>> {
    found.iter().copied().reduce(|best, next| {
        let is_better = next.matched.quality > best.matched.quality;
        if is_better { next } else { best }
    })
}

/// Returns whether a match is highlighted: a match of letters always, another
/// only if there is no better one.
fn is_highlighted(found: &Occurrence<'_>, best: Option<Occurrence<'_>>) -> bool {
    match found.matched.kind {
        MatchKind::Exact | MatchKind::Start | MatchKind::Part => true,
        MatchKind::Inflection | MatchKind::Misspelling | MatchKind::Similar => {
            best.is_some_and(|best| found.matched.quality >= best.matched.quality)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CONTEXT, Explainer, MAX_COMPARED, MAX_DISTANT_PLACES, compared_ranges};
    use crate::search::Terms;
    use crate::search::candidates::Coverage;
    use crate::search::parse::query::Query;
    use crate::search::rank::Ranked;
    use crate::search::rank::fold::FoldedText;
    use crate::{Log, Model as _};

    /// Texts of any length, with the words in any number of places.
    #[test]
    fn compared_ranges_of_long_text_are_limited() {
        let words = ["needle", "haystack", "é"].map(str::to_owned);
        // Up to three bytes more on either side, to the boundary of a character.
        let around = |word: &String| MAX_DISTANT_PLACES * (word.len() + 2 * (CONTEXT + 3));
        let most = MAX_COMPARED + words.iter().map(around).sum::<usize>();
        for text in [
            "a needle in a haystack, été ".repeat(50_000),
            // One word without an end.
            "needle".repeat(200_000),
            "haystacké".repeat(150_000),
        ] {
            let ranges = compared_ranges(&text, &FoldedText::new(&text), &words, MAX_COMPARED);
            assert!(
                ranges.len() <= 1 + words.len() * MAX_DISTANT_PLACES,
                "{ranges:?}"
            );
            let bytes: usize = ranges.iter().map(ExactSizeIterator::len).sum();
            assert!((MAX_COMPARED / 2..=most).contains(&bytes), "{bytes}");
        }
    }

    /// A megabyte of long words, each of which contains a word of the query, and a query
    /// with the maximum number of words.
    #[test]
    fn explain_compares_few_words_of_long_text() {
        const LENGTH: usize = 600;
        let word = |number: usize| format!("needle{number}{}", "x".repeat(LENGTH));
        let text = (0..1_500).map(word).collect::<Vec<_>>().join(" ");
        let others: Vec<String> = (0..200).map(|number| "y".repeat(number + 1)).collect();
        let search = format!("needle {}", others.join(" "));
        let query = Query::new(&Terms::parse(Log::TABLE, &search));
        let weights = vec![0.0; query.words.len()];
        let ranked = Ranked {
            id: 1,
            score: 1.0,
            similarity: None,
            coverage: Coverage::Partial,
        };
        let mut explainer = Explainer::new(Log::TABLE, &query, &weights);
        let (why, _) = explainer.explain(&ranked, &[text]);
        assert_eq!(why.words[0].word, "needle");
        let compared = explainer.matcher.compared();
        // A word with a number is three: the whole, its letters and its number; and the rest.
        let most = 4 * (MAX_COMPARED / LENGTH + 1 + MAX_DISTANT_PLACES);
        assert!(
            (MAX_DISTANT_PLACES..=most).contains(&compared),
            "{compared}"
        );
    }
}

//! Finding letters whatever their case and accents, with their place in the original
//! text.

use std::ops::Range;

use crate::letters::fold_each;

/// A folded text that maps back to the original text.
pub(super) struct FoldedText {
    lower: String,
    /// For each byte of `lower`, the start of its character in the original
    /// text; then the length of the text. `None` for ASCII, where both are the
    /// same.
    origins: Option<Vec<usize>>,
}

impl FoldedText {
    pub(super) fn new(text: &str) -> Self {
        if text.is_ascii() {
            return Self {
                lower: text.to_ascii_lowercase(),
                origins: None,
            };
        }
        let mut lower = String::with_capacity(text.len());
        let mut origins = Vec::with_capacity(text.len() + 1);
        fold_each(text, |at, letter| {
            lower.push(letter);
            origins.resize(lower.len(), at);
        });
        origins.push(text.len());
        Self {
            lower,
            origins: Some(origins),
        }
    }

    /// Returns the text in lower case.
    pub(super) fn lower(&self) -> &str {
        &self.lower
    }

    /// Returns the ranges of these letters, which are in lower case, in the
    /// original text, in order.
    pub(super) fn find<'a>(
        &'a self,
        letters: &'a str,
    ) -> impl Iterator<Item = Range<usize>> + use<'a> {
        let found = self.lower.match_indices(letters);
        let found = found.filter(|(_, found)| !found.is_empty());
        found.map(|(at, found)| self.original(at..at + found.len()))
    }

    /// Returns the range in the original text of a range that is not empty.
    pub(super) fn original(&self, folded: Range<usize>) -> Range<usize> {
        let Some(origins) = &self.origins else {
            return folded;
        };
        let start = origins[folded.start];
        // A character that folds to several is found whole.
        let last = origins[folded.end - 1];
        let mut ends = origins[folded.start..].iter().copied();
        start..ends.find(|origin| *origin > last).unwrap_or(start)
    }
}

/// Sorts ranges, and merges those that overlap or touch.
pub(super) fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{FoldedText, merged};
    use crate::letters::fold;

    #[test]
    fn find_in_folded_text_ignores_case() {
        let text = "İstanbul ÅNGSTRÖM ångström";
        let folded = FoldedText::new(text);
        let found: Vec<&str> = folded.find("angstrom").map(|range| &text[range]).collect();
        assert_eq!(found, ["ÅNGSTRÖM", "ångström"]);
        assert_eq!(folded.find("i").next().map(|range| &text[range]), Some("İ"));
        assert_eq!(FoldedText::new("").find("a").count(), 0);
        assert_eq!(FoldedText::new("a Bb").find("bb").next(), Some(2..4));
    }

    proptest! {
        #[test]
        fn find_ranges_are_on_char_boundaries_and_contain_letters(text in "[a-zA-ZİßΣ é🦀]{0,20}", letters in "[a-zß é]{1,3}") {
            for range in FoldedText::new(&text).find(&letters) {
                prop_assert!(fold(&text[range]).contains(&letters));
            }
        }

        #[test]
        fn merged_ranges_are_disjoint_and_cover_the_same(ranges in prop::collection::vec((0usize..30, 0usize..5), 0..10)) {
            let ranges: Vec<_> = ranges.into_iter().map(|(start, length)| start..start + length + 1).collect();
            let merged = merged(ranges.clone());
            prop_assert!(merged.windows(2).all(|two| two[0].end < two[1].start));
            for at in 0..40 {
                let covers = |ranges: &[std::ops::Range<usize>]| ranges.iter().any(|range| range.contains(&at));
                prop_assert_eq!(covers(&ranges), covers(&merged));
            }
        }
    }
}

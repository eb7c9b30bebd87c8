//! The patterns that a folded list has shown before a cursor.
//!
//! A row of a folded list is at the place of its best hit. If that hit is deleted, the row
//! moves behind the cursor, where the next page would show it once more. So the cursor
//! holds the patterns of the rows before it.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::hash::fnv1a;
use crate::search::Coverage;

/// The number of bytes of a pattern in a cursor. Among 500 patterns, one in two billion
/// others has the same.
const KEY_BYTES: usize = 5;

/// The number of patterns that a cursor holds at most. They take 4.4 kB of its text, which fits
/// into the addresses that servers and proxies accept.
const MOST: usize = 500;

/// Identifies the pattern of a row: the start of a hash of its coverage and template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PatternKey([u8; KEY_BYTES]);

impl PatternKey {
    pub(super) fn new(coverage: Coverage, template: &[String]) -> Self {
        // No text has the byte between the fields.
        let fields = template
            .iter()
            .flat_map(|field| std::iter::once(0xff).chain(field.bytes()));
        let hash = fnv1a(std::iter::once(coverage as u8).chain(fields));
        // Its low bytes depend on all of the text; the high ones less.
        let [.., a, b, c, d, e] = hash.to_be_bytes();
        Self([a, b, c, d, e])
    }
}

/// The patterns of the rows before a cursor in the order of the list: the last ones, of
/// more than [`MOST`].
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ShownPatterns(Vec<PatternKey>);

impl ShownPatterns {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the place of each pattern among these.
    pub(super) fn places(&self) -> HashMap<PatternKey, usize> {
        (0..)
            .zip(&self.0)
            .map(|(place, shown)| (*shown, place))
            .collect()
    }

    /// Returns these, followed by the patterns of the page behind them.
    pub(super) fn followed_by(&self, page: &[PatternKey]) -> Self {
        let known = self.places();
        let new = page.iter().filter(|pattern| !known.contains_key(pattern));
        Self::last_of(self.0.iter().chain(new))
    }

    /// Returns these, after the patterns that they lack of the page that ends with them: those
    /// are before the first one that was held.
    pub(super) fn led_by(&self, page: &[PatternKey]) -> Self {
        let known = self.places();
        let new = page.iter().filter(|pattern| !known.contains_key(pattern));
        Self::last_of(new.chain(&self.0))
    }

    /// Returns those before the first one of a page.
    pub(super) fn before(&self, page: &[PatternKey]) -> Self {
        let first = page
            .first()
            .and_then(|first| self.places().get(first).copied());
        Self(self.0[..first.unwrap_or(0)].to_vec())
    }

    fn last_of<'a>(patterns: impl Iterator<Item = &'a PatternKey>) -> Self {
        let mut last: Vec<PatternKey> = patterns.copied().collect();
        last.drain(..last.len().saturating_sub(MOST));
        Self(last)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn to_text(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().flat_map(|pattern| pattern.0).collect();
        BASE64.encode(bytes)
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text).ok()?;
        let (patterns, rest) = bytes.as_chunks::<KEY_BYTES>();
        let is_whole = rest.is_empty() && patterns.len() <= MOST;
        is_whole.then(|| Self(patterns.iter().copied().map(PatternKey).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, PatternKey, ShownPatterns};
    use crate::search::Coverage;

    fn pattern(name: usize) -> PatternKey {
        PatternKey::new(Coverage::AllWords, &[format!("job {name} failed")])
    }

    fn patterns(names: std::ops::Range<usize>) -> Vec<PatternKey> {
        names.map(pattern).collect()
    }

    #[test]
    fn patterns_differ_by_coverage_and_by_the_ends_of_fields() {
        let of = |coverage, fields: &[&str]| {
            let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
            PatternKey::new(coverage, &fields)
        };
        let one = of(Coverage::AllWords, &["a b", "c"]);
        assert_eq!(one, of(Coverage::AllWords, &["a b", "c"]));
        assert_ne!(one, of(Coverage::Partial, &["a b", "c"]));
        assert_ne!(one, of(Coverage::AllWords, &["a", "b c"]));
        assert_ne!(one, of(Coverage::AllWords, &["a b", "c", ""]));
    }

    #[test]
    fn the_text_of_shown_patterns_is_read_back() {
        for count in [0, 1, 7, MOST] {
            let shown = ShownPatterns::default().followed_by(&patterns(0..count));
            let text = shown.to_text();
            assert!(text.len() <= 3_400, "{}", text.len());
            assert_eq!(ShownPatterns::from_text(&text), Some(shown));
        }
        for changed in ["A", "AAAA", "not base64", &"A".repeat(4_000)] {
            assert_eq!(ShownPatterns::from_text(changed), None, "{changed}");
        }
    }

    #[test]
    fn of_many_shown_patterns_the_last_are_kept() {
        let mut shown = ShownPatterns::default();
        for page in 0..60 {
            shown = shown.followed_by(&patterns(page * 10..page * 10 + 10));
        }
        let place = |shown: &ShownPatterns, name| shown.places().get(&pattern(name)).copied();
        assert_eq!(place(&shown, 99), None);
        assert_eq!(place(&shown, 100), Some(0));
        assert_eq!(place(&shown, 599), Some(MOST - 1));
        // A page that was shown already adds nothing.
        assert_eq!(shown.followed_by(&patterns(590..600)), shown);
        assert_eq!(place(&shown.before(&patterns(590..600)), 589), Some(489));
        assert!(shown.before(&patterns(0..10)).is_empty());
        // Those of a page back are before the ones that were held, and never in their place.
        assert_eq!(shown.led_by(&patterns(80..130)), shown);
        let few = ShownPatterns::default().followed_by(&patterns(25..35));
        let back = few.led_by(&patterns(20..35));
        assert_eq!(back, ShownPatterns(patterns(20..35)));
    }
}

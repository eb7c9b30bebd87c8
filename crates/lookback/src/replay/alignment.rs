//! Which items of two arrays belong together.

/// The most comparisons of items. Arrays that need more are compared by place.
const MOST_COMPARISONS: usize = 250_000;

/// Items of two arrays, by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aligned {
    /// An item of the first array, and the one of the second that it became.
    Both(usize, usize),
    /// Only the first array has it.
    First(usize),
    /// Only the second array has it.
    Second(usize),
}

/// Aligns two arrays of these lengths, in their order: the most items that are the same belong
/// together, and of the items between them each belongs to that in its place.
pub(super) fn align(
    first: usize,
    second: usize,
    mut is_same: impl FnMut(usize, usize) -> bool,
) -> Vec<Aligned> {
    let shorter = first.min(second);
    let start = (0..shorter)
        .take_while(|&place| is_same(place, place))
        .count();
    let end = (0..shorter - start)
        .take_while(|&place| is_same(first - 1 - place, second - 1 - place))
        .count();
    let mut aligned: Vec<Aligned> = (0..start)
        .map(|place| Aligned::Both(place, place))
        .collect();
    let (rows, columns) = (first - start - end, second - start - end);
    let same = if rows * columns <= MOST_COMPARISONS {
        longest_common(rows, columns, |row, column| {
            is_same(start + row, start + column)
        })
    } else {
        Vec::new()
    };
    let (mut row, mut column) = (0, 0);
    for (next_row, next_column) in same.into_iter().chain([(rows, columns)]) {
        while row < next_row || column < next_column {
            let item = match (row < next_row, column < next_column) {
                (true, true) => Aligned::Both(start + row, start + column),
                (true, false) => Aligned::First(start + row),
                _ => Aligned::Second(start + column),
            };
            aligned.push(item);
            row += usize::from(row < next_row);
            column += usize::from(column < next_column);
        }
        if row < rows && column < columns {
            aligned.push(Aligned::Both(start + row, start + column));
            (row, column) = (row + 1, column + 1);
        }
    }
    aligned.extend((0..end).map(|place| Aligned::Both(first - end + place, second - end + place)));
    aligned
}

/// Returns a longest common subsequence, as pairs of places.
fn longest_common(
    rows: usize,
    columns: usize,
    mut is_same: impl FnMut(usize, usize) -> bool,
) -> Vec<(usize, usize)> {
    let width = columns + 1;
    // The length of the longest one of the items from a row and a column on.
    let mut lengths = vec![0_u32; (rows + 1) * width];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            let at = row * width + column;
            lengths[at] = if is_same(row, column) {
                lengths[at + width + 1] + 1
            } else {
                lengths[at + width].max(lengths[at + 1])
            };
        }
    }
    let mut pairs = Vec::new();
    let (mut row, mut column) = (0, 0);
    while row < rows && column < columns {
        let at = row * width + column;
        if lengths[at] == lengths[at + width] {
            row += 1;
        } else if lengths[at] == lengths[at + 1] {
            column += 1;
        } else {
            pairs.push((row, column));
            (row, column) = (row + 1, column + 1);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Aligned::{self, Both, First, Second};
    use super::{align, longest_common};

    fn aligned(first: &str, second: &str) -> Vec<Aligned> {
        let (one, other) = (first.as_bytes(), second.as_bytes());
        align(one.len(), other.len(), |a, b| one[a] == other[b])
    }

    #[test]
    fn items_that_stay_belong_together() {
        for (first, second, expected) in [
            ("", "", &[][..]),
            ("ab", "ab", &[Both(0, 0), Both(1, 1)]),
            ("ab", "xab", &[Second(0), Both(0, 1), Both(1, 2)]),
            ("abc", "ac", &[Both(0, 0), First(1), Both(2, 1)]),
            ("abc", "axc", &[Both(0, 0), Both(1, 1), Both(2, 2)]),
            ("abc", "cab", &[Second(0), Both(0, 1), Both(1, 2), First(2)]),
            ("ab", "xy", &[Both(0, 0), Both(1, 1)]),
            ("ab", "xyz", &[Both(0, 0), Both(1, 1), Second(2)]),
            ("aa", "a", &[Both(0, 0), First(1)]),
        ] {
            assert_eq!(aligned(first, second), expected, "{first} {second}");
        }
    }

    #[test]
    fn long_arrays_are_aligned_by_place() {
        let all = align(600, 600, |_, _| false);
        assert_eq!(all.len(), 600);
        assert!(all.iter().all(|item| matches!(item, Both(a, b) if a == b)));
        // What is before and behind a difference needs no comparison of all.
        let all = align(
            5_000,
            5_001,
            |a, b| if b < 2_500 { a == b } else { a + 1 == b },
        );
        assert_eq!(
            all.iter().filter(|item| matches!(item, Both(..))).count(),
            5_000
        );
        assert_eq!(all[2_500], Second(2_500));
    }

    /// The same by its definition.
    fn longest(first: &[u8], second: &[u8]) -> usize {
        match (first.split_first(), second.split_first()) {
            (Some((a, first_rest)), Some((b, second_rest))) if a == b => {
                1 + longest(first_rest, second_rest)
            }
            (Some((_, first_rest)), Some((_, second_rest))) => {
                longest(first_rest, second).max(longest(first, second_rest))
            }
            _ => 0,
        }
    }

    proptest! {
        #[test]
        fn each_item_is_aligned_once_and_as_many_as_can_be_are_the_same(
            first in "[a-c]{0,7}", second in "[a-c]{0,7}"
        ) {
            let all = aligned(&first, &second);
            let of_first: Vec<usize> = all.iter().filter_map(|item| match item {
                Both(a, _) | First(a) => Some(*a),
                Second(_) => None,
            }).collect();
            let of_second: Vec<usize> = all.iter().filter_map(|item| match item {
                Both(_, b) | Second(b) => Some(*b),
                First(_) => None,
            }).collect();
            prop_assert!(of_first.into_iter().eq(0..first.len()));
            prop_assert!(of_second.into_iter().eq(0..second.len()));
            let (one, other) = (first.as_bytes(), second.as_bytes());
            let same = all.iter().filter(|item| matches!(item, Both(a, b) if one[*a] == other[*b]));
            prop_assert!(same.count() >= longest(one, other));
            let common = longest_common(one.len(), other.len(), |a, b| one[a] == other[b]);
            prop_assert_eq!(common.len(), longest(one, other));
        }
    }
}

//! Numbers that determine a random schema.

/// A sequence of numbers from proptest, which determines the choices.
///
/// Zeros follow after its end, and zero is always the simplest choice. So a
/// case shrinks with its numbers: fewer and smaller numbers give a simpler
/// schema.
#[derive(Debug)]
pub(super) struct Choices<'a> {
    numbers: &'a [u16],
    at: usize,
}

impl<'a> Choices<'a> {
    pub(super) fn new(numbers: &'a [u16]) -> Self {
        Self { numbers, at: 0 }
    }

    fn next(&mut self) -> usize {
        let number = self.numbers.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        usize::from(number)
    }

    /// Draws a number below `end`, which must not be 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.next() % end
    }

    /// Draws a number from `low` to `high`, inclusive.
    pub(super) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// Returns true about once in `n` times.
    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    /// Picks an item; the first one is the simplest.
    pub(super) fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }

    /// Picks an item; `None` if the list is empty.
    pub(super) fn any<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        (!of.is_empty()).then(|| &of[self.below(of.len())])
    }
}

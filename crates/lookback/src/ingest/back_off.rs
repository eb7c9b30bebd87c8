//! Pauses before retries.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Random pauses below a bound that doubles.
///
/// They are random so that many writers that lost the same server do not reconnect at
/// the same moment.
#[derive(Debug)]
pub(super) struct BackOff {
    bound: Duration,
    first: Duration,
    longest: Duration,
}

impl BackOff {
    pub(super) fn new((first, longest): (Duration, Duration)) -> Self {
        Self {
            bound: first,
            first,
            longest,
        }
    }

    /// Starts again at the first bound, after a success.
    pub(super) fn reset(&mut self) {
        self.bound = self.first;
    }

    pub(super) fn next(&mut self) -> Duration {
        let bound = self.bound;
        self.bound = bound.saturating_mul(2).min(self.longest);
        // From 0 up to, and not including, 1: 32 random bits.
        #[expect(clippy::cast_precision_loss, reason = "32 bits fit")]
        let share = (random() >> 32) as f64 / 2_f64.powi(32);
        bound.mul_f64(share)
    }
}

/// Random bits from the operating system, through the keys of a hasher.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::BackOff;

    #[test]
    fn back_off_pauses_grow_up_to_the_longest() {
        let (first, longest) = (Duration::from_millis(10), Duration::from_millis(35));
        let mut back_off = BackOff::new((first, longest));
        for bound in [10, 20, 35, 35] {
            let pause = back_off.next();
            assert!(
                pause < Duration::from_millis(bound),
                "{pause:?}, {bound} ms"
            );
        }
        back_off.reset();
        assert!(back_off.next() < first);
    }
}

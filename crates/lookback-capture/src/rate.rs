//! The most records of a second.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// The rates of records, those that matter most apart: others leave them room.
#[derive(Debug)]
pub(crate) struct Rates {
    pub(crate) requests: Rate,
    pub(crate) logs: Rate,
}

/// The rate of records of a kind.
#[derive(Debug)]
pub(crate) struct Rate {
    ordinary: RateLimit,
    important: RateLimit,
}

impl Rates {
    pub(crate) const fn new() -> Self {
        Self {
            requests: Rate::new(),
            logs: Rate::new(),
        }
    }
}

impl Rate {
    const fn new() -> Self {
        Self {
            ordinary: RateLimit::new(),
            important: RateLimit::new(),
        }
    }

    /// Counts a record, unless there are more than the most of a second.
    pub(crate) fn admits(&self, most: Option<u32>, is_important: bool) -> bool {
        let limit = if is_important {
            &self.important
        } else {
            &self.ordinary
        };
        most.is_none_or(|most| limit.admits(Instant::now(), most))
    }
}

/// Admits records evenly, and as many as a second has at once after a pause.
///
/// Evenly, because records that were all admitted at the start of a second would slow down the
/// requests of that moment.
#[derive(Debug)]
struct RateLimit {
    start: OnceLock<Instant>,
    /// When all records that were admitted are paid for, in nanoseconds from the start. Each costs
    /// its part of a second.
    paid_at: AtomicU64,
}

impl RateLimit {
    const fn new() -> Self {
        Self {
            start: OnceLock::new(),
            paid_at: AtomicU64::new(0),
        }
    }

    /// Counts a record, unless there are more than the most of a second.
    fn admits(&self, now: Instant, most: u32) -> bool {
        const SECOND: u64 = 1_000_000_000;
        let Some(price) = SECOND.checked_div(u64::from(most)) else {
            return false;
        };
        let start = *self.start.get_or_init(|| now);
        let now = now.saturating_duration_since(start).as_nanos();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let next = |paid_at: u64| {
            let paid_at = paid_at.max(now).saturating_add(price);
            (paid_at - now <= SECOND).then_some(paid_at)
        };
        self.paid_at.fetch_update(Relaxed, Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::RateLimit;

    fn admitted(limit: &RateLimit, now: Instant, most: u32) -> usize {
        (0..1_000).filter(|_| limit.admits(now, most)).count()
    }

    #[test]
    fn the_most_of_a_second_are_admitted_at_once() {
        let limit = RateLimit::new();
        let start = Instant::now();
        assert_eq!(admitted(&limit, start, 3), 3);
        // A pause of more than a second saves no more.
        assert_eq!(admitted(&limit, start + Duration::from_secs(5), 3), 3);
        assert_eq!(admitted(&limit, start + Duration::from_secs(9), 0), 0);
    }

    #[test]
    fn under_load_records_are_admitted_evenly() {
        let limit = RateLimit::new();
        let start = Instant::now();
        assert_eq!(admitted(&limit, start, 500), 500);
        for step in 1..=1_000_u64 {
            let now = start + Duration::from_millis(2 * step);
            assert_eq!(admitted(&limit, now, 500), 1, "step {step}");
        }
    }

    #[test]
    fn the_most_can_change() {
        let limit = RateLimit::new();
        let start = Instant::now();
        assert_eq!(admitted(&limit, start, 10), 10);
        let later = start + Duration::from_millis(500);
        assert_eq!(admitted(&limit, later, 100), 50);
        assert_eq!(admitted(&limit, later + Duration::from_secs(1), 1), 1);
    }
}

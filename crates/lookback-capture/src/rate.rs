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

    /// Counts a record, unless its second has the most.
    pub(crate) fn admits(&self, most: Option<u32>, is_important: bool) -> bool {
        let limit = if is_important {
            &self.important
        } else {
            &self.ordinary
        };
        most.is_none_or(|most| limit.admits(Instant::now(), most))
    }
}

/// Counts the records of the current second.
#[derive(Debug)]
struct RateLimit {
    start: OnceLock<Instant>,
    /// The second in the upper half, its records in the lower.
    state: AtomicU64,
}

impl RateLimit {
    const fn new() -> Self {
        Self {
            start: OnceLock::new(),
            state: AtomicU64::new(0),
        }
    }

    /// Counts a record, unless its second has the most.
    fn admits(&self, now: Instant, most: u32) -> bool {
        let start = *self.start.get_or_init(|| now);
        let second = now.saturating_duration_since(start).as_secs() << 32;
        let next = |state: u64| {
            let (of, records) = (state & !0xffff_ffff, state & 0xffff_ffff);
            // A thread may come late from the second before.
            let records = if of < second { 0 } else { records };
            (records < u64::from(most)).then_some(of.max(second) | (records + 1))
        };
        self.state.fetch_update(Relaxed, Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::RateLimit;

    #[test]
    fn each_second_admits_the_most() {
        let limit = RateLimit::new();
        let start = Instant::now();
        for second in [0, 1, 5] {
            let now = start + Duration::from_secs(second);
            let admitted = (0..10).filter(|_| limit.admits(now, 3)).count();
            assert_eq!(admitted, 3);
        }
        assert!(!limit.admits(start, 3));
        assert!(limit.admits(start, 4));
    }
}

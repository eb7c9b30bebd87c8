//! How many requests a client may send in a time: a token bucket for each address and key.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::settings::Settings;

/// The buckets of a server.
#[derive(Debug)]
pub(crate) struct Rates {
    /// All requests of an address.
    pub(crate) addresses: Buckets<IpAddr>,
    /// The requests of a key, or of a user under the negative of its id.
    pub(crate) callers: Buckets<i64>,
    /// The attempts of an address to log in.
    pub(crate) logins: Buckets<IpAddr>,
}

impl Rates {
    pub(crate) fn new(settings: &Settings) -> Self {
        let each = f64::from(settings.requests_per_second);
        let logins = f64::from(settings.logins_per_minute);
        Self {
            addresses: Buckets::new(each, each * 5.0),
            callers: Buckets::new(each, each * 5.0),
            logins: Buckets::new(logins / 60.0, logins),
        }
    }
}

/// A bucket for each key: it holds some tokens, and gets others as time goes by.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    /// The tokens that come each second; 0 for no limit.
    rate: f64,
    /// The most tokens that a bucket holds.
    burst: f64,
    buckets: Mutex<Known<K>>,
}

#[derive(Debug)]
struct Known<K> {
    buckets: HashMap<K, Bucket>,
    /// When full buckets were last forgotten.
    swept: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    /// The most buckets: memory is bounded, however many addresses there are.
    const MOST: usize = 100_000;

    pub(crate) fn new(rate: f64, burst: f64) -> Self {
        Self {
            rate,
            burst,
            buckets: Mutex::new(Known {
                buckets: HashMap::new(),
                swept: None,
            }),
        }
    }

    /// Takes a token, or returns how long it is until there is one.
    pub(crate) fn take(&self, key: K) -> Result<(), Duration> {
        self.take_at(key, Instant::now())
    }

    fn take_at(&self, key: K, now: Instant) -> Result<(), Duration> {
        if self.rate <= 0.0 {
            return Ok(());
        }
        let mut known = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if known.buckets.len() >= Self::MOST && !known.buckets.contains_key(&key) {
            self.sweep(&mut known, now);
            if known.buckets.len() >= Self::MOST {
                // That many clients are no single one that sends too much.
                return Ok(());
            }
        }
        let bucket = known.buckets.entry(key).or_insert(Bucket {
            tokens: self.burst,
            at: now,
        });
        bucket.tokens = self.tokens(bucket, now);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / self.rate));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    fn tokens(&self, bucket: &Bucket, now: Instant) -> f64 {
        let time = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.tokens + time * self.rate).min(self.burst)
    }

    /// Forgets the buckets that are full, once a second at most.
    fn sweep(&self, known: &mut Known<K>, now: Instant) {
        const PAUSE: Duration = Duration::from_secs(1);
        if known
            .swept
            .is_some_and(|swept| now.saturating_duration_since(swept) < PAUSE)
        {
            return;
        }
        known.swept = Some(now);
        known
            .buckets
            .retain(|_, bucket| self.tokens(bucket, now) < self.burst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Buckets;

    #[test]
    fn bucket_gives_a_burst_and_then_its_rate() {
        let buckets = Buckets::new(10.0, 3.0);
        let now = Instant::now();
        for _ in 0..3 {
            assert_eq!(buckets.take_at(1, now), Ok(()));
        }
        let wait = buckets.take_at(1, now).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        // Others have buckets of their own.
        assert_eq!(buckets.take_at(2, now), Ok(()));
        assert_eq!(buckets.take_at(1, now + wait), Ok(()));
        assert!(buckets.take_at(1, now + wait).is_err());
        // It holds no more than a burst.
        let later = now + Duration::from_secs(3_600);
        for _ in 0..3 {
            assert_eq!(buckets.take_at(1, later), Ok(()));
        }
        assert!(buckets.take_at(1, later).is_err());
    }

    #[test]
    fn rate_of_zero_is_no_limit() {
        let buckets = Buckets::new(0.0, 0.0);
        for _ in 0..100 {
            assert_eq!(buckets.take(1), Ok(()));
        }
    }

    #[test]
    fn memory_is_bounded_and_empty_buckets_are_kept() {
        let buckets = Buckets::new(1.0, 1.0);
        let now = Instant::now();
        for key in 0..Buckets::<usize>::MOST + 10 {
            assert_eq!(buckets.take_at(key, now), Ok(()));
        }
        assert_eq!(
            buckets.buckets.lock().unwrap().buckets.len(),
            Buckets::<usize>::MOST
        );
        assert!(buckets.take_at(7, now).is_err());
        // All are full again, and are forgotten for another.
        let later = now + Duration::from_secs(10);
        assert_eq!(buckets.take_at(usize::MAX, later), Ok(()));
        assert_eq!(buckets.buckets.lock().unwrap().buckets.len(), 1);
    }
}

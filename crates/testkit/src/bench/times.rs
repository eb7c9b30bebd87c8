//! Measured times, and comparisons of candidates that are measured in turn.

use std::time::{Duration, Instant};

/// Times of the same work, in seconds.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<f64>);

impl Times {
    /// The time of work that is measured once.
    pub fn once(time: Duration) -> Self {
        Self(vec![time.as_secs_f64()])
    }

    /// Adds a time.
    pub fn push(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64());
    }

    /// Waits for the work and adds its time.
    pub async fn time<T>(&mut self, work: impl Future<Output = T>) -> T {
        let clock = Instant::now();
        let done = work.await;
        self.push(clock.elapsed());
        done
    }

    /// The number of times.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time in seconds that this percentage of the times does not exceed
    /// (nearest rank).
    ///
    /// # Panics
    ///
    /// If nothing was measured.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank, small and not negative"
    )]
    pub fn percentile(&self, percent: f64) -> f64 {
        assert!(!self.0.is_empty(), "nothing was measured");
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        sorted[rank.clamp(1, sorted.len()) - 1]
    }

    /// The median in seconds.
    ///
    /// # Panics
    ///
    /// If nothing was measured.
    pub fn median(&self) -> f64 {
        self.percentile(50.0)
    }

    /// The time in seconds that 19 of 20 times do not exceed.
    ///
    /// # Panics
    ///
    /// If nothing was measured.
    pub fn p95(&self) -> f64 {
        self.percentile(95.0)
    }

    /// The fastest time in seconds, which other work disturbed least.
    ///
    /// # Panics
    ///
    /// If nothing was measured.
    pub fn fastest(&self) -> f64 {
        self.percentile(0.0)
    }
}

impl Extend<Duration> for Times {
    fn extend<I: IntoIterator<Item = Duration>>(&mut self, times: I) {
        self.0
            .extend(times.into_iter().map(|time| time.as_secs_f64()));
    }
}

/// The times of several candidates that are measured in turn, ordered by their
/// first measurement.
#[derive(Clone, Debug, Default)]
pub struct Contest(Vec<(String, Times)>);

impl Contest {
    /// Creates a contest without times.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for the work of a candidate and adds its time.
    pub async fn time<T>(&mut self, name: &str, work: impl Future<Output = T>) -> T {
        let clock = Instant::now();
        let done = work.await;
        self.push(name, clock.elapsed());
        done
    }

    /// Adds a time of a candidate.
    pub fn push(&mut self, name: &str, time: Duration) {
        if let Some((_, times)) = self.0.iter_mut().find(|(known, _)| known == name) {
            times.push(time);
        } else {
            let mut times = Times::default();
            times.push(time);
            self.0.push((name.to_owned(), times));
        }
    }

    /// The times of a candidate.
    ///
    /// # Panics
    ///
    /// If it was not measured.
    pub fn times(&self, name: &str) -> &Times {
        let found = self.0.iter().find(|(known, _)| known == name);
        let Some((_, times)) = found else {
            panic!("{name} was not measured");
        };
        times
    }

    /// The times of all candidates.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Times)> {
        self.0.iter().map(|(name, times)| (&**name, times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_times() {
        let mut times = Times::default();
        for milliseconds in [5, 1, 4, 2, 3] {
            times.push(Duration::from_millis(milliseconds));
        }
        let in_order = [
            times.fastest(),
            times.median(),
            times.p95(),
            times.percentile(40.0),
        ];
        assert_eq!(in_order, [0.001, 0.003, 0.005, 0.002]);
    }

    #[tokio::test]
    async fn contest_keeps_order_of_first_runs() {
        let mut contest = Contest::new();
        for name in ["b", "a", "b"] {
            contest.time(name, async {}).await;
        }
        let counts: Vec<_> = contest
            .iter()
            .map(|(name, times)| (name, times.count()))
            .collect();
        assert_eq!(counts, [("b", 2), ("a", 1)]);
    }
}

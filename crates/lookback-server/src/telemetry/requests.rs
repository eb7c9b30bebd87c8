//! How long requests take, by route.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::exposition::{Exposition, MetricKind};
use super::locked;

/// The upper bounds of the buckets, in seconds.
const BOUNDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// The histograms by route, method and class of status. Routes are those of the program, so there
/// is a bounded number of them.
#[derive(Debug, Default)]
pub(crate) struct RequestHistograms(
    Mutex<BTreeMap<(String, &'static str, &'static str), Histogram>>,
);

#[derive(Debug, Default)]
struct Histogram {
    /// The number in each bucket, and above all of them.
    buckets: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

impl RequestHistograms {
    pub(crate) fn observe(
        &self,
        method: &'static str,
        route: &str,
        status: u16,
        duration: Duration,
    ) {
        let class = match status {
            ..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            500.. => "5xx",
        };
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
        let mut histograms = locked(&self.0);
        let key = (route.to_owned(), method, class);
        let histogram = histograms.entry(key).or_default();
        histogram.buckets[bucket] += 1;
        histogram.sum += duration;
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        let mut family = out.family(
            "lookback_http_request_duration_seconds",
            MetricKind::Histogram,
            "The time from the head of a request to that of its answer.",
        );
        for ((route, method, status), histogram) in &*locked(&self.0) {
            let labels = [("route", &**route), ("method", method), ("status", status)];
            let mut all = 0;
            for (index, number) in histogram.buckets.iter().enumerate() {
                all += number;
                let bound = BOUNDS
                    .get(index)
                    .map_or_else(|| "+Inf".to_owned(), f64::to_string);
                let [route, method, status] = labels;
                let labels = [route, method, status, ("le", &*bound)];
                family.suffixed("_bucket", &labels, &all.to_string());
            }
            let sum = histogram.sum.as_secs_f64().to_string();
            family.suffixed("_sum", &labels, &sum);
            family.suffixed("_count", &labels, &all.to_string());
        }
    }
}

//! A mergeable summary of durations.

use std::fmt;

/// A summary of durations that gives each percentile within 1 % of a duration of that rank, and at
/// most half a millisecond more.
///
/// It counts whole milliseconds in bins whose bounds grow by the same factor, as DDSketch does
/// (Masson, Rim, Lee: *DDSketch: a fast and fully-mergeable quantile sketch with relative-error
/// guarantees*, VLDB 2019). Two sketches merge by adding their counts, so the result does not
/// depend on the order, and no precision is lost.
///
/// # Bytes
///
/// [`to_bytes`](Self::to_bytes) writes version 1, and every later release reads it: the byte `1`,
/// the number of durations of 0 ms, and for each bin with a count, in ascending order, the
/// difference of its index to that of the bin before (to -1 for the first) and its count. Numbers
/// are LEB128 varints. Bin *i* has the milliseconds *v* with *i* = ⌈ln *v* / ln *γ*⌉, where
/// *γ* = 1.01 / 0.99.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Sketch {
    zeros: u64,
    /// Index and count of each bin that is not empty, in ascending order.
    bins: Vec<(u16, u64)>,
}

/// The relative error of a percentile.
const ACCURACY: f64 = 0.01;
const GAMMA: f64 = (1.0 + ACCURACY) / (1.0 - ACCURACY);
/// The bin of `u32::MAX` milliseconds.
const LAST_BIN: u16 = 1109;
const VERSION: u8 = 1;

impl Sketch {
    /// Creates an empty sketch.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            zeros: 0,
            bins: Vec::new(),
        }
    }

    /// Adds a duration in milliseconds.
    pub fn add(&mut self, milliseconds: u32) {
        self.add_many(milliseconds, 1);
    }

    /// Adds a duration in milliseconds that many requests took.
    pub fn add_many(&mut self, milliseconds: u32, count: u64) {
        if count == 0 {
            return;
        }
        match bin_of(milliseconds) {
            None => self.zeros = self.zeros.saturating_add(count),
            Some(bin) => self.add_to_bin(bin, count),
        }
    }

    fn add_to_bin(&mut self, bin: u16, count: u64) {
        match self.bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(index) => self.bins[index].1 = self.bins[index].1.saturating_add(count),
            Err(index) => self.bins.insert(index, (bin, count)),
        }
    }

    /// Adds the durations of another sketch.
    pub fn merge(&mut self, other: &Self) {
        self.zeros = self.zeros.saturating_add(other.zeros);
        for (bin, count) in &other.bins {
            self.add_to_bin(*bin, *count);
        }
    }

    /// Returns the number of durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        let bins = self.bins.iter();
        bins.fold(self.zeros, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Returns the milliseconds that a percentage of the durations do not exceed; `None` if there
    /// are no durations. A percentage above 100 counts as 100.
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<u32> {
        let count = u128::from(self.count());
        if count == 0 {
            return None;
        }
        let rank = (count * u128::from(percent.min(100))).div_ceil(100).max(1);
        let mut seen = u128::from(self.zeros);
        if seen >= rank {
            return Some(0);
        }
        for (bin, count) in &self.bins {
            seen += u128::from(*count);
            if seen >= rank {
                return Some(middle_of(*bin));
            }
        }
        // Counts that are at their limit.
        self.bins.last().map(|(bin, _)| middle_of(*bin))
    }

    /// Returns the bins that are not empty, in ascending order: the milliseconds that stand for a bin,
    /// and its number of durations.
    pub fn bins(&self) -> impl Iterator<Item = (u32, u64)> {
        let zeros = (self.zeros > 0).then_some((0, self.zeros));
        let bins = self.bins.iter();
        zeros
            .into_iter()
            .chain(bins.map(|(bin, count)| (middle_of(*bin), *count)))
    }

    /// Writes the sketch. See [its bytes](Self#bytes).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        write_varint(&mut bytes, self.zeros);
        let mut after_last = 0;
        for (bin, count) in &self.bins {
            let next = u64::from(*bin) + 1;
            write_varint(&mut bytes, next - after_last);
            write_varint(&mut bytes, *count);
            after_last = next;
        }
        bytes
    }

    /// Reads a sketch.
    ///
    /// # Errors
    ///
    /// The bytes are not those of a sketch, or of a version that this release does not know.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SketchError> {
        let (version, mut rest) = bytes.split_first().ok_or(SketchError("it is empty"))?;
        if *version != VERSION {
            return Err(SketchError("its version is not known"));
        }
        let mut sketch = Self {
            zeros: read_varint(&mut rest)?,
            bins: Vec::new(),
        };
        let mut last: Option<u16> = None;
        while !rest.is_empty() {
            let step = read_varint(&mut rest)?;
            let count = read_varint(&mut rest)?;
            let before = last.map_or(-1, i64::from);
            let bin = i64::try_from(step)
                .ok()
                .and_then(|step| before.checked_add(step));
            let bin = bin.and_then(|bin| u16::try_from(bin).ok());
            match bin {
                Some(bin) if step > 0 && bin <= LAST_BIN && count > 0 => {
                    sketch.bins.push((bin, count));
                    last = Some(bin);
                }
                _ => return Err(SketchError("it has a bin that cannot be")),
            }
        }
        Ok(sketch)
    }
}

/// Returns the bin of a duration; `None` for 0 ms.
fn bin_of(milliseconds: u32) -> Option<u16> {
    (milliseconds > 0).then(|| {
        let bin = (f64::from(milliseconds).ln() / GAMMA.ln()).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is from 0 to LAST_BIN"
        )]
        let bin = bin as u16;
        bin
    })
}

/// Returns the milliseconds whose relative distance to both bounds of a bin is the same.
fn middle_of(bin: u16) -> u32 {
    let middle = 2.0 * GAMMA.powi(i32::from(bin)) / (GAMMA + 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast ends at the limits of its type"
    )]
    let middle = middle.round() as u32;
    middle
}

fn write_varint(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn read_varint(bytes: &mut &[u8]) -> Result<u64, SketchError> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(SketchError("it was cut"))?;
        *bytes = rest;
        let low = u64::from(byte & 0x7f);
        if low << shift >> shift != low {
            break;
        }
        number |= low << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(SketchError("it has a number that is too large"))
}

impl fmt::Debug for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sketch")
            .field("count", &self.count())
            .field("p50", &self.percentile(50))
            .field("p99", &self.percentile(99))
            .finish()
    }
}

/// Why bytes are not those of a [`Sketch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read a latency sketch: {0}")]
pub struct SketchError(&'static str);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{GAMMA, LAST_BIN, Sketch, bin_of};

    fn of(durations: &[u32]) -> Sketch {
        let mut sketch = Sketch::new();
        for duration in durations {
            sketch.add(*duration);
        }
        sketch
    }

    /// The smallest duration that at least this percentage do not exceed.
    fn exact(durations: &mut [u32], percent: usize) -> u32 {
        durations.sort_unstable();
        let rank = (durations.len() * percent).div_ceil(100).max(1);
        durations[rank - 1]
    }

    fn assert_near(found: u32, exact: u32) {
        let most = f64::from(exact) * 0.01 + 0.5 + 1e-6 * f64::from(exact);
        let difference = f64::from(found.abs_diff(exact));
        assert!(difference <= most, "{found} is not within 1 % of {exact}");
    }

    #[test]
    fn last_bin_is_that_of_the_longest_duration() {
        assert_eq!(bin_of(u32::MAX), Some(LAST_BIN));
        assert_eq!(bin_of(1), Some(0));
        assert_eq!(bin_of(0), None);
    }

    #[test]
    fn bytes_of_version_one_stay_readable() {
        let sketch = of(&[0, 0, 1, 1, 1, 7, 250, 250, 60_000, u32::MAX]);
        let bytes = [1, 2, 1, 3, 98, 1, 179, 1, 2, 146, 2, 1, 174, 4, 1];
        assert_eq!(sketch.to_bytes(), bytes);
        assert_eq!(Sketch::from_bytes(&bytes), Ok(sketch));
    }

    #[test]
    fn bytes_that_are_none_of_a_sketch_are_refused() {
        let cases: [&[u8]; 8] = [
            &[],
            &[2, 0],
            &[1],
            &[1, 0x80],
            &[1, 0, 0, 1],
            &[1, 0, 1, 0],
            &[1, 0, 0xff, 0xff, 0x03, 1],
            &[
                1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
            ],
        ];
        for bytes in cases {
            assert!(Sketch::from_bytes(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn percentiles_of_merged_parts_are_within_the_error_of_exact_ones() {
        let mut random = fastrand::Rng::with_seed(7);
        type Draw = fn(&mut fastrand::Rng) -> f64;
        let distributions: [(&str, Draw); 5] = [
            ("uniform", |random| random.f64() * 1000.0),
            ("exponential", |random| -random.f64().ln() * 80.0),
            ("log-normal", |random| {
                let normal: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
                (normal * 1.5 + 3.0).exp()
            }),
            ("two modes", |random| {
                if random.u8(0..10) == 0 {
                    5_000.0 + random.f64() * 100.0
                } else {
                    3.0 + random.f64()
                }
            }),
            ("heavy tail", |random| 1.0 / random.f64().max(1e-9)),
        ];
        for (name, draw) in distributions {
            for reporters in [2, 5, 16] {
                let mut parts = vec![Sketch::new(); reporters];
                let mut all: Vec<u32> = Vec::with_capacity(1_000_000);
                for _ in 0..1_000_000 {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "a cast ends at the limits of its type"
                    )]
                    let duration = draw(&mut random).round() as u32;
                    all.push(duration);
                    parts[random.usize(0..reporters)].add(duration);
                }
                random.shuffle(&mut parts);
                let mut merged = Sketch::new();
                for part in &parts {
                    merged.merge(&Sketch::from_bytes(&part.to_bytes()).unwrap());
                }
                parts.reverse();
                let mut reversed = Sketch::new();
                for part in &parts {
                    reversed.merge(part);
                }
                assert_eq!(merged.to_bytes(), reversed.to_bytes(), "{name}");
                for percent in [1, 50, 90, 95, 99, 100] {
                    let found = merged.percentile(percent).unwrap();
                    assert_near(found, exact(&mut all, usize::from(percent)));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn every_duration_is_within_the_error_of_its_bin(duration: u32) {
            assert_near(of(&[duration]).percentile(50).unwrap(), duration);
        }

        #[test]
        fn merging_is_adding_all(parts in prop::collection::vec(prop::collection::vec(0..200_000_u32, 0..40), 0..8)) {
            let mut merged = Sketch::new();
            for part in &parts {
                merged.merge(&of(part));
            }
            let mut all = parts.concat();
            prop_assert_eq!(&merged, &of(&all));
            prop_assert_eq!(merged.count(), all.len() as u64);
            prop_assert_eq!(Sketch::from_bytes(&merged.to_bytes()), Ok(merged.clone()));
            if !all.is_empty() {
                for percent in [0, 1, 50, 95, 99, 100] {
                    assert_near(merged.percentile(percent).unwrap(), exact(&mut all, usize::from(percent)));
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(sketch) = Sketch::from_bytes(&bytes) {
                let _ = sketch.percentile(99);
                prop_assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), Ok(sketch));
            }
        }

        #[test]
        fn bins_are_in_the_order_of_durations(one: u32, other: u32) {
            let (low, high) = (one.min(other), one.max(other));
            prop_assert!(bin_of(low) <= bin_of(high));
            if f64::from(high) > f64::from(low) * GAMMA * 1.000_001 && low > 0 {
                prop_assert!(bin_of(low) < bin_of(high));
            }
        }
    }
}

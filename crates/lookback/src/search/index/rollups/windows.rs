//! Which buckets, and which records beside them, make up a range of time. Pure.

use chrono::{DateTime, Utc};

/// The lengths of buckets in seconds, the longest first. Each divides the one before it.
pub(crate) const UNITS: [i32; 4] = [86_400, 3_600, 900, MINUTE];

/// The shortest bucket.
pub(crate) const MINUTE: i32 = 60;

const MICROSECONDS: i64 = 1_000_000;

/// Microseconds from 1970 to 2000.
const SINCE_1970: i64 = 946_684_800 * MICROSECONDS;

/// The times that are counted, in microseconds since 2000: from 1900 to 2200.
const COUNTED: [i64; 2] = [
    -36_524 * 86_400 * MICROSECONDS,
    73_049 * 86_400 * MICROSECONDS,
];

/// Converts a time to microseconds since 2000; `None` for one that is never counted.
pub(crate) fn microseconds(time: DateTime<Utc>) -> Option<i64> {
    let time = time.timestamp_micros().checked_sub(SINCE_1970)?;
    (COUNTED[0]..=COUNTED[1]).contains(&time).then_some(time)
}

/// The buckets and records that make up a range of time. They are disjoint, and together
/// have every time of the range once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Windows {
    /// The lengths of buckets, and the first bucket and the one after the last, as numbers
    /// of buckets since 2000.
    pub(crate) buckets: Vec<(i32, i32, i32)>,
    /// The range that the buckets have together, in microseconds since 2000; `None` without
    /// a bound.
    pub(crate) inner: (Option<i64>, Option<i64>),
    /// The ranges whose records are read, in microseconds since 2000.
    pub(crate) edges: Vec<(Option<i64>, Option<i64>)>,
}

impl Windows {
    /// Splits the range of times from a first one up to an end, in microseconds since 2000.
    ///
    /// Buckets are from `finest` to `unit` seconds long. `None` if the range has no whole
    /// bucket.
    pub(crate) fn of(from: Option<i64>, end: Option<i64>, finest: i32, unit: i32) -> Option<Self> {
        let shortest = length(finest);
        let first = from.map(|from| ceil(from, shortest));
        let last = end.map(|end| end.div_euclid(shortest) * shortest);
        if let (Some(first), Some(last)) = (first, last)
            && first >= last
        {
            return None;
        }
        let mut windows = Self {
            inner: (first, last),
            ..Self::default()
        };
        if let (Some(from), Some(first)) = (from, first)
            && from < first
        {
            windows.edges.push((Some(from), Some(first)));
        }
        if let (Some(last), Some(end)) = (last, end)
            && last < end
        {
            windows.edges.push((Some(last), Some(end)));
        }
        let units: Vec<i32> = UNITS
            .into_iter()
            .filter(|of| (finest..=unit).contains(of))
            .collect();
        windows.fill(first, last, &units);
        Some(windows)
    }

    /// The length of the shortest buckets.
    pub(crate) fn finest(&self) -> i32 {
        let units = self.buckets.iter().map(|(unit, _, _)| *unit);
        units.min().unwrap_or(MINUTE)
    }

    /// Adds the longest buckets that fit into a range, and shorter ones on both sides.
    fn fill(&mut self, from: Option<i64>, end: Option<i64>, units: &[i32]) {
        if from.is_some() && from == end {
            return;
        }
        let Some((unit, shorter)) = units.split_first() else {
            return;
        };
        let long = length(*unit);
        let first = from.map(|from| ceil(from, long));
        let last = end.map(|end| end.div_euclid(long) * long);
        if let (Some(first), Some(last)) = (first, last)
            && first >= last
        {
            return self.fill(from, end, shorter);
        }
        let bucket = |time: Option<i64>, or| {
            time.map_or(or, |time| i32::try_from(time / long).unwrap_or(or))
        };
        let buckets = (*unit, bucket(first, i32::MIN), bucket(last, i32::MAX));
        self.buckets.push(buckets);
        if first.is_some() {
            self.fill(from, first, shorter);
        }
        if last.is_some() {
            self.fill(last, end, shorter);
        }
    }
}

fn length(unit: i32) -> i64 {
    i64::from(unit) * MICROSECONDS
}

fn ceil(time: i64, length: i64) -> i64 {
    -(-time).div_euclid(length) * length
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone as _, Utc};
    use proptest::prelude::*;

    use super::{COUNTED, MICROSECONDS, UNITS, Windows, microseconds};

    #[test]
    fn counted_times_are_those_from_1900_to_2200() {
        let day = |year| Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap();
        assert_eq!(microseconds(day(1900)), Some(COUNTED[0]));
        assert_eq!(microseconds(day(2200)), Some(COUNTED[1]));
        assert_eq!(microseconds(day(2000)), Some(0));
        assert_eq!(microseconds(day(1899)), None);
    }

    #[test]
    fn day_between_two_minutes_has_an_edge_on_each_side() {
        const HOUR: i64 = 3_600 * MICROSECONDS;
        // From 10:17:23 to 10:17:23 of the next day.
        let from = 10 * HOUR + (17 * 60 + 23) * MICROSECONDS;
        let windows = Windows::of(Some(from), Some(from + 24 * HOUR), 60, 3_600).unwrap();
        assert_eq!(
            windows.buckets,
            [
                (3_600, 11, 34),
                (900, 42, 44),
                (60, 618, 630),
                (900, 136, 137),
                (60, 2_055, 2_057)
            ]
        );
        assert_eq!(windows.edges.len(), 2);
        assert_eq!(windows.finest(), 60);
    }

    proptest! {
        /// Each time of the range is in one bucket or one edge, and no other time is.
        #[test]
        fn windows_have_each_time_of_their_range_once(
            from in prop::option::of(-200_000_000_000_i64..200_000_000_000),
            length in prop::option::of(0_i64..400_000_000_000),
            (unit, finest) in (0_usize..4).prop_flat_map(|unit| (Just(unit), unit..4)),
            aligned in any::<bool>(),
            probes in prop::collection::vec(-400_000_000_000_i64..800_000_000_000, 20),
        ) {
            let align = |time: i64| if aligned { time - time.rem_euclid(60 * MICROSECONDS) } else { time };
            let from = from.map(align);
            let end = length.map(|length| align(from.unwrap_or(0) + length));
            let windows = Windows::of(from, end, UNITS[finest], UNITS[unit]);
            let near = from.into_iter().chain(end).flat_map(|time| [time - 1, time, time + 1]);
            for time in probes.into_iter().chain(near) {
                let is_in = from.is_none_or(|from| time >= from) && end.is_none_or(|end| time < end);
                let Some(windows) = &windows else { continue };
                let buckets = windows.buckets.iter().filter(|(unit, first, last)| {
                    let bucket = time.div_euclid(i64::from(*unit) * MICROSECONDS);
                    (i64::from(*first)..i64::from(*last)).contains(&bucket)
                });
                let edges = windows.edges.iter().filter(|(first, end)| {
                    first.is_none_or(|first| time >= first) && end.is_none_or(|end| time < end)
                });
                let found = buckets.count() + edges.count();
                prop_assert_eq!(found, usize::from(is_in), "{} in {:?}", time, windows);
            }
        }
    }
}

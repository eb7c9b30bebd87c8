//! The window of ids in which records can still arrive.
//!
//! A sequence assigns an id before its record is visible, so a smaller id may arrive after a larger
//! one. The window keeps the ids that were assigned and have no visible record, as ranges, until no
//! running transaction can use them.
//!
//! A transaction that takes an id from a sequence locks the sequence until it ends, even if it has
//! no transaction id yet, in a savepoint, and when it is prepared. It releases the lock after its
//! records have become visible. So each poll reads which transactions hold the lock, the *holders*,
//! and then the records. An id without a record is *settled*, and leaves the window, when each
//! transaction that held the lock since the id was assigned has ended, and the records were read
//! after that.

use std::collections::BTreeMap;

use super::position::Position;

/// The number of ranges above which neighbours are joined.
const JOINED_FROM: usize = 1_024;

/// The largest number of ranges.
pub(super) const MAX_RANGES: usize = 100_000;

/// The name that `pg_locks` gives to each prepared transaction starts with this.
const PREPARED: &str = "-1/";

/// The ids that can still arrive.
#[derive(Debug)]
pub(super) struct Window {
    /// The greatest id of a record that was seen.
    seen: i64,
    /// Up to here, an id that is not in `open` is seen or settled.
    top: i64,
    /// The ids without a record, by the first id of each range. Ranges are disjoint.
    open: BTreeMap<i64, OpenRange>,
    /// The transactions that held the lock of the sequence at the last look, with the poll that
    /// found them first.
    holders: BTreeMap<String, u64>,
    /// The earliest of the holders that have ended since the open ranges were last read.
    ended: Option<u64>,
    /// The number of the poll.
    poll: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OpenRange {
    last: i64,
    /// The poll that found these ids assigned. `None` if the sequence is not known to have assigned
    /// them: it may still do so.
    taken: Option<u64>,
}

impl OpenRange {
    /// Whether a holder that was first found by this poll may have taken these ids.
    fn may_be_of(self, first_found: u64) -> bool {
        self.taken.is_none_or(|taken| first_found <= taken + 1)
    }
}

impl Window {
    /// Creates the window of a position: any transaction may have taken its open ids.
    pub(super) fn new(position: &Position) -> Self {
        let open = position.open().iter().map(|(first, last)| {
            let range = OpenRange {
                last: *last,
                taken: Some(0),
            };
            (*first, range)
        });
        Self {
            seen: position.seen(),
            top: position.seen(),
            open: open.collect(),
            holders: BTreeMap::new(),
            ended: None,
            poll: 0,
        }
    }

    /// The position after the records that were seen.
    pub(super) fn position(&self, table: &'static str) -> Position {
        let before = self.open.range(..self.seen);
        let open = before.map(|(first, range)| (*first, range.last));
        Position::new(table, self.seen, open.collect())
    }

    /// The greatest id of a record that was seen.
    pub(super) fn seen(&self) -> i64 {
        self.seen
    }

    /// Whether a poll has to read the holders.
    pub(super) fn needs_holders(&self) -> bool {
        !self.open.is_empty()
    }

    /// The number of ranges of open ids.
    pub(super) fn ranges(&self) -> usize {
        self.open.len()
    }

    /// Begins a poll with the transactions that hold the lock of the sequence.
    ///
    /// The records have to be read after the holders. A poll that failed can begin again.
    pub(super) fn begin(&mut self, names: Vec<String>) {
        let before = std::mem::take(&mut self.holders);
        let is_gone = |name: &String| !names.contains(name);
        let gone = before.iter().filter(|(name, _)| is_gone(name));
        let ended = gone.map(|(_, first)| *first).min();
        self.ended = [self.ended, ended].into_iter().flatten().min();
        for name in names {
            let first = before.get(&name).copied().unwrap_or_else(|| {
                // A holder that was prepared continues under another name.
                let is_prepared = name.starts_with(PREPARED);
                ended.filter(|_| is_prepared).unwrap_or(self.poll)
            });
            self.holders.insert(name, first);
        }
    }

    /// Returns the ranges to read, in ascending order: the open ids that may have arrived, and
    /// all ids behind.
    pub(super) fn to_read(&self) -> Vec<(i64, i64)> {
        let may_have_arrived = |range: &OpenRange| match range.taken {
            None => true,
            Some(taken) => {
                self.poll <= taken + 1 || self.ended.is_some_and(|first| range.may_be_of(first))
            }
        };
        let open = self.open.iter();
        let open = open.filter(|(_, range)| may_have_arrived(range));
        let mut ranges: Vec<(i64, i64)> = open.map(|(first, range)| (*first, range.last)).collect();
        if let Some(next) = self.top.checked_add(1) {
            ranges.push((next, i64::MAX));
        }
        ranges
    }

    /// Notes that a record is visible; false if that is known.
    pub(super) fn see(&mut self, id: i64) -> bool {
        if id > self.top {
            if id - 1 > self.top {
                let range = OpenRange {
                    last: id - 1,
                    taken: None,
                };
                self.open.insert(self.top + 1, range);
            }
            self.top = id;
        } else {
            let found = self.open.range(..=id).next_back();
            let Some((first, range)) = found
                .map(|(first, range)| (*first, *range))
                .filter(|(_, range)| id <= range.last)
            else {
                return false;
            };
            self.open.remove(&first);
            if first < id {
                self.open.insert(
                    first,
                    OpenRange {
                        last: id - 1,
                        ..range
                    },
                );
            }
            if id < range.last {
                self.open.insert(id + 1, range);
            }
        }
        self.seen = self.seen.max(id);
        true
    }

    /// Ends a poll, after everything that it had to read was read and seen.
    ///
    /// `assigned` is the last id of the sequence, as it was before the records were read, if the
    /// role may know it.
    pub(super) fn end(&mut self, assigned: Option<i64>) {
        let (poll, seen) = (self.poll, self.seen);
        let oldest = self.holders.values().copied().min();
        self.open.retain(|_, range| {
            let is_settled = range.taken.is_some_and(|taken| taken < poll)
                // A server that crashes may assign ids again, but none below that of a committed
                // record.
                && range.last < seen
                && oldest.is_none_or(|oldest| !range.may_be_of(oldest));
            !is_settled
        });
        // Without the sequence: its ids ascend, so it has assigned all below one with a record.
        let assigned = assigned.unwrap_or(seen);
        let unknown = self.open.iter().filter(|(_, range)| range.taken.is_none());
        let unknown: Vec<(i64, i64)> = unknown.map(|(first, range)| (*first, range.last)).collect();
        for (first, last) in unknown {
            if first > assigned {
                break;
            }
            let range = OpenRange {
                last: last.min(assigned),
                taken: Some(poll),
            };
            self.open.insert(first, range);
            if assigned < last {
                self.open
                    .insert(assigned + 1, OpenRange { last, taken: None });
            }
        }
        if self.top < assigned {
            let range = OpenRange {
                last: assigned,
                taken: Some(poll),
            };
            self.open.insert(self.top + 1, range);
            self.top = assigned;
        }
        self.ended = None;
        self.poll += 1;
        if self.open.len() > JOINED_FROM {
            self.join_neighbours();
        }
    }

    /// Joins ranges without an id between them. The joined range counts as found by the later poll,
    /// so it is settled later and read more often.
    fn join_neighbours(&mut self) {
        let mut joined: Vec<(i64, OpenRange)> = Vec::with_capacity(self.open.len());
        for (first, range) in std::mem::take(&mut self.open) {
            match joined.last_mut() {
                Some((_, before))
                    if before.last + 1 == first
                        && before.taken.is_some()
                        && range.taken.is_some() =>
                {
                    before.last = range.last;
                    before.taken = before.taken.max(range.taken);
                }
                _ => joined.push((first, range)),
            }
        }
        self.open = joined.into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::{Position, Window};

    fn window(seen: i64) -> Window {
        Window::new(&Position::new("logs", seen, Vec::new()))
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// A poll that finds these holders and records.
    fn poll(window: &mut Window, holders: &[&str], ids: &[i64], assigned: Option<i64>) {
        window.begin(names(holders));
        for id in ids {
            assert!(window.see(*id), "{id}");
        }
        window.end(assigned);
    }

    fn open(window: &Window) -> Vec<(i64, i64)> {
        let ranges = window.open.iter();
        ranges.map(|(first, range)| (*first, range.last)).collect()
    }

    #[test]
    fn window_without_holders_settles_gap_in_next_poll() {
        let mut window = window(10);
        poll(&mut window, &[], &[11, 14], Some(14));
        assert_eq!(open(&window), [(12, 13)]);
        poll(&mut window, &[], &[], Some(14));
        assert_eq!(open(&window), []);
        assert!(!window.see(12));
    }

    #[test]
    fn window_keeps_gap_until_holders_of_its_time_have_ended() {
        let mut window = window(10);
        poll(&mut window, &["3/1"], &[11, 14], Some(14));
        poll(&mut window, &["3/1", "4/1"], &[], Some(14));
        assert_eq!(open(&window), [(12, 13)]);
        // 5/1 came later and is none of them.
        poll(&mut window, &["3/1", "5/1"], &[], Some(14));
        assert_eq!(open(&window), [(12, 13)]);
        poll(&mut window, &["5/1"], &[13], Some(14));
        assert_eq!(open(&window), []);
    }

    #[test]
    fn window_reads_gap_again_only_when_one_of_its_holders_has_ended() {
        let mut window = window(10);
        poll(&mut window, &[], &[11, 14], Some(14));
        poll(&mut window, &["3/1", "4/1"], &[], Some(14));
        window.begin(names(&["3/1", "4/1", "5/1"]));
        assert_eq!(window.to_read(), [(15, i64::MAX)]);
        window.end(Some(14));
        window.begin(names(&["3/1", "4/1"]));
        assert_eq!(window.to_read(), [(15, i64::MAX)]);
        window.end(Some(14));
        window.begin(names(&["3/1"]));
        assert_eq!(window.to_read(), [(12, 13), (15, i64::MAX)]);
        // A poll that failed begins again, and does not forget.
        window.begin(names(&["3/1"]));
        assert_eq!(window.to_read(), [(12, 13), (15, i64::MAX)]);
    }

    #[test]
    fn window_takes_prepared_transaction_for_the_holder_that_ended() {
        let mut window = window(10);
        poll(&mut window, &[], &[11, 14], Some(14));
        poll(&mut window, &["3/1"], &[], Some(14));
        poll(&mut window, &["-1/755"], &[], Some(14));
        assert_eq!(open(&window), [(12, 13)]);
        poll(&mut window, &[], &[12], Some(14));
        assert_eq!(open(&window), []);
    }

    #[test]
    fn window_keeps_ids_that_the_sequence_has_not_assigned() {
        let mut window = window(10);
        // 1000 was inserted under an id of its own.
        poll(&mut window, &[], &[1_000], Some(11));
        for _ in 0..3 {
            poll(&mut window, &[], &[], Some(11));
        }
        assert_eq!(open(&window), [(12, 999)]);
        poll(&mut window, &[], &[12], Some(13));
        assert_eq!(open(&window), [(13, 13), (14, 999)]);
        poll(&mut window, &[], &[], Some(13));
        assert_eq!(open(&window), [(14, 999)]);
    }

    #[test]
    fn window_keeps_last_ids_until_a_later_one_is_committed() {
        let mut window = window(10);
        poll(&mut window, &[], &[11], Some(15));
        for _ in 0..3 {
            poll(&mut window, &[], &[], Some(15));
        }
        assert_eq!(open(&window), [(12, 15)]);
        assert_eq!(window.position("logs").open(), []);
        poll(&mut window, &[], &[16], Some(16));
        assert_eq!(open(&window), []);
    }

    #[test]
    fn window_without_the_sequence_settles_below_seen() {
        let mut window = window(10);
        poll(&mut window, &[], &[14], None);
        assert_eq!(open(&window), [(11, 13)]);
        poll(&mut window, &["3/1"], &[12], None);
        assert_eq!(open(&window), [(11, 11), (13, 13)]);
        poll(&mut window, &[], &[11], None);
        assert_eq!(open(&window), []);
    }

    #[test]
    fn window_joins_many_neighbours() {
        let mut window = window(0);
        for assigned in 1..=1_100 {
            poll(&mut window, &["3/1"], &[], Some(assigned));
        }
        assert!(window.ranges() < 100, "{}", window.ranges());
        poll(
            &mut window,
            &[],
            &(1..=1_101).collect::<Vec<_>>(),
            Some(1_101),
        );
        assert_eq!(open(&window), []);
    }

    #[test]
    fn window_of_position_has_its_open_ids() {
        let position = Position::new("logs", 20, vec![(3, 5), (9, 9)]);
        let mut window = Window::new(&position);
        assert_eq!(window.to_read(), [(3, 5), (9, 9), (21, i64::MAX)]);
        poll(&mut window, &["3/1"], &[4], Some(20));
        assert_eq!(window.position("logs").open(), [(3, 3), (5, 5), (9, 9)]);
        poll(&mut window, &[], &[], Some(20));
        assert_eq!(window.position("logs").open(), []);
    }
}

//! What has arrived between two positions, for many readers of one table.

use std::fmt;

use super::statement::{PAGE, read_ranges};
use super::{Position, RANGES_PER_STATEMENT, Tail, in_time};
use crate::db::{CloseOnDrop, Db, Sql};
use crate::error::Error;
use crate::filter::Filter;
use crate::model::Model;
use crate::query::QueryBuilder;

/// The number of ranges of ids above which only the end of a page has a position.
const POSITIONS_UP_TO: usize = 1_000;

/// Follows the positions of a table, for any number of readers.
///
/// It polls the database as a [`Tail`] does, for ids only. Each reader has a position of its own,
/// and reads what has arrived between it and that of a poll: [`QueryBuilder::arrived`]. So one poll
/// serves readers with any filters.
///
/// ```no_run
/// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
/// use lookback::Log;
/// use lookback::query::Arrivals;
///
/// let mut arrivals = Arrivals::<Log>::new();
/// let mut from = arrivals.poll(&pool).await?;
/// loop {
///     let to = arrivals.poll(&pool).await?;
///     let errors = Log::records().filter(Log::level().eq("error"));
///     loop {
///         let page = errors.arrived(&pool, &from, &to).await?;
///         for arrived in page.records {
///             println!("{}", arrived.record?.message);
///         }
///         from = page.position;
///         if page.is_last {
///             break;
///         }
///     }
/// }
/// # }
/// ```
pub struct Arrivals<M> {
    tail: Tail<M>,
}

/// A part of what has arrived between two positions.
#[derive(Debug)]
#[non_exhaustive]
pub struct ArrivedPage<M> {
    /// The records that match, ordered by id.
    pub records: Vec<ArrivedRecord<M>>,
    /// The position after all that was read, matching or not.
    pub position: Position,
    /// Whether nothing more has arrived up to the second position.
    pub is_last: bool,
}

/// A record that has arrived.
#[derive(Debug)]
#[non_exhaustive]
pub struct ArrivedRecord<M> {
    /// The record, or why it cannot be read.
    pub record: Result<M, Error>,
    /// The position after it. `None` if very many ids may still arrive; the position of the page
    /// is after all of its records.
    pub position: Option<Position>,
}

impl<M: Model> Arrivals<M> {
    /// Starts with the first poll.
    pub fn new() -> Self {
        let query = QueryBuilder::new().with_deleted().filter(Filter::none());
        Self { tail: query.tail() }
    }

    /// Starts with a position.
    #[must_use]
    pub fn after(mut self, position: Position) -> Self {
        self.tail = self.tail.after(position);
        self
    }

    /// Polls the database once, and returns the position after everything that has arrived.
    ///
    /// It includes every record that was committed before the call. After an error, the next call
    /// polls again.
    ///
    /// # Errors
    ///
    /// As those of [`Tail::next`].
    pub async fn poll<'c>(&mut self, db: impl Into<Db<'c>>) -> Result<Position, Error> {
        let mut db = db.into();
        let tail = &mut self.tail;
        tail.start_on(&mut db).await?;
        // A poll that failed began earlier.
        tail.poll = None;
        tail.next_poll = None;
        loop {
            while let Some(arrived) = tail.buffer.pop_front() {
                tail.started().see(arrived.id);
            }
            tail.step(&mut db).await?;
            if tail.poll.is_none() {
                return Ok(tail.started().position(M::TABLE.name));
            }
        }
    }
}

impl<M: Model> Default for Arrivals<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Model> fmt::Debug for Arrivals<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Arrivals").field(&self.tail).finish()
    }
}

impl<M: Model> QueryBuilder<M> {
    /// Reads the records that match, and have arrived between two positions: a page of at most
    /// 1,000 ids.
    ///
    /// What has arrived at `from` already is left out, also if `from` is ahead of `to`. Continue
    /// with the position of the page.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for a query with more than filters, and a position of another table;
    /// those of the database; [`Error::is_timeout`] if it does not answer within 30 s.
    pub async fn arrived<'c>(
        &self,
        db: impl Into<Db<'c>>,
        from: &Position,
        to: &Position,
    ) -> Result<ArrivedPage<M>, Error> {
        let table = M::TABLE.name;
        self.check_only_filters("a tail")?;
        self.check_no_if_updated_at("a tail")?;
        for position in [from, to] {
            if position.table() != table {
                let problem = format!(
                    "is a position in {}, and cannot be used for {table}",
                    position.table()
                );
                return Err(Error::invalid_field(table, "position", problem));
            }
        }
        // A wrong filter is an error, too, if there is nothing to read.
        self.push_condition(&mut Sql::default())?;
        let pending = from.pending();
        let missing = subtract(&pending, &to.pending());
        let ranges = &missing[..missing.len().min(RANGES_PER_STATEMENT)];
        if ranges.is_empty() {
            return Ok(ArrivedPage {
                records: Vec::new(),
                position: Position::of_pending(table, pending),
                is_last: true,
            });
        }
        let mut session = CloseOnDrop::new(db.into().session().await?);
        let read = in_time(read_ranges(self, session.conn(), ranges)).await?;
        session.release();
        let read = read?;
        let last = read.last().filter(|_| read.len() == PAGE);
        let last = last.map(|arrived| arrived.id);
        let behind = |id: i64| {
            let read: Vec<(i64, i64)> = ranges
                .iter()
                .filter(|(first, _)| *first <= id)
                .map(|(first, last)| (*first, (*last).min(id)))
                .collect();
            Position::of_pending(table, subtract(&pending, &read))
        };
        let has_positions = pending.len() <= POSITIONS_UP_TO;
        let records = read.into_iter().filter_map(|arrived| {
            Some(ArrivedRecord {
                record: arrived.record?,
                position: has_positions.then(|| behind(arrived.id)),
            })
        });
        Ok(ArrivedPage {
            records: records.collect(),
            position: behind(last.unwrap_or(i64::MAX)),
            is_last: last.is_none() && ranges.len() == missing.len(),
        })
    }
}

/// Returns the ids of `from` that are not in `without`. Both are ascending ranges that do not
/// overlap.
fn subtract(from: &[(i64, i64)], without: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut rest = Vec::new();
    let mut without = without.iter().peekable();
    for &(first, last) in from {
        let mut next = Some(first);
        while let Some(start) = next {
            let Some(&&(gap_first, gap_last)) = without.peek() else {
                rest.push((start, last));
                break;
            };
            if gap_last < start {
                without.next();
                continue;
            }
            if gap_first > last {
                rest.push((start, last));
                break;
            }
            if gap_first > start {
                rest.push((start, gap_first - 1));
            }
            // The gap may go on in the next range.
            next = gap_last.checked_add(1).filter(|next| *next <= last);
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Ascending ranges of ids up to 40.
    fn ranges() -> impl Strategy<Value = Vec<(i64, i64)>> {
        prop::collection::btree_set(1_i64..40, 0..20).prop_map(|ids| {
            let mut ranges: Vec<(i64, i64)> = Vec::new();
            for id in ids {
                match ranges.last_mut() {
                    Some((_, last)) if *last + 1 == id => *last = id,
                    _ => ranges.push((id, id)),
                }
            }
            ranges
        })
    }

    fn ids(ranges: &[(i64, i64)]) -> BTreeSet<i64> {
        ranges
            .iter()
            .flat_map(|(first, last)| *first..=*last)
            .collect()
    }

    proptest! {
        #[test]
        fn difference_of_ranges_has_the_ids_of_the_difference(
            from in ranges(),
            without in ranges(),
        ) {
            let expected: BTreeSet<i64> =
                ids(&from).difference(&ids(&without)).copied().collect();
            let rest = subtract(&from, &without);
            prop_assert_eq!(ids(&rest), expected);
            prop_assert!(rest.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }

        #[test]
        fn position_has_all_but_its_pending_ids(open in ranges()) {
            let position = Position::new("logs", 40, open.clone());
            let pending = position.pending();
            for id in 1..60 {
                let is_pending = pending.iter().any(|(first, last)| (*first..=*last).contains(&id));
                prop_assert_eq!(position.has(id), !is_pending, "{}", id);
            }
            prop_assert_eq!(Position::of_pending("logs", pending), position);
        }
    }

    #[test]
    fn difference_at_the_end_of_all_ids_does_not_overflow() {
        assert_eq!(subtract(&[(5, i64::MAX)], &[(9, i64::MAX)]), [(5, 8)]);
        assert_eq!(subtract(&[(5, i64::MAX)], &[(1, i64::MAX)]), []);
        assert_eq!(subtract(&[(5, i64::MAX)], &[]), [(5, i64::MAX)]);
    }
}

//! Stored postings: which records of a range of ids have a template.

use sqlx::PgConnection;

use crate::db::Sql;
use crate::error::Error;

/// The number of ids up to which a posting has all of its records, as many as a
/// search ranks by similarity; and the number of newest ids of a longer one.
pub(crate) const FULL_POSTING: usize = 1_000;
pub(crate) const NEWEST_IDS: usize = 100;

/// The records in a range of ids that have a template.
#[derive(Clone, Debug)]
pub(super) struct Posting {
    pub(super) template_id: i64,
    /// The least id of them.
    pub(super) first_id: i64,
    /// The greatest id of them.
    pub(super) last_id: i64,
    /// The number of records, which may exceed the number of ids.
    rows: i64,
    /// Whether the ids are complete.
    is_full: bool,
    /// The ids of the newest records, or of all, in any order.
    ids: Vec<i64>,
}

impl Posting {
    /// Creates a posting from the ids of the newest records: of all of them, if
    /// there are no more than [`FULL_POSTING`].
    pub(super) fn new(template_id: i64, range: [i64; 2], rows: i64, ids: Vec<i64>) -> Self {
        Self {
            template_id,
            first_id: range[0],
            last_id: range[1],
            rows,
            is_full: usize::try_from(rows).is_ok_and(|rows| rows <= FULL_POSTING),
            ids,
        }
    }

    /// Merges another posting into this one. Complete ones may share ids: a
    /// record whose text was changed back.
    pub(super) fn add(&mut self, other: Self) {
        self.first_id = self.first_id.min(other.first_id);
        self.last_id = self.last_id.max(other.last_id);
        self.rows = self.rows.saturating_add(other.rows);
        self.is_full &= other.is_full;
        self.ids.extend(other.ids);
    }

    /// Returns the number of records, and the stored ids, the greatest first.
    fn stored(self) -> (i64, Vec<i64>) {
        let Self { rows, mut ids, .. } = self;
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.dedup();
        let rows = if self.is_full {
            i64::try_from(ids.len()).unwrap_or(i64::MAX)
        } else {
            rows
        };
        ids.truncate(match usize::try_from(rows) {
            Ok(rows) if rows <= FULL_POSTING => FULL_POSTING,
            _ => NEWEST_IDS,
        });
        (rows, ids)
    }
}

/// Inserts postings in this order.
pub(super) async fn store(
    conn: &mut PgConnection,
    target: &str,
    postings: Vec<Posting>,
) -> Result<(), Error> {
    let mut templates = Vec::with_capacity(postings.len());
    let (mut first, mut last) = (templates.clone(), templates.clone());
    let (mut rows, mut newest) = (templates.clone(), Vec::with_capacity(postings.len()));
    for posting in postings {
        templates.push(posting.template_id);
        first.push(posting.first_id);
        last.push(posting.last_id);
        let (count, ids) = posting.stored();
        rows.push(count);
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        newest.push(format!("{{{}}}", ids.join(",")));
    }
    // Not by COPY: see `write/insert.rs`.
    let mut sql = Sql::default();
    let target = sql.argument(target)?;
    let (first, last) = (sql.argument(first)?, sql.argument(last)?);
    let templates = sql.argument(templates)?;
    let (rows, newest) = (sql.argument(rows)?, sql.argument(newest)?);
    sql.push(&format!(
        "INSERT INTO search_postings (target, template_id, first_id, last_id, rows, newest_ids) \
         SELECT {target}, k.template_id, k.first, k.last, k.rows, k.newest::bigint[] \
         FROM unnest({templates}::bigint[], {first}::bigint[], {last}::bigint[], {rows}::bigint[], {newest}::text[]) \
           AS k(template_id, first, last, rows, newest)"
    ));
    sql.execute(conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FULL_POSTING, NEWEST_IDS, Posting};

    /// The stored posting of all ids from one up to, but not including,
    /// another.
    fn of(from: i64, to: i64) -> Posting {
        let (rows, ids) = Posting::new(1, [from, to - 1], to - from, (from..to).collect()).stored();
        Posting::new(1, [from, to - 1], rows, ids)
    }

    fn sum(postings: impl IntoIterator<Item = Posting>) -> Posting {
        let add = |mut sum: Posting, posting| {
            sum.add(posting);
            sum
        };
        postings.into_iter().reduce(add).unwrap()
    }

    #[test]
    fn posting_sum_of_adjacent_ranges_equals_whole_range() {
        let most = FULL_POSTING as i64;
        for parts in [
            vec![0, 10, 20],
            vec![0, 600, most],
            vec![0, 600, most + 1],
            vec![0, most, 3 * most],
            vec![0, 5 * most, 5 * most + 3],
            vec![0, 3, 5 * most],
            vec![0, 2 * most, 4 * most, 4 * most + 1],
        ] {
            let mut ranges: Vec<_> = parts.windows(2).map(|ends| of(ends[0], ends[1])).collect();
            let whole = of(0, *parts.last().unwrap());
            for _ in 0..2 {
                let added = sum(ranges.clone());
                assert_eq!([added.first_id, added.last_id], [0, whole.last_id]);
                assert_eq!(added.stored(), whole.clone().stored(), "{parts:?}");
                ranges.reverse();
            }
        }
    }

    #[test]
    fn posting_sum_of_overlapping_ranges_counts_records_once() {
        let (rows, ids) = sum([of(0, 10), of(5, 20), of(7, 8)]).stored();
        assert_eq!((rows, ids.len(), ids[0]), (20, 20, 19));
        let (rows, ids) = sum([of(0, 900), of(800, 1_200)]).stored();
        assert_eq!((rows, ids.len(), ids[0]), (1_200, NEWEST_IDS, 1_199));
    }
}

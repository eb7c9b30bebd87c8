//! Kinds as they are stored: which records of a range have a template.

use sqlx::PgConnection;

use crate::db::Sql;
use crate::error::Error;

/// All records of a kind are listed up to this many, which is as many as a
/// search looks at for their likeness; of a kind with more, the newest.
pub(crate) const LISTED: usize = 1_000;
pub(crate) const NEWEST: usize = 100;

/// The records of a range that have a template.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) template_id: i64,
    /// The least id of them.
    pub(super) first_id: i64,
    /// The greatest.
    pub(super) last_id: i64,
    /// How many they are: of some, more than are listed.
    rows: i64,
    /// Whether all of them are listed.
    is_whole: bool,
    /// The newest of them, or all, in any order.
    ids: Vec<i64>,
}

impl Listed {
    /// So many records, and the ids of the newest of them: of all, if there are
    /// no more than are [`LISTED`].
    pub(super) fn new(template_id: i64, range: [i64; 2], rows: i64, ids: Vec<i64>) -> Self {
        Self {
            template_id,
            first_id: range[0],
            last_id: range[1],
            rows,
            is_whole: usize::try_from(rows).is_ok_and(|rows| rows <= LISTED),
            ids,
        }
    }

    /// Adds those of another range. Where all of both are listed, some may be the
    /// same: a record whose text was changed to what it had been.
    pub(super) fn add(&mut self, other: Self) {
        self.first_id = self.first_id.min(other.first_id);
        self.last_id = self.last_id.max(other.last_id);
        self.rows = self.rows.saturating_add(other.rows);
        self.is_whole &= other.is_whole;
        self.ids.extend(other.ids);
    }

    /// How many records there are, and the ids that are listed of them, the
    /// greatest first.
    fn listed(self) -> (i64, Vec<i64>) {
        let Self { rows, mut ids, .. } = self;
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.dedup();
        let rows = match self.is_whole {
            true => i64::try_from(ids.len()).unwrap_or(i64::MAX),
            false => rows,
        };
        ids.truncate(match usize::try_from(rows) {
            Ok(rows) if rows <= LISTED => LISTED,
            _ => NEWEST,
        });
        (rows, ids)
    }
}

/// Writes the kinds of a table's records, in their order.
pub(super) async fn store(
    conn: &mut PgConnection,
    target: &str,
    kinds: Vec<Listed>,
) -> Result<(), Error> {
    let mut templates = Vec::with_capacity(kinds.len());
    let (mut first, mut last) = (templates.clone(), templates.clone());
    let (mut rows, mut newest) = (templates.clone(), Vec::with_capacity(kinds.len()));
    for kind in kinds {
        templates.push(kind.template_id);
        first.push(kind.first_id);
        last.push(kind.last_id);
        let (count, ids) = kind.listed();
        rows.push(count);
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        newest.push(format!("{{{}}}", ids.join(",")));
    }
    // Not by COPY: see `query/few.rs`.
    let mut sql = Sql::default();
    let target = sql.argument(target)?;
    let (first, last) = (sql.argument(first)?, sql.argument(last)?);
    let templates = sql.argument(templates)?;
    let (rows, newest) = (sql.argument(rows)?, sql.argument(newest)?);
    sql.push(&format!(
        "INSERT INTO search_kinds (target, template_id, first_id, last_id, rows, newest_ids) \
         SELECT {target}, k.template_id, k.first, k.last, k.rows, k.newest::bigint[] \
         FROM unnest({templates}::bigint[], {first}::bigint[], {last}::bigint[], {rows}::bigint[], {newest}::text[]) \
           AS k(template_id, first, last, rows, newest)"
    ));
    sql.execute(conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{LISTED, Listed, NEWEST};

    /// The records from one id up to before another, as they are stored of a range.
    fn of(from: i64, to: i64) -> Listed {
        let (rows, ids) = Listed::new(1, [from, to - 1], to - from, (from..to).collect()).listed();
        Listed::new(1, [from, to - 1], rows, ids)
    }

    fn sum(kinds: impl IntoIterator<Item = Listed>) -> Listed {
        let add = |mut sum: Listed, kind| {
            sum.add(kind);
            sum
        };
        kinds.into_iter().reduce(add).unwrap()
    }

    #[test]
    fn ranges_together_are_listed_as_one_range_is() {
        let most = LISTED as i64;
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
                assert_eq!(added.listed(), whole.clone().listed(), "{parts:?}");
                ranges.reverse();
            }
        }
    }

    #[test]
    fn a_record_that_two_ranges_list_counts_once() {
        let (rows, ids) = sum([of(0, 10), of(5, 20), of(7, 8)]).listed();
        assert_eq!((rows, ids.len(), ids[0]), (20, 20, 19));
        let (rows, ids) = sum([of(0, 900), of(800, 1_200)]).listed();
        assert_eq!((rows, ids.len(), ids[0]), (1_200, NEWEST, 1_199));
    }
}

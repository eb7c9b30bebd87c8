//! Pages of a search with copies folded: hits that differ only in numbers and ids, and
//! have as many of its words, are one row.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sqlx::{PgConnection, Row as _};

use super::Total;
use super::hit_page::{HitKey, HitPage, HitStart};
use super::shown_patterns::PatternKey;
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::search::{self, Candidate, Copies, Coverage, FoundPattern, Ranked, Search, template};
use crate::value::StoredTime;

/// A row of the list: the hits of one pattern.
#[derive(Clone, Debug)]
pub(super) struct FoldedHit {
    pub(super) key: HitKey,
    pub(super) pattern: PatternKey,
    /// The best of them, once it is scored.
    pub(super) best: Option<Ranked>,
    pub(super) members: Members,
}

/// The hits that a row stands for.
#[derive(Clone, Debug)]
pub(super) enum Members {
    /// Their ids, and whether these are all.
    Ids(Vec<i64>, bool),
    /// A pattern that was counted, and whether its records were read one by one.
    Counted(Box<FoundPattern>, bool),
}

/// The templates of candidates, by id.
#[derive(Debug, Default)]
pub(super) struct Templates(HashMap<i64, Vec<String>>);

impl Templates {
    pub(super) fn of(candidates: &[Candidate]) -> Self {
        let of = |candidate: &Candidate| {
            let fields = candidate.fields.iter().map(|text| template(text));
            (candidate.id, fields.collect())
        };
        Self(candidates.iter().map(of).collect())
    }

    /// Folds hits that come the best first. A row is at the place of its best hit.
    ///
    /// `is_all` says whether the hits with a coverage are all that there are.
    pub(super) fn fold(
        &self,
        hits: &[Ranked],
        is_all: impl Fn(Coverage) -> bool,
    ) -> Vec<FoldedHit> {
        let mut folded: Vec<FoldedHit> = Vec::new();
        let mut places: HashMap<(Coverage, Option<&Vec<String>>), usize> = HashMap::new();
        for hit in hits {
            match places.entry((hit.coverage, self.0.get(&hit.id))) {
                Entry::Occupied(place) => {
                    if let Members::Ids(ids, _) = &mut folded[*place.get()].members {
                        ids.push(hit.id);
                    }
                }
                Entry::Vacant(place) => {
                    place.insert(folded.len());
                    let template = self.0.get(&hit.id).map_or(&[][..], Vec::as_slice);
                    folded.push(FoldedHit {
                        key: HitKey::of_ranked(hit),
                        pattern: PatternKey::new(hit.coverage, template),
                        best: Some(*hit),
                        members: Members::Ids(vec![hit.id], is_all(hit.coverage)),
                    });
                }
            }
        }
        folded
    }
}

/// Returns the rows of patterns that cover a search, as a list without folding has them:
/// as typed, then with all words, each with the newest first.
pub(super) fn covering(patterns: Vec<FoundPattern>, are_read: bool) -> Vec<FoldedHit> {
    let of = |pattern: FoundPattern| FoldedHit {
        key: HitKey::Covering {
            coverage: pattern.coverage,
            id: pattern.newest_id(),
        },
        pattern: PatternKey::new(pattern.coverage, &pattern.fields),
        best: None,
        members: Members::Counted(Box::new(pattern), are_read),
    };
    let mut rows: Vec<FoldedHit> = patterns.into_iter().map(of).collect();
    rows.sort_by(|a, b| a.key.compare(&b.key));
    rows
}

/// Returns the rows that may be on a page, those nearest to its cursor first.
///
/// Those before a cursor are the ones that were shown before it, wherever they are now.
pub(super) fn nearest_first(page: &HitPage, mut rows: Vec<FoldedHit>) -> Vec<FoldedHit> {
    match &page.start {
        HitStart::First => rows,
        HitStart::After(position) => {
            rows.retain(|row| {
                row.key.compare(&position.key).is_gt()
                    && position.shown.place(row.pattern).is_none()
            });
            rows
        }
        HitStart::Before(position) => {
            // None for rows before those that the cursor holds.
            let mut placed: Vec<(Option<usize>, FoldedHit)> = rows
                .into_iter()
                .map(|row| (position.shown.place(row.pattern), row))
                .filter(|(place, row)| place.is_some() || row.key.compare(&position.key).is_lt())
                .collect();
            placed.sort_by_key(|(place, _)| *place);
            placed.into_iter().rev().map(|(_, row)| row).collect()
        }
    }
}

impl FoldedHit {
    /// Returns the record that the row shows.
    pub(super) fn example(&self) -> Option<i64> {
        match (&self.best, &self.members) {
            (Some(best), _) => Some(best.id),
            (None, Members::Counted(pattern, _)) => pattern.newest_read,
            (None, Members::Ids(ids, _)) => ids.first().copied(),
        }
    }
}

/// Reads how many hits each row of a page stands for, and their times.
pub(super) async fn copies(
    table: &'static Table,
    rows: &[FoldedHit],
    conn: &mut PgConnection,
) -> Result<Vec<Option<Copies>>, Error> {
    let (mut ids, mut places) = (Vec::new(), Vec::new());
    for (place, row) in (0_i64..).zip(rows) {
        if let Members::Ids(members, _) = &row.members {
            places.extend(std::iter::repeat_n(place, members.len()));
            ids.extend(members);
        }
    }
    let read = times(table, ids, places, conn).await?;
    let copies = (0_i64..).zip(rows).map(|(place, row)| {
        let (count, (first, last)) = match &row.members {
            Members::Ids(members, true) => (Total::Exact(members.len() as u64), *read.get(&place)?),
            Members::Ids(members, false) => {
                (Total::AtLeast(members.len() as u64), *read.get(&place)?)
            }
            Members::Counted(pattern, are_read) => {
                let count = match (are_read, &pattern.sealed) {
                    (_, Some(_)) => Total::About(pattern.records),
                    (true, None) => Total::Exact(pattern.records),
                    (false, None) => Total::AtLeast(pattern.records),
                };
                (count, pattern.times?)
            }
        };
        Some(Copies::new(count, first.time(), last.time()))
    });
    Ok(copies.collect())
}

/// Reads the times of the first and the last of the records of each place.
pub(super) async fn times(
    table: &'static Table,
    ids: Vec<i64>,
    places: Vec<i64>,
    conn: &mut PgConnection,
) -> Result<HashMap<i64, (StoredTime, StoredTime)>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let id = table.column_of(ColumnRole::Id).quoted();
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    let mut sql = Sql::default();
    let (ids, places) = (sql.argument(ids)?, sql.argument(places)?);
    sql.push(&format!(
        "SELECT k.place, min(r.{created_at}) AS first, max(r.{created_at}) AS last \
         FROM unnest({ids}::bigint[], {places}::bigint[]) AS k(id, place) \
         JOIN {from} AS r ON r.{id} = k.id \
         GROUP BY k.place",
        from = table.quoted(),
    ));
    let rows = sql.fetch_all(conn).await;
    let rows = rows.map_err(|error| Error::from_driver(table, error))?;
    let mut times = HashMap::with_capacity(rows.len());
    for row in &rows {
        times.insert(
            row.try_get("place")?,
            (row.try_get("first")?, row.try_get("last")?),
        );
    }
    Ok(times)
}

/// Scores the rows of a page that were counted and not ranked.
pub(super) async fn score(
    query: &search::Query,
    weights: &[f32],
    rows: &mut [FoldedHit],
    running: &mut Search<'_, '_>,
) -> Result<(), Error> {
    for coverage in [Coverage::AsTyped, Coverage::AllWords, Coverage::Partial] {
        let ids = rows.iter().filter(|row| row.best.is_none());
        let ids: Vec<i64> = ids.filter_map(FoldedHit::example).collect();
        if ids.is_empty() {
            break;
        }
        let found = running.covering_rows(coverage, &ids).await?;
        let scored = search::score(query, &found, weights);
        let scored: HashMap<i64, Ranked> = scored.iter().map(|hit| (hit.id, *hit)).collect();
        for row in rows.iter_mut().filter(|row| row.best.is_none()) {
            row.best = row.example().and_then(|id| scored.get(&id).copied());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Members, Templates};
    use crate::query::hit_page::HitKey;
    use crate::search::{Candidate, Coverage, Ranked};

    fn candidate(id: i64, text: &str) -> Candidate {
        Candidate {
            id,
            fields: vec![text.to_owned()],
            presence: Vec::new(),
            cosine: None,
            coverage: Coverage::Partial,
        }
    }

    fn ranked(id: i64, score: f32, coverage: Coverage) -> Ranked {
        Ranked {
            id,
            score,
            similarity: None,
            coverage,
        }
    }

    #[test]
    fn hits_of_one_template_with_as_many_words_are_one_row() {
        let candidates = [
            candidate(9, "job 7 failed"),
            candidate(8, "job 7 failed"),
            candidate(7, "disk full"),
            candidate(6, "job 8 failed"),
            candidate(5, "job 70 failed"),
        ];
        let hits = [
            ranked(9, 1.5, Coverage::AsTyped),
            ranked(8, 1.5, Coverage::AsTyped),
            ranked(7, 0.9, Coverage::Partial),
            ranked(6, 0.5, Coverage::Partial),
            ranked(5, 0.4, Coverage::Partial),
        ];
        let folded =
            Templates::of(&candidates).fold(&hits, |coverage| coverage > Coverage::Partial);
        let members: Vec<(Vec<i64>, bool)> = folded
            .iter()
            .map(|row| match &row.members {
                Members::Ids(ids, is_all) => (ids.clone(), *is_all),
                Members::Counted(..) => (Vec::new(), false),
            })
            .collect();
        assert_eq!(
            members,
            [(vec![9, 8], true), (vec![7], false), (vec![6, 5], false)]
        );
        assert_eq!(folded[0].key, HitKey::Ranked { score: 1.5, id: 9 });
        assert_ne!(folded[0].pattern, folded[2].pattern);
    }
}

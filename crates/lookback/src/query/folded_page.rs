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
            let shown = position.shown.places();
            // If the cursor holds all of them, a row that has moved before it is behind it still.
            let holds_all = position.shown.len() as u64 == position.place;
            rows.retain(|row| {
                let is_behind = holds_all || row.key.compare(&position.key).is_gt();
                is_behind && !shown.contains_key(&row.pattern)
            });
            rows
        }
        HitStart::Before(position) => {
            let shown = position.shown.places();
            // None for rows before those that the cursor holds.
            let mut placed: Vec<(Option<usize>, FoldedHit)> = rows
                .into_iter()
                .map(|row| (shown.get(&row.pattern).copied(), row))
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
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{FoldedHit, Members, Templates, nearest_first};
    use crate::query::cursor::PageStart;
    use crate::query::hit_page::{HitKey, HitList, HitPage, TakenHits};
    use crate::query::shown_patterns::PatternKey;
    use crate::search::{Candidate, Coverage, Ranked};
    use crate::{Log, Model as _};

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

    /// Patterns, each with the scores of its hits: the best one has its place.
    #[derive(Clone, Debug)]
    struct Patterns(Vec<Vec<u16>>);

    impl Patterns {
        fn name(pattern: usize) -> PatternKey {
            PatternKey::new(Coverage::Partial, &[format!("pattern {pattern}")])
        }

        /// The rows of the list, in order, each with the number of its pattern.
        fn rows(&self) -> Vec<(FoldedHit, usize)> {
            let best = |(pattern, scores): (usize, &Vec<u16>)| {
                let score = f32::from(*scores.iter().max()?);
                let id = i64::try_from(pattern).unwrap();
                let row = FoldedHit {
                    key: HitKey::Ranked { score, id },
                    pattern: Self::name(pattern),
                    best: None,
                    members: Members::Ids(Vec::new(), true),
                };
                Some((row, pattern))
            };
            let mut rows: Vec<_> = self.0.iter().enumerate().filter_map(best).collect();
            rows.sort_by(|(a, _), (b, _)| a.key.compare(&b.key));
            rows
        }

        fn order(&self) -> Vec<usize> {
            self.rows().iter().map(|(_, pattern)| *pattern).collect()
        }

        /// Reads a page as a search does: the patterns on it, and its cursors.
        fn page(&self, skip: u64, limit: u32, start: Option<PageStart>) -> ReadPage {
            let page = HitPage::new(Log::TABLE, "hits".to_owned(), skip, limit, start.as_ref());
            let page = page.unwrap();
            let rows = self.rows().into_iter().map(|(row, _)| row).collect();
            let mut rows = nearest_first(&page, rows);
            rows.truncate(usize::try_from(page.wanted()).unwrap());
            if page.is_backwards() {
                rows.reverse();
            }
            let taken: TakenHits<FoldedHit> = page.take(rows);
            let list = HitList {
                until: None,
                search: None,
            };
            let mark = |row: &FoldedHit| (row.key, Some(row.pattern));
            let (next, previous) = page.cursors(Log::TABLE, &taken, &list, mark);
            let names: Vec<PatternKey> = (0..self.0.len()).map(Self::name).collect();
            let number = |row: &FoldedHit| names.iter().position(|name| *name == row.pattern);
            ReadPage {
                patterns: taken.hits.iter().filter_map(number).collect(),
                next: next.map(|cursor| PageStart::After(cursor.to_string())),
                previous: previous.map(|cursor| PageStart::Before(cursor.to_string())),
            }
        }
    }

    struct ReadPage {
        patterns: Vec<usize>,
        next: Option<PageStart>,
        previous: Option<PageStart>,
    }

    fn patterns(most: usize) -> impl Strategy<Value = Patterns> {
        let scores = prop::collection::vec(0..500_u16, 1..4);
        prop::collection::vec(scores, 1..most).prop_map(Patterns)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Of a list that stays as it is, pages are parts of it, whichever way they were reached
        /// and however many rows are before them.
        #[test]
        fn pages_of_a_list_that_stays_are_parts_of_it(
            list in patterns(1_600),
            skip in prop_oneof![Just(0_usize), 0..60_usize],
            first in 1..700_usize,
            steps in prop::collection::vec((any::<bool>(), 1..700_usize), 1..12),
        ) {
            let order = list.order();
            let part = |from: usize, to: usize| &order[from.min(order.len())..to.min(order.len())];
            let limit = |count: usize| u32::try_from(count).unwrap();
            let mut page = list.page(skip as u64, limit(first), None);
            let (mut from, mut to) = (skip, (skip + first).min(order.len().max(skip)));
            prop_assert_eq!(&page.patterns, part(from, to));
            for (is_next, count) in steps {
                let start = if is_next { page.next.clone() } else { page.previous.clone() };
                prop_assert_eq!(page.next.is_some(), !page.patterns.is_empty() && to < order.len());
                let Some(start) = start else { continue };
                page = list.page(0, limit(count), Some(start));
                (from, to) = if is_next {
                    (to, (to + count).min(order.len()))
                } else {
                    (from.saturating_sub(count), from)
                };
                prop_assert_eq!(&page.patterns, part(from, to));
            }
        }

        /// Hits are deleted between any two pages. Forwards, each pattern that has hits left at the
        /// end is shown once; backwards, what was shown comes in its order.
        #[test]
        fn pages_under_deletes_show_each_pattern_once(
            mut list in patterns(120),
            limit in 1..30_u32,
            doomed in prop::collection::vec((0..120_usize, 1..4_usize), 0..80),
        ) {
            let mut doomed = doomed.into_iter();
            let mut delete = |list: &mut Patterns| {
                for (pattern, most) in doomed.by_ref().take(8) {
                    if let Some(scores) = list.0.get_mut(pattern) {
                        scores.sort_unstable();
                        scores.truncate(scores.len().saturating_sub(most));
                    }
                }
            };
            let (mut shown, mut start, mut last) = (Vec::new(), None, None);
            loop {
                let page = list.page(0, limit, start.take());
                shown.extend(&page.patterns);
                last = page.previous.or(last);
                delete(&mut list);
                match page.next {
                    Some(next) => start = Some(next),
                    None => break,
                }
            }
            let once: BTreeSet<usize> = shown.iter().copied().collect();
            prop_assert_eq!(once.len(), shown.len());
            let left: BTreeSet<usize> = list.order().into_iter().collect();
            prop_assert!(left.is_subset(&once), "{:?} of {:?}", left, once);

            let mut back: Vec<usize> = Vec::new();
            while let Some(start) = last {
                let page = list.page(0, limit, Some(start));
                // Forwards again, it is what was not shown before.
                if let Some(next) = page.next {
                    let rest = list.page(0, 1_000, Some(next)).patterns;
                    let end = page.patterns.last().and_then(|end| shown.iter().position(|at| at == end));
                    let before: BTreeSet<usize> = shown[..=end.unwrap()].iter().copied().collect();
                    let rest: BTreeSet<usize> = rest.into_iter().collect();
                    prop_assert_eq!(rest, left.difference(&before).copied().collect());
                }
                back.splice(0..0, page.patterns);
                last = page.previous;
            }
            let expected = shown.iter().filter(|pattern| left.contains(pattern)).take(back.len());
            prop_assert_eq!(&back, &expected.copied().collect::<Vec<usize>>());
        }
    }
}

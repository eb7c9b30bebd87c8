//! Pages of `similar_to` with copies folded: records at the same distance are one row.

use sqlx::Row as _;

use super::folded_page::times;
use super::hit_page::{HitKey, HitList, HitPage, HitPosition, HitStart};
use super::shown_patterns::ShownPatterns;
use super::similar::{Near, NearRow, NearRows};
use super::{QueryBuilder, Total};
use crate::db::{Session, Sql};
use crate::error::Error;
use crate::model::{ColumnRole, Model};
use crate::search::{Copies, SearchSession};
use crate::value::{ColumnValue, StoredTime};

/// The rows of a folded page, in order.
pub(super) struct FoldedNear {
    pub(super) rows: NearRows,
    /// The number of rows of the list.
    pub(super) folded: Total,
}

/// Records at one distance: those with the same embedding, which numbers and ids do not
/// change.
struct NearGroup {
    distance: f64,
    ids: Vec<i64>,
    /// Whether these are all.
    is_all: bool,
}

/// The number of records that are read at once to find groups, and of one group at most.
const BATCH: u32 = 500;

impl<M: Model> QueryBuilder<M> {
    /// Reads the rows of a folded page: from its start, or the whole list up to its end.
    pub(super) async fn folded_near(
        &self,
        session: &mut Session<'_>,
        of: &Near<'_>,
        page: &HitPage,
        list: &HitList,
    ) -> Result<FoldedNear, Error> {
        let end = match &page.start {
            HitStart::Before(HitPosition {
                key: HitKey::Near { distance, .. },
                ..
            }) => Some(*distance),
            _ => None,
        };
        let wanted = usize::try_from(page.wanted()).unwrap_or(usize::MAX);
        let mut batch = page.with_limit(BATCH);
        if end.is_none() {
            batch.start = page.start.clone();
        }
        let mut query = self.clone();
        let (mut groups, mut total): (Vec<NearGroup>, Option<Option<u64>>) = (Vec::new(), None);
        let mut is_end = false;
        while !is_end && (end.is_some() || groups.len() < wanted) {
            let read = query.near_rows(session, of, &batch).await?;
            total.get_or_insert(read.total);
            // The number of records is known by now.
            query = query.without_total();
            let is_full = read.rows.len() > BATCH as usize;
            let mut found: Vec<NearGroup> = Vec::new();
            for row in &read.rows {
                match found
                    .last_mut()
                    .filter(|group| group.distance == row.distance)
                {
                    Some(group) => group.ids.push(row.id),
                    None => found.push(NearGroup {
                        distance: row.distance,
                        ids: vec![row.id],
                        is_all: true,
                    }),
                }
            }
            if is_full {
                // The last group may go on in the next batch, unless it is all of this one.
                match found.as_mut_slice() {
                    [group] => group.is_all = false,
                    _ => drop(found.pop()),
                }
            }
            if let Some(last) = found.last() {
                let key = HitKey::Near {
                    distance: last.distance,
                    id: i64::MIN,
                };
                batch.start = HitStart::After(HitPosition {
                    place: 0,
                    list: list.clone(),
                    key,
                    shown: ShownPatterns::default(),
                });
            }
            is_end = !is_full;
            for group in found {
                if end.is_some_and(|end| group.distance >= end) {
                    is_end = true;
                    break;
                }
                groups.push(group);
            }
        }
        let before = match &page.start {
            HitStart::After(position) => position.place,
            HitStart::First | HitStart::Before(_) => 0,
        };
        let folded = before + groups.len() as u64;
        let folded = match end {
            None if is_end => Total::Exact(folded),
            _ => Total::AtLeast(folded),
        };
        match end {
            Some(_) => drop(groups.drain(..groups.len().saturating_sub(wanted))),
            None => groups.truncate(wanted),
        }
        Ok(FoldedNear {
            rows: NearRows {
                rows: self.count_near(session, of, groups).await?,
                total: total.flatten(),
                may_be_short: false,
            },
            folded,
        })
    }

    /// Counts the records of groups, and reads their times.
    async fn count_near(
        &self,
        session: &mut Session<'_>,
        of: &Near<'_>,
        groups: Vec<NearGroup>,
    ) -> Result<Vec<NearRow>, Error> {
        let large: Vec<f64> = groups
            .iter()
            .filter(|group| !group.is_all)
            .map(|group| group.distance)
            .collect();
        let large = self.large_groups(session, of, large).await?;
        let (mut ids, mut places) = (Vec::new(), Vec::new());
        for (place, group) in (0_i64..).zip(&groups) {
            places.extend(std::iter::repeat_n(place, group.ids.len()));
            ids.extend(&group.ids);
        }
        let times = times(M::TABLE, ids, places, session.conn()).await?;
        let rows = (0_i64..).zip(&groups).filter_map(|(place, group)| {
            let read = group.ids.len() as u64;
            let counted = large
                .iter()
                .find(|(distance, _)| *distance == group.distance);
            let copies = match counted {
                Some((_, copies)) => *copies,
                None => {
                    let (first, last) = times.get(&place)?;
                    let count = if group.is_all {
                        Total::Exact(read)
                    } else {
                        Total::AtLeast(read)
                    };
                    Copies::new(count, first.time(), last.time())
                }
            };
            Some(NearRow {
                id: *group.ids.first()?,
                distance: group.distance,
                copies: Some(copies),
            })
        });
        Ok(rows.collect())
    }

    /// Counts the records at distances that have more than were read, unless that would
    /// read more than summaries save.
    async fn large_groups(
        &self,
        session: &mut Session<'_>,
        of: &Near<'_>,
        distances: Vec<f64>,
    ) -> Result<Vec<(f64, Copies)>, Error> {
        let table = M::TABLE;
        let from_driver = |error| Error::from_driver(table, error);
        if distances.is_empty() {
            return Ok(Vec::new());
        }
        let mut scan = SearchSession::begin(table, session.conn())
            .await
            .map_err(from_driver)?;
        let counted = async {
            let Near {
                id,
                embedding,
                scope,
            } = *of;
            if scan.should_use_summaries(scope).await? {
                return Ok(Vec::new());
            }
            let mut sql = Sql::default();
            let scope = sql.fragment(|sql| scope.push_where(sql))?;
            let vector = table.column_of(ColumnRole::Embedding);
            let given = sql.value(vector, embedding.to_value())?;
            let (itself, distances) = (sql.argument(id)?, sql.argument(distances)?);
            let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
            sql.push(&format!(
                "SELECT {vector} <=> {given} AS distance, count(*) AS records, \
                   min({created_at}) AS first, max({created_at}) AS last \
                 FROM {from}{scope} AND {vector} IS NOT NULL AND {id} <> {itself} \
                   AND ({vector} <=> {given}) = ANY({distances}::float8[]) GROUP BY 1",
                vector = vector.quoted(),
                id = table.column_of(ColumnRole::Id).quoted(),
                from = table.quoted(),
            ));
            let rows = sql.fetch_all(scan.conn()).await.map_err(from_driver)?;
            let mut counted = Vec::with_capacity(rows.len());
            for row in &rows {
                let count = row.try_get::<i64, _>("records")?.unsigned_abs();
                let (first, last): (StoredTime, StoredTime) =
                    (row.try_get("first")?, row.try_get("last")?);
                let copies = Copies::new(Total::Exact(count), first.time(), last.time());
                counted.push((row.try_get("distance")?, copies));
            }
            Ok(counted)
        }
        .await;
        scan.finish(counted).await
    }
}

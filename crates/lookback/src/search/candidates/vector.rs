//! Vector candidates: the records near a vector.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row as _};

use super::postings::{
    PostingGroup, ScopeCheck, has_live_postings, ids_in_scope, live_postings, posting_ids,
    rows_in_scope, template_condition,
};
use super::row_set::{RowSet, fetch_with_ranges, sealed_cte};
use super::segment_range::SegmentRange;
use crate::db::Sql;
use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::search::scope::Scope;
use crate::search::statement::{
    DISTANCE_STEPS, MAX_DISTANCE_STEP, MAX_GROUPS, VECTOR_LIMIT, VECTOR_PER_GROUP,
};
use crate::value::ColumnValue;

/// The row set of the vector candidates.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct VectorCandidates {
    /// `None` for the whole table.
    pub(crate) row_set: Option<RowSet>,
    /// Whether no other record is near.
    pub(crate) is_all: bool,
    /// The number of records that may turn out to be outside of the scope, without a need
    /// to look for others.
    pub(crate) spare: usize,
}

/// The number of groups that are read first, and then.
const GROUPS_AT_FIRST: i64 = MAX_GROUPS + MAX_GROUPS / 4;
const GROUPS_THEN: i64 = 20 * MAX_GROUPS;

/// The ids of a group that are read if there are many records: some may be
/// deleted or outside the filters.
const IDS_PER_GROUP: usize = 2 * VECTOR_PER_GROUP as usize;

impl VectorCandidates {
    /// Finds the row set for a vector in a scope: all near records if they are
    /// few, otherwise the newest of each of the nearest groups. `None` if
    /// nothing is sealed.
    pub(in crate::search) async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        vector: &Embedding,
        scope: &Scope<'_>,
        check: ScopeCheck,
    ) -> Result<Option<Self>, Error> {
        let range = SegmentRange::of(conn, table, scope).await?;
        for wanted in [GROUPS_AT_FIRST, GROUPS_THEN] {
            let Some(near) = NearGroups::read(conn, table, vector, scope, range, wanted).await?
            else {
                return Ok(None);
            };
            let in_scope = ids_in_scope(conn, table, scope, check, near.ids()).await?;
            let (mut alive, mut found, mut is_short) = (0, 0, false);
            let mut spare_of_group = usize::MAX;
            for group in near.groups.values() {
                let passing = group.ids.iter().filter(|id| in_scope.contains(*id)).count();
                alive += i64::from(passing > 0);
                found += passing as i64;
                if group.is_truncated {
                    match passing.checked_sub(VECTOR_PER_GROUP as usize) {
                        Some(spare) => spare_of_group = spare_of_group.min(spare),
                        None => is_short = true,
                    }
                }
            }
            let is_enough = alive >= MAX_GROUPS || found >= VECTOR_LIMIT;
            if is_enough || (near.is_all_groups && !is_short) {
                // A record was in several groups, if it was changed.
                let grouped = near.groups.values().map(|group| group.ids.len());
                let repeated = grouped.sum::<usize>().saturating_sub(in_scope.len());
                let ids = in_scope.into_iter().collect();
                let spare = (alive - MAX_GROUPS).max(found - VECTOR_LIMIT) - repeated as i64;
                let spare_of_all = if near.is_all_groups && !is_short {
                    spare_of_group
                } else {
                    0
                };
                let is_truncated = near.groups.values().any(|group| group.is_truncated);
                return Ok(Some(Self {
                    row_set: Some(RowSet::new(near.unsealed, ids)),
                    is_all: near.is_all_groups && !is_truncated,
                    spare: usize::try_from(spare).unwrap_or(0).max(spare_of_all),
                }));
            }
        }
        // The filters leave little of what is near: a scan finds it.
        Ok(Some(Self {
            row_set: None,
            is_all: true,
            spare: usize::MAX,
        }))
    }
}

/// The groups near a vector.
struct NearGroups {
    unsealed: Vec<(i64, i64)>,
    /// By their distance in steps.
    groups: BTreeMap<i32, PostingGroup>,
    is_all_groups: bool,
}

impl NearGroups {
    /// Returns the statement that finds the groups.
    fn statement(
        table: &'static Table,
        vector: &Embedding,
        scope: &Scope<'_>,
        range: SegmentRange,
        wanted: i64,
    ) -> Result<Sql, Error> {
        let mut sql = Sql::default();
        let template_condition = template_condition(table, scope, &mut sql)?;
        let target = sql.argument(table.name)?;
        let vector = sql.value(table.column_of(ColumnRole::Embedding), vector.to_value())?;
        let within = range.condition(&mut sql)?;
        let wanted_groups = sql.argument(wanted)?;
        sql.push(&format!(
            "{sealed}, \
             templates AS MATERIALIZED (\
               SELECT distance_step, id FROM (\
                 SELECT (nullif(vector <=> {vector}, 'NaN') * {DISTANCE_STEPS})::int AS distance_step, id, fields FROM search_templates \
                 WHERE target = {target} OFFSET 0) AS t \
               WHERE distance_step <= {MAX_DISTANCE_STEP}{template_condition}{has_live_postings}), \
             counted AS MATERIALIZED (SELECT count(DISTINCT distance_step) AS __group_count FROM templates), \
             nearest AS MATERIALIZED (\
               SELECT t.distance_step, t.id, (\
                 SELECT sum(rows) FROM search_postings WHERE template_id = t.id{live_postings}) AS rows \
               FROM templates AS t WHERE t.distance_step <= (SELECT max(distance_step) FROM (\
                 SELECT DISTINCT distance_step FROM templates ORDER BY distance_step LIMIT {wanted_groups}) AS n)), \
             limits AS MATERIALIZED (\
               SELECT CASE WHEN sum(rows) <= {VECTOR_LIMIT} THEN {VECTOR_LIMIT} ELSE {IDS_PER_GROUP} END AS __each FROM nearest) \
             SELECT sealed.*, counted.*, limits.*, n.distance_step, n.is_truncated, n.ids \
             FROM sealed CROSS JOIN counted CROSS JOIN limits LEFT JOIN LATERAL (\
               SELECT t.distance_step, r.* FROM nearest AS t CROSS JOIN LATERAL ({posting_ids}) AS r) AS n ON TRUE",
            sealed = sealed_cte(&target, &within),
            live_postings = live_postings(&within),
            has_live_postings = has_live_postings("t.id", &target, &within),
            posting_ids = posting_ids("t.id", "__each", &live_postings(&within)),
        ));
        Ok(sql)
    }

    async fn read(
        conn: &mut PgConnection,
        table: &'static Table,
        vector: &Embedding,
        scope: &Scope<'_>,
        range: SegmentRange,
        wanted: i64,
    ) -> Result<Option<Self>, Error> {
        let sql = Self::statement(table, vector, scope, range, wanted)?;
        let Some((rows, unsealed)) = fetch_with_ranges(sql, conn, table, range).await? else {
            return Ok(None);
        };
        let row = &rows[0];
        let all_groups: i64 = row.try_get("__group_count")?;
        let each: i32 = row.try_get("__each")?;
        let mut groups: BTreeMap<i32, PostingGroup> = BTreeMap::new();
        for row in &rows {
            let Some(distance) = row.try_get("distance_step")? else {
                continue;
            };
            let group = groups.entry(distance).or_default();
            group.add(row.try_get("is_truncated")?, row.try_get("ids")?);
        }
        for group in groups.values_mut() {
            group.newest(usize::try_from(each).unwrap_or(IDS_PER_GROUP));
        }
        Ok(Some(Self {
            unsealed,
            is_all_groups: groups.len() as i64 >= all_groups,
            groups,
        }))
    }

    fn ids(&self) -> Vec<i64> {
        let ids = self.groups.values().flat_map(|group| &group.ids);
        ids.copied().collect()
    }
}

/// The number of templates that are read for the nearest records, first and
/// then.
const TEMPLATES_AT_FIRST: i64 = 100;
const TEMPLATES_THEN: i64 = 4_000;

/// The number of newest records that are read of a template.
const IDS_PER_TEMPLATE: usize = 100;

/// Finds the row set of the `wanted` records in a scope that are nearest to a
/// vector, the newest of equals first; `None` if a scan is necessary.
pub(crate) async fn nearest_rows(
    conn: &mut PgConnection,
    table: &'static Table,
    vector: &Embedding,
    wanted: u64,
    scope: &Scope<'_>,
) -> Result<Option<RowSet>, Error> {
    let range = SegmentRange::of(conn, table, scope).await?;
    for templates in [TEMPLATES_AT_FIRST, TEMPLATES_THEN] {
        let Some(groups) =
            OrderedPostings::read(conn, table, vector, scope, range, templates).await?
        else {
            return Ok(None);
        };
        let ids = groups
            .groups
            .iter()
            .flat_map(|(_, group)| &group.ids)
            .copied();
        let ids = ids.collect();
        let in_scope = rows_in_scope(conn, table, Some(vector), scope, ids).await?;
        let (mut row_set, mut is_known) = (Vec::new(), groups.is_all);
        for (distance, group) in &groups.groups {
            // A record that was changed since may belong to another group, too.
            let passing = group.ids.iter().copied();
            row_set.extend(passing.filter(|id| in_scope.get(id) == Some(&Some(*distance))));
            if row_set.len() as u64 >= wanted {
                is_known = true;
                break;
            }
            if group.is_truncated {
                return Ok(None);
            }
        }
        if is_known {
            return Ok(Some(RowSet::new(groups.unsealed, row_set)));
        }
    }
    Ok(None)
}

/// The groups nearest to a vector, in order.
struct OrderedPostings {
    unsealed: Vec<(i64, i64)>,
    groups: Vec<(f64, PostingGroup)>,
    /// Whether there are no others.
    is_all: bool,
}

impl OrderedPostings {
    /// Returns the statement that finds the postings.
    fn statement(
        table: &'static Table,
        vector: &Embedding,
        scope: &Scope<'_>,
        range: SegmentRange,
        templates: i64,
    ) -> Result<Sql, Error> {
        let mut sql = Sql::default();
        let template_condition = template_condition(table, scope, &mut sql)?;
        let target = sql.argument(table.name)?;
        let vector = sql.value(table.column_of(ColumnRole::Embedding), vector.to_value())?;
        let within = range.condition(&mut sql)?;
        let limit = sql.argument(templates)?;
        sql.push(&format!(
            "{sealed}, \
             templates AS (\
               SELECT distance, id FROM (\
                 SELECT vector <=> {vector} AS distance, id, fields FROM search_templates \
                 WHERE target = {target} OFFSET 0) AS t \
               WHERE distance <> 'NaN'{template_condition}{has_live_postings} \
               ORDER BY distance LIMIT {limit}) \
             SELECT sealed.*, n.* FROM sealed LEFT JOIN LATERAL (\
               SELECT t.distance, r.* FROM templates AS t CROSS JOIN LATERAL ({posting_ids}) AS r) AS n ON TRUE \
             ORDER BY distance",
            sealed = sealed_cte(&target, &within),
            has_live_postings = has_live_postings("t.id", &target, &within),
            posting_ids = posting_ids("t.id", &IDS_PER_TEMPLATE.to_string(), &live_postings(&within)),
        ));
        Ok(sql)
    }

    async fn read(
        conn: &mut PgConnection,
        table: &'static Table,
        vector: &Embedding,
        scope: &Scope<'_>,
        range: SegmentRange,
        templates: i64,
    ) -> Result<Option<Self>, Error> {
        let sql = Self::statement(table, vector, scope, range, templates)?;
        let Some((rows, unsealed)) = fetch_with_ranges(sql, conn, table, range).await? else {
            return Ok(None);
        };
        let mut groups: Vec<(f64, PostingGroup)> = Vec::new();
        for row in &rows {
            let distance = row.try_get::<Option<f64>, _>("distance")?;
            let Some(distance) = distance.filter(|distance| !distance.is_nan()) else {
                continue;
            };
            if groups.last().is_none_or(|(last, _)| *last != distance) {
                groups.push((distance, PostingGroup::default()));
            }
            if let Some((_, group)) = groups.last_mut() {
                group.add(row.try_get("is_truncated")?, row.try_get("ids")?);
            }
        }
        let is_all = (rows.len() as u64) < templates.unsigned_abs();
        if !is_all {
            // The last group may have further records.
            groups.pop();
        }
        for (_, group) in &mut groups {
            group.newest(IDS_PER_TEMPLATE);
        }
        Ok(Some(Self {
            unsealed,
            groups,
            is_all,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{GROUPS_AT_FIRST, NearGroups, OrderedPostings, TEMPLATES_AT_FIRST};
    use crate::embedding::Embedding;
    use crate::search::candidates::segment_range::SegmentRange;
    use crate::search::fixtures::{lines, with_scope};
    use crate::{Log, Model as _};

    #[test]
    fn statements_of_near_groups_are_unchanged() {
        let vector = Embedding::of("connection refused").unwrap();
        for (name, range) in [
            ("all", SegmentRange::all()),
            ("range", SegmentRange::of_ids(1, 9)),
        ] {
            with_scope(|scope| {
                let sql = NearGroups::statement(Log::TABLE, &vector, scope, range, GROUPS_AT_FIRST);
                insta::assert_snapshot!(format!("near_groups_{name}"), lines(&sql.unwrap()));
                let sql = OrderedPostings::statement(
                    Log::TABLE,
                    &vector,
                    scope,
                    range,
                    TEMPLATES_AT_FIRST,
                );
                insta::assert_snapshot!(format!("nearest_{name}"), lines(&sql.unwrap()));
            });
        }
    }
}

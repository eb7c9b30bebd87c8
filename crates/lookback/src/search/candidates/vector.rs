//! The records near to a vector.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row as _};

use super::postings::{Kind, has_records, kept, passing, possible, records};
use super::row_set::{Places, sealed, unsealed};
use super::segment_range::Span;
use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::search::scope::Scope;
use crate::search::statement::{FAR, KINDS, NEAR, NEAR_OF_A_KIND, PARTS};
use crate::value::ColumnValue;

/// Where the records nearest to a vector are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Nearest {
    /// `None` for all of the table.
    pub(crate) places: Option<Places>,
    /// Whether no other record is near.
    pub(crate) is_all: bool,
}

/// Kinds looked at, at first and then.
const KINDS_AT_FIRST: i64 = KINDS + KINDS / 4;
const KINDS_THEN: i64 = 20 * KINDS;

/// The ids of a kind that are looked at where there are many records: some may
/// be of deleted records, or not pass the filters.
const IDS: usize = 2 * NEAR_OF_A_KIND as usize;

impl Nearest {
    /// The places of the records of a scope that are near to a vector: all where
    /// they are few, else the newest few of each of the nearest kinds. `None`
    /// where nothing is sealed.
    pub(in crate::search) async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        vector: &Embedding,
        scope: &Scope<'_>,
    ) -> Result<Option<Self>, Error> {
        let span = Span::of(conn, table, scope).await?;
        for wanted in [KINDS_AT_FIRST, KINDS_THEN] {
            let Some(near) = Near::read(conn, table, vector, scope, span, wanted).await? else {
                return Ok(None);
            };
            let passing = passing(conn, table, Some(vector), scope.records()?, near.ids()).await?;
            let (mut alive, mut found, mut is_short) = (0, 0, false);
            for kind in near.kinds.values() {
                let pass = kind
                    .ids
                    .iter()
                    .filter(|id| passing.contains_key(*id))
                    .count();
                alive += i64::from(pass > 0);
                found += pass as i64;
                is_short |= kind.is_cut && pass < NEAR_OF_A_KIND as usize;
            }
            let is_enough = alive >= KINDS || found >= NEAR;
            if is_enough || (near.is_all_kinds && !is_short) {
                let ids = passing.into_keys().collect();
                let is_cut = near.kinds.values().any(|kind| kind.is_cut);
                return Ok(Some(Self {
                    places: Some(Places::new(near.hot, ids)),
                    is_all: near.is_all_kinds && !is_cut,
                }));
            }
        }
        // The filters leave little of what is near: a scan knows.
        Ok(Some(Self {
            places: None,
            is_all: true,
        }))
    }
}

/// The kinds near to a vector.
struct Near {
    hot: Vec<(i64, i64)>,
    /// By their distance.
    kinds: BTreeMap<i32, Kind>,
    is_all_kinds: bool,
}

impl Near {
    async fn read(
        conn: &mut PgConnection,
        table: &'static Table,
        vector: &Embedding,
        scope: &Scope<'_>,
        span: Span,
        wanted: i64,
    ) -> Result<Option<Self>, Error> {
        let (mut sql, possible) = possible(table, scope)?;
        let target = sql.argument(table.name)?;
        sql.bind_value(table.column_of(ColumnRole::Embedding), vector.to_value())?;
        let vector = sql.take_text();
        let within = span.condition(&mut sql)?;
        let wanted_kinds = sql.argument(wanted)?;
        sql.push(&format!(
            "{SEALED}, \
             templates AS MATERIALIZED (\
               SELECT kind, id FROM (\
                 SELECT (nullif(vector <=> {vector}, 'NaN') * {PARTS})::int AS kind, id, fields FROM search_templates \
                 WHERE deleted_at IS NULL AND target = {target} OFFSET 0) AS t \
               WHERE kind <= {FAR}{possible}{has_records}), \
             counted AS MATERIALIZED (SELECT count(DISTINCT kind) AS __kinds FROM templates), \
             nearest AS MATERIALIZED (\
               SELECT t.kind, t.id, (\
                 SELECT sum(rows) FROM search_kinds WHERE deleted_at IS NULL AND template_id = t.id{kept}) AS rows \
               FROM templates AS t WHERE t.kind <= (SELECT max(kind) FROM (\
                 SELECT DISTINCT kind FROM templates ORDER BY kind LIMIT {wanted_kinds}) AS n)), \
             looked_at AS MATERIALIZED (\
               SELECT CASE WHEN sum(rows) <= {NEAR} THEN {NEAR} ELSE {IDS} END AS __each FROM nearest) \
             SELECT sealed.*, counted.*, looked_at.*, n.kind, n.is_cut, n.ids \
             FROM sealed CROSS JOIN counted CROSS JOIN looked_at LEFT JOIN LATERAL (\
               SELECT t.kind, r.* FROM nearest AS t CROSS JOIN LATERAL ({records}) AS r) AS n ON TRUE",
            SEALED = sealed(&target, &within),
            kept = kept(&within),
            has_records = has_records("t.id", &target, &within),
            records = records("t.id", "__each", &kept(&within)),
        ));
        let rows = sql.fetch_all(conn).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let Some(hot) = unsealed(table, row, span)? else {
            return Ok(None);
        };
        let all_kinds: i64 = row.try_get("__kinds")?;
        let each: i32 = row.try_get("__each")?;
        let mut kinds: BTreeMap<i32, Kind> = BTreeMap::new();
        for row in &rows {
            let Some(distance) = row.try_get("kind")? else {
                continue;
            };
            let kind = kinds.entry(distance).or_default();
            kind.add(row.try_get("is_cut")?, row.try_get("ids")?);
        }
        for kind in kinds.values_mut() {
            kind.newest(usize::try_from(each).unwrap_or(IDS));
        }
        Ok(Some(Self {
            hot,
            is_all_kinds: kinds.len() as i64 >= all_kinds,
            kinds,
        }))
    }

    fn ids(&self) -> Vec<i64> {
        let ids = self.kinds.values().flat_map(|kind| &kind.ids);
        ids.copied().collect()
    }
}

/// Entries that are looked at for the nearest records of all, at first and then.
const ENTRIES_AT_FIRST: i64 = 100;
const ENTRIES_THEN: i64 = 4_000;

/// So many of the newest records of a vector are known, however many it has.
const KNOWN: usize = 100;

/// Where this many records of a scope that are nearest to a vector are, the
/// newest of equals first; `None` where that is not known without a scan.
pub(crate) async fn nearest(
    conn: &mut PgConnection,
    table: &'static Table,
    vector: &Embedding,
    wanted: u64,
    scope: &Scope<'_>,
) -> Result<Option<Places>, Error> {
    let span = Span::of(conn, table, scope).await?;
    for entries in [ENTRIES_AT_FIRST, ENTRIES_THEN] {
        let Some(kinds) = InOrder::read(conn, table, vector, scope, span, entries).await? else {
            return Ok(None);
        };
        let ids = kinds.kinds.iter().flat_map(|(_, kind)| &kind.ids).copied();
        let ids = ids.collect();
        let passing = passing(conn, table, Some(vector), scope.records()?, ids).await?;
        let (mut places, mut is_known) = (Vec::new(), kinds.is_all);
        for (distance, kind) in &kinds.kinds {
            // One that was changed meanwhile is of another kind, too.
            let pass = kind.ids.iter().copied();
            places.extend(pass.filter(|id| passing.get(id) == Some(&Some(*distance))));
            if places.len() as u64 >= wanted {
                is_known = true;
                break;
            }
            if kind.is_cut {
                return Ok(None);
            }
        }
        if is_known {
            return Ok(Some(Places::new(kinds.hot, places)));
        }
    }
    Ok(None)
}

/// The kinds nearest to a vector, in this order.
struct InOrder {
    hot: Vec<(i64, i64)>,
    kinds: Vec<(f64, Kind)>,
    /// Whether there are no others.
    is_all: bool,
}

impl InOrder {
    async fn read(
        conn: &mut PgConnection,
        table: &'static Table,
        vector: &Embedding,
        scope: &Scope<'_>,
        span: Span,
        entries: i64,
    ) -> Result<Option<Self>, Error> {
        let (mut sql, possible) = possible(table, scope)?;
        let target = sql.argument(table.name)?;
        sql.bind_value(table.column_of(ColumnRole::Embedding), vector.to_value())?;
        let vector = sql.take_text();
        let within = span.condition(&mut sql)?;
        let limit = sql.argument(entries)?;
        sql.push(&format!(
            "{SEALED}, \
             templates AS (\
               SELECT distance, id FROM (\
                 SELECT vector <=> {vector} AS distance, id, fields FROM search_templates \
                 WHERE deleted_at IS NULL AND target = {target} OFFSET 0) AS t \
               WHERE distance <> 'NaN'{possible}{has_records} \
               ORDER BY distance LIMIT {limit}) \
             SELECT sealed.*, n.* FROM sealed LEFT JOIN LATERAL (\
               SELECT t.distance, r.* FROM templates AS t CROSS JOIN LATERAL ({records}) AS r) AS n ON TRUE \
             ORDER BY distance",
            SEALED = sealed(&target, &within),
            has_records = has_records("t.id", &target, &within),
            records = records("t.id", &KNOWN.to_string(), &kept(&within)),
        ));
        let rows = sql.fetch_all(conn).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let Some(hot) = unsealed(table, row, span)? else {
            return Ok(None);
        };
        let mut kinds: Vec<(f64, Kind)> = Vec::new();
        for row in &rows {
            let distance = row.try_get::<Option<f64>, _>("distance")?;
            let Some(distance) = distance.filter(|distance| !distance.is_nan()) else {
                continue;
            };
            if kinds.last().is_none_or(|(last, _)| *last != distance) {
                kinds.push((distance, Kind::default()));
            }
            if let Some((_, kind)) = kinds.last_mut() {
                kind.add(row.try_get("is_cut")?, row.try_get("ids")?);
            }
        }
        let is_all = (rows.len() as u64) < entries.unsigned_abs();
        if !is_all {
            // There may be others of the last.
            kinds.pop();
        }
        for (_, kind) in &mut kinds {
            kind.newest(KNOWN);
        }
        Ok(Some(Self { hot, kinds, is_all }))
    }
}

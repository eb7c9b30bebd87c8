//! The records with letters of a search.

use sqlx::{PgConnection, Row as _};

use super::blocks::Blocks;
use super::kind::{Kind, are_starved, passing};
use super::pieces::Pieces;
use super::places::Places;
use crate::error::Error;
use crate::model::{Role, Table};
use crate::seal::template::templates_within;
use crate::search::grammar::containing;
use crate::search::query::Query;
use crate::search::scope::Scope;
use crate::search::statement::{BY_LETTERS, OF_A_KIND, PARTS, Words};
use crate::sql::Sql;
use crate::value::{ColumnValue, Value};

/// So many records are enough to rank, if no other can be better.
pub(super) const ENOUGH: usize = BY_LETTERS as usize;

/// Where the records with letters of a query are.
#[derive(Debug)]
pub(in crate::search) struct Lettered {
    hot: Vec<(i64, i64)>,
    /// Records of kinds.
    ids: Vec<i64>,
    /// Whether these are all records of kinds that have letters of the query.
    has_all_kinds: bool,
    blocks: Blocks,
}

impl Lettered {
    /// The places of the records of a scope with letters of a query; `None`
    /// where nothing is sealed, or where the filters leave so little that a scan
    /// has to tell.
    pub(in crate::search) async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        query: &Query,
        scope: &Scope<'_>,
    ) -> Result<Option<Self>, Error> {
        let pieces = Pieces::of(conn, query).await?;
        let Some((hot, blocks)) = Blocks::find(conn, table, &pieces, false).await? else {
            return Ok(None);
        };
        let (mut ids, mut has_all_kinds) = (Vec::new(), true);
        if pieces.are_in_templates() {
            let found = LetteredKinds::find(conn, table, query, &pieces, scope).await?;
            let Some(found) = found else { return Ok(None) };
            (ids, has_all_kinds) = found;
        }
        Ok(Some(Self {
            hot: hot.to_vec(),
            ids,
            has_all_kinds,
            blocks,
        }))
    }

    pub(in crate::search) fn places(&self) -> Places {
        let blocks = self.blocks.taken().iter();
        let blocks = blocks.map(|(first, last, _)| (*first, *last));
        let ranges = self.hot.iter().copied().chain(blocks);
        Places::new(ranges.collect(), self.ids.clone())
    }

    /// Whether every record with letters of the query is read.
    pub(in crate::search) fn is_all(&self) -> bool {
        self.has_all_kinds && self.blocks.is_all()
    }

    /// Whether what is read, with these signatures, is enough for hits up to the
    /// end of a page.
    pub(in crate::search) fn is_enough(&self, signatures: &[i64], page: usize) -> bool {
        self.blocks.is_all() || self.blocks.is_enough(signatures, page)
    }

    /// Takes in more blocks.
    pub(in crate::search) async fn go_on(
        &mut self,
        conn: &mut PgConnection,
        table: &'static Table,
        query: &Query,
    ) -> Result<(), Error> {
        if self.blocks.is_list_over() {
            let pieces = Pieces::of(conn, query).await?;
            if let Some((_, all)) = Blocks::find(conn, table, &pieces, true).await? {
                let taken = self.blocks.taken;
                self.blocks = all;
                self.blocks.taken = taken;
            }
        }
        self.blocks.taken = self.blocks.taken.saturating_mul(5);
        Ok(())
    }
}

/// Kinds whose templates have letters of a query.
struct LetteredKinds {
    /// Of the same of the words and the same distance, the best first.
    groups: Vec<Kind>,
    /// Whether there are no others.
    is_all: bool,
}

/// Groups that are looked at, at first and then.
const GROUPS_AT_FIRST: i64 = 300;
const GROUPS_THEN: i64 = 3_000;

impl LetteredKinds {
    /// The ids of records of a scope that have letters of a query in their
    /// templates, and whether they are all; `None` where only a scan knows.
    async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        query: &Query,
        pieces: &Pieces,
        scope: &Scope<'_>,
    ) -> Result<Option<(Vec<i64>, bool)>, Error> {
        for wanted in [GROUPS_AT_FIRST, GROUPS_THEN] {
            let found = Self::read(conn, table, query, pieces, wanted).await?;
            let mut ids: Vec<i64> = Vec::new();
            let (mut few, mut short, mut is_cut) = (0, Vec::new(), false);
            let mut groups = found.groups.as_slice();
            while few < ENOUGH && !groups.is_empty() {
                let mut counted = 0;
                let some = groups.iter().position(|kind| {
                    counted += kind.ids.len();
                    counted > 2 * ENOUGH
                });
                let (some, others) = groups.split_at(some.unwrap_or(groups.len()).max(1));
                groups = others;
                let looked_at = some.iter().flat_map(|kind| &kind.ids).copied();
                let passing =
                    passing(conn, table, None, scope.records()?, looked_at.collect()).await?;
                for kind in some {
                    let pass = kind
                        .ids
                        .iter()
                        .filter(|id| passing.contains_key(*id))
                        .count();
                    few += pass.min(OF_A_KIND as usize);
                    if kind.is_cut && pass < OF_A_KIND as usize {
                        short.push(kind);
                    }
                    is_cut |= kind.is_cut;
                }
                ids.extend(passing.into_keys());
            }
            if few >= ENOUGH
                || (found.is_all && !are_starved(conn, table, scope, short.into_iter()).await?)
            {
                let is_all = found.is_all && groups.is_empty() && !is_cut;
                return Ok(Some((ids, is_all)));
            }
        }
        Ok(None)
    }

    async fn read(
        conn: &mut PgConnection,
        table: &'static Table,
        query: &Query,
        pieces: &Pieces,
        wanted: i64,
    ) -> Result<Self, Error> {
        let mut sql = Sql::default();
        let target = sql.argument(table.name)?;
        let vector = query.embedding.as_ref();
        let vector = vector.map_or(Value::Null, ColumnValue::to_value);
        sql.bind_value(table.role(Role::Embedding), vector)?;
        let vector = sql.take_text();
        let wanted_groups = sql.argument(wanted)?;
        let mut patterns = Vec::new();
        for word in &pieces.words {
            for piece in std::iter::once(&word.whole).chain(&word.pieces) {
                let pattern = sql.argument(containing(&piece.text))?;
                patterns.push((piece.text.clone(), pattern));
            }
        }
        let pattern = |text: &str| {
            let known = patterns.iter().find(|(known, _)| known == text);
            known.map_or_else(String::new, |(_, pattern)| pattern.clone())
        };
        let signature = pieces.signature(&|piece| match piece.is_odd {
            true => "FALSE".to_owned(),
            false => format!("template LIKE {}", pattern(&piece.text)),
        });
        let mut phrases = String::new();
        for phrase in &pieces.phrases {
            let within = templates_within(&phrase.text);
            let within: Vec<String> = within.iter().map(|text| containing(text)).collect();
            let within = sql.argument(within)?;
            phrases.push_str(&format!(" AND template LIKE ANY ({within}::text[])"));
        }
        let any = match pieces.phrases.is_empty() {
            true => " WHERE __signature > 0",
            false => "",
        };
        let count = pieces.words.len();
        sql.push(&format!(
            "WITH kinds AS MATERIALIZED (\
               SELECT * FROM (\
                 SELECT id, rows, coalesce((nullif(vector <=> {vector}, 'NaN') * {PARTS})::int, 3 * {PARTS}) AS kind, \
                   {signature} AS __signature FROM search_kinds \
                 WHERE deleted_at IS NULL AND target = {target}{phrases} OFFSET 0) AS k{any}), \
             groups AS (SELECT __signature, kind, sum(rows)::bigint AS rows FROM kinds GROUP BY 1, 2), \
             weights AS (SELECT {weights} FROM groups), \
             counted AS (SELECT count(*) AS __groups, coalesce(sum(rows), 0)::bigint AS __rows FROM groups), \
             chosen AS (\
               SELECT __signature, kind, ({score})::float8 AS score FROM groups CROSS JOIN weights \
               ORDER BY score DESC, kind LIMIT {wanted_groups}) \
             SELECT __groups, __signature, kind, kinds.rows, \
               CASE WHEN __rows <= {BY_LETTERS} THEN s.newest_ids ELSE s.newest_ids[1:greatest({listed}, 2 * {BY_LETTERS} / __groups)] END AS ids \
             FROM chosen JOIN kinds USING (__signature, kind) JOIN search_kinds AS s USING (id) CROSS JOIN counted \
             ORDER BY score DESC, kind, __signature",
            weights = Words::weights_of_rows(count),
            score = Words::score(0..count),
            listed = 2 * OF_A_KIND,
        ));
        let rows = sql.fetch_all(conn).await?;
        let mut groups: Vec<Kind> = Vec::new();
        let (mut last, mut counted) = (None, 0);
        for row in &rows {
            counted = row.try_get::<i64, _>("__groups")?;
            let key: (i64, i32) = (row.try_get("__signature")?, row.try_get("kind")?);
            if last != Some(key) {
                groups.push(Kind::default());
                last = Some(key);
            }
            if let Some(kind) = groups.last_mut() {
                kind.add(row.try_get("rows")?, row.try_get("ids")?);
            }
        }
        // Few groups may have more of each.
        let each = (2 * ENOUGH / groups.len().max(1)).max(2 * OF_A_KIND as usize);
        for kind in &mut groups {
            kind.newest(match kind.is_cut {
                true => each,
                false => usize::MAX,
            });
        }
        Ok(Self {
            is_all: groups.len() as i64 >= counted,
            groups,
        })
    }
}

//! The records with letters of a search.

use sqlx::{PgConnection, Row as _};

use super::blocks::Blocks;
use super::postings::{Kind, passing, possible, records};
use super::row_set::Places;
use super::segment_range::Span;
use super::tokens::Pieces;
use crate::error::Error;
use crate::filter::Pattern;
use crate::model::{ColumnRole, Table};
use crate::search::index::templates::templates_within;
use crate::search::parse::query::Query;
use crate::search::scope::Scope;
use crate::search::statement::{BY_LETTERS, OF_A_KIND, PARTS, Words};
use crate::value::{ColumnValue, Value};

/// So many records are enough to rank, if no other can be better.
pub(super) const ENOUGH: usize = BY_LETTERS as usize;

/// Where the records with letters of a query are.
#[derive(Debug)]
pub(in crate::search) struct Lettered {
    hot: Vec<(i64, i64)>,
    span: Span,
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
        let span = Span::of(conn, table, scope).await?;
        let Some((hot, blocks)) = Blocks::find(conn, table, &pieces, span, false).await? else {
            return Ok(None);
        };
        let (mut ids, mut has_all_kinds) = (Vec::new(), true);
        if pieces.are_in_templates() {
            let of = (span, blocks.from);
            let found = LetteredKinds::find(conn, table, query, &pieces, scope, of).await?;
            let Some(found) = found else { return Ok(None) };
            (ids, has_all_kinds) = found;
        }
        Ok(Some(Self {
            hot: hot.to_vec(),
            span,
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
            if let Some((_, all)) = Blocks::find(conn, table, &pieces, self.span, true).await? {
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

/// How far it is looked for records of kinds.
#[derive(Clone, Copy)]
struct Effort {
    /// Groups that are looked at.
    groups: i64,
    /// Of each kind, how many times as many records as are wanted, in quarters:
    /// some may be deleted, or not pass the filters.
    quarters: i64,
}

const EFFORTS: [Effort; 2] = [
    Effort {
        groups: 300,
        quarters: 5,
    },
    Effort {
        groups: 3_000,
        quarters: 80,
    },
];

/// Where so many records were looked at and too few are of the scope, reading all
/// of the table is no more work.
const LOOKED_AT: usize = 100_000;

impl LetteredKinds {
    /// The ids of records of a scope that have letters of a query in their
    /// templates, of a span and from an id on, and whether they are all; `None`
    /// where only a scan knows.
    async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        query: &Query,
        pieces: &Pieces,
        scope: &Scope<'_>,
        of: (Span, i64),
    ) -> Result<Option<(Vec<i64>, bool)>, Error> {
        for effort in EFFORTS {
            let found = Self::read(conn, table, query, pieces, scope, of, effort).await?;
            let mut ids: Vec<i64> = Vec::new();
            let (mut few, mut is_short, mut is_cut, mut looked_at) = (0, false, false, 0);
            let mut groups = found.groups.as_slice();
            while few < ENOUGH && !groups.is_empty() && looked_at < LOOKED_AT {
                let mut counted = 0;
                let some = groups.iter().position(|kind| {
                    counted += kind.ids.len();
                    counted > 2 * ENOUGH
                });
                let (some, others) = groups.split_at(some.unwrap_or(groups.len()).max(1));
                groups = others;
                let listed: Vec<i64> = some.iter().flat_map(|kind| &kind.ids).copied().collect();
                looked_at += listed.len();
                let passing = passing(conn, table, None, scope.records()?, listed).await?;
                for kind in some {
                    let pass = kind
                        .ids
                        .iter()
                        .filter(|id| passing.contains_key(*id))
                        .count();
                    few += pass.min(OF_A_KIND as usize);
                    is_short |= kind.is_cut && pass < OF_A_KIND as usize;
                    is_cut |= kind.is_cut;
                }
                ids.extend(passing.into_keys());
            }
            let is_over = groups.is_empty() && found.is_all;
            if few >= ENOUGH || (is_over && !is_short) {
                return Ok(Some((ids, is_over && !is_cut)));
            }
        }
        Ok(None)
    }

    async fn read(
        conn: &mut PgConnection,
        table: &'static Table,
        query: &Query,
        pieces: &Pieces,
        scope: &Scope<'_>,
        (span, from): (Span, i64),
        effort: Effort,
    ) -> Result<Self, Error> {
        let (mut sql, possible) = possible(table, scope)?;
        let target = sql.argument(table.name)?;
        let vector = query.embedding.as_ref();
        let vector = vector.map_or(Value::Null, ColumnValue::to_value);
        sql.bind_value(table.column_of(ColumnRole::Embedding), vector)?;
        let vector = sql.take_text();
        let mut span = span.condition(&mut sql)?;
        // What is below, retention took: see `index/orphans.rs`.
        span.push_str(&format!(" AND last_id >= {}", sql.argument(from)?));
        let wanted = sql.argument(effort.groups)?;
        let quarters = sql.argument(effort.quarters)?;
        let mut patterns = Vec::new();
        for word in &pieces.words {
            for piece in std::iter::once(&word.whole).chain(&word.pieces) {
                let pattern = sql.argument(Pattern::containing(&piece.text))?;
                patterns.push((piece.text.clone(), pattern));
            }
        }
        let pattern = |text: &str| {
            let known = patterns.iter().find(|(known, _)| known == text);
            known.map_or_else(|| "NULL".to_owned(), |(_, pattern)| pattern.clone())
        };
        let signature = pieces.signature(&|piece| match piece.is_odd {
            true => "FALSE".to_owned(),
            false => format!("template LIKE {}", pattern(&piece.text)),
        });
        let mut phrases = String::new();
        for phrase in &pieces.phrases {
            let within = templates_within(&phrase.text);
            let within: Vec<String> = within
                .iter()
                .map(|text| Pattern::containing(text))
                .collect();
            let within = sql.argument(within)?;
            phrases.push_str(&format!(" AND template LIKE ANY ({within}::text[])"));
        }
        let any = match pieces.phrases.is_empty() {
            true => "__signature > 0",
            false => "TRUE",
        };
        let count = pieces.words.len();
        // Each part once, whatever the planner knows of tables that were filled a moment ago.
        sql.push(&format!(
            "WITH templates AS MATERIALIZED (\
               SELECT t.id, coalesce((nullif(t.vector <=> {vector}, 'NaN') * {PARTS})::int, 3 * {PARTS}) AS kind, \
                 t.__signature, k.rows \
               FROM (\
                 SELECT id, fields, vector, {signature} AS __signature FROM search_templates \
                 WHERE deleted_at IS NULL AND target = {target}{phrases} OFFSET 0) AS t \
               CROSS JOIN LATERAL (\
                 SELECT sum(rows)::bigint AS rows FROM search_kinds \
                 WHERE deleted_at IS NULL AND template_id = t.id{span} OFFSET 0) AS k \
               WHERE {any}{possible} AND k.rows > 0), \
             groups AS (SELECT __signature, kind, sum(rows)::bigint AS rows FROM templates GROUP BY 1, 2), \
             weights AS MATERIALIZED (SELECT {weights} FROM groups), \
             counted AS MATERIALIZED (\
               SELECT count(*) AS __groups, \
                 {quarters} * CASE WHEN coalesce(sum(rows), 0) <= {BY_LETTERS} THEN {BY_LETTERS} \
                   ELSE greatest({OF_A_KIND}, {BY_LETTERS} / count(*)) END / 4 AS __each FROM groups), \
             chosen AS (\
               SELECT __signature, kind, ({score})::float8 AS score FROM groups CROSS JOIN weights \
               ORDER BY score DESC, kind LIMIT {wanted}), \
             wanted AS MATERIALIZED (\
               SELECT t.id, __signature, kind, score FROM chosen JOIN templates AS t USING (__signature, kind)) \
             SELECT __groups, __each, __signature, kind, r.* FROM counted CROSS JOIN wanted AS t \
             CROSS JOIN LATERAL ({records}) AS r \
             ORDER BY score DESC, kind, __signature",
            weights = Words::weights_of_rows(count),
            score = Words::score(0..count),
            records = records("t.id", "__each", &span),
        ));
        let rows = sql.fetch_all(conn).await?;
        let mut groups: Vec<Kind> = Vec::new();
        let (mut last, mut counted, mut each) = (None, 0, 0);
        for row in &rows {
            counted = row.try_get::<i64, _>("__groups")?;
            each = row.try_get::<i64, _>("__each")?;
            let key: (i64, i32) = (row.try_get("__signature")?, row.try_get("kind")?);
            if last != Some(key) {
                groups.push(Kind::default());
                last = Some(key);
            }
            if let Some(kind) = groups.last_mut() {
                kind.add(row.try_get("is_cut")?, row.try_get("ids")?);
            }
        }
        for kind in &mut groups {
            kind.newest(usize::try_from(each).unwrap_or(usize::MAX));
        }
        Ok(Self {
            is_all: groups.len() as i64 >= counted,
            groups,
        })
    }
}

//! Blocks that may have words of a search.

use sqlx::{PgConnection, Row as _};

use super::lexical::ENOUGH;
use super::row_set::{ORDERLY, check_orderly};
use super::segment_range::Span;
use super::tokens::Pieces;
use crate::db::Sql;
use crate::error::Error;
use crate::model::Table;
use crate::search::statement::Words;

/// Blocks that may have words of a query.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Best first, with the most that a record of it can be worth.
    listed: Vec<(i64, i64, f64)>,
    /// How many there are of them, in the list or not.
    counted: u64,
    /// How much each word is worth.
    weights: Vec<f64>,
    /// How many of the blocks are read.
    pub(super) taken: usize,
    /// The least id that is sealed.
    pub(super) from: i64,
    /// How many records are sealed.
    sealed: u64,
    /// Whether a word has a digit; of others, blocks know only what is within
    /// ids.
    has_odd_words: bool,
}

/// Blocks read at first; then five times as many, each time.
const FIRST_BLOCKS: usize = 64;

/// So many blocks are listed at once.
const LISTED_BLOCKS: usize = 64 * 5 * 5 * 5;

/// In a table of more sealed records than this, a search need not have read
/// everything that could be a hit.
const LARGE: u64 = 65_536;

/// A page is full with records as good as this part of the best: no other is
/// looked for.
const GOOD: f64 = 0.5;

impl Blocks {
    /// With what is not sealed; `None` where nothing is.
    pub(super) async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        pieces: &Pieces,
        span: Span,
        all: bool,
    ) -> Result<Option<([(i64, i64); 2], Self)>, Error> {
        let mut sql = Sql::default();
        let target = sql.argument(table.name)?;
        let listed = match all {
            true => i64::MAX,
            false => LISTED_BLOCKS as i64,
        };
        let listed = sql.argument(listed)?;
        let count = pieces.words.len();
        let within = span.condition(&mut sql)?;
        sql.push(&format!(
            "WITH sealed AS (\
               SELECT min(first_id) AS __first, max(last_id) AS __until, \
                 sum(rows)::bigint AS __sealed, {ORDERLY} AS __orderly \
               FROM sealed_segments WHERE deleted_at IS NULL AND target = {target}), \
             segments AS MATERIALIZED (\
               SELECT first_id, last_id, has_kinds{columns} FROM sealed_segments \
               WHERE deleted_at IS NULL AND target = {target}{within}), \
             blocks AS MATERIALIZED (\
               SELECT b.* FROM segments AS s CROSS JOIN LATERAL (\
                 SELECT first_id, last_id, {signature} AS __signature, {has_phrases} AS __phrases FROM search_blocks AS b \
                 WHERE deleted_at IS NULL AND target = {target} \
                   AND first_id BETWEEN s.first_id AND s.last_id OFFSET 0) AS b \
               WHERE {in_segment} AND {any}), \
             weights AS MATERIALIZED (SELECT {weights} FROM blocks), \
             ranked AS (\
               SELECT first_id, last_id, ({score})::float8 AS score FROM blocks CROSS JOIN weights \
               ORDER BY score DESC, first_id DESC LIMIT {listed}) \
             SELECT sealed.*, weights.*, (SELECT count(*) FROM blocks) AS __counted, ranked.* \
             FROM sealed CROSS JOIN weights LEFT JOIN ranked ON TRUE \
             ORDER BY score DESC, first_id DESC",
            columns = pieces.columns_of_segment(),
            signature = pieces.signature_of_block(),
            in_segment = pieces.in_segment(),
            has_phrases = pieces.phrases_of_block(),
            // Templates say where phrases without a digit are, and not where a word with one is.
            any = match (pieces.phrases.is_empty(), pieces.has_odd_phrase()) {
                (true, _) => "__signature > 0",
                (false, true) => "__phrases",
                (false, false) if pieces.has_odd_words() => "(__phrases OR __signature > 0)",
                (false, false) => "__phrases",
            },
            weights = Words::weights(count),
            score = Words::score((0..count).filter(|place| pieces.counts_in_blocks(*place))),
        ));
        let rows = sql.once().fetch_all(conn).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        check_orderly(table, row)?;
        let (Some(first), Some(until)) = (row.try_get("__first")?, row.try_get("__until")?) else {
            return Ok(None);
        };
        let weight = |place: usize| match pieces.counts_in_blocks(place) {
            true => row.try_get(format!("w{place}").as_str()),
            false => Ok(0.0),
        };
        let weights = (0..count).map(weight).collect::<Result<_, _>>()?;
        let mut blocks = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(first) = row.try_get("first_id")? {
                blocks.push((first, row.try_get("last_id")?, row.try_get("score")?));
            }
        }
        let blocks = Self {
            listed: blocks,
            counted: row.try_get::<i64, _>("__counted")?.unsigned_abs(),
            weights,
            taken: FIRST_BLOCKS,
            from: first,
            sealed: row.try_get::<i64, _>("__sealed")?.unsigned_abs(),
            has_odd_words: pieces.has_odd_words(),
        };
        Ok(Some((span.hot(first, until), blocks)))
    }

    pub(super) fn taken(&self) -> &[(i64, i64, f64)] {
        &self.listed[..self.taken.min(self.listed.len())]
    }

    /// Whether every block is read.
    pub(super) fn is_all(&self) -> bool {
        self.taken as u64 >= self.counted
    }

    /// Whether all listed blocks are read, and there are others.
    pub(super) fn is_list_over(&self) -> bool {
        self.taken >= self.listed.len() && !self.is_all()
    }

    /// Whether what is read, with these signatures, is enough: no other record
    /// is better than as many of them as are ranked; or, in a large table, than
    /// those of the page, or half as good as the best.
    pub(super) fn is_enough(&self, signatures: &[i64], page: usize) -> bool {
        let Some((_, _, bound)) = self.listed.get(self.taken) else {
            return false;
        };
        let worth = |signature: &i64| -> f64 {
            let of_word = |(place, weight): (usize, &f64)| {
                let had = u8::try_from((signature >> (2 * place)) & 3).unwrap_or(0);
                f64::from(had) * weight
            };
            self.weights.iter().enumerate().map(of_word).sum()
        };
        let worths = signatures.iter().filter(|signature| **signature != 0);
        let worths: Vec<f64> = worths.map(worth).collect();
        let better = worths.iter().filter(|worth| **worth >= bound - 1e-9);
        let better = better.count();
        if better >= ENOUGH {
            return true;
        }
        let best = worths.iter().copied().fold(0.0, f64::max);
        self.sealed > LARGE
            && (better >= page
                || *bound < GOOD * best
                || (!self.has_odd_words && worths.len() >= page))
    }
}

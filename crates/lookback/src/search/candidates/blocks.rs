//! Blocks that may contain words of a search.

use sqlx::{PgConnection, Row as _};

use super::lexical::ENOUGH_ROWS;
use super::row_set::{SEGMENTS_ARE_DISJOINT, check_disjoint};
use super::segment_range::SegmentRange;
use super::tokens::QueryTokens;
use crate::db::Sql;
use crate::error::Error;
use crate::model::Table;
use crate::search::statement::Words;

/// The blocks that may contain words of a query, in ranked order.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Those that may contain covering records first, and then by score.
    ranked: Vec<RankedBlock>,
    /// The number of blocks, in the list or not.
    total: u64,
    /// The weight of each word.
    weights: Vec<f64>,
    /// The number of blocks that are read.
    pub(super) read: usize,
    /// The number of blocks of which the covering records are known.
    pub(super) covering_read: usize,
    /// The least sealed id.
    pub(super) from: i64,
    /// The number of sealed records.
    sealed: u64,
    /// Whether a word has a digit; for others, blocks know only occurrences
    /// within ids.
    has_digit_words: bool,
}

#[derive(Clone, Copy, Debug)]
struct RankedBlock {
    ids: (i64, i64),
    /// The highest possible score of a record.
    score: f64,
    /// Whether it may contain covering records.
    covers: bool,
}

/// The number of blocks read first; then five times as many each time.
const FIRST_BLOCKS: usize = 64;

/// The number of blocks that are listed at first.
const MAX_RANKED_BLOCKS: usize = 64 * 5 * 5 * 5;

/// The number of blocks that are read for covering records, the newest first.
const MAX_COVERING_BLOCKS: usize = 1_600;

/// The number of sealed records above which a search need not read every block
/// that could contain a hit.
const LARGE_TABLE: u64 = 65_536;

/// The share of the best score that is good enough to fill a page.
const GOOD_ENOUGH: f64 = 0.5;

impl Blocks {
    /// Ranks blocks; returned with the unsealed ranges. `None` if nothing is
    /// sealed.
    pub(super) async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        tokens: &QueryTokens,
        range: SegmentRange,
        all: bool,
    ) -> Result<Option<([(i64, i64); 2], Self)>, Error> {
        let sql = Self::statement(table, tokens, range, all)?;
        let count = tokens.words.len();
        let rows = sql.once().fetch_all(conn).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        check_disjoint(table, row)?;
        let (Some(first), Some(until)) = (row.try_get("__first")?, row.try_get("__until")?) else {
            return Ok(None);
        };
        let weight = |index: usize| {
            if tokens.counts_in_blocks(index) {
                row.try_get(format!("w{index}").as_str())
            } else {
                Ok(0.0)
            }
        };
        let weights = (0..count).map(weight).collect::<Result<_, _>>()?;
        let mut blocks = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(first) = row.try_get("first_id")? {
                blocks.push(RankedBlock {
                    ids: (first, row.try_get("last_id")?),
                    score: row.try_get("score")?,
                    covers: row.try_get("covers")?,
                });
            }
        }
        let blocks = Self {
            ranked: blocks,
            total: row.try_get::<i64, _>("__block_count")?.unsigned_abs(),
            weights,
            read: FIRST_BLOCKS,
            covering_read: 0,
            from: first,
            sealed: row.try_get::<i64, _>("__sealed")?.unsigned_abs(),
            has_digit_words: tokens.has_digit_words(),
        };
        Ok(Some((range.unsealed_ranges(first, until), blocks)))
    }

    /// Returns no blocks, for what templates alone have; with the unsealed ranges. `None`
    /// if nothing is sealed.
    pub(super) async fn none(
        conn: &mut PgConnection,
        table: &'static Table,
        range: SegmentRange,
    ) -> Result<Option<([(i64, i64); 2], Self)>, Error> {
        let mut sql = Sql::new(&format!(
            "SELECT min(first_id) AS __first, max(last_id) AS __until, \
               sum(rows)::bigint AS __sealed, {SEGMENTS_ARE_DISJOINT} AS __are_disjoint \
             FROM sealed_segments WHERE NOT is_tombstone AND target = "
        ));
        sql.bind(table.name)?;
        let Some(row) = sql.fetch_optional(conn).await? else {
            return Ok(None);
        };
        check_disjoint(table, &row)?;
        let (Some(first), Some(until)) = (row.try_get("__first")?, row.try_get("__until")?) else {
            return Ok(None);
        };
        let blocks = Self {
            ranked: Vec::new(),
            total: 0,
            weights: Vec::new(),
            read: 0,
            covering_read: 0,
            from: first,
            sealed: row.try_get::<i64, _>("__sealed")?.unsigned_abs(),
            has_digit_words: false,
        };
        Ok(Some((range.unsealed_ranges(first, until), blocks)))
    }

    /// Returns the statement that ranks blocks.
    fn statement(
        table: &'static Table,
        tokens: &QueryTokens,
        range: SegmentRange,
        all: bool,
    ) -> Result<Sql, Error> {
        let mut sql = Sql::default();
        let target = sql.argument(table.name)?;
        let ranked = if all {
            i64::MAX
        } else {
            MAX_RANKED_BLOCKS as i64
        };
        let ranked = sql.argument(ranked)?;
        let count = tokens.words.len();
        let within = range.condition(&mut sql)?;
        sql.push(&format!(
            "WITH sealed AS (\
               SELECT min(first_id) AS __first, max(last_id) AS __until, \
                 sum(rows)::bigint AS __sealed, {SEGMENTS_ARE_DISJOINT} AS __are_disjoint \
               FROM sealed_segments WHERE NOT is_tombstone AND target = {target}), \
             segments AS MATERIALIZED (\
               SELECT first_id, last_id, has_postings{columns} FROM sealed_segments \
               WHERE NOT is_tombstone AND target = {target}{within}), \
             blocks AS MATERIALIZED (\
               SELECT b.* FROM segments AS s CROSS JOIN LATERAL (\
                 SELECT first_id, last_id, {signature} AS __signature, {has_phrases} AS __phrases, {covers} AS covers FROM search_blocks AS b \
                 WHERE target = {target} \
                   AND first_id BETWEEN s.first_id AND s.last_id OFFSET 0) AS b \
               WHERE {in_segment} AND {any}), \
             weights AS MATERIALIZED (SELECT {weights} FROM blocks), \
             ranked AS (\
               SELECT first_id, last_id, covers, ({score})::float8 AS score FROM blocks CROSS JOIN weights \
               ORDER BY covers DESC, score DESC, first_id DESC LIMIT {ranked}) \
             SELECT sealed.*, weights.*, (SELECT count(*) FROM blocks) AS __block_count, ranked.* \
             FROM sealed CROSS JOIN weights LEFT JOIN ranked ON TRUE \
             ORDER BY covers DESC, score DESC, first_id DESC",
            columns = tokens.segment_columns(),
            signature = tokens.block_signature(),
            in_segment = tokens.segment_condition(),
            has_phrases = tokens.block_has_phrases(),
            covers = tokens.block_covers(),
            // Templates locate phrases without a digit, but no word with one.
            any = match (tokens.phrases.is_empty(), tokens.has_digit_phrase()) {
                (true, _) if tokens.has_short_runs() => "(__signature > 0 OR covers)",
                (true, _) => "__signature > 0",
                (false, true) => "__phrases",
                (false, false) if tokens.has_digit_words() => "(__phrases OR __signature > 0)",
                (false, false) => "__phrases",
            },
            weights = Words::weights(count),
            score = Words::score((0..count).filter(|index| tokens.counts_in_blocks(*index))),
        ));
        Ok(sql)
    }

    /// Returns the ranges of ids of the blocks that are read.
    pub(super) fn read_ranges(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.ranked.iter().take(self.read).map(|block| block.ids)
    }

    /// Returns the number of blocks whose covering records are read.
    fn known(&self) -> usize {
        self.read.max(self.covering_read)
    }

    /// Returns the ranges of ids of the blocks whose covering records are read.
    pub(super) fn known_ranges(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.ranked.iter().take(self.known()).map(|block| block.ids)
    }

    /// Returns the ranges of ids of the next blocks whose covering records are to be read, and the
    /// number of blocks of which they are known then.
    ///
    /// The first of them are those that are read anyway: they tell whether there are enough.
    pub(super) fn next_covering(&self) -> (usize, Vec<(i64, i64)>) {
        let until = match self.covering_read {
            0 => FIRST_BLOCKS,
            read => read.saturating_mul(5),
        };
        let until = until.min(MAX_COVERING_BLOCKS).min(self.ranked.len());
        let next = self.ranked.iter().take(until).skip(self.covering_read);
        let next = next.take_while(|block| block.covers).map(|block| block.ids);
        (until, next.collect())
    }

    /// Returns whether every block that may contain covering records is read.
    pub(super) fn are_all_covering_read(&self) -> bool {
        let next = self.ranked.get(self.known());
        self.known() as u64 >= self.total || next.is_some_and(|next| !next.covers)
    }

    /// Returns the id from which on every block that may contain covering records is
    /// read; `None` if all are.
    pub(super) fn covering_floor(&self) -> Option<i64> {
        if self.are_all_covering_read() {
            return None;
        }
        let unread = self.ranked.get(self.known()..).unwrap_or_default();
        let covering = unread.iter().filter(|block| block.covers);
        let newest = covering.map(|block| block.ids.1.saturating_add(1)).max();
        let is_listed = self.ranked.len() as u64 >= self.total
            || self.ranked.last().is_some_and(|last| !last.covers);
        Some(newest.filter(|_| is_listed).unwrap_or(i64::MAX))
    }

    /// Returns whether more blocks should be read for covering records.
    pub(super) fn should_read_covering(&self) -> bool {
        self.known() < MAX_COVERING_BLOCKS && !self.are_all_covering_read()
    }

    /// Returns whether every block is read.
    pub(super) fn is_all(&self) -> bool {
        self.read as u64 >= self.total
    }

    /// Returns whether all listed blocks are read, and there are others.
    pub(super) fn is_list_exhausted(&self) -> bool {
        self.read >= self.ranked.len() && !self.is_all()
    }

    /// Returns whether the rows with these signatures are enough.
    ///
    /// No other record may be better than as many rows as are ranked; or, in a
    /// large table, than those of the page, or than half of the best.
    pub(super) fn is_enough(&self, signatures: &[i64], page: usize) -> bool {
        let unread = self.ranked.get(self.read..).unwrap_or_default();
        if unread.is_empty() {
            return false;
        }
        // Those with covering records come first, whatever the score of the others.
        let bound = unread.iter().map(|block| block.score);
        let bound = bound.fold(0.0, f64::max);
        let score_of = |signature: &i64| -> f64 {
            let of_word = |(index, weight): (usize, &f64)| {
                let presence = u8::try_from((signature >> (2 * index)) & 3).unwrap_or(0);
                f64::from(presence) * weight
            };
            self.weights.iter().enumerate().map(of_word).sum()
        };
        let scores = signatures.iter().filter(|signature| **signature != 0);
        let scores: Vec<f64> = scores.map(score_of).collect();
        let better = scores.iter().filter(|score_of| **score_of >= bound - 1e-9);
        let better = better.count();
        if better >= ENOUGH_ROWS {
            return true;
        }
        let best = scores.iter().copied().fold(0.0, f64::max);
        self.sealed > LARGE_TABLE
            && (better >= page
                || bound < GOOD_ENOUGH * best
                || (!self.has_digit_words && scores.len() >= page))
    }
}

#[cfg(test)]
mod tests {
    use super::{Blocks, QueryTokens};
    use crate::search::candidates::segment_range::SegmentRange;
    use crate::search::fixtures::{lines, query};
    use crate::{Log, Model as _};

    #[test]
    fn statement_of_blocks_is_unchanged() {
        for (name, text, range) in [
            ("blocks_of_words", "error 50011", SegmentRange::all()),
            (
                "blocks_of_words_without_digit",
                "error",
                SegmentRange::of_ids(1, 9),
            ),
            (
                "blocks_of_phrases",
                "\"port 50011\" \"slow\"",
                SegmentRange::all(),
            ),
        ] {
            let tokens = QueryTokens::of_lower(&query(text));
            let sql = Blocks::statement(Log::TABLE, &tokens, range, false).unwrap();
            insta::assert_snapshot!(name, lines(&sql));
        }
    }
}

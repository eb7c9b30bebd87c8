//! The rows that may have all words of a filter, in a sealed table.
//!
//! Unlike a search, a filter finds whatever any program has written. The summaries know the
//! texts of records as they were sealed. So a row set has, besides those that the summaries
//! name,
//!
//! - the ids that no segment knows: beyond the sealed ones, in gaps, and of segments whose
//!   changes were not noted ever since,
//! - the records whose text changed since, or whose id was deleted and may be another record's
//!   now: a trigger notes them ([`crate::search::index::rollups`]).
//!
//! The statement that reads the row set looks at the notes of its own snapshot. Its filters
//! compare each row, so a row too many is no fault.
//!
//! Only what the summaries tell of every text is used. A word of ASCII letters is in the
//! template of a record, or within one of the runs with a digit that templates mask, of which
//! blocks know each three letters. A word with a digit is within such a run, of which blocks
//! know each four bytes. Other words are left to the filter.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::row_set::{RowSet, SEGMENTS_ARE_DISJOINT, check_disjoint};
use super::tokens::Token;
use crate::db::{Sql, row};
use crate::error::Error;
use crate::filter::{MatchedWord, Pattern};
use crate::model::{ColumnRole, Table};
use crate::search::index::rollups::watched_partitions;
use crate::search::index::templates::{has_digit, runs};
use crate::search::index::{FULL_POSTING, map_summary_error};
use crate::search::statement::scan_settings::{SCAN_COST_SETTING, scan_cost};

/// The tables that are read, besides that of the records.
const TABLES: [&str; 5] = [
    "sealed_segments",
    "search_blocks",
    "search_postings",
    "search_templates",
    "rollup_corrections",
];

/// The number of records of some hundred bytes that are read at a cost of 1.
const RECORDS_PER_COST: &str = "4.0";

/// The most notes, and ids of postings, with which the summaries are of use.
const MAX_NOTES: i64 = 10_000;
const MAX_IDS: i64 = 50_000;

/// The most blocks that are read, the newest first: of 256 records each.
const MAX_BLOCKS: usize = 1_000;

/// The words of a filter that the summaries tell apart.
#[derive(Debug)]
pub(crate) struct MatchWords {
    /// With a digit, of four bytes at least.
    digits: Vec<String>,
    /// Without one, of three letters at least.
    plain: Vec<String>,
}

impl MatchWords {
    /// Chooses among the words and phrases that a text must have; `None` if none will do.
    pub(crate) fn of<'a>(
        words: impl Iterator<Item = &'a MatchedWord>,
        phrases: impl Iterator<Item = &'a str>,
    ) -> Option<Self> {
        let words = words.filter(|word| !word.is_id);
        let words = words.map(|word| word.text.as_str());
        // Each run of a phrase is in a text that has the phrase.
        let runs = phrases.flat_map(|phrase| runs(phrase).map(|(run, _)| run));
        let mut chosen = Self {
            digits: Vec::new(),
            plain: Vec::new(),
        };
        for word in words.chain(runs) {
            // Letters may differ from those of the text, if they are not ASCII.
            if !word.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                continue;
            }
            let (list, least) = match has_digit(word) {
                true => (&mut chosen.digits, 4),
                false => (&mut chosen.plain, 3),
            };
            let word = word.to_ascii_lowercase();
            if word.len() >= least && !list.contains(&word) {
                list.push(word);
            }
        }
        let is_empty = chosen.digits.is_empty() && chosen.plain.is_empty();
        (!is_empty).then_some(chosen)
    }
}

/// The rows that may match, instead of the whole table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MatchRows {
    rows: RowSet,
    /// The id from which on these are all; `None` if there are no others.
    floor: Option<i64>,
    /// The first segment: it is another one once the table is sealed again.
    generation: i64,
}

impl MatchRows {
    /// Finds the rows that may have the words; `None` if the table must be read.
    pub(crate) async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        words: &MatchWords,
    ) -> Result<Option<Self>, Error> {
        if !table.sealed || table.rollup.is_none() {
            return Ok(None);
        }
        let rights = rights(conn).await?;
        if !rights.0 {
            return Ok(None);
        }
        let scan_cost = scan_cost(table, rights.1.as_deref())?;
        let sql = statement(table, words, scan_cost)?;
        let row = sql.once().fetch_optional(conn).await;
        let row = row.map_err(|error| map_summary_error(table, Error::from(error)))?;
        match row {
            Some(row) => Self::read(table, &row),
            None => Ok(None),
        }
    }

    fn read(table: &'static Table, row: &PgRow) -> Result<Option<Self>, Error> {
        check_disjoint(table, row)?;
        let generation: Option<i64> = row.try_get("generation")?;
        let (Some(generation), true) = (generation, row.try_get::<bool, _>("is_useful")?) else {
            return Ok(None);
        };
        let pairs = |first: &str, last: &str| -> Result<Vec<(i64, i64)>, sqlx::Error> {
            let (first, last): (Vec<i64>, Vec<i64>) = (row.try_get(first)?, row.try_get(last)?);
            Ok(first.into_iter().zip(last).collect())
        };
        let mut ranges = pairs("gap_firsts", "gap_lasts")?;
        let mut blocks = pairs("block_firsts", "block_lasts")?;
        let mut ids: Vec<i64> = row.try_get("ids")?;
        ids.extend(row.try_get::<Vec<i64>, _>("notes")?);
        let mut floor: Option<i64> = row.try_get("floor")?;
        // The newest first.
        if blocks.len() > MAX_BLOCKS {
            floor = floor.max(Some(blocks[MAX_BLOCKS].1.saturating_add(1)));
            blocks.truncate(MAX_BLOCKS);
        }
        ranges.extend(blocks);
        Ok(Some(Self {
            rows: RowSet::new(ranges, ids),
            floor,
            generation,
        }))
    }

    /// Returns the id from which on these are all rows that may match; `None` if there are no
    /// others.
    pub(crate) fn floor(&self) -> Option<i64> {
        self.floor
    }

    /// Returns the item of the `FROM` list, under the alias of the table.
    pub(crate) fn from(&self, table: &'static Table, sql: &mut Sql) -> Result<String, Error> {
        let (id, from) = (table.column_of(ColumnRole::Id).quoted(), table.quoted());
        let target = sql.argument(table.name)?;
        let generation = sql.argument(self.generation)?;
        // Computed once.
        let is_same = format!(
            "(SELECT min(id) = {generation} FROM sealed_segments WHERE NOT is_tombstone AND target = {target})"
        );
        let rows = self.rows.from(table, sql)?;
        let others = self.rows.excludes(&format!("__n.{id}"), sql)?;
        Ok(format!(
            "(SELECT * FROM {rows} WHERE {is_same} \
             UNION ALL SELECT __n.*, FALSE FROM {from} AS __n WHERE {is_same} AND {others} \
               AND __n.{id} IN (SELECT record_id FROM rollup_corrections WHERE amount = 0 AND target = {target}) \
             UNION ALL SELECT *, FALSE FROM {from} WHERE {is_same} IS NOT TRUE) AS {alias}",
            alias = table.alias(),
        ))
    }
}

/// Returns whether the tables exist, and the role may read them, because a filter needs no right
/// on them; and the setting of the cost of a scan.
async fn rights(conn: &mut PgConnection) -> Result<(bool, Option<String>), Error> {
    let each = TABLES.map(|name| {
        format!("coalesce(has_table_privilege(to_regclass('{name}'), 'SELECT'), FALSE)")
    });
    let sql = Sql::new(&format!(
        "SELECT {} AS may_read, current_setting('{SCAN_COST_SETTING}', TRUE) AS scan_cost",
        each.join(" AND ")
    ));
    let row = row(conn, sql).await?;
    Ok((row.try_get("may_read")?, row.try_get("scan_cost")?))
}

/// Returns the statement that finds the rows.
fn statement(table: &'static Table, words: &MatchWords, scan_cost: f64) -> Result<Sql, Error> {
    let mut sql = Sql::default();
    let scan_cost = sql.argument(scan_cost)?;
    let target = sql.argument(table.name)?;
    let has_digits = !words.digits.is_empty();
    let chosen = if has_digits {
        &words.digits
    } else {
        &words.plain
    };
    let tokens = chosen.iter().enumerate();
    let tokens: Vec<Token> = tokens
        .map(|(number, word)| Token::of(number, word))
        .collect();
    let conditions: Vec<String> = tokens.iter().map(Token::block_condition).collect();
    let all = conditions.join(" AND ");
    let (columns, in_segment, may) = if has_digits {
        (String::new(), "TRUE".to_owned(), all)
    } else {
        // A word that is not in the template is within a masked run.
        let masked: Vec<String> = tokens
            .iter()
            .map(|token| format!("s.{}", token.column()))
            .collect();
        (
            tokens.iter().map(Token::segment_column).collect(),
            format!("(NOT s.has_postings OR {})", masked.join(" OR ")),
            format!(
                "CASE WHEN b.has_templates THEN {} ELSE {all} END",
                conditions.join(" OR ")
            ),
        )
    };
    let in_templates = if has_digits {
        "FALSE".to_owned()
    } else {
        let patterns = words.plain.iter().map(|word| Pattern::containing(word));
        let patterns = sql.argument(patterns.collect::<Vec<_>>())?;
        format!("template LIKE ALL ({patterns}::text[])")
    };
    let (id, from) = (table.column_of(ColumnRole::Id).quoted(), table.quoted());
    sql.push(&format!(
        "WITH watched AS MATERIALIZED (\
           SELECT coalesce(array_agg(identity), '{{}}') AS partitions FROM ({watched}) AS watched), \
         segments AS MATERIALIZED (\
           SELECT s.id, s.first_id, s.last_id, s.rows, s.has_postings{columns}, \
             CASE WHEN s.partitions <@ (SELECT partitions FROM watched) THEN s.ids END AS ids \
           FROM sealed_segments AS s WHERE NOT s.is_tombstone AND s.target = {target}), \
         sealed AS MATERIALIZED (\
           SELECT min(id) AS generation, min(first_id) AS first, max(last_id) AS until, \
             {SEGMENTS_ARE_DISJOINT} AS __are_disjoint, \
             coalesce(sum(rows) FILTER (WHERE ids IS NOT NULL), 0)::bigint AS known, \
             coalesce(sum(rows) FILTER (WHERE ids IS NULL), 0)::bigint AS unknown, \
             coalesce(range_agg(ids), int8multirange()) AS ids FROM segments), \
         gaps AS MATERIALIZED (\
           SELECT coalesce(lower(gap), -9223372036854775808) AS first, \
             coalesce(upper(gap) - 1, 9223372036854775807) AS last \
           FROM unnest(int8multirange(int8range(NULL, NULL)) - (SELECT ids FROM sealed)) AS gap), \
         notes AS MATERIALIZED (\
           SELECT record_id FROM rollup_corrections \
           WHERE amount = 0 AND target = {target} LIMIT {MAX_NOTES} + 1), \
         blocks AS MATERIALIZED (\
           SELECT b.first_id, b.last_id FROM segments AS s CROSS JOIN LATERAL (\
             SELECT b.first_id, b.last_id, {may} AS may FROM search_blocks AS b \
             WHERE b.target = {target} AND b.first_id BETWEEN s.first_id AND s.last_id OFFSET 0) AS b \
           WHERE s.ids IS NOT NULL AND {in_segment} AND b.may), \
         postings AS MATERIALIZED (\
           SELECT k.rows, k.newest_ids FROM (\
             SELECT id FROM search_templates WHERE target = {target} AND {in_templates} OFFSET 0) AS t \
           CROSS JOIN LATERAL (\
             SELECT rows, newest_ids FROM search_postings \
             WHERE template_id = t.id AND last_id >= (SELECT first FROM sealed) OFFSET 0) AS k), \
         listed AS MATERIALIZED (SELECT coalesce(sum(cardinality(newest_ids)), 0) AS ids FROM postings) \
         SELECT generation, __are_disjoint, \
           ({scan_cost} < 0 OR known / {RECORDS_PER_COST} > {scan_cost} \
               AND unknown + greatest((SELECT max({id}) FROM {from}) - until, 0) <= known) \
             AND (SELECT ids FROM listed) <= {MAX_IDS} \
             AND (SELECT count(*) FROM notes) <= {MAX_NOTES} \
             AND NOT EXISTS (SELECT FROM rollup_corrections WHERE target = {target} AND record_id IS NULL) \
             AS is_useful, \
           ARRAY(SELECT first FROM gaps ORDER BY first) AS gap_firsts, \
           ARRAY(SELECT last FROM gaps ORDER BY first) AS gap_lasts, \
           ARRAY(SELECT record_id FROM notes WHERE record_id IS NOT NULL) AS notes, \
           ARRAY(SELECT first_id FROM blocks ORDER BY first_id DESC) AS block_firsts, \
           ARRAY(SELECT last_id FROM blocks ORDER BY first_id DESC) AS block_lasts, \
           ARRAY(SELECT unnest(newest_ids) FROM postings WHERE (SELECT ids FROM listed) <= {MAX_IDS}) AS ids, \
           (SELECT max(newest_ids[cardinality(newest_ids)]) FROM postings WHERE rows > {FULL_POSTING}) AS floor \
         FROM sealed",
        watched = watched_partitions(table),
    ));
    Ok(sql)
}

#[cfg(test)]
mod tests {
    use super::MatchWords;
    use crate::filter::MatchedWord;

    fn chosen(words: &[&str], phrases: &[&str]) -> Option<(Vec<String>, Vec<String>)> {
        let words: Vec<MatchedWord> = words
            .iter()
            .map(|word| MatchedWord {
                text: (*word).to_owned(),
                is_id: word.len() == 16,
            })
            .collect();
        let chosen = MatchWords::of(words.iter(), phrases.iter().copied());
        chosen.map(|chosen| (chosen.digits, chosen.plain))
    }

    #[test]
    fn words_that_summaries_tell_apart_are_chosen() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(
            chosen(&["Refused", "to", "50011", "500"], &[]),
            Some((texts(&["50011"]), texts(&["refused"])))
        );
        assert_eq!(
            chosen(&[], &["port 50011 is in use", "in Use"]),
            Some((texts(&["50011"]), texts(&["port", "use"])))
        );
        // Letters that a text may have in another form, ids with separators, and what is short.
        for word in ["résumé", "4111111111111111", "id", "a1", "=>"] {
            assert_eq!(chosen(&[word], &[]), None, "{word}");
        }
    }
}

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
use crate::db::{LocalSetting, LocalSettings, Sql, is_distributed_sql, row};
use crate::error::Error;
use crate::filter::{MatchedWord, Pattern};
use crate::model::{ColumnRole, Table};
use crate::search::index::rollups::known_identities;
use crate::search::index::templates::{has_digit, runs};
use crate::search::index::{FULL_POSTING, NEWEST_IDS, map_summary_error};
use crate::search::statement::scan_settings::{SCAN_COST_SETTING, scan_cost};
use crate::value::ColumnType;

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

/// One record that is not known for this many that are: more are read by the table's own order.
const KNOWN_PER_UNKNOWN: i64 = 4;

/// The most notes, gaps, and ids of postings with which the summaries are of use.
const MAX_NOTES: i64 = 10_000;
const MAX_GAPS: i64 = 10_000;
const MAX_IDS: i64 = 20_000;

/// The most blocks that are read, the newest first: of 256 records each.
const MAX_BLOCKS: usize = 1_000;

/// The local settings of the statements that find and read rows: they read few, and planning
/// them takes longer than running them.
///
/// The plan does not depend on the values, so it is kept. The planner cannot know how few rows
/// there are: reading them has a branch for the whole table, which is hardly ever read. Neither
/// compiling the statement nor starting other processes pays.
const SETTINGS: [(&str, &str); 3] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
    ("max_parallel_workers_per_gather", "0"),
];

/// Returns the local settings of the statements that find and read rows.
pub(crate) fn match_settings() -> [LocalSetting<'static>; 3] {
    SETTINGS.map(|(name, value)| LocalSetting::new(name, value))
}

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
        // Each run of a phrase is in a text that has the phrase. With a letter that is not ASCII,
        // the text may have others.
        let phrases = phrases.filter(|phrase| phrase.is_ascii());
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
            let (list, least) = if has_digit(word) {
                (&mut chosen.digits, 4)
            } else {
                (&mut chosen.plain, 3)
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
    /// What the summaries were when they were read.
    version: Version,
}

/// The segments, and the partitions that they know.
#[derive(Clone, Debug, PartialEq)]
struct Version {
    newest_segment: i64,
    /// A digest of the segments up to that one.
    segments: String,
    /// The partitions, and the columns that were summarised.
    known: Vec<String>,
}

impl MatchRows {
    /// Finds the rows that may have the words; `None` if the table must be read, or `cost`, that
    /// of reading what other filters leave, is low.
    pub(crate) async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        words: &MatchWords,
        cost: Option<f64>,
    ) -> Result<Option<Self>, Error> {
        if !table.sealed || table.rollup.is_none() || !has_steady_texts(table) {
            return Ok(None);
        }
        let (may_read, set) = rights(conn, table).await?;
        if !may_read {
            return Ok(None);
        }
        let scan_cost = scan_cost(table, set.as_deref())?;
        if cost.is_some_and(|cost| cost <= scan_cost) {
            return Ok(None);
        }
        let sql = statement(table, words, scan_cost)?;
        let begun = LocalSettings::begin(conn, &match_settings(), |_| Ok(String::new())).await;
        let (mut settings, _) = begun?;
        let row = sql.fetch_optional(settings.conn()).await;
        let (_, ended) = settings.end().await;
        let row = row.map_err(|error| map_summary_error(table, Error::from(error)))?;
        ended?;
        match row {
            Some(row) => Self::read(table, &row),
            None => Ok(None),
        }
    }

    fn read(table: &'static Table, row: &PgRow) -> Result<Option<Self>, Error> {
        check_disjoint(table, row)?;
        let newest_segment: Option<i64> = row.try_get("newest_segment")?;
        let (Some(newest_segment), true) = (newest_segment, row.try_get::<bool, _>("is_useful")?)
        else {
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
            version: Version {
                newest_segment,
                segments: row.try_get("segments")?,
                known: row.try_get("known")?,
            },
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
        let newest = sql.argument(self.version.newest_segment)?;
        let segments = sql.argument(&self.version.segments)?;
        let known = sql.argument(&self.version.known)?;
        // Computed once.
        let is_same = format!(
            "(SELECT {digest} = {segments} \
                AND {known}::text[] <@ (SELECT coalesce(array_agg(identity), '{{}}') FROM ({watched}) AS watched) \
                AND NOT EXISTS (SELECT 1 FROM rollup_corrections WHERE target = {target} AND record_id IS NULL) \
              FROM sealed_segments WHERE NOT is_tombstone AND target = {target} AND id <= {newest})",
            digest = DIGEST,
            watched = known_identities(table),
        );
        let rows = self.rows.from(table, sql)?;
        let others = self.rows.excludes("record_id", sql)?;
        // Hardly ever is there a note that the row set lacks.
        Ok(format!(
            "(SELECT * FROM {rows} WHERE {is_same} \
             UNION ALL SELECT __r.*, FALSE FROM (\
               SELECT DISTINCT record_id FROM rollup_corrections \
               WHERE amount = 0 AND target = {target} AND {is_same} AND {others} OFFSET 0) AS __n \
             CROSS JOIN LATERAL (SELECT * FROM {from} WHERE {id} = __n.record_id OFFSET 0) AS __r \
             UNION ALL SELECT *, FALSE FROM {from} WHERE {is_same} IS NOT TRUE) AS {alias}",
            alias = table.alias(),
        ))
    }
}

/// The aggregate of segments that changes whenever one of them does.
const DIGEST: &str = "coalesce(md5(string_agg(concat_ws(' ', id, xmin), ',' ORDER BY id)), '')";

/// Returns whether the text of each search field depends on its value alone, and not on
/// settings of the session.
fn has_steady_texts(table: &'static Table) -> bool {
    let mut types = table.search.iter().map(|place| table.columns[*place].ty);
    types.all(|ty| match ty {
        ColumnType::Array(element) => has_steady_text(*element),
        ty => has_steady_text(ty),
    })
}

fn has_steady_text(ty: ColumnType) -> bool {
    use ColumnType::{Enum, Int2, Int4, Int8, Jsonb, Text, Uuid};
    matches!(ty, Text | Int2 | Int4 | Int8 | Jsonb | Uuid | Enum(_))
}

/// Returns whether the tables exist, and the role may read them and the whole table, because a
/// filter needs no right on them, and the table is not distributed, so that changes are noted; and
/// the setting of the cost of a scan.
async fn rights(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<(bool, Option<String>), Error> {
    let mut sql = Sql::default();
    let of_records = sql.argument(table.quoted())?;
    let each = TABLES.map(|name| format!("to_regclass('{name}')"));
    let each = each
        .into_iter()
        .chain([format!("to_regclass({of_records})")]);
    let each = each.map(|name| format!("coalesce(has_table_privilege({name}, 'SELECT'), FALSE)"));
    sql.push(&format!(
        "SELECT {each} AND EXISTS (SELECT 1 FROM pg_catalog.pg_attribute \
           WHERE attrelid = to_regclass('sealed_segments') AND attname = 'partitions') \
           AND NOT {is_distributed} AS may_read, \
           current_setting('{SCAN_COST_SETTING}', TRUE) AS scan_cost",
        each = each.collect::<Vec<_>>().join(" AND "),
        is_distributed = is_distributed_sql(&format!("to_regclass({of_records})")),
    ));
    let row = row(conn, sql).await?;
    Ok((row.try_get("may_read")?, row.try_get("scan_cost")?))
}

/// The conditions of the statement that finds rows.
struct Conditions {
    /// Columns of a segment.
    columns: String,
    /// Whether a block of the segment `s` may have a word.
    in_segment: String,
    /// Whether the block `b` may have records with the words.
    may: String,
    /// Whether a template has all words.
    in_template: String,
}

impl Conditions {
    fn of(words: &MatchWords, sql: &mut Sql) -> Result<Self, Error> {
        let tokens = |words: &[String]| -> Vec<Token> {
            let words = words.iter().enumerate();
            words
                .map(|(number, word)| Token::of(number, word))
                .collect()
        };
        let blocks = |tokens: &[Token]| -> Vec<String> {
            tokens.iter().map(Token::block_condition).collect()
        };
        if !words.digits.is_empty() {
            return Ok(Self {
                columns: String::new(),
                in_segment: "TRUE".to_owned(),
                may: blocks(&tokens(&words.digits)).join(" AND "),
                in_template: "FALSE".to_owned(),
            });
        }
        let tokens = tokens(&words.plain);
        let conditions = blocks(&tokens);
        let columns = tokens.iter().map(|token| format!("s.{}", token.column()));
        let masked: Vec<String> = columns.collect();
        let patterns = words.plain.iter().map(|word| Pattern::containing(word));
        let patterns = sql.argument(patterns.collect::<Vec<_>>())?;
        Ok(Self {
            columns: tokens.iter().map(Token::segment_column).collect(),
            // A word that is not in the template is within a masked run.
            in_segment: format!("(NOT s.has_postings OR {})", masked.join(" OR ")),
            may: format!(
                "CASE WHEN b.has_templates THEN {} ELSE {} END",
                conditions.join(" OR "),
                conditions.join(" AND ")
            ),
            in_template: format!("template LIKE ALL ({patterns}::text[])"),
        })
    }
}

/// Returns the statement that finds the rows.
fn statement(table: &'static Table, words: &MatchWords, scan_cost: f64) -> Result<Sql, Error> {
    let mut sql = Sql::default();
    let scan_cost = sql.argument(scan_cost)?;
    let target = sql.argument(table.name)?;
    let Conditions {
        columns,
        in_segment,
        may,
        in_template,
    } = Conditions::of(words, &mut sql)?;
    let (id, from) = (table.column_of(ColumnRole::Id).quoted(), table.quoted());
    sql.push(&format!(
        "WITH watched AS MATERIALIZED (\
           SELECT coalesce(array_agg(identity), '{{}}') AS identities FROM ({watched}) AS watched), \
         segments AS MATERIALIZED (\
           SELECT s.id, s.xmin, s.first_id, s.last_id, s.rows, s.has_postings, s.partitions{columns}, \
             CASE WHEN s.partitions <@ (SELECT identities FROM watched) THEN s.ids END AS ids \
           FROM sealed_segments AS s WHERE NOT s.is_tombstone AND s.target = {target}), \
         sealed AS MATERIALIZED (\
           SELECT max(id) AS newest_segment, {DIGEST} AS segments, \
             min(first_id) AS first, max(last_id) AS until, {SEGMENTS_ARE_DISJOINT} AS __are_disjoint, \
             coalesce(sum(rows) FILTER (WHERE ids IS NOT NULL), 0) AS known, \
             coalesce(sum(rows) FILTER (WHERE ids IS NULL), 0) AS unknown, \
             coalesce(range_agg(ids), int8multirange()) AS ids FROM segments), \
         gaps AS MATERIALIZED (\
           SELECT coalesce(lower(gap), -9223372036854775808) AS first, \
             coalesce(upper(gap) - 1, 9223372036854775807) AS last \
           FROM unnest(int8multirange(int8range(NULL, NULL)) - (SELECT ids FROM sealed)) AS gap), \
         notes AS MATERIALIZED (\
           SELECT DISTINCT record_id FROM rollup_corrections \
           WHERE amount = 0 AND target = {target} AND record_id <@ (SELECT ids FROM sealed) LIMIT {MAX_NOTES} + 1), \
         postings AS MATERIALIZED (\
           SELECT k.id, k.rows > {FULL_POSTING} AS is_truncated, \
             CASE WHEN k.rows > {FULL_POSTING} THEN {NEWEST_IDS} ELSE k.rows END AS stored FROM (\
             SELECT id FROM search_templates WHERE target = {target} AND {in_template} OFFSET 0) AS t \
           CROSS JOIN LATERAL (\
             SELECT id, rows FROM search_postings \
             WHERE template_id = t.id AND last_id >= (SELECT first FROM sealed) OFFSET 0) AS k), \
         use AS MATERIALIZED (\
           SELECT ({scan_cost} < 0 OR known / {RECORDS_PER_COST} > {scan_cost} \
               AND unknown + greatest((SELECT max({id}) FROM {from})::numeric - until, 0) \
                 <= known / {KNOWN_PER_UNKNOWN}) \
             AND (SELECT coalesce(sum(stored), 0) FROM postings) <= {MAX_IDS} \
             AND (SELECT count(*) FROM notes) <= {MAX_NOTES} \
             AND (SELECT count(*) FROM gaps) <= {MAX_GAPS} \
             AND NOT EXISTS (SELECT 1 FROM rollup_corrections WHERE target = {target} AND record_id IS NULL) \
             AS is_useful FROM sealed), \
         listed AS MATERIALIZED (\
           SELECT k.newest_ids, p.is_truncated FROM postings AS p JOIN search_postings AS k USING (id) \
           WHERE (SELECT is_useful FROM use)), \
         blocks AS MATERIALIZED (\
           SELECT b.first_id, b.last_id FROM segments AS s CROSS JOIN LATERAL (\
             SELECT b.first_id, b.last_id, {may} AS may FROM search_blocks AS b \
             WHERE b.target = {target} AND b.first_id BETWEEN s.first_id AND s.last_id OFFSET 0) AS b \
           WHERE (SELECT is_useful FROM use) AND s.ids IS NOT NULL AND {in_segment} AND b.may) \
         SELECT newest_segment, segments, __are_disjoint, (SELECT is_useful FROM use) AS is_useful, \
           ARRAY(SELECT DISTINCT unnest(partitions) FROM segments WHERE ids IS NOT NULL) AS known, \
           ARRAY(SELECT first FROM gaps ORDER BY first) AS gap_firsts, \
           ARRAY(SELECT last FROM gaps ORDER BY first) AS gap_lasts, \
           ARRAY(SELECT record_id FROM notes) AS notes, \
           ARRAY(SELECT first_id FROM blocks ORDER BY first_id DESC) AS block_firsts, \
           ARRAY(SELECT last_id FROM blocks ORDER BY first_id DESC) AS block_lasts, \
           ARRAY(SELECT unnest(newest_ids) FROM listed) AS ids, \
           (SELECT max(newest_ids[cardinality(newest_ids)]) FROM listed WHERE is_truncated) AS floor \
         FROM sealed",
        watched = known_identities(table),
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
        for phrase in ["cafe\u{301} noir", "kullanıcı silindi"] {
            assert_eq!(chosen(&[], &[phrase]), None, "{phrase}");
        }
    }
}

//! Lexical candidates: the records that contain fragments of words.

use std::collections::HashSet;

use sqlx::{PgConnection, Row as _};

use super::blocks::Blocks;
use super::postings::{PostingGroup, ScopeCheck, ids_in_scope, posting_ids, template_condition};
use super::row_set::RowSet;
use super::segment_range::SegmentRange;
use super::tokens::{QueryTokens, Token};
use crate::db::Sql;
use crate::error::Error;
use crate::filter::Pattern;
use crate::letters::same_letters;
use crate::model::{ColumnRole, Table};
use crate::search::index::templates::{has_digit, templates_within};
use crate::search::parse::query::Query;
use crate::search::scope::Scope;
use crate::search::statement::scan_settings::SearchSession;
use crate::search::statement::{
    CoveringSource, DISTANCE_STEPS, LEXICAL_LIMIT, LEXICAL_PER_GROUP, MAX_DELIMITED, Words,
    covering_ids, whole_phrase,
};
use crate::value::{ColumnValue, Value};

/// The number of rows that is enough to rank, if no other can be better.
pub(super) const ENOUGH_ROWS: usize = LEXICAL_LIMIT as usize;

/// The number of covering records above which blocks are read as a whole, instead of as
/// their ids.
const MAX_LISTED: i64 = 20_000;

/// The row set of the lexical candidates.
#[derive(Debug)]
pub(in crate::search) struct LexicalCandidates {
    unsealed: Vec<(i64, i64)>,
    range: SegmentRange,
    /// Records from postings.
    ids: Vec<i64>,
    /// Whether these are all records whose template contains a fragment.
    has_all_groups: bool,
    /// The id from which on these are all records whose template covers the search;
    /// `None` if there are no others.
    covering_floor: Option<i64>,
    blocks: Blocks,
    /// Whether templates have all words of the records that cover the search, except for
    /// those that blocks know.
    templates_cover: bool,
    /// The number of records that may turn out to be outside of the scope, without a need
    /// to look for others.
    spare: usize,
}

impl LexicalCandidates {
    /// Finds the row set for a query in a scope; `None` if nothing is sealed,
    /// or if the filters leave so little that the table must be scanned.
    pub(in crate::search) async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        query: &Query,
        scope: &Scope<'_>,
        check: ScopeCheck,
    ) -> Result<Option<Self>, Error> {
        let tokens = QueryTokens::of(conn, query).await?;
        let range = SegmentRange::of(conn, table, scope).await?;
        let blocks = if is_in_templates_alone(query) {
            Blocks::none(conn, table, range).await?
        } else {
            Blocks::find(conn, table, &tokens, range, false).await?
        };
        let Some((unsealed, blocks)) = blocks else {
            return Ok(None);
        };
        let mut found = FoundInTemplates {
            ids: Vec::new(),
            is_all: true,
            covering_floor: None,
            spare: usize::MAX,
        };
        if tokens.are_in_templates() {
            let of = (range, blocks.from);
            match LexicalGroups::find(conn, table, query, &tokens, scope, check, of).await? {
                Some(in_templates) => found = in_templates,
                None => return Ok(None),
            }
        }
        Ok(Some(Self {
            unsealed: unsealed.to_vec(),
            range,
            ids: found.ids,
            has_all_groups: found.is_all,
            covering_floor: found.covering_floor,
            blocks,
            templates_cover: tokens.phrases.is_empty() && tokens.templates_cover(),
            spare: found.spare,
        }))
    }

    /// Returns the number of records that may turn out to be outside of the scope, without
    /// a need to look for others.
    pub(in crate::search) fn spare(&self) -> usize {
        self.spare
    }

    /// Returns whether it is of the same segments as these unsealed ranges, which begin
    /// with those outside of all segments.
    pub(in crate::search) fn is_of_same_segments(&self, unsealed: &[(i64, i64)]) -> bool {
        unsealed.starts_with(&self.unsealed)
    }

    /// Returns whether templates tell which records have all words, but for those in the
    /// ranges of blocks.
    pub(in crate::search) fn templates_cover(&self) -> bool {
        self.templates_cover
    }

    /// Returns the ranges of ids of the blocks whose covering records are read.
    pub(in crate::search) fn block_ranges(&self) -> Vec<(i64, i64)> {
        self.blocks.known_ranges().collect()
    }

    /// Returns whether every block that may contain covering records is read.
    pub(in crate::search) fn are_covering_blocks_read(&self) -> bool {
        self.blocks.are_all_covering_read()
    }

    /// Returns the row set with the covering records from an id on.
    pub(in crate::search) fn covering_source(&self) -> CoveringSource {
        CoveringSource {
            rows: self.row_set(),
            floor: self.covering_floor.max(self.blocks.covering_floor()),
        }
    }

    /// Returns whether every covering record is read.
    pub(in crate::search) fn has_all_covering(&self) -> bool {
        self.covering_floor.is_none() && self.blocks.are_all_covering_read()
    }

    /// Returns whether templates say that there are more covering records than are
    /// ranked.
    pub(in crate::search) fn has_many_covering(&self) -> bool {
        self.covering_floor.is_some()
    }

    /// Returns whether more blocks should be read for covering records.
    pub(in crate::search) fn should_read_covering(&self) -> bool {
        self.blocks.should_read_covering()
    }

    pub(in crate::search) fn row_set(&self) -> RowSet {
        let blocks = self.blocks.read_ranges();
        let ranges = self.unsealed.iter().copied().chain(blocks);
        RowSet::new(ranges.collect(), self.ids.clone())
    }

    /// Returns whether every record with a fragment is read.
    pub(in crate::search) fn is_all(&self) -> bool {
        self.has_all_groups && self.blocks.is_all()
    }

    /// Returns whether the rows with these signatures are enough for a page.
    pub(in crate::search) fn is_enough(&self, signatures: &[i64], page: usize) -> bool {
        self.blocks.is_all() || self.blocks.is_enough(signatures, page)
    }

    /// Reads blocks for their covering records alone, if more blocks may have some than are
    /// read anyway: until more such records are known than are ranked, or
    /// [`should_read_covering`](Self::should_read_covering) is false.
    ///
    /// Each block is read once, and only compared with the required words. Reading the blocks
    /// again as part of more and more candidates takes several times as long.
    pub(in crate::search) async fn read_covering(
        &mut self,
        session: &mut SearchSession<'_>,
        table: &'static Table,
        query: &Query,
        scope: &Scope<'_>,
    ) -> Result<(), Error> {
        if query.required.is_empty() && query.phrases.is_empty() {
            return Ok(());
        }
        let mut found = 0;
        while self.should_read_covering() && found <= ENOUGH_ROWS {
            let (until, ranges) = self.blocks.next_covering();
            let rows = RowSet::new(ranges, Vec::new()).of_distributed(session.is_distributed());
            let sql = covering_ids(table, query, &rows, scope, MAX_LISTED + 1)?;
            let rows = sql.fetch_all(session.conn()).await?;
            if rows.len() as i64 > MAX_LISTED {
                break;
            }
            found += rows.len();
            // The others are read with their blocks.
            if until > self.blocks.read {
                for row in rows {
                    self.ids.push(row.try_get("__id")?);
                }
            }
            self.blocks.covering_read = until;
        }
        Ok(())
    }

    /// Adds more blocks.
    pub(in crate::search) async fn read_more(
        &mut self,
        conn: &mut PgConnection,
        table: &'static Table,
        query: &Query,
    ) -> Result<(), Error> {
        if self.blocks.is_list_exhausted() {
            let tokens = QueryTokens::of(conn, query).await?;
            if let Some((_, all)) = Blocks::find(conn, table, &tokens, self.range, true).await? {
                let (read, covering_read) = (self.blocks.read, self.blocks.covering_read);
                self.blocks = all;
                self.blocks.read = read;
                self.blocks.covering_read = covering_read;
            }
        }
        self.blocks.read = self.blocks.read.saturating_mul(5);
        Ok(())
    }
}

/// Returns whether templates alone tell which records have a phrase: it has no digit and
/// is no part of longer words, so that no number or id contains it.
fn is_in_templates_alone(query: &Query) -> bool {
    let [phrase] = query.phrases.as_slice() else {
        return false;
    };
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    query.is_whole
        && phrase.len() <= MAX_DELIMITED
        && phrase.is_ascii()
        && !has_digit(phrase)
        && is_word(phrase.chars().next())
        && is_word(phrase.chars().next_back())
}

/// Groups of records whose templates contain fragments.
struct LexicalGroups {
    /// Grouped by signature and distance, the best first.
    groups: Vec<LexicalGroup>,
    /// Whether there are no others.
    is_all: bool,
}

struct LexicalGroup {
    postings: PostingGroup,
    /// Whether its templates cover the search.
    covers: bool,
    /// The number of ids that are read.
    each: usize,
}

/// The records of a scope that were found by their templates.
struct FoundInTemplates {
    ids: Vec<i64>,
    /// Whether these are all whose template contains a fragment.
    is_all: bool,
    /// The id from which on these are all whose template covers the search; `None` if
    /// there are no others.
    covering_floor: Option<i64>,
    /// How many of them may be outside of the scope.
    spare: usize,
}

/// How much is read to find records from postings.
#[derive(Clone, Copy)]
struct Effort {
    /// The number of groups.
    groups: i64,
    /// The multiple of the wanted records that are read of each group, in
    /// quarters: some may be deleted or outside the filters.
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

/// The number of records after which, with too few in the scope, reading the
/// whole table is no more work.
const MAX_ROWS_READ: usize = 100_000;

impl LexicalGroups {
    /// Finds the records in the scope, from an id on; `None` if the table must be
    /// scanned.
    async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        query: &Query,
        tokens: &QueryTokens,
        scope: &Scope<'_>,
        check: ScopeCheck,
        of: (SegmentRange, i64),
    ) -> Result<Option<FoundInTemplates>, Error> {
        for effort in EFFORTS {
            let found = Self::read(conn, table, query, tokens, scope, of, effort).await?;
            let mut ids: Vec<i64> = Vec::new();
            let (mut useful, mut is_short, mut is_truncated, mut rows_read) = (0, false, false, 0);
            let mut covering_floor = None;
            let (mut spare_of_group, mut grouped) = (usize::MAX, 0);
            let mut groups = found.groups.as_slice();
            while useful < ENOUGH_ROWS && !groups.is_empty() && rows_read < MAX_ROWS_READ {
                let mut counted = 0;
                let chunk = groups.iter().position(|group| {
                    counted += group.postings.ids.len();
                    counted > 2 * ENOUGH_ROWS
                });
                let (chunk, rest) = groups.split_at(chunk.unwrap_or(groups.len()).max(1));
                groups = rest;
                let ids_of_chunk = chunk.iter().flat_map(|group| &group.postings.ids);
                let ids_of_chunk: Vec<i64> = ids_of_chunk.copied().collect();
                rows_read += ids_of_chunk.len();
                let in_scope = ids_in_scope(conn, table, scope, check, ids_of_chunk).await?;
                for LexicalGroup {
                    postings: group,
                    covers,
                    ..
                } in chunk
                {
                    if *covers && group.is_truncated {
                        let oldest = group.ids.last().copied().unwrap_or(i64::MAX);
                        covering_floor = covering_floor.max(Some(oldest));
                    }
                    let passing = group.ids.iter().filter(|id| in_scope.contains(*id)).count();
                    useful += passing.min(LEXICAL_PER_GROUP as usize);
                    if group.is_truncated {
                        is_truncated = true;
                        match passing.checked_sub(LEXICAL_PER_GROUP as usize) {
                            Some(spare) => spare_of_group = spare_of_group.min(spare),
                            None => is_short = true,
                        }
                    }
                }
                grouped += chunk
                    .iter()
                    .map(|group| group.postings.ids.len())
                    .sum::<usize>();
                ids.extend(in_scope);
            }
            let is_exhausted = groups.is_empty() && found.is_all;
            if useful >= ENOUGH_ROWS || (is_exhausted && !is_short) {
                // Those that cover the search are the first of the groups.
                let next = groups.first().or(found.groups.last());
                if !is_exhausted && next.is_some_and(|next| next.covers) {
                    covering_floor = Some(i64::MAX);
                }
                // With one record less, each group that has it has one less that is useful: it
                // was in several, if it was changed.
                let distinct: HashSet<i64> = ids.iter().copied().collect();
                let repeated = grouped.saturating_sub(distinct.len());
                let spare = useful.saturating_sub(ENOUGH_ROWS + repeated);
                let spare_of_all = if is_exhausted && !is_short {
                    spare_of_group
                } else {
                    0
                };
                return Ok(Some(FoundInTemplates {
                    spare: spare.max(spare_of_all),
                    ids,
                    is_all: is_exhausted && !is_truncated,
                    covering_floor,
                }));
            }
        }
        Ok(None)
    }

    async fn read(
        conn: &mut PgConnection,
        table: &'static Table,
        query: &Query,
        tokens: &QueryTokens,
        scope: &Scope<'_>,
        of: (SegmentRange, i64),
        effort: Effort,
    ) -> Result<Self, Error> {
        let sql = Self::statement(table, query, tokens, scope, of, effort)?;
        let rows = sql.fetch_all(conn).await?;
        let mut groups: Vec<LexicalGroup> = Vec::new();
        let (mut last, mut counted) = (None, 0);
        let covering = tokens.covering_signature();
        for row in &rows {
            counted = row.try_get::<i64, _>("__groups")?;
            let key: (i64, i32) = (row.try_get("__signature")?, row.try_get("distance_step")?);
            if last != Some(key) {
                groups.push(LexicalGroup {
                    postings: PostingGroup::default(),
                    covers: tokens.templates_cover()
                        && (!tokens.phrases.is_empty() || key.0 == covering),
                    each: usize::try_from(row.try_get::<i64, _>("__each")?).unwrap_or(usize::MAX),
                });
                last = Some(key);
            }
            if let Some(group) = groups.last_mut() {
                let postings = &mut group.postings;
                postings.add(row.try_get("is_truncated")?, row.try_get("ids")?);
            }
        }
        for group in &mut groups {
            group.postings.newest(group.each);
        }
        Ok(Self {
            is_all: groups.len() as i64 >= counted,
            groups,
        })
    }

    /// Returns the statement that finds the groups.
    fn statement(
        table: &'static Table,
        query: &Query,
        tokens: &QueryTokens,
        scope: &Scope<'_>,
        (range, from): (SegmentRange, i64),
        effort: Effort,
    ) -> Result<Sql, Error> {
        let mut sql = Sql::default();
        let template_condition = template_condition(table, scope, &mut sql)?;
        let target = sql.argument(table.name)?;
        let vector = query.embedding.as_ref();
        let vector = vector.map_or(Value::Null, ColumnValue::to_value);
        let vector = sql.value(table.column_of(ColumnRole::Embedding), vector)?;
        let mut range = range.condition(&mut sql)?;
        // Lower ids are orphans: see `index/orphans.rs`.
        range.push_str(&format!(" AND last_id >= {}", sql.argument(from)?));
        let wanted = sql.argument(effort.groups)?;
        let quarters = sql.argument(effort.quarters)?;
        let signature = Self::signature(tokens, &mut sql)?;
        let mut phrases = String::new();
        for phrase in &tokens.phrases {
            let within = templates_within(&phrase.text);
            let within: Vec<String> = within
                .iter()
                .map(|text| Pattern::containing(text))
                .collect();
            let within = sql.argument(within)?;
            if is_in_templates_alone(query) {
                let whole = whole_phrase(&phrase.text, &mut sql)?;
                // Any of the long texts may contain it.
                phrases.push_str(&format!(
                    " AND (template LIKE ANY ({within}::text[]) AND template ~ {whole} OR fields = '{{}}')"
                ));
                continue;
            }
            phrases.push_str(&format!(" AND (template LIKE ANY ({within}::text[])"));
            if let Some(regex) = same_letters(&phrase.text) {
                let regex = sql.argument(regex)?;
                phrases.push_str(&format!(" OR template ~ {regex}"));
            }
            phrases.push(')');
        }
        let any = if tokens.phrases.is_empty() {
            "__signature > 0"
        } else {
            "TRUE"
        };
        let count = tokens.words.len();
        // Computes each part once, regardless of missing statistics on newly
        // filled tables.
        sql.push(&format!(
            "WITH templates AS MATERIALIZED (\
               SELECT t.id, coalesce((nullif(t.vector <=> {vector}, 'NaN') * {DISTANCE_STEPS})::int, 3 * {DISTANCE_STEPS}) AS distance_step, \
                 t.__signature, k.rows \
               FROM (\
                 SELECT id, fields, vector, {signature} AS __signature FROM search_templates \
                 WHERE target = {target}{phrases} OFFSET 0) AS t \
               CROSS JOIN LATERAL (\
                 SELECT sum(rows)::bigint AS rows FROM search_postings \
                 WHERE template_id = t.id{range} OFFSET 0) AS k \
               WHERE {any}{template_condition} AND k.rows > 0), \
             groups AS (SELECT __signature, distance_step, sum(rows)::bigint AS rows FROM templates GROUP BY 1, 2), \
             weights AS MATERIALIZED (SELECT {weights} FROM groups), \
             counted AS MATERIALIZED (\
               SELECT count(*) AS __groups, coalesce(sum(rows) FILTER (WHERE __signature = {covering}), 0) <= {LEXICAL_LIMIT} AS __covers_few, \
                 {quarters} * CASE WHEN coalesce(sum(rows), 0) <= {LEXICAL_LIMIT} THEN {LEXICAL_LIMIT} \
                   ELSE greatest({LEXICAL_PER_GROUP}, {LEXICAL_LIMIT} / count(*)) END / 4 AS __most FROM groups), \
             chosen AS (\
               SELECT __signature, distance_step, ({score})::float8 AS score FROM groups CROSS JOIN weights \
               ORDER BY score DESC, distance_step LIMIT {wanted}), \
             wanted AS MATERIALIZED (\
               SELECT t.id, __signature, distance_step, score, __groups, \
                 CASE WHEN __covers_few AND __signature = {covering} THEN greatest(__most, {LEXICAL_LIMIT}) ELSE __most END AS __each \
               FROM counted CROSS JOIN chosen JOIN templates AS t USING (__signature, distance_step)) \
             SELECT __groups, __each, __signature, distance_step, r.* FROM wanted AS t \
             CROSS JOIN LATERAL ({posting_ids}) AS r \
             ORDER BY score DESC, distance_step, __signature",
            covering = tokens.covering_signature(),
            weights = Words::weights_of_rows(count),
            score = Words::score(0..count),
            posting_ids = posting_ids("t.id", "__each", &range),
        ));
        Ok(sql)
    }

    /// Returns the SQL for the signature of a template.
    ///
    /// Tokens with digits are not compared, because digits are masked in templates.
    fn signature(tokens: &QueryTokens, sql: &mut Sql) -> Result<String, Error> {
        let mut patterns = Vec::new();
        for word in &tokens.words {
            for token in std::iter::once(&word.whole).chain(&word.tokens) {
                let pattern = sql.argument(Pattern::containing(&token.text))?;
                patterns.push((token.text.clone(), pattern));
            }
        }
        let pattern = |text: &str| {
            let known = patterns.iter().find(|(known, _)| known == text);
            known.map_or_else(|| "NULL".to_owned(), |(_, pattern)| pattern.clone())
        };
        let mut near = Vec::new();
        for regex in tokens.near_letters() {
            near.push((regex, sql.argument(regex.to_owned())?));
        }
        let has = |token: &Token| {
            if token.has_digit {
                "FALSE".to_owned()
            } else {
                format!("template LIKE {}", pattern(&token.text))
            }
        };
        let has_near = |regex: &str| {
            let (_, regex) = near.iter().find(|(known, _)| *known == regex)?;
            Some(format!(
                "(octet_length(template) > length(template) AND template ~ {regex})"
            ))
        };
        Ok(tokens.signature(&has, &has_near))
    }
}

#[cfg(test)]
mod tests {
    use super::{EFFORTS, LexicalGroups, QueryTokens};
    use crate::search::candidates::segment_range::SegmentRange;
    use crate::search::fixtures::{lines, query, with_scope};
    use crate::{Log, Model as _};

    #[test]
    fn statement_of_lexical_groups_is_unchanged() {
        for (name, text) in [
            ("lexical_groups_of_words", "conection 42"),
            ("lexical_groups_of_phrase", "\"slow query\""),
        ] {
            let query = query(text);
            let tokens = QueryTokens::of_lower(&query);
            let of = (SegmentRange::of_ids(1, 9), 1);
            let sql = with_scope(|scope| {
                LexicalGroups::statement(Log::TABLE, &query, &tokens, scope, of, EFFORTS[0])
            });
            insta::assert_snapshot!(name, lines(&sql.unwrap()));
        }
    }
}

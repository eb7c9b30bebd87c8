//! What summaries know of the templates of sealed records.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row as _};

use super::Coverage;
use super::postings::{live_postings, posting_ids, rows_in_scope};
use super::row_set::{fetch_with_ranges, sealed_cte};
use super::segment_range::SegmentRange;
use crate::db::Sql;
use crate::error::Error;
use crate::model::Table;
use crate::search::parse::query::Query;
use crate::search::patterns::MAX_PATTERNS;
use crate::search::scope::Scope;
use crate::search::statement::{Words, lateral_signature};

/// The templates of the sealed records of a table.
pub(in crate::search) struct SealedPatterns {
    pub(in crate::search) patterns: Vec<SummaryPattern>,
    /// Whether there are more templates, which have fewer records.
    pub(in crate::search) is_truncated: bool,
    /// The ranges of ids whose records no posting counts.
    pub(in crate::search) unsealed: Vec<(i64, i64)>,
}

/// The sealed records with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SummaryPattern {
    /// The search fields with their numbers and ids masked; empty for long texts.
    pub(in crate::search) fields: Vec<String>,
    pub(in crate::search) coverage: Coverage,
    /// The number of records when they were sealed.
    pub(in crate::search) records: u64,
    /// The least and the greatest id of them.
    pub(in crate::search) first_id: i64,
    pub(in crate::search) last_id: i64,
    /// The ids of the templates.
    pub(in crate::search) templates: Vec<i64>,
}

impl SummaryPattern {
    /// Adds the records of another template with the same fields.
    pub(in crate::search) fn add(&mut self, other: Self) {
        self.records = self.records.saturating_add(other.records);
        self.first_id = self.first_id.min(other.first_id);
        self.last_id = self.last_id.max(other.last_id);
        self.templates.extend(other.templates);
    }
}

impl SealedPatterns {
    /// Reads the templates, those that have all words of a query if there is one;
    /// `None` if nothing is sealed.
    pub(in crate::search) async fn read(
        conn: &mut PgConnection,
        table: &'static Table,
        query: Option<&Query>,
    ) -> Result<Option<Self>, Error> {
        let sql = Self::statement(table, query)?;
        let range = SegmentRange::all();
        let Some((rows, unsealed)) = fetch_with_ranges(sql, conn, table, range).await? else {
            return Ok(None);
        };
        let mut patterns = Vec::with_capacity(rows.len());
        for row in &rows {
            // There is always one row, for the ranges.
            let Some(template) = row.try_get("template_id")? else {
                continue;
            };
            let coverage: i32 = row.try_get("__coverage")?;
            patterns.push(SummaryPattern {
                fields: row.try_get("fields")?,
                coverage: Coverage::from_number(coverage.into()).unwrap_or_default(),
                records: row.try_get::<i64, _>("rows")?.unsigned_abs(),
                first_id: row.try_get("first_id")?,
                last_id: row.try_get("last_id")?,
                templates: vec![template],
            });
        }
        Ok(Some(Self {
            is_truncated: patterns.len() >= MAX_PATTERNS,
            patterns,
            unsealed,
        }))
    }

    /// Returns the statement that reads the templates. One statement sees one moment: a
    /// record is counted by a posting, or it is in a range.
    fn statement(table: &'static Table, query: Option<&Query>) -> Result<Sql, Error> {
        let mut sql = Sql::default();
        let target = sql.argument(table.name)?;
        let (mut searched, mut covers, mut coverage) =
            (String::new(), String::new(), "0".to_owned());
        if let Some(query) = query {
            let words = Words::bind(query, &mut sql)?;
            searched = format!(" {}", lateral_signature("t.template", &words));
            coverage = words.coverage();
            // The fields of long texts are empty: blocks know their words.
            covers = format!(" AND t.fields <> '{{}}' AND {coverage} > 0");
        }
        sql.push(&format!(
            "{sealed} SELECT sealed.*, p.* FROM sealed LEFT JOIN LATERAL (\
               SELECT t.id AS template_id, t.fields, {coverage} AS __coverage, k.* \
               FROM search_templates AS t{searched} \
               CROSS JOIN LATERAL (\
                 SELECT sum(rows)::bigint AS rows, min(first_id) AS first_id, max(last_id) AS last_id \
                 FROM search_postings WHERE template_id = t.id{live} OFFSET 0) AS k \
               WHERE t.target = {target}{covers} AND k.rows > 0 \
               ORDER BY k.rows DESC LIMIT {MAX_PATTERNS}) AS p ON TRUE",
            sealed = sealed_cte(&target, ""),
            live = live_postings(""),
        ));
        Ok(sql)
    }
}

/// The numbers of the newest records of a template among which one is looked for that is in
/// the scope: more only if none of these is.
const NEWEST: [usize; 3] = [1, 100, 10_000];

/// Returns the newest record in a scope of each template that has one among its newest records.
pub(in crate::search) async fn newest_in_scope(
    conn: &mut PgConnection,
    table: &'static Table,
    scope: &Scope<'_>,
    templates: &[i64],
) -> Result<BTreeMap<i64, i64>, Error> {
    let mut found = BTreeMap::new();
    let mut open = templates.to_vec();
    let mut looked_at = 0;
    for most in NEWEST {
        let newest = newest_ids(conn, table, &open, most).await?;
        let ids = newest
            .iter()
            .flat_map(|(_, ids)| ids.iter().skip(looked_at));
        let ids = ids.copied().collect();
        let in_scope = rows_in_scope(conn, table, None, scope, ids).await?;
        open.clear();
        for (template, ids) in newest {
            if let Some(id) = ids.iter().find(|id| in_scope.contains_key(id)) {
                found.insert(template, *id);
            } else if ids.len() == most {
                open.push(template);
            }
        }
        if open.is_empty() {
            break;
        }
        looked_at = most;
    }
    Ok(found)
}

/// Returns the newest records of templates, as far as summaries hold them, the newest first.
async fn newest_ids(
    conn: &mut PgConnection,
    table: &'static Table,
    templates: &[i64],
    most: usize,
) -> Result<Vec<(i64, Vec<i64>)>, Error> {
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    let templates = sql.argument(templates.to_vec())?;
    sql.push(&format!(
        "{sealed} SELECT t.id AS template_id, r.ids FROM unnest({templates}::bigint[]) AS t(id) \
         CROSS JOIN LATERAL ({ids}) AS r",
        sealed = sealed_cte(&target, ""),
        ids = posting_ids("t.id", &most.to_string(), &live_postings("")),
    ));
    let mut newest: Vec<(i64, Vec<i64>)> = Vec::new();
    for row in &sql.fetch_all(conn).await? {
        let mut ids: Vec<i64> = row.try_get("ids")?;
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.truncate(most);
        newest.push((row.try_get("template_id")?, ids));
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::SealedPatterns;
    use crate::search::fixtures::{lines, query};
    use crate::{Log, Model as _};

    #[test]
    fn statement_of_sealed_patterns_is_unchanged() {
        for (name, text) in [
            ("sealed_patterns", None),
            ("sealed_patterns_of_words", Some("connection refused")),
        ] {
            let query = text.map(query);
            let sql = SealedPatterns::statement(Log::TABLE, query.as_ref());
            insta::assert_snapshot!(name, lines(&sql.unwrap()));
        }
    }
}

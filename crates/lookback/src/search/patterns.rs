//! Patterns: how many records of a scope have each template.
//!
//! Rows are grouped by their text with each digit replaced by `0`, which the
//! database does fast, and these groups by their template. Postings count the records of
//! a template in sealed segments without reading them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::poll_fn;

use sqlx::{PgConnection, Row as _};

use super::candidates::{
    Coverage, LexicalCandidates, RowSet, ScopeCheck, SealedPatterns, SummaryPattern,
    newest_in_scope,
};
use super::index::map_summary_error;
use super::index::templates::template;
use super::parse::query::Query;
use super::scope::Scope;
use super::statement::scan_settings::SearchSession;
use super::statement::{Words, signed_rows};
use super::total::Total;
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnRole, Table, search_text, search_texts};
use crate::value::StoredTime;

/// The number of patterns that are kept, and the bytes of their texts. The records of
/// others are counted.
pub(super) const MAX_PATTERNS: usize = 100_000;
const MAX_BYTES: usize = 64 << 20;

/// The characters of a field that are grouped: texts up to this length, in bytes, have a
/// template.
const MAX_FIELD_CHARS: usize = 4_096;

/// The records of a scope that have a template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    /// The search fields, with a `0` for each run of letters and digits that has a digit.
    pub(crate) fields: Vec<String>,
    /// How many of the words of the search they have.
    pub(crate) coverage: Coverage,
    pub(crate) records: u64,
    /// The newest record of those that were read, or that [`resolve_examples`] found.
    pub(crate) newest_read: Option<i64>,
    /// The times of the first and of the last record; of those that summaries counted
    /// after [`resolve_times`].
    pub(crate) times: Option<(StoredTime, StoredTime)>,
    /// The part that summaries have counted.
    pub(crate) sealed: Option<SummaryPattern>,
}

/// The patterns of a scope, in any order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns {
    pub(crate) patterns: Vec<Pattern>,
    /// The number of records.
    pub(crate) records: u64,
    /// Whether records that are not among them were left out: beyond the number of
    /// patterns that are kept, or of sealed blocks that are read.
    pub(crate) is_truncated: bool,
    /// Whether summaries counted sealed records, of which some may be deleted.
    pub(crate) from_summaries: bool,
}

impl Patterns {
    /// Returns a number of patterns, as exact as these are.
    pub(crate) fn total(&self, patterns: usize) -> Total {
        let patterns = patterns as u64;
        if self.is_truncated {
            Total::AtLeast(patterns)
        } else if self.from_summaries {
            // All records of some may be deleted.
            Total::About(patterns)
        } else {
            Total::Exact(patterns)
        }
    }

    /// Joins the patterns that differ only in how many words of the search they have.
    pub(crate) fn join_coverages(&mut self) {
        let mut joined: HashMap<Vec<String>, Pattern> = HashMap::new();
        for mut pattern in self.patterns.drain(..) {
            pattern.coverage = Coverage::Partial;
            match joined.get_mut(&pattern.fields) {
                Some(known) => known.add(pattern),
                None => {
                    joined.insert(pattern.fields.clone(), pattern);
                }
            }
        }
        self.patterns = joined.into_values().collect();
    }
}

/// Whether the summaries of a sealed table may count records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SummaryUse {
    /// Yes: nothing but words narrows the scope.
    Count,
    /// They only say where records with the words are.
    Find,
    /// Not at all: every record is read.
    Never,
}

/// Finds the patterns of the records of a scope: of those with all words of a query, if
/// there is one. `None` if that would read more than summaries are to save:
/// with [`SummaryUse::Find`], of a search for common words in a large table.
pub(crate) async fn patterns(
    table: &'static Table,
    query: Option<&Query>,
    scope: &Scope<'_>,
    summaries: SummaryUse,
    conn: &mut PgConnection,
) -> Result<Option<Patterns>, Error> {
    let from_driver = |error| Error::from_driver(table, error);
    let mut session = SearchSession::begin(table, conn)
        .await
        .map_err(from_driver)?;
    let found = find(table, query, scope, summaries, None, &mut session).await;
    session.finish(found).await
}

/// Finds the patterns, with the row set of the lexical candidates of the query if it is
/// known.
pub(super) async fn find(
    table: &'static Table,
    query: Option<&Query>,
    scope: &Scope<'_>,
    summaries: SummaryUse,
    known: Option<LexicalCandidates>,
    session: &mut SearchSession<'_>,
) -> Result<Option<Patterns>, Error> {
    let mut groups = Groups::new(table, query);
    if summaries == SummaryUse::Never || !session.should_use_summaries(scope).await? {
        groups
            .add_rows(None, scope, &HashSet::new(), session)
            .await?;
        return Ok(Some(groups.finish(false)));
    }
    let map_summary_error = |error| map_summary_error(table, error);
    let Some(query) = query else {
        if summaries == SummaryUse::Count {
            let sealed = SealedPatterns::read(session.conn(), table, None).await;
            if let Some(sealed) = sealed.map_err(map_summary_error)? {
                let unsealed = RowSet::new(sealed.unsealed, Vec::new());
                let none = HashSet::new();
                groups
                    .add_rows(Some(&unsealed), scope, &none, session)
                    .await?;
                groups.is_truncated |= sealed.is_truncated;
                groups.add_sealed(sealed.patterns, session).await?;
                return Ok(Some(groups.finish(true)));
            }
        }
        groups
            .add_rows(None, scope, &HashSet::new(), session)
            .await?;
        return Ok(Some(groups.finish(false)));
    };
    let lexical = match known {
        Some(known) => Some(known),
        None => {
            let lexical =
                LexicalCandidates::find(session.conn(), table, query, scope, ScopeCheck::Before)
                    .await;
            lexical.map_err(map_summary_error)?
        }
    };
    let Some(mut lexical) = lexical else {
        groups
            .add_rows(None, scope, &HashSet::new(), session)
            .await?;
        return Ok(Some(groups.finish(false)));
    };
    let known = lexical.read_covering(session, table, query, scope);
    known.await.map_err(map_summary_error)?;
    while lexical.should_read_covering() {
        let more = lexical.read_more(session.conn(), table, query).await;
        more.map_err(map_summary_error)?;
    }
    let source = lexical.covering_source();
    if source.floor.is_none() {
        let none = HashSet::new();
        groups
            .add_rows(Some(&source.rows), scope, &none, session)
            .await?;
        return Ok(Some(groups.finish(false)));
    }
    if summaries == SummaryUse::Find || !lexical.templates_cover() {
        return Ok(None);
    }
    // What blocks have beside the templates: words within ids, and long texts.
    let sealed = SealedPatterns::read(session.conn(), table, Some(query)).await;
    let Some(sealed) = sealed.map_err(map_summary_error)? else {
        return Ok(None);
    };
    if !lexical.is_of_same_segments(&sealed.unsealed) {
        // Segments were sealed since: their blocks are to be read, too.
        let found =
            LexicalCandidates::find(session.conn(), table, query, scope, ScopeCheck::Before).await;
        let Some(found) = found.map_err(map_summary_error)? else {
            return Ok(None);
        };
        lexical = found;
    }
    let unsealed = RowSet::new(sealed.unsealed, Vec::new());
    groups
        .add_rows(Some(&unsealed), scope, &HashSet::new(), session)
        .await?;
    let counted = sealed.patterns.iter();
    let counted = counted.map(|pattern| pattern.fields.clone()).collect();
    let blocks = RowSet::new(lexical.block_ranges(), Vec::new());
    groups
        .add_rows(Some(&blocks), scope, &counted, session)
        .await?;
    groups.is_truncated |= sealed.is_truncated || !lexical.are_covering_blocks_read();
    groups.add_sealed(sealed.patterns, session).await?;
    Ok(Some(groups.finish(true)))
}

/// Patterns that are being counted.
struct Groups<'q> {
    table: &'static Table,
    query: Option<&'q Query>,
    /// By their coverage and their fields, which are left out of the patterns.
    patterns: HashMap<(Coverage, Vec<String>), Pattern>,
    /// The bytes of all fields.
    bytes: usize,
    records: u64,
    is_truncated: bool,
}

impl<'q> Groups<'q> {
    fn new(table: &'static Table, query: Option<&'q Query>) -> Self {
        Self {
            table,
            query,
            patterns: HashMap::new(),
            bytes: 0,
            records: 0,
            is_truncated: false,
        }
    }

    /// Adds the rows of a scope, or of a row set of it, except those with the fields of
    /// templates that are counted already.
    async fn add_rows(
        &mut self,
        rows: Option<&RowSet>,
        scope: &Scope<'_>,
        counted: &HashSet<Vec<String>>,
        session: &mut SearchSession<'_>,
    ) -> Result<(), Error> {
        let table = self.table;
        let from_driver = |error| Error::from_driver(table, error);
        let rows = rows.cloned();
        let rows = rows.map(|rows| rows.of_distributed(session.is_distributed()));
        let sql = statement(table, self.query, rows.as_ref(), scope)?;
        let mut groups = sql.fetch(session.conn());
        while let Some(row) = poll_fn(|context| groups.as_mut().poll_next(context)).await {
            let row = row.map_err(from_driver)?;
            let digits: Vec<String> = row.try_get("__fields")?;
            let fields: Vec<String> = digits.iter().map(|text| template(text)).collect();
            if counted.contains(&fields) {
                continue;
            }
            let times: (Option<StoredTime>, Option<StoredTime>) =
                (row.try_get("__oldest")?, row.try_get("__newest")?);
            let coverage: i32 = row.try_get("__coverage")?;
            self.add(Pattern {
                fields,
                coverage: Coverage::from_number(coverage.into()).unwrap_or_default(),
                records: row.try_get::<i64, _>("__records")?.unsigned_abs(),
                newest_read: row.try_get("__newest_id")?,
                times: Option::zip(times.0, times.1),
                sealed: None,
            });
        }
        Ok(())
    }

    /// Adds what summaries have counted.
    async fn add_sealed(
        &mut self,
        patterns: Vec<SummaryPattern>,
        session: &mut SearchSession<'_>,
    ) -> Result<(), Error> {
        // Long texts have no template: that of their newest record stands for them.
        let long = patterns.iter().filter(|pattern| pattern.fields.is_empty());
        let long: Vec<i64> = long.map(|pattern| pattern.last_id).collect();
        let long = fields_of(session.conn(), self.table, long).await?;
        for mut sealed in patterns {
            if sealed.fields.is_empty() {
                match long.get(&sealed.last_id) {
                    Some(fields) => sealed.fields.clone_from(fields),
                    None => continue,
                }
            }
            self.add(Pattern {
                fields: std::mem::take(&mut sealed.fields),
                coverage: sealed.coverage,
                records: sealed.records,
                newest_read: None,
                times: None,
                sealed: Some(sealed),
            });
        }
        Ok(())
    }

    fn add(&mut self, mut pattern: Pattern) {
        self.records = self.records.saturating_add(pattern.records);
        let key = (pattern.coverage, std::mem::take(&mut pattern.fields));
        if let Some(known) = self.patterns.get_mut(&key) {
            known.add(pattern);
        } else if self.patterns.len() < MAX_PATTERNS && self.bytes < MAX_BYTES {
            self.bytes += key.1.iter().map(String::len).sum::<usize>();
            self.patterns.insert(key, pattern);
        } else {
            self.is_truncated = true;
        }
    }

    fn finish(self, from_summaries: bool) -> Patterns {
        let patterns = self.patterns.into_iter();
        let patterns = patterns.map(|((_, fields), pattern)| Pattern { fields, ..pattern });
        Patterns {
            patterns: patterns.collect(),
            records: self.records,
            is_truncated: self.is_truncated,
            from_summaries,
        }
    }
}

impl Pattern {
    /// Returns the greatest id of its records.
    pub(crate) fn newest_id(&self) -> i64 {
        let sealed = self.sealed.as_ref().map(|sealed| sealed.last_id);
        self.newest_read.max(sealed).unwrap_or(i64::MIN)
    }

    /// Takes its newest record as the last one, if summaries counted later ones.
    pub(crate) fn end_at(&mut self, until: i64) {
        if let (Some(sealed), Some(newest)) = (&mut self.sealed, self.newest_read)
            && sealed.last_id > until
        {
            sealed.last_id = newest;
        }
    }

    /// Adds the records of another part with the same template.
    fn add(&mut self, other: Self) {
        self.records = self.records.saturating_add(other.records);
        self.newest_read = self.newest_read.max(other.newest_read);
        self.times = match (self.times, other.times) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self.sealed = match (self.sealed.take(), other.sealed) {
            (Some(mut a), Some(b)) => {
                a.add(b);
                Some(a)
            }
            (a, b) => a.or(b),
        };
    }
}

/// Returns the statement that groups rows.
fn statement(
    table: &'static Table,
    query: Option<&Query>,
    rows: Option<&RowSet>,
    scope: &Scope<'_>,
) -> Result<Sql, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    let mut sql = Sql::default();
    let scope = sql.fragment(|sql| scope.push_where(sql))?;
    let from = match rows {
        Some(rows) => rows.from(table, &mut sql)?,
        None => table.quoted(),
    };
    let columns = format!(
        "{fields} AS __fields, {id} AS __id, {created_at} AS __created_at",
        fields = digit_fields(table)
    );
    let (coverage, rows) = match query {
        Some(query) => {
            let words = Words::bind(query, &mut sql)?;
            let all = if query.phrases.is_empty() {
                format!(" AND {}", words.all(&search_text(table)))
            } else {
                String::new()
            };
            let rows = format!("{from}{scope}{all}");
            (
                words.coverage(),
                signed_rows(table, &words, &columns, &rows),
            )
        }
        None => (
            "0".to_owned(),
            format!("(SELECT {columns} FROM {from}{scope}) AS __searched"),
        ),
    };
    // A phrase is a filter of the scope; words that do not cover the search are left out.
    let covers = match query {
        Some(query) if query.phrases.is_empty() => "WHERE __coverage > 0",
        _ => "",
    };
    sql.push(&format!(
        "SELECT __coverage, __fields, count(*) AS __records, min(__created_at) AS __oldest, \
           max(__created_at) AS __newest, max(__id) AS __newest_id \
         FROM (SELECT {coverage} AS __coverage, __fields, __id, __created_at \
           FROM {rows} OFFSET 0) AS __rows {covers} \
         GROUP BY __coverage, __fields"
    ));
    Ok(sql)
}

/// Returns the SQL for the search fields with each digit replaced by `0`. Their templates
/// are those of the fields themselves.
fn digit_fields(table: &'static Table) -> String {
    let field = |text: String| {
        format!("translate(left({text}, {MAX_FIELD_CHARS}), '123456789', '000000000')")
    };
    let fields: Vec<String> = search_texts(table).into_iter().map(field).collect();
    format!("ARRAY[{}]::text[]", fields.join(", "))
}

/// Reads the templates of the fields of records, by id.
async fn fields_of(
    conn: &mut PgConnection,
    table: &'static Table,
    ids: Vec<i64>,
) -> Result<HashMap<i64, Vec<String>>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let id = table.column_of(ColumnRole::Id).quoted();
    let mut sql = Sql::new(&format!(
        "SELECT {id} AS __id, {} AS __fields FROM {} WHERE {id} = ANY(",
        digit_fields(table),
        table.quoted()
    ));
    sql.bind(ids)?;
    sql.push("::bigint[])");
    let rows = sql.fetch_all(conn).await;
    let rows = rows.map_err(|error| Error::from_driver(table, error))?;
    let mut fields = HashMap::with_capacity(rows.len());
    for row in &rows {
        let digits: Vec<String> = row.try_get("__fields")?;
        let of = digits.iter().map(|text| template(text)).collect();
        fields.insert(row.try_get("__id")?, of);
    }
    Ok(fields)
}

/// Looks up the times of the first and the last record that summaries have counted.
///
/// Where one of them is deleted, that of the next one to it stands for it.
pub(crate) async fn resolve_times(
    conn: &mut PgConnection,
    table: &'static Table,
    patterns: &mut [Pattern],
) -> Result<(), Error> {
    let sealed: Vec<(usize, i64, i64)> = patterns
        .iter()
        .enumerate()
        .filter_map(|(place, pattern)| {
            let sealed = pattern.sealed.as_ref()?;
            Some((place, sealed.first_id, sealed.last_id))
        })
        .collect();
    if sealed.is_empty() {
        return Ok(());
    }
    let ids = sealed.iter().flat_map(|(_, first, last)| [*first, *last]);
    let known = times_of(conn, table, ids.collect()).await?;
    for (place, first, last) in &sealed {
        // Where a record was deleted, the next one stands for it.
        let mut times = (known.get(first).copied(), known.get(last).copied());
        if times.0.is_none() {
            times.0 = nearest_time(conn, table, *first, ">=", "ASC").await?;
        }
        if times.1.is_none() {
            times.1 = nearest_time(conn, table, *last, "<=", "DESC").await?;
        }
        let pattern = &mut patterns[*place];
        if let Some((first, last)) = Option::zip(times.0, times.1) {
            // Ids are not quite in the order of times.
            let (first, last) = (first.min(last), first.max(last));
            pattern.times = Some(match pattern.times {
                Some(known) => (known.0.min(first), known.1.max(last)),
                None => (first, last),
            });
        }
    }
    Ok(())
}

/// Reads the times of records, by id.
async fn times_of(
    conn: &mut PgConnection,
    table: &'static Table,
    ids: Vec<i64>,
) -> Result<HashMap<i64, StoredTime>, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    let mut sql = Sql::new(&format!(
        "SELECT {id} AS __id, {created_at} AS __created_at FROM {} WHERE {id} = ANY(",
        table.quoted()
    ));
    sql.bind(ids)?;
    sql.push(")");
    let rows = sql.fetch_all(conn).await;
    let rows = rows.map_err(|error| Error::from_driver(table, error))?;
    let mut times = HashMap::with_capacity(rows.len());
    for row in &rows {
        times.insert(row.try_get("__id")?, row.try_get("__created_at")?);
    }
    Ok(times)
}

/// Reads the time of the nearest record on one side of an id.
async fn nearest_time(
    conn: &mut PgConnection,
    table: &'static Table,
    of: i64,
    comparison: &str,
    direction: &str,
) -> Result<Option<StoredTime>, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let created_at = table.column_of(ColumnRole::CreatedAt).quoted();
    let mut sql = Sql::new(&format!(
        "SELECT {created_at} FROM {} WHERE {id} {comparison} ",
        table.quoted()
    ));
    sql.bind(of)?;
    sql.push(&format!(" ORDER BY {id} {direction} LIMIT 1"));
    let row = sql.fetch_optional(conn).await;
    let row = row.map_err(|error| Error::from_driver(table, error))?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Looks up the newest record of each pattern that is in the scope; those without one
/// are removed: their records are deleted.
pub(crate) async fn resolve_examples(
    conn: &mut PgConnection,
    table: &'static Table,
    scope: &Scope<'_>,
    patterns: Vec<Pattern>,
) -> Result<Vec<Pattern>, Error> {
    let templates = patterns
        .iter()
        .filter_map(|pattern| pattern.sealed.as_ref());
    let templates: Vec<i64> = templates.flat_map(|of| &of.templates).copied().collect();
    let newest: BTreeMap<i64, i64> = if templates.is_empty() {
        BTreeMap::new()
    } else {
        let newest = newest_in_scope(conn, table, scope, &templates).await;
        newest.map_err(|error| map_summary_error(table, error))?
    };
    let resolved = patterns.into_iter().filter_map(|mut pattern| {
        if let Some(sealed) = &pattern.sealed {
            let known = sealed.templates.iter().filter_map(|id| newest.get(id));
            // Those that were read are in the scope.
            pattern.newest_read = known.copied().chain(pattern.newest_read).max();
            pattern.newest_read?;
        }
        Some(pattern)
    });
    Ok(resolved.collect())
}

#[cfg(test)]
mod tests {
    use super::statement;
    use crate::search::RowSet;
    use crate::search::fixtures::{lines, query, with_scope};
    use crate::{Log, Model as _};

    #[test]
    fn statement_of_patterns_is_unchanged() {
        let rows = RowSet::new(vec![(1, 9)], vec![12]);
        for (name, text, rows) in [
            ("patterns", None, None),
            ("patterns_of_words", Some("connection refused"), Some(&rows)),
            ("patterns_of_phrase", Some("\"slow query\""), None),
        ] {
            let query = text.map(query);
            let sql = with_scope(|scope| statement(Log::TABLE, query.as_ref(), rows, scope));
            insta::assert_snapshot!(name, lines(&sql.unwrap()));
        }
    }
}

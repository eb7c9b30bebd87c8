//! Running a search: fetching its candidates.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::candidates::{
    Candidate, Candidates, Coverage, LexicalCandidates, RowSet, ScopeCheck, VectorCandidates,
    WordPresence,
};
use super::parse::query::Query;
use super::patterns::{Patterns, SummaryUse, find as find_patterns};
use super::rank::MIN_COSINE;
use super::scope::Scope;
use super::statement::scan_settings::SearchSession;
use super::statement::{
    self, CoveringPage, CoveringSource, CoveringStart, INDEX_STEP, LEXICAL_LIMIT, MAX_RANKED_CHARS,
    RowSources, VectorScan,
};
use crate::error::Error;
use crate::model::Table;
use crate::search::index::map_summary_error;

/// A search on a connection, and what it has found out so far: a page may need several
/// statements.
pub(crate) struct Search<'a, 'c> {
    table: &'static Table,
    query: &'a Query,
    scope: &'a Scope<'a>,
    /// The greatest id of the scope.
    until: Option<i64>,
    session: SearchSession<'c>,
    /// The row set of its lexical candidates, once it is known.
    lexical: Option<LexicalCandidates>,
}

impl<'a, 'c> Search<'a, 'c> {
    pub(crate) async fn begin(
        table: &'static Table,
        query: &'a Query,
        scope: &'a Scope<'a>,
        until: Option<i64>,
        conn: &'c mut PgConnection,
    ) -> Result<Self, Error> {
        let session = SearchSession::begin(table, conn).await;
        Ok(Self {
            table,
            query,
            scope,
            until,
            session: session.map_err(|error| Error::from_driver(table, error))?,
            lexical: None,
        })
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.session.conn()
    }

    /// Ends the search and returns the outcome: see [`SearchSession::finish`].
    pub(crate) async fn finish<T>(self, outcome: Result<T, Error>) -> Result<T, Error> {
        self.session.finish(outcome).await
    }

    /// Fetches the candidates, of which the first `page` are wanted.
    pub(crate) async fn candidates(&mut self, page: u64) -> Result<Candidates, Error> {
        let query = self.query;
        let fetched = self.fetch_best(page).await?;
        let are_covering_all = fetched.counts_all_covering && !query.phrases.is_empty();
        Ok(Candidates {
            complete: (fetched.lexical_rows <= LEXICAL_LIMIT || are_covering_all)
                && fetched.is_vector_complete
                && !query.has_unfetched_words,
            more_covering: fetched.lists_covering,
            covering_rows: fetched.covering_rows.unsigned_abs(),
            others: fetched.others,
            candidates: fetched.candidates,
        })
    }

    /// Fetches a page of the rows with a coverage.
    pub(crate) async fn covering_page(
        &mut self,
        page: CoveringPage,
    ) -> Result<Vec<Candidate>, Error> {
        let (table, query, scope) = (self.table, self.query, self.scope);
        fetch_covering(table, query, scope, page, &mut self.session).await
    }

    /// Fetches those of some rows that have a coverage.
    pub(crate) async fn covering_rows(
        &mut self,
        coverage: Coverage,
        ids: &[i64],
    ) -> Result<Vec<Candidate>, Error> {
        let (table, query) = (self.table, self.query);
        let from_driver = |error| Error::from_driver(table, error);
        let page = CoveringPage {
            coverage,
            start: CoveringStart::Newest,
            limit: ids.len() as u64,
        };
        let source = CoveringSource {
            rows: RowSet::new(Vec::new(), ids.to_vec())
                .of_distributed(self.session.is_distributed()),
            floor: None,
        };
        let statement = statement::covering(table, query, page, Some(&source), self.scope)?;
        let rows = statement.fetch_all(self.conn()).await;
        let rows = rows.map_err(from_driver)?;
        let rows = FetchedRows::read(query, &rows, Fields::OfRow).map_err(from_driver)?;
        Ok(rows.candidates)
    }

    /// Finds the patterns of the rows with all words: see [`patterns`](super::patterns()).
    pub(crate) async fn patterns(
        &mut self,
        summaries: SummaryUse,
    ) -> Result<Option<Patterns>, Error> {
        let known = self.lexical.take();
        let (table, query, scope) = (self.table, Some(self.query), self.scope);
        find_patterns(table, query, scope, summaries, known, &mut self.session).await
    }
}

/// Fetches from the row sets that the summaries name, until one fills the page;
/// otherwise from the whole table, where there are many.
async fn fetch_covering(
    table: &'static Table,
    query: &Query,
    scope: &Scope<'_>,
    page: CoveringPage,
    session: &mut SearchSession<'_>,
) -> Result<Vec<Candidate>, Error> {
    let from_driver = |error| Error::from_driver(table, error);
    let mut lexical = None;
    // The words as typed are a phrase.
    let phrase = (page.coverage == Coverage::AsTyped).then(|| query.as_phrase());
    let wanted = phrase.as_ref().unwrap_or(query);
    if session.should_use_summaries(scope).await? {
        let found =
            LexicalCandidates::find(session.conn(), table, wanted, scope, ScopeCheck::Before).await;
        lexical = found.map_err(|error| map_summary_error(table, error))?;
    }
    loop {
        let mut source = lexical.as_ref().map(LexicalCandidates::covering_source);
        if let Some(source) = &mut source {
            source.rows = std::mem::take(&mut source.rows).of_distributed(session.is_distributed());
        }
        let statement = statement::covering(table, query, page, source.as_ref(), scope)?;
        let rows = statement.fetch_all(session.conn()).await;
        let rows = rows.map_err(from_driver)?;
        let rows = FetchedRows::read(query, &rows, Fields::OfRow).map_err(from_driver)?;
        let rows = rows.candidates;
        let is_full = rows.len() as u64 == page.limit && !page.is_backwards();
        if is_full || source.is_none_or(|source| source.floor.is_none()) {
            return Ok(rows);
        }
        lexical = match lexical {
            Some(mut lexical) if lexical.should_read_covering() => {
                let more = lexical.read_more(session.conn(), table, wanted).await;
                more.map_err(|error| map_summary_error(table, error))?;
                Some(lexical)
            }
            _ => None,
        };
    }
}

/// What the row sets that the summaries name gave.
enum FromRowSets {
    Fetched(FetchedRows),
    /// Too many of their records are outside of the scope.
    TooFew,
    /// The table must be scanned: nothing is sealed, or the filters leave little.
    NeedScan,
}

/// The number of rows whose texts are kept: of some hundred bytes, and at most of some
/// thousand each.
const FEW_ROWS: u64 = 20_000;

/// The number of hits that are looked for at least, however short the page.
const MIN_PAGE: usize = 20;

impl Search<'_, '_> {
    /// Fetches by summaries if that is less work, otherwise from the whole table.
    async fn fetch_best(&mut self, page: u64) -> Result<FetchedRows, Error> {
        if self.session.should_use_summaries(self.scope).await?
            && let Some(fetched) = self.fetch_from_row_sets(page).await?
        {
            return Ok(fetched);
        }
        self.fetch_from_table().await
    }

    /// Fetches from the whole table.
    async fn fetch_from_table(&mut self) -> Result<FetchedRows, Error> {
        let (table, query, scope) = (self.table, self.query, self.scope);
        let session = &mut self.session;
        let all = RowSources {
            uses_text_index: session.has_text_index(),
            are_few: session.is_scan_small(),
            ..RowSources::default()
        };
        let vector_scan = session.vector_scan();
        let fetched = fetch(table, query, vector_scan, &all, scope, session).await?;
        let by_index = query.has_vector_candidates() && vector_scan == VectorScan::Index;
        if by_index && fetched.ended_early() {
            // The index gave up, or the scope is small: a scan finds the rest.
            return fetch(table, query, VectorScan::Sequential, &all, scope, session).await;
        }
        Ok(fetched)
    }

    /// Fetches from the row sets that the summaries name; `None` if the table must be
    /// scanned.
    async fn fetch_from_row_sets(&mut self, page: u64) -> Result<Option<FetchedRows>, Error> {
        if self.scope.is_whole() {
            match self.fetch_row_sets(page, ScopeCheck::AsRead).await? {
                FromRowSets::Fetched(rows) => return Ok(Some(rows)),
                FromRowSets::NeedScan => return Ok(None),
                FromRowSets::TooFew => {}
            }
        }
        match self.fetch_row_sets(page, ScopeCheck::Before).await? {
            FromRowSets::Fetched(rows) => Ok(Some(rows)),
            FromRowSets::NeedScan | FromRowSets::TooFew => Ok(None),
        }
    }

    async fn fetch_row_sets(&mut self, page: u64, check: ScopeCheck) -> Result<FromRowSets, Error> {
        let (table, query, scope) = (self.table, self.query, self.scope);
        let session = &mut self.session;
        let page = usize::try_from(page).unwrap_or(usize::MAX).max(MIN_PAGE);
        let map_summary_error = |error| map_summary_error(table, error);
        let lexical = LexicalCandidates::find(session.conn(), table, query, scope, check).await;
        let Some(mut lexical) = lexical.map_err(map_summary_error)? else {
            return Ok(FromRowSets::NeedScan);
        };
        let (mut vector, mut is_vector_all) = (None, true);
        let mut spare = lexical.spare();
        if let Some(embedding) = query
            .embedding
            .as_ref()
            .filter(|_| query.has_vector_candidates())
        {
            let nearest = VectorCandidates::find(session.conn(), table, embedding, scope, check);
            let Some(nearest) = nearest.await.map_err(map_summary_error)? else {
                return Ok(FromRowSets::NeedScan);
            };
            spare = spare.min(nearest.spare);
            (vector, is_vector_all) = (nearest.row_set, nearest.is_all);
        }
        let known = lexical.read_covering(session, table, query, scope);
        known.await.map_err(map_summary_error)?;
        let until = self.until.unwrap_or(i64::MAX);
        loop {
            let mut sources = RowSources {
                lexical: Some(lexical.row_set()),
                vector: vector.clone(),
                uses_text_index: false,
                are_few: false,
            };
            sources.are_few = sources
                .most_rows(until)
                .is_some_and(|rows| rows <= FEW_ROWS);
            let mut fetched = fetch(
                table,
                query,
                VectorScan::Sequential,
                &sources,
                scope,
                session,
            )
            .await?;
            if check == ScopeCheck::AsRead
                && sources.listed().saturating_sub(fetched.listed_rows) > spare
            {
                return Ok(FromRowSets::TooFew);
            }
            // Beyond those that are ranked, they are listed by pages of their own.
            fetched.lists_covering |= lexical.has_many_covering();
            if let Some(floor) = lexical.covering_source().floor {
                // Older ones may be anywhere.
                for other in &mut fetched.others {
                    *other = (*other).max(Some(floor.saturating_sub(1)));
                }
            }
            let is_enough = lexical.is_enough(&fetched.signatures, page)
                && (fetched.lists_covering || !lexical.should_read_covering());
            if is_enough {
                fetched.is_vector_complete &= is_vector_all && lexical.is_all();
                fetched.counts_all_covering = lexical.has_all_covering();
                self.lexical = Some(lexical);
                return Ok(FromRowSets::Fetched(fetched));
            }
            let more = lexical.read_more(session.conn(), table, query).await;
            more.map_err(map_summary_error)?;
        }
    }
}

async fn fetch(
    table: &'static Table,
    query: &Query,
    vector_scan: VectorScan,
    sources: &RowSources,
    scope: &Scope<'_>,
    session: &mut SearchSession<'_>,
) -> Result<FetchedRows, Error> {
    let from_driver = |error| Error::from_driver(table, error);
    let sources = sources.clone().of_distributed(session.is_distributed());
    let statement = statement::candidates(table, query, vector_scan, &sources, scope)?;
    let rows = statement.sql.fetch_all(session.conn()).await;
    let rows = rows.map_err(from_driver)?;
    let fields = if statement.has_fields {
        Fields::OfRow
    } else {
        let ids: Result<BTreeSet<i64>, _> = rows.iter().map(|row| row.try_get("__id")).collect();
        let ids: Vec<i64> = ids.map_err(from_driver)?.into_iter().collect();
        let fields = statement::fields(table, &ids)?.fetch_all(session.conn());
        Fields::by_id(&fields.await.map_err(from_driver)?).map_err(from_driver)?
    };
    FetchedRows::read(query, &rows, fields).map_err(from_driver)
}

/// The texts of the search fields of rows.
enum Fields {
    /// A column of each row.
    OfRow,
    /// By the id of the row.
    ById(HashMap<i64, Vec<String>>),
}

impl Fields {
    fn by_id(rows: &[PgRow]) -> Result<Self, sqlx::Error> {
        let of = |row: &PgRow| Ok((row.try_get("__id")?, row.try_get("__fields")?));
        let fields: Result<_, sqlx::Error> = rows.iter().map(of).collect();
        Ok(Self::ById(fields?))
    }

    /// Returns those of a row; `None` if the row is gone.
    fn of(&mut self, id: i64, row: &PgRow) -> Result<Option<Vec<String>>, sqlx::Error> {
        match self {
            Self::OfRow => row.try_get("__fields").map(Some),
            Self::ById(fields) => Ok(fields.remove(&id)),
        }
    }
}

/// The rows of the statement.
struct FetchedRows {
    candidates: Vec<Candidate>,
    /// What each of them has of the words, two bits per word.
    signatures: Vec<i64>,
    /// The number of rows that contain a fragment, fetched or not.
    lexical_rows: i64,
    /// The number of these that cover the search.
    covering_rows: i64,
    /// Whether more rows cover it than are ranked.
    lists_covering: bool,
    /// Whether no other rows cover it.
    counts_all_covering: bool,
    /// The number of rows read from an index of embeddings, and their minimal
    /// cosine.
    index_rows: i64,
    min_cosine: Option<f64>,
    /// Whether every near row is among the candidates.
    is_vector_complete: bool,
    /// The greatest id of the covering rows that are not candidates, by coverage.
    others: [Option<i64>; 3],
    /// The number of rows that a row set lists by their ids and that were read.
    listed_rows: usize,
}

impl FetchedRows {
    fn read(query: &Query, rows: &[PgRow], mut fields: Fields) -> Result<Self, sqlx::Error> {
        let mut fetched = Self {
            candidates: Vec::with_capacity(rows.len()),
            signatures: Vec::with_capacity(rows.len()),
            lexical_rows: 0,
            covering_rows: 0,
            lists_covering: false,
            counts_all_covering: true,
            index_rows: 0,
            min_cosine: None,
            is_vector_complete: true,
            others: [None; 3],
            listed_rows: 0,
        };
        let mut ids = HashSet::with_capacity(rows.len());
        for row in rows {
            fetched.lexical_rows = row.try_get("__lexical_rows")?;
            fetched.covering_rows = if query.phrases.is_empty() {
                row.try_get("__covering_rows")?
            } else {
                fetched.lexical_rows
            };
            fetched.listed_rows =
                usize::try_from(row.try_get::<i64, _>("__listed_rows")?).unwrap_or_default();
            fetched.index_rows = row.try_get("__index_rows")?;
            fetched.is_vector_complete = row.try_get("__complete")?;
            fetched.min_cosine = row.try_get("__min_cosine")?;
            let others: Option<Vec<Option<i64>>> = row.try_get("__others")?;
            for (known, other) in fetched.others.iter_mut().zip(others.unwrap_or_default()) {
                *known = other;
            }
            let id: i64 = row.try_get("__id")?;
            // A row may be among the best by words and among the nearest.
            if !ids.insert(id) {
                continue;
            }
            let Some(fields) = fields.of(id, row)? else {
                continue;
            };
            let signature: i64 = row.try_get("__signature")?;
            fetched.signatures.push(signature);
            let cosine: Option<f64> = row.try_get("__cosine")?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a cosine needs no more precision"
            )]
            let cosine = cosine
                .filter(|cosine| cosine.is_finite())
                .map(|cosine| cosine as f32);
            fetched.candidates.push(Candidate {
                id,
                fields: truncate_texts(fields),
                presence: (0..query.fetch_words.len())
                    .map(|index| presence(signature, index))
                    .collect(),
                cosine,
                coverage: Coverage::from_number(row.try_get::<i32, _>("__coverage")?.into())
                    .unwrap_or_default(),
            });
        }
        fetched.lists_covering = fetched.covering_rows > LEXICAL_LIMIT;
        fetched.candidates.sort_by_key(|candidate| candidate.id);
        Ok(fetched)
    }

    /// Returns whether the index returned fewer rows than requested, all of
    /// them near.
    fn ended_early(&self) -> bool {
        self.index_rows < INDEX_STEP
            && self
                .min_cosine
                .is_none_or(|min_cosine| min_cosine >= f64::from(MIN_COSINE))
    }
}

/// Truncates texts to the characters that are ranked: short ones stay whole,
/// and longer ones share the rest.
fn truncate_texts(mut texts: Vec<String>) -> Vec<String> {
    let mut lengths: Vec<usize> = texts.iter().map(|text| text.chars().count()).collect();
    let (mut room, mut each) = (MAX_RANKED_CHARS as usize, 0);
    lengths.sort_unstable();
    for (index, length) in lengths.iter().enumerate() {
        each = room / (lengths.len() - index);
        if *length > each {
            break;
        }
        each = *length;
        room -= length;
    }
    for text in &mut texts {
        if let Some((end, _)) = text.char_indices().nth(each) {
            text.truncate(end);
        }
    }
    texts
}

/// Reads the two bits of a word from a signature.
fn presence(signature: i64, index: usize) -> WordPresence {
    match (signature >> (2 * index)) & 3 {
        0 => WordPresence::Absent,
        1 => WordPresence::Fragment,
        _ => WordPresence::Word,
    }
}

#[cfg(test)]
mod tests {
    use super::truncate_texts;

    #[test]
    fn truncate_texts_shortens_only_long_texts() {
        let texts = |lengths: &[usize]| -> Vec<String> {
            lengths.iter().map(|length| "é".repeat(*length)).collect()
        };
        let truncate_texts = |lengths: &[usize]| -> Vec<usize> {
            let texts = truncate_texts(texts(lengths)).into_iter();
            texts.map(|text| text.chars().count()).collect()
        };
        assert_eq!(truncate_texts(&[1_000, 5, 0]), [1_000, 5, 0]);
        assert_eq!(truncate_texts(&[9_000, 4, 6]), [1_990, 4, 6]);
        assert_eq!(truncate_texts(&[2_000, 200, 2_000]), [900, 200, 900]);
        assert_eq!(truncate_texts(&[]), [0; 0]);
    }
}

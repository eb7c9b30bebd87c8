//! A page of a search: hits by their score or, if more records have all words
//! than are ranked, these first, newest first.

use std::cmp::Ordering;
use std::collections::HashMap;

use sqlx::{PgConnection, Row as _};

use super::folded_page::{self, FoldedHit, Templates};
use super::hit_page::{HitKey, HitList, HitPage, HitStart, SearchList, TakenHits};
use super::select::Shape;
use super::shown_patterns::PatternKey;
use super::{Count, QueryBuilder, Total};
use crate::db::{Session, Sql};
use crate::error::Error;
use crate::hash::fnv1a;
use crate::model::{ColumnRole, Model, Table};
use crate::search::{
    self, Copies, Coverage, CoveringPage, CoveringStart, Query, Ranked, Scope, Search, SummaryUse,
};

/// A page of a search.
pub(super) struct SearchPage {
    page: HitPage,
    list: HitList,
    taken: TakenHits<ListedHit>,
    /// The weights of the words of the search.
    pub(super) weights: Vec<f32>,
    pub(super) total: Total,
    /// The number of rows, if copies are folded.
    pub(super) folded: Option<Total>,
}

/// A hit with its key in the list.
#[derive(Clone, Copy, Debug)]
struct ListedHit {
    ranked: Ranked,
    key: HitKey,
    /// Its pattern, if copies are folded.
    pattern: Option<PatternKey>,
    /// The hits that it stands for, if copies are folded.
    copies: Option<Copies>,
}

impl SearchPage {
    pub(super) fn hits(&self) -> impl Iterator<Item = &Ranked> {
        self.taken.hits.iter().map(|hit| &hit.ranked)
    }

    /// Returns the hits that the one at this place stands for, if copies are folded.
    pub(super) fn copies(&self, place: usize) -> Option<Copies> {
        self.taken.hits.get(place)?.copies
    }

    /// Ends the page early, because of the bytes of its records.
    pub(super) async fn end<M: Model, S: Shape<M>>(
        &mut self,
        query: &QueryBuilder<M>,
        conn: &mut PgConnection,
        shape: &S,
    ) -> Result<(), Error> {
        let id = |hit: &ListedHit| hit.ranked.id;
        query
            .end_page(conn, shape, &self.page, &mut self.taken, id)
            .await
    }

    /// Returns the cursors of the next and of the previous page.
    pub(super) fn cursors(&self, table: &'static Table) -> super::hit_page::Cursors {
        let mark = |hit: &ListedHit| (hit.key, hit.pattern);
        self.page.cursors(table, &self.taken, &self.list, mark)
    }
}

impl<M: Model> QueryBuilder<M> {
    /// Reads a page of a search.
    pub(super) async fn search_page(
        &self,
        session: &mut Session<'_>,
        query: &Query,
    ) -> Result<SearchPage, Error> {
        let table = M::TABLE;
        let text = self.search.as_deref().unwrap_or_default();
        // Cursors of the search identify its text by a hash, and do not contain it.
        let name = if self.folds { "folded hits" } else { "hits" };
        let page = self.hit_page(format!("{name} {:016x}", fnv1a(text.bytes())))?;
        // Later records have greater ids: they are on no later page, and change no IDF.
        let mut list = match page.cursor_list() {
            Some(list) => {
                let weights = list.search.as_ref().map(|search| search.weights.len());
                if weights != Some(query.word_count()) {
                    return Err(page.changed_cursor(table));
                }
                list.clone()
            }
            None => HitList {
                until: newest_id(table, session.conn()).await?,
                search: None,
            },
        };
        let records = |sql: &mut Sql| self.push_where_of(&list, sql);
        let exclusion = |sql: &mut Sql| self.push_template_exclusion(sql);
        let times = self.times();
        // The scope of a later page has no records since its first one.
        let is_first = page.cursor_list().is_none();
        let is_whole = is_first && self.summary_use() == SummaryUse::Count;
        let scope = Scope::new(&records, &exclusion, &times).whole(is_whole);
        let mut running = Search::begin(table, query, &scope, list.until, session.conn()).await?;
        let found = async {
            let mut reader = Reader {
                table,
                query,
                scope: &scope,
                page: &page,
                search: &mut running,
                until: list.until,
                folds: self.folds.then(|| self.summary_use()),
                ranked: None,
                folded: None,
            };
            let search = reader.list(list.search.as_ref()).await?;
            let hits = reader.read(&search).await?;
            Ok((search, page.take(hits), reader.folded))
        }
        .await;
        let (search, taken, folded) = running.finish(found).await?;
        let seen = taken.place + taken.hits.len() as u64 + u64::from(taken.more);
        let total = match self.count {
            Count::UpTo(0) if taken.hits.is_empty() => Total::AtLeast(0),
            Count::UpTo(0) => Total::AtLeast(seen),
            Count::UpTo(most) if search.total.value() > most => Total::AtLeast(most),
            _ => search.total,
        };
        let weights = search.weights.clone();
        list.search = Some(search);
        Ok(SearchPage {
            page,
            list,
            taken,
            weights,
            total,
            folded,
        })
    }
}

/// A part of a list of hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Records with a coverage, newest first.
    Covering(Coverage),
    /// Records by their score.
    Ranked,
}

impl Part {
    /// Returns the parts of a list, in order.
    fn of_list(query: &Query, lists_covering: bool) -> &'static [Self] {
        const AS_TYPED: Part = Part::Covering(Coverage::AsTyped);
        const ALL_WORDS: Part = Part::Covering(Coverage::AllWords);
        const PARTIAL: Part = Part::Covering(Coverage::Partial);
        match (lists_covering, query.has_phrases()) {
            (false, _) => &[Self::Ranked],
            (true, false) => &[AS_TYPED, ALL_WORDS, Self::Ranked],
            // Every hit has the phrases.
            (true, true) => &[AS_TYPED, ALL_WORDS, PARTIAL],
        }
    }

    fn of_key(key: HitKey) -> Self {
        match key {
            HitKey::Covering { coverage, .. } => Self::Covering(coverage),
            HitKey::Ranked { .. } | HitKey::Near { .. } => Self::Ranked,
        }
    }
}

/// Reads a page of a search.
struct Reader<'a, 'r, 'c> {
    table: &'static Table,
    query: &'a Query,
    scope: &'a Scope<'a>,
    page: &'a HitPage,
    search: &'r mut Search<'a, 'c>,
    /// The greatest id of the list.
    until: Option<i64>,
    /// Whether copies are folded, and what summaries may count.
    folds: Option<SummaryUse>,
    /// The hits by their score, once they are read.
    ranked: Option<RankedHits>,
    /// The number of rows of a folded list, once it is read.
    folded: Option<Total>,
}

/// The hits by their score.
struct RankedHits {
    hits: Vec<Ranked>,
    /// Their templates, if copies are folded.
    templates: Templates,
    /// Whether these are all hits.
    are_all: bool,
    /// Whether these are all that cover the search.
    are_all_covering: bool,
    /// The greatest id of others that cover it, by the number of their coverage.
    others: [Option<i64>; 3],
}

impl RankedHits {
    /// Returns the newest of those with a coverage, as many as have none between them
    /// that is missing, and whether these are all.
    fn newest(&self, coverage: Coverage) -> (Vec<Ranked>, bool) {
        let others = self.others[coverage as usize];
        let newest = self
            .hits
            .iter()
            .filter(|hit| hit.coverage == coverage && others.is_none_or(|other| hit.id > other));
        let mut newest: Vec<Ranked> = newest.copied().collect();
        newest.sort_unstable_by_key(|hit| std::cmp::Reverse(hit.id));
        (newest, others.is_none())
    }
}

impl Reader<'_, '_, '_> {
    /// Returns the list that the page is of: that of its cursor, or a new one.
    async fn list(&mut self, known: Option<&SearchList>) -> Result<SearchList, Error> {
        if let Some(known) = known.filter(|known| known.lists_covering) {
            return Ok(known.clone());
        }
        let weights = known.map(|known| known.weights.as_slice());
        let found = self.candidates().await?;
        let ranking = search::rank(self.query, &found.candidates, weights);
        let templates = self.templates(&found);
        let lists_covering = known.is_none() && found.more_covering;
        let hits = ranking.hits.len() as u64;
        let total = match (found.complete, lists_covering) {
            (true, true) => Total::Exact(found.covering_rows),
            (true, false) => Total::Exact(hits),
            (false, true) => {
                let partial = ranking.hits.iter().filter(|hit| is_partial(hit)).count();
                Total::AtLeast(found.covering_rows + partial as u64)
            }
            (false, false) => Total::AtLeast(hits),
        };
        self.ranked = Some(RankedHits {
            hits: ranking.hits,
            templates,
            are_all: found.complete,
            are_all_covering: !found.more_covering,
            others: found.others,
        });
        Ok(SearchList {
            lists_covering,
            weights: ranking.weights,
            total,
        })
    }

    async fn candidates(&mut self) -> Result<search::Candidates, Error> {
        self.search.candidates(self.page.end()).await
    }

    /// Returns the templates of candidates, which folding needs.
    fn templates(&self, found: &search::Candidates) -> Templates {
        if self.folds.is_some() {
            Templates::of(&found.candidates)
        } else {
            Templates::default()
        }
    }

    /// Returns the wanted hits of the page, in the order of the list.
    async fn read(&mut self, list: &SearchList) -> Result<Vec<ListedHit>, Error> {
        if let Some(summaries) = self.folds {
            return self.read_folded(list, summaries).await;
        }
        let parts = Part::of_list(self.query, list.lists_covering);
        let wanted = usize::try_from(self.page.wanted()).unwrap_or(usize::MAX);
        let mut hits: Vec<ListedHit> = Vec::new();
        let (key, forward) = match &self.page.start {
            HitStart::First => (None, true),
            HitStart::After(position) => (Some(position.key), true),
            HitStart::Before(position) => (Some(position.key), false),
        };
        let start = key.map(Part::of_key);
        let start = parts.iter().position(|part| Some(*part) == start);
        let parts: Vec<Part> = match (start, forward) {
            (None, _) => parts.to_vec(),
            (Some(start), true) => parts[start..].to_vec(),
            (Some(start), false) => parts[..=start].iter().rev().copied().collect(),
        };
        for part in parts {
            let missing = wanted - hits.len();
            if missing == 0 {
                break;
            }
            // The key is in the first part; the others begin at their start or end.
            let key = key.filter(|key| Part::of_key(*key) == part);
            match part {
                Part::Covering(coverage) => {
                    let start = match (key, forward) {
                        (Some(HitKey::Covering { id, .. }), true) => CoveringStart::After(id),
                        (Some(HitKey::Covering { id, .. }), false) => CoveringStart::Before(id),
                        (_, true) => CoveringStart::Newest,
                        (_, false) => CoveringStart::Oldest,
                    };
                    let page = CoveringPage {
                        coverage,
                        start,
                        limit: missing as u64,
                    };
                    match self.known_covering(page) {
                        Some(known) => hits.extend(known),
                        None => hits.extend(self.read_covering(page, list).await?),
                    }
                }
                Part::Ranked => {
                    let ranked = self.read_ranked(list).await?;
                    hits.extend(page_of_ranked(&ranked.hits, key, forward, missing));
                }
            }
        }
        if !forward {
            hits.reverse();
        }
        Ok(hits)
    }

    /// Returns a page of covering records from its newest, if they are among those that
    /// are ranked.
    fn known_covering(&self, page: CoveringPage) -> Option<Vec<ListedHit>> {
        let ranked = self.ranked.as_ref()?;
        if page.start != CoveringStart::Newest {
            return None;
        }
        let (mut newest, are_all) = ranked.newest(page.coverage);
        if !are_all && (newest.len() as u64) < page.limit {
            return None;
        }
        newest.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
        Some(listed(newest, page.coverage))
    }

    /// Reads a page of covering records; backwards if it ends before one.
    async fn read_covering(
        &mut self,
        page: CoveringPage,
        list: &SearchList,
    ) -> Result<Vec<ListedHit>, Error> {
        let rows = self.search.covering_page(page).await?;
        let mut hits: Vec<Ranked> = search::score(self.query, &rows, &list.weights);
        hits.sort_by_key(|hit| std::cmp::Reverse(hit.id));
        if page.is_backwards() {
            hits.reverse();
        }
        Ok(listed(hits, page.coverage))
    }

    /// Returns the hits of the ranked part, the best first.
    async fn read_ranked(&mut self, list: &SearchList) -> Result<RankedHits, Error> {
        let mut ranked = self.read_all_ranked(list).await?;
        if list.lists_covering {
            // The others have parts of their own.
            ranked.hits.retain(is_partial);
        }
        Ok(ranked)
    }

    /// Returns all hits that are ranked, the best first.
    async fn read_all_ranked(&mut self, list: &SearchList) -> Result<RankedHits, Error> {
        if let Some(ranked) = self.ranked.take() {
            return Ok(ranked);
        }
        let found = self.candidates().await?;
        let ranking = search::rank(self.query, &found.candidates, Some(&list.weights));
        Ok(RankedHits {
            hits: ranking.hits,
            templates: self.templates(&found),
            are_all: found.complete,
            are_all_covering: !found.more_covering,
            others: found.others,
        })
    }

    /// Returns the wanted rows of a folded page, each as its best hit.
    async fn read_folded(
        &mut self,
        list: &SearchList,
        summaries: SummaryUse,
    ) -> Result<Vec<ListedHit>, Error> {
        let rows = self.folded_rows(list, summaries).await?;
        let mut rows = folded_page::nearest_first(self.page, rows).into_iter();
        let wanted = usize::try_from(self.page.wanted()).unwrap_or(usize::MAX);
        let mut listed: Vec<ListedHit> = Vec::new();
        let mut read = 0_usize;
        // More than once if all records of some rows are deleted: summaries still count them.
        while listed.len() < wanted && rows.len() > 0 {
            let missing = wanted - listed.len();
            let some: Vec<FoldedHit> = rows.by_ref().take(missing.max(read)).collect();
            read = some.len();
            listed.extend(self.live_rows(list, some).await?);
        }
        listed.truncate(wanted);
        if self.page.is_backwards() {
            listed.reverse();
        }
        Ok(listed)
    }

    /// Returns the rows that have live hits, each with its best one.
    async fn live_rows(
        &mut self,
        list: &SearchList,
        mut rows: Vec<FoldedHit>,
    ) -> Result<Vec<ListedHit>, Error> {
        self.resolve(&mut rows).await?;
        folded_page::score(self.query, &list.weights, &mut rows, self.search).await?;
        let copies = folded_page::copies(self.table, &rows, self.search.conn()).await?;
        let listed = rows.iter().zip(copies).filter_map(|(row, copies)| {
            Some(ListedHit {
                ranked: row.best?,
                key: row.key,
                pattern: Some(row.pattern),
                copies,
            })
        });
        Ok(listed.collect())
    }

    /// Returns all rows of a folded list.
    async fn folded_rows(
        &mut self,
        list: &SearchList,
        summaries: SummaryUse,
    ) -> Result<Vec<FoldedHit>, Error> {
        let query = self.query;
        if list.lists_covering {
            let found = self.search.patterns(summaries).await?;
            if let Some(mut found) = found {
                let counted = std::mem::take(&mut found.patterns);
                let patterns = self.until(counted).await?;
                let mut rows = folded_page::covering(patterns, !found.is_truncated);
                if !query.has_phrases() {
                    let partial = self.read_ranked(list).await?;
                    found.is_truncated |= !partial.are_all;
                    rows.extend(partial.templates.fold(&partial.hits, |_| partial.are_all));
                }
                self.folded = Some(found.total(rows.len()));
                return Ok(rows);
            }
        }
        // Counting them would read too much: of those that cover the search, the ones that
        // are ranked.
        let ranked = self.read_all_ranked(list).await?;
        let is_all = |coverage: Coverage| {
            ranked.are_all || (ranked.are_all_covering && coverage > Coverage::Partial)
        };
        let rows = ranked.templates.fold(&ranked.hits, is_all);
        let count = rows.len() as u64;
        self.folded = Some(if ranked.are_all {
            Total::Exact(count)
        } else {
            Total::AtLeast(count)
        });
        Ok(rows)
    }

    /// Looks up the newest records of patterns with later ones than the list has: a part
    /// of their table was sealed since its first page.
    async fn until(
        &mut self,
        patterns: Vec<search::FoundPattern>,
    ) -> Result<Vec<search::FoundPattern>, Error> {
        let until = self.until.unwrap_or(i64::MAX);
        if patterns.iter().all(|pattern| pattern.newest_id() <= until) {
            return Ok(patterns);
        }
        let (table, scope) = (self.table, self.scope);
        let conn = self.search.conn();
        let mut patterns = search::resolve_examples(conn, table, scope, patterns).await?;
        for pattern in &mut patterns {
            pattern.end_at(until);
        }
        Ok(patterns)
    }

    /// Looks up the examples and the times of the rows of a page that summaries counted.
    async fn resolve(&mut self, rows: &mut [FoldedHit]) -> Result<(), Error> {
        let (mut places, mut patterns) = (Vec::new(), Vec::new());
        for (place, row) in rows.iter().enumerate() {
            if let folded_page::Members::Counted(pattern, _) = &row.members
                && pattern.sealed.is_some()
            {
                places.push(place);
                patterns.push((**pattern).clone());
            }
        }
        if patterns.is_empty() {
            return Ok(());
        }
        let (table, scope) = (self.table, self.scope);
        let conn = self.search.conn();
        let keys: Vec<i64> = patterns
            .iter()
            .map(search::FoundPattern::newest_id)
            .collect();
        // A pattern without a live record is left out before its times are looked up.
        let mut resolved = search::resolve_examples(conn, table, scope, patterns).await?;
        search::resolve_times(conn, table, &mut resolved).await?;
        let mut resolved: HashMap<i64, search::FoundPattern> = resolved
            .into_iter()
            .map(|pattern| (pattern.newest_id(), pattern))
            .collect();
        for (place, key) in places.into_iter().zip(keys) {
            if let Some(pattern) = resolved.remove(&key)
                && let folded_page::Members::Counted(old, _) = &mut rows[place].members
            {
                **old = pattern;
            }
        }
        Ok(())
    }
}

fn listed(hits: Vec<Ranked>, coverage: Coverage) -> Vec<ListedHit> {
    let listed = |ranked: Ranked| ListedHit {
        ranked,
        key: HitKey::Covering {
            coverage,
            id: ranked.id,
        },
        pattern: None,
        copies: None,
    };
    hits.into_iter().map(listed).collect()
}

fn is_partial(hit: &Ranked) -> bool {
    hit.coverage == Coverage::Partial
}

/// Returns hits after a key, or backwards from before it.
fn page_of_ranked(
    hits: &[Ranked],
    key: Option<HitKey>,
    forward: bool,
    wanted: usize,
) -> Vec<ListedHit> {
    let place = |ordering: &dyn Fn(Ordering) -> bool| match key {
        Some(HitKey::Ranked { score, id }) => {
            hits.partition_point(|hit| ordering(search::compare(hit, score, id)))
        }
        _ => 0,
    };
    let listed = |ranked: &Ranked| ListedHit {
        ranked: *ranked,
        key: HitKey::Ranked {
            score: ranked.score,
            id: ranked.id,
        },
        pattern: None,
        copies: None,
    };
    if forward {
        let after = place(&Ordering::is_le);
        hits[after..].iter().take(wanted).map(listed).collect()
    } else {
        let before = match key {
            Some(_) => place(&Ordering::is_lt),
            None => hits.len(),
        };
        let before = hits[..before].iter().rev();
        before.take(wanted).map(listed).collect()
    }
}

/// Returns the greatest id of a table.
pub(super) async fn newest_id(
    table: &'static Table,
    conn: &mut PgConnection,
) -> Result<Option<i64>, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let sql = Sql::new(&format!("SELECT max({id}) FROM {}", table.quoted()));
    let row = sql
        .fetch_optional(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))?;
    Ok(match row {
        Some(row) => row.try_get(0)?,
        None => None,
    })
}

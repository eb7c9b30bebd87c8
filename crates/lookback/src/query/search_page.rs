//! A page of a search: hits by their score or, if more records have all words
//! than are ranked, these first, newest first.

use std::cmp::Ordering;

use sqlx::Row as _;

use super::hit_page::{HitKey, HitList, HitPage, HitStart, SearchList, TakenHits};
use super::{Count, QueryBuilder, Total};
use crate::db::{Session, Sql};
use crate::error::Error;
use crate::hash::fnv1a;
use crate::model::{ColumnRole, Model, Table};
use crate::search::{self, Coverage, CoveringPage, CoveringStart, Query, Ranked, Scope};

/// A page of a search.
pub(super) struct SearchPage {
    page: HitPage,
    list: HitList,
    taken: TakenHits<ListedHit>,
    /// The weights of the words of the search.
    pub(super) weights: Vec<f32>,
    pub(super) total: Total,
}

/// A hit with its key in the list.
#[derive(Clone, Copy, Debug)]
struct ListedHit {
    ranked: Ranked,
    key: HitKey,
}

impl SearchPage {
    pub(super) fn hits(&self) -> impl Iterator<Item = &Ranked> {
        self.taken.hits.iter().map(|hit| &hit.ranked)
    }

    /// Returns the cursors of the next and of the previous page.
    pub(super) fn cursors(&self, table: &'static Table) -> super::hit_page::Cursors {
        let key = |hit: &ListedHit| hit.key;
        self.page.cursors(table, &self.taken, &self.list, key)
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
        let page = self.hit_page(format!("hits {:016x}", fnv1a(text.bytes())))?;
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
                until: newest_id(table, session).await?,
                search: None,
            },
        };
        let records = |sql: &mut Sql| self.push_where_of(&list, sql);
        let exclusion = |sql: &mut Sql| self.push_template_exclusion(sql);
        let times = self.times();
        let scope = Scope::new(&records, &exclusion, &times);
        let mut reader = Reader {
            table,
            query,
            scope: &scope,
            page: &page,
            session,
            ranked: None,
        };
        let search = reader.list(list.search.as_ref()).await?;
        let taken = page.take(reader.read(&search).await?);
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
struct Reader<'a, 's> {
    table: &'static Table,
    query: &'a Query,
    scope: &'a Scope<'a>,
    page: &'a HitPage,
    session: &'a mut Session<'s>,
    /// The hits by their score, once they are read.
    ranked: Option<Vec<Ranked>>,
}

impl Reader<'_, '_> {
    /// Returns the list that the page is of: that of its cursor, or a new one.
    async fn list(&mut self, known: Option<&SearchList>) -> Result<SearchList, Error> {
        if let Some(known) = known.filter(|known| known.lists_covering) {
            return Ok(known.clone());
        }
        let weights = known.map(|known| known.weights.as_slice());
        let found = self.candidates().await?;
        let ranking = search::rank(self.query, &found.candidates, weights);
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
        self.ranked = Some(ranking.hits);
        Ok(SearchList {
            lists_covering,
            weights: ranking.weights,
            total,
        })
    }

    async fn candidates(&mut self) -> Result<search::Candidates, Error> {
        let (table, query, end) = (self.table, self.query, self.page.end());
        search::candidates(table, query, self.scope, end, self.session.conn()).await
    }

    /// Returns the wanted hits of the page, in the order of the list.
    async fn read(&mut self, list: &SearchList) -> Result<Vec<ListedHit>, Error> {
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
                    hits.extend(self.read_covering(page, list).await?);
                }
                Part::Ranked => {
                    let ranked = self.read_ranked(list).await?;
                    hits.extend(page_of_ranked(&ranked, key, forward, missing));
                }
            }
        }
        if !forward {
            hits.reverse();
        }
        Ok(hits)
    }

    /// Reads a page of covering records; backwards if it ends before one.
    async fn read_covering(
        &mut self,
        page: CoveringPage,
        list: &SearchList,
    ) -> Result<Vec<ListedHit>, Error> {
        let (table, query) = (self.table, self.query);
        let rows =
            search::covering_page(table, query, self.scope, page, self.session.conn()).await?;
        let mut hits: Vec<Ranked> = search::score(query, &rows, &list.weights);
        hits.sort_by_key(|hit| std::cmp::Reverse(hit.id));
        if page.is_backwards() {
            hits.reverse();
        }
        let coverage = page.coverage;
        let listed = |ranked: Ranked| ListedHit {
            ranked,
            key: HitKey::Covering {
                coverage,
                id: ranked.id,
            },
        };
        Ok(hits.into_iter().map(listed).collect())
    }

    /// Returns the hits of the ranked part, the best first.
    async fn read_ranked(&mut self, list: &SearchList) -> Result<Vec<Ranked>, Error> {
        let mut hits = match self.ranked.take() {
            Some(hits) => hits,
            None => {
                let found = self.candidates().await?;
                search::rank(self.query, &found.candidates, Some(&list.weights)).hits
            }
        };
        if list.lists_covering {
            // The others have parts of their own.
            hits.retain(is_partial);
        }
        Ok(hits)
    }
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
    session: &mut Session<'_>,
) -> Result<Option<i64>, Error> {
    let id = table.column_of(ColumnRole::Id).quoted();
    let sql = Sql::new(&format!("SELECT max({id}) FROM {}", table.quoted()));
    let row = sql
        .fetch_optional(session.conn())
        .await
        .map_err(|error| Error::from_driver(table, error))?;
    Ok(match row {
        Some(row) => row.try_get(0)?,
        None => None,
    })
}

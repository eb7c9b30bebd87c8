//! `hits`, and pages of `list` that come from a search or from `similar_to`.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::Hits;
use super::hit_page::{Cursors, HitList, HitPage};
use super::page_bytes::RowBytes;
use super::select::{Shape, WholeRecords};
use super::{DEFAULT_LIMIT, Page, QueryBuilder, Total};
use crate::db::Sql;
use crate::db::{Db, Session};
use crate::error::Error;
use crate::model::{Model, search_fields};
use crate::search::{Explainer, Highlight, Hit, Note, Query, Ranked, Terms, Why};

/// The source of a page.
enum PageSource<M> {
    /// Records in order: no search, or one of filters alone.
    Ordered(QueryBuilder<M>),
    /// Records found among those of the query.
    Found(QueryBuilder<M>, SearchTarget),
}

/// The target of a search.
enum SearchTarget {
    /// The words of a search.
    Words(Box<Query>),
    /// The id of the record that others are similar to.
    SimilarTo(i64),
}

impl<M: Model> QueryBuilder<M> {
    /// Returns a page as [`list`](Self::list) does, each record with its score,
    /// the reasons why it was found, and its highlights.
    ///
    /// Without a search, or with one of filters alone, records have the score 0
    /// and no reasons.
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// use lookback::Log;
    ///
    /// let hits = Log::records().search("conection refused").hits(&pool).await?;
    /// for hit in hits.data {
    ///     println!("{:.2} {}", hit.score, hit.record.message);
    ///     for word in hit.why.words {
    ///         println!("  {}: {} in {}", word.word, word.kind, word.matched);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn hits<'c>(&self, db: impl Into<Db<'c>>) -> Result<Hits<M>, Error> {
        self.check_page()?;
        let about = self.about()?;
        let mut session = db.into().limited(self.timeout).await?;
        let notes = self.notes();
        // On the heap: the future of a list would be as large as that of a search.
        let hits = match &about {
            PageSource::Ordered(query) => query.hits_in_order(session.session()).await,
            PageSource::Found(query, SearchTarget::Words(words)) => {
                Box::pin(query.hits_of(session.whole(), words)).await
            }
            PageSource::Found(query, SearchTarget::SimilarTo(id)) => {
                Box::pin(query.similar_hits(session.whole(), *id)).await
            }
        };
        let hits = session.end(M::TABLE, hits).await?;
        Ok(Hits { notes, ..hits })
    }

    /// Returns notes on how the search text was read.
    fn notes(&self) -> Vec<Note> {
        let text = self.search.as_deref();
        text.map_or_else(Vec::new, |text| Terms::parse(M::TABLE, text).notes)
    }

    /// Returns records in order, as hits without reasons.
    async fn hits_in_order(&self, session: &mut Session<'_>) -> Result<Hits<M>, Error> {
        let page = self.list_ordered(session.conn(), &self.whole()).await?;
        Ok(Hits {
            data: page.data.into_iter().map(unexplained).collect(),
            folded: None,
            total: page.total,
            next: page.next,
            previous: page.previous,
            notes: Vec::new(),
        })
    }

    /// Returns a page of rows from any source.
    pub(super) async fn page<S: Shape<M>>(
        &self,
        db: Db<'_>,
        shape: &S,
    ) -> Result<Page<S::Row>, Error> {
        self.check_page()?;
        let about = self.about()?;
        let mut session = db.limited(self.timeout).await?;
        // On the heap: the future of a list would be as large as that of a search.
        let page = match &about {
            PageSource::Ordered(query) if query.is_by_distance() => {
                Box::pin(query.list_nearest(session.whole(), shape)).await
            }
            PageSource::Ordered(query) => query.list_ordered(session.conn(), shape).await,
            PageSource::Found(query, target) => {
                Box::pin(query.page_found(session.whole(), target, shape)).await
            }
        };
        session.end(M::TABLE, page).await
    }

    async fn page_found<S: Shape<M>>(
        &self,
        session: &mut Session<'_>,
        target: &SearchTarget,
        shape: &S,
    ) -> Result<Page<S::Row>, Error> {
        let (ids, total, (next, previous)): (Vec<i64>, Total, Cursors) = match target {
            SearchTarget::Words(words) => {
                let mut found = self.search_page(session, words).await?;
                found.end(self, session.conn(), shape).await?;
                let ids = found.hits().map(|hit| hit.id).collect();
                (ids, found.total, found.cursors(M::TABLE))
            }
            SearchTarget::SimilarTo(id) => {
                let mut near = self.similar_page(session, *id).await?;
                near.end(self, session.conn(), shape).await?;
                let ids = near.taken.hits.iter().map(|hit| hit.id).collect();
                (ids, near.total, near.cursors(M::TABLE))
            }
        };
        let rows = self.rows_of(session, &ids, shape).await?;
        Ok(Page {
            data: rows.into_iter().map(|(_, row)| row).collect(),
            total,
            next,
            previous,
        })
    }

    fn about(&self) -> Result<PageSource<M>, Error> {
        let refuse = |field, problem| Err(Error::invalid_field(M::TABLE.name, field, problem));
        let terms = self
            .search
            .as_deref()
            .map(|text| Terms::parse(M::TABLE, text))
            .filter(|terms| !terms.is_empty());
        match (terms, self.similar_to) {
            (Some(_), Some(_)) => refuse(
                "similar_to",
                "cannot be combined with a search; leave one of them out",
            ),
            (None, Some(_)) if !self.order.is_empty() => refuse(
                "order_by",
                "cannot be combined with similar_to, whose order is the nearest first",
            ),
            (None, Some(id)) => Ok(PageSource::Found(self.clone(), SearchTarget::SimilarTo(id))),
            (None, None) => Ok(PageSource::Ordered(self.clone())),
            (Some(terms), None) => {
                let query = (!terms.is_only_filters()).then(|| Query::new(&terms));
                let mut narrowed = self.clone();
                narrowed.filter.extend(terms.into_filters());
                match query {
                    None => Ok(PageSource::Ordered(narrowed)),
                    Some(_) if !self.order.is_empty() => refuse(
                        "order_by",
                        "cannot be combined with a search, whose order is the best hit first",
                    ),
                    Some(query) => Ok(PageSource::Found(
                        narrowed,
                        SearchTarget::Words(Box::new(query)),
                    )),
                }
            }
        }
    }

    async fn hits_of(&self, session: &mut Session<'_>, query: &Query) -> Result<Hits<M>, Error> {
        let shape = WithTexts::new(self.whole());
        let mut found = self.search_page(session, query).await?;
        found.end(self, session.conn(), &shape).await?;
        let mut explainer = Explainer::new(M::TABLE, query, &found.weights);
        let page: Vec<&Ranked> = found.hits().collect();
        let ids: Vec<i64> = page.iter().map(|hit| hit.id).collect();
        let mut data = Vec::with_capacity(page.len());
        for (index, (record, texts)) in self.rows_of(session, &ids, &shape).await? {
            let ranked = page[index];
            let (why, highlights) = explainer.explain(ranked, &texts);
            data.push(Hit {
                record,
                score: ranked.score,
                why,
                highlights,
                copies: found.copies(index),
            });
        }
        let (next, previous) = found.cursors(M::TABLE);
        Ok(Hits {
            data,
            folded: found.folded,
            total: found.total,
            next,
            previous,
            notes: Vec::new(),
        })
    }

    /// Appends ` WHERE …` for the records of the query that existed when a page was
    /// first read.
    pub(super) fn push_where_of(&self, list: &HitList, sql: &mut Sql) -> Result<(), Error> {
        self.push_where(sql)?;
        list.push_until(M::TABLE, sql)
    }

    /// Returns the page of a list of hits that the query asks for.
    pub(super) fn hit_page(&self, list: String) -> Result<HitPage, Error> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        HitPage::new(M::TABLE, list, self.offset, limit, self.start.as_ref())
    }
}

/// Whole records, with the texts of their search fields.
struct WithTexts {
    records: WholeRecords,
    bytes: RowBytes,
}

impl WithTexts {
    fn new(records: WholeRecords) -> Self {
        Self {
            bytes: records.bytes.twice(),
            records,
        }
    }
}

impl<M: Model> Shape<M> for WithTexts {
    type Row = (M, Vec<String>);

    fn list(&self, sql: &mut Sql) -> Result<String, Error> {
        let records = Shape::<M>::list(&self.records, sql)?;
        Ok(format!(
            "{records}, {} AS __texts",
            search_fields(M::TABLE, None)
        ))
    }

    fn read(&self, row: &PgRow) -> Result<Self::Row, sqlx::Error> {
        Ok((self.records.read(row)?, row.try_get("__texts")?))
    }

    fn bytes(&self) -> Option<&RowBytes> {
        Some(&self.bytes)
    }
}

fn unexplained<M>(record: M) -> Hit<M> {
    Hit {
        record,
        score: 0.0,
        why: Why::default(),
        highlights: Vec::<Highlight>::new(),
        copies: None,
    }
}

//! `hits`, and pages of `list` that come from a search or from `similar_to`.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::Hits;
use super::create::not_found;
use super::offset_page::OffsetPage;
use super::select::{Shape, WholeRecords};
use super::{Count, DEFAULT_LIMIT, Page, QueryBuilder, Total};
use crate::db::Sql;
use crate::db::{Db, Session};
use crate::embedding::Embedding;
use crate::error::Error;
use crate::hash::fnv1a;
use crate::model::{ColumnRole, Model, Table, search_fields};
use crate::search::index::map_summary_error;
use crate::search::{self, Explainer, Highlight, Hit, Query, Scope, SearchSession, Terms, Why};
use crate::value::ColumnValue;

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
    Words(Query),
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
        let hits = match &about {
            PageSource::Ordered(query) => query.hits_in_order(session.session()).await,
            PageSource::Found(query, SearchTarget::Words(words)) => {
                query.hits_of(session.whole(), words).await
            }
            PageSource::Found(query, SearchTarget::SimilarTo(id)) => {
                query.similar_hits(session.whole(), *id).await
            }
        };
        session.end(M::TABLE, hits).await
    }

    /// Returns records in order, as hits without reasons.
    async fn hits_in_order(&self, session: &mut Session<'_>) -> Result<Hits<M>, Error> {
        let page = self.list_ordered(session, &self.whole()).await?;
        Ok(Hits {
            data: page.data.into_iter().map(unexplained).collect(),
            total: page.total,
            next: page.next,
            previous: page.previous,
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
        let page = match &about {
            PageSource::Ordered(query) => query.list_ordered(session.session(), shape).await,
            PageSource::Found(query, target) => {
                query.page_found(session.whole(), target, shape).await
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
        let (ids, total, more, window): (Vec<i64>, Total, bool, OffsetPage) = match target {
            SearchTarget::Words(words) => {
                let found = self.found(session, words).await?;
                let ids = found.page.iter().map(|hit| hit.id).collect();
                (ids, found.total, found.more, found.window)
            }
            SearchTarget::SimilarTo(id) => {
                let near = self.similar_page(session, *id).await?;
                let ids = near.found.iter().map(|(id, _)| *id).collect();
                (ids, near.total, near.more, near.window)
            }
        };
        let rows = self.rows_of(session, &ids, shape).await?;
        let (next, previous) = window.beside(M::TABLE, more);
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
                    Some(query) => Ok(PageSource::Found(narrowed, SearchTarget::Words(query))),
                }
            }
        }
    }

    /// Runs a search: fetches candidates, ranks them, and takes those of the
    /// page.
    async fn found(&self, session: &mut Session<'_>, query: &Query) -> Result<SearchPage, Error> {
        let table = M::TABLE;
        let text = self.search.as_deref().unwrap_or_default();
        // Cursors of the search identify its text by a hash, and do not contain it.
        let mut window = self.window(format!("search {:016x}", fnv1a(text.bytes())))?;
        // Later records have greater ids: they are on no later page, and change no IDF.
        if window.until.is_none() {
            window.until = newest_id(table, session).await?;
        }
        let records = |sql: &mut Sql| self.push_where_of(&window, sql);
        let exclusion = |sql: &mut Sql| self.push_template_exclusion(sql);
        let times = self.times();
        let scope = Scope::new(&records, &exclusion, &times);
        let found = search::candidates(
            table,
            query,
            &scope,
            window.end().saturating_add(1),
            session.conn(),
        )
        .await?;
        let ranking = search::rank(query, &found.candidates);
        let count = ranking.hits.len() as u64;
        let offset = usize::try_from(window.offset).unwrap_or(usize::MAX);
        let page = ranking.hits.iter().copied();
        let page: Vec<_> = page.skip(offset).take(window.limit as usize).collect();
        let more = window.end() < count;
        let total = match self.count {
            Count::UpTo(0) => seen(&window, page.len(), more),
            Count::UpTo(most) if count > most => Total::AtLeast(most),
            _ if found.complete => Total::Exact(count),
            _ => Total::AtLeast(count),
        };
        Ok(SearchPage {
            page,
            ranking,
            more,
            total,
            window,
        })
    }

    async fn hits_of(&self, session: &mut Session<'_>, query: &Query) -> Result<Hits<M>, Error> {
        let found = self.found(session, query).await?;
        let mut explainer = Explainer::new(M::TABLE, query, &found.ranking);
        let ids: Vec<i64> = found.page.iter().map(|hit| hit.id).collect();
        let mut data = Vec::with_capacity(found.page.len());
        let shape = WithTexts(self.whole());
        for (index, (record, texts)) in self.rows_of(session, &ids, &shape).await? {
            let ranked = &found.page[index];
            let (why, highlights) = explainer.explain(ranked, &texts);
            data.push(Hit {
                record,
                score: ranked.score,
                why,
                highlights,
            });
        }
        let (next, previous) = found.window.beside(M::TABLE, found.more);
        Ok(Hits {
            data,
            total: found.total,
            next,
            previous,
        })
    }

    /// Returns the ids of a page of the records nearest to one.
    async fn similar_page(&self, session: &mut Session<'_>, id: i64) -> Result<SimilarPage, Error> {
        let table = M::TABLE;
        let from_driver = |error| Error::from_driver(table, error);
        // A part of cursors, which stay readable: never changes.
        let mut window = self.window(format!("like {id}"))?;
        let embedding = self.embedding_of(session, id).await?;
        if window.until.is_none() {
            window.until = newest_id(table, session).await?;
        }
        let records = |sql: &mut Sql| self.push_where_of(&window, sql);
        let exclusion = |sql: &mut Sql| self.push_template_exclusion(sql);
        let times = self.times();
        let scope = Scope::new(&records, &exclusion, &times);
        let statement = |row_set: Option<&search::RowSet>| {
            self.similar_statement(id, &embedding, &scope, &window, row_set)
        };
        let mut scan = SearchSession::begin(table, session.conn())
            .await
            .map_err(from_driver)?;
        let near = async {
            let row_set = if scan.should_use_summaries(&scope).await? {
                // The record itself is not counted.
                let wanted = window
                    .offset
                    .saturating_add(window.with_next())
                    .saturating_add(1);
                let row_set = search::nearest_rows(scan.conn(), table, &embedding, wanted, &scope);
                row_set
                    .await
                    .map_err(|error| map_summary_error(table, error))?
            } else {
                None
            };
            let rows = statement(row_set.as_ref())?.fetch_all(scan.conn()).await;
            let mut near = SimilarPage::read(&rows.map_err(from_driver)?, &window, self.count)?;
            if scan.has_vector_index() && near.may_be_short {
                // The index gave up before enough rows passed the filters.
                scan.disable_index_scans().await.map_err(from_driver)?;
                let rows = statement(None)?.fetch_all(scan.conn()).await;
                near = SimilarPage::read(&rows.map_err(from_driver)?, &window, self.count)?;
            }
            Ok(near)
        }
        .await;
        scan.finish(near).await
    }

    /// Returns the statement for a page of the records nearest to one.
    ///
    /// The nearest are read from the row set that summaries name, and all are counted.
    fn similar_statement(
        &self,
        id: i64,
        embedding: &Embedding,
        scope: &Scope<'_>,
        window: &OffsetPage,
        row_set: Option<&search::RowSet>,
    ) -> Result<Sql, Error> {
        let table = M::TABLE;
        let mut sql = Sql::default();
        let scope = sql.fragment(|sql| scope.push_where(sql))?;
        let nearest_from = match row_set {
            Some(row_set) => row_set.from(table, &mut sql)?,
            None => table.quoted(),
        };
        // A bound value and not a subquery: a distributed table supports no other form.
        let vector = sql.value(table.column_of(ColumnRole::Embedding), embedding.to_value())?;
        // One more than the page, which shows whether there is another.
        let (itself, limit, offset) = (
            sql.argument(id)?,
            sql.argument(i64::try_from(window.with_next()).unwrap_or(i64::MAX))?,
            sql.argument(i64::try_from(window.offset).unwrap_or(i64::MAX))?,
        );
        let (id, embedding) = (
            table.column_of(ColumnRole::Id).quoted(),
            table.column_of(ColumnRole::Embedding).quoted(),
        );
        // A vector of zeros has no direction: its distance is NaN.
        let others = format!(
            "{scope} AND {embedding} IS NOT NULL AND {id} <> {itself} \
             AND ({embedding} <=> {vector}) <> 'NaN'",
        );
        let from = table.quoted();
        let count = match self.count {
            Count::All => format!("SELECT count(*) AS total FROM {from}{others}"),
            Count::UpTo(0) => "SELECT NULL::bigint AS total".to_owned(),
            Count::UpTo(most) => {
                let most = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
                let most = sql.argument(most)?;
                format!(
                    "SELECT count(*) AS total FROM (SELECT FROM {from}{others} LIMIT {most}) AS capped"
                )
            }
        };
        sql.push(&format!(
            "SELECT counted.total AS __total, page.* \
             FROM ({count}) AS counted \
             LEFT JOIN LATERAL (SELECT {id} AS __id, 1 - ({embedding} <=> {vector}) AS __cosine \
               FROM {nearest_from}{others} \
               ORDER BY {embedding} <=> {vector}, {id} DESC LIMIT {limit} OFFSET {offset}) AS page ON TRUE",
        ));
        Ok(sql)
    }

    /// Appends ` WHERE …` for the records of the query that existed when a page was
    /// first read.
    fn push_where_of(&self, window: &OffsetPage, sql: &mut Sql) -> Result<(), Error> {
        self.push_where(sql)?;
        window.push_until(M::TABLE, sql)
    }

    async fn similar_hits(&self, session: &mut Session<'_>, id: i64) -> Result<Hits<M>, Error> {
        let near = self.similar_page(session, id).await?;
        let ids: Vec<i64> = near.found.iter().map(|(id, _)| *id).collect();
        let records = self.rows_of(session, &ids, &self.whole()).await?;
        let data = records.into_iter().map(|(index, record)| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the precision of the vectors themselves"
            )]
            let cosine = near.found[index].1 as f32;
            let why = Why {
                similarity: Some(cosine),
                ..Why::default()
            };
            Hit {
                record,
                score: cosine,
                why,
                highlights: Vec::new(),
            }
        });
        let data = data.collect();
        let (next, previous) = near.window.beside(M::TABLE, near.more);
        Ok(Hits {
            data,
            total: near.total,
            next,
            previous,
        })
    }

    /// Returns which of the found records are on the page.
    fn window(&self, of: String) -> Result<OffsetPage, Error> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        OffsetPage::new(M::TABLE, of, self.offset, limit, self.start.as_ref())
    }

    /// Reads the embedding of a record that the query may see, filters aside.
    async fn embedding_of(&self, session: &mut Session<'_>, id: i64) -> Result<Embedding, Error> {
        let table = M::TABLE;
        let mut unfiltered = self.clone();
        unfiltered.filter.clear();
        let mut sql = Sql::new(&format!(
            "SELECT {} FROM {}",
            table.column_of(ColumnRole::Embedding).quoted(),
            table.quoted()
        ));
        unfiltered.push_where(&mut sql)?;
        sql.push(&format!(
            " AND {} = ",
            table.column_of(ColumnRole::Id).quoted()
        ));
        sql.bind(id)?;
        let row = sql
            .fetch_optional(session.conn())
            .await
            .map_err(|error| Error::from_driver(table, error))?;
        let row = row.ok_or_else(|| not_found(table, id))?;
        let embedding = row.try_get::<Option<Embedding>, _>(0)?.ok_or_else(|| {
            Error::invalid_field(
                table.name,
                "similar_to",
                format!("record {id} has no embedding, since its search fields hold no word; choose another record"),
            )
        })?;
        if embedding.as_slice().iter().all(|number| *number == 0.0) {
            return Err(Error::invalid_field(
                table.name,
                "similar_to",
                format!(
                    "record {id} has an embedding of zeros, which has no similar records; update the record, or choose another"
                ),
            ));
        }
        Ok(embedding)
    }
}

/// Whole records, with the texts of their search fields.
struct WithTexts(WholeRecords);

impl<M: Model> Shape<M> for WithTexts {
    type Row = (M, Vec<String>);

    fn list(&self, sql: &mut Sql) -> Result<String, Error> {
        let records = Shape::<M>::list(&self.0, sql)?;
        Ok(format!(
            "{records}, {} AS __texts",
            search_fields(M::TABLE, None)
        ))
    }

    fn read(&self, row: &PgRow) -> Result<Self::Row, sqlx::Error> {
        Ok((self.0.read(row)?, row.try_get("__texts")?))
    }
}

/// A page of a search.
struct SearchPage {
    page: Vec<search::Ranked>,
    ranking: search::Ranking,
    /// Whether there are hits beyond the page.
    more: bool,
    total: Total,
    window: OffsetPage,
}

/// A page of the nearest rows, and how many there are in all.
struct SimilarPage {
    found: Vec<(i64, f64)>,
    total: Total,
    /// Whether there are rows beyond the page.
    more: bool,
    /// Whether the page may lack rows that were not read.
    may_be_short: bool,
    window: OffsetPage,
}

impl SimilarPage {
    fn read(rows: &[PgRow], window: &OffsetPage, count: Count) -> Result<Self, sqlx::Error> {
        let mut found: Vec<(i64, f64)> = Vec::with_capacity(rows.len());
        let mut counted = None;
        for row in rows {
            // There is always one row, for the total; on an empty page its id is NULL.
            counted = row.try_get::<Option<i64>, _>("__total")?;
            if let Some(id) = row.try_get("__id")? {
                found.push((id, row.try_get("__cosine")?));
            }
        }
        let counted = counted.map(i64::unsigned_abs);
        let known = match (counted, count) {
            (Some(total), Count::UpTo(most)) if total > most => None,
            (counted, _) => counted,
        };
        let wanted = known.map_or(window.with_next(), |known| {
            window.with_next().min(known.saturating_sub(window.offset))
        });
        let may_be_short = (found.len() as u64) < wanted;
        // The nearest first, and the newest of equals.
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
        let more = found.len() > window.limit as usize;
        found.truncate(window.limit as usize);
        Ok(Self {
            total: match (known, count) {
                (Some(total), _) => Total::Exact(total),
                (None, Count::UpTo(most)) if most > 0 => Total::AtLeast(most),
                (None, _) => seen(window, found.len(), more),
            },
            found,
            more,
            may_be_short,
            window: window.clone(),
        })
    }
}

/// Returns the total as far as the rows of a page show it.
fn seen(window: &OffsetPage, found: usize, more: bool) -> Total {
    Total::AtLeast(match found {
        0 => 0,
        found => window.offset + found as u64 + u64::from(more),
    })
}

async fn newest_id(table: &'static Table, session: &mut Session<'_>) -> Result<Option<i64>, Error> {
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

fn unexplained<M>(record: M) -> Hit<M> {
    Hit {
        record,
        score: 0.0,
        why: Why::default(),
        highlights: Vec::<Highlight>::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Scope, Sql};
    use crate::embedding::Embedding;
    use crate::search::RowSet;
    use crate::search::fixtures::lines;
    use crate::{Level, Log};

    #[test]
    fn statement_of_similar_records_is_unchanged() {
        let vector = Embedding::of("connection refused").unwrap();
        let logs = Log::records()
            .filter(Log::level().eq(Level::Error))
            .similar_to(7);
        let row_set = RowSet::new(vec![(1, 9)], vec![12]);
        for (name, query, row_set) in [
            ("similar", logs.clone(), None),
            (
                "similar_of_row_set",
                logs.clone().total_up_to(100),
                Some(&row_set),
            ),
            ("similar_without_total", logs.without_total(), None),
        ] {
            let mut window = query.window("like 7".to_owned()).unwrap();
            window.until = Some(99);
            let records = |sql: &mut Sql| query.push_where_of(&window, sql);
            let exclusion = |sql: &mut Sql| query.push_template_exclusion(sql);
            let scope = Scope::new(&records, &exclusion, &[]);
            let sql = query.similar_statement(7, &vector, &scope, &window, row_set);
            insta::assert_snapshot!(name, lines(&sql.unwrap()));
        }
    }
}

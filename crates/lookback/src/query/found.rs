//! `hits`, and the pages of `list` that are found: by a search, or by likeness.

use sqlx::Row as _;

use super::select::Shape;
use super::window::{Window, fnv};
use super::{DEFAULT_LIMIT, Page, QueryBuilder, Total};
use crate::db::{Db, Session, Whole};
use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::{Model, Role, Table};
use crate::search::{self, Explainer, Highlight, Hit, Hits, Query, ScanSession, Terms, Why};
use crate::sql::Sql;
use crate::value::ColumnValue;

/// What a page is about.
enum About<M> {
    /// Records in order: a search of nothing, or of filters alone.
    Ordered(QueryBuilder<M>),
    /// What these words find among the records of the query.
    Words(QueryBuilder<M>, Query),
    /// What is like the record of this id.
    Like(i64),
}

impl<M: Model> QueryBuilder<M> {
    /// As [`list`](Self::list), each record with its score, the reason why it
    /// was found, and where.
    ///
    /// Without a search, or by a search of filters alone, records have the
    /// score 0 and no reason.
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
        let mut session = db.into().session().await?;
        if let About::Ordered(query) = &about {
            return query.hits_in_order(&mut session).await;
        }
        let mut session = Whole::new(session);
        let hits = match about {
            About::Ordered(query) => query.hits_in_order(session.session()).await,
            About::Words(query, words) => query.hits_of(session.session(), &words).await,
            About::Like(id) => self.hits_like(session.session(), id).await,
        };
        session.give_back();
        hits
    }

    /// Records in order, as hits without a reason.
    async fn hits_in_order(&self, session: &mut Session<'_>) -> Result<Hits<M>, Error> {
        let page = self.list_ordered(session, &self.whole()).await?;
        Ok(Hits {
            data: page.data.into_iter().map(unexplained).collect(),
            total: page.total,
            next: page.next,
            previous: page.previous,
        })
    }

    /// The plan of the statement that fetches what a search may find, for tests:
    /// empty if there is nothing to fetch so.
    #[doc(hidden)]
    pub async fn search_plan<'c>(
        &self,
        db: impl Into<Db<'c>>,
        run: bool,
    ) -> Result<Vec<String>, Error> {
        let mut session = db.into().session().await?;
        let About::Words(narrowed, query) = self.about()? else {
            return Ok(Vec::new());
        };
        let mut scope = Sql::default();
        narrowed.push_where(&mut scope)?;
        search::plan(M::TABLE, &query, scope, run, session.conn()).await
    }

    /// A page of rows, whatever it is about.
    pub(super) async fn page<S: Shape<M>>(
        &self,
        db: Db<'_>,
        shape: &S,
    ) -> Result<Page<S::Row>, Error> {
        self.check_page()?;
        let about = self.about()?;
        let mut session = db.session().await?;
        if let About::Ordered(query) = &about {
            return query.list_ordered(&mut session, shape).await;
        }
        let mut session = Whole::new(session);
        let page = self.page_found(session.session(), about, shape).await;
        session.give_back();
        page
    }

    async fn page_found<S: Shape<M>>(
        &self,
        session: &mut Session<'_>,
        about: About<M>,
        shape: &S,
    ) -> Result<Page<S::Row>, Error> {
        match about {
            About::Ordered(query) => query.list_ordered(session, shape).await,
            About::Words(query, words) => {
                let found = query.found(session, &words).await?;
                let ids: Vec<i64> = found.page.iter().map(|hit| hit.id).collect();
                let data = query.rows_of(session, &ids, shape).await?;
                let (next, previous) = found.window.beside(M::TABLE, found.count);
                Ok(Page {
                    data,
                    total: found.total,
                    next,
                    previous,
                })
            }
            About::Like(id) => {
                let near = self.alike(session, id).await?;
                let ids: Vec<i64> = near.found.iter().map(|(id, _)| *id).collect();
                let data = self.rows_of(session, &ids, shape).await?;
                let (next, previous) = near.window.beside(M::TABLE, near.count());
                Ok(Page {
                    data,
                    total: Total::Exact(near.count()),
                    next,
                    previous,
                })
            }
        }
    }

    fn about(&self) -> Result<About<M>, Error> {
        let refuse = |field, problem| Err(Error::invalid_field(M::TABLE.name, field, problem));
        let terms = self
            .search
            .as_deref()
            .map(|text| Terms::parse(M::TABLE, text))
            .filter(|terms| !terms.is_empty());
        match (terms, self.similar_to) {
            (Some(_), Some(_)) => refuse(
                "similar_to",
                "does not go with a search; leave one of them out",
            ),
            (None, Some(_)) if !self.order.is_empty() => refuse(
                "order_by",
                "does not go with similar_to, whose order is the nearest first",
            ),
            (None, Some(id)) => Ok(About::Like(id)),
            (None, None) => Ok(About::Ordered(self.clone())),
            (Some(terms), None) => {
                let query = (!terms.is_only_filters()).then(|| Query::new(&terms));
                let mut narrowed = self.clone();
                narrowed.filter.extend(terms.into_filters());
                match query {
                    None => Ok(About::Ordered(narrowed)),
                    Some(_) if !self.order.is_empty() => refuse(
                        "order_by",
                        "does not go with a search, whose order is the best hit first",
                    ),
                    Some(query) => Ok(About::Words(narrowed, query)),
                }
            }
        }
    }

    /// What a search finds: the candidates, ranked here, and those of the page.
    async fn found(&self, session: &mut Session<'_>, query: &Query) -> Result<Found, Error> {
        let table = M::TABLE;
        let text = self.search.as_deref().unwrap_or_default();
        let mut window = self.window(format!("search {:016x}", fnv(text)))?;
        let scope = || {
            let mut scope = Sql::default();
            self.push_where(&mut scope)?;
            window.push_until(table, &mut scope)?;
            Ok(scope)
        };
        let found = search::candidates(table, query, scope, session.conn()).await?;
        let ranking = search::rank(query, &found.candidates);
        let count = ranking.hits.len() as u64;
        // What is added from now on has a greater id, and is on no later page.
        let newest = ranking.hits.iter().map(|hit| hit.id).max();
        window.until = window.until.or(newest);
        let offset = usize::try_from(window.offset).unwrap_or(usize::MAX);
        let page = ranking.hits.iter().copied();
        let page = page.skip(offset).take(window.limit as usize).collect();
        Ok(Found {
            page,
            ranking,
            count,
            total: match found.complete {
                true => Total::Exact(count),
                false => Total::AtLeast(count),
            },
            window,
        })
    }

    async fn hits_of(&self, session: &mut Session<'_>, query: &Query) -> Result<Hits<M>, Error> {
        let found = self.found(session, query).await?;
        let explainer = Explainer::new(M::TABLE, query, &found.ranking);
        let ids = found.page.iter().map(|hit| hit.id).collect();
        let mut data = Vec::with_capacity(found.page.len());
        for (record, texts) in self.records_of(session, ids, true).await? {
            let Some(ranked) = found.page.iter().find(|hit| hit.id == record.id()) else {
                continue;
            };
            let (why, highlights) = explainer.explain(ranked, &texts);
            data.push(Hit {
                record,
                score: ranked.score,
                why,
                highlights,
            });
        }
        let (next, previous) = found.window.beside(M::TABLE, found.count);
        Ok(Hits {
            data,
            total: found.total,
            next,
            previous,
        })
    }

    /// The ids of a page of the records nearest to one.
    async fn alike(&self, session: &mut Session<'_>, id: i64) -> Result<Near, Error> {
        let table = M::TABLE;
        let of_table = |error| Error::of_table(table, error);
        let mut window = self.window(format!("like {id}"))?;
        let embedding = self.embedding_of(session, id).await?;
        if window.until.is_none() {
            window.until = newest_id(table, session).await?;
        }
        let statement = || -> Result<Sql, Error> {
            let mut sql = Sql::default();
            self.push_where(&mut sql)?;
            window.push_until(table, &mut sql)?;
            let scope = sql.take_text();
            // Bound, and not read where it is used: a distributed table takes it no other way.
            sql.bind_value(table.role(Role::Embedding), embedding.to_value())?;
            let vector = sql.take_text();
            let (itself, limit, offset) = (
                sql.argument(id)?,
                sql.argument(i64::from(window.limit))?,
                sql.argument(i64::try_from(window.offset).unwrap_or(i64::MAX))?,
            );
            let (id, embedding) = (
                table.role(Role::Id).quoted(),
                table.role(Role::Embedding).quoted(),
            );
            sql.push(&format!(
                "SELECT counted.total AS __total, page.* \
                 FROM (SELECT count(*) AS total FROM {from}{scope} AND {embedding} IS NOT NULL AND {id} <> {itself}) AS counted \
                 LEFT JOIN LATERAL (SELECT {id} AS __id, 1 - ({embedding} <=> {vector}) AS __cosine \
                   FROM {from}{scope} AND {embedding} IS NOT NULL AND {id} <> {itself} \
                   ORDER BY {embedding} <=> {vector}, {id} DESC LIMIT {limit} OFFSET {offset}) AS page ON TRUE",
                from = table.quoted(),
            ));
            Ok(sql)
        };
        let mut scan = ScanSession::begin(table, session.conn())
            .await
            .map_err(of_table)?;
        let rows = statement()?.fetch_all(scan.conn()).await;
        let mut near = Near::read(rows.map_err(of_table)?, window.clone())?;
        let wanted = near
            .count()
            .saturating_sub(window.offset)
            .min(u64::from(window.limit));
        if scan.has_vector_index() && (near.found.len() as u64) < wanted {
            // The index gave up before the filters had their fill.
            scan.without_indexes().await.map_err(of_table)?;
            let rows = statement()?.fetch_all(scan.conn()).await;
            near = Near::read(rows.map_err(of_table)?, window)?;
        }
        scan.end().await.map_err(of_table)?;
        near.sort();
        Ok(near)
    }

    async fn hits_like(&self, session: &mut Session<'_>, id: i64) -> Result<Hits<M>, Error> {
        let near = self.alike(session, id).await?;
        let ids = near.found.iter().map(|(id, _)| *id).collect();
        let records = self.records_of(session, ids, false).await?;
        let data = records.into_iter().map(|(record, _)| {
            let mut found = near.found.iter();
            let cosine = found
                .find(|(id, _)| *id == record.id())
                .map_or(0.0, |(_, cosine)| *cosine);
            // To the precision of the vectors themselves.
            #[allow(clippy::cast_possible_truncation)]
            let cosine = cosine as f32;
            let why = Why {
                likeness: Some(cosine),
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
        let (next, previous) = near.window.beside(M::TABLE, near.count());
        Ok(Hits {
            data,
            total: Total::Exact(near.count()),
            next,
            previous,
        })
    }

    /// Which of what is found is on the page.
    fn window(&self, of: String) -> Result<Window, Error> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        Window::new(M::TABLE, of, self.offset, limit, self.start.as_ref())
    }

    /// The embedding of a record that is there for the query, filters apart.
    async fn embedding_of(&self, session: &mut Session<'_>, id: i64) -> Result<Embedding, Error> {
        let table = M::TABLE;
        let mut unfiltered = self.clone();
        unfiltered.filter.clear();
        let mut sql = Sql::new(&format!(
            "SELECT {} FROM {}",
            table.role(Role::Embedding).quoted(),
            table.quoted()
        ));
        unfiltered.push_where(&mut sql)?;
        sql.push(&format!(" AND {} = ", table.role(Role::Id).quoted()));
        sql.bind(id)?;
        let row = sql
            .fetch_optional(session.conn())
            .await
            .map_err(|error| Error::of_table(table, error))?;
        let row = row.ok_or(Error::NotFound {
            table: table.name,
            id,
        })?;
        row.try_get::<Option<Embedding>, _>(0)?.ok_or_else(|| {
            Error::invalid_field(
                table.name,
                "similar_to",
                format!("record {id} has no embedding, since its search fields hold no word; choose another record"),
            )
        })
    }

    /// The records of these ids, in this order, with the texts of their search
    /// fields if asked for.
    async fn records_of(
        &self,
        session: &mut Session<'_>,
        ids: Vec<i64>,
        with_texts: bool,
    ) -> Result<Vec<(M, Vec<String>)>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let table = M::TABLE;
        let texts = match with_texts {
            true => search::fields(table, None),
            false => "'{}'::text[]".to_owned(),
        };
        let mut sql = Sql::new(&format!(
            "SELECT {}, {texts} AS __texts FROM {}",
            self.selected(),
            table.quoted()
        ));
        self.push_where(&mut sql)?;
        sql.push(&format!(" AND {} = ANY(", table.role(Role::Id).quoted()));
        sql.bind(ids.clone())?;
        sql.push(")");
        let rows = sql
            .fetch_all(session.conn())
            .await
            .map_err(|error| Error::of_table(table, error))?;
        let mut records = Vec::with_capacity(rows.len());
        for row in &rows {
            records.push((M::from_row(row)?, row.try_get("__texts")?));
        }
        records.sort_by_key(|(record, _): &(M, Vec<String>)| {
            ids.iter().position(|id| *id == record.id())
        });
        Ok(records)
    }
}

/// What a search found.
struct Found {
    page: Vec<search::Ranked>,
    ranking: search::Ranking,
    count: u64,
    total: Total,
    window: Window,
}

/// The nearest rows of a page, and how many there are in all.
struct Near {
    total: i64,
    found: Vec<(i64, f64)>,
    window: Window,
}

impl Near {
    fn read(rows: Vec<sqlx::postgres::PgRow>, window: Window) -> Result<Self, Error> {
        let mut near = Self {
            total: 0,
            found: Vec::with_capacity(rows.len()),
            window,
        };
        for row in &rows {
            // There is always one row, for the total; a page of no records has a null id.
            near.total = row.try_get("__total")?;
            if let Some(id) = row.try_get::<Option<i64>, _>("__id")? {
                near.found.push((id, row.try_get("__cosine")?));
            }
        }
        Ok(near)
    }

    /// The nearest first, and the newest of equals.
    fn sort(&mut self) {
        self.found
            .sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
    }

    fn count(&self) -> u64 {
        self.total.unsigned_abs()
    }
}

async fn newest_id(table: &'static Table, session: &mut Session<'_>) -> Result<Option<i64>, Error> {
    let id = table.role(Role::Id).quoted();
    let sql = Sql::new(&format!("SELECT max({id}) FROM {}", table.quoted()));
    let row = sql
        .fetch_optional(session.conn())
        .await
        .map_err(|error| Error::of_table(table, error))?;
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

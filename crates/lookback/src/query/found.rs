//! `hits`, and the pages of `list` that are found: by a search, or by likeness.

use sqlx::Row as _;

use super::{Page, QueryBuilder, Total};
use crate::db::{Db, Session};
use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::{Model, Role};
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
        let offset = self.checked_offset()?;
        let mut session = db.into().session().await?;
        match self.about()? {
            About::Ordered(query) => {
                let page = query.list_ordered(&mut session, offset).await?;
                Ok(Hits {
                    data: page.data.into_iter().map(unexplained).collect(),
                    total: page.total,
                })
            }
            About::Words(query, words) => query.found(&mut session, &words, true).await,
            About::Like(id) => self.alike(&mut session, id, offset).await,
        }
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

    /// The records of a page, whatever it is about.
    pub(super) async fn page(
        &self,
        session: &mut Session<'_>,
        offset: i64,
    ) -> Result<Page<M>, Error> {
        let hits = match self.about()? {
            About::Ordered(query) => return query.list_ordered(session, offset).await,
            About::Words(query, words) => query.found(session, &words, false).await?,
            About::Like(id) => self.alike(session, id, offset).await?,
        };
        Ok(Page {
            data: hits.data.into_iter().map(|hit| hit.record).collect(),
            total: hits.total,
        })
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

    /// A page of what a search finds: the candidates, ranked here, then the
    /// records of the page.
    async fn found(
        &self,
        session: &mut Session<'_>,
        query: &Query,
        explained: bool,
    ) -> Result<Hits<M>, Error> {
        let table = M::TABLE;
        let scope = || {
            let mut scope = Sql::default();
            self.push_where(&mut scope).map(|()| scope)
        };
        let found = search::candidates(table, query, scope, session.conn()).await?;
        let ranking = search::rank(query, &found.candidates);
        let count = ranking.hits.len() as u64;
        let total = match found.complete {
            true => Total::Exact(count),
            false => Total::AtLeast(count),
        };
        let offset = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let page: Vec<_> = ranking
            .hits
            .iter()
            .copied()
            .skip(offset)
            .take(self.limit as usize)
            .collect();
        let explainer = explained.then(|| Explainer::new(table, query, &ranking));
        let ids = page.iter().map(|hit| hit.id).collect();
        let mut data = Vec::with_capacity(page.len());
        for (record, texts) in self.records_of(session, ids, explained).await? {
            let Some(ranked) = page.iter().find(|hit| hit.id == record.id()) else {
                continue;
            };
            let (why, highlights) = match &explainer {
                Some(explainer) => explainer.explain(ranked, &texts),
                None => Default::default(),
            };
            data.push(Hit {
                record,
                score: ranked.score,
                why,
                highlights,
            });
        }
        Ok(Hits { data, total })
    }

    /// A page of the records nearest to one.
    async fn alike(
        &self,
        session: &mut Session<'_>,
        id: i64,
        offset: i64,
    ) -> Result<Hits<M>, Error> {
        let table = M::TABLE;
        let of_table = |error| Error::of_table(table, error);
        let embedding = self.embedding_of(session, id).await?;
        let statement = || -> Result<Sql, Error> {
            let mut sql = Sql::default();
            self.push_where(&mut sql)?;
            let scope = sql.take_text();
            // Bound, and not read where it is used: a distributed table takes it no other way.
            sql.bind_value(table.role(Role::Embedding), embedding.to_value())?;
            let vector = sql.take_text();
            let (itself, limit, offset) = (
                sql.argument(id)?,
                sql.argument(i64::from(self.limit))?,
                sql.argument(offset)?,
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
        let mut near = Near::read(
            statement()?
                .fetch_all(scan.conn())
                .await
                .map_err(of_table)?,
        )?;
        let wanted = near
            .total
            .saturating_sub(offset)
            .clamp(0, i64::from(self.limit));
        if scan.has_vector_index() && (near.found.len() as i64) < wanted {
            // The index gave up before the filters had their fill.
            scan.without_indexes().await.map_err(of_table)?;
            near = Near::read(
                statement()?
                    .fetch_all(scan.conn())
                    .await
                    .map_err(of_table)?,
            )?;
        }
        scan.end().await.map_err(of_table)?;

        let cosines = near.in_order();
        let ids = cosines.iter().map(|(id, _)| *id).collect();
        let records = self.records_of(session, ids, false).await?;
        let data = records.into_iter().map(|(record, _)| {
            let cosine = cosines
                .iter()
                .find(|(id, _)| *id == record.id())
                .map_or(0.0, |(_, cosine)| *cosine);
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
        Ok(Hits {
            data: data.collect(),
            total: Total::Exact(near.total.unsigned_abs()),
        })
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

/// The nearest rows of a page, and how many there are in all.
struct Near {
    total: i64,
    found: Vec<(i64, f64)>,
}

impl Near {
    fn read(rows: Vec<sqlx::postgres::PgRow>) -> Result<Self, Error> {
        let mut near = Self {
            total: 0,
            found: Vec::with_capacity(rows.len()),
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

    /// Ids and cosines, the nearest first and the newest of equals.
    #[allow(clippy::cast_possible_truncation)]
    fn in_order(&self) -> Vec<(i64, f32)> {
        let mut found = self.found.clone();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
        found
            .into_iter()
            .map(|(id, cosine)| (id, cosine as f32))
            .collect()
    }
}

fn unexplained<M>(record: M) -> Hit<M> {
    Hit {
        record,
        score: 0.0,
        why: Why::default(),
        highlights: Vec::<Highlight>::new(),
    }
}

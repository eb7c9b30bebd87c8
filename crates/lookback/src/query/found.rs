//! `hits`, and pages of `list` that come from a search or from `similar_to`.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::Hits;
use super::create::not_found;
use super::hit_page::{Cursors, HitKey, HitList, HitPage, HitStart, TakenHits};
use super::search_page::newest_id;
use super::select::{Shape, WholeRecords};
use super::{Count, DEFAULT_LIMIT, Page, QueryBuilder, Total};
use crate::db::Sql;
use crate::db::{Db, Session};
use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::{ColumnRole, Model, Table, search_fields};
use crate::search::index::map_summary_error;
use crate::search::{
    self, Explainer, Highlight, Hit, Note, Query, Ranked, Scope, SearchSession, Terms, Why,
};
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
        let hits = match &about {
            PageSource::Ordered(query) => query.hits_in_order(session.session()).await,
            PageSource::Found(query, SearchTarget::Words(words)) => {
                query.hits_of(session.whole(), words).await
            }
            PageSource::Found(query, SearchTarget::SimilarTo(id)) => {
                query.similar_hits(session.whole(), *id).await
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
        let page = self.list_ordered(session, &self.whole()).await?;
        Ok(Hits {
            data: page.data.into_iter().map(unexplained).collect(),
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
        let (ids, total, (next, previous)): (Vec<i64>, Total, Cursors) = match target {
            SearchTarget::Words(words) => {
                let found = self.search_page(session, words).await?;
                let ids = found.hits().map(|hit| hit.id).collect();
                (ids, found.total, found.cursors(M::TABLE))
            }
            SearchTarget::SimilarTo(id) => {
                let near = self.similar_page(session, *id).await?;
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
        let found = self.search_page(session, query).await?;
        let mut explainer = Explainer::new(M::TABLE, query, &found.weights);
        let page: Vec<&Ranked> = found.hits().collect();
        let ids: Vec<i64> = page.iter().map(|hit| hit.id).collect();
        let mut data = Vec::with_capacity(page.len());
        let shape = WithTexts(self.whole());
        for (index, (record, texts)) in self.rows_of(session, &ids, &shape).await? {
            let ranked = page[index];
            let (why, highlights) = explainer.explain(ranked, &texts);
            data.push(Hit {
                record,
                score: ranked.score,
                why,
                highlights,
            });
        }
        let (next, previous) = found.cursors(M::TABLE);
        Ok(Hits {
            data,
            total: found.total,
            next,
            previous,
            notes: Vec::new(),
        })
    }

    /// Returns a page of the records nearest to one.
    async fn similar_page(&self, session: &mut Session<'_>, id: i64) -> Result<SimilarPage, Error> {
        let table = M::TABLE;
        let from_driver = |error| Error::from_driver(table, error);
        let page = self.hit_page(format!("near {id}"))?;
        let embedding = self.embedding_of(session, id).await?;
        let list = match page.cursor_list() {
            Some(list) => list.clone(),
            None => HitList {
                until: newest_id(table, session).await?,
                search: None,
            },
        };
        let records = |sql: &mut Sql| self.push_where_of(&list, sql);
        let exclusion = |sql: &mut Sql| self.push_template_exclusion(sql);
        let times = self.times();
        let scope = Scope::new(&records, &exclusion, &times);
        let statement = |row_set: Option<&search::RowSet>| {
            self.similar_statement(id, &embedding, &scope, &page, row_set)
        };
        let mut scan = SearchSession::begin(table, session.conn())
            .await
            .map_err(from_driver)?;
        let near = async {
            let row_set = if scan.should_use_summaries(&scope).await? {
                // The record itself is not counted.
                let wanted = page.end().saturating_add(1);
                let row_set = search::nearest_rows(scan.conn(), table, &embedding, wanted, &scope);
                row_set
                    .await
                    .map_err(|error| map_summary_error(table, error))?
            } else {
                None
            };
            if scan.has_unordered_index() && !matches!(page.start, HitStart::First) {
                // Rows that come late would be on no page: they are before its start.
                scan.disable_index_scans().await.map_err(from_driver)?;
            }
            let rows = statement(row_set.as_ref())?.fetch_all(scan.conn()).await;
            let near = NearRows::read(&rows.map_err(from_driver)?, &page, self.count)?;
            if scan.has_vector_index() && near.may_be_short {
                // The index gave up before enough rows passed the filters.
                scan.disable_index_scans().await.map_err(from_driver)?;
                let rows = statement(None)?.fetch_all(scan.conn()).await;
                return Ok(NearRows::read(
                    &rows.map_err(from_driver)?,
                    &page,
                    self.count,
                )?);
            }
            Ok(near)
        }
        .await;
        let near = scan.finish(near).await?;
        let taken = page.take(near.rows);
        let total = match (near.total, self.count) {
            (Some(total), _) => Total::Exact(total),
            (None, Count::UpTo(most)) if most > 0 => Total::AtLeast(most),
            (None, _) if taken.hits.is_empty() => Total::AtLeast(0),
            (None, _) => {
                Total::AtLeast(taken.place + taken.hits.len() as u64 + u64::from(taken.more))
            }
        };
        Ok(SimilarPage {
            page,
            list,
            taken,
            total,
        })
    }

    /// Returns the statement for a page of the records nearest to one.
    ///
    /// The nearest are read from the row set that summaries name, and all are counted.
    fn similar_statement(
        &self,
        id: i64,
        embedding: &Embedding,
        scope: &Scope<'_>,
        page: &HitPage,
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
        let itself = sql.argument(id)?;
        let (id, embedding) = (
            table.column_of(ColumnRole::Id).quoted(),
            table.column_of(ColumnRole::Embedding).quoted(),
        );
        // A vector of zeros has no direction: its distance is NaN.
        let others = format!(
            "{scope} AND {embedding} IS NOT NULL AND {id} <> {itself} \
             AND ({embedding} <=> {vector}) <> 'NaN'",
        );
        let distance = format!("({embedding} <=> {vector})");
        // In the order of an index, also for the page before a position: what is before
        // it is read from the start.
        let (bound, wanted) = match &page.start {
            HitStart::First => (None, page.wanted()),
            HitStart::After(position) => (Some((position.key, ">", "<")), page.wanted()),
            HitStart::Before(position) => (Some((position.key, "<", ">")), position.place),
        };
        let bound = match bound {
            Some((
                HitKey::Near {
                    distance: near,
                    id: of,
                },
                beyond,
                next,
            )) => {
                let (near, of) = (sql.argument(near)?, sql.argument(of)?);
                format!(
                    " AND ({distance} {beyond} {near} OR {distance} = {near} AND {id} {next} {of})"
                )
            }
            _ => String::new(),
        };
        let limit = sql.argument(i64::try_from(wanted).unwrap_or(i64::MAX))?;
        // Of those before a position, the last are the page.
        let last = match &page.start {
            HitStart::Before(_) => {
                let most = i64::try_from(page.wanted()).unwrap_or(i64::MAX);
                format!(
                    " ORDER BY page.__distance DESC, page.__id LIMIT greatest({}, 1)",
                    sql.argument(most)?
                )
            }
            HitStart::First | HitStart::After(_) => String::new(),
        };
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
             LEFT JOIN LATERAL (SELECT {id} AS __id, {distance} AS __distance \
               FROM {nearest_from}{others}{bound} \
               ORDER BY {embedding} <=> {vector}, {id} DESC LIMIT {limit}) AS page ON TRUE{last}",
        ));
        Ok(sql)
    }

    /// Appends ` WHERE …` for the records of the query that existed when a page was
    /// first read.
    pub(super) fn push_where_of(&self, list: &HitList, sql: &mut Sql) -> Result<(), Error> {
        self.push_where(sql)?;
        list.push_until(M::TABLE, sql)
    }

    async fn similar_hits(&self, session: &mut Session<'_>, id: i64) -> Result<Hits<M>, Error> {
        let near = self.similar_page(session, id).await?;
        let ids: Vec<i64> = near.taken.hits.iter().map(|row| row.id).collect();
        let records = self.rows_of(session, &ids, &self.whole()).await?;
        let data = records.into_iter().map(|(index, record)| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the precision of the vectors themselves"
            )]
            let cosine = (1.0 - near.taken.hits[index].distance) as f32;
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
        let (next, previous) = near.cursors(M::TABLE);
        Ok(Hits {
            data,
            total: near.total,
            next,
            previous,
            notes: Vec::new(),
        })
    }

    /// Returns the page of a list of hits that the query asks for.
    pub(super) fn hit_page(&self, list: String) -> Result<HitPage, Error> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        HitPage::new(M::TABLE, list, self.offset, limit, self.start.as_ref())
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

/// A record near another.
#[derive(Clone, Copy, Debug)]
struct NearRow {
    id: i64,
    distance: f64,
}

/// A page of the nearest records.
struct SimilarPage {
    page: HitPage,
    list: HitList,
    taken: TakenHits<NearRow>,
    total: Total,
}

impl SimilarPage {
    fn cursors(&self, table: &'static Table) -> Cursors {
        let key = |row: &NearRow| HitKey::Near {
            distance: row.distance,
            id: row.id,
        };
        self.page.cursors(table, &self.taken, &self.list, key)
    }
}

/// The rows of a page, in order, and how many there are in all.
struct NearRows {
    rows: Vec<NearRow>,
    /// `None` beyond the number that is counted.
    total: Option<u64>,
    /// Whether the page may lack rows that were not read.
    may_be_short: bool,
}

impl NearRows {
    fn read(rows: &[PgRow], page: &HitPage, count: Count) -> Result<Self, sqlx::Error> {
        let mut found: Vec<NearRow> = Vec::with_capacity(rows.len());
        let mut counted = None;
        for row in rows {
            // There is always one row, for the total; on an empty page its id is NULL.
            counted = row.try_get::<Option<i64>, _>("__total")?;
            if let Some(id) = row.try_get("__id")? {
                let distance = row.try_get("__distance")?;
                found.push(NearRow { id, distance });
            }
        }
        let total = counted.map(i64::unsigned_abs);
        let total = total.filter(|total| !matches!(count, Count::UpTo(most) if *total > most));
        let place = match &page.start {
            HitStart::First => 0,
            HitStart::After(position) => position.place,
            // All rows before it.
            HitStart::Before(position) => {
                let wanted = page.wanted().min(position.place);
                return Ok(Self::sorted(found, total, |found| found < wanted));
            }
        };
        let wanted = page.wanted();
        let wanted = total.map_or(wanted, |total| wanted.min(total.saturating_sub(place)));
        Ok(Self::sorted(found, total, |found| found < wanted))
    }

    fn sorted(mut rows: Vec<NearRow>, total: Option<u64>, is_short: impl Fn(u64) -> bool) -> Self {
        // The nearest first, and the newest of equals.
        rows.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(b.id.cmp(&a.id)));
        Self {
            may_be_short: is_short(rows.len() as u64),
            rows,
            total,
        }
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

#[cfg(test)]
mod tests {
    use super::{HitList, Scope, Sql};
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
            let page = query.hit_page("near 7".to_owned()).unwrap();
            let list = HitList {
                until: Some(99),
                search: None,
            };
            let records = |sql: &mut Sql| query.push_where_of(&list, sql);
            let exclusion = |sql: &mut Sql| query.push_template_exclusion(sql);
            let scope = Scope::new(&records, &exclusion, &[]);
            let sql = query.similar_statement(7, &vector, &scope, &page, row_set);
            insta::assert_snapshot!(name, lines(&sql.unwrap()));
        }
    }
}

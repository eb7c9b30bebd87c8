//! `similar_to`: pages of the records nearest to one.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::create::not_found;
use super::hit_page::{Cursors, HitKey, HitList, HitPage, HitStart, TakenHits};
use super::search_page::newest_id;
use super::select::Shape;
use super::{Count, Hits, QueryBuilder, Total};
use crate::db::{Session, Sql};
use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::{ColumnRole, Model, Table};
use crate::search::index::map_summary_error;
use crate::search::{self, Copies, Hit, Scope, SearchSession, Why};
use crate::value::ColumnValue;

impl<M: Model> QueryBuilder<M> {
    /// Returns a page of the records nearest to one.
    pub(super) async fn similar_page(
        &self,
        session: &mut Session<'_>,
        id: i64,
    ) -> Result<SimilarPage, Error> {
        let table = M::TABLE;
        let name = if self.folds { "folded near" } else { "near" };
        let page = self.hit_page(format!("{name} {id}"))?;
        let embedding = self.embedding_of(session, id).await?;
        let list = match page.cursor_list() {
            Some(list) => list.clone(),
            None => HitList {
                until: newest_id(table, session.conn()).await?,
                search: None,
            },
        };
        let records = |sql: &mut Sql| self.push_where_of(&list, sql);
        let exclusion = |sql: &mut Sql| self.push_template_exclusion(sql);
        let times = self.times();
        let scope = Scope::new(&records, &exclusion, &times);
        let of = Near {
            id,
            embedding: &embedding,
            scope: &scope,
        };
        let (near, folded) = if self.folds {
            let near = self.folded_near(session, &of, &page, &list).await?;
            (near.rows, Some(near.folded))
        } else {
            (self.near_rows(session, &of, &page).await?, None)
        };
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
            folded,
        })
    }

    /// Reads the rows of a page, by summaries if that is less work.
    pub(super) async fn near_rows(
        &self,
        session: &mut Session<'_>,
        of: &Near<'_>,
        page: &HitPage,
    ) -> Result<NearRows, Error> {
        let table = M::TABLE;
        let from_driver = |error| Error::from_driver(table, error);
        let Near {
            embedding, scope, ..
        } = *of;
        let statement =
            |row_set: Option<&search::RowSet>| self.similar_statement(of, page, row_set);
        let mut scan = SearchSession::begin(table, session.conn())
            .await
            .map_err(from_driver)?;
        let near = async {
            let row_set = if scan.should_use_summaries(scope).await? {
                // The record itself is not counted.
                let wanted = page.end().saturating_add(1);
                let row_set = search::nearest_rows(scan.conn(), table, embedding, wanted, scope);
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
            let row_set = row_set.map(|rows| rows.of_distributed(scan.is_distributed()));
            let rows = statement(row_set.as_ref())?.fetch_all(scan.conn()).await;
            let near = NearRows::read(&rows.map_err(from_driver)?, page, self.count)?;
            if scan.has_vector_index() && near.may_be_short {
                // The index gave up before enough rows passed the filters.
                scan.disable_index_scans().await.map_err(from_driver)?;
                let rows = statement(None)?.fetch_all(scan.conn()).await;
                return Ok(NearRows::read(
                    &rows.map_err(from_driver)?,
                    page,
                    self.count,
                )?);
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
        of: &Near<'_>,
        page: &HitPage,
        row_set: Option<&search::RowSet>,
    ) -> Result<Sql, Error> {
        let table = M::TABLE;
        let Near {
            id,
            embedding,
            scope,
        } = *of;
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
                if self.folds {
                    // Those at the same distance are one row.
                    format!(" AND {distance} {beyond} {near}")
                } else {
                    format!(
                        " AND ({distance} {beyond} {near} OR {distance} = {near} AND {id} {next} {of})"
                    )
                }
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
                    "SELECT count(*) AS total FROM (SELECT 1 FROM {from}{others} LIMIT {most}) AS capped"
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

    pub(super) async fn similar_hits(
        &self,
        session: &mut Session<'_>,
        id: i64,
    ) -> Result<Hits<M>, Error> {
        let mut near = self.similar_page(session, id).await?;
        near.end(self, session.conn(), &self.whole()).await?;
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
                copies: near.taken.hits[index].copies,
            }
        });
        let data = data.collect();
        let (next, previous) = near.cursors(M::TABLE);
        Ok(Hits {
            data,
            folded: near.folded,
            total: near.total,
            next,
            previous,
            notes: Vec::new(),
        })
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

/// A record near another.
#[derive(Clone, Copy, Debug)]
pub(super) struct NearRow {
    pub(super) id: i64,
    pub(super) distance: f64,
    /// The records that it stands for, if copies are folded.
    pub(super) copies: Option<Copies>,
}

/// The record that others are near to, and the conditions that they must pass.
pub(super) struct Near<'a> {
    pub(super) id: i64,
    pub(super) embedding: &'a Embedding,
    pub(super) scope: &'a Scope<'a>,
}

/// A page of the nearest records.
pub(super) struct SimilarPage {
    page: HitPage,
    list: HitList,
    pub(super) taken: TakenHits<NearRow>,
    pub(super) total: Total,
    /// The number of rows, if copies are folded.
    folded: Option<Total>,
}

impl SimilarPage {
    /// Ends the page early, because of the bytes of its records.
    pub(super) async fn end<M: Model, S: Shape<M>>(
        &mut self,
        query: &QueryBuilder<M>,
        conn: &mut PgConnection,
        shape: &S,
    ) -> Result<(), Error> {
        query
            .end_page(conn, shape, &self.page, &mut self.taken, |row| row.id)
            .await
    }

    pub(super) fn cursors(&self, table: &'static Table) -> Cursors {
        let mark = |row: &NearRow| {
            let key = HitKey::Near {
                distance: row.distance,
                id: row.id,
            };
            // Folded, a row is at its distance, whichever of its records are deleted.
            (key, None)
        };
        self.page.cursors(table, &self.taken, &self.list, mark)
    }
}

/// The rows of a page, in order, and how many there are in all.
pub(super) struct NearRows {
    pub(super) rows: Vec<NearRow>,
    /// `None` beyond the number that is counted.
    pub(super) total: Option<u64>,
    /// Whether the page may lack rows that were not read.
    pub(super) may_be_short: bool,
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
                found.push(NearRow {
                    id,
                    distance,
                    copies: None,
                });
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

#[cfg(test)]
mod tests {
    use super::{HitList, Near, Scope, Sql};
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
            let of = Near {
                id: 7,
                embedding: &vector,
                scope: &scope,
            };
            let sql = query.similar_statement(&of, &page, row_set);
            insta::assert_snapshot!(name, lines(&sql.unwrap()));
        }
    }
}

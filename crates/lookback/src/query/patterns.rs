//! Patterns: what records have in common, and how many there are of each kind.

use std::cmp::Reverse;
use std::fmt;

use chrono::{DateTime, Utc};
use lookback_json::json;
use serde::Serialize;

use super::{DEFAULT_LIMIT, QueryBuilder, Total};
use crate::db::{Db, Session, Sql};
use crate::error::Error;
use crate::model::Model;
use crate::search::{
    FoundPattern, Query, Scope, SummaryUse, Terms, patterns, resolve_examples, resolve_times,
};
use crate::value::{Json, JsonError, time};

/// The patterns of the records of a query, created by [`QueryBuilder::patterns`].
pub struct Patterns<M> {
    query: QueryBuilder<M>,
    new_since: Option<DateTime<Utc>>,
    exact: bool,
}

/// The records that differ only in numbers and ids.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Pattern<M> {
    /// Each search field with its text, in which a `0` stands for each run of letters and
    /// digits that has a digit: `job 0 failed after 0`.
    pub fields: Vec<(&'static str, String)>,
    /// The number of records: of sealed ones, as many as there were when they were sealed,
    /// unless [`Patterns::exact`] is set.
    pub count: Total,
    /// Their share of all records of the query, from 0 to 1.
    pub share: f64,
    /// The time of the first of them.
    pub first: DateTime<Utc>,
    /// The time of the last of them.
    pub last: DateTime<Utc>,
    /// The newest of them.
    pub example: M,
}

impl<M: Serialize> Pattern<M> {
    /// Returns the pattern as JSON: its fields as `pattern`, and an `example`.
    ///
    /// # Errors
    ///
    /// The example has no form in JSON.
    pub fn to_json(&self) -> Result<Json, JsonError> {
        let fields = self.fields.iter();
        let fields = fields.map(|(name, text)| ((*name).to_owned(), Json::from(text.as_str())));
        let mut pattern = json!({
            "count": self.count.value(),
            "count_is_exact": self.count.is_exact(),
            "share": self.share,
            "first": time::text(&self.first),
            "last": time::text(&self.last),
        });
        if let Json::Object(pattern) = &mut pattern {
            pattern.insert("pattern".to_owned(), fields.collect());
            // Not through `json!`, which rounds numbers.
            let example = Json::from_serialize(&self.example)?;
            pattern.insert("example".to_owned(), example);
        }
        Ok(pattern)
    }
}

/// A page of patterns, the most frequent first.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PatternPage<M> {
    /// The patterns of this page, in order.
    pub data: Vec<Pattern<M>>,
    /// The number of patterns on all pages. A page leaves out those whose records are all
    /// deleted.
    pub total: Total,
    /// The number of their records.
    pub records: Total,
}

impl<M: Model> QueryBuilder<M> {
    /// Counts the records of each pattern: records whose search fields differ only in
    /// numbers and ids.
    ///
    /// With a search, these are the records with all its words. The limit (50 by default)
    /// and the offset are in patterns. Without filters, sealed records are not read: their
    /// summaries say how many there are, deleted ones included ([`Total::About`]).
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// use chrono::{TimeDelta, Utc};
    /// use lookback::Log;
    ///
    /// let hour_ago = Utc::now() - TimeDelta::hours(1);
    /// let new = Log::records().patterns().new_since(hour_ago).fetch(&pool).await?;
    /// for pattern in new.data {
    ///     println!("{} times: {}", pattern.count, pattern.example.message);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn patterns(&self) -> Patterns<M> {
        Patterns {
            query: self.clone(),
            new_since: None,
            exact: false,
        }
    }

    /// Returns whether nothing but a search narrows the records, so that summaries may
    /// count them.
    pub(super) fn summary_use(&self) -> SummaryUse {
        if self.filter.is_empty() && self.deleted != super::Deleted::Only {
            SummaryUse::Count
        } else {
            SummaryUse::Find
        }
    }
}

impl<M: Model> fmt::Debug for Patterns<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patterns")
            .field("query", &self.query)
            .field("new_since", &self.new_since)
            .field("exact", &self.exact)
            .finish()
    }
}

impl<M> Clone for Patterns<M> {
    fn clone(&self) -> Self {
        Self {
            query: self.query.clone(),
            ..*self
        }
    }
}

impl<M: Model> Patterns<M> {
    /// Restricts the page to patterns whose first record is of this time or later.
    ///
    /// It goes by the records that the query may see: a filter on time hides earlier ones.
    #[must_use]
    pub fn new_since(mut self, time: DateTime<Utc>) -> Self {
        self.new_since = Some(time);
        self
    }

    /// As [`new_since`](Self::new_since), from text as in filters: `-1h`, `yesterday`,
    /// `2026-03-01`, `2026-03-01T10:59:00Z`.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for another text.
    pub fn new_since_text(self, text: &str) -> Result<Self, Error> {
        match time::read(text, Utc::now()) {
            Ok(time) => Ok(self.new_since(time)),
            Err(problem) => Err(Error::invalid_field(M::TABLE.name, "new_since", problem)),
        }
    }

    /// Reads every record, instead of the counts in the summaries of sealed records.
    #[must_use]
    pub fn exact(mut self) -> Self {
        self.exact = true;
        self
    }

    /// Reads a page of patterns, the most frequent first.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for a filter with a value that its column cannot have, a
    /// limit over 10,000, a cursor, an order, or [`similar_to`](QueryBuilder::similar_to).
    pub async fn fetch<'c>(&self, db: impl Into<Db<'c>>) -> Result<PatternPage<M>, Error> {
        let query = &self.query;
        query.check_page()?;
        let refuse = |field, problem| Err(Error::invalid_field(M::TABLE.name, field, problem));
        if query.similar_to.is_some() {
            return refuse(
                "similar_to",
                "is no part of a query for patterns; leave it out",
            );
        }
        if !query.order.is_empty() {
            return refuse(
                "order_by",
                "is no part of a query for patterns, which come the most frequent first",
            );
        }
        if query.start.is_some() {
            return refuse("after", "is no part of a query for patterns; set an offset");
        }
        let terms = query.search.as_deref();
        let terms = terms.map(|text| Terms::parse(M::TABLE, text));
        let terms = terms.filter(|terms| !terms.is_empty());
        let mut narrowed = query.clone();
        let words = terms.and_then(|terms| {
            let words = (!terms.is_only_filters()).then(|| Query::new(&terms));
            narrowed.filter.extend(terms.into_filters());
            words
        });
        let mut session = db.into().limited(query.timeout).await?;
        let page = self.page(&narrowed, words.as_ref(), session.whole()).await;
        session.end(M::TABLE, page).await
    }

    async fn page(
        &self,
        query: &QueryBuilder<M>,
        words: Option<&Query>,
        session: &mut Session<'_>,
    ) -> Result<PatternPage<M>, Error> {
        let table = M::TABLE;
        let records = |sql: &mut Sql| query.push_where(sql);
        let exclusion = |sql: &mut Sql| query.push_template_exclusion(sql);
        let times = query.times();
        let scope = Scope::new(&records, &exclusion, &times);
        let summaries = if self.exact {
            SummaryUse::Never
        } else {
            query.summary_use()
        };
        let found = patterns(table, words, &scope, summaries, session.conn()).await?;
        let found = match found {
            Some(found) => Some(found),
            None => patterns(table, words, &scope, SummaryUse::Never, session.conn()).await?,
        };
        let mut found = found.unwrap_or_default();
        // Of one template, however many of the words as typed.
        found.join_coverages();
        let all = found.records;
        let mut patterns = std::mem::take(&mut found.patterns);
        if let Some(since) = self.new_since {
            resolve_times(session.conn(), table, &mut patterns).await?;
            patterns.retain(|pattern| {
                let times = pattern.times.as_ref();
                times.is_some_and(|(first, _)| first.time() >= since)
            });
        }
        let records = if self.new_since.is_some() {
            patterns.iter().map(|pattern| pattern.records).sum()
        } else {
            all
        };
        let total = patterns.len();
        patterns.sort_unstable_by_key(|pattern| Reverse((pattern.records, pattern.newest_id())));
        let skip = usize::try_from(query.offset).unwrap_or(usize::MAX);
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT) as usize;
        let page: Vec<FoundPattern> = patterns.into_iter().skip(skip).take(limit).collect();
        let mut page = resolve_examples(session.conn(), table, &scope, page).await?;
        if self.new_since.is_none() {
            resolve_times(session.conn(), table, &mut page).await?;
        }
        Ok(PatternPage {
            data: query.read_patterns(session, page, all).await?,
            total: found.total(total),
            records: if found.from_summaries {
                Total::About(records)
            } else {
                Total::Exact(records)
            },
        })
    }
}

impl<M: Model> QueryBuilder<M> {
    /// Reads the examples of patterns, whose times are known.
    async fn read_patterns(
        &self,
        session: &mut Session<'_>,
        page: Vec<FoundPattern>,
        all: u64,
    ) -> Result<Vec<Pattern<M>>, Error> {
        let ids: Vec<i64> = page
            .iter()
            .map(|pattern| pattern.newest_read.unwrap_or(i64::MIN))
            .collect();
        let examples = self.rows_of(session, &ids, &self.whole()).await?;
        let names = M::TABLE
            .search
            .iter()
            .map(|column| M::TABLE.columns[*column].name);
        let names: Vec<&'static str> = names.collect();
        let mut data = Vec::with_capacity(examples.len());
        for (place, example) in examples {
            let pattern = &page[place];
            let Some((first, last)) = pattern.times else {
                continue;
            };
            let fields = names.iter().copied().zip(pattern.fields.iter().cloned());
            data.push(Pattern {
                fields: fields.collect(),
                count: match pattern.sealed {
                    Some(_) => Total::About(pattern.records),
                    None => Total::Exact(pattern.records),
                },
                share: share(pattern.records, all),
                first: first.time(),
                last: last.time(),
                example,
            });
        }
        Ok(data)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more precision"
)]
fn share(count: u64, all: u64) -> f64 {
    if all == 0 {
        0.0
    } else {
        count as f64 / all as f64
    }
}

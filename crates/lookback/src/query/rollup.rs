//! Which queries roll-ups answer.
//!
//! A query asks for counts of records: of all of them, by columns, or by buckets of time. If
//! its filters and its groups need no other columns than the roll-ups of the model have, the
//! same statement reads the counts instead of the records. Everything else reads the records.

use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::QueryBuilder;
use super::match_rows::fetch_matched;
use super::select::TermKind;
use crate::db::{Limited, LocalSetting, LocalSettings, Sql};
use crate::error::Error;
use crate::filter::{Comparison, FieldPath, Node, Test};
use crate::model::{Model, Rollup, RollupKey};
use crate::search::MatchRows;
use crate::search::index::rollups::{
    RollupScan, UNITS, Windows, find_rollups, microseconds, push_rollup_scan,
};
use crate::value::Value;

/// 1980, in microseconds since 2000. Before, time zones differed from UTC by other times than
/// whole minutes.
const ZONES_SINCE: i64 = -7_305 * 86_400 * 1_000_000;

/// What a statement reads: the records of a table, or counts of them.
#[derive(Debug)]
pub(super) enum Source<'a> {
    Records,
    /// The records that may have the words of the filters.
    Matches(&'a MatchRows),
    Rollup(&'a Windows, usize),
}

/// How roll-ups answer a query.
#[derive(Debug)]
pub(super) struct RollupPlan {
    /// The buckets and records to read, with short buckets first; one of them is chosen.
    windows: Vec<Windows>,
    /// How many of the columns that are counted by are needed: the first ones.
    depth: usize,
}

impl Source<'_> {
    pub(super) fn is_rollup(&self) -> bool {
        matches!(self, Self::Rollup(..))
    }
}

/// Writes the statement that reads a source.
type Statement<'a> = &'a (dyn Fn(&Source<'_>) -> Result<Sql, Error> + Sync);

impl<M: Model> QueryBuilder<M> {
    /// Returns how roll-ups answer the query, if its results are of these kinds; `None` if it
    /// needs the records.
    pub(super) fn rollup_plan(&self, kinds: &[TermKind]) -> Option<RollupPlan> {
        let Rollup { time, keys } = M::TABLE.rollup?;
        if self.search.is_some() || self.similar_to.is_some() {
            return None;
        }
        let time_name = M::TABLE.columns[time].name;
        let (mut unit, mut has_zone, mut depth) = (UNITS[0], false, 0);
        for kind in kinds {
            match kind {
                TermKind::Count | TermKind::OfBucket => {}
                TermKind::Place(place) => depth = depth.max(depth_of_place(place, keys)?),
                TermKind::Bucket(name, bucket) if *name == time_name => {
                    unit = unit.min(bucket.rollup_unit()?);
                    has_zone |= bucket.has_zone();
                }
                TermKind::Bucket(..) | TermKind::Other => return None,
            }
        }
        let mut range = TimeRange::default();
        for node in &self.filter {
            depth = depth.max(range.add(node, time, keys)?);
        }
        let finest = UNITS.iter().rev().filter(|finest| **finest <= unit);
        let mut windows: Vec<Windows> = finest
            .filter_map(|finest| range.windows(*finest, unit, has_zone))
            .collect();
        // Without edges, all are the same.
        windows.dedup();
        (!windows.is_empty()).then_some(RollupPlan { windows, depth })
    }

    /// Appends what a statement reads after `FROM`, up to and including the filters.
    pub(super) fn push_source(&self, source: &Source<'_>, sql: &mut Sql) -> Result<(), Error> {
        match source {
            Source::Records => {
                sql.push(&M::TABLE.quoted());
                self.push_where(sql)
            }
            Source::Matches(rows) => {
                let from = rows.from(M::TABLE, sql)?;
                sql.push(&from);
                self.push_where(sql)
            }
            Source::Rollup(windows, depth) => {
                let scan = RollupScan {
                    depth: *depth,
                    windows,
                    push_keys: &|sql| self.push_keys(sql),
                    push_condition: &|sql| self.push_condition(sql),
                };
                push_rollup_scan(sql, M::TABLE, &scan)
            }
        }
    }

    /// Appends the condition on columns that roll-ups have: the one on records, without
    /// the bounds of time.
    fn push_keys(&self, sql: &mut Sql) -> Result<(), Error> {
        let mut filter = Vec::new();
        if let Some(Rollup { time, .. }) = M::TABLE.rollup {
            for node in &self.filter {
                without_bounds(node, time, &mut filter);
            }
        }
        Self {
            filter,
            deleted: self.deleted,
            ..Self::new()
        }
        .push_condition(sql)
    }

    /// Reads the rows of a statement, from roll-ups if there are any.
    pub(super) async fn fetch_from(
        &self,
        plan: Option<&RollupPlan>,
        session: &mut Limited<'_>,
        statement: Statement<'_>,
    ) -> Result<Vec<PgRow>, Error> {
        match plan {
            // Several statements.
            Some(_) => {
                self.fetch_rows(plan, session.whole().conn(), statement)
                    .await
            }
            None if self.has_words() => {
                let conn = session.whole().conn();
                let rows = self.match_rows(conn).await?;
                match rows.filter(|rows| rows.floor().is_none()) {
                    Some(rows) => {
                        let sql = statement(&Source::Matches(&rows))?;
                        fetch_matched::<M>(conn, sql).await
                    }
                    None => self.fetch_rows(None, conn, statement).await,
                }
            }
            None => self.fetch_rows(None, session.conn(), statement).await,
        }
    }

    pub(super) async fn fetch_rows(
        &self,
        plan: Option<&RollupPlan>,
        conn: &mut PgConnection,
        statement: Statement<'_>,
    ) -> Result<Vec<PgRow>, Error> {
        let table = M::TABLE;
        let found = match plan {
            Some(plan) => find_rollups(conn, table, plan.depth, &plan.windows)
                .await?
                .map(|found| (plan, found)),
            None => None,
        };
        let Some((plan, found)) = found else {
            let rows = statement(&Source::Records)?.fetch_all(conn).await;
            return rows.map_err(|error| Error::from_driver(table, error));
        };
        let windows = &plan.windows[found.chosen];
        let mut sql = statement(&Source::Rollup(windows, plan.depth))?;
        if !windows.edges.is_empty() {
            // With a generic plan, the server would not know how few records the edges have.
            sql = sql.once();
        }
        if !found.compiles {
            let rows = sql.fetch_all(conn).await;
            return rows.map_err(|error| Error::from_driver(table, error));
        }
        let settings = [LocalSetting::new("jit", "off")];
        let begun = LocalSettings::begin(conn, &settings, |_| Ok(String::new())).await;
        let (mut settings, _) = begun?;
        let rows = sql.fetch_all(settings.conn()).await;
        let rows = rows.map_err(|error| Error::from_driver(table, error));
        let (_, ended) = settings.end().await;
        let rows = rows?;
        ended?;
        Ok(rows)
    }
}

/// The range of time that filters leave, in microseconds since 2000.
#[derive(Clone, Copy, Debug, Default)]
struct TimeRange {
    from: Option<i64>,
    end: Option<i64>,
}

impl TimeRange {
    /// Restricts the range by a filter, and returns how many of the first columns that are
    /// counted by it needs; `None` if it needs others, or compares the time otherwise.
    fn add(&mut self, node: &Node, time_column: usize, keys: &[RollupKey]) -> Option<usize> {
        match node {
            Node::All(nodes) => {
                let mut depth = 0;
                for node in nodes {
                    depth = depth.max(self.add(node, time_column, keys)?);
                }
                Some(depth)
            }
            Node::Test {
                column,
                test: Test::Compare(comparison, Value::Timestamptz(time)),
            } if *column == time_column => {
                let time = microseconds(*time)?;
                let (from, end) = match comparison {
                    Comparison::Gte => (Some(time), None),
                    Comparison::Gt => (Some(time + 1), None),
                    Comparison::Lt => (None, Some(time)),
                    Comparison::Lte => (None, Some(time + 1)),
                    Comparison::Eq => return None,
                };
                self.from = self.from.max(from);
                self.end = match (self.end, end) {
                    (Some(end), Some(other)) => Some(end.min(other)),
                    (end, other) => end.or(other),
                };
                Some(0)
            }
            node => depth_of(node, keys),
        }
    }

    /// Splits the range into buckets of these lengths and the records beside them.
    fn windows(self, finest: i32, unit: i32, has_zone: bool) -> Option<Windows> {
        if !has_zone || self.from.is_some_and(|from| from >= ZONES_SINCE) {
            return Windows::of(self.from, self.end, finest, unit);
        }
        if self.end.is_some_and(|end| end <= ZONES_SINCE) {
            return None;
        }
        // What is older is read.
        let mut windows = Windows::of(Some(ZONES_SINCE), self.end, finest, unit)?;
        windows.edges.push((self.from, Some(ZONES_SINCE)));
        Some(windows)
    }
}

/// How many of the first of these keys a filter needs; `None` if it depends on anything else.
fn depth_of(node: &Node, keys: &[RollupKey]) -> Option<usize> {
    let mut found = Vec::new();
    if !node.places(&mut found) {
        return None;
    }
    let mut depth = 0;
    for place in found {
        depth = depth.max(depth_of_place(&place, keys)?);
    }
    Some(depth)
}

/// How many of the first of these keys a column, or a place in its JSON, needs.
///
/// The case of keys in JSON counts: a record may have one key in two cases.
fn depth_of_place(place: &FieldPath, keys: &[RollupKey]) -> Option<usize> {
    let is_same = |key: &RollupKey| key.column == place.column && key.path == place.path;
    Some(keys.iter().position(is_same)? + 1)
}

/// Collects the parts of a filter that are no bounds of the time.
fn without_bounds(node: &Node, time: usize, parts: &mut Vec<Node>) {
    match node {
        Node::All(nodes) => {
            for node in nodes {
                without_bounds(node, time, parts);
            }
        }
        Node::Test {
            column,
            test: Test::Compare(..),
        } if *column == time => {}
        node => parts.push(node.clone()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone as _, Utc};

    use super::ZONES_SINCE;
    use crate::search::index::rollups::microseconds;

    #[test]
    fn zones_since_is_1980() {
        let time = Utc.with_ymd_and_hms(1980, 1, 1, 0, 0, 0).unwrap();
        assert_eq!(microseconds(time), Some(ZONES_SINCE));
    }
}

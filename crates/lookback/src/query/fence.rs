//! An optimization fence for filters on time.
//!
//! PostgreSQL does not know that ids and times increase together. For a page of
//! records of a certain hour, it scans the primary key from the newest id, assuming
//! that records of that hour are everywhere, and reads all later records, which are
//! more each day. If few records have that time (an index on `created_at` finds
//! them), they are read first, behind a fence, and then sorted.

use sqlx::PgConnection;

use super::QueryBuilder;
use crate::db::Sql;
use crate::error::Error;
use crate::filter::{Comparison, Node, Test};
use crate::model::{ColumnRole, Model};
use crate::search::Time;
use crate::value::Value;

/// The maximum number of records of that time that the planner may estimate, and the maximum
/// cost of reading them, in its units.
///
/// Reading a million records costs 50,000 and takes 0.2 s. Reading an hour of 14,400 by a
/// BRIN index costs 27,000 and takes 16 ms (PostgreSQL 18, November 2026).
const RECORDS: f64 = 50_000.0;
const COST: f64 = 100_000.0;

impl<M: Model> QueryBuilder<M> {
    /// Whether to read the records behind a fence.
    ///
    /// It reads the planner's estimates, and only for a query by id with a filter on time.
    pub(super) async fn is_fenced(&self, conn: &mut PgConnection) -> Result<bool, Error> {
        let table = M::TABLE;
        let mut times = Vec::new();
        for node in &self.filter {
            bounds(node, table.index_of(ColumnRole::CreatedAt), &mut times);
        }
        if times.is_empty() || !self.order.is_empty() || self.limit == Some(0) {
            return Ok(false);
        }
        // Only the filters on time: other filters may match few of the records that are read.
        let mut sql = Sql::new(&format!("SELECT FROM {} WHERE TRUE", table.quoted()));
        for node in times {
            sql.push(" AND (");
            node.render(table, &mut sql)?;
            sql.push(")");
        }
        let expected = sql
            .expected(conn)
            .await
            .map_err(|error| Error::from_driver(table, error))?;
        Ok(expected.is_some_and(|expected| expected.rows <= RECORDS && expected.cost <= COST))
    }

    /// The bounds of the filters on `created_at`.
    pub(super) fn times(&self) -> Vec<Time<'_>> {
        let mut nodes = Vec::new();
        for node in &self.filter {
            bounds(node, M::TABLE.index_of(ColumnRole::CreatedAt), &mut nodes);
        }
        let time = |node| match node {
            &Node::Test {
                test: Test::Compare(comparison, ref value),
                ..
            } => Some((comparison, value)),
            _ => None,
        };
        nodes.into_iter().filter_map(time).collect()
    }

    /// The values that all records have in some columns, by the index of the column.
    pub(super) fn values(&self) -> Vec<(usize, &Value<'static>)> {
        let mut found = Vec::new();
        self.filter.iter().for_each(|node| values(node, &mut found));
        found
    }
}

/// Collects the values that a column has in every record that `node` matches.
fn values<'n>(node: &'n Node, found: &mut Vec<(usize, &'n Value<'static>)>) {
    match node {
        Node::All(nodes) => nodes.iter().for_each(|node| values(node, found)),
        Node::Test {
            column,
            test: Test::Compare(Comparison::Eq, value),
        } => found.push((*column, value)),
        _ => {}
    }
}

/// Collects the nodes that bound the column in every record that `node` matches.
fn bounds<'n>(node: &'n Node, column: usize, found: &mut Vec<&'n Node>) {
    match node {
        Node::All(nodes) => nodes.iter().for_each(|node| bounds(node, column, found)),
        Node::Test {
            column: of,
            test: Test::Compare(..),
        } if *of == column => found.push(node),
        _ => {}
    }
}

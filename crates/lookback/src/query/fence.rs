//! Records of a time, in the order of their ids.
//!
//! PostgreSQL does not know that ids and times rise together. For a page of
//! records of a certain hour it goes through the primary key from the newest
//! on, in the belief that records of that hour lie everywhere, and reads all
//! that came later, which is more each day. Where the records of the time are
//! few (an index of `created_at` finds them), they are read first, behind a
//! fence, and then sorted.

use sqlx::PgConnection;

use super::QueryBuilder;
use crate::db::Sql;
use crate::error::Error;
use crate::filter::{Node, Test};
use crate::model::{ColumnRole, Model};
use crate::search::Time;

/// How many records of the time PostgreSQL may expect, and what it may expect
/// reading them to cost, in its units: a million records read through cost
/// 50,000 and take 0.2 s, an hour of 14,400 by a BRIN index 27,000 and 16 ms
/// (PostgreSQL 18, November 2026).
const RECORDS: f64 = 50_000.0;
const COST: f64 = 100_000.0;

impl<M: Model> QueryBuilder<M> {
    /// Whether the records of the filters are to be read before they are put
    /// in order. Asks the planner, for a query by id of a time only.
    pub(super) async fn is_fenced(&self, conn: &mut PgConnection) -> Result<bool, Error> {
        let table = M::TABLE;
        let mut times = Vec::new();
        for node in &self.filter {
            bounds(node, table.index_of(ColumnRole::CreatedAt), &mut times);
        }
        if times.is_empty() || !self.order.is_empty() || self.limit == Some(0) {
            return Ok(false);
        }
        // Of the time alone: another filter may leave few records of many that are read.
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

    /// What the filters say of when records were made.
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
}

/// The nodes that bound the column in every record that this one lets through.
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

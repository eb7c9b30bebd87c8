//! Records of a time, in the order of their ids.
//!
//! PostgreSQL does not know that ids and times rise together. For a page of
//! records of a certain hour it goes through the primary key from the newest
//! on, in the belief that records of that hour lie everywhere, and reads all
//! that came later, which is more each day. Where reading just the records of
//! the filters is cheap (an index of `created_at` serves it), that is done
//! first, behind a fence, and then they are sorted.

use sqlx::{PgConnection, Row as _};

use super::QueryBuilder;
use crate::error::Error;
use crate::filter::{Comparison, Node, Test};
use crate::model::{Model, Role};
use crate::sql::Sql;
use crate::value::Json;

/// What PostgreSQL may expect reading the records of the filters to cost, in
/// its units: that of some ten thousand records by an index, or 20 ms.
const CHEAP: f64 = 20_000.0;

impl<M: Model> QueryBuilder<M> {
    /// Whether the records of the filters are to be read before they are put
    /// in order. Asks the planner, for a query by id of a time only.
    pub(super) async fn is_fenced(&self, conn: &mut PgConnection) -> Result<bool, Error> {
        let created_at = M::TABLE.place(Role::CreatedAt);
        let of_a_time = self.filter.iter().any(|node| bounds(node, created_at));
        if !of_a_time || !self.order.is_empty() || self.limit == Some(0) {
            return Ok(false);
        }
        let mut sql = Sql::new(&format!(
            "EXPLAIN (FORMAT JSON) SELECT FROM {}",
            M::TABLE.quoted()
        ));
        self.push_where(&mut sql)?;
        let row = sql
            .fetch_optional(conn)
            .await
            .map_err(|error| Error::of_table(M::TABLE, error))?;
        let plan: Option<Json> = match row {
            Some(row) => row.try_get(0)?,
            None => None,
        };
        let cost = plan.and_then(|plan| plan[0]["Plan"]["Total Cost"].as_f64());
        Ok(cost.is_some_and(|cost| cost <= CHEAP))
    }
}

/// Whether no record that this node lets through is without a bound in the
/// column.
fn bounds(node: &Node, column: usize) -> bool {
    match node {
        Node::All(nodes) => nodes.iter().any(|node| bounds(node, column)),
        Node::Test {
            column: of,
            test: Test::Compare(comparison, _),
        } => {
            use Comparison::{Eq, Gt, Gte, Lt, Lte};
            *of == column && matches!(comparison, Eq | Gt | Gte | Lt | Lte)
        }
        _ => false,
    }
}

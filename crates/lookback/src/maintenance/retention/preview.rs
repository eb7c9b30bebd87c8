//! What pruning would delete now, as a report.

use chrono::{DateTime, Utc};
use lookback_json::json;
use sqlx::PgConnection;

use super::blockers::{RetentionBlocker, retention_blockers};
use super::oldest_remaining::oldest_remaining;
use super::plan::{PrunePlan, plan_prune};
use super::policy::RetentionPolicy;
use crate::error::Error;
use crate::model::Table;
use crate::value::{Json, time};

/// The plan for a table, what it leaves, and why it deletes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunePreview {
    /// What is deleted.
    pub plan: PrunePlan,
    /// The time of the oldest record that the plan keeps.
    pub oldest_remaining: Option<DateTime<Utc>>,
    /// The reasons why nothing is deleted; empty if something is.
    pub blockers: Vec<RetentionBlocker>,
}

/// Computes what pruning a table by its policy would delete now.
///
/// # Errors
///
/// As [`plan_prune`].
pub async fn preview_prune(
    conn: &mut PgConnection,
    table: &'static Table,
    policy: &RetentionPolicy,
    now: DateTime<Utc>,
) -> Result<PrunePreview, Error> {
    let plan = plan_prune(conn, table, policy, now).await?;
    let oldest_remaining = oldest_remaining(conn, table, &plan).await?;
    let blockers = if plan.is_empty() {
        retention_blockers(conn, table, policy, &plan).await?
    } else {
        Vec::new()
    };
    Ok(PrunePreview {
        plan,
        oldest_remaining,
        blockers,
    })
}

impl PrunePreview {
    /// Returns the preview as JSON, as `lookback storage prune --dry-run --json` prints it.
    pub fn to_json(&self) -> Json {
        let plan = &self.plan;
        let partitions = plan.partitions.iter().map(|partition| {
            json!({
                "name": partition.name.as_str(),
                "rows": partition.rows,
                "bytes": partition.bytes,
            })
        });
        let blockers = self.blockers.iter().map(|blocker| {
            json!({
                "partition": blocker.partition.as_str(),
                "reason": blocker.reason.name(),
                "oldest": blocker.oldest.as_ref().map(time::text),
            })
        });
        json!({
            "table": plan.table,
            "deleted_rows": plan.rows(),
            "freed_bytes": plan.bytes(),
            "dropped_partitions": partitions.collect::<Json>(),
            "expired_rows": plan.expired_rows,
            "soft_deleted_rows": plan.soft_deleted_rows,
            "oldest_remaining": self.oldest_remaining.as_ref().map(time::text),
            "blockers": blockers.collect::<Json>(),
        })
    }
}

//! The storage of several tables, with what pruning would delete.

use lookback_json::json;
use sqlx::PgConnection;

use super::{PrunePreview, RetentionPolicy, StorageStatus, cutoff_clock, preview_prune, status};
use crate::error::Error;
use crate::model::Table;
use crate::value::Json;

/// The storage of a table, its retention policy, and what pruning would delete now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StorageReport {
    /// The partitions, size and sealing progress.
    pub status: StorageStatus,
    /// The policy, which is empty for a table that keeps everything.
    pub policy: RetentionPolicy,
    /// What pruning would delete; `None` without a policy.
    pub preview: Option<PrunePreview>,
}

/// Returns the storage of tables. It reads rows that are not sealed, and the summaries of others.
///
/// # Errors
///
/// As [`status()`] and [`preview_prune`].
pub async fn storage_report(
    conn: &mut PgConnection,
    tables: &[(&'static Table, RetentionPolicy)],
) -> Result<Vec<StorageReport>, Error> {
    let now = cutoff_clock(conn).await?;
    let mut reports = Vec::with_capacity(tables.len());
    for (table, policy) in tables {
        let status = status(conn, table).await?;
        let preview = if policy.is_empty() {
            None
        } else {
            Some(preview_prune(conn, table, policy, now).await?)
        };
        reports.push(StorageReport {
            status,
            policy: *policy,
            preview,
        });
    }
    Ok(reports)
}

impl StorageReport {
    /// Returns the report as JSON, as `lookback storage status --json` prints it.
    pub fn to_json(&self) -> Json {
        let mut report = self.status.to_json();
        if let Json::Object(report) = &mut report {
            let policy = &self.policy;
            let retention = json!({
                "older_than_seconds": policy.older_than.map(|age| age.as_secs()),
                "larger_than_bytes": policy.larger_than,
                "deleted_older_than_seconds": policy.deleted_older_than.map(|age| age.as_secs()),
            });
            let preview = self.preview.as_ref().map(PrunePreview::to_json);
            report.insert("retention".to_owned(), retention);
            report.insert("prune_plan".to_owned(), preview.unwrap_or(Json::Null));
        }
        report
    }
}

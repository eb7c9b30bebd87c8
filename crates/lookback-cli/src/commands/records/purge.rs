//! `purge`: permanently deletes records that were soft-deleted long ago.

use chrono::{DateTime, Utc};
use lookback::maintenance::cutoff_clock;
use lookback::{Filter, Model};
use serde_json::json;

use super::{TableRow, filter_query, query_failure};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output;

/// The number of records in a batch; a progress line follows each batch.
const BATCH_ROWS: u32 = 10_000;

pub(super) async fn run<M: Model + TableRow>(
    config: &Config,
    older_than: &str,
    filters: &[String],
    json: bool,
) -> Result<(), Failure> {
    // Rejects an invalid age before connecting to the database, whose clock is used later.
    deleted_before::<M>(older_than, Utc::now())?;
    let query = filter_query::<M>(filters)?;
    let mut conn = database::connect(config).await?;
    let now = cutoff_clock(&mut conn).await?;
    let query = query
        .filter(deleted_before(older_than, now)?)
        .limit(BATCH_ROWS);
    let mut purged = 0;
    loop {
        let batch = query.purge(&mut conn, now).await.map_err(query_failure)?;
        purged += batch;
        if batch < u64::from(BATCH_ROWS) {
            break;
        }
        // Each batch is committed: after an interrupt, the next purge continues there.
        output::note(&format!(
            "{} {} purged",
            output::grouped(purged),
            if purged == 1 { M::NAME } else { M::COMMAND }
        ));
    }
    if json {
        return output::json(&json!({ "purged": purged }));
    }
    output::note(&match purged {
        0 => format!("no {} to purge", M::COMMAND),
        1 => format!("purged 1 {}", M::NAME),
        count => format!("purged {} {}", output::grouped(count), M::COMMAND),
    });
    Ok(())
}

/// Creates the filter for records that were soft-deleted earlier than this age.
fn deleted_before<M: Model>(age: &str, now: DateTime<Utc>) -> Result<Filter<M>, Failure> {
    // A minus in a time filter means "ago".
    Filter::parse_all_at([format!("deleted_at__lt=-{age}")], now)
        .ok()
        .filter(|_| age.starts_with(|c: char| c.is_ascii_digit()))
        .ok_or_else(|| {
            Failure::usage(format!(
                "--older-than: expected a time such as 90m, 12h or 30d, got `{age}`"
            ))
        })
}

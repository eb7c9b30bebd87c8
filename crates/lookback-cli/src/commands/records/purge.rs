//! `purge`: for good, what was deleted long ago.

use chrono::{DateTime, Utc};
use lookback::maintenance::retention_now;
use lookback::{Filter, Model};
use serde_json::json;

use super::{Shown, asked_wrongly, filtered};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output;

/// Records between two words about how far it is.
const AT_A_TIME: u32 = 10_000;

pub(super) async fn run<M: Model + Shown>(
    config: &Config,
    older_than: &str,
    filters: &[String],
    json: bool,
) -> Result<(), Failure> {
    // Wrong words are refused before the database is asked for the time.
    older::<M>(older_than, Utc::now())?;
    let query = filtered::<M>(filters)?;
    let mut conn = database::connect(config).await?;
    let now = retention_now(&mut conn).await?;
    let query = query.filter(older(older_than, now)?).limit(AT_A_TIME);
    let mut purged = 0;
    loop {
        let some = query.purge(&mut conn, now).await.map_err(asked_wrongly)?;
        purged += some;
        if some < u64::from(AT_A_TIME) {
            break;
        }
        // Each batch is gone for good: what is interrupted goes on from here.
        output::note(&format!(
            "{} {} purged",
            output::grouped(purged),
            M::COMMAND
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

/// The records that were deleted longer ago than this.
fn older<M: Model>(than: &str, now: DateTime<Utc>) -> Result<Filter<M>, Failure> {
    // A filter counts back by a minus.
    Filter::parse_all_at([format!("deleted_at__lt=-{than}")], now)
        .ok()
        .filter(|_| than.starts_with(|c: char| c.is_ascii_digit()))
        .ok_or_else(|| {
            Failure::usage(format!(
                "--older-than: `{than}` is not a time such as 90m, 12h or 30d"
            ))
        })
}

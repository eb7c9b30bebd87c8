//! The storage of the tables, and what pruning would delete: `GET /api/v1/storage`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Utc};
use lookback::maintenance::{RetentionPolicy, StorageReport, storage_report};
use lookback::table::Table;
use lookback::value::ColumnValue as _;
use lookback::{Json, Log, Metric, Model as _, RequestSnapshot, User, json};
use tokio::sync::Mutex;

use crate::access::MayRead;
use crate::ingest::text_response;
use crate::openapi::models::{list, nullable, object};
use crate::openapi::{Access, Operation};
use crate::parameters::Parameters;
use crate::problem::{Kind, Problem};
use crate::records;
use crate::server::Shared;

/// How long an answer is given again.
const KEPT: Duration = Duration::from_secs(5);

/// An answer is also given again for this many times as long as it took: large summaries take
/// seconds to measure, and a page asks on and on.
const REST_RATIO: u32 = 20;

/// The last report, which all readers share.
#[derive(Debug, Default)]
pub(crate) struct LastReport(Mutex<Option<Measured>>);

#[derive(Debug)]
struct Measured {
    at: Instant,
    took: Duration,
    answer: String,
}

impl Measured {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < KEPT.max(self.took * REST_RATIO)
    }
}

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/storage", get(storage))
}

pub(crate) fn operations() -> Vec<Operation> {
    let text = || json!({ "type": "string" });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let id = || nullable(json!({ "type": "integer", "format": "int64" }));
    let partition = object([
        ("name", text()),
        (
            "state",
            json!({ "enum": ["default", "precreated", "hot", "sealed", "frozen"] }),
        ),
        ("from", id()),
        ("to", id()),
        ("bytes", count()),
        ("estimated_rows", count()),
    ]);
    let bytes = ["table", "indexes", "search", "all"].map(|name| (name, count()));
    let retention = [
        "older_than_seconds",
        "larger_than_bytes",
        "deleted_older_than_seconds",
    ];
    let dropped = object([("name", text()), ("rows", count()), ("bytes", count())]);
    let blocker = object([
        ("partition", text()),
        (
            "reason",
            json!({ "enum": ["default_partition", "takes_inserts", "has_newer_rows"] }),
        ),
        ("oldest", nullable(text())),
    ]);
    let plan = object([
        ("table", text()),
        ("deleted_rows", count()),
        ("freed_bytes", count()),
        ("dropped_partitions", list(dropped)),
        ("expired_rows", count()),
        ("soft_deleted_rows", count()),
        ("oldest_remaining", nullable(text())),
        ("blockers", list(blocker)),
    ]);
    let server = object([("server", text()), ("shards", count()), ("bytes", count())]);
    let shards = object([
        ("count", count()),
        ("skew", json!({ "type": "number" })),
        ("servers", list(server)),
    ]);
    let table = object([
        ("table", text()),
        ("rows", count()),
        ("rows_are_exact", json!({ "type": "boolean" })),
        ("bytes", object(bytes)),
        ("unsealed_rows", count()),
        ("newest_id", json!({ "type": "integer" })),
        ("sealed_until", id()),
        ("oldest", nullable(text())),
        ("newest", nullable(text())),
        ("shards", nullable(shards)),
        ("partitions", list(partition)),
        (
            "retention",
            object(retention.map(|name| (name, nullable(count())))),
        ),
        ("prune_plan", nullable(plan)),
    ]);
    let metadata = object([
        ("measured_at", text()),
        ("took_ms", json!({ "type": "number" })),
    ]);
    vec![
        Operation::get(
            "/api/v1/storage",
            "Partitions, sizes and sealing of the tables, and what pruning would delete",
            Access::Read,
        )
        .about(
            "What it measures is kept for 5 seconds, and for 20 times as long as it took. \
             `prune_plan` is null for a table without a retention policy.",
        )
        .query::<Log>(records::NOTHING)
        .json(
            200,
            "The tables.",
            object([("data", list(table)), ("metadata", metadata)]),
        ),
    ]
}

async fn storage(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::parse(query.as_deref(), records::NOTHING)?;
    // Those who ask meanwhile wait for the answer of the first.
    let mut last = shared.last_storage.0.lock().await;
    let measured = match last.take().filter(Measured::is_fresh) {
        Some(measured) => measured,
        None => measure(&shared).await?,
    };
    let response = text_response(measured.answer.clone());
    *last = Some(measured);
    Ok(response)
}

async fn measure(shared: &Shared) -> Result<Measured, Problem> {
    let (at, now) = (Instant::now(), Utc::now());
    let tables = [
        Log::TABLE,
        RequestSnapshot::TABLE,
        Metric::TABLE,
        User::TABLE,
    ];
    let tables = tables.map(|table| (table, policy_of(&shared.settings.retention, table)));
    let mut conn = shared.connection().await?;
    let reports = storage_report(&mut conn, &tables).await;
    let reports = reports.map_err(|error| Problem::of(&error, Kind::InvalidQuery))?;
    let took = at.elapsed();
    let answer = json!({
        "data": reports.iter().map(StorageReport::to_json).collect::<Json>(),
        "metadata": {
            "measured_at": DateTime::<Utc>::text_of(&now.to_value()),
            "took_ms": (took.as_secs_f64() * 10_000.0).round() / 10.0,
        },
    });
    Ok(Measured {
        at: Instant::now(),
        took,
        answer: answer.to_string(),
    })
}

fn policy_of(policies: &[(&'static Table, RetentionPolicy)], table: &Table) -> RetentionPolicy {
    let mut policies = policies.iter();
    let found = policies.find(|(of, _)| of.name() == table.name());
    found.map_or_else(RetentionPolicy::default, |(_, policy)| *policy)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Measured;

    #[test]
    fn answer_is_given_again_for_seconds_and_longer_if_it_took_long() {
        let ago = |seconds, took| Measured {
            at: Instant::now()
                .checked_sub(Duration::from_secs(seconds))
                .unwrap(),
            took: Duration::from_millis(took),
            answer: String::new(),
        };
        assert!(ago(4, 1).is_fresh());
        assert!(!ago(6, 1).is_fresh());
        assert!(ago(39, 2_000).is_fresh());
        assert!(!ago(41, 2_000).is_fresh());
    }
}

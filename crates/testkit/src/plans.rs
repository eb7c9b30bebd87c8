//! Reads the plans of the statements that a query runs.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber as _;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::Database;

/// Runs a closure on a connection and returns the plans of its statements.
///
/// Each node is a line, indented by its depth, with its index or its table.
///
/// # Panics
///
/// If the server has no `auto_explain`: the plans are read from its notices.
pub async fn explain<T>(
    db: &Database,
    run: impl AsyncFnOnce(&mut PgConnection) -> T,
) -> (T, String) {
    let notices = Notices::default();
    let heard = Arc::clone(&notices.0);
    let run = async {
        let mut conn = PgConnection::connect(&db.url).await.expect("connect");
        conn.execute(
            "LOAD 'auto_explain'; SET auto_explain.log_level = notice; \
             SET auto_explain.log_format = json; SET client_min_messages = notice; \
             SET jit = off; SET max_parallel_workers_per_gather = 0; \
             SET auto_explain.log_min_duration = 0",
        )
        .await
        .expect("a server with auto_explain");
        heard.lock().expect("unpoisoned").clear();
        let ran = run(&mut conn).await;
        let plans = heard.lock().expect("unpoisoned").join("");
        (ran, plans)
    };
    run.with_subscriber(notices).await
}

/// The server's notices, which the driver emits as `tracing` events.
#[derive(Default)]
struct Notices(Arc<Mutex<Vec<String>>>);

impl Subscriber for Notices {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::postgres::notice"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        let plan = message.0.split_once("plan:\n").and_then(|(_, plan)| {
            let plan: Value = serde_json::from_str(plan).ok()?;
            let mut nodes = String::new();
            write_node(&plan["Plan"], 1, &mut nodes);
            // Skips the driver's queries for unknown types.
            (!nodes.contains(" of pg_")).then_some(nodes)
        });
        if let Some(plan) = plan {
            self.0.lock().expect("unpoisoned").push(plan);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }
}

fn write_node(node: &Value, depth: usize, out: &mut String) {
    let name = node["Node Type"].as_str().unwrap_or("?");
    let of = node["Index Name"]
        .as_str()
        .or_else(|| node["Relation Name"].as_str());
    let backward = match node["Scan Direction"].as_str() {
        Some("Backward") => " backward",
        _ => "",
    };
    let _ = writeln!(
        out,
        "{:1$}{name}{backward}{2}{3}{4}",
        "",
        depth * 2,
        if of.is_some() { " of " } else { "" },
        of.unwrap_or(""),
        // The scan reads a range of the index, not all of it.
        if node["Index Cond"].is_string() {
            ", bounded"
        } else {
            ""
        },
    );
    for child in node["Plans"].as_array().into_iter().flatten() {
        write_node(child, depth + 1, out);
    }
}

//! Quality and time of search, on given logs and judgments.
//!
//! `make bench-search LOGS=<folder> JUDGMENTS=<folder>`. `LOGS` holds a
//! `<System>.jsonl` for each system: `source`, `level`, `message`, `meta` and
//! `created_at`, with the answer key in `meta.event_id`. `JUDGMENTS` holds
//! `.jsonl` files of `qid`, `system`, `class`, `query`, `relevant_event_ids`
//! and `n_relevant`. Each system is stored in its own database by
//! `create_many`, and each query is `Log::records().search(query).limit(10)`.
//!
//! Written to `target/bench`: `search-run.jsonl`, the answers as
//! `{"qid", "event_ids"}`, and `search.json`, the table that is printed.
//! Only the lookup of a hit's event reads `meta`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lookback::{Log, NewLog};
use serde_json::json;

#[path = "search/baselines.rs"]
mod baselines;
#[path = "search/judged.rs"]
mod judged;
#[path = "search/table.rs"]
mod table;

use baselines::Baselines;
use judged::{Judgment, Line, Measures};
use table::Table;

/// The number of hits per query.
const ANSWERS: u32 = 10;

#[tokio::main]
async fn main() {
    let folder = |name: &str| {
        let given = std::env::var(name).unwrap_or_else(|_| {
            panic!("{name}=<folder> is needed: make bench-search LOGS=… JUDGMENTS=…")
        });
        // Cargo runs a benchmark in its package's folder.
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        workspace.join(given)
    };
    let (logs, judgments) = (folder("LOGS"), folder("JUDGMENTS"));
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    fs::create_dir_all(&out).unwrap();
    let mut run = fs::File::create(out.join("search-run.jsonl")).unwrap();

    let mut table = Table::default();
    for (system, judgments) in judged::by_system(&judgments) {
        let Some(lines) = lines_of(&logs, &system) else {
            println!(
                "no logs of {system}: its {} queries are left out",
                judgments.len()
            );
            continue;
        };
        let db = testkit::database().await;
        let new: Vec<NewLog> = lines.iter().map(Line::to_new).collect();
        Log::records().create_many(&db.pool, &new).await.unwrap();
        sqlx::query("ANALYZE").execute(&db.pool).await.unwrap();
        let baselines = Baselines::new(&db.pool, &lines).await;

        for judgment in &judgments {
            let clock = Instant::now();
            let page = Log::records()
                .search(&judgment.query)
                .limit(ANSWERS)
                .list(&db.pool)
                .await
                .unwrap();
            let took = clock.elapsed();
            let events: Vec<String> = page
                .data
                .iter()
                .map(|log| event_of(log.meta.as_ref()))
                .collect();
            let answer = json!({"qid": judgment.qid, "event_ids": events});
            writeln!(run, "{answer}").unwrap();
            table.add("Lookback", judgment, &events, took);

            for (name, answer) in baselines.answers(&judgment.query).await {
                let (rows, took) = answer;
                let events: Vec<String> =
                    rows.iter().map(|row| lines[*row].event.clone()).collect();
                table.add(name, judgment, &events, took);
            }
        }
    }
    run.flush().unwrap();
    table.print();
    let written = serde_json::to_string_pretty(&table.to_json()).unwrap();
    fs::write(out.join("search.json"), written + "\n").unwrap();
}

fn event_of(meta: Option<&lookback::Json>) -> String {
    let event = meta.and_then(|meta| meta.get("event_id"));
    event
        .and_then(|event| event.as_str())
        .unwrap_or_default()
        .to_owned()
}

fn lines_of(logs: &Path, system: &str) -> Option<Vec<Line>> {
    let path: PathBuf = logs.join(format!("{system}.jsonl"));
    let text = fs::read_to_string(path).ok()?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    Some(lines.map(Line::read).collect())
}

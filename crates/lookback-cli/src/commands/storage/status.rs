//! `storage status`

use lookback::maintenance::{self, Partition, PartitionState, PrunePlan, StorageStatus};
use serde_json::{Value, json};

use super::retain::{ALL, Planned, table_of};
use super::time;
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell, grouped};

pub(super) async fn run(config: &Config, json: bool) -> Result<(), Failure> {
    let mut conn = database::connect(config).await?;
    let now = maintenance::cutoff_clock(&mut conn).await?;
    let mut all = Vec::new();
    for named in ALL {
        let table = table_of(named);
        let status = maintenance::status(&mut conn, table).await?;
        let policy = config.retention.of(named);
        let leaving = if policy.is_empty() {
            None
        } else {
            Some(Planned::of(&mut conn, table, &policy, now).await?)
        };
        all.push((status, leaving));
    }
    if json {
        let data: Vec<Value> = all
            .iter()
            .map(|(status, leaving)| as_json(status, leaving.as_ref()))
            .collect();
        return output::json(&json!({ "data": data }));
    }
    let rows: Vec<Vec<Cell>> = all.iter().map(|(status, _)| cells(status)).collect();
    let headings = [
        "TABLE",
        "RECORDS",
        "SIZE",
        "INDEXES",
        "SEARCH",
        "UNSEALED",
        "OLDEST",
        "NEWEST",
        "PARTITIONS",
    ];
    output::table(&headings, &rows)?;
    for (status, leaving) in &all {
        for advice in advice(status, leaving.as_ref().map(|leaving| &leaving.plan)) {
            output::note(&advice);
        }
    }
    Ok(())
}

fn cells(status: &StorageStatus) -> Vec<Cell> {
    let is_sealed = status.search_bytes > 0 || !status.partitions.is_empty();
    let unsealed = if is_sealed {
        grouped(status.unsealed_rows)
    } else {
        "-".to_owned()
    };
    vec![
        Cell::new(status.table),
        Cell::new(records(status)),
        Cell::new(output::bytes(status.table_bytes)),
        Cell::new(output::bytes(status.index_bytes)),
        Cell::new(output::bytes(status.search_bytes)),
        Cell::new(unsealed),
        Cell::new(time(status.oldest)),
        Cell::new(time(status.newest)),
        Cell::new(in_words(status)),
    ]
}

/// Formats the count: `8,929`, or `~140,000` if some were counted when they were sealed.
fn records(status: &StorageStatus) -> String {
    let about = if status.rows_are_exact { "" } else { "~" };
    format!("{about}{}", grouped(status.rows))
}

/// Formats the partitions by state: `3 frozen, 1 hot, 2 precreated`.
fn in_words(status: &StorageStatus) -> String {
    let words: Vec<String> = [
        PartitionState::Frozen,
        PartitionState::Sealed,
        PartitionState::Hot,
        PartitionState::Precreated,
    ]
    .into_iter()
    .map(|state| (status.count(state), state))
    .filter(|(count, _)| *count > 0)
    .map(|(count, state)| format!("{count} {}", state.name()))
    .collect();
    match (words.is_empty(), status.partitions.is_empty()) {
        (false, _) => words.join(", "),
        (true, false) => "default only".to_owned(),
        (true, true) => "-".to_owned(),
    }
}

fn advice(status: &StorageStatus, leaving: Option<&PrunePlan>) -> Vec<String> {
    let mut advice = Vec::new();
    let table = status.table;
    if !status.partitions.is_empty() && status.count(PartitionState::Precreated) == 0 {
        advice.push(format!(
            "{table} has no partition ahead of need: lookback storage seal makes some"
        ));
    }
    if let Some(leaving) = leaving.filter(|leaving| !leaving.is_empty()) {
        advice.push(format!(
            "{table}: retention would take {} records and {}: lookback storage retain --dry-run",
            grouped(leaving.rows()),
            output::bytes(leaving.bytes())
        ));
    }
    advice
}

fn as_json(status: &StorageStatus, leaving: Option<&Planned>) -> Value {
    let partition = |(partition, state): &(Partition, PartitionState)| {
        json!({
            "name": partition.name, "state": state.name(),
            "from": partition.from, "to": partition.to,
            "bytes": partition.bytes, "estimated_rows": partition.estimated_rows,
        })
    };
    json!({
        "table": status.table,
        "rows": status.rows,
        "rows_are_exact": status.rows_are_exact,
        "bytes": {
            "table": status.table_bytes, "indexes": status.index_bytes,
            "search": status.search_bytes, "all": status.bytes(),
        },
        "unsealed_rows": status.unsealed_rows,
        "oldest": status.oldest,
        "newest": status.newest,
        "partitions": status.partitions.iter().map(partition).collect::<Vec<_>>(),
        "retention": leaving.map(retention_as_json),
    })
}

/// Converts a plan to JSON, without what only `retain` looks up.
fn retention_as_json(leaving: &Planned) -> Value {
    let mut json = leaving.as_json();
    if let Some(json) = json.as_object_mut() {
        json.remove("staying");
    }
    json
}

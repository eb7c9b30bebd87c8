//! `storage status`

use lookback::maintenance::{self, Partition, PartitionState, PrunePlan, StorageStatus};
use serde_json::{Value, json};

use super::prune::{ALL, PlannedTable, table_of};
use super::time;
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell, Heading, counted, grouped};

pub(super) async fn run(config: &Config, json: bool) -> Result<(), Failure> {
    let mut conn = database::connect(config).await?;
    let now = maintenance::cutoff_clock(&mut conn).await?;
    let mut all = Vec::new();
    for named in ALL {
        let table = table_of(named);
        let status = maintenance::status(&mut conn, table).await?;
        let policy = config.retention.of(named);
        let planned = if policy.is_empty() {
            None
        } else {
            Some(PlannedTable::new(&mut conn, table, &policy, now).await?)
        };
        all.push((status, planned));
    }
    if json {
        let data: Vec<Value> = all
            .iter()
            .map(|(status, planned)| as_json(status, planned.as_ref()))
            .collect();
        return output::json(&json!({ "data": data }));
    }
    let rows: Vec<Vec<Cell>> = all.iter().map(|(status, _)| cells(status)).collect();
    // Those that are left out first come last.
    let headings = [
        Heading::new("TABLE"),
        Heading::new("RECORDS"),
        Heading::new("SIZE"),
        Heading::extra("OLDEST"),
        Heading::extra("NEWEST"),
        Heading::extra("INDEXES"),
        Heading::extra("SEARCH"),
        Heading::new("UNSEALED"),
        Heading::text("PARTITIONS"),
    ];
    output::table(&headings, &rows)?;
    for (status, planned) in &all {
        for advice in advice(status, planned.as_ref().map(|planned| &planned.plan)) {
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
        Cell::new(time(status.oldest)),
        Cell::new(time(status.newest)),
        Cell::new(output::bytes(status.index_bytes)),
        Cell::new(output::bytes(status.search_bytes)),
        Cell::new(unsealed),
        Cell::new(partition_counts(status)),
    ]
}

/// Formats the count: `8,929`, or `~140,000` if it includes counts from sealing.
fn records(status: &StorageStatus) -> String {
    let about = if status.rows_are_exact { "" } else { "~" };
    format!("{about}{}", grouped(status.rows))
}

/// Formats the partitions by state: `3 frozen, 1 hot, 2 precreated`.
fn partition_counts(status: &StorageStatus) -> String {
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

fn advice(status: &StorageStatus, plan: Option<&PrunePlan>) -> Vec<String> {
    let mut advice = Vec::new();
    let table = status.table;
    if !status.partitions.is_empty() && status.count(PartitionState::Precreated) == 0 {
        advice.push(format!(
            "{table} has no pre-created partition: lookback storage seal creates some"
        ));
    }
    if let Some(plan) = plan.filter(|plan| !plan.is_empty()) {
        advice.push(format!(
            "{table}: {}, {} past the retention policy: lookback storage prune --dry-run",
            counted(plan.rows(), "record"),
            output::bytes(plan.bytes())
        ));
    }
    advice
}

fn as_json(status: &StorageStatus, planned: Option<&PlannedTable>) -> Value {
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
        "oldest": status.oldest.map(output::time),
        "newest": status.newest.map(output::time),
        "partitions": status.partitions.iter().map(partition).collect::<Vec<_>>(),
        "prune_plan": planned.map(PlannedTable::plan_as_json),
    })
}

//! `storage status`

use lookback::maintenance::{
    self, PartitionState, PrunePlan, Shards, StorageReport, StorageStatus,
};
use lookback::{Json, json};

use super::prune::{ALL, table_of};
use super::time;
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell, Heading, counted, grouped};

pub(super) async fn run(config: &Config, json: bool) -> Result<(), Failure> {
    let mut conn = database::connect(config).await?;
    let tables = ALL.map(|named| (table_of(named), config.retention.of(named)));
    let all = maintenance::storage_report(&mut conn, &tables).await?;
    if json {
        let data: Json = all.iter().map(StorageReport::to_json).collect();
        return output::json(&json!({ "data": data }));
    }
    let rows: Vec<Vec<Cell>> = all.iter().map(|report| cells(&report.status)).collect();
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
    for report in &all {
        if let Some(shards) = &report.status.shards {
            output::note(&shards_of(report.status.table, shards));
        }
        let plan = report.preview.as_ref().map(|preview| &preview.plan);
        for advice in advice(&report.status, plan) {
            output::note(&advice);
        }
    }
    Ok(())
}

/// Formats the shards: `logs: 4 shards; 5.5 MB on db1:5432, 5.4 MB on db2:5432`.
fn shards_of(table: &str, shards: &Shards) -> String {
    let servers = shards.servers.iter();
    let servers: Vec<String> = servers
        .map(|server| format!("{} on {}", output::bytes(server.bytes), server.server))
        .collect();
    let skew = if shards.skew() > 1.2 {
        format!(
            "; the largest has {:.1} times the mean: SELECT citus_rebalance_start()",
            shards.skew()
        )
    } else {
        String::new()
    };
    format!(
        "{table}: {}; {}{skew}",
        counted(shards.count(), "shard"),
        servers.join(", ")
    )
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

//! `storage prune`

use std::ops::ControlFlow;

use lookback::maintenance::{self, BlockerReason, PrunePreview, PruneReport, RetentionBlocker};
use lookback::table::Table;
use lookback::{Json, Log, Metric, Model as _, RequestSnapshot, User, json};
use sqlx::PgConnection;

use super::interrupt::Interrupt;
use crate::args::{PruneArgs, StorageTable};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell, Heading, counted, grouped};
use crate::privileges::{self, Required};

pub(super) const ALL: [StorageTable; 4] = [
    StorageTable::Logs,
    StorageTable::Requests,
    StorageTable::Metrics,
    StorageTable::Users,
];

/// What is deleted of a table, and the partitions that were skipped.
struct PlannedTable {
    table: &'static Table,
    preview: PrunePreview,
    /// Partitions of the plan that were not dropped.
    skipped: Vec<String>,
}

impl PlannedTable {
    fn as_json(&self) -> Json {
        let mut json = self.preview.to_json();
        if let Json::Object(json) = &mut json {
            let skipped = self.skipped.iter().map(|name| Json::from(name.as_str()));
            json.insert("skipped".to_owned(), skipped.collect());
        }
        json
    }
}

pub(in crate::commands) fn table_of(table: StorageTable) -> &'static Table {
    match table {
        StorageTable::Logs => Log::TABLE,
        StorageTable::Requests => RequestSnapshot::TABLE,
        StorageTable::Metrics => Metric::TABLE,
        StorageTable::Users => User::TABLE,
    }
}

/// The privileges that the command needs.
pub(super) fn needs(args: &PruneArgs) -> Vec<Required> {
    let named = args.table.map(|table| vec![table]);
    let tables = named.unwrap_or_else(|| ALL.to_vec());
    let mut needs: Vec<Required> = Vec::new();
    for named in &tables {
        let (table, is_sealed) = (table_of(*named).name(), table_of(*named).is_sealed());
        if args.dry_run {
            needs.push((table, privileges::READ));
            continue;
        }
        needs.push((table, privileges::REMOVE));
        if is_sealed {
            needs.push((table, privileges::OWN));
        }
    }
    if tables.into_iter().any(|named| table_of(named).is_sealed()) {
        if args.dry_run {
            needs.extend(privileges::on_summaries(privileges::READ));
        } else {
            needs.extend(privileges::on_summaries(privileges::REMOVE));
            needs.push(("sealed_segments", privileges::CHANGE));
        }
    }
    needs
}

pub(super) async fn run(config: &Config, args: &PruneArgs) -> Result<(), Failure> {
    args.check()?;
    let named = args.table.map(|table| vec![table]);
    let policies: Vec<_> = named
        .unwrap_or_else(|| ALL.to_vec())
        .into_iter()
        .map(|table| (table_of(table), args.policy(table, &config.retention)))
        .filter(|(_, policy)| !policy.is_empty())
        .collect();
    if policies.is_empty() {
        return Err(Failure::usage("no retention policy given").hint(
            "--older-than 30d, --larger-than 50GB or --deleted-older-than 7d, or [retention] in \
             lookback.toml",
        ));
    }
    let pool = database::pool(config, 1).await?;
    let mut all = Vec::new();
    let mut conn = pool.acquire().await?;
    let now = maintenance::cutoff_clock(&mut conn).await?;
    for (table, policy) in policies {
        all.push(PlannedTable {
            table,
            preview: maintenance::preview_prune(&mut conn, table, &policy, now).await?,
            skipped: Vec::new(),
        });
    }
    if !args.dry_run {
        let interrupt = Interrupt::listen();
        for planned in &mut all {
            carry_out(&mut conn, planned, &interrupt).await?;
        }
    }
    show(args, &all)
}

/// Deletes what the plan covers; afterwards the plan contains what was deleted.
async fn carry_out(
    conn: &mut PgConnection,
    planned: &mut PlannedTable,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let (table, plan) = (planned.table, &mut planned.preview.plan);
    interrupt.check("prune")?;
    let bar = output::bar(plan.rows());
    bar.set_message(table.name());
    let mut on_progress = |report: &PruneReport| {
        bar.set_position(report.deleted_rows);
        bar.set_message(format!(
            "{}: {}",
            table.name(),
            counted(report.deleted_rows, "record")
        ));
        if interrupt.is_set() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let report = maintenance::prune(conn, table, plan, &mut on_progress).await;
    bar.finish_and_clear();
    let report = report?;
    if interrupt.is_set() {
        output::note(&format!(
            "{}: {} of {} deleted",
            table.name(),
            grouped(report.deleted_rows),
            counted(plan.rows(), "record")
        ));
        return interrupt.check("prune");
    }
    for partition in &report.skipped {
        output::warning(&format!(
            "{partition} was skipped: it has newer records now, or another process works on it"
        ));
    }
    plan.partitions
        .retain(|partition| !report.skipped.contains(&partition.name));
    planned.skipped = report.skipped;
    Ok(())
}

fn show(args: &PruneArgs, all: &[PlannedTable]) -> Result<(), Failure> {
    if args.json {
        let data: Json = all.iter().map(PlannedTable::as_json).collect();
        let metadata = json!({ "dry_run": args.dry_run });
        return output::json(&json!({ "data": data, "metadata": metadata }));
    }
    let rows: Vec<Vec<Cell>> = all
        .iter()
        .map(|planned| {
            vec![
                Cell::new(planned.preview.plan.table),
                Cell::new(grouped(planned.preview.plan.rows())),
                Cell::new(output::bytes(planned.preview.plan.bytes())),
                Cell::new(grouped(planned.preview.plan.partitions.len() as u64)),
                Cell::new(super::time(planned.preview.oldest_remaining)),
            ]
        })
        .collect();
    let headings = ["TABLE", "RECORDS", "SIZE", "PARTITIONS", "OLDEST REMAINING"].map(Heading::new);
    output::table(&headings, &rows)?;
    let records: u64 = all.iter().map(|planned| planned.preview.plan.rows()).sum();
    output::note(&match (args.dry_run, records) {
        (true, _) => "dry run: nothing was deleted".to_owned(),
        (false, 0) => "nothing to delete".to_owned(),
        (false, records) => format!("{} deleted", counted(records, "record")),
    });
    for planned in all {
        show_blockers(planned);
    }
    Ok(())
}

fn show_blockers(planned: &PlannedTable) {
    for blocker in &planned.preview.blockers {
        output::note(&explain(planned.table, blocker));
    }
    if planned.preview.blockers.iter().any(|b| b.oldest.is_some()) {
        output::hint(&format!(
            "old records of {} are deleted row by row once one of them is a tenth older than \
             the limit",
            planned.table.name()
        ));
    }
}

/// Describes why a partition is kept.
fn explain(table: &Table, blocker: &RetentionBlocker) -> String {
    let (table, partition) = (table.name(), &blocker.partition);
    let (problem, and_old) = match blocker.oldest {
        Some(oldest) => (
            format!(
                "{partition} has records since {}",
                super::time(Some(oldest))
            ),
            " and all its records are too old",
        ),
        None => (format!("{partition} makes the table too large"), ""),
    };
    match blocker.reason {
        BlockerReason::TakesInserts { to: Some(to), .. } => format!(
            "{table}: {problem}, and is kept while it takes inserts: it is dropped once id {} is \
             in use{and_old}",
            grouped(to.unsigned_abs())
        ),
        BlockerReason::TakesInserts { .. } => format!(
            "{table}: {problem}, and is kept because it receives all inserts from its first id on"
        ),
        BlockerReason::DefaultPartition => format!(
            "{table}: {problem}, and is kept as the default partition: lookback storage seal \
             splits it into a partition that is dropped once ids are beyond its end"
        ),
        _ => format!(
            "{table}: {problem}, and is kept while it has newer records: it is dropped once all \
             of them are too old"
        ),
    }
}

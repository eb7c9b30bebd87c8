//! `storage prune`

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use lookback::maintenance::{
    self, BlockerReason, PrunePlan, PruneReport, RetentionBlocker, RetentionPolicy,
};
use lookback::table::Table;
use lookback::{Log, Metric, Model as _, RequestSnapshot, User};
use serde_json::{Value, json};
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

/// The plan for a table, and the partitions that were skipped.
pub(super) struct PlannedTable {
    table: &'static Table,
    pub(super) plan: PrunePlan,
    /// The time of the oldest record that the plan keeps.
    oldest_remaining: Option<DateTime<Utc>>,
    policy: RetentionPolicy,
    /// The reasons why nothing is deleted; empty if something is.
    blockers: Vec<RetentionBlocker>,
    /// Partitions of the plan that were not dropped.
    skipped: Vec<String>,
}

impl PlannedTable {
    pub(super) async fn new(
        conn: &mut PgConnection,
        table: &'static Table,
        policy: &RetentionPolicy,
        now: DateTime<Utc>,
    ) -> Result<Self, Failure> {
        let plan = maintenance::plan_prune(conn, table, policy, now).await?;
        let oldest_remaining = maintenance::oldest_remaining(conn, table, &plan).await?;
        Ok(Self {
            table,
            plan,
            oldest_remaining,
            policy: *policy,
            blockers: Vec::new(),
            skipped: Vec::new(),
        })
    }

    /// Finds the reasons if the plan deletes nothing.
    async fn find_blockers(&mut self, conn: &mut PgConnection) -> Result<(), Failure> {
        if self.plan.is_empty() {
            let (policy, plan) = (&self.policy, &self.plan);
            self.blockers = maintenance::retention_blockers(conn, self.table, policy, plan).await?;
        }
        Ok(())
    }

    /// The plan as JSON, without results, for `storage status`.
    pub(super) fn plan_as_json(&self) -> Value {
        let plan = &self.plan;
        let partitions: Vec<Value> = plan
            .partitions
            .iter()
            .map(|p| json!({"name": p.name, "rows": p.rows, "bytes": p.bytes}))
            .collect();
        json!({
            "table": plan.table,
            "deleted_rows": plan.rows(),
            "freed_bytes": plan.bytes(),
            "dropped_partitions": partitions,
            "expired_rows": plan.expired_rows,
            "soft_deleted_rows": plan.soft_deleted_rows,
            "oldest_remaining": self.oldest_remaining.map(output::time),
        })
    }

    fn as_json(&self) -> Value {
        let blocker = |blocker: &RetentionBlocker| {
            json!({
                "partition": blocker.partition,
                "reason": blocker.reason.name(),
                "oldest": blocker.oldest.map(output::time),
            })
        };
        let mut json = self.plan_as_json();
        json["skipped"] = json!(self.skipped);
        json["blockers"] = self.blockers.iter().map(blocker).collect();
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
        let mut planned = PlannedTable::new(&mut conn, table, &policy, now).await?;
        planned.find_blockers(&mut conn).await?;
        all.push(planned);
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
    let (table, plan) = (planned.table, &mut planned.plan);
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
        let data: Vec<Value> = all.iter().map(PlannedTable::as_json).collect();
        let metadata = json!({ "dry_run": args.dry_run });
        return output::json(&json!({ "data": data, "metadata": metadata }));
    }
    let rows: Vec<Vec<Cell>> = all
        .iter()
        .map(|planned| {
            vec![
                Cell::new(planned.plan.table),
                Cell::new(grouped(planned.plan.rows())),
                Cell::new(output::bytes(planned.plan.bytes())),
                Cell::new(grouped(planned.plan.partitions.len() as u64)),
                Cell::new(super::time(planned.oldest_remaining)),
            ]
        })
        .collect();
    let headings = ["TABLE", "RECORDS", "SIZE", "PARTITIONS", "OLDEST REMAINING"].map(Heading::new);
    output::table(&headings, &rows)?;
    let records: u64 = all.iter().map(|planned| planned.plan.rows()).sum();
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
    for blocker in &planned.blockers {
        output::note(&explain(planned.table, blocker));
    }
    if planned.blockers.iter().any(|b| b.oldest.is_some()) {
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

//! `storage retain`

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use lookback::maintenance::{
    self, BlockerReason, PrunePlan, PruneReport, RetentionBlocker, RetentionPolicy,
};
use lookback::{Log, Metric, Model as _, RequestSnapshot, Table, User};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::interrupt::Interrupt;
use crate::args::{RetainArgs, RetainTable};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell, grouped};
use crate::privileges::{self, Required};

pub(super) const ALL: [RetainTable; 4] = [
    RetainTable::Logs,
    RetainTable::Requests,
    RetainTable::Metrics,
    RetainTable::Users,
];

/// What goes of a table.
pub(super) struct Planned {
    table: &'static Table,
    pub(super) plan: PrunePlan,
    /// When the oldest record was made that stays.
    oldest: Option<DateTime<Utc>>,
    policy: RetentionPolicy,
    /// What stays in spite of the policy, where it takes no partition.
    staying: Vec<RetentionBlocker>,
}

impl Planned {
    pub(super) async fn of(
        conn: &mut PgConnection,
        table: &'static Table,
        policy: &RetentionPolicy,
        now: DateTime<Utc>,
    ) -> Result<Self, Failure> {
        let plan = maintenance::plan_prune(conn, table, policy, now).await?;
        let oldest = maintenance::oldest_remaining(conn, table, &plan).await?;
        Ok(Self {
            table,
            plan,
            oldest,
            policy: *policy,
            staying: Vec::new(),
        })
    }

    /// Looks why nothing goes, where nothing does.
    async fn look_why(&mut self, conn: &mut PgConnection) -> Result<(), Failure> {
        if self.plan.is_empty() {
            self.staying =
                maintenance::retention_blockers(conn, self.table, &self.policy, &self.plan).await?;
        }
        Ok(())
    }

    pub(super) fn as_json(&self) -> Value {
        let plan = &self.plan;
        let staying: Vec<Value> = self
            .staying
            .iter()
            .map(|s| json!({"name": s.partition, "why": s.reason.name(), "oldest": s.oldest}))
            .collect();
        let partitions: Vec<Value> = plan
            .partitions
            .iter()
            .map(|p| json!({"name": p.name, "rows": p.rows, "bytes": p.bytes}))
            .collect();
        json!({
            "table": plan.table,
            "rows": plan.rows(),
            "bytes": plan.bytes(),
            "partitions": partitions,
            "older_rows": plan.expired_rows,
            "deleted_rows": plan.soft_deleted_rows,
            "oldest_kept": self.oldest,
            "staying": staying,
        })
    }
}

pub(super) fn table_of(table: RetainTable) -> &'static Table {
    match table {
        RetainTable::Logs => Log::TABLE,
        RetainTable::Requests => RequestSnapshot::TABLE,
        RetainTable::Metrics => Metric::TABLE,
        RetainTable::Users => User::TABLE,
    }
}

/// What it needs of the database.
pub(super) fn needs(args: &RetainArgs) -> Vec<Required> {
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
        needs.extend(privileges::on_summaries(match args.dry_run {
            true => privileges::READ,
            false => privileges::REMOVE,
        }));
        if !args.dry_run {
            needs.push(("sealed_segments", privileges::CHANGE));
        }
    }
    needs
}

pub(super) async fn run(config: &Config, args: &RetainArgs) -> Result<(), Failure> {
    args.check()?;
    let named = args.table.map(|table| vec![table]);
    let policies: Vec<_> = named
        .unwrap_or_else(|| ALL.to_vec())
        .into_iter()
        .map(|table| (table_of(table), args.policy(table, &config.retention)))
        .filter(|(_, policy)| !policy.is_empty())
        .collect();
    if policies.is_empty() {
        return Err(Failure::usage("what is to go is not said").hint(
            "--older-than 30d, --larger-than 50GB or --deleted-older-than 7d, or [retention] in \
             lookback.toml",
        ));
    }
    let pool = database::pool(config, 1).await?;
    let mut all = Vec::new();
    let mut conn = pool.acquire().await?;
    let now = maintenance::cutoff_clock(&mut conn).await?;
    for (table, policy) in policies {
        let mut planned = Planned::of(&mut conn, table, &policy, now).await?;
        planned.look_why(&mut conn).await?;
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

/// Takes what the plan says; the plan then says what was taken.
async fn carry_out(
    conn: &mut PgConnection,
    planned: &mut Planned,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let (table, plan) = (planned.table, &mut planned.plan);
    interrupt.check("retain")?;
    let bar = output::bar(plan.rows());
    bar.set_message(table.name());
    let mut say = |at: &PruneReport| {
        bar.set_position(at.deleted_rows);
        bar.set_message(format!(
            "{}: {} records",
            table.name(),
            grouped(at.deleted_rows)
        ));
        match interrupt.is_set() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    let done = maintenance::prune(conn, table, plan, &mut say).await;
    bar.finish_and_clear();
    let done = done?;
    if interrupt.is_set() {
        output::note(&format!(
            "{}: {} of {} records are gone",
            table.name(),
            grouped(done.deleted_rows),
            grouped(plan.rows())
        ));
        return interrupt.check("retain");
    }
    for kept in &done.skipped {
        output::warning(&format!(
            "{kept} stays: it has newer records by now, or another process is at it"
        ));
    }
    plan.partitions.retain(|p| !done.skipped.contains(&p.name));
    Ok(())
}

fn show(args: &RetainArgs, all: &[Planned]) -> Result<(), Failure> {
    if args.json {
        let data: Vec<Value> = all.iter().map(Planned::as_json).collect();
        let metadata = json!({ "dry_run": args.dry_run });
        return output::json(&json!({ "data": data, "metadata": metadata }));
    }
    let rows: Vec<Vec<Cell>> = all
        .iter()
        .map(|Planned { plan, oldest, .. }| {
            vec![
                Cell::new(plan.table),
                Cell::new(grouped(plan.rows())),
                Cell::new(output::bytes(plan.bytes())),
                Cell::new(grouped(plan.partitions.len() as u64)),
                Cell::new(super::time(*oldest)),
            ]
        })
        .collect();
    let headings = ["TABLE", "RECORDS", "SIZE", "PARTITIONS", "OLDEST KEPT"];
    output::table(&headings, &rows)?;
    let records: u64 = all.iter().map(|planned| planned.plan.rows()).sum();
    output::note(&match (args.dry_run, records) {
        (true, _) => "nothing was changed: this is what would go".to_owned(),
        (false, 0) => "nothing to take".to_owned(),
        (false, 1) => "1 record is gone".to_owned(),
        (false, records) => format!("{} records are gone", grouped(records)),
    });
    for planned in all {
        for staying in &planned.staying {
            output::note(&why(planned.table, staying));
        }
        if planned
            .staying
            .iter()
            .any(|staying| staying.oldest.is_some())
        {
            output::hint(&format!(
                "what is old goes one by one as soon as some of {} is a tenth older than that",
                planned.table.name()
            ));
        }
    }
    Ok(())
}

/// Why a partition stays.
fn why(table: &Table, staying: &RetentionBlocker) -> String {
    let has = match staying.oldest {
        Some(oldest) => format!("has records from {} on", super::time(Some(oldest))),
        None => "is what the table is too large with".to_owned(),
    };
    let (name, table) = (&staying.partition, table.name());
    let and_old = match staying.oldest {
        Some(_) => " and all of its records are too old",
        None => "",
    };
    match staying.reason {
        BlockerReason::TakesInserts { to: Some(to), .. } => format!(
            "{table}: {name} {has}, and stays while it takes inserts: it goes as a whole, once id \
             {} is in use{and_old}",
            grouped(to.unsigned_abs())
        ),
        BlockerReason::TakesInserts { .. } => {
            format!(
                "{table}: {name} {has}, and stays, as it takes all inserts from its first id on"
            )
        }
        BlockerReason::DefaultPartition => format!(
            "{table}: {name} {has}, and stays as the default partition: lookback storage seal \
             makes partitions, one of it too, which goes as a whole once ids are beyond its end"
        ),
        _ => format!(
            "{table}: {name} {has}, and stays while it has newer ones: it goes as a whole, once \
             all of them are too old"
        ),
    }
}

//! `lookback storage`: partitions, sealing, retention.

use chrono::{DateTime, SecondsFormat, Utc};
use lookback::table::Table;
use lookback::{Log, Model as _, RequestSnapshot};

use crate::args::{Kind, StorageCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::output;
use crate::privileges::{self, Required};

mod compact;
mod distribute;
mod interrupt;
mod prune;
mod reembed;
mod seal;
mod status;

pub(super) use prune::table_of;
pub(crate) use seal::SealingBar;

pub(crate) async fn run(config: &Config, command: StorageCommand) -> Result<(), Failure> {
    let needs = needs(&command);
    match execute(config, command).await {
        Err(failure) => Err(privileges::explain(config, failure, &needs).await),
        done => done,
    }
}

/// Returns the privileges that a command requires.
fn needs(command: &StorageCommand) -> Vec<Required> {
    let on_tables =
        |kind: &Option<Kind>, rights| tables(*kind).into_iter().map(move |t| (t.name(), rights));
    match command {
        StorageCommand::Status { .. } => {
            let tables = prune::ALL.into_iter().map(prune::table_of);
            let tables = tables.map(|table| (table.name(), privileges::READ));
            tables
                .chain(privileges::on_summaries(privileges::READ))
                .collect()
        }
        StorageCommand::Seal { kind, .. } => on_tables(kind, privileges::OWN)
            .chain(privileges::on_summaries(privileges::ALL))
            .collect(),
        StorageCommand::Compact { kind } => on_tables(kind, privileges::READ)
            .chain(privileges::on_summaries(privileges::ALL))
            .collect(),
        StorageCommand::Prune(args) => prune::needs(args),
        StorageCommand::Distribute { .. } | StorageCommand::Undistribute { .. } => {
            on_tables(&None, privileges::OWN)
                .chain(privileges::on_summaries(privileges::ALL))
                .collect()
        }
        StorageCommand::Reembed => prune::ALL
            .into_iter()
            .map(|table| prune::table_of(table).name())
            .map(|table| (table, privileges::CHANGE))
            .chain([("settings", privileges::ADD)])
            .chain(on_tables(&None, privileges::OWN))
            .chain(privileges::on_summaries(privileges::ALL))
            .collect(),
    }
}

async fn execute(config: &Config, command: StorageCommand) -> Result<(), Failure> {
    match command {
        StorageCommand::Status { json } => status::run(config, json).await,
        StorageCommand::Seal { kind, watch: false } => seal::run(config, kind).await,
        StorageCommand::Seal { kind, watch: true } => seal::watch(config, kind).await,
        StorageCommand::Compact { kind } => compact::run(config, kind).await,
        StorageCommand::Prune(args) => prune::run(config, &args).await,
        StorageCommand::Reembed => reembed::run(config).await,
        StorageCommand::Distribute { shards, dry_run } => {
            distribute::distribute(config, shards, dry_run).await
        }
        StorageCommand::Undistribute { dry_run } => distribute::undistribute(config, dry_run).await,
    }
}

/// Returns the given table, or all sealed tables.
fn tables(kind: Option<Kind>) -> Vec<&'static Table> {
    match kind {
        Some(Kind::Logs) => vec![Log::TABLE],
        Some(Kind::Requests) => vec![RequestSnapshot::TABLE],
        None => vec![Log::TABLE, RequestSnapshot::TABLE],
    }
}

/// Formats a time for a cell.
fn time(time: Option<DateTime<Utc>>) -> String {
    let Some(time) = time else {
        return "-".to_owned();
    };
    if [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC].contains(&time) {
        return output::time(time);
    }
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

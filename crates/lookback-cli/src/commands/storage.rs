//! `lookback storage`: partitions, sealing, retention.

use chrono::{DateTime, SecondsFormat, Utc};
use lookback::{Import, Log, Model as _, RequestSnapshot, Setting, Table};

use crate::args::{Kind, StorageCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::rights::{self, Need};

mod compact;
mod interrupt;
mod reembed;
mod retain;
mod seal;
mod status;

pub(crate) async fn run(config: &Config, command: StorageCommand) -> Result<(), Failure> {
    let needs = needs(&command);
    match carry_out(config, command).await {
        Err(failure) => Err(rights::explained(config, failure, &needs).await),
        done => done,
    }
}

/// What a command needs of the database.
fn needs(command: &StorageCommand) -> Vec<Need> {
    let of = |kind: &Option<Kind>, rights| tables(*kind).into_iter().map(move |t| (t.name, rights));
    match command {
        StorageCommand::Status { .. } => {
            let tables = retain::ALL.into_iter().map(retain::table_of);
            let tables = tables.map(|table| (table.name, rights::READ));
            tables.chain(rights::on_summaries(rights::READ)).collect()
        }
        StorageCommand::Seal { kind, .. } => of(kind, rights::OWN)
            .chain(rights::on_summaries(rights::ALL))
            .collect(),
        StorageCommand::Compact { kind } => of(kind, rights::READ)
            .chain(rights::on_summaries(rights::ALL))
            .collect(),
        StorageCommand::Retain(args) => retain::needs(args),
        StorageCommand::Reembed => retain::ALL
            .into_iter()
            .map(|table| retain::table_of(table).name)
            .chain([Import::TABLE.name])
            .map(|table| (table, rights::CHANGE))
            .chain([(Setting::TABLE.name, rights::ADD)])
            .chain(of(&None, rights::OWN))
            .chain(rights::on_summaries(rights::ALL))
            .collect(),
    }
}

async fn carry_out(config: &Config, command: StorageCommand) -> Result<(), Failure> {
    match command {
        StorageCommand::Status { json } => status::run(config, json).await,
        StorageCommand::Seal { kind, watch: false } => seal::run(config, kind).await,
        StorageCommand::Seal { kind, watch: true } => seal::watch(config, kind).await,
        StorageCommand::Compact { kind } => compact::run(config, kind).await,
        StorageCommand::Retain(args) => retain::run(config, &args).await,
        StorageCommand::Reembed => reembed::run(config).await,
    }
}

/// The tables that are sealed, or the one that is named.
fn tables(kind: Option<Kind>) -> Vec<&'static Table> {
    match kind {
        Some(Kind::Logs) => vec![Log::TABLE],
        Some(Kind::Requests) => vec![RequestSnapshot::TABLE],
        None => vec![Log::TABLE, RequestSnapshot::TABLE],
    }
}

/// A time in a cell of a table.
fn time(time: Option<DateTime<Utc>>) -> String {
    time.map_or("-".to_owned(), |time| {
        time.to_rfc3339_opts(SecondsFormat::Secs, true)
    })
}

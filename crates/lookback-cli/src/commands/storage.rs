//! `lookback storage`: partitions, sealing, retention.

use chrono::{DateTime, SecondsFormat, Utc};
use lookback::{Log, Model as _, RequestSnapshot, Table};

use crate::args::{Kind, StorageCommand};
use crate::config::Config;
use crate::failure::Failure;

mod compact;
mod interrupt;
mod reembed;
mod retain;
mod seal;
mod status;

pub(crate) async fn run(config: &Config, command: StorageCommand) -> Result<(), Failure> {
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

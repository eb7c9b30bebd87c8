//! `storage compact`

use std::time::Duration;

use lookback::maintenance::{self, PartitionState};

use super::interrupt::Interrupt;
use super::tables;
use crate::args::Kind;
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, counted, grouped};

pub(super) async fn run(config: &Config, kind: Option<Kind>) -> Result<(), Failure> {
    let mut conn = database::connect(config).await?;
    let interrupt = Interrupt::listen();
    for table in tables(kind) {
        let status = maintenance::status(&mut conn, table).await?;
        let full: Vec<_> = status
            .partitions
            .iter()
            .filter(|(_, state)| matches!(state, PartitionState::Sealed | PartitionState::Frozen))
            .collect();
        let bar = output::bar(full.len() as u64);
        let (mut before, mut after) = (0, 0);
        for (partition, _) in &full {
            bar.set_message(partition.name.clone());
            while !interrupt.is_set() {
                if let Some((was, is)) = maintenance::compact(&mut conn, table, partition).await? {
                    before += was;
                    after += is;
                    break;
                }
                // Another process seals, which takes less than a second per segment.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        interrupt.check("compact")?;
        output::note(&match full.len() {
            0 => format!("{}: no partition is full yet", table.name()),
            partitions => format!(
                "{}: {}, {} merged into {}",
                table.name(),
                counted(partitions as u64, "partition"),
                counted(before, "posting"),
                grouped(after)
            ),
        });
    }
    maintenance::vacuum_summaries(&mut conn).await?;
    Ok(())
}

//! `storage distribute`, `storage undistribute`

use lookback::maintenance::{self, Cluster};
use lookback::table::Table;
use sqlx::PgConnection;

use super::tables;
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, counted};

/// Shards for each server, so that one more server takes its part of them.
const SHARDS_PER_SERVER: u32 = 2;

/// The most shards of a table: each is a table, with its partitions.
const MAX_SHARDS: u32 = 1_024;

pub(super) async fn distribute(
    config: &Config,
    shards: Option<u32>,
    dry_run: bool,
) -> Result<(), Failure> {
    let mut conn = database::connect(config).await?;
    let cluster = cluster(&mut conn).await?;
    let workers = u32::try_from(cluster.workers.len()).unwrap_or(MAX_SHARDS);
    let shards = shards.unwrap_or(workers.saturating_mul(SHARDS_PER_SERVER));
    if !(1..=MAX_SHARDS).contains(&shards) {
        return Err(Failure::usage(format!(
            "--shards: must be from 1 to {MAX_SHARDS}, got {shards}"
        )));
    }
    output::note(&format!(
        "Citus {} with {}: {}",
        cluster.version,
        counted(u64::from(workers), "server"),
        cluster.workers.join(", ")
    ));
    for table in tables(None) {
        let name = table.name();
        let status = maintenance::status(&mut conn, table).await?;
        if let Some(shards) = &status.shards {
            output::note(&format!(
                "{name}: is distributed, {}",
                counted(shards.count(), "shard")
            ));
            if !dry_run {
                // What an interrupted run left here.
                run(&mut conn, table, shards_of(shards.count())).await?;
            }
            continue;
        }
        let size = output::bytes(status.bytes());
        if dry_run {
            output::note(&format!(
                "{name}: {size} would be moved to {}",
                counted(u64::from(shards), "shard")
            ));
            continue;
        }
        output::note(&format!(
            "{name}: moving {size} to {}; nothing is stored meanwhile, and an interruption leaves it as it was",
            counted(u64::from(shards), "shard")
        ));
        run(&mut conn, table, shards).await?;
        output::note(&format!("{name}: is distributed by its id"));
    }
    if dry_run {
        output::note("dry run: nothing was changed");
    }
    Ok(())
}

fn shards_of(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(MAX_SHARDS)
}

async fn run(conn: &mut PgConnection, table: &'static Table, shards: u32) -> Result<(), Failure> {
    maintenance::distribute(conn, table, shards).await?;
    Ok(())
}

pub(super) async fn undistribute(config: &Config, dry_run: bool) -> Result<(), Failure> {
    let mut conn = database::connect(config).await?;
    cluster(&mut conn).await?;
    for table in tables(None) {
        let name = table.name();
        let status = maintenance::status(&mut conn, table).await?;
        if status.shards.is_none() {
            output::note(&format!("{name}: is not distributed"));
            continue;
        }
        let size = output::bytes(status.bytes());
        if dry_run {
            output::note(&format!("{name}: {size} would be moved to this server"));
            continue;
        }
        output::note(&format!(
            "{name}: moving {size} to this server; nothing is stored meanwhile, and an interruption leaves it as it was"
        ));
        maintenance::undistribute(&mut conn, table).await?;
        output::note(&format!("{name}: is a table of this server"));
    }
    if dry_run {
        output::note("dry run: nothing was changed");
    }
    Ok(())
}

/// Returns the Citus of the database, if tables can be distributed through this server.
async fn cluster(conn: &mut PgConnection) -> Result<Cluster, Failure> {
    let Some(cluster) = maintenance::cluster(conn).await? else {
        return Err(Failure::failed("the database has no Citus").hint(
            "install Citus on each server, run CREATE EXTENSION citus, and add the servers with \
             citus_add_node: docs/guide/scale.md",
        ));
    };
    if !cluster.is_coordinator {
        return Err(Failure::failed("this server is a worker of Citus")
            .hint("connect to the coordinator, through which all is stored and read"));
    }
    if cluster.workers.is_empty() {
        return Err(Failure::failed("Citus has no server for shards").hint(
            "add one with SELECT citus_add_node('host', 5432), or use this one too: \
             SELECT citus_set_node_property('host', 5432, 'shouldhaveshards', true)",
        ));
    }
    Ok(cluster)
}

//! `storage reembed`: vectors, and then all that search keeps about them.

use lookback::maintenance::sealing;
use lookback::migrate::Models;

use super::interrupt::Interrupt;
use crate::commands::db;
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output;

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    let pool = database::pool(config, 3).await?;
    let tables = super::tables(None);
    {
        let mut conn = pool.acquire().await?;
        // Before, so that no search compares with vectors that are gone: a record that is not
        // sealed is found by its own. And after, as a keeper may have sealed some of both kinds.
        for table in &tables {
            sealing::forget(&mut conn, table).await?;
        }
        db::reembed::run(&mut conn, &Models::lookback()).await?;
        for table in &tables {
            sealing::forget(&mut conn, table).await?;
        }
    }
    output::note("sealing all records anew");
    let interrupt = Interrupt::listen();
    super::seal::all(&pool, &tables, &interrupt).await
}

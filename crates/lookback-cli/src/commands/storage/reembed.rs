//! `storage reembed`: recomputes vectors, and then their search summaries.

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
        // Unsealed first, so that no search compares with old vectors: an unsealed record is found
        // by its own vector. Unsealed again afterwards, because a maintenance worker may have
        // sealed old and new vectors together.
        for table in &tables {
            sealing::unseal(&mut conn, table).await?;
        }
        db::reembed::run(&mut conn, &Models::lookback()).await?;
        for table in &tables {
            sealing::unseal(&mut conn, table).await?;
        }
    }
    output::note("sealing all records again");
    let interrupt = Interrupt::listen();
    super::seal::all(&pool, &tables, &interrupt).await
}

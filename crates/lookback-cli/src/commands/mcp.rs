//! `lookback mcp`

use lookback::{Log, Metric, Model as _, RequestSnapshot};
use lookback_server::{Server, Settings, mcp};
use sqlx::PgPool;

use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output;
use crate::privileges;

/// Connections to the database: for questions that are asked at the same time.
const CONNECTIONS: u32 = 4;

/// Answers an agent until its input ends. Standard output is for the protocol alone.
pub(crate) async fn run(config: &Config) -> Result<(), Failure> {
    let pool = database::pool(config, CONNECTIONS).await?;
    // The person who adds the server to an agent can apply migrations, and the agent cannot.
    if let Err(error) = read_one_of_each(&pool).await {
        let tables = [Log::TABLE, RequestSnapshot::TABLE, Metric::TABLE];
        let needs = tables.map(|table| (table.name(), privileges::READ));
        return Err(privileges::explain(config, error.into(), &needs).await);
    }
    let mut settings = Settings::default();
    settings.read_timeout = config.timeout();
    let server = Server::new(pool.clone(), settings);
    output::detail("waiting for an agent on standard input");
    let served = mcp::serve_stdio(&server).await;
    pool.close().await;
    served.map_err(|error| {
        Failure::failed(format!("the agent cannot be answered: {error}"))
            .hint("this command is for agents, which start it: see docs/agents.md")
    })
}

/// Reads a record of each table that the tools read.
async fn read_one_of_each(pool: &PgPool) -> Result<(), lookback::Error> {
    Log::records().exists(pool).await?;
    RequestSnapshot::records().exists(pool).await?;
    Metric::records().exists(pool).await?;
    Ok(())
}

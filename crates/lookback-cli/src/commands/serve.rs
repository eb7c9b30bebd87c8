//! `lookback serve`

use std::time::Duration;

use lookback::maintenance::{MaintenanceOptions, MaintenanceWorker, RetentionPolicy};
use lookback::{ApiKey, Model as _};
use lookback_server::{Server, Settings};
use tokio::net::TcpListener;

use super::records;
use crate::Application;
use crate::args::{DbCommand, FilesArgs, ServeArgs, StorageTable, WaitArgs};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output;
use crate::privileges;

/// Connections to the database: for requests, and two for maintenance.
const CONNECTIONS: u32 = 16;
/// How often old keys of batches are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60 * 60);

pub(crate) async fn run(config: &Config, args: ServeArgs) -> Result<(), Failure> {
    if args.open && !args.listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "--open: {} can be reached from other machines",
            args.listen
        ))
        .hint("leave out --open and make a key (lookback keys create), or listen on 127.0.0.1"));
    }
    if args.migrate {
        let migrate = DbCommand::Migrate {
            dry_run: false,
            wait: WaitArgs { lock_timeout: 60 },
            files: FilesArgs {
                dir: None,
                table: None,
            },
        };
        super::db::run(config, &Application::lookback(), migrate).await?;
    }
    let pool = database::pool(config, CONNECTIONS).await?;
    let keys = ApiKey::records().count(&pool).await;
    let keys = match keys {
        Ok(keys) => keys.value(),
        Err(error) => {
            let needs = [(ApiKey::TABLE.name(), privileges::READ)];
            return Err(privileges::explain(config, error.into(), &needs).await);
        }
    };
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        Failure::failed(format!("cannot listen on {}: {error}", args.listen))
            .hint("another program may use the port: choose one by --listen 127.0.0.1:4001")
    })?;
    let address = listener.local_addr()?;

    let mut settings = Settings::default();
    settings.is_open = args.open;
    settings.source = args.source;
    settings.read_timeout = config.timeout();
    let server = Server::new(pool.clone(), settings);
    let worker = MaintenanceWorker::spawn(pool.clone(), maintenance(config))?;
    let forgetting = tokio::spawn(forget(server.clone()));

    output::note(&format!("listening on http://{address}"));
    if keys == 0 && !args.open {
        output::note(
            "there is no API key yet; make one in another terminal: \
             lookback keys create NAME --scope ingest",
        );
    }
    let signal = async {
        records::interrupted().await;
        output::note("stopping: no more requests are taken");
    };
    let served = server.serve(listener, signal).await;
    forgetting.abort();
    worker.stop().await;
    pool.close().await;
    served.map_err(|error| Failure::failed(error.to_string()))?;
    output::note("stopped");
    Ok(())
}

/// The maintenance of the tables, with the retention of the configuration.
fn maintenance(config: &Config) -> MaintenanceOptions {
    let mut options = MaintenanceOptions::default();
    for table in [
        StorageTable::Logs,
        StorageTable::Requests,
        StorageTable::Metrics,
        StorageTable::Users,
    ] {
        let policy = config.retention.of(table);
        if policy != RetentionPolicy::default() {
            let table = super::storage::table_of(table);
            options.retention.push((table, policy));
        }
    }
    options
}

/// Forgets old keys of batches, now and then.
async fn forget(server: Server) {
    loop {
        // The next time is soon enough.
        let _forgotten = server.forget_old_batches().await;
        tokio::time::sleep(FORGET_EVERY).await;
    }
}

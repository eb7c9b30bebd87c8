//! `lookback serve`

use std::time::Duration;

use lookback::maintenance::{
    MaintenanceObserver, MaintenanceOptions, MaintenanceWorker, RetentionPolicy,
};
use lookback::{ApiKey, Model as _};
use lookback_server::Server;

use super::records;
use crate::Application;
use crate::args::{DbCommand, FilesArgs, ServeArgs, StorageTable, WaitArgs};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::privileges;
use crate::server_config::ServerOptions;
use certificate::CertificateFiles;

mod addresses;
mod certificate;
mod first_admin;
mod log;
mod security;
mod syslog;

/// How often old keys of batches are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60 * 60);

pub(crate) async fn run(config: &Config, args: ServeArgs) -> Result<(), Failure> {
    let server_config = config.server.clone().with_flags(args.settings.given());
    let ServerOptions {
        listen,
        connections,
        log_format,
        log_level,
        has_alerts,
        mut settings,
    } = server_config.options()?;
    addresses::check(listen, &args)?;
    syslog::check(&args)?;
    security::apply(&args, &mut settings)?;
    let certificate = args.tls_cert.as_deref().zip(args.tls_key.as_deref());
    let certificate = certificate.map(|(certificate, key)| CertificateFiles::new(certificate, key));
    settings.tls = certificate
        .as_ref()
        .map(CertificateFiles::tls)
        .transpose()?;
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
    log::start(log_format, log_level);
    let say = move |message: &str| log::say(log_format, message);
    let pool = database::server_pool(config, connections).await?;
    let keys = ApiKey::records().count(&pool).await;
    let keys = match keys {
        Ok(keys) => keys.value(),
        Err(error) => {
            let needs = [(ApiKey::TABLE.name(), privileges::READ)];
            return Err(privileges::explain(config, error.into(), &needs).await);
        }
    };
    let listening = addresses::listen(listen, &args).await?;
    let sockets = syslog::listen(&args).await?;

    if !args.open {
        first_admin::make(&pool).await?;
    }
    settings.read_timeout = config.timeout();
    let tls = settings.tls.clone();
    let maintenance = maintenance(config);
    settings.retention.clone_from(&maintenance.retention);
    let server = Server::new(pool.clone(), settings);
    let worker = MaintenanceWorker::spawn(pool.clone(), maintenance)?;
    server.observe_maintenance(worker.observer());
    let reporting = tokio::spawn(report_failures(worker.observer()));
    let alerts = has_alerts.then(|| server.spawn_alerts());
    let forgetting = tokio::spawn(forget(server.clone()));

    let scheme = if tls.is_some() { "https" } else { "http" };
    let following = certificate
        .zip(tls)
        .map(|(files, tls)| tokio::spawn(files.follow(tls, say)));
    // Before anybody knows that it is there, and may end it.
    let interrupted = records::interrupted();
    listening.report(scheme, say);
    let syslog = sockets.map(|sockets| sockets.start(&server));
    if keys == 0 && !args.open {
        say("there is no API key yet; make one in another terminal: \
             lookback keys create NAME --scope ingest");
    }
    if lookback_server::has_page() {
        say(&format!("the page: {}/", listening.url(scheme)));
    }
    let signal = async move {
        interrupted.await;
        say("stopping: no more requests are taken");
    };
    let served = server.serve_all(listening.listeners(), signal).await;
    forgetting.abort();
    if let Some(following) = following {
        following.abort();
    }
    reporting.abort();
    if let Some(syslog) = syslog {
        syslog.stop().await;
    }
    if let Some(alerts) = alerts {
        alerts.stop().await;
    }
    worker.stop().await;
    pool.close().await;
    served.map_err(|error| Failure::failed(error.to_string()))?;
    say("stopped");
    Ok(())
}

/// Logs why maintenance fails, once for each reason.
async fn report_failures(observer: MaintenanceObserver) {
    const EVERY: Duration = Duration::from_secs(5);
    let mut reported = None;
    loop {
        let error = observer.stats().last_error;
        if let Some(error) = &error
            && reported.as_ref() != Some(error)
        {
            tracing::warn!("maintenance: {error}");
        }
        reported = error;
        tokio::time::sleep(EVERY).await;
    }
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

/// Forgets old keys of batches and old sessions, now and then.
async fn forget(server: Server) {
    loop {
        // The next time is soon enough.
        let _forgotten = server.forget_old_batches().await;
        let _forgotten = server.forget_old_sessions().await;
        tokio::time::sleep(FORGET_EVERY).await;
    }
}

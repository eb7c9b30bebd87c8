//! `lookback pg`

use lookback_embedded::{Event, StopOutcome};

use crate::args::PgCommand;
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output;

mod status;

pub(crate) async fn run(config: &Config, command: PgCommand) -> Result<(), Failure> {
    if let Some(url) = &config.database_url.value
        && !matches!(command, PgCommand::Logs { .. })
    {
        output::warning(&format!(
            "the other commands use {} (from {}), not the private PostgreSQL",
            database::without_password(url),
            config.database_url.origin
        ));
    }
    let (_, server) = database::private_server(config)?;
    match command {
        PgCommand::Start => {
            let running = database::start_private(config).await?;
            let how = if running.was_started() {
                "started"
            } else {
                "running already"
            };
            output::note(&format!("PostgreSQL {how} on port {}", running.port()));
            status::tell_waiting(&server.waiting_settings()?);
        }
        PgCommand::Stop => {
            let say = |event: &Event| output::note(&event.to_string());
            match server.stop(&say)? {
                StopOutcome::NotRunning => output::note("PostgreSQL was not running"),
                _ => output::note("PostgreSQL stopped"),
            }
        }
        PgCommand::Status { json } => {
            status::run(config, &server, json).await?;
        }
        PgCommand::Url => output::line(&database::running_private(config)?.url())?,
        // It has texts of clients.
        PgCommand::Logs { lines } => {
            output::line(&output::printable_lines(server.log_tail(lines)?.trim_end()))?;
        }
    }
    Ok(())
}

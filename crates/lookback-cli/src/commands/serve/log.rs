//! The log of the server on standard error.

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::output;
use crate::server_config::LogFormat;

/// The target of what the program says of itself, at any level.
const LIFECYCLE: &str = "lookback_cli::lifecycle";

/// Starts the log. It has the events of Lookback's own crates: those of others, such as the
/// driver of the database, may have SQL.
pub(super) fn start(format: LogFormat, level: Level) {
    let targets = Targets::new()
        .with_target("lookback", level)
        .with_target("lookback_cli", level)
        .with_target("lookback_server", level)
        .with_target(LIFECYCLE, LevelFilter::INFO);
    let registry = tracing_subscriber::registry().with(targets);
    let layer = fmt::layer().with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => registry.with(layer.with_ansi(false)).try_init(),
        LogFormat::Json => registry
            .with(layer.json().flatten_event(true).with_current_span(false))
            .try_init(),
    };
    // In a test of the library, another one may have started it.
    drop(started);
}

/// Says what the server does, for people or as a line of the log.
pub(super) fn say(format: LogFormat, message: &str) {
    match format {
        LogFormat::Text => output::note(message),
        LogFormat::Json => tracing::info!(target: LIFECYCLE, "{message}"),
    }
}

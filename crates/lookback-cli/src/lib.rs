//! The command line of Lookback, as a library: the binary `lookback` is one
//! call of [`main`].
//!
//! Data goes to standard output and talk to standard error. The exit code is 0
//! for done, 1 for failed, 2 for a call that is wrong.

use std::process::ExitCode;

use clap::Parser as _;

mod args;
mod commands;
mod config;
mod database;
mod failure;
mod import;
mod output;

use args::{Cli, Command};
use config::Config;
use failure::Failure;

/// Runs the command of this process's arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            // Nowhere left to say that this could not be printed.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let config = Config::load(&cli.options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Pg { command } => commands::pg::run(&config, command).await,
            Command::Db { command } => commands::db::run(&config, command).await,
            Command::Import(args) => import::run(&config, args).await,
            Command::Logs { command } => {
                commands::records::run::<lookback::Log>(&config, command).await
            }
            Command::Requests { command } => {
                commands::records::run::<lookback::RequestSnapshot>(&config, command).await
            }
            Command::Metrics { command } => {
                commands::records::run::<lookback::Metric>(&config, command).await
            }
            Command::Users { command } => commands::users::run(&config, command).await,
            Command::Config { json } => commands::config::run(&config, json),
        }
    })
}

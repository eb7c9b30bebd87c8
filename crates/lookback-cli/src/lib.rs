//! The command line of Lookback, as a library: the binary `lookback` is one
//! call of [`main`].
//!
//! Data goes to standard output and talk to standard error. The exit code is 0
//! for done, 1 for failed, 2 for a call that is wrong.

use std::process::ExitCode;

use std::path::Path;

use clap::{Command as CommandLine, Parser};
use lookback::migrate::{Migrations, Models};

mod args;
mod commands;
mod config;
mod database;
mod failure;
mod import;
mod output;
mod remedy;
mod retention;
mod rights;

use args::{Cli, Command};
use commands::db::Application;
use config::Config;
use failure::Failure;

/// Runs the command of this process's arguments.
pub fn main() -> ExitCode {
    with_arguments(|command| command, run)
}

/// The commands of `lookback db` for the models of another application, whose
/// migrations are in the folder `migrations` of the working directory: all of
/// its binary `db`.
///
/// ```no_run
/// use std::process::ExitCode;
/// use lookback::migrate::Models;
///
/// fn main() -> ExitCode {
///     // Models::new().model::<Order>().model::<Customer>()
///     lookback_cli::db(Models::new())
/// }
/// ```
pub fn db(models: Models) -> ExitCode {
    let application = Application {
        models,
        migrations: || Migrations::folder(Path::new("migrations")),
    };
    with_arguments(args::DbCli::with_folder, |cli: args::DbCli| {
        let config = Config::load(&cli.options)?;
        runtime()?.block_on(commands::db::run(&config, &application, cli.command))
    })
}

fn with_arguments<C: Parser>(
    described: impl FnOnce(CommandLine) -> CommandLine,
    run: impl FnOnce(C) -> Result<(), Failure>,
) -> ExitCode {
    let parsed = described(C::command())
        .try_get_matches()
        .and_then(|matches| C::from_arg_matches(&matches));
    let cli = match parsed {
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

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

fn run(cli: Cli) -> Result<(), Failure> {
    let config = Config::load(&cli.options)?;
    runtime()?.block_on(async {
        match cli.command {
            Command::Pg { command } => commands::pg::run(&config, command).await,
            Command::Db { command } => {
                commands::db::run(&config, &Application::lookback(), command).await
            }
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
            Command::Storage { command } => commands::storage::run(&config, command).await,
            Command::Users { command } => commands::users::run(&config, command).await,
            Command::Config { json } => commands::config::run(&config, json),
        }
    })
}

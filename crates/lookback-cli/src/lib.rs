//! The command line of Lookback as a library: the binary `lookback` only calls [`main`].
//!
//! Data goes to standard output, messages to standard error. The exit code is 0
//! for success, 1 for a failure, 2 for wrong usage.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Command as CommandLine, Parser};
use lookback::migrate::{Migrations, Models};

mod args;
mod commands;
mod config;
mod database;
mod failure;
mod import;
mod output;
mod privileges;
mod retention;
mod server_config;
mod server_settings;

use args::{Cli, Command, Options};
use commands::db::Application;
use config::Config;
use failure::Failure;

/// Runs the command given by the arguments of this process.
pub fn main() -> ExitCode {
    with_arguments(|command| command, run)
}

/// Runs the commands of `lookback db` for the models of another application.
///
/// Its migrations are in the folder `migrations` of the working directory. A binary `db` needs
/// nothing but this call.
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
        is_lookback: false,
    };
    with_arguments(args::DbCli::with_folder, |cli: args::DbCli| {
        let verbosity = cli.command.verbosity(cli.options.verbosity()?);
        output::set_verbosity(verbosity);
        output::set_wide(cli.options.wide);
        let config = configured(&cli.options)?;
        runtime()?.block_on(commands::db::run(&config, &application, cli.command))
    })
}

fn with_arguments<C: Parser>(
    customize: impl FnOnce(CommandLine) -> CommandLine,
    run: impl FnOnce(C) -> Result<(), Failure>,
) -> ExitCode {
    let parsed = args::with_help_hint(customize(C::command()))
        .try_get_matches()
        .and_then(|matches| C::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            let printed = output::unless_closed(print_usage(&error));
            return match printed {
                // The help was asked for, and cannot be printed.
                Err(failure) if !error.use_stderr() => {
                    Failure::from(output::stdout_error(failure)).report()
                }
                _ => ExitCode::from(code),
            };
        }
    };
    let begun = Instant::now();
    let code = match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    };
    output::detail(&format!("ended in {} ms", begun.elapsed().as_millis()));
    code
}

/// Prints what is wrong with the arguments, which may have characters that control a terminal.
fn print_usage(error: &clap::Error) -> std::io::Result<()> {
    let is_unsafe =
        |argument: std::ffi::OsString| output::is_unsafe_text(&argument.to_string_lossy());
    if !std::env::args_os().any(is_unsafe) {
        return error.print();
    }
    let text = output::printable_lines(&error.render().to_string());
    if error.use_stderr() {
        std::io::stderr().write_all(text.as_bytes())
    } else {
        std::io::stdout().write_all(text.as_bytes())
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

/// Loads the configuration, and prints it as details.
fn configured(options: &Options) -> Result<Config, Failure> {
    let config = Config::load(options)?;
    commands::config::tell(&config);
    Ok(config)
}

fn run(cli: Cli) -> Result<(), Failure> {
    let mut verbosity = cli.options.verbosity()?;
    if let Command::Db { command } = &cli.command {
        verbosity = command.verbosity(verbosity);
    }
    output::set_verbosity(verbosity);
    output::set_wide(cli.options.wide);
    // Commands about the program itself run with any configuration, so they do not load it.
    let config = || configured(&cli.options);
    runtime()?.block_on(async {
        match cli.command {
            Command::Pg { command } => commands::pg::run(&config()?, command).await,
            Command::Db { command } => {
                commands::db::run(&config()?, &Application::lookback(), command).await
            }
            Command::Import(args) => import::run(&config()?, args).await,
            Command::Logs { command } => {
                commands::records::run::<lookback::Log>(&config()?, command).await
            }
            Command::Requests { command } => {
                commands::records::run::<lookback::RequestSnapshot>(&config()?, command).await
            }
            Command::Metrics { command } => commands::metrics::run(&config()?, command).await,
            Command::Replay(args) => commands::replay::run(&config()?, *args).await,
            Command::Serve(args) => commands::serve::run(&config()?, *args).await,
            Command::Mcp => commands::mcp::run(&config()?).await,
            Command::Keys { command } => commands::keys::run(&config()?, command).await,
            Command::Alerts { command } => commands::alerts::run(&config()?, command).await,
            Command::Storage { command } => commands::storage::run(&config()?, command).await,
            Command::Users { command } => commands::users::run(&config()?, command).await,
            Command::Doctor { json } => commands::doctor::run(&config()?, json).await,
            Command::Config { json } => commands::config::run(&config()?, json),
            Command::Completions { shell } => commands::completions::run(shell),
            Command::Man { dir } => commands::man::run(dir.as_deref()),
        }
    })
}

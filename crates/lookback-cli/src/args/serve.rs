//! `serve` and `keys`

use std::net::SocketAddr;

use clap::{Args, Subcommand, ValueEnum};

use crate::retention::Age;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4000")]
    pub(crate) listen: SocketAddr,

    /// Apply pending migrations first
    #[arg(long)]
    pub(crate) migrate: bool,

    /// Ask for no key: all who reach the server may do anything. Only on 127.0.0.1 or ::1
    #[arg(long)]
    pub(crate) open: bool,

    /// The source of log lines that name none
    #[arg(long, value_name = "NAME", default_value = "app")]
    pub(crate) source: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make an API key for `lookback serve`, and print it: it is shown this once
    Create {
        /// What it is for, such as "shop, production"
        name: String,

        /// What it may do
        #[arg(long, value_enum)]
        scope: ScopeArg,

        /// How long it is valid: 90d, 12h [default: without end]
        #[arg(long, value_name = "TIME")]
        expires: Option<Age>,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// List API keys, without their secrets
    List {
        /// List revoked ones, too
        #[arg(long)]
        revoked: bool,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Revoke an API key: from now on it is refused
    Revoke {
        /// Id of the key
        id: i64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScopeArg {
    /// Store records, and nothing else
    Ingest,
    /// Read records
    Read,
    /// Everything
    Admin,
}

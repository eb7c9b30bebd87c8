//! `serve` and `keys`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::FixedOffset;
use clap::{Args, Subcommand, ValueEnum};
use lookback_server::Origin;
use lookback_server::syslog::Network;

use super::import::offset;
use crate::retention::Age;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Another address, for exporters of OpenTelemetry over gRPC, or `off`
    /// [default: port 4317 beside --listen, if it is free]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) otlp_grpc: Option<OtherAddress>,

    /// Another address, for exporters of OpenTelemetry over HTTP, or `off`
    /// [default: port 4318 beside --listen, if it is free]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) otlp_http: Option<OtherAddress>,

    /// Take in syslog datagrams at this address, such as 127.0.0.1:5514
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) syslog_udp: Option<SocketAddr>,

    /// Take in syslog over TCP at this address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) syslog_tcp: Option<SocketAddr>,

    /// Take syslog of this network, too, such as 10.0.0.0/8: it has no keys
    #[arg(long, value_name = "NETWORK")]
    pub(crate) syslog_allow: Vec<Network>,

    /// Offset of times of syslog without a zone, such as +02:00 [default: UTC]
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true, value_parser = offset)]
    pub(crate) syslog_timezone: Option<FixedOffset>,

    /// Apply pending migrations first
    #[arg(long)]
    pub(crate) migrate: bool,

    /// Ask for no key: all who reach the server may do anything. Only on 127.0.0.1 or ::1
    #[arg(long)]
    pub(crate) open: bool,

    /// Speak TLS with this certificate and those that signed it, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The private key of the certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Believe the forwarding headers of this proxy, or range of proxies; once for each
    #[arg(long, value_name = "CIDR")]
    pub(crate) trusted_proxy: Vec<String>,

    /// Let pages of this origin use the API with a key; once for each
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) cors_origin: Vec<Origin>,

    #[command(flatten)]
    pub(crate) settings: ServerFlags,
}

/// Each of them is also a variable, `LOOKBACK_SERVER_` and its name in upper case with `_`, and in
/// `lookback.toml` under `[server]`.
#[derive(Debug, Args)]
pub(crate) struct ServerFlags {
    /// Address and port to listen on [default: 127.0.0.1:4000]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// The source of log lines that name none [default: app]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,

    /// Servers that administrators may send captured requests to again, over HTTP, with commas
    /// between them [default: none]
    #[arg(long, value_name = "URLS")]
    replay_targets: Option<String>,

    /// The most connections to the database [default: 16]
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    connections: Option<String>,

    /// The most bytes of a body, as it is sent [default: 32MiB]
    #[arg(long, value_name = "SIZE", hide_short_help = true)]
    body_bytes: Option<String>,

    /// The most bytes of a body when it is not compressed [default: 64MiB]
    #[arg(long, value_name = "SIZE", hide_short_help = true)]
    decompressed_bytes: Option<String>,

    /// The most bytes of all bodies that are being stored or read [default: 256MiB]
    #[arg(long, value_name = "SIZE", hide_short_help = true)]
    all_body_bytes: Option<String>,

    /// The bytes of records after which a page of them ends [default: 16MiB]
    #[arg(long, value_name = "SIZE", hide_short_help = true)]
    page_bytes: Option<String>,

    /// The most bodies that are being stored, or wait for it [default: 256]
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    ingests: Option<String>,

    /// The longest time to receive a body [default: 30s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    body_timeout: Option<String>,

    /// The longest time that a request waits for a connection to the database [default: 5s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    connection_timeout: Option<String>,

    /// The most exports that run at a time [default: 4]
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    exports: Option<String>,

    /// The longest time of a response to a request that is sent again [default: 30s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    replay_timeout: Option<String>,

    /// The longest time until a request is answered [default: 2m]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    request_timeout: Option<String>,

    /// How long requests that are under way may take at the end [default: 30s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    shutdown_timeout: Option<String>,

    /// Who may read /metrics: readers, everybody or nobody [default: readers]
    #[arg(long, value_name = "WHO", hide_short_help = true)]
    metrics_access: Option<String>,

    /// The format of the log on standard error: text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,

    /// What is logged: error, warn, info (each request) or debug [default: warn]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,

    /// The most readers that follow tables [default: 256]
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    tail_readers: Option<String>,

    /// The pause between two polls of a table that has readers [default: 200ms]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    tail_poll_interval: Option<String>,

    /// The time after which a reader gets a sign of life [default: 15s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    tail_heartbeat: Option<String>,

    /// How long a reader may take nothing before it is dropped [default: 30s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    tail_patience: Option<String>,

    /// How often it is checked whether a reader still may read [default: 10s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    tail_access_interval: Option<String>,

    /// The most connections of clients, at each address [default: 512]
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    client_connections: Option<String>,

    /// The most connections from one address [default: 256]
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    connections_per_address: Option<String>,

    /// The most bytes of the head of a request [default: 64KiB]
    #[arg(long, value_name = "SIZE", hide_short_help = true)]
    head_bytes: Option<String>,

    /// The longest time to receive the head of a request [default: 15s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    head_timeout: Option<String>,

    /// How long a connection may wait for its next request [default: 75s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    idle_timeout: Option<String>,

    /// How long a client may take nothing of an answer [default: 30s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    write_timeout: Option<String>,

    /// The most requests of an address, and of a key or user, each second; 0 for no limit [default: 1000]
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    requests_per_second: Option<String>,

    /// The most attempts to log in from one address each minute; 0 for no limit [default: 30]
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    logins_per_minute: Option<String>,

    /// How long a session lasts that is not used [default: 12h]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    session_idle: Option<String>,

    /// How long a session lasts at most [default: 168h]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    session_lifetime: Option<String>,

    /// Whether it evaluates the alert rules: on or off [default: on]
    #[arg(long, value_name = "WHETHER", hide_short_help = true)]
    alerts: Option<String>,

    /// The time between two evaluations of an alert rule [default: 15s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    alert_interval: Option<String>,
}

impl ServerFlags {
    /// The options by their names in `[server]`.
    pub(crate) fn given(&self) -> [(&'static str, &Option<String>); 35] {
        [
            ("listen", &self.listen),
            ("source", &self.source),
            ("replay_targets", &self.replay_targets),
            ("exports", &self.exports),
            ("replay_timeout", &self.replay_timeout),
            ("connections", &self.connections),
            ("body_bytes", &self.body_bytes),
            ("decompressed_bytes", &self.decompressed_bytes),
            ("all_body_bytes", &self.all_body_bytes),
            ("page_bytes", &self.page_bytes),
            ("ingests", &self.ingests),
            ("body_timeout", &self.body_timeout),
            ("connection_timeout", &self.connection_timeout),
            ("request_timeout", &self.request_timeout),
            ("shutdown_timeout", &self.shutdown_timeout),
            ("metrics_access", &self.metrics_access),
            ("log_format", &self.log_format),
            ("log_level", &self.log_level),
            ("tail_readers", &self.tail_readers),
            ("tail_poll_interval", &self.tail_poll_interval),
            ("tail_heartbeat", &self.tail_heartbeat),
            ("tail_patience", &self.tail_patience),
            ("tail_access_interval", &self.tail_access_interval),
            ("client_connections", &self.client_connections),
            ("connections_per_address", &self.connections_per_address),
            ("head_bytes", &self.head_bytes),
            ("head_timeout", &self.head_timeout),
            ("idle_timeout", &self.idle_timeout),
            ("write_timeout", &self.write_timeout),
            ("requests_per_second", &self.requests_per_second),
            ("logins_per_minute", &self.logins_per_minute),
            ("session_idle", &self.session_idle),
            ("session_lifetime", &self.session_lifetime),
            ("alerts", &self.alerts),
            ("alert_interval", &self.alert_interval),
        ]
    }
}

/// An address beside that of `--listen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherAddress {
    Off,
    At(SocketAddr),
}

impl FromStr for OtherAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let address = text.parse().map(Self::At);
        address.map_err(|_| {
            "expected an address with a port, such as 127.0.0.1:4317, or off".to_owned()
        })
    }
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

//! Settings of a server.

use std::time::Duration;

use crate::alerts::AlertSettings;
use crate::tail::TailSettings;
use crate::telemetry::MetricsAccess;

use lookback::maintenance::RetentionPolicy;
use lookback::replay::Target;
use lookback::table::Table;

use lookback::capture::TrustedProxies;

use crate::access::origin::Origin;
use crate::tls::Tls;

/// The limits of a server, and who may use it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Whether anybody may do anything, without a key; false by default. For a server that only its
    /// own machine reaches.
    pub is_open: bool,
    /// The most bytes of a body, as it is sent; 32 MiB by default.
    pub body_bytes: usize,
    /// The most bytes of a body when it is not compressed; 64 MiB by default.
    pub decompressed_bytes: usize,
    /// The most bytes of all bodies, compressed and decompressed, that are being stored or read at
    /// a time; 256 MiB by default. Above it, and above [`ingests`](Self::ingests), the server answers 503.
    pub all_body_bytes: usize,
    /// The bytes of records after which a page of them ends; 16 MiB by default.
    pub page_bytes: usize,
    /// The most bodies that are being stored at a time, or wait for it; 256 by default.
    pub ingests: usize,
    /// The longest time to receive a body; 30 s by default.
    pub body_timeout: Duration,
    /// The longest time that a body waits for a connection to the database; 5 s by default.
    pub connection_timeout: Duration,
    /// The longest time of a statement that reads; 30 s by default.
    pub read_timeout: Duration,
    /// The longest time from the head of a request to that of its answer; 2 minutes by default.
    pub request_timeout: Duration,
    /// How long requests that are under way may take when the server stops; 30 s by default.
    pub shutdown_timeout: Duration,
    /// Who may read `GET /metrics`; keys that may read by default.
    pub metrics_access: MetricsAccess,
    /// The source of log lines that name none; `app` by default.
    pub source: String,
    /// How readers are treated that follow a table.
    pub tail: TailSettings,
    /// The most exports that run at a time, each with a connection; 4 by default.
    pub exports: usize,
    /// The servers that captured requests may be sent to again; none by default.
    pub replay_targets: Vec<Target>,
    /// The longest time of a response to a request that is sent again; 30 s by default.
    pub replay_timeout: Duration,
    /// The certificate of the server; none by default, and then it speaks no TLS.
    pub tls: Option<Tls>,
    /// The proxies whose forwarding headers are believed; none by default.
    pub trusted_proxies: TrustedProxies,
    /// The origins whose pages may use the API with a key; none by default.
    pub cors_origins: Vec<Origin>,
    /// The most connections at a time; 512 by default. Others wait.
    pub connections: usize,
    /// The most connections of an address at a time, unless it is a trusted proxy; 256 by default.
    pub connections_per_address: usize,
    /// The most bytes of the head of a request; 64 KiB by default.
    pub head_bytes: usize,
    /// The longest time for a TLS handshake, and then for the head of a request; 15 s by default.
    pub head_timeout: Duration,
    /// The longest time that a connection waits for its next request; 75 s by default.
    pub idle_timeout: Duration,
    /// The longest time that a client takes nothing of a response; 30 s by default.
    pub write_timeout: Duration,
    /// The most requests of an address, and of a key, each second; 1,000 by default, and in the
    /// first moment five times as many. 0 for no limit.
    pub requests_per_second: u32,
    /// The most attempts of an address to log in, each minute; 30 by default. 0 for no limit.
    pub logins_per_minute: u32,
    /// How long a session is valid without a request; 12 hours by default.
    pub session_idle: Duration,
    /// How long a session is valid; 7 days by default.
    pub session_lifetime: Duration,
    /// How alert rules are evaluated.
    pub alerts: AlertSettings,
    /// The retention policies of the maintenance worker, for what `GET /api/v1/storage` reports;
    /// none by default.
    pub retention: Vec<(&'static Table, RetentionPolicy)>,
}

impl Default for Settings {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            is_open: false,
            body_bytes: 32 * MIB,
            decompressed_bytes: 64 * MIB,
            all_body_bytes: 256 * MIB,
            page_bytes: 16 * MIB,
            ingests: 256,
            body_timeout: Duration::from_secs(30),
            connection_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(120),
            shutdown_timeout: Duration::from_secs(30),
            metrics_access: MetricsAccess::default(),
            source: "app".to_owned(),
            tail: TailSettings::default(),
            exports: 4,
            replay_targets: Vec::new(),
            replay_timeout: Duration::from_secs(30),
            tls: None,
            trusted_proxies: TrustedProxies::none(),
            cors_origins: Vec::new(),
            connections: 512,
            connections_per_address: 256,
            head_bytes: 64 * 1024,
            head_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            requests_per_second: 1_000,
            logins_per_minute: 30,
            session_idle: Duration::from_secs(12 * 60 * 60),
            session_lifetime: Duration::from_secs(7 * 24 * 60 * 60),
            alerts: AlertSettings::default(),
            retention: Vec::new(),
        }
    }
}

//! The server: its state, and its routes.

use std::future::Future;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use lookback::ingest::forget_batches;
use lookback::maintenance::MaintenanceObserver;
use lookback::{Log, Metric, RequestSnapshot};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower_http::compression::CompressionLayer;

use crate::addresses::Addresses;
use crate::alerts::{self, AlertWorker};
use crate::cancel::DbConnection;
use crate::ingest::{bulk, grpc, loki, otlp, records as ingest};
use crate::observe::observe;
use crate::problem::{Kind, Problem};
use crate::rates::Rates;
use crate::sessions::{self, attempts};
use crate::settings::Settings;
use crate::storage::{self, LastReport};
use crate::tail::{self, Tails};
use crate::telemetry::{self, Telemetry};
use crate::{
    connections, guard, health, keys, mcp, openapi, page, passwords, records, replay,
    saved_searches, status, traces, users, windows,
};

/// How long the key of a batch is known.
const KEYS_ARE_KNOWN: Duration = Duration::from_secs(24 * 60 * 60);

/// The most requests that are sent again at a time.
const REPLAYS: usize = 8;

/// A server over the database of a pool.
#[derive(Clone, Debug)]
pub struct Server {
    shared: Arc<Shared>,
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) pool: PgPool,
    pub(crate) settings: Settings,
    /// The bytes that bodies may still take.
    pub(crate) body_room: Arc<Semaphore>,
    /// The bodies that may still be stored at a time.
    pub(crate) ingests: Arc<Semaphore>,
    /// The readers that may still follow tables.
    pub(crate) tail_places: Arc<Semaphore>,
    /// The readers of each address that follow a table.
    pub(crate) tail_addresses: Arc<Addresses>,
    pub(crate) tails: Tails,
    pub(crate) telemetry: Telemetry,
    /// Whether the server stops: what lasts has to end.
    pub(crate) stopping: watch::Sender<bool>,
    /// The exports that may still be begun.
    pub(crate) exports: Arc<Semaphore>,
    /// The requests that may still be sent again at a time.
    pub(crate) replays: Semaphore,
    /// The bodies that may be decoded at a time: as many as there are processors. Others wait, since
    /// each thread keeps memory of its own.
    pub(crate) decoding: Arc<Semaphore>,
    /// The passwords that may be hashed at a time.
    pub(crate) hashing: Semaphore,
    pub(crate) rates: Rates,
    pub(crate) last_storage: LastReport,
}

impl Shared {
    /// Takes a connection of the pool.
    pub(crate) async fn connection(&self) -> Result<DbConnection, Problem> {
        let time = self.settings.connection_timeout;
        match tokio::time::timeout(time, self.pool.acquire()).await {
            Ok(connection) => Ok(DbConnection::new(connection?)),
            Err(_) => Err(Problem::new(
                Kind::Busy,
                "all connections to the database are in use",
            )),
        }
    }

    /// Counts a request of a key, or of a user by the negative of its id.
    pub(crate) fn take_request(&self, caller: i64, whose: &str) -> Result<(), Problem> {
        let taken = self.rates.callers.take(caller);
        taken.map_err(|wait| Problem::too_many_requests(whose, wait))
    }
}

impl Server {
    /// Creates a server. It opens no port: its [router](Self::router) does the work.
    #[must_use]
    pub fn new(pool: PgPool, settings: Settings) -> Self {
        let shared = Shared {
            pool,
            body_room: Arc::new(Semaphore::new(
                settings.all_body_bytes.min(Semaphore::MAX_PERMITS),
            )),
            ingests: Arc::new(Semaphore::new(settings.ingests.min(Semaphore::MAX_PERMITS))),
            tail_addresses: Arc::default(),
            tail_places: Arc::new(Semaphore::new(
                settings.tail.readers.min(Semaphore::MAX_PERMITS),
            )),
            tails: Tails::default(),
            telemetry: Telemetry::default(),
            stopping: watch::Sender::new(false),
            exports: Arc::new(Semaphore::new(settings.exports.min(Semaphore::MAX_PERMITS))),
            replays: Semaphore::new(REPLAYS),
            decoding: Arc::new(Semaphore::new(
                thread::available_parallelism().map_or(2, NonZero::get),
            )),
            hashing: passwords::places(),
            rates: Rates::new(&settings),
            last_storage: LastReport::default(),
            settings,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// What all parts of the server share.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Returns the routes of the server, as part of another app. It knows the address of a client
    /// if that app is served with `into_make_service_with_connect_info::<SocketAddr>()`.
    pub fn router(&self) -> Router {
        let records = Router::new()
            .merge(records::routes::<Log>("logs"))
            .merge(records::routes::<RequestSnapshot>("requests"))
            .merge(records::routes::<Metric>("metrics"))
            .merge(users::routes())
            .merge(keys::routes())
            .merge(sessions::routes())
            .merge(tail::routes())
            .merge(alerts::routes::routes())
            .merge(saved_searches::routes())
            .merge(storage::routes())
            .merge(status::routes())
            .route("/logs", post(ingest::logs))
            .route("/requests", post(ingest::requests))
            .route("/metrics", post(ingest::metrics))
            .merge(records::of_logs_and_requests())
            .merge(windows::routes())
            .merge(traces::routes())
            .merge(replay::routes());
        let shared = &self.shared;
        let router = Router::new()
            .route("/health/live", get(health::live))
            .route("/health/ready", get(health::ready))
            .route("/metrics", get(telemetry::metrics))
            .nest("/api/v1", records)
            .route("/v1/logs", post(otlp::logs))
            .route("/v1/traces", post(otlp::traces))
            .merge(grpc::routes())
            .merge(mcp::routes(&self.shared))
            .route("/loki/api/v1/push", post(loki::push))
            .route("/elastic", get(bulk::about))
            .route("/elastic/", get(bulk::about))
            .route("/elastic/_bulk", post(bulk::bulk).put(bulk::bulk))
            .route("/elastic/{index}/_bulk", post(bulk::bulk).put(bulk::bulk))
            .merge(openapi::routes())
            .merge(page::routes())
            .method_not_allowed_fallback(async || {
                Problem::new(Kind::MethodNotAllowed, "the path has other methods")
            })
            .fallback(async |uri: Uri| {
                Problem::new(Kind::NotFound, format!("there is no {}", uri.path()))
            })
            .layer(guard::catch_panics())
            .layer(from_fn_with_state(Arc::clone(shared), observe))
            .layer(CompressionLayer::new())
            .with_state(Arc::clone(shared));
        let router = if shared.settings.cors_origins.is_empty() {
            router
        } else {
            router.layer(guard::cors(&shared.settings))
        };
        router.layer(from_fn_with_state(Arc::clone(shared), guard::guard))
    }

    /// Serves until `signal` is ready, and then until the requests that are under way have ended.
    ///
    /// # Errors
    ///
    /// Those of the listener, and [`TimedOut`](io::ErrorKind::TimedOut) if some requests have not
    /// ended [in time](Settings::shutdown_timeout) after the signal.
    pub async fn serve(
        &self,
        listener: TcpListener,
        signal: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        self.serve_all(vec![listener], signal).await
    }

    /// As [`serve`](Self::serve), on several addresses: each serves everything.
    ///
    /// # Errors
    ///
    /// As [`serve`](Self::serve).
    pub async fn serve_all(
        &self,
        listeners: Vec<TcpListener>,
        signal: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let mut serving = JoinSet::new();
        for listener in listeners {
            let (router, shared) = (self.router(), self.shared());
            serving.spawn(async move {
                let mut stopping = shared.stopping.subscribe();
                let signal = async {
                    // Without a sender, the server has ended.
                    let _stopped = stopping.wait_for(|is_stopping| *is_stopping).await;
                };
                connections::serve(listener, router, &shared.settings, signal).await
            });
        }
        let shared = self.shared();
        let stop = tokio::spawn(async move {
            signal.await;
            shared.stopping.send_replace(true);
        });
        let mut result = Ok(());
        while let Some(served) = serving.join_next().await {
            let served = served.map_err(io::Error::other);
            result = result.and(served.and_then(|served| served));
        }
        stop.abort();
        result
    }

    /// Starts to evaluate the alert rules and to deliver their changes. Call it in one of the
    /// processes or in all.
    #[must_use = "it ends when it is dropped"]
    pub fn spawn_alerts(&self) -> AlertWorker {
        AlertWorker::spawn(&self.shared)
    }

    /// Shows the state of a maintenance worker in `GET /metrics`.
    pub fn observe_maintenance(&self, observer: MaintenanceObserver) {
        self.shared.telemetry.observe_maintenance(observer);
    }

    /// Forgets the keys of batches that were stored more than a day ago. Call it now and then, in
    /// one of the processes or in all.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn forget_old_batches(&self) -> Result<u64, lookback::Error> {
        let mut conn = self.shared.pool.acquire().await?;
        forget_batches(&mut conn, KEYS_ARE_KNOWN).await
    }

    /// Forgets sessions that are over, and attempts to log in that no longer count. Call it now and
    /// then, in one of the processes or in all.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn forget_old_sessions(&self) -> Result<u64, lookback::Error> {
        let mut conn = self.shared.pool.acquire().await?;
        let now = chrono::Utc::now();
        let sessions = sessions::store::forget(&mut conn, &self.shared.settings, now).await?;
        Ok(sessions + attempts::forget(&mut conn, now).await?)
    }
}

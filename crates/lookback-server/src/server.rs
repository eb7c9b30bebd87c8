//! The server: its state, and its routes.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use lookback::ingest::forget_batches;
use lookback::maintenance::MaintenanceObserver;
use lookback::{Log, Metric, RequestSnapshot, User};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tower_http::compression::CompressionLayer;

use crate::cancel::DbConnection;
use crate::ingest::{bulk, loki, otlp, records as ingest};
use crate::observe::observe;
use crate::problem::{Kind, Problem};
use crate::settings::Settings;
use crate::tail::{self, Tails};
use crate::telemetry::{self, Telemetry};
use crate::{health, openapi, records, replay, traces, windows};

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
    pub(crate) ingests: Semaphore,
    /// The readers that may still follow tables.
    pub(crate) tail_places: Arc<Semaphore>,
    pub(crate) tails: Tails,
    pub(crate) telemetry: Telemetry,
    /// Whether the server stops: what lasts has to end.
    pub(crate) stopping: watch::Sender<bool>,
    /// The exports that may still be begun.
    pub(crate) exports: Arc<Semaphore>,
    /// The requests that may still be sent again at a time.
    pub(crate) replays: Semaphore,
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
            ingests: Semaphore::new(settings.ingests.min(Semaphore::MAX_PERMITS)),
            tail_places: Arc::new(Semaphore::new(
                settings.tail.readers.min(Semaphore::MAX_PERMITS),
            )),
            tails: Tails::default(),
            telemetry: Telemetry::default(),
            stopping: watch::Sender::new(false),
            exports: Arc::new(Semaphore::new(settings.exports.min(Semaphore::MAX_PERMITS))),
            replays: Semaphore::new(REPLAYS),
            settings,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Returns the routes of the server, for `axum::serve` or as part of another app.
    pub fn router(&self) -> Router {
        let records = Router::new()
            .merge(records::routes::<Log>("logs"))
            .merge(records::routes::<RequestSnapshot>("requests"))
            .merge(records::routes::<Metric>("metrics"))
            .merge(records::routes::<User>("users"))
            .merge(tail::routes())
            .route("/logs", post(ingest::logs))
            .route("/requests", post(ingest::requests))
            .route("/metrics", post(ingest::metrics))
            .merge(records::of_logs_and_requests())
            .merge(windows::routes())
            .merge(traces::routes())
            .merge(replay::routes());
        Router::new()
            .route("/health/live", get(health::live))
            .route("/health/ready", get(health::ready))
            .route("/metrics", get(telemetry::metrics))
            .nest("/api/v1", records)
            .route("/v1/logs", post(otlp::logs))
            .route("/v1/traces", post(otlp::traces))
            .route("/loki/api/v1/push", post(loki::push))
            .route("/elastic", get(bulk::about))
            .route("/elastic/", get(bulk::about))
            .route("/elastic/_bulk", post(bulk::bulk).put(bulk::bulk))
            .route("/elastic/{index}/_bulk", post(bulk::bulk).put(bulk::bulk))
            .merge(openapi::routes())
            .method_not_allowed_fallback(async || {
                Problem::new(Kind::MethodNotAllowed, "the path has other methods")
            })
            .fallback(async |uri: Uri| {
                Problem::new(Kind::NotFound, format!("there is no {}", uri.path()))
            })
            .layer(from_fn_with_state(Arc::clone(&self.shared), observe))
            .layer(CompressionLayer::new())
            .with_state(Arc::clone(&self.shared))
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
        let mut stopped = self.shared.stopping.subscribe();
        let shared = Arc::clone(&self.shared);
        let signal = async move {
            signal.await;
            shared.stopping.send_replace(true);
        };
        let serving = axum::serve(listener, self.router()).with_graceful_shutdown(signal);
        let drain = self.shared.settings.shutdown_timeout;
        let overdue = async {
            if stopped.wait_for(|is_stopping| *is_stopping).await.is_ok() {
                tokio::time::sleep(drain).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            served = serving => served,
            () = overdue => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!(
                    "some requests had not ended {} s after the signal",
                    drain.as_secs()
                ),
            )),
        }
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
}

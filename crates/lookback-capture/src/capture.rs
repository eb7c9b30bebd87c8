//! A capture: its settings, its queue, and the thread that stores.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use http::request::Parts;
use tokio::sync::{mpsc, oneshot};
use tracing_core::Subscriber;
use tracing_subscriber::filter::Filtered;
use tracing_subscriber::layer::Layer as _;
use tracing_subscriber::registry::LookupSpan;

use crate::client_address::TrustedProxies;
use crate::delivery::{self, Flush};
use crate::layer::{CaptureLayer, Direction};
use crate::locate::Locator;
use crate::logs::{self, CaptureLevel, CaptureLogs};
use crate::queue::{Counters, KindCounters, Queue};
use crate::rate::Rates;
use crate::settings::{ActiveSettings, Settings};
use crate::sink::Sink;
use crate::window::Windows;

/// Captures requests, log lines and latency windows, and hands them to a [`Sink`].
///
/// It is cheap to clone: all clones are one capture. When the last clone is dropped, with those in
/// its layers, its thread stores what is left and ends; [`flush`](Self::flush) waits for it.
#[derive(Clone)]
pub struct Capture(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    hooks: Hooks,
    queue: Queue,
    flushes: mpsc::UnboundedSender<Flush>,
}

/// The state that the layers and the thread share.
pub(crate) struct Shared {
    settings: RwLock<Arc<ActiveSettings>>,
    updating: Mutex<()>,
    pub(crate) windows: Windows,
    pub(crate) counters: Arc<Counters>,
    pub(crate) rates: Rates,
    /// The bytes of the bodies of requests that have not ended.
    body_bytes: AtomicUsize,
    pub(crate) locator: Locator,
    last_error: Mutex<Option<String>>,
}

type Read<T> = Box<dyn Fn(&Parts) -> Option<T> + Send + Sync>;

/// Functions of the application that know more of a request.
pub(crate) struct Hooks {
    pub(crate) version: String,
    pub(crate) stage: String,
    pub(crate) route: Option<Read<String>>,
    pub(crate) user_id: Option<Read<String>>,
    pub(crate) peer: Option<Read<std::net::IpAddr>>,
    pub(crate) trusted: TrustedProxies,
    pub(crate) trace_header: Option<http::HeaderName>,
}

/// The most bytes of bodies of requests that have not ended. The bodies of others are not kept.
const MOST_BODY_BYTES: usize = 64 * 1024 * 1024;

impl Capture {
    /// Returns a builder.
    pub fn builder() -> CaptureBuilder {
        CaptureBuilder::new()
    }

    /// Returns a tower layer that captures the requests of a service.
    #[must_use]
    pub fn layer(&self) -> CaptureLayer {
        CaptureLayer::new(self.clone(), Direction::Incoming)
    }

    /// Returns a tower layer that captures the requests that a client sends.
    ///
    /// They have the trace id of the request that is being handled, and pass it on in the header
    /// `traceparent`. Their record has `"direction": "outgoing"` among its headers, and they are
    /// counted in no window.
    #[must_use]
    pub fn client_layer(&self) -> CaptureLayer {
        CaptureLayer::new(self.clone(), Direction::Outgoing)
    }

    /// Returns a layer of `tracing` that captures events as log lines, with a filter of its own:
    /// the level of the settings. Other layers get what they would without it.
    #[must_use]
    pub fn tracing_layer<S>(&self) -> Filtered<CaptureLogs, CaptureLevel, S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        CaptureLogs::new(self.clone()).with_filter(CaptureLevel::new(self.clone()))
    }

    /// Returns the settings that are in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.active_settings().settings)
    }

    pub(crate) fn active_settings(&self) -> Arc<ActiveSettings> {
        let settings = self.0.shared.settings.read();
        Arc::clone(&settings.unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the settings, for all requests and events that begin afterwards.
    ///
    /// Do not call it within `change`.
    pub fn update(&self, change: impl FnOnce(&mut Settings)) {
        let shared = &self.0.shared;
        // One change at a time. Requests and events go on meanwhile, also those of `change`.
        let one = shared
            .updating
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = self.settings();
        let mut settings = Settings::clone(&before);
        change(&mut settings);
        let active = Arc::new(ActiveSettings::new(settings));
        *shared
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::clone(&active);
        // Other filters of the application are asked, too: not under the lock.
        drop(one);
        logs::levels_changed(&before, &active.settings);
    }

    /// Returns the number of records that were captured, stored and dropped.
    #[must_use]
    pub fn health(&self) -> Health {
        self.0.shared.health()
    }

    /// Stores all that was captured before, with the windows of this minute.
    ///
    /// The requests that have not ended are not waited for. Call it at the end of the application,
    /// after the server has stopped.
    ///
    /// # Errors
    ///
    /// The time is over, the sink cannot store, or its thread has ended. The records stay queued,
    /// and are still stored if the application goes on.
    pub async fn flush(&self, timeout: Duration) -> Result<(), Error> {
        let (done, outcome) = oneshot::channel();
        self.request_flush(timeout, done)?;
        outcome.await.map_err(|_| Error(ErrorKind::Ended))?
    }

    /// Same as [`flush`](Self::flush), in code that is not asynchronous.
    ///
    /// # Errors
    ///
    /// As those of [`flush`](Self::flush).
    ///
    /// # Panics
    ///
    /// Called in a Tokio runtime.
    pub fn flush_blocking(&self, timeout: Duration) -> Result<(), Error> {
        let (done, outcome) = oneshot::channel();
        self.request_flush(timeout, done)?;
        outcome
            .blocking_recv()
            .map_err(|_| Error(ErrorKind::Ended))?
    }

    fn request_flush(
        &self,
        timeout: Duration,
        done: oneshot::Sender<Result<(), Error>>,
    ) -> Result<(), Error> {
        let sent = self.0.flushes.send(Flush::new(timeout, done));
        sent.map_err(|_| Error(ErrorKind::Ended))
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.0.hooks
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.0.queue
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }
}

impl Shared {
    pub(crate) fn health(&self) -> Health {
        let kind = |counters: &KindCounters| KindHealth {
            captured: counters.captured.load(Relaxed),
            stored: counters.stored.load(Relaxed),
            dropped: counters.dropped.load(Relaxed),
            over_rate: counters.over_rate.load(Relaxed),
            failed: counters.failed.load(Relaxed),
        };
        Health {
            requests: kind(&self.counters.requests),
            logs: kind(&self.counters.logs),
            windows: kind(&self.counters.windows),
            in_other_window: self.counters.other.load(Relaxed),
            last_error: self.last_error().clone(),
        }
    }

    /// Why the sink cannot store now.
    pub(crate) fn last_error(&self) -> MutexGuard<'_, Option<String>> {
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes room for bytes of a body; false if there is none.
    pub(crate) fn reserve_body(&self, bytes: usize) -> bool {
        let before = self.body_bytes.fetch_add(bytes, Relaxed);
        let is_room = before + bytes <= MOST_BODY_BYTES;
        if !is_room {
            self.body_bytes.fetch_sub(bytes, Relaxed);
        }
        is_room
    }

    pub(crate) fn release_body(&self, bytes: usize) {
        self.body_bytes.fetch_sub(bytes, Relaxed);
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("version", &self.0.hooks.version)
            .field("stage", &self.0.hooks.stage)
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

/// The numbers of records that were captured, and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Requests.
    pub requests: KindHealth,
    /// Log lines.
    pub logs: KindHealth,
    /// Windows, or parts of them.
    pub windows: KindHealth,
    /// Requests that were counted in the window `other`, because there were too many endpoints.
    pub in_other_window: u64,
    /// Why the sink cannot store now; `None` if it can.
    pub last_error: Option<String>,
}

/// The numbers of records of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KindHealth {
    /// Put into the queue.
    pub captured: u64,
    /// Taken by the sink.
    pub stored: u64,
    /// Not captured because the queue was full.
    pub dropped: u64,
    /// Not captured because there were more than [`Settings::requests_per_second`] or
    /// [`Settings::logs_per_second`].
    pub over_rate: u64,
    /// Captured, but the sink could not store them.
    pub failed: u64,
}

/// Options of a [`Capture`].
#[must_use = "a builder does nothing until it is started"]
pub struct CaptureBuilder {
    hooks: Hooks,
    settings: Settings,
    locator: Locator,
}

impl CaptureBuilder {
    fn new() -> Self {
        Self {
            hooks: Hooks {
                version: "unknown".to_owned(),
                stage: "unknown".to_owned(),
                route: None,
                user_id: None,
                peer: None,
                trusted: TrustedProxies::private(),
                trace_header: Some(crate::trace::TRACEPARENT),
            },
            settings: Settings::default(),
            locator: Locator::default(),
        }
    }

    /// The version of the application, such as `env!("CARGO_PKG_VERSION")`; `unknown` by default.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.hooks.version = version.into();
        self
    }

    /// Where the application runs, such as `production`; `unknown` by default.
    pub fn stage(mut self, stage: impl Into<String>) -> Self {
        self.hooks.stage = stage.into();
        self
    }

    /// How to find the template of the route of a request, such as `/orders/{id}`.
    ///
    /// A request for which it returns `None` has the route `unmatched`. Without this hook, the
    /// route is the path with its [ids replaced](crate::route_of_path). The crate `lookback` has
    /// the hook for axum.
    pub fn route(
        mut self,
        read: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.route = Some(Box::new(read));
        self
    }

    /// How to find who makes a request. See also [`set_user_id`](crate::set_user_id).
    pub fn user_id(
        mut self,
        read: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.user_id = Some(Box::new(read));
        self
    }

    /// How to find the address of the other end of the connection. The crate `lookback` has the
    /// hook for axum.
    pub fn peer(
        mut self,
        read: impl Fn(&Parts) -> Option<std::net::IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.peer = Some(Box::new(read));
        self
    }

    /// The proxies whose headers `forwarded`, `x-forwarded-for`, and those that a [`Locator`] looks at,
    /// are believed: by default those with a private or loopback address.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.hooks.trusted = proxies;
        self
    }

    /// How to find where a request came from: by default it is not known.
    pub fn locator(mut self, locator: Locator) -> Self {
        self.locator = locator;
        self
    }

    /// The header of a response that has its trace, in the form of `traceparent`: that by default.
    /// With `None` no header is added.
    pub fn trace_header(mut self, name: Option<http::HeaderName>) -> Self {
        self.hooks.trace_header = name;
        self
    }

    /// Changes the settings to begin with.
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Starts the thread that stores.
    ///
    /// # Errors
    ///
    /// The system cannot start the thread.
    pub fn start(self, sink: impl Sink) -> Result<Capture, Error> {
        let counters = Arc::new(Counters::default());
        let (queue, ends) = Queue::new(Arc::clone(&counters));
        let shared = Arc::new(Shared {
            settings: RwLock::new(Arc::new(ActiveSettings::new(self.settings))),
            updating: Mutex::new(()),
            windows: Windows::new(),
            counters,
            rates: Rates::new(),
            body_bytes: AtomicUsize::new(0),
            locator: self.locator,
            last_error: Mutex::new(None),
        });
        let (flushes, requested) = mpsc::unbounded_channel();
        delivery::start(sink, Arc::clone(&shared), ends, requested)
            .map_err(|error| Error(ErrorKind::Thread(error)))?;
        Ok(Capture(Arc::new(Handle {
            shared,
            hooks: self.hooks,
            queue,
            flushes,
        })))
    }
}

impl fmt::Debug for CaptureBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureBuilder")
            .field("version", &self.hooks.version)
            .field("stage", &self.hooks.stage)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Why a capture cannot start, or could not store all records.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(pub(crate) ErrorKind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum ErrorKind {
    #[error("cannot start the thread that stores captured records: {0}")]
    Thread(#[source] std::io::Error),
    #[error("not all captured records were stored within {0:?}: {1}")]
    Timeout(Duration, String),
    #[error("cannot store captured records: {0}")]
    Sink(String),
    #[error("the thread that stores captured records has ended")]
    Ended,
}

impl Error {
    /// Whether the time was over before all records were stored.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.0, ErrorKind::Timeout(..))
    }
}

//! Connections: how many there are, how long each may take, and their end.
//!
//! axum's own `serve` has no limits of time and number: a client that sends the head of a request
//! byte by byte would hold its connection for good.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::Version;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::addresses::Addresses;
use crate::client::{Encrypted, network};
use crate::settings::Settings;

mod activity;
mod watched;

use activity::{Activity, until_sent};
use watched::Watched;

/// How long a connection that is over may take to say so.
const FAREWELL: Duration = Duration::from_secs(1);

/// The state that all connections share.
#[derive(Clone)]
struct Connections {
    router: Router,
    settings: Arc<Settings>,
    tls: Option<TlsAcceptor>,
    builder: Builder<TokioExecutor>,
    addresses: Arc<Addresses>,
}

/// Serves until `signal` is ready, and then until the requests that are under way have ended.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &Settings,
    signal: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let connections = Connections {
        router,
        settings: Arc::new(settings.clone()),
        tls: settings
            .tls
            .as_ref()
            .map(|tls| TlsAcceptor::from(Arc::clone(&tls.config))),
        builder: builder(settings),
        addresses: Arc::new(Addresses::default()),
    };
    let places = Arc::new(Semaphore::new(
        settings.connections.clamp(1, Semaphore::MAX_PERMITS),
    ));
    // Each connection has a receiver until its end.
    let (stopping, stopped) = watch::channel(false);
    let mut signal = pin!(signal);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut signal => break,
        };
        let Ok(place) = place else { break };
        match accepted {
            Ok((stream, peer)) => {
                tokio::spawn(
                    connections
                        .clone()
                        .connection(stream, peer, place, stopped.clone()),
                );
            }
            Err(error) if is_of_a_client(&error) => {}
            Err(error) => {
                // Such as too many open files: others may be closed meanwhile.
                tracing::error!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    drop(listener);
    drop(stopped);
    let _received = stopping.send(true);
    let drain = settings.shutdown_timeout;
    let drained = tokio::time::timeout(drain, stopping.closed()).await;
    drained.map_err(|_| {
        let seconds = drain.as_secs();
        io::Error::new(
            io::ErrorKind::TimedOut,
            format!("some requests had not ended {seconds} s after the signal"),
        )
    })
}

fn builder(settings: &Settings) -> Builder<TokioExecutor> {
    /// The requests of a connection at a time, in HTTP/2.
    const STREAMS: u32 = 100;
    /// How often a client in HTTP/2 is asked whether it is still there.
    const PING: Duration = Duration::from_secs(20);
    /// The least that hyper takes.
    const LEAST: usize = 8_192;
    let head_bytes = settings.head_bytes.max(LEAST);
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Each connection has its own clock, see `Activity`.
        .header_read_timeout(None)
        .max_buf_size(head_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX));
    builder
}

/// Waits until the server stops.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    // Without a sender, it has.
    let _stopped = stopped.wait_for(|is_stopping| *is_stopping).await;
}

/// Whether the error is of one connection, and not of the listener.
fn is_of_a_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

impl Connections {
    async fn connection(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        _place: OwnedSemaphorePermit,
        mut stopped: watch::Receiver<bool>,
    ) {
        let settings = Arc::clone(&self.settings);
        let _one_of_address = if settings.trusted_proxies.trusts(peer.ip()) {
            None
        } else {
            let most = settings.connections_per_address;
            match self.addresses.take(network(peer.ip()), most) {
                Some(taken) => Some(taken),
                None => return,
            }
        };
        // Small answers are not held back.
        let _set = stream.set_nodelay(true);
        let activity = Arc::new(Activity::new());
        let stream = Watched::new(stream, Arc::clone(&activity), settings.write_timeout);
        match self.tls.clone() {
            None => self.http(stream, peer, false, &activity, stopped).await,
            Some(tls) => {
                let handshake = tokio::time::timeout(settings.head_timeout, tls.accept(stream));
                let encrypted = tokio::select! {
                    encrypted = handshake => encrypted,
                    () = stop(&mut stopped) => return,
                };
                if let Ok(Ok(stream)) = encrypted {
                    self.http(stream, peer, true, &activity, stopped).await;
                }
            }
        }
    }

    async fn http(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        is_encrypted: bool,
        activity: &Arc<Activity>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let Self {
            router,
            settings,
            builder,
            ..
        } = self;
        let service = hyper_util::service::TowerToHyperService::new(tower::service_fn({
            let activity = Arc::clone(activity);
            move |request: Request<hyper::body::Incoming>| {
                let under_way = activity.start(request.version() == Version::HTTP_2);
                let mut request = request.map(Body::new);
                let extensions = request.extensions_mut();
                extensions.insert(ConnectInfo(peer));
                if is_encrypted {
                    extensions.insert(Encrypted);
                }
                let router = router.clone();
                async move {
                    let response = router.oneshot(request).await?;
                    Ok::<_, std::convert::Infallible>(
                        response.map(|body| until_sent(body, under_way)),
                    )
                }
            }
        }));
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        tokio::select! {
            // Its error is that of its client, or of the network.
            _ended = connection.as_mut() => return,
            () = stop(&mut stopped) => {
                connection.as_mut().graceful_shutdown();
                // The requests that are under way end it; what comes too slowly does, too.
                let overdue = activity.overdue(settings.head_timeout, FAREWELL);
                tokio::select! {
                    _ended = connection.as_mut() => return,
                    () = overdue => return,
                }
            }
            () = activity.overdue(settings.head_timeout, settings.idle_timeout) => {}
        }
        connection.as_mut().graceful_shutdown();
        // Either way it is over.
        let _ended = tokio::time::timeout(FAREWELL, connection).await;
    }
}

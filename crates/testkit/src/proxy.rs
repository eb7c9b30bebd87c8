//! A TCP proxy in front of a server, which records statements and cuts connections.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::sample::Random;

mod frontend;

use frontend::Frontend;

/// A way in which a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Cut after this number of bytes from the client, for example within a COPY.
    Bytes(u64),
    /// Cut before the statement with this number, from 1, reaches the server.
    BeforeStatement(u64),
    /// The statement with this number reaches the server, and both ends are cut at once.
    WithStatement(u64),
    /// Cut before the COMMIT with this number reaches the server.
    BeforeCommit(u64),
    /// The COMMIT reaches the server, and both ends are cut at once.
    WithCommit(u64),
    /// The COMMIT reaches the server, and both ends are cut after the server has responded. The
    /// response does not reach the client.
    BeforeAnswer(u64),
    /// The client is cut off before a COMMIT; the server does not notice.
    HalfOpen(u64),
    /// From this COMMIT on no bytes are forwarded, and neither end notices.
    Silent(u64),
}

impl Fault {
    /// No fault: the connection lasts until an end closes it.
    pub const NONE: Self = Self::Bytes(u64::MAX);
}

/// A proxy in front of a server.
#[derive(Debug)]
pub struct Proxy {
    /// The port on 127.0.0.1 that it accepts connections on.
    pub port: u16,
    /// The address of the server; `None` while the server is down. It may change.
    pub server: Arc<Mutex<Option<String>>>,
    /// Whether new connections are accepted.
    open: Arc<AtomicBool>,
    cut: Arc<watch::Sender<()>>,
    /// The number of connections that were cut.
    pub cuts: Arc<AtomicU64>,
    /// The number of times that each fault happened.
    pub met: Arc<Mutex<BTreeMap<String, u64>>>,
    /// The statements of all connections, in order of arrival.
    statements: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Creates a proxy. `draw` chooses the fault of each connection.
    pub async fn new(
        server: String,
        seed: u64,
        mut draw: impl FnMut(&mut Random) -> Fault + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cuts = Arc::new(AtomicU64::new(0));
        let open = Arc::new(AtomicBool::new(true));
        let cut = Arc::new(watch::Sender::new(()));
        let met = Arc::new(Mutex::default());
        let statements = Arc::new(Mutex::default());
        let server = Arc::new(Mutex::new(Some(server)));
        let proxy = Self {
            port,
            server: Arc::clone(&server),
            open: Arc::clone(&open),
            cut: Arc::clone(&cut),
            cuts: Arc::clone(&cuts),
            met: Arc::clone(&met),
            statements: Arc::clone(&statements),
        };
        tokio::spawn(async move {
            let mut random = Random::new(seed);
            loop {
                let Ok((client, _)) = listener.accept().await else {
                    // The client disconnected before `accept`, or the process has too many open
                    // files for a moment.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                };
                // Subscribed first, so that a cut after the check of `open` is not missed.
                let mut cut = cut.subscribe();
                if !open.load(Ordering::SeqCst) {
                    continue;
                }
                let fault = draw(&mut random);
                let address = server.lock().unwrap().clone();
                let Some(address) = address else { continue };
                let Ok(server) = TcpStream::connect(address).await else {
                    continue;
                };
                // May fail for a client that has already disconnected.
                let _ = client.set_nodelay(true).and(server.set_nodelay(true));
                let (cuts, met) = (Arc::clone(&cuts), Arc::clone(&met));
                let statements = Arc::clone(&statements);
                tokio::spawn(async move {
                    let is_met = tokio::select! {
                        is_met = pass(client, server, fault, &statements) => is_met,
                        _ = cut.changed() => false,
                    };
                    if is_met {
                        let name = format!("{fault:?}");
                        let name = name.split('(').next().unwrap().to_owned();
                        *met.lock().unwrap().entry(name).or_default() += 1;
                        cuts.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        proxy
    }

    /// Creates a proxy in front of a test's database, and options to connect through it.
    pub async fn in_front_of(
        database: &crate::Database,
        seed: u64,
        draw: impl FnMut(&mut Random) -> Fault + Send + 'static,
    ) -> (Self, PgConnectOptions) {
        let direct: PgConnectOptions = database.url.parse().unwrap();
        let server = format!("{}:{}", direct.get_host(), direct.get_port());
        let proxy = Self::new(server, seed, draw).await;
        let through = direct.host("127.0.0.1").port(proxy.port);
        (proxy, through)
    }

    /// Returns the statements that were forwarded since the last call.
    pub fn take_statements(&self) -> Vec<String> {
        std::mem::take(&mut *self.statements.lock().unwrap())
    }

    /// Accepts connections again.
    pub fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    /// Accepts no new connections; existing ones continue.
    pub fn take_no_more(&self) {
        self.open.store(false, Ordering::SeqCst);
    }

    /// Accepts no new connections, and cuts existing ones.
    pub fn close(&self) {
        self.take_no_more();
        self.cut.send_replace(());
    }
}

/// Forwards bytes until the client or the server closes its connection.
///
/// Returns whether the fault happened.
async fn pass(
    client: TcpStream,
    server: TcpStream,
    fault: Fault,
    statements: &Mutex<Vec<String>>,
) -> bool {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let silent = Arc::new(Notify::new());
    // The tasks end with this future, also when it is dropped.
    let mut answering = JoinSet::new();
    answering.spawn(answers(from_server, to_client, Arc::clone(&silent)));
    let (met, to_server, from_client) =
        requests(from_client, to_server, fault, &silent, statements).await;
    if !met {
        drop((to_server, from_client));
        let _ = answering.join_next().await;
        return false;
    }
    match fault {
        Fault::HalfOpen(_) => {
            // The server's responses are no longer read, but its socket stays open.
            silent.notify_one();
            let (from_server, to_client) = ends(&mut answering).await;
            drop((to_client, from_client));
            hold((from_server, to_server));
        }
        Fault::Silent(_) => {
            silent.notify_one();
            let ends = ends(&mut answering).await;
            hold((ends, to_server, from_client));
        }
        Fault::BeforeAnswer(_) => {
            let (mut from_server, _to_client) = ends(&mut answering).await;
            // The server has committed once it responds or disconnects.
            let _ = from_server.read(&mut [0]).await;
        }
        Fault::Bytes(_)
        | Fault::BeforeStatement(_)
        | Fault::WithStatement(_)
        | Fault::BeforeCommit(_)
        | Fault::WithCommit(_) => {}
    }
    true
}

/// Stops the task that forwards responses, and returns its halves of the connection.
async fn ends(
    answering: &mut JoinSet<(OwnedReadHalf, OwnedWriteHalf)>,
) -> (OwnedReadHalf, OwnedWriteHalf) {
    answering.join_next().await.unwrap().unwrap()
}

/// Keeps sockets open until the test ends.
fn hold(sockets: impl Send + 'static) {
    tokio::spawn(async move {
        let _sockets = sockets;
        std::future::pending::<()>().await;
    });
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    silent: Arc<Notify>,
) -> (OwnedReadHalf, OwnedWriteHalf) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            biased;
            () = silent.notified() => return (from, to),
            read = from.read(&mut buffer) => read,
        };
        match read {
            Ok(length) if length > 0 && to.write_all(&buffer[..length]).await.is_ok() => {}
            _ => {
                let _ = to.shutdown().await;
                return (from, to);
            }
        }
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    fault: Fault,
    silent: &Notify,
    statements: &Mutex<Vec<String>>,
) -> (bool, OwnedWriteHalf, OwnedReadHalf) {
    let mut buffer = vec![0; 16 * 1024];
    let mut frontend = Frontend::default();
    let (mut bytes, mut commits, mut executed) = (0_u64, 0_u64, 0_u64);
    loop {
        let length = match from.read(&mut buffer).await {
            Ok(length) if length > 0 => length,
            _ => return (false, to, from),
        };
        let chunk = &buffer[..length];
        // The end of the bytes that still reach the server, and whether its response is awaited.
        let mut cut: Option<(usize, bool)> = None;
        for (at, statement) in frontend.statements(chunk) {
            let is_commit = statement == "COMMIT";
            executed += 1;
            commits += u64::from(is_commit);
            let found = match fault {
                Fault::BeforeStatement(n) if executed == n => Some((at, false)),
                Fault::WithStatement(n) if executed == n => Some((length, false)),
                Fault::BeforeCommit(n) | Fault::HalfOpen(n) | Fault::Silent(n)
                    if is_commit && commits == n =>
                {
                    Some((at, false))
                }
                Fault::WithCommit(n) if is_commit && commits == n => Some((length, false)),
                Fault::BeforeAnswer(n) if is_commit && commits == n => Some((length, true)),
                _ => None,
            };
            cut = cut.or(found);
            if found.is_none_or(|(end, _)| end > at) {
                statements.lock().unwrap().push(statement);
            }
        }
        if let Fault::Bytes(limit) = fault
            && bytes + length as u64 > limit
        {
            cut = Some((usize::try_from(limit - bytes).unwrap(), false));
        }
        if let Some((end, awaits_answer)) = cut {
            if awaits_answer {
                silent.notify_one();
            }
            let _ = to.write_all(&chunk[..end]).await;
            return (true, to, from);
        }
        bytes += length as u64;
        if to.write_all(chunk).await.is_err() {
            return (false, to, from);
        }
    }
}

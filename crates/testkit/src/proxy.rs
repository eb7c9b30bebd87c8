//! A TCP proxy that cuts connections.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use testkit::sample::Random;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// The `COMMIT` of a client: a simple query.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Cut after this many bytes of the client: somewhere in a COPY.
    Bytes(u64),
    /// Cut before the COMMIT of this number reaches the server.
    BeforeCommit(u64),
    /// The COMMIT reaches the server, and both ends are cut at once.
    WithCommit(u64),
    /// The COMMIT reaches the server, which has answered when both ends are cut;
    /// the answer does not reach the client.
    BeforeAnswer(u64),
    /// The client is cut off before a COMMIT; the server never learns of it.
    HalfOpen(u64),
    /// From this COMMIT on nothing passes, and neither end notices.
    Silent(u64),
}

impl Fault {
    /// The connection lasts as long as its ends.
    pub(crate) const NONE: Self = Self::Bytes(u64::MAX);
}

/// A proxy in front of a server.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    /// The address of the server, `None` while there is no server. It may change.
    pub(crate) server: Arc<Mutex<Option<String>>>,
    /// Whether new connections are taken.
    open: Arc<AtomicBool>,
    cut: Arc<watch::Sender<()>>,
    /// The number of connections that were cut.
    pub(crate) cuts: Arc<AtomicU64>,
    /// The number of times each fault was met.
    pub(crate) met: Arc<Mutex<std::collections::BTreeMap<String, u64>>>,
}

impl Proxy {
    /// Every connection has a fault that `draw` gives it.
    pub(crate) async fn new(
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
        let server = Arc::new(Mutex::new(Some(server)));
        let proxy = Self {
            port,
            server: Arc::clone(&server),
            open: Arc::clone(&open),
            cut: Arc::clone(&cut),
            cuts: Arc::clone(&cuts),
            met: Arc::clone(&met),
        };
        tokio::spawn(async move {
            let mut random = Random::new(seed);
            loop {
                let Ok((client, _)) = listener.accept().await else {
                    // One that was gone before it was taken, or no more files for a moment.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                };
                // First, so that none slips through between the look and a cut.
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
                tokio::spawn(async move {
                    let is_met = tokio::select! {
                        is_met = pass(client, server, fault) => is_met,
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

    /// Takes connections, as it does at first.
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    /// Takes no new connections; those that are there go on.
    pub(crate) fn take_no_more(&self) {
        self.open.store(false, Ordering::SeqCst);
    }

    /// Takes no new connections, and cuts those that are there.
    pub(crate) fn close(&self) {
        self.take_no_more();
        self.cut.send_replace(());
    }
}

/// Passes bytes on until an end is closed, or the fault is met: then true.
async fn pass(client: TcpStream, server: TcpStream, fault: Fault) -> bool {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let silent = Arc::new(Notify::new());
    // They end with this future, also when that is dropped.
    let mut answering = JoinSet::new();
    answering.spawn(answers(from_server, to_client, Arc::clone(&silent)));
    let (met, to_server, from_client) = requests(from_client, to_server, fault, &silent).await;
    if !met {
        drop((to_server, from_client));
        let _ = answering.join_next().await;
        return false;
    }
    match fault {
        Fault::HalfOpen(_) => {
            // The answers of the server are read no more; its socket stays open.
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
            // The server has committed once it answers or disconnects.
            let _ = from_server.read(&mut [0]).await;
        }
        Fault::Bytes(_) | Fault::BeforeCommit(_) | Fault::WithCommit(_) => {}
    }
    true
}

/// The halves of the connection, from the task that forwards answers once it is stopped.
async fn ends(
    answering: &mut JoinSet<(OwnedReadHalf, OwnedWriteHalf)>,
) -> (OwnedReadHalf, OwnedWriteHalf) {
    answering.join_next().await.unwrap().unwrap()
}

/// Keeps sockets open until the test is over.
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
) -> (bool, OwnedWriteHalf, OwnedReadHalf) {
    let mut buffer = vec![0; 16 * 1024];
    let (mut bytes, mut commits) = (0_u64, 0_u64);
    loop {
        let length = match from.read(&mut buffer).await {
            Ok(length) if length > 0 => length,
            _ => return (false, to, from),
        };
        let chunk = &buffer[..length];
        // It comes alone: a client that waits for the end of a COPY before it sends it.
        let is_commit = chunk.ends_with(COMMIT);
        commits += u64::from(is_commit);
        let met = match fault {
            Fault::Bytes(limit) if bytes + length as u64 > limit => {
                let rest = usize::try_from(limit - bytes).unwrap();
                let _ = to.write_all(&chunk[..rest]).await;
                true
            }
            Fault::BeforeCommit(n) | Fault::HalfOpen(n) | Fault::Silent(n) => {
                is_commit && commits == n
            }
            Fault::WithCommit(n) if is_commit && commits == n => {
                let _ = to.write_all(chunk).await;
                true
            }
            Fault::BeforeAnswer(n) if is_commit && commits == n => {
                silent.notify_one();
                let _ = to.write_all(chunk).await;
                true
            }
            _ => false,
        };
        if met {
            return (true, to, from);
        }
        bytes += length as u64;
        if to.write_all(chunk).await.is_err() {
            return (false, to, from);
        }
    }
}

//! A TCP proxy that cuts connections.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use testkit::made::Random;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// The `COMMIT` of a client: a simple query.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Cut after so many bytes of the client: somewhere in a COPY.
    Bytes(u64),
    /// Cut before the COMMIT of this number reaches the server.
    BeforeCommit(u64),
    /// The COMMIT reaches the server, and both ends are cut at once.
    WithCommit(u64),
    /// The COMMIT reaches the server, and its answer not the client.
    BeforeAnswer(u64),
    /// The client is cut off before a COMMIT; the server does not learn of it.
    HalfOpen(u64),
    /// Nothing goes through any more from this COMMIT on, and nobody is told.
    Silent(u64),
}

/// A proxy in front of the server at this address.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    /// Whether connections are taken at all.
    pub(crate) open: Arc<AtomicBool>,
    /// How many connections were cut.
    pub(crate) cuts: Arc<AtomicU64>,
    /// How often each fault was met.
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
        let met = Arc::new(Mutex::default());
        let proxy = Self {
            port,
            open: Arc::clone(&open),
            cuts: Arc::clone(&cuts),
            met: Arc::clone(&met),
        };
        tokio::spawn(async move {
            let mut random = Random::new(seed);
            while let Ok((client, _)) = listener.accept().await {
                if !open.load(Ordering::SeqCst) {
                    continue;
                }
                let fault = draw(&mut random);
                let Ok(server) = TcpStream::connect(&server).await else {
                    continue;
                };
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let (cuts, met) = (Arc::clone(&cuts), Arc::clone(&met));
                tokio::spawn(async move {
                    if pass(client, server, fault).await {
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
}

/// Passes bytes on until an end is closed, or the fault is met: then true.
async fn pass(client: TcpStream, server: TcpStream, fault: Fault) -> bool {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let silent = Arc::new(tokio::sync::Notify::new());
    let answers = tokio::spawn(answers(from_server, to_client, Arc::clone(&silent)));
    let (met, to_server, from_client) = requests(from_client, to_server, fault, &silent).await;
    if !met {
        drop((to_server, from_client));
        let _ = answers.await;
        return false;
    }
    match fault {
        Fault::HalfOpen(_) => {
            // The answers of the server are read no more; its socket stays open.
            silent.notify_one();
            let (from_server, to_client) = answers.await.unwrap();
            drop((to_client, from_client));
            tokio::spawn(async move {
                sleep(Duration::from_secs(30)).await;
                drop((from_server, to_server));
            });
        }
        Fault::Silent(_) => {
            silent.notify_one();
            let ends = answers.await.unwrap();
            tokio::spawn(async move {
                sleep(Duration::from_secs(30)).await;
                drop((ends, to_server, from_client));
            });
        }
        _ => {
            answers.abort();
            drop((to_server, from_client));
        }
    }
    true
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    silent: Arc<tokio::sync::Notify>,
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
    silent: &tokio::sync::Notify,
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
                sleep(Duration::from_millis(50)).await;
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

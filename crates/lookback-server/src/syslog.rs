//! Syslog over UDP and TCP: its messages become log lines, and requests that they tell of.
//!
//! Syslog has no answers and no keys. So a receiver takes messages from its own machine and the
//! [`Network`]s that it is given, and memory is bounded: a datagram that finds no room in the queue is
//! dropped and counted, and a connection is not read until there is room.
//!
//! In reading order: `network`, who may send; `framing`, from the bytes of a connection to messages;
//! `receiving`, from sockets to the queue; `storing`, from the queue to records.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::{FixedOffset, Offset as _, Utc};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::server::{Server, Shared};

mod framing;
mod network;
mod receiving;
mod storing;

pub use network::Network;

/// The most bytes of a message; what is behind them is cut off.
const MOST_BYTES: usize = 64 * 1024;
/// The most bytes that wait to be stored, with what each message costs beside its text.
const QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// The most connections at a time.
const CONNECTIONS: usize = 256;

/// Receives syslog for a [`Server`].
///
/// ```no_run
/// use lookback_server::syslog::Syslog;
/// use lookback_server::{Server, Settings};
///
/// # async fn example(pool: sqlx::PgPool) -> std::io::Result<()> {
/// let server = Server::new(pool, Settings::default());
/// let socket = tokio::net::UdpSocket::bind("127.0.0.1:5514").await?;
/// let syslog = Syslog::new(&server).udp(socket);
/// let counts = syslog.counts();
/// syslog.serve(std::future::pending()).await;
/// println!("{counts}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Syslog {
    shared: Arc<Shared>,
    udp: Vec<UdpSocket>,
    tcp: Vec<TcpListener>,
    allowed: Vec<Network>,
    offset: FixedOffset,
    counts: Arc<Counts>,
}

impl Syslog {
    /// Creates a receiver without sockets.
    #[must_use]
    pub fn new(server: &Server) -> Self {
        Self {
            shared: server.shared(),
            udp: Vec::new(),
            tcp: Vec::new(),
            allowed: Vec::new(),
            offset: Utc.fix(),
            counts: Arc::default(),
        }
    }

    /// Receives datagrams of this socket.
    #[must_use]
    pub fn udp(mut self, socket: UdpSocket) -> Self {
        self.udp.push(socket);
        self
    }

    /// Receives messages over the connections of this socket.
    #[must_use]
    pub fn tcp(mut self, listener: TcpListener) -> Self {
        self.tcp.push(listener);
        self
    }

    /// Takes messages of these networks, too; without any, only those of the own machine.
    #[must_use]
    pub fn allow(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.allowed.extend(networks);
        self
    }

    /// Reads times without a zone as of this offset; UTC by default.
    #[must_use]
    pub fn offset(mut self, offset: FixedOffset) -> Self {
        self.offset = offset;
        self
    }

    /// The counts, which go on while it serves.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Receives and stores messages until `signal` is ready, and then stores those that wait, for
    /// 30 seconds at most.
    ///
    /// While the database cannot be used, messages wait in the queue.
    pub async fn serve(self, signal: impl Future<Output = ()> + Send) {
        let telemetry = &self.shared.telemetry;
        telemetry.observe_syslog(Arc::clone(&self.counts));
        let (stopping, stopped) = watch::channel(false);
        let (send, receive) = mpsc::unbounded_channel();
        let queue = Queue {
            room: Arc::new(Semaphore::new(QUEUE_BYTES)),
            send,
            allowed: self.allowed.into(),
            counts: Arc::clone(&self.counts),
        };
        let storing = storing::Storing {
            shared: self.shared,
            offset: self.offset,
            counts: self.counts,
            stopped: stopped.clone(),
        };
        let storing = tokio::spawn(storing.run(receive));
        let mut receiving = JoinSet::new();
        for socket in self.udp {
            receiving.spawn(receiving::datagrams(socket, queue.clone(), stopped.clone()));
        }
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        for listener in self.tcp {
            let (queue, places) = (queue.clone(), Arc::clone(&places));
            receiving.spawn(receiving::connections(
                listener,
                queue,
                places,
                stopped.clone(),
            ));
        }
        // The queue ends with its last sender.
        drop(queue);
        signal.await;
        let _received = stopping.send(true);
        while receiving.join_next().await.is_some() {}
        let _ended = storing.await;
    }
}

/// The way to the database: bounded by bytes.
#[derive(Clone)]
struct Queue {
    room: Arc<Semaphore>,
    send: mpsc::UnboundedSender<Message>,
    allowed: Arc<[Network]>,
    counts: Arc<Counts>,
}

/// A message that waits.
struct Message {
    bytes: Bytes,
    from: IpAddr,
    _room: OwnedSemaphorePermit,
}

/// What became of messages.
#[derive(Debug, Default)]
pub struct Counts {
    stored: AtomicU64,
    dropped: AtomicU64,
    cut: AtomicU64,
    refused: AtomicU64,
    not_allowed: AtomicU64,
}

impl Counts {
    /// Records that are stored.
    #[must_use]
    pub fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    /// Datagrams that found no room, and messages that could not be stored before the end.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Messages of more than 64 KiB, whose end is cut off.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    /// Messages that are no record, such as one of blanks.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Datagrams and connections of machines that may not send, and connections beyond 256.
    #[must_use]
    pub fn not_allowed(&self) -> u64 {
        self.not_allowed.load(Ordering::Relaxed)
    }

    /// All counts, by what became of the messages.
    pub(crate) fn by_result(&self) -> [(&'static str, u64); 5] {
        [
            ("stored", self.stored()),
            ("dropped", self.dropped()),
            ("cut", self.cut()),
            ("refused", self.refused()),
            ("not_allowed", self.not_allowed()),
        ]
    }

    /// Messages that were not stored, or not whole.
    #[must_use]
    pub fn losses(&self) -> u64 {
        self.dropped() + self.cut() + self.refused() + self.not_allowed()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} stored", self.stored())?;
        for (count, what) in [
            (self.dropped(), "dropped for want of room"),
            (self.cut(), "cut off at 64 KiB"),
            (self.refused(), "that are no record"),
            (self.not_allowed(), "from senders that are not allowed"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

fn add(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Ordering::Relaxed);
}

/// How long the messages that wait may take at the end.
const DRAIN: Duration = Duration::from_secs(30);

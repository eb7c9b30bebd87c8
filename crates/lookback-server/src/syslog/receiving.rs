//! From sockets to the queue.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::framing::{Frame, Framing};
use super::{MOST_BYTES, Message, QUEUE_BYTES, Queue, add};

/// What a message costs beside its bytes.
const COST: usize = 256;
/// How long a line end waits for a line that goes on with the message.
const IDLE: Duration = Duration::from_millis(20);
/// How long an error of a socket is waited out.
const PAUSE: Duration = Duration::from_millis(100);

impl Queue {
    fn is_allowed(&self, from: IpAddr) -> bool {
        let from = from.to_canonical();
        from.is_loopback() || self.allowed.iter().any(|network| network.contains(from))
    }

    fn room(bytes: usize) -> u32 {
        // A message is far below the limits of both.
        u32::try_from((bytes + COST).min(QUEUE_BYTES)).unwrap_or(u32::MAX)
    }

    /// Adds a message, or drops it if there is no room.
    fn offer(&self, bytes: &[u8], from: IpAddr) {
        let room = Arc::clone(&self.room).try_acquire_many_owned(Self::room(bytes.len()));
        let Ok(room) = room else {
            add(&self.counts.dropped, 1);
            return;
        };
        self.push(Bytes::copy_from_slice(bytes), from, room);
    }

    /// Adds a message as soon as there is room.
    async fn add(&self, frame: Frame, from: IpAddr) {
        let Frame { bytes, is_cut } = frame;
        add(&self.counts.cut, u64::from(is_cut));
        let room = Arc::clone(&self.room).acquire_many_owned(Self::room(bytes.len()));
        let Ok(room) = room.await else {
            return;
        };
        self.push(bytes.into(), from, room);
    }

    fn push(&self, bytes: Bytes, from: IpAddr, room: OwnedSemaphorePermit) {
        let message = Message {
            bytes,
            from,
            _room: room,
        };
        // Nobody stores it any more.
        if self.send.send(message).is_err() {
            add(&self.counts.dropped, 1);
        }
    }
}

/// Takes datagrams until the end.
pub(super) async fn datagrams(socket: UdpSocket, queue: Queue, mut stopped: watch::Receiver<bool>) {
    // A datagram has no more.
    let mut buffer = vec![0; MOST_BYTES];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            _ = stopped.wait_for(|is_stopping| *is_stopping) => return,
        };
        match received {
            Ok((length, from)) if queue.is_allowed(from.ip()) => {
                queue.offer(&buffer[..length], from.ip());
            }
            Ok(_) => add(&queue.counts.not_allowed, 1),
            // Such as the answer of a machine that does not exist.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Takes connections until the end, and reads each.
pub(super) async fn connections(
    listener: TcpListener,
    queue: Queue,
    places: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|is_stopping| *is_stopping) => break,
        };
        // Those that have ended.
        while open.try_join_next().is_some() {}
        let Ok((stream, from)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let place = Arc::clone(&places).try_acquire_owned();
        let (true, Ok(place)) = (queue.is_allowed(from.ip()), place) else {
            add(&queue.counts.not_allowed, 1);
            continue;
        };
        let (queue, stopped) = (queue.clone(), stopped.clone());
        open.spawn(async move {
            read(stream, from.ip(), &queue, stopped).await;
            drop(place);
        });
    }
    while open.join_next().await.is_some() {}
}

/// Reads the messages of a connection until its end, or that of the receiver.
async fn read(
    mut stream: TcpStream,
    from: IpAddr,
    queue: &Queue,
    mut stopped: watch::Receiver<bool>,
) {
    const CHUNK: usize = 8 * 1024;
    let mut framing = Framing::new(MOST_BYTES);
    let mut chunk = vec![0; CHUNK];
    loop {
        let reading = async {
            if framing.may_be_whole() {
                let read = tokio::time::timeout(IDLE, stream.read(&mut chunk)).await;
                read.ok()
            } else {
                Some(stream.read(&mut chunk).await)
            }
        };
        let read = tokio::select! {
            read = reading => read,
            _ = stopped.wait_for(|is_stopping| *is_stopping) => break,
        };
        let is_idle = match read {
            Some(Ok(0) | Err(_)) => break,
            Some(Ok(length)) => {
                framing.add(&chunk[..length]);
                false
            }
            None => true,
        };
        while let Some(frame) = framing.next(is_idle) {
            queue.add(frame, from).await;
        }
    }
    while let Some(frame) = framing.finish() {
        queue.add(frame, from).await;
    }
}

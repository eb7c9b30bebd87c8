//! Reads a stream without waiting for it longer than a moment.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// The time after which a stream that sends nothing is left for what else is to do.
const MOMENT: Duration = Duration::from_millis(100);
const CHUNK: usize = 64 * 1024;
/// The number of chunks that are read ahead.
const CHUNKS_AHEAD: usize = 8;

/// Ends a stream: what it has sent so far is still read.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndOfStream(Arc<AtomicBool>);

impl EndOfStream {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A reader that fails with [`io::ErrorKind::WouldBlock`] if nothing comes for a moment.
pub(super) struct StreamReader {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: io::Cursor<Vec<u8>>,
    end: EndOfStream,
}

impl StreamReader {
    /// Reads in a thread of its own, which ends with the stream or with the process.
    pub(super) fn spawn(mut stream: Box<dyn Read + Send>, end: EndOfStream) -> Self {
        let (sender, chunks) = sync_channel(CHUNKS_AHEAD);
        std::thread::spawn(move || {
            let mut buffer = vec![0; CHUNK];
            loop {
                let chunk = match stream.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(length) => Ok(buffer[..length].to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let is_last = chunk.is_err();
                if sender.send(chunk).is_err() || is_last {
                    return;
                }
            }
        });
        Self {
            chunks,
            chunk: io::Cursor::new(Vec::new()),
            end,
        }
    }
}

impl Read for StreamReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.chunk.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            match self.chunks.recv_timeout(MOMENT) {
                Ok(chunk) => self.chunk = io::Cursor::new(chunk?),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) if self.end.is_set() => return Ok(0),
                Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::WouldBlock.into()),
            }
        }
    }
}

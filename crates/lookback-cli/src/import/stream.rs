//! Reads a stream without waiting for it longer than a moment.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// The time after which a stream that sends nothing is left for what else is to do.
const MOMENT: Duration = Duration::from_millis(100);
const CHUNK: usize = 64 * 1024;
/// The most that a pipe holds.
const MAX_PIPE: usize = 1024 * 1024;
/// The number of chunks that are read ahead.
const CHUNKS_AHEAD: usize = 8;

/// Ends a stream: what it has sent so far is still read.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndOfStream(Arc<AtomicBool>);

impl EndOfStream {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A reader that fails with [`io::ErrorKind::WouldBlock`] if nothing comes for a moment.
pub(super) struct StreamReader {
    chunks: Receiver<io::Result<Chunk>>,
    chunk: io::Cursor<Vec<u8>>,
    is_last: bool,
    end: EndOfStream,
}

struct Chunk {
    bytes: Vec<u8>,
    /// Whether the stream was ended, and has everything that was sent before.
    is_last: bool,
}

impl StreamReader {
    /// Reads in a thread of its own, which ends with the stream or with the process.
    pub(super) fn spawn(mut stream: Box<dyn Read + Send>, end: EndOfStream) -> Self {
        let (sender, chunks) = sync_channel(CHUNKS_AHEAD);
        let end_of_thread = end.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0; CHUNK];
            let mut left = MAX_PIPE;
            loop {
                let is_ended = end_of_thread.is_set();
                let chunk = match stream.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(length) if is_ended => {
                        left = left.saturating_sub(length);
                        Ok(last(&buffer[..length], left == 0))
                    }
                    Ok(length) => Ok(Chunk {
                        bytes: buffer[..length].to_vec(),
                        is_last: false,
                    }),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let is_last = chunk.as_ref().map_or(true, |chunk| chunk.is_last);
                if sender.send(chunk).is_err() || is_last {
                    return;
                }
            }
        });
        Self {
            chunks,
            chunk: io::Cursor::new(Vec::new()),
            is_last: false,
            end,
        }
    }
}

/// The chunk of a stream that was ended: the last one if the pipe is empty, or if everything that it
/// had when the stream was ended was read. A program may go on sending.
fn last(bytes: &[u8], is_all: bool) -> Chunk {
    let lines = bytes.iter().rposition(|byte| *byte == b'\n');
    let end = match lines {
        Some(line_end) if is_all => line_end + 1,
        _ => bytes.len(),
    };
    Chunk {
        bytes: bytes[..end].to_vec(),
        is_last: is_all || bytes.len() < CHUNK,
    }
}

impl Read for StreamReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.chunk.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            if self.is_last {
                return Ok(0);
            }
            match self.chunks.recv_timeout(MOMENT) {
                Ok(chunk) => {
                    let chunk = chunk?;
                    self.is_last = chunk.is_last;
                    self.chunk = io::Cursor::new(chunk.bytes);
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) if self.end.is_set() => return Ok(0),
                Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::WouldBlock.into()),
            }
        }
    }
}

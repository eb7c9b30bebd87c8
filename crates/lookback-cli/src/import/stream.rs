//! Reads a stream without waiting for it longer than a moment, and keeps what is not stored yet.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::lines::MAX_LINE;

/// The time after which a stream that sends nothing is left for what else is to do.
const MOMENT: Duration = Duration::from_millis(100);
const CHUNK: usize = 64 * 1024;
/// The most that a pipe holds.
const MAX_PIPE: usize = 1024 * 1024;
/// The number of bytes that are read ahead, so that the program that sends them seldom waits.
const MAX_AHEAD: u64 = 8 * CHUNK as u64;
/// As [`MAX_AHEAD`], while all that comes is kept. What comes then goes to a temporary file.
const MAX_AHEAD_KEEPING: u64 = 8 * 1024 * 1024;
/// The most bytes in memory, read or not: a line may be longer than a batch.
const MAX_IN_MEMORY: u64 = 32 * 1024 * 1024;
/// The most bytes of the temporary file. The program that sends more waits.
pub(super) const MAX_SPILL: u64 = 1024 * 1024 * 1024;

/// Longer than a batch of what was read takes to be stored.
const MAX_WAIT: Duration = Duration::from_secs(5);

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

/// A reader of a stream that fails with [`io::ErrorKind::WouldBlock`] if nothing comes for a moment.
pub(super) struct StreamReader {
    buffer: Arc<StreamBuffer>,
    end: EndOfStream,
}

impl StreamReader {
    /// Reads in a thread of its own, which ends with the stream or with the process.
    pub(super) fn spawn(
        mut stream: Box<dyn Read + Send>,
        buffer: Arc<StreamBuffer>,
        end: EndOfStream,
    ) -> Self {
        let (of_thread, end_of_thread) = (Arc::clone(&buffer), end.clone());
        std::thread::spawn(move || {
            let of_thread = EndsWithThread(of_thread);
            let mut bytes = vec![0; CHUNK];
            let mut left = MAX_PIPE;
            loop {
                let is_ended = end_of_thread.is_set();
                match stream.read(&mut bytes) {
                    Ok(0) => return of_thread.0.end(Ok(())),
                    Ok(length) if is_ended => {
                        left = left.saturating_sub(length);
                        let chunk = last(&bytes[..length], left == 0);
                        of_thread.0.push(chunk.bytes);
                        if chunk.is_last {
                            return of_thread.0.end(Ok(()));
                        }
                    }
                    Ok(length) => of_thread.0.push(bytes[..length].to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return of_thread.0.end(Err(error)),
                }
            }
        });
        Self { buffer, end }
    }
}

impl Read for StreamReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.buffer.read(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.end.is_set() => Ok(0),
            read => read,
        }
    }
}

/// Reads what a stream sends from its start, and takes nothing of it: all of it comes again.
///
/// While it is there, what comes is kept, in a temporary file if need be. It ends where the stream
/// does. Where it has waited too long, or the stream is ended by a signal, it fails, then and ever
/// after: what comes behind is not known.
pub(super) struct StreamPeek {
    buffer: Arc<StreamBuffer>,
    end: EndOfStream,
    position: u64,
    /// How long it still waits, once the first bytes have come.
    patience: Duration,
    /// How much longer it waits for each [`CHUNK`] that comes.
    patience_of_chunk: Duration,
    has_failed: bool,
}

impl StreamPeek {
    pub(super) fn new(
        buffer: Arc<StreamBuffer>,
        end: EndOfStream,
        patience: Duration,
        patience_of_chunk: Duration,
    ) -> Self {
        buffer.set_keeping(true);
        Self {
            buffer,
            end,
            position: 0,
            patience,
            patience_of_chunk,
            has_failed: false,
        }
    }
}

impl Read for StreamPeek {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while !self.has_failed {
            let begun = Instant::now();
            let peeked = self.buffer.peek(self.position, bytes)?;
            if self.position > 0 {
                self.patience = self.patience.saturating_sub(begun.elapsed());
            }
            // It may also be lost bit by bit, to bytes that keep coming.
            self.has_failed = self.patience.is_zero() || (peeked.is_none() && self.end.is_set());
            if let Some(length) = peeked.filter(|_| !self.has_failed) {
                let chunks = |position: u64| u32::try_from(position / CHUNK as u64);
                let before = chunks(self.position).unwrap_or(u32::MAX);
                self.position += length as u64;
                let come = chunks(self.position).unwrap_or(u32::MAX) - before;
                self.patience += self.patience_of_chunk * come;
                return Ok(length);
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl Drop for StreamPeek {
    fn drop(&mut self) {
        self.buffer.set_keeping(false);
    }
}

/// Ends a buffer with an error if the thread that fills it has ended without an end of the stream:
/// by a panic.
struct EndsWithThread(Arc<StreamBuffer>);

impl Drop for EndsWithThread {
    fn drop(&mut self) {
        if self.0.lock().ended.is_none() {
            let failed = "the thread that reads has failed: this is a bug in lookback";
            self.0.end(Err(io::Error::other(failed)));
        }
    }
}

struct Chunk {
    bytes: Vec<u8>,
    /// Whether the stream was ended, and has everything that was sent before.
    is_last: bool,
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

/// What a stream has sent and is not stored yet: nothing else has it.
///
/// A program that sends faster than records are stored waits, as with any pipe. While the database
/// is away, it does not: what it sends goes to a temporary file. So it does while its start is
/// compared with what other imports have stored ([`StreamPeek`]).
#[derive(Debug, Default)]
pub(super) struct StreamBuffer {
    state: Mutex<Buffered>,
    changed: Condvar,
}

/// The bytes, by their position in the stream.
#[derive(Debug, Default)]
struct Buffered {
    /// What is in memory, from `start` on.
    chunks: VecDeque<Vec<u8>>,
    start: u64,
    /// What comes behind it.
    spill: Option<Spill>,
    /// Up to here, all is stored.
    stored: u64,
    /// Up to here, all was read.
    read: u64,
    /// Up to here, all has come.
    end: u64,
    /// Whether what comes is kept, so that the program that sends it does not wait: while the
    /// database is away, or while it is compared with what other imports have stored.
    is_keeping: bool,
    /// Whether bytes are kept only until they are read.
    is_forgetful: bool,
    /// Whether the temporary file cannot be written: then the program that sends waits.
    is_spill_full: bool,
    ended: Option<io::Result<()>>,
}

/// A temporary file.
#[derive(Debug)]
struct Spill {
    file: File,
    /// The position of its first byte.
    start: u64,
}

impl StreamBuffer {
    fn lock(&self) -> MutexGuard<'_, Buffered> {
        // No change of it can be left half done by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whether all that comes is to be kept.
    pub(super) fn set_keeping(&self, is_keeping: bool) {
        self.lock().is_keeping = is_keeping;
        self.changed.notify_all();
    }

    /// Creates one that keeps bytes only until they are read.
    pub(super) fn of_bytes_once_read() -> Self {
        let buffer = Self::default();
        buffer.lock().is_forgetful = true;
        buffer
    }

    /// Notes that all up to a position is stored.
    pub(super) fn set_stored(&self, position: u64) {
        self.lock().set_stored(position);
        self.changed.notify_all();
    }

    /// Writes what is not stored, and returns the number of bytes.
    pub(super) fn write_unstored(&self, out: &mut impl Write) -> io::Result<u64> {
        let mut state = self.lock();
        let mut position = state.start;
        for chunk in &state.chunks {
            let stored = usize::try_from(state.stored.saturating_sub(position));
            out.write_all(
                chunk
                    .get(stored.unwrap_or(usize::MAX)..)
                    .unwrap_or_default(),
            )?;
            position += chunk.len() as u64;
        }
        let (stored, end) = (state.stored, state.end);
        if let Some(spill) = &mut state.spill {
            let from = stored.max(spill.start);
            spill.file.seek(SeekFrom::Start(from - spill.start))?;
            io::copy(&mut (&spill.file).take(end - from), out)?;
        }
        Ok(end - stored)
    }

    /// Whether all that was read is stored.
    pub(super) fn is_all_stored(&self) -> bool {
        let state = self.lock();
        state.stored == state.end
    }

    /// Reads from a position, which is not stored yet, and moves none. Waits for a moment; `None`
    /// if nothing came, and 0 at the end.
    fn peek(&self, position: u64, bytes: &mut [u8]) -> io::Result<Option<usize>> {
        let state = self.lock();
        let nothing = |state: &mut Buffered| state.end <= position && state.ended.is_none();
        let waited = self.changed.wait_timeout_while(state, MOMENT, nothing);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.end > position {
            return state.copy_from(position, bytes).map(Some);
        }
        match &state.ended {
            None => Ok(None),
            Some(Ok(())) => Ok(Some(0)),
            // The import returns it.
            Some(Err(error)) => Err(error.kind().into()),
        }
    }

    /// Adds what has come. Waits for room.
    fn push(&self, bytes: Vec<u8>) {
        let mut state = self.lock();
        let mut has_waited = false;
        loop {
            // All was read, and is stored soon, unless it is part of a line whose rest is not here:
            // that of one that is longer than any that is stored, or that a full disk has no room
            // for. It is kept no longer, so that the rest can come.
            let is_all_read = state.read == state.end && !state.is_keeping;
            let is_too_long = state.read - state.stored > MAX_LINE as u64;
            if !state.has_room() && is_all_read && (is_too_long || has_waited) {
                let read = state.read;
                state.set_stored(read);
            }
            if state.has_room() && state.add(&bytes) {
                break;
            }
            let waited = self.changed.wait_timeout(state, MAX_WAIT);
            let (after, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            (state, has_waited) = (after, timeout.timed_out());
        }
        self.changed.notify_all();
    }

    fn end(&self, ended: io::Result<()>) {
        self.lock().ended = Some(ended);
        self.changed.notify_all();
    }

    /// Reads what has come. Waits for a moment.
    fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let state = self.lock();
        let nothing = |state: &mut Buffered| state.read == state.end && state.ended.is_none();
        let waited = self.changed.wait_timeout_while(state, MOMENT, nothing);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.read < state.end {
            let position = state.read;
            let length = state.copy_from(position, bytes)?;
            state.read += length as u64;
            if state.is_forgetful {
                let read = state.read;
                state.set_stored(read);
            }
            self.changed.notify_all();
            return Ok(length);
        }
        match &mut state.ended {
            None => Err(io::ErrorKind::WouldBlock.into()),
            // An error is returned once.
            Some(ended) => std::mem::replace(ended, Ok(())).map(|()| 0),
        }
    }
}

impl Buffered {
    fn set_stored(&mut self, position: u64) {
        self.stored = self.stored.max(position.min(self.read));
        while let Some(chunk) = self.chunks.front()
            && self.start + chunk.len() as u64 <= self.stored
        {
            self.start += chunk.len() as u64;
            self.chunks.pop_front();
        }
        if self.spill.is_some() && self.stored == self.end {
            (self.spill, self.start) = (None, self.end);
            self.is_spill_full = false;
        }
    }

    fn has_room(&self) -> bool {
        let ahead = self.end - self.read;
        match &self.spill {
            Some(spill) => self.end - spill.start < MAX_SPILL && !self.is_spill_full,
            None if self.is_keeping => ahead < MAX_AHEAD_KEEPING || !self.is_spill_full,
            None => ahead < MAX_AHEAD,
        }
    }

    /// Adds bytes, and returns whether it could.
    fn add(&mut self, bytes: &[u8]) -> bool {
        let is_in_memory = self.spill.is_none()
            && self.end - self.read < MAX_AHEAD_KEEPING
            && self.end - self.start < MAX_IN_MEMORY;
        if is_in_memory {
            match self.chunks.back_mut() {
                Some(last) if last.len() + bytes.len() <= CHUNK => last.extend_from_slice(bytes),
                _ => self.chunks.push_back(bytes.to_vec()),
            }
        } else if self.add_to_spill(bytes).is_err() {
            self.is_spill_full = true;
            return false;
        }
        self.end += bytes.len() as u64;
        true
    }

    fn add_to_spill(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.spill.is_none() {
            let file = tempfile::tempfile()?;
            let start = self.end;
            self.spill = Some(Spill { file, start });
        }
        if let Some(spill) = &mut self.spill {
            spill.file.seek(SeekFrom::Start(self.end - spill.start))?;
            spill.file.write_all(bytes)?;
        }
        Ok(())
    }

    /// Copies bytes from a position on.
    fn copy_from(&mut self, position: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let mut start = self.start;
        for chunk in &self.chunks {
            let end = start + chunk.len() as u64;
            if position < end {
                let from = usize::try_from(position - start).unwrap_or(chunk.len());
                return (&chunk[from..]).read(bytes);
            }
            start = end;
        }
        let Some(spill) = &mut self.spill else {
            return Ok(0);
        };
        spill.file.seek(SeekFrom::Start(position - spill.start))?;
        let left = self.end - position;
        (&mut spill.file).take(left).read(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A stream that counts what is taken of it.
    struct Counted {
        taken: Arc<AtomicUsize>,
        all: usize,
    }

    fn byte(position: usize) -> u8 {
        (position / 7 % 251).try_into().unwrap()
    }

    impl Read for Counted {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            let from = self.taken.load(Ordering::SeqCst);
            let length = bytes.len().min(self.all - from);
            for (index, value) in bytes[..length].iter_mut().enumerate() {
                *value = byte(from + index);
            }
            self.taken.store(from + length, Ordering::SeqCst);
            Ok(length)
        }
    }

    fn start(all: usize) -> (Arc<AtomicUsize>, Arc<StreamBuffer>, StreamReader) {
        let taken = Arc::new(AtomicUsize::new(0));
        let stream = Counted {
            taken: Arc::clone(&taken),
            all,
        };
        let buffer = Arc::new(StreamBuffer::default());
        let end = EndOfStream::default();
        let reader = StreamReader::spawn(Box::new(stream), Arc::clone(&buffer), end);
        (taken, buffer, reader)
    }

    /// Waits until the number that is taken does not change any more.
    fn settled(taken: &AtomicUsize) -> usize {
        let mut before = usize::MAX;
        loop {
            let now = taken.load(Ordering::SeqCst);
            if now == before {
                return now;
            }
            before = now;
            std::thread::sleep(MOMENT);
        }
    }

    fn assert_rest(mut reader: StreamReader, from: usize, all: usize) {
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert_eq!(rest.len(), all - from);
        assert!(
            (from..)
                .zip(&rest)
                .all(|(position, value)| *value == byte(position))
        );
    }

    #[test]
    fn stream_waits_for_its_reader_unless_the_database_is_away() {
        let all = 40 * 1024 * 1024;
        let (taken, buffer, mut reader) = start(all);
        let ahead = settled(&taken);
        assert!(
            ahead <= usize::try_from(MAX_AHEAD).unwrap() + 2 * CHUNK,
            "{ahead}"
        );
        let mut first = vec![0; 1_000];
        reader.read_exact(&mut first).unwrap();
        buffer.set_keeping(true);
        assert_eq!(settled(&taken), all);
        assert!(buffer.lock().spill.is_some());
        buffer.set_keeping(false);
        assert_rest(reader, 1_000, all);
        assert!(!buffer.is_all_stored());
        buffer.set_stored(all as u64);
        assert!(buffer.is_all_stored());
        let state = buffer.lock();
        assert!(state.spill.is_none() && state.chunks.is_empty());
    }

    #[test]
    fn unstored_bytes_are_those_behind_the_last_ones_that_are_stored() {
        let all = 20 * 1024 * 1024;
        let (taken, buffer, mut reader) = start(all);
        buffer.set_keeping(true);
        assert_eq!(settled(&taken), all);
        let mut read = vec![0; 12 * 1024 * 1024];
        reader.read_exact(&mut read).unwrap();
        for stored in [0, 5, CHUNK, 100_000, 9 * 1024 * 1024 + 3] {
            buffer.set_stored(stored as u64);
            let mut unstored = Vec::new();
            let length = buffer.write_unstored(&mut unstored).unwrap();
            assert_eq!(
                (length, unstored.len()),
                ((all - stored) as u64, all - stored)
            );
            let is_right = |(position, value): (usize, &u8)| *value == byte(position);
            assert!((stored..).zip(&unstored).all(is_right), "{stored}");
        }
        // What was not read cannot be stored.
        buffer.set_stored(all as u64);
        assert_eq!(buffer.lock().stored, read.len() as u64);
        assert_rest(reader, read.len(), all);
    }

    /// What is read of a stream with one byte that then fails.
    fn read_failing(fail: fn() -> io::Result<usize>) -> (Vec<u8>, String) {
        struct Failing(bool, fn() -> io::Result<usize>);
        impl Read for Failing {
            fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return self.1();
                }
                bytes[0] = b'x';
                Ok(1)
            }
        }
        let buffer = Arc::new(StreamBuffer::default());
        let end = EndOfStream::default();
        let mut reader = StreamReader::spawn(Box::new(Failing(false, fail)), buffer, end);
        let mut read = Vec::new();
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            match reader.read_to_end(&mut read) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    assert!(std::time::Instant::now() < deadline, "does not end");
                }
                Err(error) => return (read, error.to_string()),
                Ok(_) => panic!("ended without an error: {read:?}"),
            }
        }
    }

    /// A full disk: what was read is kept until it is stored, and a line goes on without it.
    #[test]
    fn full_spill_is_kept_until_it_is_stored_or_its_line_needs_room() {
        for is_stored in [true, false] {
            let buffer = Arc::new(StreamBuffer::default());
            buffer.set_keeping(true);
            let all = MAX_AHEAD_KEEPING + 2 * CHUNK as u64;
            for _ in 0..all / CHUNK as u64 {
                buffer.push(vec![b'x'; CHUNK]);
            }
            let mut bytes = vec![0; CHUNK];
            while buffer.read(&mut bytes).is_ok() {}
            assert!(buffer.lock().spill.is_some());
            buffer.lock().is_spill_full = true;
            buffer.set_keeping(false);
            let more = Arc::clone(&buffer);
            let pushing = std::thread::spawn(move || more.push(vec![b'y'; 10]));
            std::thread::sleep(MOMENT);
            assert!(!pushing.is_finished());
            assert_eq!(buffer.lock().stored, 0);
            if is_stored {
                buffer.set_stored(all);
            }
            pushing.join().unwrap();
            assert_eq!(buffer.read(&mut bytes).unwrap(), 10);
        }
    }

    #[test]
    fn error_of_stream_comes_behind_its_bytes() {
        let (read, error) = read_failing(|| Err(io::Error::other("gone")));
        assert_eq!((&*read, &*error), (&b"x"[..], "gone"));
    }

    #[test]
    fn panic_of_the_reading_thread_is_an_error() {
        let (read, error) = read_failing(|| panic!("a bug"));
        assert_eq!(read, b"x");
        assert!(error.contains("has failed: this is a bug"), "{error}");
    }
}

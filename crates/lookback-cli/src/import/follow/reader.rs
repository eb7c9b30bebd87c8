//! Reads whole lines of a followed file, and waits for more only a moment.

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::super::lines::MAX_LINE;
use super::super::stream::EndOfStream;
use super::live::{EndOfContent, Growth, LiveFile};

/// The time without new lines after which the reader is left for what else is to do.
const MOMENT: Duration = Duration::from_millis(100);

/// The time after a signal for which lines that are there are still read. What is left then is read
/// after the next start.
const LAST_READ: Duration = Duration::from_secs(2);

const CHUNK: usize = 64 * 1024;

enum Source {
    Live(LiveFile),
    /// A file that is complete, such as a rotated one.
    Complete(Box<dyn Read + Send>),
}

/// A reader that fails with [`io::ErrorKind::WouldBlock`] if nothing comes for a moment.
///
/// It keeps a line back until its end has come, so that none is ever stored in parts. It ends with
/// the content of the file, or at a signal.
pub(super) struct FollowReader {
    source: Source,
    buffer: Vec<u8>,
    /// The part of the buffer that was passed on.
    passed: usize,
    /// The part of the buffer that may be passed on.
    ready: usize,
    /// The position in the file of the end of the buffer.
    position: u64,
    /// The bytes before this position were imported, whether they end with a line or not.
    imported: u64,
    stop: EndOfStream,
    stopped: Option<Instant>,
    is_over: bool,
    end: Arc<OnceLock<EndOfContent>>,
}

impl FollowReader {
    /// Reads a file that grows. Sets `end` when its content has ended.
    pub(super) fn live(
        file: LiveFile,
        imported: u64,
        stop: EndOfStream,
        end: Arc<OnceLock<EndOfContent>>,
    ) -> Self {
        Self::new(Source::Live(file), imported, stop, end)
    }

    /// Reads a file that is complete.
    pub(super) fn complete(reader: Box<dyn Read + Send>, imported: u64, stop: EndOfStream) -> Self {
        Self::new(Source::Complete(reader), imported, stop, Arc::default())
    }

    fn new(
        source: Source,
        imported: u64,
        stop: EndOfStream,
        end: Arc<OnceLock<EndOfContent>>,
    ) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            passed: 0,
            ready: 0,
            position: 0,
            imported,
            stop,
            stopped: None,
            is_over: false,
            end,
        }
    }

    /// Reads more into the buffer; returns false if there is nothing at the moment.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.passed);
        self.passed = 0;
        self.ready = 0;
        let kept = self.buffer.len();
        self.buffer.resize(kept + CHUNK, 0);
        let growth = match &mut self.source {
            Source::Live(file) => file.read(&mut self.buffer[kept..]),
            Source::Complete(reader) => read(reader, &mut self.buffer[kept..]),
        };
        let length = match &growth {
            Ok(Growth::Bytes(length)) => *length,
            _ => 0,
        };
        self.buffer.truncate(kept + length);
        match growth? {
            Growth::Bytes(length) => {
                self.position += length as u64;
                self.release();
                Ok(true)
            }
            Growth::Nothing => Ok(false),
            Growth::End(end) => {
                // The rest of a line that was cut off comes no more, or is in a copy of the file.
                if !matches!(end, EndOfContent::Rewritten | EndOfContent::Left) {
                    self.ready = self.buffer.len();
                }
                let _ = self.end.set(end);
                self.is_over = true;
                Ok(true)
            }
        }
    }

    /// Passes on the lines of the buffer whose end has come.
    fn release(&mut self) {
        let lines = self.buffer.iter().rposition(|byte| *byte == b'\n');
        let lines = lines.map_or(0, |end| end + 1);
        let begin = self.position - self.buffer.len() as u64;
        let imported = usize::try_from(self.imported.saturating_sub(begin)).unwrap_or(usize::MAX);
        self.ready = lines.max(imported).min(self.buffer.len());
        // Only the beginning of such a line is kept anyway.
        if self.buffer.len() - self.ready > MAX_LINE {
            self.ready = self.buffer.len();
        }
    }

    /// The pause between two looks at the file: longer for one that has not grown for long.
    fn pause(&self) -> Duration {
        let quiet = match &self.source {
            Source::Live(file) => file.quiet(),
            Source::Complete(_) => Duration::ZERO,
        };
        match quiet.as_secs() {
            0 => MOMENT / 5,
            1..10 => MOMENT / 2,
            _ => 2 * MOMENT,
        }
    }
}

fn read(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<Growth> {
    loop {
        return match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) => Ok(Growth::End(EndOfContent::Replaced)),
            length => Ok(Growth::Bytes(length?)),
        };
    }
}

impl Read for FollowReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut waited = Duration::ZERO;
        loop {
            let lines = &self.buffer[self.passed..self.ready];
            if !lines.is_empty() || buffer.is_empty() {
                let length = lines.len().min(buffer.len());
                buffer[..length].copy_from_slice(&lines[..length]);
                self.passed += length;
                return Ok(length);
            }
            if self.is_over {
                return Ok(0);
            }
            if self.stop.is_set() {
                let since = *self.stopped.get_or_insert_with(Instant::now);
                if since.elapsed() >= LAST_READ {
                    self.is_over = true;
                    continue;
                }
            }
            if self.fill()? {
                continue;
            }
            if self.stopped.is_some() {
                self.is_over = true;
                continue;
            }
            if waited >= MOMENT {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let pause = self.pause();
            std::thread::sleep(pause);
            waited += pause;
        }
    }
}

//! Reads the lines of an input, with the position and the hash of the bytes before.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// The maximum length of a line; the rest of a longer one is skipped.
///
/// It is far above the largest valid record, so that an error reports the field, not the line.
pub(crate) const MAX_LINE: usize = 128 * 1024 * 1024;

/// The number of bytes at the start of an input whose hash is stored, too.
pub(crate) const START: usize = 1_024;

/// A position in the input, and the hash of the bytes before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mark {
    pub(crate) position: u64,
    pub(crate) lines: u64,
    hash: Sha256,
    /// The hash of the first bytes, once all of them are before it.
    start: Option<Arc<[u8; 32]>>,
}

impl Mark {
    /// The SHA-256 of the bytes before it.
    pub(crate) fn sha256(&self) -> String {
        hexadecimal(&self.hash.clone().finalize())
    }

    /// The SHA-256 of the first [`START`] bytes; `None` if fewer are before it.
    pub(crate) fn start_sha256(&self) -> Option<String> {
        self.start.as_ref().map(|hash| hexadecimal(&**hash))
    }

    /// Moves it behind bytes, with the first ones that were read.
    fn advance(&mut self, bytes: u64, start: &[u8]) {
        self.position += bytes;
        if self.start.is_none() && self.position >= START as u64 {
            self.start = Some(Arc::new(Sha256::digest(start).into()));
        }
    }
}

/// The SHA-256 of bytes at the start of an input, as [`Mark::start_sha256`].
pub(crate) fn start_sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// A line, without its line end.
#[derive(Debug)]
pub(crate) struct Line {
    /// The number of the line, from 1.
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
    /// Whether it was longer than [`MAX_LINE`] and is therefore truncated.
    pub(crate) cut: bool,
    /// Whether it has a line end; an incomplete last line may have none.
    pub(crate) ended: bool,
    /// The number of bytes, with the line end and the truncated part.
    length: u64,
    /// The hash state after the line.
    hash: Sha256,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    Line(Line),
    /// A stream has sent nothing for a moment.
    Waiting,
    End,
}

/// Reads lines; only [`Lines::pass`] moves the position.
pub(crate) struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    /// Lines that were put back.
    ahead: VecDeque<Line>,
    /// The start of a line whose end has not come yet, and its length.
    partial: (Vec<u8>, u64),
    /// Why no more can be read, until it was returned.
    failed: Option<io::Error>,
    read: u64,
    hash_read: Sha256,
    /// The first bytes, as far as they were read.
    start: Vec<u8>,
    /// The last byte that was skipped.
    last_skipped: Option<u8>,
    passed: Mark,
}

impl Lines {
    pub(crate) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self {
            reader: BufReader::with_capacity(256 * 1024, reader),
            ahead: VecDeque::new(),
            partial: (Vec::new(), 0),
            failed: None,
            read: 0,
            hash_read: Sha256::new(),
            start: Vec::new(),
            last_skipped: None,
            passed: Mark::default(),
        }
    }

    /// The current position.
    pub(crate) fn mark(&self) -> &Mark {
        &self.passed
    }

    /// Skips this number of bytes; returns false if the input has fewer.
    pub(crate) fn skip(&mut self, bytes: u64) -> io::Result<bool> {
        while self.passed.position < bytes {
            let chunk = match self.reader.fill_buf() {
                Err(error) if is_waiting(&error) => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                return Ok(false);
            }
            let left = usize::try_from(bytes - self.passed.position).unwrap_or(usize::MAX);
            let taken = chunk.len().min(left);
            self.passed.hash.update(&chunk[..taken]);
            #[expect(clippy::naive_bytecount, reason = "once per import, not worth a crate")]
            let lines = chunk[..taken].iter().filter(|byte| **byte == b'\n').count();
            self.passed.lines += lines as u64;
            keep_start(&mut self.start, &chunk[..taken]);
            self.passed.advance(taken as u64, &self.start);
            self.last_skipped = chunk[..taken].last().copied();
            self.reader.consume(taken);
        }
        self.read = self.passed.lines;
        self.hash_read = self.passed.hash.clone();
        Ok(true)
    }

    /// Whether what was skipped ends with a line, but for its line end, which may come next.
    pub(crate) fn is_behind_line(&mut self) -> bool {
        if self.last_skipped.is_none_or(|byte| byte == b'\n') {
            return true;
        }
        match self.reader.fill_buf() {
            Ok(next) => next.is_empty() || next.starts_with(b"\n") || next.starts_with(b"\r\n"),
            // A file that is followed may grow.
            Err(error) => is_waiting(&error),
        }
    }

    /// Whether the line that comes next looks like a part of the record before it: it is indented,
    /// as in a stack trace, or closes what a record of several lines has opened.
    pub(crate) fn is_before_continuation(&mut self) -> bool {
        const BEGINS: &[u8] = b" \t}])";
        let next = self.reader.fill_buf().ok();
        let next = next.and_then(|next| next.iter().find(|byte| !b"\r\n".contains(byte)));
        next.is_some_and(|byte| BEGINS.contains(byte))
    }

    pub(crate) fn at_end(&mut self) -> io::Result<bool> {
        if !self.ahead.is_empty() || self.partial.1 > 0 {
            return Ok(false);
        }
        if self.failed.is_some() {
            return Ok(false);
        }
        match self.reader.fill_buf() {
            Ok(chunk) => Ok(chunk.is_empty()),
            Err(error) if is_waiting(&error) => Ok(false),
            Err(error) => {
                self.failed = Some(error);
                Ok(false)
            }
        }
    }

    /// Reads the next line, without moving the position.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            match self.next_or_wait()? {
                Next::Line(line) => return Ok(Some(line)),
                Next::Waiting => {}
                Next::End => return Ok(None),
            }
        }
    }

    /// Reads the next line, unless none comes within a moment.
    ///
    /// An error comes after a moment without a line, so that what was read before it is stored.
    pub(crate) fn next_or_wait(&mut self) -> io::Result<Next> {
        if let Some(line) = self.ahead.pop_front() {
            return Ok(Next::Line(line));
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        match self.read_line() {
            Ok(Some(line)) => Ok(Next::Line(line)),
            Ok(None) => Ok(Next::End),
            Err(error) => {
                self.failed = Some(error).filter(|error| !is_waiting(error));
                Ok(Next::Waiting)
            }
        }
    }

    /// Moves the position behind a line, which must be the next one.
    pub(crate) fn pass(&mut self, line: &Line) {
        self.passed.advance(line.length, &self.start);
        self.passed.lines += 1;
        self.passed.hash.clone_from(&line.hash);
    }

    /// Puts lines back before the lines that come next.
    pub(crate) fn put_back(&mut self, lines: Vec<Line>) {
        for line in lines.into_iter().rev() {
            self.ahead.push_front(line);
        }
    }

    fn read_line(&mut self) -> io::Result<Option<Line>> {
        let (mut bytes, mut length) = std::mem::take(&mut self.partial);
        let mut ended = false;
        while !ended {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) => {
                    self.partial = (bytes, length);
                    return Err(error);
                }
            };
            if chunk.is_empty() {
                break;
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(chunk.len(), |end| end + 1);
            ended = end.is_some();
            self.hash_read.update(&chunk[..taken]);
            keep_start(&mut self.start, &chunk[..taken]);
            let content = &chunk[..taken - usize::from(ended)];
            let room = MAX_LINE.saturating_sub(bytes.len());
            bytes.extend_from_slice(&content[..content.len().min(room)]);
            length += taken as u64;
            self.reader.consume(taken);
        }
        if length == 0 {
            return Ok(None);
        }
        self.read += 1;
        let cut = length > bytes.len() as u64 + u64::from(ended);
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        if self.read == 1 && bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(Some(Line {
            number: self.read,
            bytes,
            cut,
            ended,
            length,
            hash: self.hash_read.clone(),
        }))
    }
}

fn is_waiting(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Adds bytes to the first ones, up to their number.
fn keep_start(start: &mut Vec<u8>, bytes: &[u8]) {
    let room = START - start.len();
    start.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

fn hexadecimal(hash: &[u8]) -> String {
    hash.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::Lines;

    fn lines(text: &'static [u8]) -> Lines {
        Lines::new(Box::new(text))
    }

    #[test]
    fn lines_have_numbers_and_positions() {
        let mut lines = lines(b"\xef\xbb\xbfone\r\n\ntwo");
        let mut found = Vec::new();
        while let Some(line) = lines.next().expect("readable") {
            lines.pass(&line);
            found.push((line.number, line.bytes, lines.mark().position, line.ended));
        }
        assert_eq!(
            found,
            [
                (1, b"one".to_vec(), 8, true),
                (2, b"".to_vec(), 9, true),
                (3, b"two".to_vec(), 12, false)
            ]
        );
        assert!(lines.at_end().expect("readable"));
    }

    #[test]
    fn error_comes_behind_the_lines_before_it() {
        use std::io::{self, Read};
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("damaged"))
            }
        }
        let mut lines = Lines::new(Box::new(b"one\ntwo\nthr".chain(Failing)));
        for text in ["one", "two"] {
            let line = lines.next().expect("readable").expect("a line");
            assert_eq!(line.bytes, text.as_bytes());
        }
        assert!(!lines.at_end().expect("no error yet"));
        assert!(matches!(lines.next_or_wait(), Ok(super::Next::Waiting)));
        assert!(!lines.at_end().expect("no error yet"));
        assert_eq!(lines.next_or_wait().unwrap_err().to_string(), "damaged");
    }

    #[test]
    fn hash_of_the_first_bytes_is_there_once_all_were_passed() {
        let text = format!(
            "{}\n{}\n{}\n",
            "a".repeat(600),
            "b".repeat(600),
            "c".repeat(9)
        );
        let text: &'static [u8] = text.leak().as_bytes();
        let expected = Some(super::start_sha256(&text[..super::START]));
        let mut read = lines(text);
        let mut found = Vec::new();
        while let Some(line) = read.next().expect("readable") {
            found.push(read.mark().start_sha256());
            read.pass(&line);
        }
        found.push(read.mark().start_sha256());
        assert_eq!(found, [None, None, expected.clone(), expected.clone()]);
        for (bytes, expected) in [(1_023, &None), (1_024, &expected), (1_210, &expected)] {
            let mut skipped = lines(text);
            assert!(skipped.skip(bytes).expect("readable"));
            assert_eq!(skipped.mark().start_sha256(), *expected, "{bytes}");
        }
    }

    #[test]
    fn lines_skip_reaches_same_mark_as_reading() {
        let text = b"one\ntwo\nthree\n";
        let mut read = lines(text);
        for _ in 0..2 {
            let line = read.next().expect("readable").expect("a line");
            read.pass(&line);
        }
        let mut skipped = lines(text);
        assert!(skipped.skip(8).expect("readable"));
        assert_eq!(skipped.mark().sha256(), read.mark().sha256());
        assert_eq!(skipped.mark().lines, 2);
        let line = skipped.next().expect("readable").expect("a line");
        assert_eq!((line.number, line.bytes), (3, b"three".to_vec()));
        assert!(!lines(text).skip(99).expect("readable"));
        for (bytes, is_behind) in [(0, true), (2, false), (3, true), (4, true), (14, true)] {
            let mut skipped = lines(text);
            assert!(skipped.skip(bytes).expect("readable"));
            assert_eq!(skipped.is_behind_line(), is_behind, "{bytes}");
        }
    }
}

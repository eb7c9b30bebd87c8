//! Inputs that are not text in UTF-8: compressed files and UTF-16, which are read, and others.

use std::io::{self, BufReader, Read};
use std::sync::{Arc, OnceLock};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::failure::Failure;
use crate::output::grouped;

/// The first bytes of a Parquet file.
pub(super) const PARQUET: &[u8] = b"PAR1";

/// The number of bytes at the start of an input that tell what it is.
pub(super) const MAX_START: usize = 8;

/// What is around the text of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    Gzip,
    Zstd,
    Bzip2,
    Utf16 { is_little_endian: bool },
}

impl Layer {
    /// Recognises a layer by the first bytes.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        let layers: [(&[u8], Self); 5] = [
            (b"\x1f\x8b", Self::Gzip),
            (b"\x28\xb5\x2f\xfd", Self::Zstd),
            (b"BZh", Self::Bzip2),
            (
                b"\xff\xfe",
                Self::Utf16 {
                    is_little_endian: true,
                },
            ),
            (
                b"\xfe\xff",
                Self::Utf16 {
                    is_little_endian: false,
                },
            ),
        ];
        layers
            .into_iter()
            .find(|(signature, _)| start.starts_with(signature))
            .map(|(_, layer)| layer)
            // `BZh` may be text; a block begins with the digits of pi.
            .filter(|layer| *layer != Self::Bzip2 || start.get(4..8) == Some(b"1AY&"))
    }

    /// What a file with it is.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Gzip => "compressed by gzip",
            Self::Zstd => "compressed by zstd",
            Self::Bzip2 => "compressed by bzip2",
            Self::Utf16 { .. } => "UTF-16",
        }
    }

    /// Returns a reader of what is inside.
    pub(super) fn reader(self, outer: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
        type Decoder = fn(Box<dyn Read + Send>) -> Box<dyn Read + Send>;
        let (program, decoder): (&str, Decoder) = match self {
            Self::Gzip => ("gzip", |outer| Box::new(MultiGzDecoder::new(outer))),
            Self::Zstd => ("zstd", |outer| Box::new(Frames::new(outer))),
            Self::Bzip2 => ("bzip2", |outer| Box::new(MultiBzDecoder::new(outer))),
            Self::Utf16 { is_little_endian } => {
                let mut outer = BufReader::new(outer);
                // The mark at the start is no text.
                outer.read_exact(&mut [0; 2])?;
                return Ok(Box::new(Utf16Reader {
                    outer,
                    is_little_endian,
                    high: None,
                    text: io::Cursor::new(Vec::new()),
                }));
            }
        };
        let length = Arc::new(OnceLock::new());
        let compressed = CompressedReader {
            outer,
            read: 0,
            length: Arc::clone(&length),
        };
        Ok(Box::new(CutOffReader {
            decoder: decoder(Box::new(compressed)),
            length,
            program,
        }))
    }
}

/// Compressed bytes, whose number is known once all were read.
struct CompressedReader {
    outer: Box<dyn Read + Send>,
    read: u64,
    length: Arc<OnceLock<u64>>,
}

impl Read for CompressedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.outer.read(buffer)?;
        self.read += length as u64;
        if length == 0 && !buffer.is_empty() {
            let _ = self.length.set(self.read);
        }
        Ok(length)
    }
}

/// A reader of what is compressed that says of a file that was cut off where it ends: each decoder
/// has another text for it.
struct CutOffReader {
    decoder: Box<dyn Read + Send>,
    length: Arc<OnceLock<u64>>,
    program: &'static str,
}

impl Read for CutOffReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder
            .read(buffer)
            .map_err(|error| match self.length.get() {
                // It needed more than there is.
                Some(length) => io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!(
                        "it is cut off after {} bytes: what {} compressed has no end",
                        grouped(*length),
                        self.program
                    ),
                ),
                None => error,
            })
    }
}

/// The frames of zstd, which may be several.
struct Frames {
    outer: Option<BufReader<Box<dyn Read + Send>>>,
    frame: Option<Frame>,
}

type Frame = StreamingDecoder<BufReader<Box<dyn Read + Send>>, ruzstd::decoding::FrameDecoder>;

impl Frames {
    fn new(outer: Box<dyn Read + Send>) -> Self {
        Self {
            outer: Some(BufReader::new(outer)),
            frame: None,
        }
    }
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let length = frame.read(buffer)?;
                if length > 0 || buffer.is_empty() {
                    return Ok(length);
                }
                self.outer = self.frame.take().map(StreamingDecoder::into_inner);
            }
            let Some(mut outer) = self.outer.take() else {
                return Ok(0);
            };
            if io::BufRead::fill_buf(&mut outer)?.is_empty() {
                return Ok(0);
            }
            self.frame = Some(StreamingDecoder::new(outer).map_err(io::Error::other)?);
        }
    }
}

/// Reads UTF-16 as UTF-8.
struct Utf16Reader {
    outer: BufReader<Box<dyn Read + Send>>,
    is_little_endian: bool,
    /// The first half of a character.
    high: Option<u16>,
    text: io::Cursor<Vec<u8>>,
}

impl Read for Utf16Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const UNITS: usize = 4_096;
        loop {
            let length = self.text.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            let mut bytes = Vec::with_capacity(2 * UNITS);
            (&mut self.outer)
                .take(2 * UNITS as u64)
                .read_to_end(&mut bytes)?;
            if bytes.is_empty() && self.high.is_none() {
                return Ok(0);
            }
            let is_end = bytes.len() < 2 * UNITS;
            let unit = |pair: &[u8]| match *pair {
                [a, b] if self.is_little_endian => u16::from_le_bytes([a, b]),
                [a, b] => u16::from_be_bytes([a, b]),
                // Half a unit at the end.
                _ => 0xfffd,
            };
            let mut units: Vec<u16> = self.high.take().into_iter().collect();
            units.extend(bytes.chunks(2).map(unit));
            if let Some(last) = units.last().copied()
                && (0xd800..0xdc00).contains(&last)
                && !is_end
            {
                units.pop();
                self.high = Some(last);
            }
            self.text = io::Cursor::new(String::from_utf16_lossy(&units).into_bytes());
        }
    }
}

/// What an input is that import does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsupported {
    what: &'static str,
    /// The command that writes it as text in UTF-8; a file name follows.
    command: &'static str,
}

/// The first bytes of each.
const SIGNATURES: [(&[u8], Unsupported); 3] = [
    (b"\xfd7zXZ\0", compressed("compressed by xz", "xz -dc")),
    (
        b"\x04\x22\x4d\x18",
        compressed("compressed by lz4", "lz4 -dc"),
    ),
    (b"PK\x03\x04", compressed("a ZIP archive", "unzip -p")),
];

const fn compressed(what: &'static str, command: &'static str) -> Unsupported {
    Unsupported { what, command }
}

impl Unsupported {
    /// Recognises an input by its first bytes; `None` for everything else.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        SIGNATURES
            .iter()
            .find(|(signature, _)| start.starts_with(signature))
            .map(|(_, problem)| *problem)
    }

    /// What it is.
    pub(super) fn what(self) -> &'static str {
        self.what
    }

    /// The failure, with a command that imports the input.
    pub(super) fn failure(self, shown: &str, is_stdin: bool) -> Failure {
        let Self { what, command } = self;
        let (read, from) = if is_stdin {
            ("… |", String::new())
        } else {
            ("", format!(" {}", quoted(shown)))
        };
        let pipe = format!("{read} {command}{from} | lookback import - --name NAME");
        Failure::usage(format!("{shown} is {what}: expected text, or Parquet"))
            .hint(format!("convert it on the way: {}", pipe.trim_start()))
    }
}

/// A path as an argument of a shell.
pub(super) fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./,:=+@%".contains(c);
    if !path.is_empty() && path.chars().all(is_plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}

/// A hint on a line that is not JSON, where records of Lookback were expected.
///
/// `None` for a line that seems to be a damaged JSON object.
pub(super) fn hint_on_text(line: &[u8]) -> Option<String> {
    let line = line.trim_ascii();
    let what = match line.first()? {
        b'[' => "a JSON array",
        b'{' if line.len() == 1 => "JSON over several lines",
        b'{' => return None,
        _ => "plain text",
    };
    Some(format!(
        "this seems to be {what}, which import reads without --kind and --format"
    ))
}

#[cfg(test)]
mod tests {
    use super::{Unsupported, hint_on_text, quoted};

    #[test]
    fn unsupported_input_is_recognised_by_its_first_bytes() {
        let what = |start: &[u8]| Unsupported::of(start).map(|problem| problem.what);
        assert_eq!(what(b"PK\x03\x04"), Some("a ZIP archive"));
        assert_eq!(what(b"{\"message\""), None);
        assert_eq!(what(b"PAR1"), None);
        assert_eq!(what(b""), None);
    }

    #[test]
    fn text_hint_says_what_it_is() {
        let hint = |line: &str| hint_on_text(line.as_bytes());
        assert!(hint("[").is_some_and(|hint| hint.contains("a JSON array")));
        assert!(hint(" { ").is_some_and(|hint| hint.contains("over several lines")));
        assert!(hint("2026-01-01 INFO ready").is_some_and(|hint| hint.contains("plain text")));
        assert_eq!(hint("{\"message\": "), None);
        assert_eq!(hint(""), None);
        assert_eq!(quoted("a'b"), "'a'\\''b'");
    }
}

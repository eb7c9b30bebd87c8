//! The input of an import: a file or standard input, and its name.

use std::fmt::Write as _;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::convert::{CsvRows, ProtobufRows, RowsReader};
use super::encoding;
use super::lines::MAX_LINE;
use super::protobuf::{self, PushFile};
use super::stream::{EndOfStream, StreamBuffer, StreamPeek, StreamReader};
use crate::args::{Format, ImportArgs};
use crate::failure::Failure;
use crate::output::{self, grouped};

/// The input of an import, opened once.
///
/// If the file is replaced during the import, the new content is not read.
#[derive(Debug)]
pub(crate) struct Input {
    source: InputSource,
    shown: String,
    name: Option<String>,
    /// The path of a file as it was given.
    given: Option<PathBuf>,
    /// The full path of a file.
    path: Option<PathBuf>,
    identity: Option<Identity>,
    /// The format that was given, or that the extension of the file stands for.
    expected: Option<Format>,
    /// Whether the format was given.
    is_format_given: bool,
    /// The format of the content, once it was read.
    format: OnceLock<Format>,
    /// Ends a stream.
    end: EndOfStream,
    /// What a stream has sent and is not stored yet.
    buffer: Arc<StreamBuffer>,
    /// What a stream has sent, once a reader was made: `buffer`, unless it is converted.
    sent: OnceLock<Arc<StreamBuffer>>,
    /// Set if the content is not the bytes of the input: it is compressed, in UTF-16 or in protobuf.
    is_converted: OnceLock<()>,
    /// Whether it may be protobuf: no other format was given.
    may_be_protobuf: bool,
    /// What it is in protobuf, once it was read.
    protobuf: OnceLock<PushFile>,
    /// Whether it is a file that is read while it grows.
    is_followed: bool,
}

/// The most layers of compression and encoding.
const MAX_LAYERS: usize = 3;

#[derive(Debug)]
enum InputSource {
    /// A source that is read once, from its current position: standard input, a pipe, a device.
    Stream(Option<File>),
    /// A regular file, which has a length and can be read again.
    File { file: File, length: u64 },
}

impl Input {
    pub(crate) fn open(args: &ImportArgs) -> Result<Self, Failure> {
        let name = args.name.as_deref().map(checked_name).transpose()?;
        if args.input == Path::new("-") {
            if args.resume && name.is_none() {
                return Err(Failure::usage(
                    "--resume of standard input requires --name, which identifies the earlier import",
                ));
            }
            let source = stdin_file().unwrap_or(InputSource::Stream(None));
            let shown = "standard input".to_owned();
            let mut input = Self::of(source, shown, name, Identity::of_stdin());
            input.expect(args);
            return Ok(input);
        }
        let shown = shown_path(&args.input);
        let mut input = Self::open_file(&args.input, shown.clone(), name)
            .map_err(|error| Failure::failed(format!("{shown}: {error}")))?;
        input.expect(args);
        input.expected = input.expected.or_else(|| by_extension(&args.input));
        Ok(input)
    }

    fn of(
        source: InputSource,
        shown: String,
        name: Option<String>,
        identity: Option<Identity>,
    ) -> Self {
        Self {
            source,
            shown,
            name,
            given: None,
            path: None,
            identity,
            expected: None,
            is_format_given: false,
            format: OnceLock::new(),
            end: EndOfStream::default(),
            buffer: Arc::default(),
            sent: OnceLock::new(),
            is_converted: OnceLock::new(),
            may_be_protobuf: false,
            protobuf: OnceLock::new(),
            is_followed: false,
        }
    }

    /// Notes what the arguments say of its format.
    fn expect(&mut self, args: &ImportArgs) {
        self.expected = args.own_format();
        self.is_format_given = args.own_format().is_some();
        self.may_be_protobuf = may_be_protobuf(args);
    }

    /// The content of a file that is read while it grows, by a reader that `end` ends.
    pub(crate) fn followed(
        args: &ImportArgs,
        path: &Path,
        identity: Option<Identity>,
        end: EndOfStream,
    ) -> Result<Self, Failure> {
        let name = args.name.as_deref().map(checked_name).transpose()?;
        let shown = shown_path(path);
        let mut input = Self::of(InputSource::Stream(None), shown, name, identity).at(path);
        input.expect(args);
        input.may_be_protobuf = false;
        input.end = end;
        input.is_followed = true;
        Ok(input)
    }

    /// Notes its path. A file that was deleted, or was never in a folder, has none.
    fn at(mut self, path: &Path) -> Self {
        self.given = Some(path.to_owned());
        self.path = path.canonicalize().ok();
        self.name = self.name.or_else(|| self.path.as_deref().map(path_as_name));
        self
    }

    fn open_file(path: &Path, shown: String, name: Option<String>) -> Result<Self, String> {
        let read_error = |error: io::Error| format!("cannot be read: {error}");
        let file = File::open(path).map_err(read_error)?;
        let metadata = file.metadata().map_err(read_error)?;
        if metadata.is_dir() {
            return Err("is a folder, not a file".to_owned());
        }
        let identity = Identity::of(&metadata);
        // Only a regular file has a length, and the same content when it is read again.
        if !metadata.is_file() {
            let source = InputSource::Stream(Some(file));
            return Ok(Self::of(source, shown, name, identity));
        }
        let length = metadata.len();
        let source = InputSource::File { file, length };
        Ok(Self::of(source, shown, name, identity).at(path))
    }

    /// The name of the file without its extension, as a source of log lines; `app` without one.
    pub(crate) fn stem(&self) -> String {
        let stem = self.given.as_deref().and_then(Path::file_stem);
        stem.map_or_else(
            || "app".to_owned(),
            |stem| stem.to_string_lossy().into_owned(),
        )
    }

    /// What ends a stream.
    pub(super) fn end_of_stream(&self) -> EndOfStream {
        self.end.clone()
    }

    /// Ends a stream: what it has sent so far is still read. A file ends by itself.
    pub(crate) fn end_stream(&self) {
        self.end.set();
    }

    /// What a stream has sent and is not stored yet.
    pub(super) fn buffer(&self) -> &StreamBuffer {
        &self.buffer
    }

    /// Whether the content has to be records of Lookback: their format was given, or it is one
    /// that has no other.
    pub(crate) fn is_own_format(&self) -> bool {
        self.is_format_given || self.format() == Format::Parquet
    }

    /// Returns a reader of JSON lines from the start, or from the current position of a stream.
    ///
    /// # Errors
    ///
    /// The input cannot be read, or is of a form that import does not read.
    pub(crate) fn reader(&self) -> Result<Box<dyn Read + Send>, Failure> {
        let reader = self.content()?;
        let shown = self.shown.clone();
        Ok(Box::new(NamedReader {
            reader,
            shown,
            length: 0,
        }))
    }

    fn content(&self) -> Result<Box<dyn Read + Send>, Failure> {
        let mut bytes = self.bytes().map_err(|error| self.unreadable(&error))?;
        let mut start = Vec::new();
        // Compressed text may be of another encoding.
        for _ in 0..MAX_LAYERS {
            start.clear();
            read_start(&mut bytes, &mut start).map_err(|error| self.unreadable(&error))?;
            let Some(layer) = encoding::Layer::of(&start) else {
                break;
            };
            let _ = self.is_converted.set(());
            let whole = Box::new(io::Cursor::new(std::mem::take(&mut start)).chain(bytes));
            bytes = layer
                .reader(whole)
                .map_err(|error| self.unreadable(&error))?;
        }
        if let Some(problem) = encoding::Unsupported::of(&start) {
            return Err(problem.failure(&self.shown, self.is_stdin()));
        }
        let format = if start.starts_with(encoding::PARQUET) && self.expected.is_none() {
            Format::Parquet
        } else {
            self.expected.unwrap_or(Format::Jsonl)
        };
        let _ = self.format.set(format);
        let mut protobuf = None;
        if self.may_be_protobuf && format == Format::Jsonl {
            protobuf = protobuf::recognise(&mut start, &mut bytes, !self.is_file())
                .map_err(|error| self.unreadable(&error))?;
        }
        if let Some(file) = protobuf {
            let _ = self.is_converted.set(());
            let _ = self.protobuf.set(file);
        }
        let whole: Box<dyn Read + Send> = Box::new(io::Cursor::new(start).chain(bytes));
        if format == Format::Parquet {
            let rows = self.parquet(whole)?;
            // It has all of a stream.
            return Ok(self.sent_by(rows, EndOfStream::default()));
        }
        let sent = self.sent_by(whole, self.end.clone());
        Ok(self.as_lines(sent))
    }

    /// Reads a stream in a thread of its own, and keeps what it has sent. A file stays as it is.
    fn sent_by(&self, bytes: Box<dyn Read + Send>, end: EndOfStream) -> Box<dyn Read + Send> {
        if self.is_file() {
            return bytes;
        }
        let is_as_sent = self.format() == Format::Jsonl && self.protobuf().is_none();
        let buffer = if is_as_sent {
            Arc::clone(&self.buffer)
        } else {
            // The positions of its records are not those of its bytes.
            Arc::new(StreamBuffer::of_bytes_once_read())
        };
        let _ = self.sent.set(Arc::clone(&buffer));
        Box::new(StreamReader::spawn(bytes, buffer, end))
    }

    /// Converts what was read to JSON lines. Rows of Parquet are lines already.
    fn as_lines(&self, bytes: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        match (self.protobuf(), self.format()) {
            (Some(file), _) => {
                let rows = ProtobufRows::new(file, &self.shown, bytes);
                Box::new(RowsReader::new(rows))
            }
            (None, Format::Csv) => Box::new(RowsReader::new(CsvRows::new(bytes))),
            (None, Format::Jsonl | Format::Parquet) => bytes,
        }
    }

    /// Returns a reader of the JSON lines of a stream from its start, which takes nothing of it:
    /// see [`StreamPeek`]. `None` until [`Input::reader`] was called.
    pub(super) fn peek(
        &self,
        patience: Duration,
        patience_of_chunk: Duration,
    ) -> Option<Box<dyn Read + Send>> {
        let buffer = Arc::clone(self.sent.get()?);
        let peek = StreamPeek::new(buffer, self.end.clone(), patience, patience_of_chunk);
        Some(self.as_lines(Box::new(peek)))
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::failed(format!("{}: cannot be read: {error}", self.shown))
    }

    /// Returns the bytes of the input.
    fn bytes(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match &self.source {
            InputSource::Stream(None) => Box::new(io::stdin()),
            InputSource::Stream(Some(file)) => Box::new(file.try_clone()?),
            InputSource::File { file, length } => {
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(0))?;
                Box::new(WholeFile {
                    file,
                    length: *length,
                    read: 0,
                })
            }
        })
    }

    /// Returns a reader of Parquet. Its index is at the end, so a stream is stored first.
    #[cfg(feature = "parquet")]
    fn parquet(&self, mut whole: Box<dyn Read + Send>) -> Result<Box<dyn Read + Send>, Failure> {
        let file = match &self.source {
            InputSource::File { file, .. } => file.try_clone(),
            InputSource::Stream(_) => tempfile::tempfile().and_then(|mut file| {
                io::copy(&mut whole, &mut file)?;
                Ok(file)
            }),
        };
        let rows = file.and_then(super::convert::ParquetRows::new);
        let rows = rows.map_err(|error| Failure::failed(format!("{}: {error}", self.shown)))?;
        Ok(Box::new(RowsReader::new(rows)))
    }

    #[cfg(not(feature = "parquet"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    fn parquet(&self, _whole: Box<dyn Read + Send>) -> Result<Box<dyn Read + Send>, Failure> {
        Err(Failure::usage("this program was built without Parquet")
            .hint("build lookback-cli with its feature `parquet`"))
    }

    /// The format of the content; JSON lines until a reader was made.
    pub(crate) fn format(&self) -> Format {
        self.format.get().copied().unwrap_or(Format::Jsonl)
    }

    /// What it is in protobuf; `None` until a reader was made.
    pub(crate) fn protobuf(&self) -> Option<PushFile> {
        self.protobuf.get().copied()
    }

    /// The noun for a part of the input with a number: `line`, `row` of Parquet, or `record` of
    /// protobuf.
    pub(crate) fn unit(&self) -> &'static str {
        match self.format() {
            _ if self.protobuf().is_some() => "record",
            Format::Parquet => "row",
            Format::Jsonl | Format::Csv => "line",
        }
    }

    /// Whether it is standard input.
    pub(crate) fn is_stdin(&self) -> bool {
        self.shown == "standard input"
    }

    /// The name that identifies this input in a later import.
    pub(crate) fn known_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The full path of a file.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether the file at a path is this one.
    pub(super) fn is_file_at(&self, path: &Path) -> bool {
        path.metadata().is_ok_and(|file| self.is_same(&file))
    }

    /// The name to store.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(UNNAMED)
    }

    /// The name to show.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether the input can be read again.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.source, InputSource::File { .. })
    }

    /// Whether it is a file that is read while it grows.
    pub(crate) fn is_followed(&self) -> bool {
        self.is_followed
    }

    /// Whether what was read of it is nowhere else.
    pub(crate) fn is_unrepeatable(&self) -> bool {
        !self.is_file() && !self.is_followed
    }

    /// The size of its JSON lines in bytes, if known.
    pub(crate) fn length(&self) -> Option<u64> {
        if self.format() != Format::Jsonl || self.is_converted.get().is_some() {
            return None;
        }
        match &self.source {
            InputSource::Stream(_) => None,
            InputSource::File { length, .. } => Some(*length),
        }
    }

    /// Whether this file is the input itself.
    pub(crate) fn is_same(&self, file: &Metadata) -> bool {
        self.identity.is_some() && self.identity == Identity::of(file)
    }
}

/// Whether an input may be protobuf, as far as the arguments say.
fn may_be_protobuf(args: &ImportArgs) -> bool {
    use lookback_formats::Format::{Loki, Otlp};

    args.own_format().is_none() && matches!(args.other_format(), None | Some(Otlp | Loki))
}

/// A file whose end is an error if it became shorter since it was opened: then what was read last
/// may be half a line.
struct WholeFile {
    file: File,
    /// Its length when it was opened.
    length: u64,
    read: u64,
}

impl Read for WholeFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.read += length as u64;
        // Some files of the system have a length of 0, whatever they contain.
        if length == 0 && !buffer.is_empty() && self.length > 0 {
            let most = self.length.max(self.read);
            let now = self.file.metadata()?.len();
            if now < most {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!(
                        "it was cut off from {} bytes to {} while it was read",
                        grouped(most),
                        grouped(now)
                    ),
                ));
            }
        }
        Ok(length)
    }
}

/// A reader whose errors have the name of the input, and that ends in a line without an end: a
/// device may send one.
struct NamedReader {
    reader: Box<dyn Read + Send>,
    shown: String,
    /// The length of the line that is being read.
    length: u64,
}

/// The most bytes of a line that is skipped because it is longer than [`MAX_LINE`].
const MAX_SKIPPED: u64 = 2 * MAX_LINE as u64;

impl Read for NamedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let named = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => error,
            _ if error.to_string().starts_with(&self.shown) => error,
            kind => io::Error::new(kind, format!("{}: cannot be read: {error}", self.shown)),
        };
        let read = self.reader.read(buffer).map_err(named)?;
        match buffer[..read].iter().rposition(|byte| *byte == b'\n') {
            Some(end) => self.length = (read - end) as u64,
            None => self.length += read as u64,
        }
        if self.length > MAX_SKIPPED {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{}: has a line of more than {} bytes: expected text, or another format that \
                     import reads",
                    self.shown,
                    grouped(MAX_SKIPPED)
                ),
            ));
        }
        Ok(read)
    }
}

/// Reads the first bytes, or fewer if the first line ends before: a stream may send no more for
/// long, and no form that is recognised has a line end there.
fn read_start(bytes: &mut impl Read, start: &mut Vec<u8>) -> io::Result<()> {
    while start.len() < encoding::MAX_START && start.last() != Some(&b'\n') {
        if bytes.take(1).read_to_end(start)? == 0 {
            break;
        }
    }
    Ok(())
}

/// The format that the extension of a file stands for.
pub(super) fn by_extension(path: &Path) -> Option<Format> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match &*extension {
        "gz" | "zst" | "bz2" => by_extension(&path.with_extension("")),
        "csv" => Some(Format::Csv),
        "parquet" => Some(Format::Parquet),
        "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
        _ => None,
    }
}

/// Standard input as a file, if it is one and nothing of it was read yet.
#[cfg(unix)]
fn stdin_file() -> Option<InputSource> {
    use std::os::fd::AsFd as _;

    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok()?;
    (metadata.is_file() && file.stream_position().ok()? == 0).then(|| InputSource::File {
        length: metadata.len(),
        file,
    })
}

#[cfg(not(unix))]
fn stdin_file() -> Option<InputSource> {
    None
}

/// The stored name of an unnamed input.
///
/// No other name is equal to it, so that no later import matches.
pub(super) const UNNAMED: &str = "-";

fn checked_name(name: &str) -> Result<String, Failure> {
    if name.trim().is_empty() {
        return Err(Failure::usage("--name: must not be blank"));
    }
    if name == UNNAMED {
        return Err(Failure::usage(
            "--name: must not be -, which stands for an unnamed input; omit --name, or give another",
        ));
    }
    Ok(name.to_owned())
}

/// A path on one line: a name may have line ends.
pub(super) fn shown_path(path: &Path) -> String {
    output::printable(&path.display().to_string())
}

/// Converts a full path to text, with bytes that are not UTF-8 as `\xff`.
///
/// Two paths never have the same text: the second form does not start with `/` and has its
/// backslashes doubled.
fn path_as_name(path: &Path) -> String {
    if let Some(text) = path.to_str() {
        return text.to_owned();
    }
    let mut name = "bytes:".to_owned();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        name.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(name, "\\x{byte:02x}");
        }
    }
    name
}

/// The identity of a file, independent of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
impl Identity {
    /// Returns `None` for a device: a terminal's output is not its input.
    pub(crate) fn of(file: &Metadata) -> Option<Self> {
        use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

        (!file.file_type().is_char_device()).then(|| Self {
            device: file.dev(),
            inode: file.ino(),
        })
    }

    fn of_stdin() -> Option<Self> {
        use std::os::fd::AsFd as _;

        let stdin = io::stdin().as_fd().try_clone_to_owned().ok()?;
        Self::of(&File::from(stdin).metadata().ok()?)
    }
}

#[cfg(not(unix))]
impl Identity {
    pub(crate) fn of(_file: &Metadata) -> Option<Self> {
        None
    }

    fn of_stdin() -> Option<Self> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::path_as_name;

    #[cfg(unix)]
    #[test]
    fn path_as_name_of_distinct_paths_is_distinct() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;

        let name = |bytes: &[u8]| path_as_name(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(name("/ä".as_bytes()), "/ä");
        assert_eq!(name(br"/a\xff"), r"/a\xff");
        assert_eq!(name(b"/a\xff"), r"bytes:/a\xff");
        assert_eq!(name(b"/a\xfe"), r"bytes:/a\xfe");
        assert_eq!(name(b"/a\\xfe\xfe"), r"bytes:/a\\xfe\xfe");
    }
}

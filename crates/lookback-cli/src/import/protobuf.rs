//! OpenTelemetry and Loki in protobuf: files are recognised by their content, and each record is a
//! line.
//!
//! Such a line is JSON: a body of that record alone, in Base64. So batches, positions and rejected
//! records are those of lines, and a file of rejected ones can be imported.

use std::io::{self, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lookback::Json;
use lookback_formats::Format;
use lookback_formats::push::{self, MAX_BYTES, ProtobufFile, Push};

use super::encoding::Layer;
use crate::output::{counted, grouped};

/// What a file of protobuf has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushFile {
    /// Messages of OpenTelemetry, each with its length before it.
    Messages,
    /// One message of OpenTelemetry.
    Message,
    /// One push to Loki.
    Loki,
}

impl PushFile {
    /// What a file with it is.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Messages | Self::Message => "OpenTelemetry in protobuf",
            Self::Loki => "a push to Loki in protobuf",
        }
    }
}

/// The start of a file that is read to recognise it: it should have a record.
const START: usize = 64 * 1024;

/// Recognises a file of protobuf. Reads more of it than its start, if that may be one.
///
/// # Errors
///
/// The file cannot be read.
pub(super) fn recognise(
    start: &mut Vec<u8>,
    rest: &mut dyn Read,
    is_stream: bool,
) -> io::Result<Option<PushFile>> {
    let is_candidate = |start: &[u8]| ProtobufFile::may_begin_with(start);
    while is_candidate(start) && start.len() < START {
        // A stream may send no more for long: what it has sent is to be stored.
        if is_stream && (is_line_of_text(start) || of_start(start).is_some()) {
            break;
        }
        if !read_more(start, rest, START)? {
            break;
        }
    }
    if !is_candidate(start) || is_text(start) {
        return Ok(None);
    }
    let found = of_start(start);
    if found == Some(PushFile::Loki) {
        while read_more(start, rest, MAX_BYTES + 1)? {}
        let options = lookback_formats::Options::default();
        // Text may begin as snappy does, but does not go on so.
        let is_push = start.len() > MAX_BYTES
            || push::records(Push::Loki, start, &options, MAX_BYTES).is_ok();
        return Ok(found.filter(|_| is_push));
    }
    Ok(found)
}

/// Recognises a followed file by its first bytes.
pub(super) fn is_start(start: &[u8]) -> bool {
    !is_text(start) && of_start(start).is_some()
}

/// The error of a file that is one message, which has to be read as a whole.
pub(super) fn too_large(shown: &str) -> io::Error {
    let most = grouped(MAX_BYTES as u64);
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "{shown}: has one message of more than {most} bytes: expected several smaller ones, as \
             the file exporter of the OpenTelemetry Collector writes them with `format: proto`"
        ),
    )
}

/// Reads more bytes, up to a length; returns false at the end, or if there are as many.
fn read_more(bytes: &mut Vec<u8>, rest: &mut dyn Read, length: usize) -> io::Result<bool> {
    let begin = bytes.len();
    bytes.resize(length.min(begin + START), 0);
    let read = loop {
        match rest.read(&mut bytes[begin..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read,
        }
    };
    bytes.truncate(begin + read.as_ref().map_or(0, |read| *read));
    Ok(read? > 0)
}

/// What a file is by its start, which is no text.
fn of_start(start: &[u8]) -> Option<PushFile> {
    match push::detect(start) {
        Some(ProtobufFile {
            push: Push::Loki, ..
        }) => return Some(PushFile::Loki),
        Some(file) if file.is_framed => return Some(PushFile::Messages),
        Some(_) => return Some(PushFile::Message),
        None if Push::is_of_metrics(start) => return Some(PushFile::Message),
        None => {}
    }
    // The first messages may have no records.
    let mut rest = start;
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let message = &behind[..length.min(behind.len())];
        let is_json = message.starts_with(b"{\"resource");
        let is_compressed = Layer::of(message) == Some(Layer::Zstd);
        let is_batch = push::detect(message).is_some_and(|file| !file.is_framed);
        if is_json || is_compressed || is_batch || Push::is_of_metrics(message) {
            return Some(PushFile::Messages);
        }
        rest = behind.get(length..)?;
    }
    None
}

/// Whether bytes are text: UTF-8, perhaps cut at the end, without the control characters that text
/// has not. Each record of protobuf has one of these before it.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(_) => bytes,
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        Err(_) => return false,
    };
    let is_of_text =
        |byte: &u8| !byte.is_ascii_control() || b"\t\n\r\x08\x0c\x1b\x7f".contains(byte);
    text.iter().all(is_of_text)
}

/// Whether the start of a stream has a line of text, which is to be stored.
fn is_line_of_text(start: &[u8]) -> bool {
    let has_line = start
        .split_inclusive(|byte| *byte == b'\n')
        .any(|line| line.ends_with(b"\n") && !line.trim_ascii().is_empty());
    has_line && is_text(start)
}

/// The start of each line of a record.
const BEGIN: &[u8] = b"{\"protobuf\":\"";
const BODY: &[u8] = b",\"base64\":\"";
const END: &[u8] = b"\"}";
/// The line of a message that is not whole yet: one without an end.
const INCOMPLETE: &[u8] = b"incomplete";
const METRICS: &[u8] = b"otlp-metrics\"}";
const INVALID: &str = "invalid";

/// The names of bodies of protobuf.
const NAMES: [(Push, &str); 3] = [
    (Push::OtlpLogs, "otlp-logs"),
    (Push::OtlpTraces, "otlp-traces"),
    (Push::Loki, "loki"),
];

/// A line of a record in protobuf.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RecordLine {
    /// A record, in a body of its own.
    Record(Push, Vec<u8>),
    /// A message of metrics.
    Metrics,
    /// What cannot be read, and why.
    Invalid(String),
    /// A message that has not been written to its end.
    Incomplete,
}

impl RecordLine {
    /// Reads a line; `None` is any other one.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let rest = line.strip_prefix(BEGIN)?;
        match rest {
            INCOMPLETE => return Some(Self::Incomplete),
            METRICS => return Some(Self::Metrics),
            _ => {}
        }
        for (push, name) in NAMES {
            let body = rest.strip_prefix(name.as_bytes());
            let body = body.and_then(|body| body.strip_prefix(b"\"")?.strip_prefix(BODY));
            if let Some(body) = body.and_then(|body| body.strip_suffix(END)) {
                let body = STANDARD.decode(body).ok()?;
                return Some(Self::Record(push, body));
            }
        }
        let Ok(Json::Object(map)) = Json::from_slice(line) else {
            return None;
        };
        let text = |name: &str| map.get(name).and_then(Json::as_str);
        (text("protobuf") == Some(INVALID))
            .then(|| text("problem").map(|problem| Self::Invalid(problem.to_owned())))?
    }

    /// The format of its record; `None` of what has none.
    pub(super) fn format(&self) -> Option<Format> {
        match self {
            Self::Record(Push::Loki, _) => Some(Format::Loki),
            Self::Record(..) | Self::Metrics => Some(Format::Otlp),
            Self::Invalid(_) | Self::Incomplete => None,
        }
    }
}

/// Appends the line of a record.
pub(super) fn push_record(out: &mut Vec<u8>, push: Push, body: &[u8]) {
    let name = NAMES.iter().find(|(of, _)| *of == push);
    out.extend_from_slice(BEGIN);
    out.extend_from_slice(name.map_or("", |(_, name)| name).as_bytes());
    out.push(b'"');
    push_body(out, body);
}

/// Appends the line of what cannot be read.
pub(super) fn push_invalid(out: &mut Vec<u8>, problem: &str, body: &[u8]) {
    let problem = Json::from(problem);
    out.extend_from_slice(BEGIN);
    out.extend_from_slice(format!("{INVALID}\",\"problem\":{problem}").as_bytes());
    push_body(out, body);
}

/// Appends the line of a message of metrics, which are not imported.
pub(super) fn push_metrics(out: &mut Vec<u8>) {
    out.extend_from_slice(BEGIN);
    out.extend_from_slice(METRICS);
    out.push(b'\n');
}

/// Appends the line of a message that is not whole, which has no end.
pub(super) fn push_incomplete(out: &mut Vec<u8>) {
    out.extend_from_slice(BEGIN);
    out.extend_from_slice(INCOMPLETE);
}

fn push_body(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(BODY);
    out.extend_from_slice(STANDARD.encode(body).as_bytes());
    out.extend_from_slice(END);
    out.push(b'\n');
}

/// What is in a file and not imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Spans that are no HTTP request of a server.
    pub(crate) spans: u64,
    /// Messages of metrics.
    pub(crate) metrics: u64,
}

impl Skipped {
    /// What it is, for messages; `None` of nothing.
    pub(super) fn shown(self) -> Option<String> {
        let of_server = if self.spans == 1 {
            "is no HTTP request of a server"
        } else {
            "are no HTTP requests of a server"
        };
        let spans =
            (self.spans > 0).then(|| format!("{}, which {of_server}", counted(self.spans, "span")));
        let metrics =
            (self.metrics > 0).then(|| format!("{} of metrics", counted(self.metrics, "message")));
        let all: Vec<String> = spans.into_iter().chain(metrics).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

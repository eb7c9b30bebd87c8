//! Records of OpenTelemetry and Loki in protobuf, each as a line.

use std::io::{self, Read};

use lookback_formats::Options;
use lookback_formats::push::{self, MAX_BYTES, ProtobufFile, Push};

use super::super::encoding::Layer;
use super::super::protobuf::{self, PushFile};
use super::Rows;
use crate::output::grouped;

/// The most bytes of a record with what is around it: more than one that can be decoded has.
const MAX_PART: usize = 20 * 1024 * 1024;

/// The bytes of what cannot be read that are kept.
const MAX_INVALID: usize = 16 * 1024 * 1024;

/// The bytes of a message that is too long that are kept.
const MAX_BEGINNING: usize = 64 * 1024;

/// Reads records, message by message.
pub(in crate::import) struct ProtobufRows {
    messages: Messages,
    file: PushFile,
    /// What the last message was: one may not say what it is.
    push: Option<Push>,
    /// The records of the message that is being read, each in a body of its own.
    records: Option<Box<dyn Iterator<Item = Vec<u8>> + Send>>,
}

impl ProtobufRows {
    /// `shown` names the file in an error.
    pub(in crate::import) fn new(file: PushFile, shown: &str, input: Box<dyn Read + Send>) -> Self {
        Self {
            messages: Messages {
                input,
                shown: shown.to_owned(),
                is_one: file != PushFile::Messages,
                buffer: Vec::new(),
                length: None,
                skipped: 0,
                is_over: false,
            },
            file,
            push: (file == PushFile::Loki).then_some(Push::Loki),
            records: None,
        }
    }

    /// Begins to read a message; returns true if it has become a line.
    fn begin(&mut self, message: Vec<u8>, out: &mut Vec<u8>) -> bool {
        let message = match plain(message) {
            Ok(message) => message,
            Err((problem, message)) => {
                protobuf::push_invalid(out, &problem, &message);
                return true;
            }
        };
        if message.first() == Some(&b'{') && self.file == PushFile::Messages {
            // Line ends in JSON are blanks.
            out.extend(message.iter().map(|byte| match byte {
                b'\n' => b' ',
                byte => *byte,
            }));
            out.push(b'\n');
            return true;
        }
        if self.file != PushFile::Loki {
            if Push::is_of_metrics(&message) {
                protobuf::push_metrics(out);
                return true;
            }
            if let Some(file) = push::detect(&message).filter(|file| is_batch(*file)) {
                self.push = Some(file.push);
            }
        }
        match self.push {
            Some(push) => self.records = Some(Box::new(push.split(message, MAX_BYTES))),
            // A batch without records has nothing to say.
            None => {
                let beginning = beginning(&message, MAX_INVALID).to_vec();
                if Push::OtlpLogs.split(message, MAX_BYTES).next().is_some() {
                    let problem = "the message is neither logs nor spans of OpenTelemetry";
                    protobuf::push_invalid(out, problem, &beginning);
                    return true;
                }
            }
        }
        false
    }
}

fn is_batch(file: ProtobufFile) -> bool {
    !file.is_framed && file.push != Push::Loki
}

impl Rows for ProtobufRows {
    fn next_line(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            if let (Some(records), Some(push)) = (&mut self.records, self.push) {
                if let Some(record) = records.next() {
                    push_record(out, push, &record);
                    return Ok(true);
                }
                self.records = None;
            }
            match self.messages.next()? {
                Some(Message::Whole(message)) => {
                    if self.begin(message, out) {
                        return Ok(true);
                    }
                }
                Some(Message::TooLong { length, beginning }) => {
                    protobuf::push_invalid(out, &too_long(length), &beginning);
                    return Ok(true);
                }
                Some(Message::Incomplete) => {
                    protobuf::push_incomplete(out);
                    return Ok(true);
                }
                None => return Ok(false),
            }
        }
    }
}

fn push_record(out: &mut Vec<u8>, push: Push, body: &[u8]) {
    if body.len() <= MAX_PART {
        return protobuf::push_record(out, push, body);
    }
    let options = Options::default();
    let problem = match push::records(push, body, &options, usize::MAX) {
        Ok(mut records) => records.next().and_then(Result::err),
        Err(problem) => Some(problem),
    };
    let problem = problem.map_or_else(
        || {
            let (most, length) = (grouped(MAX_PART as u64), grouped(body.len() as u64));
            format!("a record must have at most {most} bytes with its resource, got {length}")
        },
        |problem| problem.to_string(),
    );
    protobuf::push_invalid(out, &problem, beginning(body, MAX_INVALID));
}

fn too_long(length: u64) -> String {
    let (most, length) = (grouped(MAX_BYTES as u64), grouped(length));
    format!("a message must have at most {most} bytes, got {length}")
}

fn beginning(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or(bytes)
}

/// Decompresses a message: the Collector compresses each by itself. A problem comes with the bytes
/// that have it.
fn plain(message: Vec<u8>) -> Result<Vec<u8>, (String, Vec<u8>)> {
    let layer = Layer::of(&message).filter(|layer| *layer == Layer::Zstd);
    let Some(layer) = layer else {
        return Ok(message);
    };
    let start = beginning(&message, MAX_INVALID).to_vec();
    let mut plain = Vec::new();
    let read = layer
        .reader(Box::new(io::Cursor::new(message)))
        .and_then(|mut reader| fill(&mut plain, &mut reader, MAX_BYTES + 1));
    let problem = match read {
        Ok(false) => return Ok(plain),
        Ok(true) => {
            let most = grouped(MAX_BYTES as u64);
            format!("a message must have at most {most} bytes, decompressed")
        }
        Err(error) => format!("a message cannot be decompressed: {error}"),
    };
    Err((problem, start))
}

/// A message of a file.
enum Message {
    Whole(Vec<u8>),
    /// Longer than one that is read.
    TooLong {
        length: u64,
        beginning: Vec<u8>,
    },
    /// The end of the file is in it.
    Incomplete,
}

/// The messages of a file. After an error that asks to wait it can go on.
struct Messages {
    input: Box<dyn Read + Send>,
    shown: String,
    /// Whether all of it is one message.
    is_one: bool,
    /// What was read of the message, or of its length.
    buffer: Vec<u8>,
    /// The length of the message, once it was read.
    length: Option<usize>,
    /// The bytes that were skipped of one that is too long.
    skipped: usize,
    is_over: bool,
}

impl Messages {
    fn next(&mut self) -> io::Result<Option<Message>> {
        if self.is_over {
            return Ok(None);
        }
        if self.is_one {
            if self.fill(MAX_BYTES + 1)? {
                return Err(protobuf::too_large(&self.shown));
            }
            self.is_over = true;
            return Ok(Some(Message::Whole(std::mem::take(&mut self.buffer))));
        }
        let length = match self.length {
            Some(length) => length,
            None => {
                const LENGTH: usize = 4;
                if !self.fill(LENGTH)? {
                    self.is_over = true;
                    return Ok((!self.buffer.is_empty()).then_some(Message::Incomplete));
                }
                let length: [u8; LENGTH] = std::mem::take(&mut self.buffer)
                    .try_into()
                    .unwrap_or_default();
                *self.length.insert(u32::from_be_bytes(length) as usize)
            }
        };
        if length > MAX_BYTES {
            return self.skip(length).map(Some);
        }
        if !self.fill(length)? {
            self.is_over = true;
            return Ok(Some(Message::Incomplete));
        }
        self.length = None;
        Ok(Some(Message::Whole(std::mem::take(&mut self.buffer))))
    }

    /// Skips a message, and keeps its beginning.
    fn skip(&mut self, length: usize) -> io::Result<Message> {
        self.is_over = !self.fill(MAX_BEGINNING)?;
        let mut scratch = vec![0; MAX_BEGINNING];
        while !self.is_over && MAX_BEGINNING + self.skipped < length {
            let left = length - MAX_BEGINNING - self.skipped;
            let most = left.min(scratch.len());
            match read(&mut self.input, &mut scratch[..most])? {
                0 => self.is_over = true,
                read => self.skipped += read,
            }
        }
        self.length = None;
        self.skipped = 0;
        Ok(Message::TooLong {
            length: length as u64,
            beginning: std::mem::take(&mut self.buffer),
        })
    }

    fn fill(&mut self, length: usize) -> io::Result<bool> {
        fill(&mut self.buffer, &mut self.input, length)
    }
}

/// Reads until the buffer has this many bytes; returns false if the input ends before. The buffer
/// grows with what is there, not with what a length claims, and not beyond it.
fn fill(buffer: &mut Vec<u8>, input: &mut dyn Read, length: usize) -> io::Result<bool> {
    const STEP: usize = 256 * 1024;
    while buffer.len() < length {
        let begin = buffer.len();
        let end = length.min(begin + STEP);
        if buffer.capacity() < end {
            let most = length.min(2 * begin.max(STEP));
            buffer.reserve_exact(most - begin);
        }
        buffer.resize(end, 0);
        let read = read(input, &mut buffer[begin..]);
        buffer.truncate(begin + read.as_ref().map_or(0, |read| *read));
        if read? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read(input: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

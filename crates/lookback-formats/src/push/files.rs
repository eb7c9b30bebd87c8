//! Files of protobuf: recognised by their first bytes, and split into messages and records.

mod split;

use super::Push;
use super::protobuf::{Kind, LOG_RECORD, SPAN, Schema};
use super::wire::{Fields, Wire};
use crate::Problem;

/// What a file of protobuf has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtobufFile {
    /// What each message is.
    pub push: Push,
    /// Whether there are messages with their length before them, as the file exporter of the
    /// OpenTelemetry Collector writes them (see [`frames`]). Otherwise the file is one message.
    pub is_framed: bool,
}

impl ProtobufFile {
    /// Whether the first bytes may be those of such a file, so that it is worth to read more of it
    /// for [`detect`]: eight are enough to exclude most text. A message behind its length may be
    /// compressed by zstd, or JSON.
    #[must_use]
    pub fn may_begin_with(start: &[u8]) -> bool {
        match start {
            // A group, and one of its fields: 1 to 3, or what 2 was before.
            [0x0a, rest @ ..] => match behind_varint(rest) {
                Some(group) => matches!(group, [] | [0x0a | 0x12 | 0x1a | 0xc2, ..]),
                None => rest.len() < 5,
            },
            [0, 0, 0, 0, ..] => true,
            // A length of less than 128 MiB.
            [0..=7, _, _, _, message, ..] => matches!(message, 0x0a | 0x28 | b'{'),
            [0..=7, ..] => true,
            _ => begins_as_loki(start).is_some(),
        }
    }
}

/// Recognises OpenTelemetry in protobuf by the start of a file: the more of it, the surer; the
/// first record should be in it, so 64 KiB are a good length. A push to Loki is recognised, too, as
/// far as its start shows: [`records`](super::records) then says whether it can be decompressed.
///
/// `None` is anything else: text, metrics, a batch without records.
#[must_use]
pub fn detect(start: &[u8]) -> Option<ProtobufFile> {
    if let Some(push) = signal(start) {
        return Some(ProtobufFile {
            push,
            is_framed: false,
        });
    }
    let (length, rest) = start.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let message = &rest[..length.min(rest.len())];
    if let Some(push) = signal(message) {
        return Some(ProtobufFile {
            push,
            is_framed: true,
        });
    }
    let labels = begins_as_loki(start)?;
    (labels == Some(b'{')).then_some(ProtobufFile {
        push: Push::Loki,
        is_framed: false,
    })
}

/// Whether a body may be a push to Loki, compressed by snappy, as far as its start shows. Returns
/// the first byte of its labels, if it is in the start.
fn begins_as_loki(start: &[u8]) -> Option<Option<u8>> {
    // The length when it is decompressed, then bytes as they are, at first the two tags.
    let (tag, literal) = behind_varint(start)?.split_first()?;
    let length = match tag {
        tag if tag & 3 != 0 => return None,
        tag if *tag < 60 << 2 => 0,
        tag => usize::from(tag >> 2) - 59,
    };
    let mut rest = literal.get(length..)?;
    for _ in 0..2 {
        match rest.split_first() {
            Some((0x0a, behind)) => match behind_varint(behind) {
                Some(behind) => rest = behind,
                None => return Some(None),
            },
            Some(_) => return None,
            None => return Some(None),
        }
    }
    Some(rest.first().copied())
}

/// Returns the bytes behind a length.
fn behind_varint(bytes: &[u8]) -> Option<&[u8]> {
    let last = bytes.iter().take(5).position(|byte| *byte < 0x80)?;
    Some(&bytes[last + 1..])
}

impl Push {
    /// Whether a message is a batch of OpenTelemetry's metrics, in protobuf, as far as its first one
    /// shows.
    #[must_use]
    pub fn is_of_metrics(message: &[u8]) -> bool {
        let is_metric = |record: &[u8]| {
            let mut has_data = false;
            for field in Fields::of_start(record) {
                match field {
                    Ok((1..=3 | 12, Wire::Bytes(_))) => {}
                    Ok((5 | 7 | 9 | 10 | 11, Wire::Bytes(_))) => has_data = true,
                    _ => return false,
                }
            }
            has_data
        };
        signal(message).is_none() && first_record(message).is_some_and(is_metric)
    }
}

/// Finds what the first record is.
fn signal(message: &[u8]) -> Option<Push> {
    first_record(message).and_then(of_record)
}

fn first_record(message: &[u8]) -> Option<&[u8]> {
    for group in Fields::of_start(message) {
        let (1, Wire::Bytes(group)) = group.ok()? else {
            return None;
        };
        for scoped in Fields::of_start(group) {
            let scoped = match scoped.ok()? {
                (2, Wire::Bytes(scoped)) => scoped,
                // 1000 is what scopes were before they had this name.
                (1 | 3 | 1000, Wire::Bytes(_)) => continue,
                _ => return None,
            };
            for record in Fields::of_start(scoped) {
                match record.ok()? {
                    (2, Wire::Bytes(record)) => return Some(record),
                    (1 | 3, Wire::Bytes(_)) => {}
                    _ => return None,
                }
            }
        }
    }
    None
}

fn of_record(record: &[u8]) -> Option<Push> {
    // A field that the other signals have not, or have otherwise.
    let is_log = |number: u32, value: Wire<'_>| match value {
        Wire::Fixed64(_) => matches!(number, 1 | 11),
        Wire::Varint(_) => number == 2,
        Wire::Bytes(_) => number == 5,
        Wire::Fixed32(_) => false,
    };
    let is_span =
        |number: u32, value: Wire<'_>| matches!((number, value), (7 | 8, Wire::Fixed64(_)));
    if fits(record, LOG_RECORD, is_log) {
        Some(Push::OtlpLogs)
    } else if fits(record, SPAN, is_span) {
        Some(Push::OtlpTraces)
    } else {
        None
    }
}

/// Whether all fields are of a message's types, and one of them says that it is this message.
fn fits(record: &[u8], schema: Schema, says: impl Fn(u32, Wire<'_>) -> bool) -> bool {
    let mut has_said = false;
    for field in Fields::of_start(record) {
        let Ok((number, value)) = field else {
            return false;
        };
        let known = schema.iter().find(|known| known.0 == number);
        let is_of_type = known.is_none_or(|(_, _, kind)| match kind {
            Kind::Nanoseconds => matches!(value, Wire::Fixed64(_)),
            Kind::Count | Kind::Enum => matches!(value, Wire::Varint(_)),
            Kind::Flags => matches!(value, Wire::Fixed32(_)),
            _ => matches!(value, Wire::Bytes(_)),
        });
        if !is_of_type {
            return false;
        }
        has_said |= says(number, value);
    }
    has_said
}

/// Splits a file into messages, each of which has its length before it, in four bytes, the most
/// significant one first. After an error there are none.
#[must_use]
pub fn frames(bytes: &[u8]) -> Frames<'_> {
    Frames { rest: bytes }
}

/// The messages of a file: see [`frames`].
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// The bytes that are not returned yet, or not whole.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<&'a [u8], Problem>;

    /// The next message. Bytes that are less than one are left in [`Frames::rest`], since more may
    /// come; a length that is zero, or that of more than 2 GiB, is an error.
    fn next(&mut self) -> Option<Self::Item> {
        const MOST: u32 = 1 << 31;
        let (length, rest) = self.rest.split_first_chunk()?;
        let length = u32::from_be_bytes(*length);
        if length == 0 || length > MOST {
            self.rest = &[];
            return Some(Err(Problem::new(format!(
                "a message must have 1 to {MOST} bytes, its length says {length}"
            ))));
        }
        let (message, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.rest = rest;
        Some(Ok(message))
    }
}

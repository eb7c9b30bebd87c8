//! What holds for every input of the decoders.

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use chrono::{DateTime, FixedOffset};
use lookback::Json;
use lookback::query::check_new;
use lookback_formats::push::{self, Push};
use lookback_formats::{Decoder, Entry, Options};

/// Options at random.
#[derive(Arbitrary, Debug)]
pub struct AnyOptions {
    has_source: bool,
    offset: i32,
    now: i64,
}

impl AnyOptions {
    /// Returns the options of the decoders.
    #[must_use]
    pub fn get(&self) -> Options {
        const DAY: i32 = 24 * 60 * 60;
        let default = Options::default();
        let source = if self.has_source { "named" } else { "app" };
        Options {
            source: source.to_owned(),
            offset: FixedOffset::east_opt(self.offset % DAY).unwrap_or(default.offset),
            // Until the year 2100.
            now: DateTime::from_timestamp(self.now.rem_euclid(4_102_444_800), 0)
                .unwrap_or(default.now),
            ..default
        }
    }
}

/// Decodes lines, and checks what becomes of them.
///
/// # Panics
///
/// A line is lost, a number is wrong, or a record cannot be stored.
pub fn check_lines(lines: &[&[u8]], options: Options) {
    let mut decoder = Decoder::new(options);
    let mut entries = Vec::new();
    let mut problems = Vec::new();
    for line in lines {
        if let Err(problem) = decoder.line(line, &mut entries) {
            problems.push(problem);
        }
        let open = decoder.open_since();
        assert!(open.is_none_or(|open| (1..=decoder.lines()).contains(&open)));
        assert!(!decoder.keeps_last_line() || open.is_some());
    }
    decoder.finish(&mut entries);
    assert_eq!(decoder.open_since(), None);
    assert_eq!(decoder.lines(), lines.len() as u64);
    let mut found = BTreeSet::new();
    let of_entries = entries.iter().map(|entry| &entry.lines);
    for range in of_entries.chain(problems.iter().map(|problem| problem.lines())) {
        assert!(1 <= *range.start() && range.start() <= range.end());
        assert!(*range.end() <= lines.len() as u64, "{range:?}");
        found.extend(range.clone());
    }
    for (number, line) in (1..).zip(lines) {
        assert!(
            found.contains(&number) || says_nothing(line),
            "line {number} is lost: {:?}",
            String::from_utf8_lossy(line)
        );
    }
    entries.iter().for_each(check_entry);
}

/// Whether nothing comes of a line: a blank one, a hole of zeros, or a batch that may be empty.
fn says_nothing(line: &[u8]) -> bool {
    const LISTS: [&str; 8] = [
        "resourceLogs",
        "resourceSpans",
        "streams",
        "entries",
        "events",
        "logEvents",
        "records",
        "log",
    ];
    fn has_list(value: &Json) -> bool {
        match value {
            Json::Object(map) => LISTS.iter().any(|name| map.contains_key(*name)),
            Json::Array(items) => items.iter().any(has_list),
            _ => false,
        }
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let is_hole = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
    // Several objects in a line.
    let has_name = || {
        let line = String::from_utf8_lossy(line);
        LISTS
            .iter()
            .any(|name| line.contains(&format!("\"{name}\"")))
    };
    match Json::from_slice(line) {
        Ok(value) => has_list(&value),
        Err(_) => line.iter().all(is_hole) || line.contains(&b'{') && has_name(),
    }
}

/// Checks that a record can be stored.
///
/// # Panics
///
/// It cannot, or there is none.
pub fn check_entry(entry: &Entry) {
    assert!(entry.log.is_some() || entry.request.is_some());
    if let Some(log) = &entry.log
        && let Err(error) = check_new(log)
    {
        panic!("{error}: {log:?}");
    }
    if let Some(request) = &entry.request
        && let Err(error) = check_new(&**request)
    {
        panic!("{error}: {request:?}");
    }
}

/// Decodes a body, and checks its records.
///
/// # Panics
///
/// A number is wrong, or a record cannot be stored.
pub fn check_push(push: Push, body: &[u8]) {
    const MOST: usize = 1024 * 1024;
    let Ok(pushed) = push::decode(push, body, &Options::default(), MOST) else {
        return;
    };
    let mut last = 0;
    for entry in &pushed.entries {
        let number = *entry.lines.start();
        assert!(number > last && number == *entry.lines.end());
        last = number;
        check_entry(entry);
    }
    let rejected = &pushed.rejected;
    assert!(rejected.first().len() as u64 <= rejected.count());
    assert_eq!(rejected.count() == 0, rejected.to_string().is_empty());
    let all = pushed.entries.len() as u64 + rejected.count() + pushed.skipped;
    assert!(last <= all);
    let parts = push.split(body.to_vec(), MOST).map(|part| {
        // What is around a record, and its compression, take more than the record alone.
        let pushed = push::decode(push, &part, &Options::default(), 8 * MOST);
        let pushed = pushed.expect("a part of a body is a body");
        pushed.entries.len() as u64 + pushed.rejected.count() + pushed.skipped
    });
    assert_eq!(parts.sum::<u64>(), all);
}

/// Bytes of protobuf at random, in the shape of messages in messages.
#[derive(Arbitrary, Debug)]
pub struct Message {
    fields: Vec<Field>,
}

#[derive(Arbitrary, Debug)]
struct Field {
    number: u8,
    value: Value,
}

#[derive(Arbitrary, Debug)]
enum Value {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Text(String),
    Bytes(Vec<u8>),
    Message(Message),
    /// A time of our days, in nanoseconds.
    Time(u32),
    /// A length that is not true.
    Wrong(u32),
}

impl Message {
    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for field in &self.fields {
            let tag = |kind: u64| varint(u64::from(field.number % 17) << 3 | kind);
            match &field.value {
                Value::Varint(number) => {
                    out.extend(tag(0));
                    out.extend(varint(*number));
                }
                Value::Fixed64(number) => {
                    out.extend(tag(1));
                    out.extend(number.to_le_bytes());
                }
                Value::Time(seconds) => {
                    let nanos = u64::from(*seconds) * 1_000_000_000 + 1;
                    out.extend(tag(1));
                    out.extend(nanos.to_le_bytes());
                }
                Value::Fixed32(number) => {
                    out.extend(tag(5));
                    out.extend(number.to_le_bytes());
                }
                Value::Text(text) => length_and(tag(2), text.as_bytes(), &mut out),
                Value::Bytes(bytes) => length_and(tag(2), bytes, &mut out),
                Value::Message(message) => length_and(tag(2), &message.encode(), &mut out),
                Value::Wrong(length) => {
                    out.extend(tag(2));
                    out.extend(varint(u64::from(*length)));
                }
            }
        }
        out
    }
}

/// Encodes a field of bytes.
#[must_use]
pub fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    length_and(varint(u64::from(number) << 3 | 2), bytes, &mut out);
    out
}

fn length_and(tag: Vec<u8>, bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(tag);
    out.extend(varint(bytes.len() as u64));
    out.extend_from_slice(bytes);
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

/// The body of a push: bytes as they are, or made.
#[derive(Arbitrary, Debug)]
pub enum Body {
    /// Any bytes.
    Raw(Vec<u8>),
    /// A batch of records, with a resource and a scope.
    Batch {
        /// What the records are of.
        resource: Message,
        /// What makes them.
        scope: Message,
        /// The records.
        records: Vec<Message>,
    },
}

impl Body {
    /// Encodes the body.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => bytes,
            Self::Batch {
                resource,
                scope,
                records,
            } => {
                let mut scoped = field(1, &scope.encode());
                for record in &records {
                    scoped.extend(field(2, &record.encode()));
                }
                let mut group = field(1, &resource.encode());
                group.extend(field(2, &scoped));
                field(1, &group)
            }
        }
    }
}

//! Splits a body into bodies of one record each.

use std::ops::Range;

use super::super::wire::{Fields, Wire};
use super::super::{Push, loki, records};
use crate::Options;

impl Push {
    /// Splits a body of protobuf into bodies of one record each, as they are asked for. Each has
    /// what the batch says once, such as the resource, so it means the same by itself. A part that
    /// cannot be read becomes a body that cannot be read.
    ///
    /// A body of anything else is returned as it is: JSON, or a push to Loki that cannot be
    /// decompressed or has more than `max_bytes` then.
    pub fn split(
        self,
        body: Vec<u8>,
        max_bytes: usize,
    ) -> impl Iterator<Item = Vec<u8>> + Send + use<> {
        let (path, body) = match self {
            Self::OtlpLogs | Self::OtlpTraces => (OTLP, Ok(body)),
            Self::Loki => (LOKI, loki::decompress(&body, max_bytes).map_err(|_| body)),
            Self::OtlpJson | Self::LokiJson => (LOKI, Err(body)),
        };
        let (body, whole) = match body {
            Ok(body) => (body, None),
            Err(whole) => (Vec::new(), Some(whole)),
        };
        let bodies = Bodies {
            push: self,
            path,
            open: vec![Level {
                rest: 0..body.len(),
                around: Vec::new(),
            }],
            body,
        };
        whole.into_iter().chain(bodies)
    }
}

/// The number of the field that leads to the records, in each message around them.
type Path = &'static [u32];

const OTLP: Path = &[1, 2, 2];
const LOKI: Path = &[1, 2];

/// The records of a body, each in a body of its own.
struct Bodies {
    push: Push,
    path: Path,
    body: Vec<u8>,
    /// The messages that are being read, from the outermost on.
    open: Vec<Level>,
}

/// A message around records.
struct Level {
    /// What is left of it in the body.
    rest: Range<usize>,
    /// The fields that its records need, as they are.
    around: Vec<u8>,
}

impl Bodies {
    /// Returns a part of the innermost message in a body of its own.
    fn alone(&self, part: &[u8]) -> Vec<u8> {
        let mut alone = part.to_vec();
        let around = self.open.iter().map(|level| &level.around);
        for (place, around) in around.enumerate().rev() {
            if place + 1 < self.open.len() {
                let length = alone.len();
                alone.splice(..0, tag_of_bytes(self.path[place], length));
            }
            alone.splice(..0, around.iter().copied());
        }
        alone
    }

    /// Begins to read a message. Returns what is around its records, if that cannot be read: they
    /// have to do without it.
    fn open(&mut self, message: Range<usize>) -> Option<Vec<u8>> {
        let mut fields = Fields::new(&self.body[message.clone()]);
        // The resource, the scope, or the labels, and the URL of their schema.
        let (mut first, mut others) = (Vec::new(), Vec::new());
        loop {
            let before = fields.rest();
            let Some(Ok((number, _))) = fields.next() else {
                break;
            };
            let field = &before[..before.len() - fields.rest().len()];
            match number {
                1 => first.push(field.to_vec()),
                3 if self.path == OTLP => others.extend_from_slice(field),
                _ => {}
            }
        }
        self.open.push(Level {
            rest: message,
            around: first.concat(),
        });
        let bad = self.bad_around();
        if bad.is_some() {
            // What is before the bad one counts.
            let mut good = Vec::new();
            for field in first {
                self.open.last_mut()?.around.clone_from(&field);
                if self.bad_around().is_some() {
                    break;
                }
                good.extend(field);
            }
            self.open.last_mut()?.around = good;
        }
        self.open.last_mut()?.around.extend(others);
        bad
    }

    /// Returns what is around records in a body of its own, if it cannot be read.
    fn bad_around(&self) -> Option<Vec<u8>> {
        if self.push == Push::Loki {
            return None;
        }
        let alone = self.alone(&[]);
        let is_bad = records(self.push, &alone, &Options::default(), usize::MAX)
            .is_ok_and(|mut records| records.next().is_some());
        is_bad.then_some(alone)
    }

    fn next_plain(&mut self) -> Option<Vec<u8>> {
        loop {
            let depth = self.open.len();
            let level = self.open.last_mut()?;
            let message = &self.body[level.rest.clone()];
            let mut fields = Fields::new(message);
            let Some(field) = fields.next() else {
                self.open.pop();
                continue;
            };
            let begin = level.rest.start;
            let Ok((number, value)) = field else {
                level.rest.start = level.rest.end;
                return Some(self.alone(&self.body[begin..self.open[depth - 1].rest.end]));
            };
            let end = level.rest.end - fields.rest().len();
            level.rest.start = end;
            if number != self.path[depth - 1] {
                continue;
            }
            match value {
                Wire::Bytes(inner) if depth < self.path.len() => {
                    let inner = end - inner.len()..end;
                    if let Some(around) = self.open(inner) {
                        return Some(around);
                    }
                }
                _ => return Some(self.alone(&self.body[begin..end])),
            }
        }
    }
}

impl Iterator for Bodies {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let plain = self.next_plain()?;
        Some(match self.push {
            // A body of Loki is compressed; this cannot fail below 4 GiB.
            Push::Loki => snap::raw::Encoder::new()
                .compress_vec(&plain)
                .unwrap_or_default(),
            _ => plain,
        })
    }
}

/// The start of a field of bytes: its number, its type and its length.
fn tag_of_bytes(number: u32, length: usize) -> Vec<u8> {
    let mut start = Vec::new();
    for number in [u64::from(number << 3 | 2), length as u64] {
        let mut left = number;
        while left >= 0x80 {
            start.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        start.push(left as u8);
    }
    start
}

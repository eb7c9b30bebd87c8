//! Records as the body of one HTTP request.

use std::io::{self, Read as _, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use lookback_json::Json;

/// The most bytes of the lines of a chunk, before compression. A single larger record is a chunk.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A kind of records, which has a path of its own on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Requests,
    Logs,
    Windows,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Requests, Self::Logs, Self::Windows];

    /// Its name in the path of a URL, and in the name of a file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Logs => "logs",
            Self::Windows => "metrics",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Some records of a kind, as JSON lines that gzip has compressed.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) kind: Kind,
    pub(super) records: usize,
    /// Names this body to the server, which stores it once, however often it is sent.
    pub(super) key: String,
    pub(super) body: Bytes,
}

impl Chunk {
    /// Takes as many of the records, from the first on, as fit in a chunk.
    pub(super) fn encode<T>(
        kind: Kind,
        records: &[T],
        json: impl Fn(&T) -> Json,
    ) -> io::Result<Self> {
        let mut lines = Lines::new();
        for record in records {
            let line = json(record).to_string();
            if !lines.has_room_for(&line) {
                break;
            }
            lines.push(&line)?;
        }
        lines.finish(kind, format!("{:032x}", fastrand::u128(..)))
    }

    /// Splits it in two; `None` if it has one record, or cannot be read. The keys of the halves
    /// follow from its own: they are the same whenever it is split.
    pub(super) fn split(&self) -> Option<[Self; 2]> {
        if self.records < 2 {
            return None;
        }
        let mut text = String::new();
        GzDecoder::new(&*self.body).read_to_string(&mut text).ok()?;
        let mut rest = text.lines();
        let half = |lines: &mut dyn Iterator<Item = &str>, digit| {
            let mut half = Lines::new();
            for line in lines {
                half.push(line).ok()?;
            }
            half.finish(self.kind, format!("{}{digit}", self.key)).ok()
        };
        let first = half(&mut rest.by_ref().take(self.records / 2), '0')?;
        Some([first, half(&mut rest, '1')?])
    }
}

struct Lines {
    encoder: GzEncoder<Vec<u8>>,
    records: usize,
    bytes: usize,
}

impl Lines {
    fn new() -> Self {
        Self {
            encoder: GzEncoder::new(Vec::new(), Compression::fast()),
            records: 0,
            bytes: 0,
        }
    }

    fn has_room_for(&self, line: &str) -> bool {
        self.records == 0 || self.bytes + line.len() < MOST_BYTES
    }

    fn push(&mut self, line: &str) -> io::Result<()> {
        self.encoder.write_all(line.as_bytes())?;
        self.encoder.write_all(b"\n")?;
        self.records += 1;
        self.bytes += line.len() + 1;
        Ok(())
    }

    fn finish(self, kind: Kind, key: String) -> io::Result<Chunk> {
        Ok(Chunk {
            kind,
            records: self.records,
            key,
            body: self.encoder.finish()?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use lookback_json::Json;

    use super::{Chunk, Kind};

    fn text(chunk: &Chunk) -> String {
        let mut text = String::new();
        GzDecoder::new(&*chunk.body)
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    #[test]
    fn chunk_has_as_many_records_as_fit() {
        let record = "x".repeat(1024 * 1024);
        let chunk = Chunk::encode(Kind::Logs, &vec![record; 10], |text| {
            Json::from(text.as_str())
        });
        assert_eq!(chunk.unwrap().records, 3);
        let large = "x".repeat(9 * 1024 * 1024);
        let chunk = Chunk::encode(Kind::Logs, &[large.clone(), large], |text| {
            Json::from(text.as_str())
        });
        assert_eq!(chunk.unwrap().records, 1);
    }

    #[test]
    fn halves_of_a_chunk_have_all_its_records_and_keys_of_their_own() {
        let chunk = Chunk::encode(Kind::Windows, &[1_u64, 2, 3], |n| Json::from(*n)).unwrap();
        let [first, second] = chunk.split().unwrap();
        assert_eq!((text(&first), first.records), ("1\n".to_owned(), 1));
        assert_eq!((text(&second), second.records), ("2\n3\n".to_owned(), 2));
        let keys = ["0", "1"].map(|digit| format!("{}{digit}", chunk.key));
        assert_eq!([&first.key, &second.key], [&keys[0], &keys[1]]);
        assert_eq!(second.kind, Kind::Windows);
        assert!(first.split().is_none());
    }
}

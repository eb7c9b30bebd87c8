//! Bodies that programs push over HTTP or gRPC, and files of them: OpenTelemetry and Loki.
//!
//! ```
//! use lookback_formats::push::{self, Push};
//! use lookback_formats::Options;
//!
//! let body = br#"{"streams": [{"stream": {"app": "shop"}, "values": [["1791720794500000000", "stock is low"], 7]}]}"#;
//! let pushed = push::decode(Push::LokiJson, body, &Options::default(), push::MAX_BYTES)?;
//! let log = pushed.entries[0].log.as_ref().unwrap();
//! assert_eq!((log.source.as_str(), log.message.as_str()), ("shop", "stock is low"));
//! assert_eq!(pushed.rejected.count(), 1);
//! assert_eq!(pushed.rejected.to_string(), "record 2: values: must have arrays of a time and a line");
//! # Ok::<(), lookback_formats::Problem>(())
//! ```
//!
//! The protobuf form of a batch and its JSON form become the same entries. A record that cannot be
//! read is rejected with a reason, and the others are stored. An entry is checked for its table by
//! who stores it, as any other record is.
//!
//! The lines of an entry, and of a problem, are the number of the record in the body, from 1.

mod files;
mod loki;
mod protobuf;
mod wire;

use lookback::Json;
use lookback::value::JsonMap;

pub use self::files::{Frames, ProtobufFile, detect, frames};
use self::protobuf::Signal;
use crate::draft::Draft;
use crate::json::read::with_whole_surrogates;
use crate::json::{cloud, otlp};
use crate::time::Rules;
use crate::{Entry, Options, Problem};

/// The most bytes of a body, decompressed, that a server accepts by default: 64 MiB.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The most bytes of a record in protobuf. The columns of a log hold about half of it.
const MAX_RECORD: usize = 16 * 1024 * 1024;

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Push {
    /// OpenTelemetry's logs, in protobuf: an `ExportLogsServiceRequest`, or `LogsData`.
    OtlpLogs,
    /// OpenTelemetry's spans, in protobuf: an `ExportTraceServiceRequest`, or `TracesData`.
    /// Those of a server that are HTTP requests become requests; others are skipped.
    OtlpTraces,
    /// OpenTelemetry's logs or spans, in JSON.
    OtlpJson,
    /// A push to Loki: protobuf, compressed by snappy.
    Loki,
    /// A push to Loki in JSON.
    LokiJson,
}

/// Returns the records of a body, decoded one by one: an entry, or why it is rejected.
///
/// Each entry has its own copy of what the batch says once, such as a resource, so a body may
/// become many times its size. Store the entries as they come, and the memory in use is small: that
/// of a record, beside the body. A body of JSON is parsed as a whole, which takes tens of times its
/// size.
///
/// # Errors
///
/// The body has more than `max_bytes` (of Loki's protobuf: decompressed), or is nothing that can be
/// read.
pub fn records<'a>(
    push: Push,
    body: &'a [u8],
    options: &'a Options,
    max_bytes: usize,
) -> Result<Records<'a>, Problem> {
    if body.len() > max_bytes {
        return Err(too_large(body.len(), max_bytes));
    }
    let rules = Rules::new(options);
    let drafts: Drafts<'a> = match push {
        Push::OtlpLogs => Box::new(protobuf::records(body, Signal::Logs)?),
        Push::OtlpTraces => Box::new(protobuf::records(body, Signal::Traces)?),
        Push::OtlpJson => {
            let map = object(body)?;
            if !otlp::is_batch(&map) {
                return Err(Problem::new(
                    "the body must have resourceLogs or resourceSpans",
                ));
            }
            Box::new(otlp::records(map)?)
        }
        Push::Loki => {
            let body = loki::decompress(body, max_bytes)?;
            Box::new(loki::Lines::new(body, rules)?.map(|draft| draft.map(Some)))
        }
        Push::LokiJson => {
            let lines = cloud::loki_lines(object(body)?, rules)?;
            Box::new(lines.map(|draft| draft.map(Some)))
        }
    };
    Ok(Records {
        drafts,
        options,
        number: 0,
        skipped: 0,
    })
}

type Drafts<'a> = Box<dyn Iterator<Item = Result<Option<Draft>, Problem>> + Send + 'a>;

fn too_large(bytes: usize, most: usize) -> Problem {
    Problem::new(format!(
        "the body must have at most {most} bytes, got {bytes}: send it in parts"
    ))
}

fn object(body: &[u8]) -> Result<JsonMap, Problem> {
    let parsed = Json::from_slice(body).or_else(|error| {
        let fixed = with_whole_surrogates(body).ok_or(error)?;
        Json::from_slice(&fixed)
    });
    match parsed {
        Ok(Json::Object(map)) => Ok(map),
        Ok(_) => Err(Problem::new("the body must be an object of JSON")),
        Err(error) => Err(Problem::new(format!("the body is not JSON: {error}"))),
    }
}

/// The records of a body: see [`records`].
pub struct Records<'a> {
    drafts: Drafts<'a>,
    options: &'a Options,
    number: u64,
    skipped: u64,
}

impl Records<'_> {
    /// The number of spans so far that are no request of a server.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

impl std::fmt::Debug for Records<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Records")
            .field("number", &self.number)
            .field("skipped", &self.skipped)
            .finish_non_exhaustive()
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Entry, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let draft = self.drafts.next()?;
            self.number += 1;
            let lines = self.number..=self.number;
            match draft {
                Ok(Some(draft)) => return Some(Ok(draft.finish(self.options, &lines))),
                Ok(None) => self.skipped += 1,
                Err(problem) => return Some(Err(problem.at(&lines))),
            }
        }
    }
}

/// What a body becomes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pushed {
    /// The records that could be read.
    pub entries: Vec<Entry>,
    /// Those that could not.
    pub rejected: Rejected,
    /// The number of spans that are no request of a server, and are not stored.
    pub skipped: u64,
}

/// Records that are rejected: their number, and the reasons of the first ones.
///
/// Its text is that of OTLP's `error_message` of a partial success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    count: u64,
    first: Vec<Problem>,
}

impl Rejected {
    /// The most reasons that are kept.
    const MOST: usize = 10;

    /// Adds one.
    pub fn add(&mut self, problem: Problem) {
        self.count += 1;
        if self.first.len() < Self::MOST {
            self.first.push(problem);
        }
    }

    /// The number of them: what OTLP names `rejected_log_records` or `rejected_spans`.
    ///
    /// A part of a batch whose records cannot be found counts as one, and so does a resource that
    /// cannot be read, whose records are stored without it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The reasons of the first ten.
    #[must_use]
    pub fn first(&self) -> &[Problem] {
        &self.first
    }
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, problem) in self.first.iter().enumerate() {
            let before = if at == 0 { "" } else { "; " };
            write!(out, "{before}record {}: {problem}", problem.lines().start())?;
        }
        let more = self.count - self.first.len() as u64;
        if more > 0 {
            write!(out, "; and {more} more")?;
        }
        Ok(())
    }
}

/// Decodes a whole body.
///
/// All entries are in memory at a time: [`records`] has the words on that.
///
/// # Errors
///
/// As [`records`].
pub fn decode(
    push: Push,
    body: &[u8],
    options: &Options,
    max_bytes: usize,
) -> Result<Pushed, Problem> {
    let mut pushed = Pushed::default();
    let mut records = records(push, body, options, max_bytes)?;
    for record in &mut records {
        match record {
            Ok(entry) => pushed.entries.push(entry),
            Err(problem) => pushed.rejected.add(problem),
        }
    }
    pushed.skipped = records.skipped();
    Ok(pushed)
}

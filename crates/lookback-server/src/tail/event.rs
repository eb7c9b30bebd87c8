//! Server-sent events as text.

use std::fmt::Write as _;

use bytes::Bytes;
use lookback::query::Position;
use lookback::{Json, json};

/// The milliseconds after which a client comes back.
const RETRY: u32 = 1_000;

/// Why a server ends a tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndReason {
    /// The reader took nothing for too long.
    Slow,
    /// The server stops.
    Shutdown,
    /// The reader may not read any more.
    Access,
    /// The table cannot be followed.
    Error,
}

impl EndReason {
    fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Shutdown => "shutdown",
            Self::Access => "access",
            Self::Error => "error",
        }
    }
}

/// The first event: its id is the position of the start.
pub(super) fn start(position: &Position) -> String {
    format!("retry: {RETRY}\nid: {position}\nevent: start\ndata: {{}}\n\n")
}

/// Appends the event of a record. JSON has no line ends outside of its texts, where they are
/// escaped.
pub(super) fn push_record(record: &str, position: Option<&str>, text: &mut String) {
    if let Some(position) = position {
        // Writing to a string does not fail.
        let _ = writeln!(text, "id: {position}");
    }
    let _ = write!(text, "data: {record}\n\n");
}

/// A sign of life. An event without data is none, but a client takes over its id.
pub(super) fn heartbeat(position: &Position) -> String {
    format!(": heartbeat\nid: {position}\n\n")
}

/// The last event: why the server ends the tail, and the id to go on from.
pub(super) fn end(reason: EndReason, detail: &str, position: &Position) -> Bytes {
    let data: Json = json!({
        "reason": reason.name(),
        "detail": detail,
        "last_event_id": position.to_string(),
    });
    format!("id: {position}\nevent: end\ndata: {data}\n\n").into()
}

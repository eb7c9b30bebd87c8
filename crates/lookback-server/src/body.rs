//! The body of a request, with its limits.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http_body_util::BodyExt as _;
use lookback::Json;
use lookback::value::JsonMap;
use ruzstd::decoding::StreamingDecoder;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{Kind, Problem};
use crate::server::Shared;

/// The most that a zstd frame may ask for as its window (RFC 9659). The decoder takes as much
/// memory as a client asks for.
const MOST_ZSTD_WINDOW: u64 = 8 * 1024 * 1024;

/// A body that was received.
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    pub(crate) room: Room,
}

/// The bytes that a body takes of those of all bodies, until it is dropped.
pub(crate) struct Room {
    all: Arc<Semaphore>,
    taken: OwnedSemaphorePermit,
}

impl Room {
    fn take(all: &Arc<Semaphore>, bytes: usize) -> Result<Self, Problem> {
        Ok(Self {
            taken: permits(all, bytes)?,
            all: Arc::clone(all),
        })
    }

    /// Takes more, if these are more bytes than were taken.
    fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        match bytes.checked_sub(self.taken.num_permits()) {
            None | Some(0) => Ok(()),
            Some(more) => self.grow(more),
        }
    }

    /// Takes more.
    fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        self.taken.merge(permits(&self.all, bytes)?);
        Ok(())
    }
}

/// What the records of a body may take: room beside that of its bytes, as long as somebody waits
/// for the answer.
pub(crate) struct Budget {
    room: Room,
    /// The records that the room has been taken for, and those that there are.
    paid: usize,
    records: usize,
    /// The room of all bodies.
    most: usize,
    is_abandoned: Arc<AtomicBool>,
}

/// The bytes of a record without its texts, which are counted with the body: a body of the
/// shortest lines would become a hundred times as large.
const RECORD_BYTES: usize = 512;
const RECORDS_AT_ONCE: usize = 1_024;

impl Budget {
    pub(crate) fn new(shared: &Shared, room: Room, is_abandoned: Arc<AtomicBool>) -> Self {
        Self {
            room,
            // Few fit beside any body.
            paid: RECORDS_AT_ONCE,
            records: 0,
            most: shared.settings.all_body_bytes,
            is_abandoned,
        }
    }

    /// Takes the room of one more record.
    pub(crate) fn take_record(&mut self) -> Result<(), Problem> {
        self.records += 1;
        if self.records <= self.paid {
            return Ok(());
        }
        if self.is_abandoned.load(Ordering::Relaxed) {
            return Err(Problem::new(Kind::Timeout, "nobody waits for the answer"));
        }
        let more = RECORDS_AT_ONCE * RECORD_BYTES;
        // It would never fit, however few others there are.
        if self.room.taken.num_permits() + more > self.most {
            return Err(Problem::new(
                Kind::TooLarge,
                format!(
                    "the body has more than {} records: send them in several bodies",
                    self.paid
                ),
            ));
        }
        self.room.grow(more)?;
        self.paid += RECORDS_AT_ONCE;
        Ok(())
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget")
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

/// Says that nobody waits any more, once it is dropped.
#[derive(Default)]
pub(crate) struct Waiting(Arc<AtomicBool>);

impl Waiting {
    /// Whether nobody waits.
    pub(crate) fn is_over(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn permits(all: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    let permits = Arc::clone(all).try_acquire_many_owned(bytes);
    permits.map_err(|_| Problem::new(Kind::Busy, "too many bodies are being stored"))
}

/// Receives an object of JSON, of some fields.
pub(crate) async fn object<T: DeserializeOwned>(
    shared: &Shared,
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Problem> {
    let received = small(shared, headers, body).await?;
    serde_json::from_slice(&received.bytes)
        .map_err(|error| Problem::new(Kind::InvalidBody, format!("the body: {error}")))
}

/// Receives an object of JSON, of any fields.
pub(crate) async fn map(
    shared: &Shared,
    headers: &HeaderMap,
    body: Body,
) -> Result<JsonMap, Problem> {
    let received = small(shared, headers, body).await?;
    match Json::from_slice(&received.bytes) {
        Ok(Json::Object(map)) => Ok(map),
        _ => Err(Problem::new(
            Kind::InvalidBody,
            "the body must be an object of JSON",
        )),
    }
}

/// Receives a body that is no records.
async fn small(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<Received, Problem> {
    const MOST: usize = 64 * 1024;
    // Never a type that a form of another page has.
    let media_type = media_type(headers);
    if media_type != "application/json" && media_type != "application/merge-patch+json" {
        return Err(Problem::new(
            Kind::UnsupportedType,
            format!("content-type: expected application/json, got {media_type}"),
        ));
    }
    let most = MOST.min(shared.settings.body_bytes);
    let received = Received::read_up_to(most, shared, headers, body).await?;
    received.decompress(headers, most)
}

impl Received {
    /// Receives a body as it was sent.
    pub(crate) async fn read(
        shared: &Shared,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Self, Problem> {
        Self::read_up_to(shared.settings.body_bytes, shared, headers, body).await
    }

    async fn read_up_to(
        most: usize,
        shared: &Shared,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Self, Problem> {
        let length = headers.get(CONTENT_LENGTH);
        let length: Option<usize> = length.and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length| length > most) {
            return Err(too_large(most));
        }
        let mut room = Room::take(&shared.body_room, length.unwrap_or(0))?;
        let collecting = async {
            let mut bytes = BytesMut::with_capacity(length.unwrap_or(0));
            let mut body = body;
            while let Some(data) = next_data(&mut body).await? {
                let end = bytes.len() + data.len();
                if end > most {
                    return Err(too_large(most));
                }
                // A body of unknown length takes its room as it comes.
                room.grow_to(end)?;
                bytes.extend_from_slice(&data);
            }
            Ok(bytes.freeze())
        };
        let bytes = in_time(shared, collecting).await?;
        Ok(Self { bytes, room })
    }

    /// Receives the one message of a call of gRPC, and returns the headers by which
    /// [`decompress`](Self::decompress) reads it.
    pub(crate) async fn read_message(
        shared: &Shared,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Self, HeaderMap), Problem> {
        /// Whether it is compressed, and its length.
        const PREFIX: usize = 5;
        let most = shared.settings.body_bytes;
        let mut room = Room::take(&shared.body_room, 0)?;
        let collecting = async {
            let mut bytes = BytesMut::new();
            let mut body = body;
            let mut end = None;
            while let Some(data) = next_data(&mut body).await? {
                room.grow_to(bytes.len() + data.len())?;
                bytes.extend_from_slice(&data);
                if end.is_none()
                    && let Some(&[a, b, c, d]) = bytes.get(1..PREFIX)
                {
                    let length = u32::from_be_bytes([a, b, c, d]) as usize;
                    if length > most {
                        return Err(too_large(most));
                    }
                    room.grow_to(PREFIX + length)?;
                    end = Some(PREFIX + length);
                }
                if end.is_some_and(|end| bytes.len() > end) {
                    return Err(invalid("a call has one message, and this one has more"));
                }
            }
            if end != Some(bytes.len()) {
                return Err(invalid("the message of the call is not whole"));
            }
            Ok(bytes.freeze())
        };
        let bytes = in_time(shared, collecting).await?;
        let mut encoding = HeaderMap::new();
        if bytes[0] != 0 {
            let named = headers.get("grpc-encoding").ok_or_else(|| {
                invalid("the message is compressed, and no grpc-encoding says how")
            })?;
            encoding.insert(CONTENT_ENCODING, named.clone());
        }
        let bytes = bytes.slice(PREFIX..);
        Ok((Self { bytes, room }, encoding))
    }

    /// Decompresses it, by `content-encoding`.
    pub(crate) fn decompress(mut self, headers: &HeaderMap, most: usize) -> Result<Self, Problem> {
        let encodings = headers.get_all(CONTENT_ENCODING).into_iter();
        let encodings = encodings.filter_map(|value| value.to_str().ok());
        let encodings: Vec<String> = encodings
            .flat_map(|value| value.split(','))
            .map(|name| name.trim().to_ascii_lowercase())
            .filter(|name| !name.is_empty() && name != "identity")
            .collect();
        let [encoding] = encodings.as_slice() else {
            return if encodings.is_empty() {
                Ok(self)
            } else {
                Err(unsupported(&encodings.join(", ")))
            };
        };
        let from = &*self.bytes;
        let room = &mut self.room;
        let decoded = match encoding.as_str() {
            "gzip" | "x-gzip" => read(MultiGzDecoder::new(from), most, room),
            "deflate" => read(ZlibDecoder::new(from), most, room),
            "zstd" => match StreamingDecoder::new_with_max_window_size(from, MOST_ZSTD_WINDOW) {
                Ok(decoder) => read(decoder, most, room),
                Err(error) => Err(broken(encoding, &error)),
            },
            other => Err(unsupported(other)),
        }?;
        self.bytes = decoded.into();
        Ok(self)
    }
}

/// Returns the next bytes of a body; `None` at its end.
async fn next_data(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let detail = format!("the body broke off: {error}");
            Problem::new(Kind::InvalidBody, detail)
        })?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Waits for a body as long as it may take.
async fn in_time<T>(
    shared: &Shared,
    collecting: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let time = shared.settings.body_timeout;
    let collected = tokio::time::timeout(time, collecting).await;
    collected.map_err(|_| {
        Problem::new(
            Kind::Timeout,
            format!("the body did not come within {time:?}"),
        )
    })?
}

fn invalid(detail: &str) -> Problem {
    Problem::new(Kind::InvalidBody, detail)
}

/// Returns the media type of a body, in lower case, without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    let value = value.split(';').next().unwrap_or("");
    value.trim().to_ascii_lowercase()
}

/// Reads all of a decoder, for which room is taken as it comes.
fn read(mut decoder: impl Read, most: usize, room: &mut Room) -> Result<Vec<u8>, Problem> {
    const STEP: usize = 256 * 1024;
    let mut bytes = Vec::new();
    loop {
        let step = STEP.min((most + 1).saturating_sub(bytes.len()));
        let read = (&mut decoder)
            .take(step as u64)
            .read_to_end(&mut bytes)
            .map_err(|error| broken("body", &error))?;
        if bytes.len() > most {
            return Err(too_large(most));
        }
        room.grow(read)?;
        if read < step {
            return Ok(bytes);
        }
    }
}

fn broken(encoding: &str, error: &dyn std::fmt::Display) -> Problem {
    let detail = format!("the body cannot be decompressed ({encoding}): {error}");
    Problem::new(Kind::InvalidBody, detail)
}

fn unsupported(encoding: &str) -> Problem {
    Problem::new(
        Kind::UnsupportedType,
        format!("content-encoding: expected gzip, deflate or zstd, got {encoding}"),
    )
}

fn too_large(most: usize) -> Problem {
    Problem::new(
        Kind::TooLarge,
        format!("a body has at most {most} bytes: send it in parts"),
    )
}

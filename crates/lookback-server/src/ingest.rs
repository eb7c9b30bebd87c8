//! From a body to stored records.
//!
//! Each body is stored in one transaction, with its `Idempotency-Key` if it has one, and answered
//! after its commit. [`records`], [`otlp`], [`grpc`], [`loki`] and [`bulk`] are the protocols.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use lookback::capture::{store_windows, window_of};
use lookback::ingest::{BatchClaim, claim_batch, note_outcome};
use lookback::query::{EncodedRecords, Imported};
use lookback::value::JsonMap;
use lookback::{
    Json, Log, Metric, Model, NewLog, NewMetric, NewRequestSnapshot, RequestSnapshot, json,
};
use lookback_formats::Options;
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection};

use crate::access::MayIngest;
use crate::body::{Budget, Received, Waiting};
use crate::problem::{Kind, Problem, WrongField};
use crate::server::Shared;

pub(crate) mod bulk;
mod decoded;
pub(crate) mod grpc;
pub(crate) mod loki;
mod operations;
pub(crate) mod otlp;
mod protobuf;
pub(crate) mod records;

pub(crate) use decoded::Decoded;
pub(crate) use operations::operations;

/// A request to store what its body says.
pub(crate) struct Ingest<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) access: &'a MayIngest,
    /// The path, without what differs from client to client.
    pub(crate) path: &'static str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Body,
}

/// How a body is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// As it is, compressed by `content-encoding`.
    Http,
    /// As a message behind its length, compressed by `grpc-encoding`.
    Grpc,
}

/// What became of a body.
#[derive(Clone, Debug)]
pub(crate) struct Outcome(Json);

impl Outcome {
    fn of(stored: u64, decoded: &Decoded) -> Self {
        let errors: Json = decoded.errors().map(WrongField::to_json).collect();
        Self(json!({ "stored": stored, "rejected": decoded.rejected(), "errors": errors }))
    }

    /// The number of records that are stored.
    pub(crate) fn stored(&self) -> u64 {
        self.0["stored"].as_u64().unwrap_or(0)
    }

    /// The number of records that are rejected.
    pub(crate) fn rejected(&self) -> u64 {
        self.0["rejected"].as_u64().unwrap_or(0)
    }

    /// Why the first of them are rejected, in one text.
    pub(crate) fn reasons(&self) -> String {
        let text = |error: &Json| {
            let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            let record = error["record"].as_u64().unwrap_or(0);
            format!("record {record}: {}: {}", text("field"), text("problem"))
        };
        let errors = self.0["errors"].as_array();
        let errors: Vec<String> = errors.into_iter().flatten().map(text).collect();
        errors.join("; ")
    }

    pub(crate) fn json(&self) -> &Json {
        &self.0
    }
}

impl Ingest<'_> {
    /// The way that records without a source, a zone and so on are read.
    pub(crate) fn options(&self) -> Options {
        Options {
            source: self.shared.settings.source.clone(),
            now: chrono::Utc::now(),
            ..Options::default()
        }
    }

    /// Receives the body, decodes it, and stores its records.
    pub(crate) async fn run(
        self,
        decode: impl FnOnce(&[u8], Decoded) -> Result<Decoded, Problem> + Send + 'static,
    ) -> Result<Outcome, Problem> {
        self.run_framed(Framing::Http, decode).await
    }

    /// As [`run`](Self::run), of a body that is the message of a call.
    async fn run_framed(
        self,
        framing: Framing,
        decode: impl FnOnce(&[u8], Decoded) -> Result<Decoded, Problem> + Send + 'static,
    ) -> Result<Outcome, Problem> {
        let (telemetry, path) = (&self.shared.telemetry, self.path);
        let stored = self.store(framing, decode).await;
        if let Err(problem) = &stored {
            telemetry.count_refused(path, problem);
        }
        stored
    }

    async fn store(
        self,
        framing: Framing,
        decode: impl FnOnce(&[u8], Decoded) -> Result<Decoded, Problem> + Send + 'static,
    ) -> Result<Outcome, Problem> {
        let Self {
            shared,
            access,
            path,
            headers,
            body,
        } = self;
        let key = idempotency_key(headers, access, path)?;
        let place = Arc::clone(&shared.ingests)
            .try_acquire_owned()
            .map_err(|_| Problem::new(Kind::Busy, "too many bodies are being stored"))?;
        let (received, headers) = match framing {
            Framing::Http => {
                let received = Received::read(shared, headers, body).await?;
                (received, headers.clone())
            }
            Framing::Grpc => Received::read_message(shared, headers, body).await?,
        };
        let most = shared.settings.decompressed_bytes;
        // Decompressing, decoding and encoding take long for a large body, which goes on when this
        // is dropped, and so keeps the place.
        let turn = Arc::clone(&shared.decoding).acquire_owned().await;
        let (waiting, of) = (Waiting::default(), Arc::clone(shared));
        let is_abandoned = waiting.is_over();
        let prepared = tokio::task::spawn_blocking(move || {
            let (_turn, place) = (turn, place);
            let received = received.decompress(&headers, most)?;
            let digest = digest(&received.bytes);
            let budget = Budget::new(&of, received.room, is_abandoned);
            let decoded = decode(&received.bytes, Decoded::within(budget))?;
            // Its records take as much until they are stored.
            Prepared::new(decoded.whole()?).map(|prepared| (prepared, digest, place))
        });
        let (prepared, digest, _place) = prepared
            .await
            .map_err(|_| Problem::new(Kind::Internal, "the body could not be decoded"))??;
        drop(waiting);
        let key = key.as_deref().map(|key| (key, digest));
        let mut conn = shared.connection().await?;
        let stored = store(&mut conn, key, &prepared).await?;
        if stored.is_new {
            let rejected = stored.outcome.rejected();
            let telemetry = &shared.telemetry;
            telemetry.count_stored(path, prepared.counts(), rejected);
        }
        Ok(stored.outcome)
    }
}

/// Returns the key under which a body is stored once; `None` if the client sent none.
fn idempotency_key(
    headers: &HeaderMap,
    access: &MayIngest,
    path: &str,
) -> Result<Option<String>, Problem> {
    const MOST: usize = 255;
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key
        .to_str()
        .ok()
        .filter(|key| (1..=MOST).contains(&key.len()));
    let key = key.ok_or_else(|| {
        Problem::new(
            Kind::InvalidBody,
            format!("idempotency-key: expected 1 to {MOST} characters of ASCII"),
        )
    })?;
    Ok(Some(format!("{} {path} {key}", access.key)))
}

fn digest(body: &[u8]) -> i64 {
    let hash = Sha256::digest(body);
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    i64::from_be_bytes(first)
}

/// Records that are ready to be stored.
struct Prepared {
    decoded: Decoded,
    logs: Rows<Log>,
    requests: Rows<RequestSnapshot>,
    metrics: Vec<NewMetric>,
}

enum Rows<M: Model> {
    Few(Vec<Imported<M::New>>),
    Encoded(EncodedRecords<M>),
}

impl<M: Model> Rows<M> {
    fn new(records: Vec<M::New>) -> Result<Self, Problem> {
        /// A COPY of few records takes longer than an INSERT.
        const FEW: usize = 50;
        let records: Vec<_> = records.into_iter().map(Imported::new).collect();
        if records.len() > FEW {
            let encoded = EncodedRecords::new(&records);
            let encoded = encoded.map_err(|error| Problem::of(&error, Kind::InvalidRecord))?;
            if let Some(encoded) = encoded {
                return Ok(Self::Encoded(encoded));
            }
        }
        Ok(Self::Few(records))
    }

    fn len(&self) -> u64 {
        match self {
            Self::Few(records) => records.len() as u64,
            Self::Encoded(records) => records.len() as u64,
        }
    }

    async fn store(&self, conn: &mut PgConnection) -> Result<u64, Problem> {
        let stored = match self {
            Self::Few(records) if records.is_empty() => return Ok(0),
            Self::Few(records) => {
                lookback::QueryBuilder::<M>::new()
                    .import_many(conn, records)
                    .await
            }
            Self::Encoded(records) => {
                lookback::QueryBuilder::<M>::new()
                    .import_encoded(conn, records)
                    .await
            }
        };
        stored.map_err(|error| Problem::of(&error, Kind::InvalidRecord))
    }
}

impl Prepared {
    fn new(mut decoded: Decoded) -> Result<Self, Problem> {
        let logs: Vec<NewLog> = decoded.take_logs();
        let requests: Vec<NewRequestSnapshot> = decoded.take_requests();
        Ok(Self {
            logs: Rows::new(logs)?,
            requests: Rows::new(requests)?,
            metrics: decoded.take_metrics(),
            decoded,
        })
    }

    /// The numbers of log lines, requests and windows.
    fn counts(&self) -> [u64; 3] {
        [
            self.logs.len(),
            self.requests.len(),
            self.metrics.len() as u64,
        ]
    }
}

/// A body that is stored.
struct Stored {
    outcome: Outcome,
    /// Whether this request stored it, and not an earlier one with its key.
    is_new: bool,
}

/// Stores records in one transaction.
async fn store(
    conn: &mut PgConnection,
    key: Option<(&str, i64)>,
    prepared: &Prepared,
) -> Result<Stored, Problem> {
    let refused = |error: lookback::Error| Problem::of(&error, Kind::InvalidRecord);
    let mut transaction = conn.begin().await?;
    if let Some((key, digest)) = key {
        match claim_batch(&mut transaction, key, digest)
            .await
            .map_err(refused)?
        {
            BatchClaim::New => {}
            BatchClaim::Stored(outcome) => {
                return Ok(Stored {
                    outcome: Outcome(outcome),
                    is_new: false,
                });
            }
            _ => {
                return Err(Problem::new(
                    Kind::KeyReused,
                    "another body was stored under this Idempotency-Key: send each body under a \
                     key of its own",
                ));
            }
        }
    }
    let mut stored = prepared.logs.store(&mut transaction).await?;
    stored += prepared.requests.store(&mut transaction).await?;
    stored += store_metrics(&mut transaction, &prepared.metrics).await?;
    let outcome = Outcome::of(stored, &prepared.decoded);
    if let Some((key, _)) = key {
        note_outcome(&mut transaction, key, outcome.json())
            .await
            .map_err(refused)?;
    }
    transaction.commit().await?;
    Ok(Stored {
        outcome,
        is_new: true,
    })
}

/// Stores records that did not come in a body of HTTP.
pub(crate) async fn store_decoded(shared: &Shared, decoded: Decoded) -> Result<Outcome, Problem> {
    let prepared = tokio::task::spawn_blocking(move || Prepared::new(decoded));
    let prepared = prepared
        .await
        .map_err(|_| Problem::new(Kind::Internal, "the records could not be encoded"))??;
    let mut conn = shared.connection().await?;
    let Stored { outcome, .. } = store(&mut conn, None, &prepared).await?;
    let rejected = outcome.rejected();
    let telemetry = &shared.telemetry;
    telemetry.count_stored("syslog", prepared.counts(), rejected);
    Ok(outcome)
}

/// Stores windows: those with a sketch are added to what is stored of their endpoint and minute.
async fn store_metrics(conn: &mut PgConnection, metrics: &[NewMetric]) -> Result<u64, Problem> {
    if metrics.is_empty() {
        return Ok(0);
    }
    let refused = |error: lookback::Error| Problem::of(&error, Kind::InvalidRecord);
    let mut windows = Vec::new();
    let mut rows = Vec::new();
    for metric in metrics {
        match window_of(metric) {
            Some(window) => windows.push(window),
            None => rows.push(metric.clone()),
        }
    }
    store_windows(conn, windows).await.map_err(refused)?;
    if !rows.is_empty() {
        Metric::records()
            .create_many(conn, &rows)
            .await
            .map_err(refused)?;
    }
    Ok(metrics.len() as u64)
}

/// An object with these fields. Unlike [`json!`], it keeps every digit of the numbers in them, of
/// which a record may have more than any type of Rust.
pub(crate) fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    let mut map = JsonMap::new();
    for (name, value) in fields {
        map.insert(name.to_owned(), value);
    }
    Json::Object(map)
}

pub(crate) fn json_response(json: &Json) -> Response {
    text_response(json.to_string())
}

/// Returns an object of these fields. Unlike `json!`, it keeps every digit of the numbers in them.
pub(crate) fn object_of<const N: usize>(fields: [(&str, Json); N]) -> Json {
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Answers data with metadata.
pub(crate) fn data_response(data: impl Into<Json>, metadata: Json) -> Response {
    json_response(&object_of([("data", data.into()), ("metadata", metadata)]))
}

/// Answers a text of JSON.
pub(crate) fn text_response(json: String) -> Response {
    let content_type = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, content_type)], Bytes::from(json)).into_response()
}

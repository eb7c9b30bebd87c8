//! Exports: all records of a query, as a stream.
//!
//! A task reads rows and encodes them; the client takes the bytes. It waits while the client does,
//! and ends when the client has gone. What is wrong before the first row is answered as a problem;
//! later, the body breaks off, so that a client cannot take a part for the whole.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{BoxStream, poll_fn};
use futures_util::{StreamExt as _, TryStreamExt as _};
use lookback::query::{Fields, Select};
use lookback::table::{ColumnDef, ColumnRole, Table};
use lookback::value::JsonMap;
use lookback::{Error, Model, QueryBuilder, RequestSnapshot};
#[cfg(feature = "parquet")]
use lookback_formats::export::ParquetEncoder;
use lookback_formats::export::{
    CsvEncoder, CurlEncoder, ExportColumn, HarEncoder, JsonLinesEncoder, RequestEncoder,
    RowEncoder, Shown,
};
use sqlx::PgConnection;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::access::MayRead;
use crate::cancel::CloseOnDrop;
use crate::parameters::{Deleted, Parameter, Parameters, Takes, invalid, wrong_parameter};
use crate::problem::{Kind, Problem};
use crate::server::Shared;

pub(crate) const EXPORT: Takes = Takes::filters_and(&[
    Parameter::Search,
    Parameter::Format,
    Parameter::Fields,
    Parameter::ForSpreadsheets,
    Parameter::OrderBy,
    Parameter::Most,
    Parameter::Deleted,
]);

/// The bytes of a chunk, and the chunks that wait for the client.
const CHUNK_BYTES: usize = 256 * 1024;
const MAX_QUEUED_CHUNKS: usize = 2;

/// A format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Jsonl,
    Csv,
    #[cfg(feature = "parquet")]
    Parquet,
    Har,
    Curl,
}

impl Format {
    /// The formats of the records of a table.
    pub(crate) fn of(table: &'static Table) -> &'static [Self] {
        const REQUESTS: &[Format] = &[
            Format::Jsonl,
            Format::Csv,
            Format::Har,
            Format::Curl,
            #[cfg(feature = "parquet")]
            Format::Parquet,
        ];
        const OTHERS: &[Format] = &[
            Format::Jsonl,
            Format::Csv,
            #[cfg(feature = "parquet")]
            Format::Parquet,
        ];
        if table.name() == RequestSnapshot::TABLE.name() {
            REQUESTS
        } else {
            OTHERS
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            #[cfg(feature = "parquet")]
            Self::Parquet => "parquet",
            Self::Har => "har",
            Self::Curl => "curl",
        }
    }

    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            #[cfg(feature = "parquet")]
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Har => "application/json",
            Self::Curl => "text/x-shellscript; charset=utf-8",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Curl => "sh",
            other => other.name(),
        }
    }

    fn parse(table: &'static Table, name: &str) -> Result<Self, Problem> {
        let formats = Self::of(table);
        let named = formats.iter().find(|format| format.name() == name);
        named.copied().ok_or_else(|| {
            let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
            wrong_parameter(
                "format",
                format!("expected one of {}, got {name}", names.join(", ")),
            )
        })
    }
}

/// A task that fills a body.
struct Filling {
    connection: CloseOnDrop,
    chunks: mpsc::Sender<io::Result<Bytes>>,
    /// Tells that the first row is there, or why it is not.
    started: Option<oneshot::Sender<Result<(), Problem>>>,
    /// The longest time that the database may take for a row.
    timeout: Duration,
    _place: OwnedSemaphorePermit,
}

/// Answers all records of a query.
pub(crate) async fn export<M: Model>(
    State(shared): State<Arc<Shared>>,
    _access: MayRead,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(query.as_deref(), EXPORT)?;
    let table = M::TABLE;
    let format = Format::parse(table, parameters.format.as_deref().unwrap_or("jsonl"))?;
    if parameters.for_spreadsheets && format != Format::Csv {
        return Err(wrong_parameter("for_spreadsheets", "is for csv"));
    }
    match format {
        Format::Har => requests(&shared, &parameters, format, HarEncoder::default()).await,
        Format::Curl => requests(&shared, &parameters, format, CurlEncoder::new()).await,
        _ => rows::<M>(&shared, &parameters, format).await,
    }
}

/// Exports the fields of records.
async fn rows<M: Model>(
    shared: &Arc<Shared>,
    parameters: &Parameters,
    format: Format,
) -> Result<Response, Problem> {
    let table = M::TABLE;
    let names = if parameters.fields.is_empty() {
        default_fields(table, parameters.deleted)
    } else {
        parameters.fields.clone()
    };
    let query = query_of::<M>(parameters)?;
    let select = query.select_text(&names).map_err(invalid)?;
    let columns = ExportColumn::of(table, names);
    let mut encoder: Box<dyn RowEncoder> = match format {
        Format::Csv => Box::new(CsvEncoder::new(
            &columns,
            parameters.for_spreadsheets,
            Shown::Unchanged,
        )),
        #[cfg(feature = "parquet")]
        Format::Parquet => {
            let encoder = ParquetEncoder::new(table.name(), &columns);
            Box::new(encoder.map_err(|error| wrong_parameter("fields", error.to_string()))?)
        }
        _ => Box::new(JsonLinesEncoder::new(&columns, Shown::Unchanged)),
    };
    let encode = move |row: Option<JsonMap>, out: &mut Vec<u8>| match row {
        Some(row) => encoder.row(&row, out),
        None => encoder.end(out),
    };
    respond(shared, table.name(), format, SelectedFields(select), encode).await
}

/// Exports whole requests.
async fn requests(
    shared: &Arc<Shared>,
    parameters: &Parameters,
    format: Format,
    mut encoder: impl RequestEncoder + 'static,
) -> Result<Response, Problem> {
    if !parameters.fields.is_empty() {
        return Err(wrong_parameter(
            "fields",
            format!("is not for {}, which has its own fields", format.name()),
        ));
    }
    let query = query_of::<RequestSnapshot>(parameters)?;
    let encode = move |request: Option<RequestSnapshot>, out: &mut Vec<u8>| {
        match request {
            Some(request) => encoder.request(&request, out),
            None => encoder.end(out),
        }
        Ok(())
    };
    let name = RequestSnapshot::TABLE.name();
    respond(shared, name, format, WholeRecords(query), encode).await
}

fn query_of<M: Model>(parameters: &Parameters) -> Result<QueryBuilder<M>, Problem> {
    let mut query = parameters.matching::<M>()?;
    if parameters.order_by.is_empty() {
        query = query.order_by_text("id").map_err(invalid)?;
    }
    if let Some(limit) = parameters.limit {
        query = query.limit(limit);
    }
    parameters.ordered(query)
}

/// The fields of records: all that are visible, and when a record was deleted if it may be.
fn default_fields(table: &'static Table, deleted: Deleted) -> Vec<String> {
    let is_deletion = |column: &&ColumnDef| column.role() == ColumnRole::DeletedAt;
    let deletion = table.columns().iter().filter(is_deletion);
    let deletion = deletion.filter(|_| deleted != Deleted::Without);
    let columns = table.visible().chain(deletion);
    columns.map(|column| column.name().to_owned()).collect()
}

/// The query of an export.
trait Exported: Send + 'static {
    type Row: Send + 'static;

    fn stream<'c>(&self, conn: &'c mut PgConnection) -> BoxStream<'c, Result<Self::Row, Error>>;
}

struct SelectedFields<M>(Select<M, Fields>);

impl<M: Model> Exported for SelectedFields<M> {
    type Row = JsonMap;

    fn stream<'c>(&self, conn: &'c mut PgConnection) -> BoxStream<'c, Result<JsonMap, Error>> {
        self.0.stream(conn).boxed()
    }
}

struct WholeRecords<M>(QueryBuilder<M>);

impl<M: Model> Exported for WholeRecords<M> {
    type Row = M;

    fn stream<'c>(&self, conn: &'c mut PgConnection) -> BoxStream<'c, Result<M, Error>> {
        self.0.stream(conn).boxed()
    }
}

/// Answers a stream of rows as they are encoded.
async fn respond<Q: Exported>(
    shared: &Arc<Shared>,
    name: &str,
    format: Format,
    query: Q,
    encode: impl FnMut(Option<Q::Row>, &mut Vec<u8>) -> io::Result<()> + Send + 'static,
) -> Result<Response, Problem> {
    let place = Arc::clone(&shared.exports).try_acquire_owned();
    let place = place.map_err(|_| Problem::new(Kind::Busy, "too many exports are running"))?;
    let (chunks, mut received) = mpsc::channel(MAX_QUEUED_CHUNKS);
    let (started, starting) = oneshot::channel();
    let filling = Filling {
        connection: CloseOnDrop::take(shared).await?,
        chunks,
        started: Some(started),
        timeout: shared.settings.read_timeout,
        _place: place,
    };
    tokio::spawn(filling.run(query, encode));
    starting
        .await
        .map_err(|_| Problem::new(Kind::Internal, "the export ended before it began"))??;
    let body = Body::from_stream(poll_fn(move |context| received.poll_recv(context)));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    let file = format!("attachment; filename=\"{name}.{}\"", format.extension());
    if let Ok(file) = HeaderValue::from_str(&file) {
        headers.insert(CONTENT_DISPOSITION, file);
    }
    Ok(response)
}

impl Filling {
    async fn run<Q: Exported>(
        mut self,
        query: Q,
        mut encode: impl FnMut(Option<Q::Row>, &mut Vec<u8>) -> io::Result<()> + Send,
    ) {
        let mut rows = query.stream(self.connection.conn());
        let mut out = Vec::with_capacity(2 * CHUNK_BYTES);
        loop {
            let next = tokio::select! {
                // The client has gone: the connection closes, and its statement ends.
                () = self.chunks.closed() => return,
                next = next_within(self.timeout, &mut rows) => next,
            };
            let encoded = next.and_then(|row| {
                let is_last = row.is_none();
                encode(row, &mut out).map(|()| is_last).map_err(|error| {
                    tracing::error!("{error}");
                    Problem::new(Kind::Internal, "a record cannot be exported")
                })
            });
            let is_last = match encoded {
                Ok(is_last) => is_last,
                Err(problem) => {
                    // Who has begun to read sees that the body breaks off.
                    match self.started.take() {
                        Some(started) => drop(started.send(Err(problem))),
                        None => {
                            tracing::warn!("an export broke off: {}", problem.detail());
                            let error = io::Error::other(problem.detail().to_owned());
                            let _gone = self.chunks.send(Err(error)).await;
                        }
                    }
                    return;
                }
            };
            if let Some(started) = self.started.take() {
                let _gone = started.send(Ok(()));
            }
            if out.len() >= CHUNK_BYTES || is_last {
                // In chunks, because the queue counts chunks: a row group is large.
                for chunk in out.chunks(CHUNK_BYTES) {
                    let chunk = Ok(Bytes::copy_from_slice(chunk));
                    if self.chunks.send(chunk).await.is_err() {
                        return;
                    }
                }
                out.clear();
            }
            if is_last {
                break;
            }
        }
        drop(rows);
        self.connection.release();
    }
}

/// Returns the next row, which the database has to send within a time.
async fn next_within<R>(
    timeout: Duration,
    rows: &mut BoxStream<'_, Result<R, Error>>,
) -> Result<Option<R>, Problem> {
    let next = rows.try_next();
    let next = if timeout.is_zero() {
        next.await
    } else {
        tokio::time::timeout(timeout, next).await.map_err(|_| {
            Problem::new(
                Kind::TooSlow,
                format!("the database did not send a record within {timeout:?}"),
            )
        })?
    };
    next.map_err(invalid)
}

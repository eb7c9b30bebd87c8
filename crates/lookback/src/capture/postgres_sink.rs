//! The sink into PostgreSQL.

use std::fmt;
use std::path::PathBuf;

use lookback_capture::{
    Batch, CapturedLog, CapturedRequest, LocationSource, Sink, SinkError, Window,
};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool};

use super::windows::merge_into;
use crate::error::Error;
use crate::ingest::Writer;
use crate::value::Json;
use crate::{GeoSource, Level, Log, Model, NewLog, NewRequestSnapshot, RequestSnapshot};

/// Stores captured records in PostgreSQL: requests and log lines by a
/// [`Writer`](crate::ingest::Writer) each, windows by [adding](super::store_windows) them to the
/// rows of their endpoint and minute.
///
/// It has three connections of its own, which it opens when there is something to store, and opens
/// again after they are lost. A window is added once, also if the connection is lost while it is
/// committed.
pub struct PostgresSink {
    database: Database,
    requests: LazyWriter<RequestSnapshot>,
    logs: LazyWriter<Log>,
    windows: WindowAdder,
}

/// Where to store.
struct Database {
    connect: PgConnectOptions,
    spill: Option<(PathBuf, u64)>,
}

impl PostgresSink {
    /// Creates a sink into the database of a pool, with connections of its own.
    #[must_use]
    pub fn new(pool: &PgPool) -> Self {
        Self::connect(PgConnectOptions::clone(&pool.connect_options()))
    }

    /// Creates a sink into the database of these options.
    #[must_use]
    pub fn connect(connect: PgConnectOptions) -> Self {
        Self {
            database: Database {
                connect,
                spill: None,
            },
            requests: LazyWriter::new("requests"),
            logs: LazyWriter::new("logs"),
            windows: WindowAdder::default(),
        }
    }

    /// Keeps requests and log lines in a folder while the database is away, up to this many bytes
    /// of each. Off by default: then they wait in memory, up to the size of the queue.
    ///
    /// See [`WriterBuilder::spill`](crate::ingest::WriterBuilder::spill).
    #[must_use]
    pub fn spill(mut self, folder: impl Into<PathBuf>, bytes: u64) -> Self {
        self.database.spill = Some((folder.into(), bytes));
        self
    }
}

/// A writer that is started when there is something to store.
struct LazyWriter<M: Model> {
    folder: &'static str,
    writer: Option<Writer<M>>,
}

impl<M: Model> LazyWriter<M> {
    const fn new(folder: &'static str) -> Self {
        Self {
            folder,
            writer: None,
        }
    }

    /// Takes the records, as fast as they are stored.
    async fn store<T>(
        &mut self,
        database: &Database,
        records: &mut Vec<T>,
        row: impl Fn(T) -> M::New,
    ) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        let writer = match &self.writer {
            Some(writer) => writer,
            None => self.writer.insert(database.writer(self.folder).await?),
        };
        for record in records.drain(..) {
            writer.send(row(record)).await?;
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), Error> {
        match &self.writer {
            Some(writer) => writer.flush().await,
            None => Ok(()),
        }
    }
}

impl Database {
    async fn writer<M: Model>(&self, folder: &str) -> Result<Writer<M>, Error> {
        const MIB: usize = 1024 * 1024;
        // The records wait in the queue of capture, which is bounded.
        let mut builder = Writer::<M>::builder()
            .queue(4_096, 8 * MIB)
            .batch(2_000, 2 * MIB)
            .connections(1);
        if let Some((spill, bytes)) = &self.spill {
            builder = builder.spill(spill.join(folder), *bytes);
        }
        builder.start_with(self.connect.clone()).await
    }
}

/// Adds windows to those that are stored, each once.
#[derive(Default)]
struct WindowAdder {
    conn: Option<PgConnection>,
    /// The transaction whose commit was not answered.
    in_doubt: Option<String>,
}

impl WindowAdder {
    async fn store(&mut self, database: &Database, windows: &mut Vec<Window>) -> Result<(), Error> {
        if windows.is_empty() {
            return Ok(());
        }
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => PgConnection::connect_with(&database.connect).await?,
        };
        if let Some(transaction) = &self.in_doubt {
            match Fate::of(&mut conn, transaction).await? {
                Fate::Committed => windows.clear(),
                Fate::Aborted => {}
                Fate::Running => {
                    self.conn = Some(conn);
                    return Err(Error::not_written(
                        "metrics",
                        "the server still runs the transaction of a lost connection",
                    ));
                }
            }
            self.in_doubt = None;
        }
        if !windows.is_empty() {
            let mut transaction = conn.begin().await?;
            merge_into(&mut transaction, windows.clone()).await?;
            let id = sqlx::query_scalar("SELECT pg_current_xact_id()::text")
                .fetch_one(&mut *transaction)
                .await?;
            self.in_doubt = Some(id);
            transaction.commit().await?;
            self.in_doubt = None;
            windows.clear();
        }
        self.conn = Some(conn);
        Ok(())
    }
}

/// What became of a transaction whose commit was not answered.
enum Fate {
    Committed,
    Aborted,
    Running,
}

impl Fate {
    async fn of(conn: &mut PgConnection, transaction: &str) -> Result<Self, Error> {
        let status: Option<String> = sqlx::query_scalar("SELECT pg_xact_status($1::xid8)")
            .bind(transaction)
            .fetch_one(conn)
            .await?;
        Ok(match status.as_deref() {
            Some("committed") => Self::Committed,
            Some("in progress") => Self::Running,
            // A server that does not know it any more has aborted it, or is another one.
            _ => Self::Aborted,
        })
    }
}

impl Sink for PostgresSink {
    async fn store(&mut self, batch: &mut Batch) -> Result<(), SinkError> {
        let database = &self.database;
        // None of them waits for another.
        let (requests, logs, windows) = tokio::join!(
            self.requests
                .store(database, &mut batch.requests, request_row),
            self.logs.store(database, &mut batch.logs, log_row),
            self.windows.store(database, &mut batch.windows),
        );
        requests.and(logs).and(windows).map_err(sink_error)
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        let (requests, logs) = tokio::join!(self.requests.flush(), self.logs.flush());
        requests.and(logs).map_err(sink_error)
    }
}

fn sink_error(error: Error) -> SinkError {
    // A database that is away, without tables, or without privileges may get them.
    if error.is_invalid() {
        SinkError::permanent(error)
    } else {
        SinkError::temporary(error)
    }
}

fn request_row(captured: CapturedRequest) -> NewRequestSnapshot {
    let mut row = NewRequestSnapshot::new(
        captured.method,
        captured.path,
        captured.timestamp,
        captured.version,
        captured.stage,
    );
    row.query = captured.query;
    row.body = captured.body;
    row.headers = Some(Json::Object(captured.headers));
    row.user_id = captured.user_id;
    row.status_code = captured.status_code.map(i32::from);
    row.response_body = captured.response_body;
    row.response_headers = captured.response_headers.map(Json::Object);
    row.duration = Some(i32::try_from(captured.duration).unwrap_or(i32::MAX));
    let location = captured.location;
    row.geo_country = location.country;
    row.geo_region = location.region;
    row.geo_city = location.city;
    row.geo_lat = location.coordinates.map(|(latitude, _)| latitude);
    row.geo_lon = location.coordinates.map(|(_, longitude)| longitude);
    row.geo_source = Some(match location.source {
        LocationSource::Platform => GeoSource::Platform,
        LocationSource::Header => GeoSource::Header,
        LocationSource::Ip => GeoSource::Ip,
        LocationSource::None => GeoSource::None,
    });
    row.trace_id = Some(captured.trace_id);
    row.created_at = Some(captured.timestamp);
    row
}

fn log_row(captured: CapturedLog) -> NewLog {
    let level = match captured.level {
        lookback_capture::Level::Debug => Level::Debug,
        lookback_capture::Level::Info => Level::Info,
        lookback_capture::Level::Warn => Level::Warn,
        lookback_capture::Level::Error => Level::Error,
    };
    let mut row = NewLog::new(captured.source, level, captured.message);
    row.meta = captured.meta.map(Json::Object);
    row.trace_id = captured.trace_id;
    row.created_at = Some(captured.timestamp);
    row
}

impl fmt::Debug for PostgresSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSink")
            .field("spill", &self.database.spill)
            .finish_non_exhaustive()
    }
}

//! The sink into PostgreSQL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use lookback_capture::{
    Batch, CapturedLog, CapturedRequest, LocationSource, Rejected, Sink, SinkError, Window,
};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::time::timeout;

use super::windows::merge_into;
use crate::error::Error;
use crate::ingest::Writer;
use crate::value::Json;
use crate::{GeoSource, Level, Log, Model, NewLog, NewRequestSnapshot, RequestSnapshot};

/// Stores captured records in PostgreSQL: requests and log lines by a
/// [`Writer`](crate::ingest::Writer) each, windows by [adding](super::store_windows) them to the
/// rows of their endpoint and minute.
///
/// It has three connections of its own (five with a spill), which it opens when there is something to
/// store, and opens again after they are lost. A window is added once, also if the connection is lost while it is
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
    /// The records that it took and that were rejected.
    rejected: Arc<AtomicU64>,
}

/// How long a record waits for others of its batch: as in the queue of capture.
const BATCH_AGE: Duration = Duration::from_millis(5);
/// How long a writer may have no room for a record before the others go on without it.
const NO_ROOM: Duration = Duration::from_secs(1);
/// How long a step of storing windows may take before its connection counts as lost.
const NO_ANSWER: Duration = Duration::from_secs(60);

impl<M: Model> LazyWriter<M> {
    fn new(folder: &'static str) -> Self {
        Self {
            folder,
            writer: None,
            rejected: Arc::default(),
        }
    }

    async fn start(&self, database: &Database) -> Result<Writer<M>, Error> {
        const MIB: usize = 1024 * 1024;
        let rejected = Arc::clone(&self.rejected);
        // The records wait in the queue of capture, which is bounded.
        let mut builder = Writer::<M>::builder()
            .queue(4_096, 8 * MIB)
            .batch(2_000, 2 * MIB)
            .connections(1)
            .batch_age(BATCH_AGE)
            .on_rejected(move |_| {
                rejected.fetch_add(1, Relaxed);
            });
        if let Some((spill, bytes)) = &database.spill {
            builder = builder.spill(spill.join(self.folder), *bytes);
        }
        let started = builder.start_with(database.connect.clone()).await;
        // What is wrong with a folder is no fault of the records: they wait until it can be used. A
        // process that was restarted may meet the one before it.
        started.map_err(|error| {
            if error.is_invalid() {
                Error::not_written(M::TABLE.name, error.to_string())
            } else {
                error
            }
        })
    }

    /// Starts a writer if an earlier process has left records in its folder: it stores them.
    async fn resume(&mut self, database: &Database) -> Result<(), Error> {
        let Some((spill, _)) = &database.spill else {
            return Ok(());
        };
        if self.writer.is_none() && has_batches(&spill.join(self.folder)) {
            self.writer = Some(self.start(database).await?);
        }
        Ok(())
    }

    /// Takes the records, as fast as they are stored. What it does not take is left.
    async fn store<T>(
        &mut self,
        database: &Database,
        records: &mut Vec<T>,
        row: impl Fn(T) -> M::New,
    ) -> Result<(), Error> {
        if records.is_empty() {
            return self.resume(database).await;
        }
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.start(database).await?,
        };
        let mut rest = std::mem::take(records).into_iter();
        while rest.len() > 0 {
            // Waits for a place, and only then takes a record.
            if timeout(NO_ROOM, writer.ready()).await.is_err() {
                records.extend(rest);
                self.writer = Some(writer);
                return Err(Error::not_written(
                    M::TABLE.name,
                    "no more records are taken for now",
                ));
            }
            let Some(record) = rest.next() else { break };
            if let Err(error) = writer.send(row(record)).await {
                // It has stopped. Another one is started for the rest.
                self.rejected.fetch_add(1, Relaxed);
                records.extend(rest);
                return Err(error);
            }
        }
        self.writer = Some(writer);
        Ok(())
    }

    async fn flush(&self) -> Result<(), Error> {
        match &self.writer {
            Some(writer) => writer.flush().await,
            None => Ok(()),
        }
    }

    async fn close(&self) -> Result<(), Error> {
        match &self.writer {
            Some(writer) => writer.close().await,
            None => Ok(()),
        }
    }

    fn last_error(&self) -> Option<String> {
        let counters = self.writer.as_ref()?.counters();
        counters.last_error.map(|error| error.to_string())
    }
}

/// Whether a folder has spilled batches.
fn has_batches(folder: &Path) -> bool {
    let is_batch = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.path().extension().is_some_and(|of| of == "batch"))
    };
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.any(is_batch))
}

/// Adds windows to those that are stored, each once.
#[derive(Default)]
struct WindowAdder {
    conn: Option<PgConnection>,
    in_doubt: Option<InDoubt>,
}

/// A transaction whose commit was not answered, and what it has added if it is committed.
struct InDoubt {
    transaction: String,
    windows: Vec<Window>,
}

impl WindowAdder {
    async fn store(&mut self, database: &Database, windows: &mut Vec<Window>) -> Result<(), Error> {
        if windows.is_empty() && self.in_doubt.is_none() {
            return Ok(());
        }
        let no_answer = || Error::not_written("metrics", "the database does not answer");
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => timeout(NO_ANSWER, PgConnection::connect_with(&database.connect))
                .await
                .map_err(|_| no_answer())??,
        };
        // A connection that does not answer is dropped.
        timeout(NO_ANSWER, self.add(&mut conn, windows))
            .await
            .map_err(|_| no_answer())??;
        self.conn = Some(conn);
        Ok(())
    }

    async fn add(
        &mut self,
        conn: &mut PgConnection,
        windows: &mut Vec<Window>,
    ) -> Result<(), Error> {
        if let Some(in_doubt) = &self.in_doubt {
            let fate = Fate::of(conn, &in_doubt.transaction).await?;
            if fate == Fate::Running {
                let why = "the server still runs the transaction of a lost connection";
                return Err(Error::not_written("metrics", why));
            }
            if let Some(in_doubt) = self.in_doubt.take()
                && fate == Fate::Aborted
            {
                windows.extend(in_doubt.windows);
            }
        }
        if windows.is_empty() {
            return Ok(());
        }
        let mut transaction = conn.begin().await?;
        // Another process may hold the lock, and be gone.
        sqlx::query("SELECT set_config('lock_timeout', '10s', true)")
            .execute(&mut *transaction)
            .await?;
        merge_into(&mut transaction, windows.clone()).await?;
        let id = sqlx::query_scalar("SELECT pg_current_xact_id()::text")
            .fetch_one(&mut *transaction)
            .await?;
        self.in_doubt = Some(InDoubt {
            transaction: id,
            windows: std::mem::take(windows),
        });
        transaction.commit().await?;
        self.in_doubt = None;
        Ok(())
    }
}

/// What became of a transaction whose commit was not answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Committed,
    Aborted,
    Running,
}

impl Fate {
    async fn of(conn: &mut PgConnection, transaction: &str) -> Result<Self, Error> {
        let status = sqlx::query_scalar::<_, Option<String>>("SELECT pg_xact_status($1::xid8)")
            .bind(transaction)
            .fetch_one(conn)
            .await;
        let status = match status {
            Ok(status) => status,
            // Another server, which has had fewer transactions: it has not got this one.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(IN_THE_FUTURE) => {
                return Ok(Self::Aborted);
            }
            Err(error) => return Err(error.into()),
        };
        Ok(match status.as_deref() {
            Some("committed") => Self::Committed,
            Some("in progress") => Self::Running,
            // A server that does not know it any more has aborted it, or is another one.
            _ => Self::Aborted,
        })
    }
}

/// The SQLSTATE of a transaction id that the server has not reached.
const IN_THE_FUTURE: &str = "22023";

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

    async fn idle(&mut self) -> Result<(), SinkError> {
        let database = &self.database;
        let (requests, logs) =
            tokio::join!(self.requests.resume(database), self.logs.resume(database));
        requests.and(logs).map_err(sink_error)
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        let mut none = Vec::new();
        let (requests, logs, windows) = tokio::join!(
            self.requests.flush(),
            self.logs.flush(),
            self.windows.store(&self.database, &mut none),
        );
        requests.and(logs).and(windows).map_err(sink_error)
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        let mut none = Vec::new();
        let (requests, logs, windows) = tokio::join!(
            self.requests.close(),
            self.logs.close(),
            self.windows.store(&self.database, &mut none),
        );
        requests.and(logs).and(windows).map_err(sink_error)
    }

    fn take_rejected(&mut self) -> Rejected {
        Rejected {
            requests: self.requests.rejected.swap(0, Relaxed),
            logs: self.logs.rejected.swap(0, Relaxed),
        }
    }

    fn last_error(&self) -> Option<String> {
        self.requests
            .last_error()
            .or_else(|| self.logs.last_error())
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

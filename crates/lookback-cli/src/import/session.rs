//! The database of a call: its files share one connection and one maintenance worker.

use futures_util::FutureExt as _;
use lookback::maintenance::{MaintenanceOptions, MaintenanceWorker};
use lookback::table::Table;
use sqlx::{PgConnection, PgPool};

use super::INTERRUPT_TIMEOUT;
use super::batches::{ImportEnd, ImportSource, import_content};
use super::checkpoint::Checkpoint;
use super::connection::Connection;
use super::copies::{self, FoundInStream, KnownContent};
use super::input::Input;
use super::interrupt::Interrupt;
use super::report::Summary;
use super::sealing;
use crate::args::ImportArgs;
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output;

/// The session of a call, which begins when the first import needs the database.
pub(super) struct LazySession {
    waits: bool,
    opened: Option<ImportSession>,
    has_failed: bool,
}

impl LazySession {
    /// `waits` says whether a file waits for a database that is away, as a stream does.
    pub(super) fn new(waits: bool) -> Self {
        Self {
            waits,
            opened: None,
            has_failed: false,
        }
    }

    pub(super) async fn get(&mut self, config: &Config) -> Result<&mut ImportSession, Failure> {
        if self.opened.is_none() {
            let opened = ImportSession::open(config, self.waits).await;
            self.has_failed = opened.is_err();
            self.opened = Some(opened?);
        }
        self.opened
            .as_mut()
            .ok_or_else(|| Failure::failed("no session: this is a bug in lookback"))
    }

    /// Whether the database could not be used.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Whether a signal came since the last batch.
    pub(super) fn is_interrupted(&mut self) -> bool {
        let interrupt = self
            .opened
            .as_mut()
            .and_then(|open| open.interrupt.as_mut());
        interrupt.is_some_and(|interrupt| interrupt.next().now_or_never().is_some())
    }

    /// Stops the workers, and seals what was stored.
    pub(super) async fn finish(self) -> Result<(), Failure> {
        match self.opened {
            Some(opened) => opened.finish().await,
            None => Ok(()),
        }
    }
}

/// What the imports of one call share.
pub(super) struct ImportSession {
    pub(super) pool: PgPool,
    conn: Connection,
    /// The signals from the first batch on; before it, one ends the process at once.
    interrupt: Option<Interrupt>,
    known: KnownContent,
    /// Whether a file waits for a database that is away, as a stream does.
    pub(super) waits: bool,
    workers: Vec<MaintenanceWorker>,
    maintained: Vec<MaintainedTable>,
    /// The number of stored records of each table that is sealed at the end.
    unsealed: Vec<(&'static Table, u64)>,
}

/// A table that a worker maintains.
struct MaintainedTable {
    table: &'static Table,
    is_sealed: bool,
}

impl ImportSession {
    /// Connects, and checks the database; starts the private PostgreSQL if none is configured.
    async fn open(config: &Config, waits: bool) -> Result<Self, Failure> {
        let (mut conn, options) = database::connect_to(config).await?;
        lookback::setup::check_server(&mut conn).await?;
        lookback::setup::check_encoder(&mut conn).await?;
        Ok(Self {
            conn: Connection::own(conn),
            pool: database::lazy_pool(options.application_name("lookback maintenance"), 3),
            interrupt: None,
            known: KnownContent::default(),
            waits,
            workers: Vec::new(),
            maintained: Vec::new(),
            unsealed: Vec::new(),
        })
    }

    /// Runs queries, again while the database is away if files wait for it.
    pub(super) async fn query<T>(
        &mut self,
        config: &Config,
        mut queries: impl AsyncFnMut(&mut PgConnection, &mut KnownContent) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        loop {
            let found = queries(self.conn.get(config).await?, &mut self.known).await;
            match found {
                Err(failure) if self.waits && failure.is_of_connection() => {
                    self.wait(config).await?;
                }
                found => return found,
            }
        }
    }

    /// A signal ends this stream from now on: what it has sent is stored.
    pub(super) fn end_at_signal(&mut self, input: &Input) -> Result<(), Failure> {
        interrupt(&mut self.interrupt)?.end_at_signal(input.end_of_stream());
        Ok(())
    }

    /// Finds the import that has stored the start of a stream. If the database cannot say, there is
    /// none: what the stream has sent is nowhere else.
    pub(super) async fn find_in_stream(
        &mut self,
        config: &Config,
        args: &ImportArgs,
        input: &Input,
    ) -> Option<FoundInStream> {
        let found = match self.conn.get(config).await {
            Ok(conn) => copies::find_in_stream(conn, args, input).await,
            Err(failure) => Err(failure),
        };
        found.unwrap_or_else(|failure| {
            output::detail(failure.message());
            None
        })
    }

    /// Connects until it succeeds, or until a signal comes.
    async fn wait(&mut self, config: &Config) -> Result<(), Failure> {
        output::warning("the database cannot be reached; the import waits for it");
        advise_to_start(config);
        let interrupt = interrupt(&mut self.interrupt)?;
        tokio::select! {
            biased;
            () = interrupt.next() => return Err(Failure::interrupted("interrupted")),
            () = self.conn.reconnect(config) => {}
        }
        output::note("connected again");
        Ok(())
    }

    /// Imports the rest of an input. Returns what was stored, and how it ended.
    pub(super) async fn import(
        &mut self,
        source: ImportSource<'_>,
        checkpoint: &mut Checkpoint,
    ) -> Result<(Summary, Result<ImportEnd, Failure>), Failure> {
        let interrupt = interrupt(&mut self.interrupt)?;
        Ok(import_content(source, checkpoint, &mut self.conn, interrupt).await)
    }

    /// Starts a worker that pre-creates partitions of these tables, and seals stored records if it
    /// is to, unless one does so already.
    ///
    /// A failure of the worker does not fail the import: the records are complete without the
    /// worker, and a role that can only insert lacks the privileges for it.
    pub(super) fn maintain(
        &mut self,
        tables: &[&'static Table],
        is_sealed: bool,
    ) -> Result<(), Failure> {
        if !tables.iter().all(|table| table.is_sealed()) {
            return Ok(());
        }
        let mut new = tables.to_vec();
        new.retain(|table| {
            !self
                .maintained
                .iter()
                .any(|other| other.table.name() == table.name() && (other.is_sealed || !is_sealed))
        });
        if new.is_empty() {
            return Ok(());
        }
        self.workers
            .push(spawn_worker(&new, &self.pool, is_sealed)?);
        let maintained = new.into_iter();
        self.maintained
            .extend(maintained.map(|table| MaintainedTable { table, is_sealed }));
        Ok(())
    }

    /// Notes records that are sealed at the end.
    pub(super) fn seal_later(&mut self, tables: &[&'static Table], stored: u64) {
        for table in tables.iter().filter(|table| table.is_sealed()) {
            let of_table = |(other, _): &&mut (&Table, u64)| other.name() == table.name();
            match self.unsealed.iter_mut().find(of_table) {
                Some((_, records)) => *records += stored,
                None => self.unsealed.push((table, stored)),
            }
        }
    }

    async fn finish(self) -> Result<(), Failure> {
        let stopped = async {
            for worker in self.workers {
                worker.stop().await;
            }
        };
        let _ = tokio::time::timeout(INTERRUPT_TIMEOUT, stopped).await;
        sealing::seal(&self.pool, &self.unsealed).await
    }
}

fn interrupt(signals: &mut Option<Interrupt>) -> Result<&mut Interrupt, Failure> {
    Ok(match signals {
        Some(signals) => signals,
        None => signals.insert(Interrupt::new()?),
    })
}

/// Says how to start a private PostgreSQL that was stopped: what waits for it does not.
pub(super) fn advise_to_start(config: &Config) {
    if database::is_private_stopped(config) {
        output::advice("the private PostgreSQL was stopped; start it: lookback pg start");
    }
}

/// Starts a worker that pre-creates partitions, and seals stored records if it is to.
pub(super) fn spawn_worker(
    tables: &[&'static Table],
    pool: &PgPool,
    is_sealed: bool,
) -> Result<MaintenanceWorker, Failure> {
    let mut options = MaintenanceOptions::default();
    options.tables = tables.to_vec();
    options.seals = is_sealed;
    Ok(MaintenanceWorker::spawn(pool.clone(), options)?)
}

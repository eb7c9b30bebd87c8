//! `tail`: records as they arrive, from the database or from a server.

use std::io;
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use lookback::query::{Position, Tail};
use lookback::{Error, Json, Model};
use serde::Serialize;
use sqlx::PgConnection;

use super::export::interrupted;
use super::{
    TableRow, apply_deleted, filter_query, push_argument, query_failure, usage, with_deleted_at,
};
use crate::args::{Deleted, TailArgs};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell, GrowingColumns, Heading};

mod event_stream;
mod printer;
mod remote;

use printer::Printer;

/// The number of bytes that are printed at a time.
const CHUNK_BYTES: usize = 64 * 1024;

pub(super) async fn run<M: Model + Serialize + TableRow>(
    config: &Config,
    args: TailArgs,
) -> Result<(), Failure> {
    if let Some(server) = &args.server {
        return remote::run::<M>(server, &args).await;
    }
    let same_call = call_without_position::<M>(&args);
    let query = filter_query::<M>(&args.filters)?.timeout(config.timeout());
    let mut tail = apply_deleted(query, args.deleted).tail().last(args.last);
    if let Some(position) = &args.after {
        let position: Position = position
            .parse()
            .map_err(|error: Error| Failure::usage(format!("--after: {error}")))?;
        tail = tail.after(position);
    }
    let mut follower = Follower {
        config,
        conn: database::connect(config).await?,
        tail,
        lines: Lines::new(&args),
        printer: Printer::spawn(args.json, None),
    };
    let ended = tokio::select! {
        ended = follower.follow() => ended,
        () = closed_output() => Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
        () = pin!(interrupted()) => Err(Failure::interrupted("interrupted")),
    };
    match (ended, follower.printer.end().await) {
        (Err(failure), Some(position)) if failure.is_interrupted() => Err(failure.hint(format!(
            "to continue with the next record: {same_call} --after {position}"
        ))),
        (ended, _) => ended,
    }
}

/// The command of this call, to which a position can be added.
fn call_without_position<M: TableRow>(args: &TailArgs) -> String {
    let mut command = format!("lookback {} tail", M::COMMAND);
    for filter in &args.filters {
        push_argument(filter, &mut command);
    }
    match args.deleted {
        Deleted::Without => {}
        Deleted::With => command.push_str(" --deleted with"),
        Deleted::Only => command.push_str(" --deleted only"),
    }
    if args.json {
        command.push_str(" --json");
    }
    if let Some(server) = &args.server {
        command.push_str(" --server");
        push_argument(server, &mut command);
    }
    command
}

/// Prints what a tail returns.
struct Follower<'c, M> {
    config: &'c Config,
    conn: PgConnection,
    tail: Tail<M>,
    lines: Lines,
    printer: Printer<Position>,
}

impl<M: Model + Serialize + TableRow> Follower<'_, M> {
    async fn follow(&mut self) -> Result<(), Failure> {
        // Wrong usage and missing privileges are found here; later, only the connection may fail.
        self.tail
            .start(&mut self.conn)
            .await
            .map_err(start_failure)?;
        self.printer.begin_at(self.tail.position());
        loop {
            match self.tail.next(&mut self.conn).await {
                Ok(record) => self.print(record).await?,
                Err(error) if error.is_retryable() => self.reconnect(error).await,
                Err(error) => return Err(query_failure(error)),
            }
        }
    }

    /// Prints a record, and those that were read with it.
    async fn print(&mut self, record: M) -> Result<(), Failure> {
        let mut text = String::new();
        self.lines.push(&record, &mut text)?;
        let mut failed = Ok(());
        while text.len() < CHUNK_BYTES {
            match self.tail.next_ready() {
                None => break,
                Some(Ok(record)) => self.lines.push(&record, &mut text)?,
                Some(Err(error)) => {
                    failed = Err(error.into());
                    break;
                }
            }
        }
        self.printer.print(text, self.tail.position()).await?;
        failed
    }

    /// Connects until it succeeds, with growing pauses; an interrupt ends the attempts.
    async fn reconnect(&mut self, error: Error) {
        const FIRST: Duration = Duration::from_millis(100);
        const LONGEST: Duration = Duration::from_secs(2);
        let failure = Failure::from(error);
        output::warning(&format!(
            "{}; tail continues when it can be reached again",
            failure.message()
        ));
        if database::is_private_stopped(self.config) {
            output::advice("the private PostgreSQL was stopped; start it: lookback pg start");
        }
        let mut pause = FIRST;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
            match database::reconnect(self.config).await {
                Ok(conn) => {
                    self.conn = conn;
                    output::note("connected again");
                    return;
                }
                Err(failure) => output::detail(failure.message()),
            }
        }
    }
}

/// Converts the error of the start. It reads the last records, which takes long if few match.
fn start_failure(error: Error) -> Failure {
    if error.is_too_slow() {
        Failure::from(error).hint(
            "few of the last records match: leave them out (-n 0), or give it more time: --timeout 5m",
        )
    } else if error.is_invalid() {
        usage(error)
    } else {
        error.into()
    }
}

/// Formats records as lines.
struct Lines {
    is_json: bool,
    deleted: Deleted,
    columns: GrowingColumns,
}

impl Lines {
    fn new(args: &TailArgs) -> Self {
        Self {
            is_json: args.json,
            deleted: args.deleted,
            columns: GrowingColumns::default(),
        }
    }

    fn push<M: Serialize + TableRow>(
        &mut self,
        record: &M,
        text: &mut String,
    ) -> Result<(), Failure> {
        if self.is_json {
            let json = with_deleted_at(record, Json::from_serialize(record)?);
            return Self::push_json(&json, text);
        }
        self.push_cells::<M>(record.cells(), record.deleted_at().flatten(), text);
        Ok(())
    }

    fn push_json(json: &Json, text: &mut String) -> Result<(), Failure> {
        let json = serde_json::to_string(json)?;
        text.push_str(&output::escaped_json(&json));
        text.push('\n');
        Ok(())
    }

    fn push_cells<M: TableRow>(
        &mut self,
        mut cells: Vec<Cell>,
        deleted_at: Option<DateTime<Utc>>,
        text: &mut String,
    ) {
        if self.deleted != Deleted::Without {
            let place = cells.len().saturating_sub(1);
            let time = deleted_at.map_or_else(|| "-".to_owned(), output::time);
            cells.insert(place, Cell::new(time).style(output::RED));
        }
        // Lines of a log begin with the time; `--json` has the id.
        let has_id = M::headings().first().map(Heading::name) == Some("ID");
        self.columns.push_line(&cells[usize::from(has_id)..], text);
    }
}

/// Waits until the reader of standard output has closed it, also while nothing is printed.
#[cfg(target_os = "linux")]
async fn closed_output() {
    use std::os::fd::AsFd as _;
    use tokio::io::Interest;
    use tokio::net::unix::pipe::Sender;

    // It is only waited for, and stays as it is: the printer writes to it without tokio. A file has
    // no reader, and cannot be waited for.
    let output = io::stdout().as_fd().try_clone_to_owned();
    if let Ok(output) = output.and_then(Sender::from_owned_fd_unchecked)
        && output.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Elsewhere, the next record notices it.
#[cfg(not(target_os = "linux"))]
async fn closed_output() {
    std::future::pending::<()>().await;
}

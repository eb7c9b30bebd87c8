//! Captured records to a Lookback server, over HTTP.

mod chunk;
mod client;
mod spill;

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use lookback_json::Json;
use tokio::time::Instant;

use self::chunk::{Chunk, Kind};
use self::client::{Answer, Client};
use self::spill::Spill;
use super::{Rejected, Sink, SinkError};
use crate::record::{Batch, CapturedLog, CapturedRequest};
use crate::window::Window;

/// The pauses while the server cannot store: the first, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// The longest pause that a server may ask for.
const MOST_PAUSE: Duration = Duration::from_secs(60);
/// How long a step sends chunks from the disk before it looks at new records.
const TURN: Duration = Duration::from_secs(1);

/// Sends records to a Lookback server.
///
/// They are JSON lines, compressed by gzip: `POST /api/v1/requests`, `/logs` and `/metrics`. Each
/// body has an `Idempotency-Key`, by which the server stores it once, however often it is sent.
///
/// While the server cannot be reached, answers 429 or 5xx, or refuses the key, the records wait: in
/// a [spill](Self::spill), or without one in the queue of capture. It is tried again after 0.1 to
/// 10 seconds, or as late as `Retry-After` says, up to a minute. A body that is too large (413) is
/// sent in halves. Records that the server will never store are counted as failed.
///
/// ```
/// use lookback_capture::{Capture, HttpSink};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let sink = HttpSink::new("http://lookback.internal:4000", "lb_…")?
///     .spill("/var/lib/shop/captured", 256 * 1024 * 1024)?;
/// let capture = Capture::builder().version("1.4.0").stage("production").start(sink)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct HttpSink {
    client: Client,
    spill: Option<Spill>,
    /// Chunks of the first records of a batch, which were sent in vain: what a server may have
    /// stored is sent again as it was.
    in_doubt: VecDeque<Chunk>,
    rejected: Rejected,
    /// Why the server could not store, the last time.
    problem: Option<String>,
    pause: Duration,
    next_try: Instant,
}

impl HttpSink {
    /// Creates a sink to the server of a URL such as `https://lookback.example.com`, with an API
    /// key that may ingest.
    ///
    /// `https` needs the feature of that name.
    ///
    /// # Errors
    ///
    /// The URL or the key has not the form of one.
    pub fn new(url: &str, key: &str) -> Result<Self, HttpSinkError> {
        Ok(Self {
            client: Client::new(url, key)?,
            spill: None,
            in_doubt: VecDeque::new(),
            rejected: Rejected::default(),
            problem: None,
            pause: BACK_OFF.0,
            next_try: Instant::now(),
        })
    }

    /// Keeps records in a folder while the server is away, up to this many bytes of compressed
    /// lines. Off by default.
    ///
    /// They survive a restart. The folder is created if it is missing, is for one process at a
    /// time, and only its owner can read the files.
    ///
    /// # Errors
    ///
    /// The folder cannot be used, or is used by another process.
    pub fn spill(mut self, folder: impl AsRef<Path>, bytes: u64) -> Result<Self, HttpSinkError> {
        let folder = folder.as_ref();
        let spill = Spill::open(folder, bytes).map_err(|error| HttpSinkError {
            problem: format!("the folder {} cannot be used", folder.display()),
            source: Some(error),
        })?;
        self.spill = Some(spill);
        Ok(self)
    }

    /// How long the server may take to answer; 30 seconds by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.client.timeout = timeout;
        self
    }

    /// Stores the records of a kind. Those that are stored, kept on disk or given up are taken out.
    async fn store_kind<T>(
        &mut self,
        kind: Kind,
        records: &mut Vec<T>,
        json: impl Fn(&T) -> Json,
    ) -> Result<(), SinkError> {
        while !records.is_empty() {
            let chunk = match self.in_doubt.iter().find(|chunk| chunk.kind == kind) {
                Some(chunk) => chunk.clone(),
                None => {
                    let chunk =
                        Chunk::encode(kind, records, &json).map_err(SinkError::permanent)?;
                    self.in_doubt.push_back(chunk.clone());
                    chunk
                }
            };
            // What is on the disk is older.
            let is_next = self.spill.as_ref().is_none_or(Spill::is_empty);
            let sent = if is_next && Instant::now() >= self.next_try {
                self.send(&chunk).await
            } else {
                Sent::Later
            };
            match sent {
                Sent::Done => {}
                Sent::Halves(halves) => {
                    self.replace(&chunk, halves.into());
                    continue;
                }
                Sent::Later => {
                    let is_kept = match &mut self.spill {
                        Some(spill) => spill.push(&chunk).map_err(SinkError::temporary)?,
                        None => false,
                    };
                    if !is_kept {
                        let problem = self.problem.clone();
                        let problem = problem.unwrap_or_else(|| "the spill is full".to_owned());
                        return Err(SinkError::temporary(problem));
                    }
                }
            }
            records.drain(..chunk.records.min(records.len()));
            self.replace(&chunk, Vec::new());
        }
        Ok(())
    }

    /// Puts other chunks, or none, in the place of one that is in doubt.
    fn replace(&mut self, chunk: &Chunk, with: Vec<Chunk>) {
        let mut with = Some(with);
        self.in_doubt = std::mem::take(&mut self.in_doubt)
            .into_iter()
            .flat_map(|other| {
                if other.key == chunk.key {
                    with.take().unwrap_or_default()
                } else {
                    vec![other]
                }
            })
            .collect();
    }

    /// Sends what is on the disk, until a time, the end, or the server cannot store.
    async fn send_spilled(&mut self, until: Option<Instant>) -> Result<(), SinkError> {
        let disk = |error: io::Error| SinkError::temporary(error);
        while until.is_none_or(|until| Instant::now() < until) {
            let Some(spill) = &mut self.spill else {
                return Ok(());
            };
            let Some(chunk) = spill.oldest().map_err(disk)? else {
                return Ok(());
            };
            if Instant::now() < self.next_try {
                return Ok(());
            }
            let sent = self.send(&chunk).await;
            if let Some(spill) = &mut self.spill {
                match sent {
                    Sent::Done => spill.remove_oldest().map_err(disk)?,
                    Sent::Halves(halves) => spill.split_oldest(&halves).map_err(disk)?,
                    Sent::Later => return Ok(()),
                }
            }
        }
        Ok(())
    }

    /// Sends a chunk.
    async fn send(&mut self, chunk: &Chunk) -> Sent {
        match self.client.send(chunk).await {
            Answer::Stored { rejected } => {
                self.reject(chunk.kind, rejected);
                self.problem = None;
                self.pause = BACK_OFF.0;
                Sent::Done
            }
            Answer::TooLarge(problem) => match chunk.split() {
                Some(halves) => Sent::Halves(halves),
                None => self.refuse(chunk, problem),
            },
            Answer::Refused(problem) => self.refuse(chunk, problem),
            Answer::Later(problem, at_least) => {
                self.problem = Some(problem);
                let asked = at_least.unwrap_or_default().min(MOST_PAUSE);
                self.next_try = Instant::now() + self.pause.max(asked);
                self.pause = (self.pause * 2).min(BACK_OFF.1);
                Sent::Later
            }
        }
    }

    /// Gives up records that the server will never store.
    fn refuse(&mut self, chunk: &Chunk, problem: String) -> Sent {
        tracing::warn!(target: "lookback_capture", "{} records are lost: {problem}", chunk.records);
        self.problem = Some(problem);
        self.reject(chunk.kind, chunk.records);
        Sent::Done
    }

    fn reject(&mut self, kind: Kind, records: usize) {
        let counter = match kind {
            Kind::Requests => &mut self.rejected.requests,
            Kind::Logs => &mut self.rejected.logs,
            Kind::Windows => return,
        };
        *counter += records as u64;
    }
}

/// What became of a chunk.
enum Sent {
    /// It is stored, or given up.
    Done,
    /// It is too large.
    Halves([Chunk; 2]),
    /// The server may store it later.
    Later,
}

impl Sink for HttpSink {
    async fn store(&mut self, batch: &mut Batch) -> Result<(), SinkError> {
        self.send_spilled(Some(Instant::now() + TURN)).await?;
        self.store_kind(
            Kind::Requests,
            &mut batch.requests,
            CapturedRequest::to_json,
        )
        .await?;
        self.store_kind(Kind::Logs, &mut batch.logs, CapturedLog::to_json)
            .await?;
        self.store_kind(Kind::Windows, &mut batch.windows, Window::to_json)
            .await
    }

    async fn idle(&mut self) -> Result<(), SinkError> {
        self.send_spilled(Some(Instant::now() + TURN)).await
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        self.next_try = Instant::now();
        self.send_spilled(None).await?;
        if self.spill.as_ref().is_none_or(Spill::is_empty) {
            return Ok(());
        }
        let problem = self.problem.clone().unwrap_or_default();
        Err(SinkError::temporary(format!(
            "records wait on the disk: {problem}"
        )))
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        // What is on the disk stays there for the next process.
        self.send_spilled(Some(Instant::now() + TURN)).await
    }

    fn take_rejected(&mut self) -> Rejected {
        std::mem::take(&mut self.rejected)
    }

    fn last_error(&self) -> Option<String> {
        self.problem.clone()
    }
}

/// Why there is no [`HttpSink`].
#[derive(Debug)]
pub struct HttpSinkError {
    problem: String,
    source: Option<io::Error>,
}

impl HttpSinkError {
    fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            source: None,
        }
    }
}

impl fmt::Display for HttpSinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for HttpSinkError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The message has that of the error of I/O.
        self.source.as_ref()?.source()
    }
}

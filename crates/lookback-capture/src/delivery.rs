//! The thread that takes records out of the queue and hands them to the sink.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use chrono::Utc;
use lookback_json::{Json, JsonMap};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::capture::{Error, ErrorKind, Health, KindHealth, Shared};
use crate::logs;
use crate::queue::{QueueEnds, count};
use crate::record::{Batch, CapturedLog, Level, now};
use crate::sink::{Sink, SinkError};

/// The most records of a batch of each kind.
const BATCH: usize = 1_000;
/// The most bytes of a batch, about.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// How long a record waits for others of its batch. Short, so that storing takes the processor for
/// a moment only: a request waits that long for it, where all processors are in use.
const BATCH_AGE: Duration = Duration::from_millis(20);
/// How often the thread looks for more records of a batch.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How often the thread looks for windows whose minute is over.
const TICK: Duration = Duration::from_secs(1);
/// How often drops are reported.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// How often a warning says that the sink cannot store.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// The pauses after temporary errors: the first, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long a sink is tried when the application has dropped its capture.
const PATIENCE_AT_END: Duration = Duration::from_secs(5);

/// A call of `flush`.
#[derive(Debug)]
pub(crate) struct Flush {
    timeout: Duration,
    deadline: Instant,
    done: oneshot::Sender<Result<(), Error>>,
}

impl Flush {
    pub(crate) fn new(timeout: Duration, done: oneshot::Sender<Result<(), Error>>) -> Self {
        const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            timeout,
            deadline: Instant::now() + timeout.min(LONGEST),
            done,
        }
    }

    fn finish(self, result: Result<(), Error>) {
        // The caller may have stopped waiting.
        let _gone = self.done.send(result);
    }
}

/// Starts the thread, with a runtime of its own.
pub(crate) fn start(
    sink: impl Sink,
    shared: Arc<Shared>,
    ends: QueueEnds,
    flushes: mpsc::UnboundedReceiver<Flush>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_start(logs::ignore_events_of_this_thread)
        .build()?;
    let delivery = Delivery {
        sink,
        ends,
        batch: Batch::default(),
        bytes: Bytes::default(),
        calls: Calls {
            requested: flushes,
            waiting: Vec::new(),
            flushing: Vec::new(),
            is_open: true,
            shared: Arc::clone(&shared),
        },
        shared,
        reported: Health::default(),
        next_report: Instant::now() + REPORT_EVERY,
        next_warning: Instant::now(),
        is_closed: false,
    };
    thread::Builder::new()
        .name("lookback-capture".to_owned())
        .spawn(move || {
            logs::ignore_events_of_this_thread();
            give_way();
            runtime.block_on(delivery.run());
        })?;
    Ok(())
}

/// Lowers the priority of this thread, and of those that it starts: where the processors are in use,
/// requests come first. Still it gets about a tenth of one.
#[cfg(target_os = "linux")]
fn give_way() {
    const NICE: i32 = 10;
    // Linux takes the id of a thread here. Without it, storing works as well.
    let _lowered = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
}

/// Elsewhere a priority is of the whole process.
#[cfg(not(target_os = "linux"))]
fn give_way() {}

struct Delivery<S> {
    sink: S,
    shared: Arc<Shared>,
    ends: QueueEnds,
    batch: Batch,
    /// The bytes of its requests and log lines, which are counted until they are stored.
    bytes: Bytes,
    calls: Calls,
    /// What the last report of drops counted.
    reported: Health,
    next_report: Instant,
    /// The time of the next warning that the sink cannot store.
    next_warning: Instant,
    /// Whether the application has dropped its capture.
    is_closed: bool,
}

#[derive(Default)]
struct Bytes {
    requests: usize,
    logs: usize,
}

/// The calls of `flush`.
struct Calls {
    requested: mpsc::UnboundedReceiver<Flush>,
    waiting: Vec<Flush>,
    /// Those that the flush that is under way answers.
    flushing: Vec<Flush>,
    is_open: bool,
    shared: Arc<Shared>,
}

impl<S: Sink> Delivery<S> {
    async fn run(mut self) {
        while !self.is_closed {
            if self.calls.waiting.is_empty() {
                self.collect().await;
                // Of those that come less often, too.
                self.take_waiting();
            }
            self.take_windows();
            if Instant::now() >= self.next_report {
                self.report_drops();
            }
            self.shared.locator.refresh();
            if !self.calls.waiting.is_empty() {
                self.flush().await;
            } else if self.batch.is_empty() {
                let result = self.calls.drive(self.sink.idle()).await;
                self.note_outcome(result.as_ref().err());
            } else {
                let _stored = self.store().await;
            }
        }
        self.flush().await;
    }

    /// Waits for records, until the batch is full or old enough, or something else is to do.
    async fn collect(&mut self) {
        let mut deadline = Instant::now() + TICK;
        if self.batch.is_empty() {
            if !self.wait_for_first(deadline).await {
                return;
            }
            deadline = deadline.min(Instant::now() + BATCH_AGE);
        }
        // It looks for the others now and then: if each of them woke this thread, the application
        // would give up the processor for it.
        while !self.is_full() && Instant::now() < deadline {
            let next_look = deadline.min(Instant::now() + LOOK_EVERY);
            tokio::select! {
                biased;
                is_flush = self.calls.accept(), if self.calls.is_open => if is_flush {
                    return;
                },
                () = sleep_until(next_look) => {}
            }
            self.take_waiting();
        }
    }

    /// Waits for the first record of a batch. Returns false if there is none.
    async fn wait_for_first(&mut self, deadline: Instant) -> bool {
        loop {
            tokio::select! {
                biased;
                is_flush = self.calls.accept(), if self.calls.is_open => if is_flush {
                    return false;
                },
                first = self.ends.requests.recv() => match first {
                    Some(queued) => {
                        self.bytes.requests += queued.move_to(&mut self.batch.requests);
                        return true;
                    }
                    // All handles are gone; what is left of the other kind is taken by the flush.
                    None => {
                        self.is_closed = true;
                        return false;
                    }
                },
                first = self.ends.logs.recv() => match first {
                    Some(queued) => {
                        self.bytes.logs += queued.move_to(&mut self.batch.logs);
                        return true;
                    }
                    None => {
                        self.is_closed = true;
                        return false;
                    }
                },
                () = sleep_until(deadline) => return false,
            }
        }
    }

    fn is_full(&self) -> bool {
        self.batch.requests.len() >= BATCH
            || self.batch.logs.len() >= BATCH
            || self.bytes.requests >= BATCH_BYTES
            || self.bytes.logs >= BATCH_BYTES
    }

    /// Takes records that wait, up to a batch.
    fn take_waiting(&mut self) {
        while self.batch.requests.len() < BATCH
            && self.bytes.requests < BATCH_BYTES
            && let Ok(queued) = self.ends.requests.try_recv()
        {
            self.bytes.requests += queued.move_to(&mut self.batch.requests);
        }
        while self.batch.logs.len() < BATCH
            && self.bytes.logs < BATCH_BYTES
            && let Ok(queued) = self.ends.logs.try_recv()
        {
            self.bytes.logs += queued.move_to(&mut self.batch.logs);
        }
    }

    /// Takes the windows whose minute is over.
    fn take_windows(&mut self) {
        // A request that began in a minute may end a moment later.
        const GRACE: Duration = Duration::from_secs(1);
        let windows = self.shared.windows.take(Some(Utc::now() - GRACE));
        self.batch.windows.extend(windows);
    }

    /// Stores all that is queued, and answers the calls of `flush`.
    async fn flush(&mut self) {
        // Calls that come from now on are answered by the next flush.
        let calls = std::mem::take(&mut self.calls.waiting);
        self.calls.flushing = calls;
        let windows = self.shared.windows.take(None);
        self.batch.windows.extend(windows);
        self.report_drops();
        self.take_waiting();
        let mut waiting = self.ends.requests.len() + self.ends.logs.len();
        let mut result = self.store().await;
        while waiting > 0 && result.is_ok() {
            self.take_waiting();
            let taken = self.batch.requests.len() + self.batch.logs.len();
            if taken == 0 {
                break;
            }
            waiting = waiting.saturating_sub(taken);
            result = self.store().await;
        }
        if result.is_ok() {
            result = if self.is_closed {
                self.close().await
            } else {
                self.calls.drive(self.sink.flush()).await
            };
            self.note_outcome(result.as_ref().err());
        }
        let result = result.map_err(|error| error.to_string());
        for call in self.calls.flushing.drain(..) {
            let result = result.clone();
            call.finish(result.map_err(|error| Error(ErrorKind::Sink(error))));
        }
    }

    /// Closes the sink, which may keep elsewhere what it cannot store.
    async fn close(&mut self) -> Result<(), SinkError> {
        let closed = self
            .calls
            .drive(timeout(PATIENCE_AT_END, self.sink.close()))
            .await;
        closed.unwrap_or_else(|_| Err(SinkError::temporary("the sink did not close in time")))
    }

    /// Stores the batch. After temporary errors it tries again, as long as somebody waits for it or
    /// the application goes on.
    async fn store(&mut self) -> Result<(), SinkError> {
        let mut pause = BACK_OFF.0;
        let mut last_try = None;
        while !self.batch.is_empty() {
            let before = Lengths::of(&self.batch);
            let result = self.calls.drive(self.sink.store(&mut self.batch)).await;
            before.count_stored(&self.batch, &self.shared);
            self.release_bytes();
            self.note_outcome(result.as_ref().err());
            let error = match result {
                Ok(()) => {
                    // What it left it has given up.
                    self.give_up();
                    return Ok(());
                }
                Err(error) => error,
            };
            if !error.is_temporary() {
                self.give_up();
                return Err(error);
            }
            self.is_closed |= self.ends.requests.is_closed();
            if self.is_closed {
                let end = *last_try.get_or_insert_with(|| Instant::now() + PATIENCE_AT_END);
                if Instant::now() >= end {
                    self.give_up();
                    return Err(error);
                }
            }
            self.calls.drive(sleep(pause)).await;
            pause = (pause * 2).min(BACK_OFF.1);
            // What the sink does take does not wait for what it does not.
            self.take_waiting();
        }
        Ok(())
    }

    /// Releases the bytes of what is stored.
    fn release_bytes(&mut self) {
        for (bytes, is_stored) in [
            (&mut self.bytes.requests, self.batch.requests.is_empty()),
            (&mut self.bytes.logs, self.batch.logs.is_empty()),
        ] {
            if is_stored {
                self.shared.counters.release(std::mem::take(bytes));
            }
        }
    }

    /// Notes why the sink cannot store, and what it took in vain.
    fn note_outcome(&mut self, error: Option<&SinkError>) {
        let error = error
            .map(ToString::to_string)
            .or_else(|| self.sink.last_error());
        if let Some(error) = &error
            && Instant::now() >= self.next_warning
        {
            // For the other layers of a subscriber: this one ignores the thread.
            self.next_warning = Instant::now() + WARN_EVERY;
            tracing::warn!(target: "lookback_capture", "cannot store captured records: {error}");
        }
        *self.shared.last_error() = error;
        let rejected = self.sink.take_rejected();
        let counters = &self.shared.counters;
        for (kind, number) in [
            (&counters.requests, rejected.requests),
            (&counters.logs, rejected.logs),
        ] {
            kind.stored.fetch_sub(number, Relaxed);
            kind.failed.fetch_add(number, Relaxed);
        }
    }

    /// Drops what is left of the batch. Windows are put back: later ones may be stored.
    fn give_up(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.release_bytes();
        let counters = &self.shared.counters;
        count(&counters.requests.failed, batch.requests.len());
        count(&counters.logs.failed, batch.logs.len());
        let lost = if self.is_closed {
            batch.windows.len()
        } else {
            self.shared.windows.put_back(batch.windows)
        };
        count(&counters.windows.failed, lost);
    }

    /// Adds a log line that says how many records were dropped since the last one.
    fn report_drops(&mut self) {
        self.next_report = Instant::now() + REPORT_EVERY;
        let now = self.shared.health();
        if let Some(report) = drop_report(&self.reported, &now) {
            tracing::warn!(target: "lookback_capture", "{}", report.message);
            count(&self.shared.counters.logs.captured, 1);
            self.batch.logs.push(report);
        }
        self.reported = now;
    }
}

/// Returns a log line that says what was dropped between two looks; `None` if nothing was.
fn drop_report(before: &Health, after: &Health) -> Option<CapturedLog> {
    type Kind = fn(&Health) -> KindHealth;
    type Counter = fn(KindHealth) -> u64;
    let kinds: [(&str, Kind); 3] = [
        ("requests", |health| health.requests),
        ("log lines", |health| health.logs),
        ("windows", |health| health.windows),
    ];
    let reasons: [(&str, Counter); 3] = [
        ("because the queue was full", |kind| kind.dropped),
        ("above the most of a second", |kind| kind.over_rate),
        ("that the sink could not store", |kind| kind.failed),
    ];
    let mut parts = Vec::new();
    let mut meta = JsonMap::new();
    for (name, kind) in kinds {
        for (reason, counter) in reasons {
            let number = counter(kind(after)).saturating_sub(counter(kind(before)));
            if number > 0 {
                parts.push(format!("{number} {name} {reason}"));
                meta.insert(format!("{name}, {reason}"), Json::from(number));
            }
        }
    }
    let other = after.in_other_window.saturating_sub(before.in_other_window);
    if other > 0 {
        parts.push(format!(
            "the endpoint of {other} requests, counted as `other`, because a minute had too many"
        ));
        meta.insert("requests of other endpoints".to_owned(), Json::from(other));
    }
    (!parts.is_empty()).then(|| CapturedLog {
        timestamp: now(),
        source: "lookback".to_owned(),
        level: Level::Warn,
        message: format!("capture left out {}", parts.join(", ")),
        meta: Some(meta),
        trace_id: None,
    })
}

impl Calls {
    /// Accepts a call. Returns false if there are no more.
    async fn accept(&mut self) -> bool {
        match self.requested.recv().await {
            Some(call) => {
                self.waiting.push(call);
                true
            }
            None => {
                self.is_open = false;
                false
            }
        }
    }

    /// Runs a step of the sink to its end. Meanwhile it accepts calls, and answers those whose time
    /// is over: a step is never cut off, so that no record is lost or stored twice.
    async fn drive<T>(&mut self, step: impl Future<Output = T>) -> T {
        let mut step = pin!(step);
        loop {
            let calls = self.waiting.iter().chain(&self.flushing);
            let next = calls.map(|call| call.deadline).min();
            let over = async {
                match next {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                result = &mut step => return result,
                () = over => self.expire(),
                _accepted = self.accept(), if self.is_open => {}
            }
        }
    }

    fn expire(&mut self) {
        let now = Instant::now();
        let health = self.shared.health();
        let pending = |kind: KindHealth| kind.captured.saturating_sub(kind.stored + kind.failed);
        let left = format!(
            "{} requests and {} log lines are left",
            pending(health.requests),
            pending(health.logs)
        );
        for calls in [&mut self.waiting, &mut self.flushing] {
            for call in calls.extract_if(.., |call| call.deadline <= now) {
                let timeout = call.timeout;
                call.finish(Err(Error(ErrorKind::Timeout(timeout, left.clone()))));
            }
        }
    }
}

/// The numbers of records of a batch.
struct Lengths {
    requests: usize,
    logs: usize,
    windows: usize,
}

impl Lengths {
    fn of(batch: &Batch) -> Self {
        Self {
            requests: batch.requests.len(),
            logs: batch.logs.len(),
            windows: batch.windows.len(),
        }
    }

    fn count_stored(&self, left: &Batch, shared: &Shared) {
        let counters = &shared.counters;
        let windows = self.windows.saturating_sub(left.windows.len());
        count(
            &counters.requests.stored,
            self.requests.saturating_sub(left.requests.len()),
        );
        count(
            &counters.logs.stored,
            self.logs.saturating_sub(left.logs.len()),
        );
        count(&counters.windows.stored, windows);
        counters.windows.captured.fetch_add(windows as u64, Relaxed);
    }
}

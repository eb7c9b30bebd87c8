//! The poll of a table, which all of its readers share.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chrono::{DateTime, Utc};
use lookback::query::{Arrivals, ArrivedPage, Position};
use lookback::value::ColumnValue as _;
use lookback::{Error, Json, QueryBuilder};
use sqlx::PgPool;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::Followed;
use crate::problem::{Kind, Problem};
use crate::server::Shared;

/// The pauses after a poll that failed: the first, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// How long a reader waits for its first poll.
const JOIN_TIMEOUT: Duration = Duration::from_secs(30);

/// What is known of a table that has readers.
pub(crate) struct Hub<M> {
    running: Mutex<Option<Running>>,
    /// Readers of the same records, by what they ask for.
    groups: Mutex<HashMap<String, Weak<Group<M>>>>,
}

#[derive(Clone)]
struct Running {
    polls: Arc<watch::Sender<Poll>>,
    wanted: Arc<Notify>,
}

/// The last poll.
#[derive(Clone, Debug, Default)]
struct Poll {
    /// When it began; `None` before the first one.
    began: Option<Instant>,
    /// `None` until one has succeeded.
    position: Option<Position>,
    /// Why the last one failed.
    problem: Option<Problem>,
    /// Whether the table cannot be followed any more.
    is_ended: bool,
}

impl<M> Default for Hub<M> {
    fn default() -> Self {
        Self {
            running: Mutex::new(None),
            groups: Mutex::new(HashMap::new()),
        }
    }
}

impl<M> fmt::Debug for Hub<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl<M: Followed> Hub<M> {
    /// Joins the readers, and waits for a poll that begins now: what was committed before is in its
    /// position.
    pub(super) async fn join(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
    ) -> Result<Subscription, Problem> {
        let joined = Instant::now();
        let (mut polls, wanted) = self.subscribe(shared);
        wanted.notify_one();
        let polled = polls.wait_for(|poll| poll.began.is_some_and(|began| began >= joined));
        let polled = tokio::time::timeout(JOIN_TIMEOUT, polled).await;
        let busy = || Problem::new(Kind::Unavailable, "the database does not answer");
        let poll = polled.map_err(|_| busy())?.map_err(|_| busy())?.clone();
        match (poll.problem, poll.position) {
            (None, Some(_)) => Ok(Subscription { polls }),
            (problem, _) => Err(problem.unwrap_or_else(busy)),
        }
    }

    /// Returns the polls, and what asks for one now. Without readers, nothing is polled.
    fn subscribe(self: &Arc<Self>, shared: &Arc<Shared>) -> (watch::Receiver<Poll>, Arc<Notify>) {
        let mut slot = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let running = slot.get_or_insert_with(|| {
            let running = Running {
                polls: Arc::new(watch::Sender::new(Poll::default())),
                wanted: Arc::default(),
            };
            let interval = shared.settings.tail.poll_interval;
            let poller = Arc::clone(self).poll(shared.pool.clone(), running.clone(), interval);
            tokio::spawn(poller);
            running
        });
        (running.polls.subscribe(), Arc::clone(&running.wanted))
    }

    async fn poll(self: Arc<Self>, pool: PgPool, running: Running, interval: Duration) {
        let Running { polls, wanted } = running;
        let mut arrivals = Arrivals::<M>::new();
        let mut pause = BACK_OFF.0;
        loop {
            let began = Some(Instant::now());
            match arrivals.poll(&pool).await {
                Ok(position) => {
                    pause = BACK_OFF.0;
                    polls.send_replace(Poll {
                        began,
                        position: Some(position),
                        ..Poll::default()
                    });
                }
                Err(error) => {
                    let is_ended = error.is_invalid() || error.is_setup();
                    let problem = Problem::of(&error, Kind::Conflict);
                    polls.send_modify(|poll| {
                        poll.began = began;
                        poll.problem = Some(problem);
                        poll.is_ended = is_ended;
                    });
                    if is_ended {
                        // The next reader begins again.
                        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
                        return;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BACK_OFF.1);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = wanted.notified() => {}
                () = polls.closed() => {
                    let mut slot = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                    // One may have joined since.
                    if polls.receiver_count() == 0 {
                        *slot = None;
                        return;
                    }
                }
            }
        }
    }
}

/// The polls of a table, for one reader.
#[derive(Debug)]
pub(super) struct Subscription {
    polls: watch::Receiver<Poll>,
}

impl Subscription {
    /// The position of the last poll that succeeded.
    pub(super) fn position(&self) -> Position {
        match &self.polls.borrow().position {
            Some(position) => position.clone(),
            None => unreachable!("`join` waits for a position"),
        }
    }

    /// Waits for the next poll. An error means that there will be none.
    pub(super) async fn changed(&mut self) -> Result<(), String> {
        let ended = || "the table cannot be followed".to_owned();
        self.polls.changed().await.map_err(|_| ended())?;
        let poll = self.polls.borrow_and_update();
        if poll.is_ended {
            let problem = poll.problem.as_ref();
            return Err(problem.map_or_else(ended, |problem| problem.detail().to_owned()));
        }
        Ok(())
    }
}

/// Readers of the same records: what one of them has read, the others need not read.
pub(super) struct Group<M> {
    query: QueryBuilder<M>,
    last: tokio::sync::Mutex<Option<Arc<Page>>>,
}

/// A page of records in JSON.
#[derive(Debug)]
pub(super) struct Page {
    from: Position,
    to: Position,
    /// Each record with the position after it.
    pub(super) records: Vec<(String, Option<String>)>,
    pub(super) position: Position,
}

impl<M: Followed> Hub<M> {
    /// Returns the readers that ask for the same.
    pub(super) fn group(&self, key: String, query: QueryBuilder<M>) -> Arc<Group<M>> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.retain(|_, group| group.strong_count() > 0);
        if let Some(group) = groups.get(&key).and_then(Weak::upgrade) {
            return group;
        }
        let group = Arc::new(Group {
            query,
            last: tokio::sync::Mutex::new(None),
        });
        groups.insert(key, Arc::downgrade(&group));
        group
    }
}

impl<M: Followed> Group<M> {
    /// Reads a page of what has arrived between two positions, or returns the one that another
    /// reader has just read.
    pub(super) async fn page(
        &self,
        pool: &PgPool,
        from: &Position,
        to: &Position,
    ) -> Result<Arc<Page>, Error> {
        let mut last = self.last.lock().await;
        if let Some(page) = &*last
            && page.from == *from
            && page.to == *to
        {
            return Ok(Arc::clone(page));
        }
        let page = Arc::new(Page::new(
            self.query.arrived(pool, from, to).await?,
            from,
            to,
        ));
        *last = Some(Arc::clone(&page));
        Ok(page)
    }
}

impl Page {
    fn new<M: Followed>(page: ArrivedPage<M>, from: &Position, to: &Position) -> Self {
        let records = page.records.into_iter().filter_map(|arrived| {
            let record = match arrived.record {
                Ok(record) => record_text(&record)?,
                // One that this version cannot read is left out, as in a list it is an error.
                Err(error) => {
                    tracing::error!("{error}");
                    return None;
                }
            };
            Some((
                record,
                arrived.position.map(|position| position.to_string()),
            ))
        });
        Self {
            from: from.clone(),
            to: to.clone(),
            records: records.collect(),
            position: page.position,
        }
    }
}

/// Returns a record as JSON, with the time of its deletion if that was read.
pub(super) fn record_text<M: Followed>(record: &M) -> Option<String> {
    let json = Json::from_serialize(record);
    let mut json = json
        .map_err(|error| tracing::error!("a record has no form in JSON: {error}"))
        .ok()?;
    if let (Some(deleted_at), Json::Object(fields)) = (record.deleted_at(), &mut json) {
        let deleted_at = deleted_at.map_or(Json::Null, |time| {
            DateTime::<Utc>::text_of(&time.to_value()).into()
        });
        fields.insert("deleted_at".to_owned(), deleted_at);
    }
    Some(json.to_string())
}

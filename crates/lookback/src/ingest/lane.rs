//! A connection that stores one batch after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use sqlx::{Connection as _, PgConnection};

use super::Shared;
use super::back_off::{BackOff, random};
use super::batch::{Batch, Group};
use super::fault::{self, Fault};
use super::progress::{Counts, Progress};
use super::refused::{self, Refusal, send};
use super::row::json_of_row;
use super::session::{
    Backend, create_row, forget_killed, forget_senders, greet, move_to, number_of, timed, timed_out,
};
use super::spill::{Doubt, Replay};
use crate::error::Error;
use crate::model::Model;
use crate::tables::IngestLane;
use crate::value::JsonMap;

/// A connection of a writer, which comes back when it is lost.
pub(super) struct Lane<M: Model> {
    shared: Arc<Shared<M>>,
    /// Its place among the lanes of the writer.
    place: usize,
    /// Its name in `ingest_lanes`, and what others that it may get start with.
    name: String,
    base: String,
    /// The number of the last batch.
    number: i64,
    /// Whether it stores what is in the spill.
    of_spill: bool,
    session: Option<Session>,
    /// What served the last session, and may still be at it.
    lost: Option<Backend>,
    back_off: BackOff,
}

struct Session {
    conn: PgConnection,
    /// The id of the lane's row.
    row: i64,
    backend: Backend,
}

/// Why a batch is not stored yet.
enum Stumble {
    /// Rows of it were refused.
    Rows,
    /// It was being committed when the connection was lost, and the row of the
    /// lane is gone: nobody knows any more.
    Unknown,
    Failed(Error, Fault),
}

impl Stumble {
    fn driver<M: Model>(error: sqlx::Error) -> Self {
        let fault = fault::of(&error);
        Self::Failed(Error::from_driver(M::TABLE, error), fault)
    }
}

impl From<Error> for Stumble {
    fn from(error: Error) -> Self {
        let fault = fault::of_own(&error);
        Self::Failed(error, fault)
    }
}

/// What is kept of a batch from one attempt to the next.
#[derive(Default)]
struct Attempt {
    /// A row was refused: find out which.
    careful: bool,
    /// It was being committed, without these rows, when the connection was lost.
    in_doubt: Option<Vec<Refusal>>,
    /// Another lane may have stored it.
    doubt: Option<Doubt>,
}

/// Why a batch was let go.
enum Undelivered {
    GivenUp(Arc<Error>),
    /// It is for the spill, or stays there.
    Spill,
}

impl<M: Model> Lane<M> {
    /// Connects all lanes of a writer, and checks the database.
    pub(super) async fn start_all(shared: &Arc<Shared<M>>) -> Result<Vec<Self>, Error> {
        let writer = format!("{:016x}{:016x}", random(), random());
        let mut lanes = Vec::with_capacity(shared.options.connections);
        for place in 0..shared.options.connections {
            let name = match &shared.spill {
                None => format!("{writer}-{place}"),
                // What is in doubt in the spill asks for this lane.
                Some(spill) => format!("{}-{writer}-{place}", spill.lane()),
            };
            let mut lane = Self::new(shared, place, name);
            match lane.start().await {
                Ok(()) => {}
                Err(Stumble::Failed(error, Fault::Passing)) if shared.spill.is_some() => {
                    lane.lose();
                    shared.trouble(place, Some(&Arc::new(error)));
                }
                Err(Stumble::Failed(error, _)) => return Err(error),
                Err(Stumble::Rows | Stumble::Unknown) => {
                    unreachable!("no batch was sent yet")
                }
            }
            lanes.push(lane);
        }
        Ok(lanes)
    }

    /// Connects for the first time. The first lane of a writer removes the rows
    /// of lanes that nobody needs any more.
    async fn start(&mut self) -> Result<(), Stumble> {
        self.connect(false).await?;
        let timeout = self.shared.options.answer_timeout;
        if let (0, Some(session)) = (self.place, &mut self.session) {
            timed_out(timeout, forget_killed(&mut session.conn)).await?;
            if let Some(spill) = self.shared.spill.as_ref().filter(|spill| spill.rows() == 0) {
                // Nothing asks for the lanes of those that had the folder before.
                let lane = spill.lane();
                let forgotten = forget_senders(&mut session.conn, &lane, &self.name);
                timed_out(timeout, forgotten).await?;
            }
        }
        Ok(())
    }

    /// Gives up the connection; what served it may still be at it.
    fn lose(&mut self) {
        if let Some(session) = self.session.take() {
            self.lost = Some(session.backend);
        }
    }

    /// Goes on under another name: whoever stores the batch that is in doubt
    /// reads the number of this one.
    fn leave_in_doubt(&mut self) -> Doubt {
        let name = format!("{}-{:016x}", self.base, random());
        let doubt = Doubt {
            lane: std::mem::replace(&mut self.name, name),
            number: self.number + 1,
        };
        self.number = 0;
        doubt
    }

    /// The lane that stores what is in the spill.
    pub(super) fn of_spill(shared: &Arc<Shared<M>>) -> Option<Self> {
        let name = shared.spill.as_ref()?.lane();
        // Its trouble is that of the spill.
        let mut lane = Self::new(shared, shared.options.connections, name);
        lane.of_spill = true;
        Some(lane)
    }

    fn new(shared: &Arc<Shared<M>>, place: usize, name: String) -> Self {
        Self {
            shared: Arc::clone(shared),
            place,
            base: name.clone(),
            name,
            number: 0,
            of_spill: false,
            session: None,
            lost: None,
            back_off: BackOff::new(shared.options.back_off),
        }
    }

    /// Stores batches until there are no more.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        while let Some(batch) = shared.dispatch.take().await {
            let mut in_hand = InHand(&shared.progress, batch.first);
            let mut attempt = Attempt::default();
            match self.deliver(&batch, &mut attempt).await {
                Ok(refusals) => {
                    self.number += 1;
                    settle(&shared, batch, refusals);
                }
                Err(Undelivered::GivenUp(error)) => give_up(&shared, batch, &error),
                Err(Undelivered::Spill) => {
                    let doubt = attempt.in_doubt.is_some().then(|| self.leave_in_doubt());
                    in_hand.1 = None;
                    let mut batch = Some(batch);
                    while let Some(back) = batch.take() {
                        let (shared, doubt) = (Arc::clone(&shared), doubt.clone());
                        let spilling =
                            tokio::task::spawn_blocking(move || shared.spill(back, doubt));
                        // It cannot panic, and if the runtime ends, so does this.
                        batch = spilling.await.unwrap_or_default();
                    }
                }
            }
            drop(in_hand);
        }
        self.leave().await;
    }

    /// Stores what is in the spill, in its order, until no more comes.
    pub(super) async fn replay(mut self) {
        let shared = Arc::clone(&self.shared);
        let Some(spill) = &shared.spill else { return };
        while let Some(first) = spill.first().await {
            let Replay {
                number,
                doubt,
                batch,
            } = match first {
                Ok(replay) => replay,
                Err(error) => {
                    let error = Arc::new(Error::Driver(sqlx::Error::Io(error)));
                    shared.trouble(self.place, Some(&error));
                    if spill.has_ended() {
                        break;
                    }
                    tokio::time::sleep(self.back_off.next()).await;
                    continue;
                }
            };
            let mut in_hand = InHand(&shared.progress, batch.first);
            self.number = number - 1;
            let mut attempt = Attempt {
                doubt,
                ..Attempt::default()
            };
            match self.deliver(&batch, &mut attempt).await {
                Ok(refusals) => settle(&shared, batch, refusals),
                Err(Undelivered::GivenUp(error)) => {
                    unreachable!("a spill is not given up: {error}")
                }
                Err(Undelivered::Spill) => {
                    spill.keep(number, batch);
                    // Those who wait are told at the end.
                    in_hand.1 = None;
                    break;
                }
            }
            if let Err(error) = spill.remove_first() {
                // It is stored, and its number tells so.
                let error = Arc::new(Error::Driver(sqlx::Error::Io(error)));
                shared.trouble(self.place, Some(&error));
            }
            drop(in_hand);
        }
        if let Some(session) = self.session.take() {
            let _closed = timed(shared.options.answer_timeout, session.conn.close()).await;
        }
    }

    /// Stores a batch, however often it takes, and returns the rows that were
    /// refused; or why it is given up.
    async fn deliver(
        &mut self,
        batch: &Batch,
        attempt: &mut Attempt,
    ) -> Result<Vec<Refusal>, Undelivered> {
        let mut no_table_since: Option<Instant> = None;
        loop {
            let (error, fault) = match self.try_once(batch, attempt).await {
                Ok(refusals) => {
                    self.back_off.reset();
                    self.trouble(None);
                    return Ok(refusals);
                }
                Err(Stumble::Rows) => {
                    attempt.careful = true;
                    continue;
                }
                Err(Stumble::Unknown) => {
                    return Err(Undelivered::GivenUp(Arc::new(Error::unwritten(
                        M::TABLE.name,
                        "it is not known whether the record is stored: the connection was lost \
                         while it was committed, and the writer's row in ingest_lanes is gone",
                    ))));
                }
                Err(Stumble::Failed(error, fault)) => (Arc::new(error), fault),
            };
            self.lose();
            self.trouble(Some(&error));
            match fault {
                Fault::Table if attempt.in_doubt.is_none() && !self.of_spill => {
                    let since = no_table_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= self.shared.options.patience {
                        return Err(Undelivered::GivenUp(error));
                    }
                }
                _ => no_table_since = None,
            }
            if self.is_to_spill() {
                return Err(Undelivered::Spill);
            }
            tokio::time::sleep(self.back_off.next()).await;
        }
    }

    /// Whether the writer is being closed, and what it still has goes to, or
    /// stays in, the spill.
    fn is_to_spill(&self) -> bool {
        match &self.shared.spill {
            None => false,
            Some(spill) if self.of_spill => spill.has_ended(),
            Some(spill) => self.shared.dispatch.has_ended() && spill.has_room(),
        }
    }

    async fn try_once(
        &mut self,
        batch: &Batch,
        attempt: &mut Attempt,
    ) -> Result<Vec<Refusal>, Stumble> {
        let timeout = self.shared.options.answer_timeout;
        let number = self.number + 1;
        if self.session.is_none() {
            let stored = self.connect(attempt.in_doubt.is_some()).await?;
            let refusals = attempt.in_doubt.take();
            if stored >= number {
                return Ok(refusals.unwrap_or_default());
            }
        }
        let Some(session) = &mut self.session else {
            unreachable!("`connect` makes a session, or fails")
        };
        if let Some(doubt) = &attempt.doubt {
            let found = number_of(&mut session.conn, timeout, &doubt.lane, None);
            if let Some((_, stored)) = found.await?
                && stored >= doubt.number
            {
                return Ok(Vec::new());
            }
            attempt.doubt = None;
        }
        let driver = Stumble::driver::<M>;
        let mut transaction = timed(timeout, session.conn.begin()).await.map_err(driver)?;
        // First, so that whoever reads the number waits for the end of this transaction.
        let moved = move_to(&mut transaction, session.row, number);
        timed_out(timeout, moved).await?;
        let refusals = if attempt.careful {
            refused::store(&mut transaction, M::TABLE, batch, timeout)
                .await
                .map_err(driver)?
        } else {
            for group in &batch.groups {
                let sent = send(&mut transaction, M::TABLE, group);
                if let Err(error) = timed(timeout, sent).await {
                    if fault::of(&error) == Fault::Row {
                        timed(timeout, transaction.rollback())
                            .await
                            .map_err(driver)?;
                        return Err(Stumble::Rows);
                    }
                    return Err(driver(error));
                }
            }
            Vec::new()
        };
        attempt.in_doubt = Some(refusals);
        match timed(timeout, transaction.commit()).await {
            Ok(()) => Ok(attempt.in_doubt.take().unwrap_or_default()),
            // A constraint that is checked at the commit; the transaction is undone.
            Err(error) if fault::of(&error) == Fault::Row && !attempt.careful => {
                attempt.in_doubt = None;
                Err(Stumble::Rows)
            }
            Err(error) => Err(driver(error)),
        }
    }

    /// Connects, and returns the number of the last batch that was stored.
    async fn connect(&mut self, in_doubt: bool) -> Result<i64, Stumble> {
        let timeout = self.shared.options.answer_timeout;
        let connecting = PgConnection::connect_with(&self.shared.connect);
        let mut conn = timed(timeout, connecting)
            .await
            .map_err(Stumble::driver::<M>)?;
        let has_vectors = !M::TABLE.search.is_empty();
        let lost = self.lost.as_ref();
        let (backend, found) = greet(&mut conn, timeout, has_vectors, &self.name, lost).await?;
        let (row, stored) = match found {
            Some(found) => found,
            None if in_doubt && !self.of_spill => return Err(Stumble::Unknown),
            None => {
                let made = create_row(&mut conn, &self.name, self.number);
                (timed_out(timeout, made).await?, self.number)
            }
        };
        self.lost = None;
        self.session = Some(Session { conn, row, backend });
        Ok(stored)
    }

    /// Removes what only a writer that lives needs.
    async fn leave(&mut self) {
        let timeout = self.shared.options.answer_timeout;
        if let Some(mut session) = self.session.take() {
            let lane = IngestLane::records().filter(IngestLane::id().eq(session.row));
            let forgotten = lane.hard_delete_all(&mut session.conn);
            // If it fails, whoever starts a writer later removes it.
            let _forgotten = timed_out(timeout, forgotten).await;
            let _closed = timed(timeout, session.conn.close()).await;
        }
    }

    fn trouble(&self, error: Option<&Arc<Error>>) {
        self.shared.trouble(self.place, error);
    }
}

/// Tells everyone who waits what became of a batch that is committed, without
/// the rows that were refused.
fn settle<M: Model>(shared: &Shared<M>, batch: Batch, refusals: Vec<Refusal>) {
    Counts::add(&shared.counts.written, batch.rows() - refusals.len());
    let mut refused: Vec<BTreeMap<usize, Error>> = Vec::new();
    refused.resize_with(batch.groups.len(), BTreeMap::new);
    for Refusal { group, row, error } in refusals {
        refused[group].insert(row, error);
    }
    for (mut group, mut refused) in batch.groups.into_iter().zip(refused) {
        for (row, waiter) in std::mem::take(&mut group.waiters) {
            match refused.remove(&row) {
                // Who waited may have gone.
                None => drop(waiter.send(Ok(()))),
                Some(error) => shared.reject(Some(waiter), error, JsonMap::new),
            }
        }
        for (row, error) in refused {
            shared.reject(None, error, || json_of_row(&group.columns, group.row(row)));
        }
    }
}

/// Tells everyone who waits that no row of a batch is stored.
fn give_up<M: Model>(shared: &Shared<M>, batch: Batch, error: &Arc<Error>) {
    let told = || Error::Unwritten {
        table: M::TABLE.name,
        reason: format!("the writer gave up: {error}"),
        source: Some(Arc::clone(error)),
    };
    let mut refusals = Vec::with_capacity(batch.rows());
    for (group, rows) in batch.groups.iter().map(Group::len).enumerate() {
        refusals.extend((0..rows).map(|row| Refusal {
            group,
            row,
            error: told(),
        }));
    }
    settle(shared, batch, refusals);
}

/// A batch in the hands of a lane: settled when that lets it go, whatever
/// became of it.
struct InHand<'p>(&'p Progress, Option<u64>);

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.0.settle(self.1);
    }
}

/// Lanes that run. When the last is gone, so is the writer: the runtime of the
/// tasks may end before it.
pub(super) struct Running<M: Model>(Arc<Shared<M>>);

impl<M: Model> Running<M> {
    pub(super) fn new(shared: &Arc<Shared<M>>) -> Self {
        Self(Arc::clone(shared))
    }
}

impl<M: Model> Drop for Running<M> {
    fn drop(&mut self) {
        self.0.intake.stop();
        self.0.dispatch.stop();
        self.0.progress.stop();
    }
}

/// Lanes that send what is in memory. When the last is gone, nothing more comes
/// into the spill.
pub(super) struct Senders<M: Model>(Arc<Shared<M>>);

impl<M: Model> Senders<M> {
    pub(super) fn new(shared: &Arc<Shared<M>>) -> Self {
        Self(Arc::clone(shared))
    }
}

impl<M: Model> Drop for Senders<M> {
    fn drop(&mut self) {
        if let Some(spill) = &self.0.spill {
            spill.end();
        }
    }
}

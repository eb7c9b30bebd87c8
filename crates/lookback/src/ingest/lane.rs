//! Lanes: connections that store batches sequentially.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use sqlx::{Connection as _, PgConnection};

use super::Shared;
use super::back_off::{BackOff, random};
use super::batch::{Batch, Group};
use super::bisecting::{RejectedRow, send, store_bisecting};
use super::connection::{
    ServerProcess, advance_batch_number, create_lane_row, delete_lane, delete_senders,
    delete_stale_lanes, prepare, read_batch_number, timed,
};
use super::error_class::{ErrorClass, classify, classify_driver};
use super::progress::{BatchProgress, Counts};
use super::row::json_of_row;
use super::spill::{InDoubtBatch, SpilledBatch};
use crate::db::begin;
use crate::error::Error;
use crate::model::Model;
use crate::value::JsonMap;

/// A connection of a writer, with its recovery when it is lost.
pub(super) struct Lane<M: Model> {
    shared: Arc<Shared<M>>,
    /// Its index among the lanes of the writer.
    index: usize,
    /// Its name in `ingest_lanes`, and the beginning of later names.
    name: String,
    base: String,
    /// The number of its last batch.
    number: i64,
    /// Whether it stores the batches of the spill.
    replays_spill: bool,
    session: Option<LaneSession>,
    /// The server process of the last connection, which may still be working.
    lost: Option<ServerProcess>,
    back_off: BackOff,
}

struct LaneSession {
    conn: PgConnection,
    /// The id of the lane's row.
    row: i64,
    process: ServerProcess,
}

/// Why an attempt to store a batch failed.
enum AttemptError {
    /// The server rejected rows of it.
    RowsRejected,
    /// The connection was lost during the commit, and the lane's row is missing: whether the
    /// batch was stored can no longer be known.
    OutcomeUnknown,
    Failed(Error, ErrorClass),
}

impl AttemptError {
    fn driver<M: Model>(error: sqlx::Error) -> Self {
        let class = classify_driver(M::TABLE, &error);
        Self::Failed(Error::from_driver(M::TABLE, error), class)
    }
}

impl From<Error> for AttemptError {
    fn from(error: Error) -> Self {
        let class = classify(&error);
        Self::Failed(error, class)
    }
}

/// The state of a batch between attempts.
#[derive(Default)]
struct DeliveryAttempt {
    /// A row was rejected: find out which.
    bisect: bool,
    /// The rejected rows of a batch whose connection was lost during the commit.
    in_doubt: Option<Vec<RejectedRow>>,
    /// Another lane may have stored it.
    doubt: Option<InDoubtBatch>,
}

/// Why a batch was not delivered.
enum DeliveryError {
    GivenUp(Arc<Error>),
    /// It goes to the spill, or stays there.
    Spill,
}

impl<M: Model> Lane<M> {
    /// Connects all lanes of a writer, and checks the database.
    pub(super) async fn start_all(shared: &Arc<Shared<M>>) -> Result<Vec<Self>, Error> {
        let writer = format!("{:016x}{:016x}", random(), random());
        let mut lanes = Vec::with_capacity(shared.options.connections);
        for index in 0..shared.options.connections {
            let name = match &shared.spill {
                None => format!("{writer}-{index}"),
                // Batches in doubt in the spill refer to this lane.
                Some(spill) => format!("{}-{writer}-{index}", spill.lane()),
            };
            let mut lane = Self::new(shared, index, name);
            match lane.start().await {
                Ok(()) => {}
                Err(AttemptError::Failed(error, ErrorClass::Transient))
                    if shared.spill.is_some() =>
                {
                    lane.lose();
                    shared.set_error(index, Some(&Arc::new(error)));
                }
                Err(AttemptError::Failed(error, _)) => return Err(error),
                Err(AttemptError::RowsRejected | AttemptError::OutcomeUnknown) => {
                    unreachable!("no batch has been sent yet")
                }
            }
            lanes.push(lane);
        }
        Ok(lanes)
    }

    /// Connects for the first time.
    ///
    /// The first lane of a writer deletes the rows of lanes that are no longer needed.
    async fn start(&mut self) -> Result<(), AttemptError> {
        self.connect(false).await?;
        let timeout = self.shared.options.answer_timeout;
        if let (0, Some(session)) = (self.index, &mut self.session) {
            timed(timeout, delete_stale_lanes(&mut session.conn)).await?;
            if let Some(spill) = self.shared.spill.as_ref().filter(|spill| spill.rows() == 0) {
                // Nothing refers to the lanes of earlier writers with this folder.
                let lane = spill.lane();
                let forgotten = delete_senders(&mut session.conn, &lane, &self.name);
                timed(timeout, forgotten).await?;
            }
        }
        Ok(())
    }

    /// Drops the connection; its server process may still be working.
    fn lose(&mut self) {
        if let Some(session) = self.session.take() {
            self.lost = Some(session.process);
        }
    }

    /// Takes another name: a later writer reads the number of the old one to learn whether
    /// the batch in doubt was stored.
    fn leave_in_doubt(&mut self) -> InDoubtBatch {
        let name = format!("{}-{:016x}", self.base, random());
        let doubt = InDoubtBatch {
            lane: std::mem::replace(&mut self.name, name),
            number: self.number + 1,
        };
        self.number = 0;
        doubt
    }

    /// Creates the lane that stores the batches of the spill.
    pub(super) fn for_spill(shared: &Arc<Shared<M>>) -> Option<Self> {
        let name = shared.spill.as_ref()?.lane();
        // The last index is that of the spill.
        let mut lane = Self::new(shared, shared.options.connections, name);
        lane.replays_spill = true;
        Some(lane)
    }

    fn new(shared: &Arc<Shared<M>>, index: usize, name: String) -> Self {
        Self {
            shared: Arc::clone(shared),
            index,
            base: name.clone(),
            name,
            number: 0,
            replays_spill: false,
            session: None,
            lost: None,
            back_off: BackOff::new(shared.options.back_off),
        }
    }

    /// Stores batches until there are no more.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        while let Some(batch) = shared.dispatcher.take().await {
            let mut in_hand = InHand(&shared.progress, batch.first);
            let mut attempt = DeliveryAttempt::default();
            match self.deliver(&batch, &mut attempt).await {
                Ok(rejected_rows) => {
                    self.number += 1;
                    settle(&shared, batch, rejected_rows);
                }
                Err(DeliveryError::GivenUp(error)) => give_up(&shared, batch, &error),
                Err(DeliveryError::Spill) => {
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

    /// Stores the batches of the spill in order, until no more come.
    pub(super) async fn replay(mut self) {
        let shared = Arc::clone(&self.shared);
        let Some(spill) = &shared.spill else { return };
        while let Some(first) = spill.first().await {
            let SpilledBatch {
                number,
                doubt,
                batch,
            } = match first {
                Ok(replay) => replay,
                Err(error) => {
                    let error = Arc::new(Error::io("cannot read the spill", error));
                    shared.set_error(self.index, Some(&error));
                    if spill.has_ended() {
                        break;
                    }
                    tokio::time::sleep(self.back_off.next()).await;
                    continue;
                }
            };
            let mut in_hand = InHand(&shared.progress, batch.first);
            self.number = number - 1;
            let mut attempt = DeliveryAttempt {
                doubt,
                ..DeliveryAttempt::default()
            };
            match self.deliver(&batch, &mut attempt).await {
                Ok(rejected_rows) => settle(&shared, batch, rejected_rows),
                Err(DeliveryError::GivenUp(error)) => {
                    unreachable!("a spilled batch is not given up: {error}")
                }
                Err(DeliveryError::Spill) => {
                    spill.keep(number, batch);
                    // Waiting callers get their error at the end.
                    in_hand.1 = None;
                    break;
                }
            }
            if let Err(error) = spill.remove_first() {
                // It is stored, which its number proves.
                let error = Arc::new(Error::io("cannot remove from the spill", error));
                shared.set_error(self.index, Some(&error));
            }
            drop(in_hand);
        }
        if let Some(session) = self.session.take() {
            let _closed = timed(shared.options.answer_timeout, session.conn.close()).await;
        }
    }

    /// Retries a batch until it is stored, and returns its rejected rows; or why it failed.
    async fn deliver(
        &mut self,
        batch: &Batch,
        attempt: &mut DeliveryAttempt,
    ) -> Result<Vec<RejectedRow>, DeliveryError> {
        let mut table_error_since: Option<Instant> = None;
        loop {
            let (error, class) = match self.try_once(batch, attempt).await {
                Ok(rejected_rows) => {
                    self.back_off.reset();
                    self.set_error(None);
                    return Ok(rejected_rows);
                }
                Err(AttemptError::RowsRejected) => {
                    attempt.bisect = true;
                    continue;
                }
                Err(AttemptError::OutcomeUnknown) => {
                    return Err(DeliveryError::GivenUp(Arc::new(Error::not_written(
                        M::TABLE.name,
                        "the record may be stored or not: the connection was lost during its commit, \
                         and the writer's row in ingest_lanes is missing",
                    ))));
                }
                Err(AttemptError::Failed(error, class)) => (Arc::new(error), class),
            };
            self.lose();
            self.set_error(Some(&error));
            match class {
                ErrorClass::Table if attempt.in_doubt.is_none() && !self.replays_spill => {
                    let since = table_error_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= self.shared.options.patience {
                        return Err(DeliveryError::GivenUp(error));
                    }
                }
                _ => table_error_since = None,
            }
            if self.is_to_spill() {
                return Err(DeliveryError::Spill);
            }
            tokio::time::sleep(self.back_off.next()).await;
        }
    }

    /// Whether the writer is being closed and the batch goes to, or stays in, the spill.
    fn is_to_spill(&self) -> bool {
        match &self.shared.spill {
            None => false,
            Some(spill) if self.replays_spill => spill.has_ended(),
            Some(spill) => self.shared.dispatcher.has_ended() && spill.has_room(),
        }
    }

    async fn try_once(
        &mut self,
        batch: &Batch,
        attempt: &mut DeliveryAttempt,
    ) -> Result<Vec<RejectedRow>, AttemptError> {
        let timeout = self.shared.options.answer_timeout;
        let number = self.number + 1;
        if self.session.is_none() {
            let stored = self.connect(attempt.in_doubt.is_some()).await?;
            let rejected_rows = attempt.in_doubt.take();
            if stored >= number {
                return Ok(rejected_rows.unwrap_or_default());
            }
        }
        let Some(session) = &mut self.session else {
            unreachable!("`connect` sets the session, or fails")
        };
        if let Some(doubt) = &attempt.doubt {
            let found = read_batch_number(&mut session.conn, timeout, &doubt.lane, None);
            if let Some((_, stored)) = found.await?
                && stored >= doubt.number
            {
                return Ok(Vec::new());
            }
            attempt.doubt = None;
        }
        let driver = AttemptError::driver::<M>;
        let mut transaction = timed(timeout, begin(&mut session.conn))
            .await
            .map_err(driver)?;
        // First, so that readers of the number wait for the end of this transaction.
        let advanced = advance_batch_number(&mut transaction, session.row, number);
        timed(timeout, advanced).await?;
        let rejected_rows = if attempt.bisect {
            store_bisecting(&mut transaction, M::TABLE, batch, timeout)
                .await
                .map_err(driver)?
        } else {
            for group in &batch.groups {
                let sent = send(&mut transaction, M::TABLE, group);
                if let Err(error) = timed(timeout, sent).await {
                    if classify_driver(M::TABLE, &error) == ErrorClass::Row {
                        timed(timeout, transaction.rollback())
                            .await
                            .map_err(driver)?;
                        return Err(AttemptError::RowsRejected);
                    }
                    return Err(driver(error));
                }
            }
            Vec::new()
        };
        attempt.in_doubt = Some(rejected_rows);
        match timed(timeout, transaction.commit()).await {
            Ok(()) => Ok(attempt.in_doubt.take().unwrap_or_default()),
            // A constraint is checked at the commit; the transaction is rolled back.
            Err(error)
                if classify_driver(M::TABLE, &error) == ErrorClass::Row && !attempt.bisect =>
            {
                attempt.in_doubt = None;
                Err(AttemptError::RowsRejected)
            }
            Err(error) => Err(driver(error)),
        }
    }

    /// Connects, and returns the number of the last batch that was stored.
    async fn connect(&mut self, in_doubt: bool) -> Result<i64, AttemptError> {
        let timeout = self.shared.options.answer_timeout;
        let connecting = PgConnection::connect_with(&self.shared.connect);
        let mut conn = timed(timeout, connecting)
            .await
            .map_err(AttemptError::driver::<M>)?;
        let has_vectors = !M::TABLE.search.is_empty();
        let lost = self.lost.as_ref();
        let (process, found) = prepare(&mut conn, timeout, has_vectors, &self.name, lost).await?;
        let (row, stored) = match found {
            Some(found) => found,
            None if in_doubt && !self.replays_spill => return Err(AttemptError::OutcomeUnknown),
            None => {
                let made = create_lane_row(&mut conn, &self.name, self.number);
                (timed(timeout, made).await?, self.number)
            }
        };
        self.lost = None;
        self.session = Some(LaneSession { conn, row, process });
        Ok(stored)
    }

    /// Deletes the lane's row and closes the connection.
    async fn leave(&mut self) {
        let timeout = self.shared.options.answer_timeout;
        if let Some(mut session) = self.session.take() {
            let deleted = delete_lane(&mut session.conn, session.row);
            // If it fails, a writer that starts later deletes the row.
            let _deleted = timed(timeout, deleted).await;
            let _closed = timed(timeout, session.conn.close()).await;
        }
    }

    fn set_error(&self, error: Option<&Arc<Error>>) {
        self.shared.set_error(self.index, error);
    }
}

/// Reports the outcome of a committed batch, and of its rejected rows, to the callers.
fn settle<M: Model>(shared: &Shared<M>, batch: Batch, rejected_rows: Vec<RejectedRow>) {
    Counts::add(&shared.counts.written, batch.rows() - rejected_rows.len());
    let mut refused: Vec<BTreeMap<usize, Error>> = Vec::new();
    refused.resize_with(batch.groups.len(), BTreeMap::new);
    for RejectedRow { group, row, error } in rejected_rows {
        refused[group].insert(row, error);
    }
    for (mut group, mut refused) in batch.groups.into_iter().zip(refused) {
        for (row, waiter) in std::mem::take(&mut group.waiters) {
            match refused.remove(&row) {
                // The caller may have stopped waiting.
                None => drop(waiter.send(Ok(()))),
                Some(error) => shared.reject(Some(waiter), error, JsonMap::new),
            }
        }
        for (row, error) in refused {
            shared.reject(None, error, || json_of_row(&group.columns, group.row(row)));
        }
    }
}

/// Reports to the callers that no row of a batch is stored.
fn give_up<M: Model>(shared: &Shared<M>, batch: Batch, error: &Arc<Error>) {
    let error = || Error::gave_up(M::TABLE.name, Arc::clone(error));
    let mut rejected_rows = Vec::with_capacity(batch.rows());
    for (group, rows) in batch.groups.iter().map(Group::len).enumerate() {
        rejected_rows.extend((0..rows).map(|row| RejectedRow {
            group,
            row,
            error: error(),
        }));
    }
    settle(shared, batch, rejected_rows);
}

/// A batch held by a lane; settled when the guard is dropped, whatever the outcome.
struct InHand<'p>(&'p BatchProgress, Option<u64>);

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.0.settle(self.1);
    }
}

/// A guard that each running lane holds; dropping the last one stops the writer.
///
/// The tokio runtime may drop the tasks of the lanes before the writer is dropped.
pub(super) struct Running<M: Model>(Arc<Shared<M>>);

impl<M: Model> Running<M> {
    pub(super) fn new(shared: &Arc<Shared<M>>) -> Self {
        Self(Arc::clone(shared))
    }
}

impl<M: Model> Drop for Running<M> {
    fn drop(&mut self) {
        self.0.queue.stop();
        self.0.dispatcher.stop();
        self.0.progress.stop();
    }
}

/// A guard that each lane with batches from memory holds; dropping the last one ends the
/// spill.
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

//! Stores a batch of imported records.

use lookback::query::{EncodedRecords, Imported};
use lookback::{Model, QueryBuilder, RequestSnapshot};
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};

use super::checkpoint::{Checkpoint, busy, is_lock_timeout};
use super::encoder::Encoded;
use super::entries::keep_before;
use super::input::Input;
use super::protobuf::Skipped;
use super::reader::{Batch, Outcome, Rejected, SourceLine};
use super::rejects::Rejects;
use crate::args::OnError;
use crate::failure::Failure;

/// Begins the transaction of a batch, whatever isolation level the role has by default.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// The failure of an import whose position another process has moved.
fn overtaken(input: &Input) -> Failure {
    Failure::failed(format!(
        "another process is importing {}, too, and has stored the same lines",
        input.shown()
    ))
    .hint("nothing is stored twice: let the other process continue, or stop it first")
}

/// The result of storing a batch.
#[derive(Debug)]
pub(crate) struct StoredBatch {
    pub(crate) records: u64,
    /// How many of them are requests of lines that are no records of one table.
    pub(crate) requests: u64,
    /// How many of them had a time without a zone.
    pub(crate) local_times: u64,
    pub(crate) skipped: Skipped,
    /// How many of them had an id that was not kept.
    pub(crate) renumbered: u64,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) missing_fields: Vec<String>,
    /// Its end in the input.
    pub(crate) position: u64,
    pub(crate) outcome: Outcome,
}

/// Stores a batch and the checkpoint in one transaction.
///
/// Lines whose records the database rejects are skipped, or stop the import before
/// them.
pub(crate) async fn store<M: Model>(
    batch: Batch<M::New>,
    encoded: &Encoded<M>,
    on_error: OnError,
    checkpoint: &mut Checkpoint,
    rejects: &mut Rejects,
    conn: &mut PgConnection,
    input: &Input,
) -> Result<StoredBatch, Failure> {
    let Batch {
        mut records,
        mut lines,
        mut requests,
        renumbered,
        local_times,
        skipped,
        mut rejected,
        missing_fields,
        mut end,
        mut outcome,
    } = batch;
    let mut transaction = conn.begin_with(BEGIN).await?;
    match checkpoint.is_overtaken(&mut transaction).await {
        Ok(false) => {}
        Ok(true) => return Err(overtaken(input)),
        Err(error) if is_lock_timeout(&error) => return Err(busy(input)),
        Err(error) => return Err(error.into()),
    }
    if let Some(taken) = remove_taken_ids::<M>(&mut transaction, &mut records, &mut lines).await? {
        match on_error {
            OnError::Skip => rejected.extend(taken.rejected),
            OnError::Stop => {
                records.truncate(taken.first);
                lines.truncate(taken.first);
                if let Some(bad) = taken.into_first() {
                    end = bad.line.before.clone();
                    outcome = Outcome::Stopped(bad);
                }
            }
        }
    }
    let (inserted, inserted_requests) = loop {
        if requests.records.is_empty() {
            let encoded = encoded.records.as_ref();
            let inserted = insert_records::<M>(&mut transaction, &records, encoded, on_error);
            break (inserted.await?, InsertResult::default());
        }
        let mut attempt = transaction.begin().await?;
        let inserted =
            insert_records::<M>(&mut attempt, &records, encoded.records.as_ref(), on_error).await?;
        if let (OnError::Stop, Some((row, _))) = (on_error, inserted.rejected.first()) {
            let stop = lines[*row].before.position;
            keep_before(&mut requests.records, &mut requests.lines, stop);
        }
        let of_requests = insert_records::<RequestSnapshot>(
            &mut attempt,
            &requests.records,
            encoded.requests.as_ref(),
            on_error,
        )
        .await?;
        if let (OnError::Stop, Some((row, error))) = (on_error, of_requests.rejected.first()) {
            // Records behind it are stored already: again, without them.
            attempt.rollback().await?;
            let bad = Rejected::by_database(requests.lines[*row].clone(), error);
            let stop = bad.line.before.position;
            keep_before(&mut records, &mut lines, stop);
            keep_before(&mut requests.records, &mut requests.lines, stop);
            end = bad.line.before.clone();
            outcome = Outcome::Stopped(bad);
            continue;
        }
        attempt.commit().await?;
        break (inserted, of_requests);
    };
    let stored = inserted.stored + inserted_requests.stored;
    let of_logs = inserted.rejected.into_iter().map(|bad| (&lines, bad));
    let of_requests = inserted_requests
        .rejected
        .into_iter()
        .map(|bad| (&requests.lines, bad));
    for (lines, (row, error)) in of_logs.chain(of_requests) {
        let bad = Rejected::by_database(lines[row].clone(), &error);
        match on_error {
            OnError::Skip => rejected.push(bad),
            OnError::Stop => {
                end = lines[row].before.clone();
                outcome = Outcome::Stopped(bad);
            }
        }
    }
    rejected.sort_by_key(|bad| bad.line.number);

    // Written before the lines count as processed: a line may be written twice, but none is lost.
    rejects.write(&rejected)?;
    if let Outcome::Stopped(bad) = &outcome {
        rejects.write(std::slice::from_ref(bad))?;
    }
    // An import that stopped before its first line, or that has stored nothing of what it read,
    // needs no row: another attempt begins at the first line, perhaps with another kind.
    let rejected_in_all = checkpoint.rejected() + rejected.len() as u64;
    // The content of a followed file may end before anything of it was read.
    let is_nothing = checkpoint.stored() + stored == 0
        && (rejected_in_all > 0 || !outcome.is_end() || input.is_followed());
    if is_nothing {
        transaction.rollback().await?;
        checkpoint.reject_before_first(rejected.len() as u64);
    } else {
        let advanced = checkpoint
            .advance(
                &mut transaction,
                &end,
                stored,
                rejected.len() as u64,
                outcome.is_end(),
            )
            .await?;
        transaction.commit().await?;
        *checkpoint = advanced;
    }
    Ok(StoredBatch {
        records: stored,
        requests: inserted_requests.stored,
        renumbered: renumbered.min(stored),
        local_times,
        skipped,
        rejected,
        missing_fields,
        position: end.position,
        outcome,
    })
}

/// The lines of a batch whose ids other records have.
struct TakenIds {
    /// The index of the first one among the records.
    first: usize,
    rejected: Vec<Rejected>,
}

impl TakenIds {
    /// The first line; its problem names the others.
    fn into_first(self) -> Option<Rejected> {
        const MAX_NAMED: usize = 10;
        let more = self.rejected.len().saturating_sub(1 + MAX_NAMED);
        let mut taken = self.rejected.into_iter();
        let mut first = taken.next()?;
        let ids: Vec<String> = taken
            .take(MAX_NAMED)
            .filter_map(|other| Some(other.problem.split(' ').nth(1)?.to_owned()))
            .collect();
        if !ids.is_empty() {
            let verb = if ids.len() == 1 { "is" } else { "are" };
            let ids = ids.join(", ");
            first.problem.push_str(&format!("; so {verb} {ids}"));
        }
        if more > 0 {
            first.problem.push_str(&format!(" and {more} more"));
        }
        Some(first)
    }
}

/// Removes the records whose ids other records have; `None` if there are none.
async fn remove_taken_ids<M: Model>(
    transaction: &mut Transaction<'_, Postgres>,
    records: &mut Vec<Imported<M::New>>,
    lines: &mut Vec<SourceLine>,
) -> Result<Option<TakenIds>, lookback::Error> {
    let ids: Vec<i64> = records.iter().filter_map(|record| record.id).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    let taken = QueryBuilder::<M>::new()
        .existing_ids(&mut *transaction, &ids)
        .await?;
    let is_taken =
        |record: &Imported<M::New>| record.id.filter(|id| taken.binary_search(id).is_ok());
    let Some(first) = records.iter().position(|record| is_taken(record).is_some()) else {
        return Ok(None);
    };
    let mut rejected = Vec::new();
    let (mut free, mut free_lines) = (Vec::new(), Vec::new());
    for (record, line) in std::mem::take(records)
        .into_iter()
        .zip(std::mem::take(lines))
    {
        match is_taken(&record) {
            Some(id) => rejected.push(Rejected {
                line,
                problem: format!("id: {id} is the id of another record"),
                is_not_json: false,
                is_taken_id: true,
            }),
            None => {
                free.push(record);
                free_lines.push(line);
            }
        }
    }
    (*records, *lines) = (free, free_lines);
    Ok(Some(TakenIds { first, rejected }))
}

/// The progress of inserting a batch.
#[derive(Default)]
struct InsertResult {
    stored: u64,
    /// The rejected records by index, in order.
    rejected: Vec<(usize, lookback::Error)>,
}

/// The largest number of records that are sent singly after a rejection.
///
/// A COPY ends with two small packets. TCP holds the second one back until the first one is
/// acknowledged, which takes about 40 ms on Linux (2026-11, sqlx 0.9 sets no `TCP_NODELAY`). The
/// same number of single inserts takes that long, too.
const MAX_SINGLE_INSERTS: usize = 64;

/// Inserts records except for those that the database rejects.
///
/// With [`OnError::Stop`], only records before the first rejected one are inserted. A rejection
/// rolls back all records that were sent together. So the number of records sent together is halved
/// after each rejection and doubled after each success. On average a record is sent only a few
/// times, for any number of rejections.
///
/// `encoded` are all of them, unless some were taken out since.
async fn insert_records<M: Model>(
    transaction: &mut Transaction<'_, Postgres>,
    records: &[Imported<M::New>],
    encoded: Option<&EncodedRecords<M>>,
    on_error: OnError,
) -> Result<InsertResult, lookback::Error> {
    let mut inserted = InsertResult::default();
    let (mut from, mut size) = (0, records.len());
    let mut has_rejections = false;
    let mut bad: Option<(usize, lookback::Error)> = None;
    while from < records.len() {
        if on_error == OnError::Stop && !inserted.rejected.is_empty() {
            break;
        }
        if let Some(rejected_row) = bad.take_if(|(row, _)| *row == from) {
            inserted.rejected.push(rejected_row);
            from += 1;
            continue;
        }
        let to = match &bad {
            Some((row, _)) => *row,
            None => records.len().min(from + size),
        };
        let part = &records[from..to];
        if has_rejections && part.len() <= MAX_SINGLE_INSERTS {
            if inserted
                .insert_singly::<M>(transaction, from, part, on_error)
                .await?
            {
                size *= 2;
            }
            from = to;
            continue;
        }
        let encoded = encoded.filter(|encoded| encoded.len() == part.len());
        match send::<M>(transaction, part, encoded).await? {
            SendOutcome::All(stored) => {
                inserted.stored += stored;
                from = to;
                size *= 2;
            }
            SendOutcome::None { row, error } => {
                has_rejections = true;
                size = (part.len() / 2).max(MAX_SINGLE_INSERTS);
                bad = Some((from + row, error));
            }
        }
    }
    Ok(inserted)
}

impl InsertResult {
    /// Sends the records from this index on; returns true if none is rejected.
    async fn insert_singly<M: Model>(
        &mut self,
        transaction: &mut Transaction<'_, Postgres>,
        from: usize,
        records: &[Imported<M::New>],
        on_error: OnError,
    ) -> Result<bool, lookback::Error> {
        let before = self.rejected.len();
        for (row, record) in records.iter().enumerate() {
            match send_one::<M>(transaction, record).await? {
                None => self.stored += 1,
                Some(error) => {
                    self.rejected.push((from + row, error));
                    if on_error == OnError::Stop {
                        break;
                    }
                }
            }
        }
        Ok(self.rejected.len() == before)
    }
}

enum SendOutcome {
    All(u64),
    /// None was stored, because of the record at this index.
    None {
        row: usize,
        error: lookback::Error,
    },
}

/// Sends records in a savepoint of the transaction: either all or none are stored.
async fn send<M: Model>(
    transaction: &mut Transaction<'_, Postgres>,
    records: &[Imported<M::New>],
    encoded: Option<&EncodedRecords<M>>,
) -> Result<SendOutcome, lookback::Error> {
    let mut savepoint = transaction.begin().await?;
    let table = QueryBuilder::<M>::new();
    let sent = match encoded {
        Some(encoded) => table.import_encoded(&mut savepoint, encoded).await,
        None => table.import_many(&mut savepoint, records).await,
    };
    let error = match sent {
        Ok(stored) => {
            savepoint.commit().await?;
            return Ok(SendOutcome::All(stored));
        }
        Err(error) => error,
    };
    let row = error.fields().first().and_then(|field| field.row);
    match row.filter(|row| *row < records.len()) {
        Some(row) => {
            savepoint.rollback().await?;
            Ok(SendOutcome::None { row, error })
        }
        None => Err(error),
    }
}

/// Sends one record, and returns the error if it is rejected.
async fn send_one<M: Model>(
    transaction: &mut Transaction<'_, Postgres>,
    record: &Imported<M::New>,
) -> Result<Option<lookback::Error>, lookback::Error> {
    let mut savepoint = transaction.begin().await?;
    let sent = QueryBuilder::<M>::new()
        .import_many(&mut savepoint, std::slice::from_ref(record))
        .await;
    match sent {
        Ok(_) => {
            savepoint.commit().await?;
            Ok(None)
        }
        Err(error) if !error.fields().is_empty() => {
            savepoint.rollback().await?;
            Ok(Some(error))
        }
        Err(error) => Err(error),
    }
}

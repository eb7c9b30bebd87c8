//! A batch into the database.

use lookback::{Model, QueryBuilder};
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};

use super::checkpoint::Checkpoint;
use super::reader::{Batch, Outcome, Rejected};
use super::rejects::Rejects;
use crate::args::OnError;
use crate::failure::Failure;

/// What became of a batch.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) records: u64,
    pub(crate) rejected: Vec<Rejected>,
    /// Where it ended in the input.
    pub(crate) position: u64,
    pub(crate) outcome: Outcome,
}

/// Stores a batch and how far the import has come, in one transaction. Lines
/// that the database itself refuses are rejected, or end the import before
/// them.
pub(crate) async fn store<M: Model>(
    batch: Batch<M::New>,
    on_error: OnError,
    checkpoint: &mut Checkpoint,
    rejects: &mut Rejects,
    conn: &mut PgConnection,
) -> Result<Stored, Failure> {
    let Batch {
        records,
        lines,
        mut rejected,
        mut end,
        mut outcome,
    } = batch;
    let mut transaction = conn.begin().await?;
    let put = put::<M>(&mut transaction, &records, on_error).await?;
    for (row, error) in put.refused {
        let bad = Rejected::refused(lines[row].clone(), &error);
        match on_error {
            OnError::Skip => rejected.push(bad),
            OnError::Stop => {
                end = lines[row].before.clone();
                outcome = Outcome::Stopped(bad);
            }
        }
    }
    rejected.sort_by_key(|bad| bad.line.number);

    // Before the lines count as done with: one may be written twice, and none is lost.
    rejects.write(&rejected)?;
    if let Outcome::Stopped(bad) = &outcome {
        rejects.write(std::slice::from_ref(bad))?;
    }
    // An import of nothing that did not come to an end is not worth a record.
    if end.position > 0 || outcome.is_end() {
        let moved = checkpoint
            .moved(
                &mut transaction,
                &end,
                put.stored,
                rejected.len() as u64,
                outcome.is_end(),
            )
            .await?;
        transaction.commit().await?;
        *checkpoint = moved;
    }
    Ok(Stored {
        records: put.stored,
        rejected,
        position: end.position,
        outcome,
    })
}

/// Records of a batch on their way into the database.
#[derive(Default)]
struct Put {
    stored: u64,
    /// By their place among the records, in its order.
    refused: Vec<(usize, lookback::Error)>,
}

/// So few records are sent one by one once a record of their batch was refused.
///
/// A COPY ends with two small packets, and TCP holds the second one back until
/// the first is acknowledged, which takes some 40 ms on Linux (2026-11, sqlx 0.9
/// sets no `TCP_NODELAY`): the time of as many single inserts.
const FEW: usize = 64;

/// Sends records and leaves out those that the database refuses; with
/// [`OnError::Stop`], sends those before the first of them.
///
/// A refusal undoes all that was sent with the record, so as many are sent
/// together as seems safe: half as many after each refusal, and twice as many
/// after each success. However many are refused, a record is sent a few times
/// on average.
async fn put<M: Model>(
    transaction: &mut Transaction<'_, Postgres>,
    records: &[M::New],
    on_error: OnError,
) -> Result<Put, lookback::Error> {
    let mut put = Put::default();
    let (mut from, mut size) = (0, records.len());
    let mut careful = false;
    let mut bad: Option<(usize, lookback::Error)> = None;
    while from < records.len() {
        if on_error == OnError::Stop && !put.refused.is_empty() {
            break;
        }
        if let Some(refused) = bad.take_if(|(row, _)| *row == from) {
            put.refused.push(refused);
            from += 1;
            continue;
        }
        let to = match &bad {
            Some((row, _)) => *row,
            None => records.len().min(from + size),
        };
        let part = &records[from..to];
        if careful && part.len() <= FEW {
            if put
                .one_by_one::<M>(transaction, from, part, on_error)
                .await?
            {
                size *= 2;
            }
            from = to;
            continue;
        }
        match send::<M>(transaction, part).await? {
            Sent::All(stored) => {
                put.stored += stored;
                from = to;
                size *= 2;
            }
            Sent::None { row, error } => {
                careful = true;
                size = (part.len() / 2).max(FEW);
                bad = Some((from + row, error));
            }
        }
    }
    Ok(put)
}

impl Put {
    /// Sends the records from this place on; true if none is refused.
    async fn one_by_one<M: Model>(
        &mut self,
        transaction: &mut Transaction<'_, Postgres>,
        from: usize,
        records: &[M::New],
        on_error: OnError,
    ) -> Result<bool, lookback::Error> {
        let before = self.refused.len();
        for (row, record) in records.iter().enumerate() {
            match send_one::<M>(transaction, record).await? {
                None => self.stored += 1,
                Some(error) => {
                    self.refused.push((from + row, error));
                    if on_error == OnError::Stop {
                        break;
                    }
                }
            }
        }
        Ok(self.refused.len() == before)
    }
}

enum Sent {
    All(u64),
    /// Because of the record at this place.
    None {
        row: usize,
        error: lookback::Error,
    },
}

/// Sends records, all or none of them, and leaves the transaction in use.
async fn send<M: Model>(
    transaction: &mut Transaction<'_, Postgres>,
    records: &[M::New],
) -> Result<Sent, lookback::Error> {
    let mut savepoint = transaction.begin().await?;
    let sent = QueryBuilder::<M>::new()
        .create_many(&mut savepoint, records)
        .await;
    let error = match sent {
        Ok(stored) => {
            savepoint.commit().await?;
            return Ok(Sent::All(stored));
        }
        Err(error) => error,
    };
    let row = error.fields().first().and_then(|field| field.row);
    match row.filter(|row| *row < records.len()) {
        Some(row) => {
            savepoint.rollback().await?;
            Ok(Sent::None { row, error })
        }
        None => Err(error),
    }
}

/// Sends one record, and returns why it is refused.
async fn send_one<M: Model>(
    transaction: &mut Transaction<'_, Postgres>,
    record: &M::New,
) -> Result<Option<lookback::Error>, lookback::Error> {
    let mut savepoint = transaction.begin().await?;
    let sent = QueryBuilder::<M>::new()
        .create(&mut savepoint, record.clone())
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

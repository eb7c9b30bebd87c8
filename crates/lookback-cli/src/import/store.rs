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

/// Records sent to the database.
struct Put {
    stored: u64,
    /// By their place among the records, in its order.
    refused: Vec<(usize, lookback::Error)>,
}

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
    let mut put = Put {
        stored: 0,
        refused: Vec::new(),
    };
    let (mut from, mut size) = (0, records.len());
    let mut bad: Option<(usize, lookback::Error)> = None;
    while from < records.len() {
        if let Some(refused) = bad.take_if(|(row, _)| *row == from) {
            put.refused.push(refused);
            if on_error == OnError::Stop {
                break;
            }
            from += 1;
            continue;
        }
        let to = match &bad {
            Some((row, _)) => *row,
            None => records.len().min(from + size),
        };
        match send::<M>(transaction, &records[from..to]).await? {
            Sent::All(stored) => {
                put.stored += stored;
                from = to;
                size *= 2;
            }
            Sent::None { row, error } => {
                size = ((to - from) / 2).max(1);
                bad = Some((from + row, error));
            }
        }
    }
    Ok(put)
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

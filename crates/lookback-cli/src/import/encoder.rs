//! Encodes the records of batches for the database, in a thread of its own.

use lookback::query::{EncodedRecords, Imported};
use lookback::{Model, RequestSnapshot};
use tokio::sync::mpsc;

use super::reader::Batch;
use crate::failure::Failure;

/// The number of batches that are encoded ahead of the one that is stored.
const MAX_BATCHES_AHEAD: usize = 1;

/// A batch whose records are encoded.
pub(crate) struct EncodedBatch<M: Model> {
    pub(crate) batch: Batch<M::New>,
    pub(crate) encoded: Encoded<M>,
}

/// The records of a batch as the database reads them; `None` for those that are encoded when they
/// are sent.
pub(crate) struct Encoded<M: Model> {
    pub(crate) records: Option<EncodedRecords<M>>,
    pub(crate) requests: Option<EncodedRecords<RequestSnapshot>>,
}

/// The most records that are sent by `INSERT`.
pub(super) const MAX_INSERTED: usize = 64;

type Batches<T> = mpsc::Receiver<Result<T, Failure>>;

/// Spawns a thread that encodes batches. It ends with the thread that reads them, or when the
/// receiver is dropped.
pub(super) fn spawn<M: Model>(mut batches: Batches<Batch<M::New>>) -> Batches<EncodedBatch<M>> {
    let (sender, receiver) = mpsc::channel(MAX_BATCHES_AHEAD);
    std::thread::spawn(move || {
        while let Some(batch) = batches.blocking_recv() {
            if sender.blocking_send(batch.map(encode)).is_err() {
                return;
            }
        }
    });
    receiver
}

fn encode<M: Model>(batch: Batch<M::New>) -> EncodedBatch<M> {
    let encoded = Encoded {
        records: records::<M>(&batch.records),
        requests: records::<RequestSnapshot>(&batch.requests.records),
    };
    EncodedBatch { batch, encoded }
}

/// An error comes again when the records are sent, and is reported then.
///
/// Encoded records are sent by COPY, which takes longer than an `INSERT` of a few.
fn records<M: Model>(records: &[Imported<M::New>]) -> Option<EncodedRecords<M>> {
    if records.len() <= MAX_INSERTED {
        return None;
    }
    EncodedRecords::new(records).ok().flatten()
}

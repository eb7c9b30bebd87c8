//! The encoder: a thread that validates and encodes records, embeddings included,
//! into batches.

use std::time::Instant;

use super::Shared;
use super::batch::BatchBuilder;
use super::dispatcher::DispatchOutcome;
use super::queue::{QueuedRecord, TakeOutcome};
use crate::error::Error;
use crate::model::Model;
use crate::write::{check_record, now};

/// Runs until no more records come, or the writer stops.
pub(super) fn run<M: Model>(shared: &Shared<M>) {
    let mut encoder = Encoder {
        shared,
        builder: None,
        next: 0,
    };
    let mut records = Vec::new();
    loop {
        let since = encoder.builder.as_ref().map(|(_, since)| *since);
        let outcome = shared
            .queue
            .take(&mut records, since, shared.options.batch_age);
        let goes_on = outcome != TakeOutcome::Stopped
            && records.drain(..).all(|entry| encoder.add(entry))
            && (outcome == TakeOutcome::More || encoder.dispatch_batch());
        if !goes_on {
            break;
        }
        if outcome == TakeOutcome::Last {
            shared.dispatcher.end();
            return;
        }
    }
    shared.stop();
}

struct Encoder<'s, M: Model> {
    shared: &'s Shared<M>,
    /// The batch being built, and since when its first record has been waiting.
    builder: Option<(BatchBuilder, Instant)>,
    /// The number of the next record.
    next: u64,
}

impl<M: Model> Encoder<'_, M> {
    /// Adds a record; false if the writer has stopped.
    fn add(&mut self, entry: QueuedRecord<M::New>) -> bool {
        let options = &self.shared.options;
        let (first, since) = (self.next, entry.since);
        self.next += 1;
        let (builder, _) = self.builder.get_or_insert_with(|| {
            self.shared.progress.begin_batch(first, since);
            (BatchBuilder::new(first), since)
        });
        let QueuedRecord { record, waiter, .. } = entry;
        let room = (options.batch_bytes, options.batch_rows);
        let added = match check_record(&record) {
            Ok(()) => builder.add(&record, waiter, now(), room),
            Err(wrong) => Err((waiter, Error::invalid(M::TABLE.name, wrong))),
        };
        if let Err((waiter, error)) = added {
            let values = || super::row::json_of_record(&record);
            self.shared.reject(waiter, error, values);
        }
        let full = builder.rows() >= options.batch_rows || builder.bytes() >= options.batch_bytes;
        !full || self.dispatch_batch()
    }

    /// Dispatches the batch, if there is one; false if the writer has stopped.
    fn dispatch_batch(&mut self) -> bool {
        let Some((builder, _)) = self.builder.take() else {
            return true;
        };
        self.shared.progress.end_batch(self.next);
        if builder.rows() == 0 {
            self.shared.progress.settle(Some(builder.first()));
            return true;
        }
        let shared = self.shared;
        let mut batch = builder.finish();
        loop {
            match shared.dispatcher.push(batch, || shared.may_spill()) {
                DispatchOutcome::Queued => return true,
                DispatchOutcome::Stopped => return false,
                DispatchOutcome::Diverted(back) => match shared.spill(back, None) {
                    None => return true,
                    Some(back) => batch = back,
                },
            }
        }
    }
}

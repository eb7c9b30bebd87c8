//! The thread that checks and encodes records, embedding included, and makes
//! batches of them.

use std::time::Instant;

use super::Shared;
use super::batch::Building;
use super::dispatch::Pushed;
use super::intake::{Entry, Taken};
use crate::error::Error;
use crate::model::Model;
use crate::write::{check_record, now};

/// Runs until no more records come, or nobody wants them any more.
pub(super) fn run<M: Model>(shared: &Shared<M>) {
    let mut assembler = Assembler {
        shared,
        building: None,
        next: 0,
    };
    let mut taken = Vec::new();
    loop {
        let since = assembler.building.as_ref().map(|(_, since)| *since);
        let what = shared
            .intake
            .take(&mut taken, since, shared.options.batch_age);
        let wanted = what != Taken::Stop
            && taken.drain(..).all(|entry| assembler.add(entry))
            && (what == Taken::Some || assembler.let_go());
        if !wanted {
            break;
        }
        if what == Taken::Last {
            shared.dispatch.end();
            return;
        }
    }
    shared.stop();
}

struct Assembler<'s, M: Model> {
    shared: &'s Shared<M>,
    /// The batch being made, and since when its first record waits.
    building: Option<(Building, Instant)>,
    /// The number of the next record.
    next: u64,
}

impl<M: Model> Assembler<'_, M> {
    /// False if nobody takes batches any more.
    fn add(&mut self, entry: Entry<M::New>) -> bool {
        let options = &self.shared.options;
        let (first, since) = (self.next, entry.since);
        self.next += 1;
        let (building, _) = self.building.get_or_insert_with(|| {
            self.shared.progress.begin(first, since);
            (Building::new(first), since)
        });
        let Entry { record, waiter, .. } = entry;
        let room = (options.batch_bytes, options.batch_rows);
        let added = match check_record(&record) {
            Ok(()) => building.add(&record, waiter, now(), room),
            Err(wrong) => Err((waiter, Error::invalid(M::TABLE.name, wrong))),
        };
        if let Err((waiter, error)) = added {
            let values = || super::row::json_of_record(&record);
            self.shared.reject(waiter, error, values);
        }
        let full = building.rows() >= options.batch_rows || building.bytes() >= options.batch_bytes;
        !full || self.let_go()
    }

    /// The same.
    fn let_go(&mut self) -> bool {
        let Some((building, _)) = self.building.take() else {
            return true;
        };
        self.shared.progress.end(self.next);
        if building.rows() == 0 {
            self.shared.progress.settle(Some(building.first()));
            return true;
        }
        let shared = self.shared;
        let mut batch = building.finish();
        loop {
            match shared.dispatch.push(batch, || shared.may_spill()) {
                Pushed::Done => return true,
                Pushed::Stopped => return false,
                Pushed::Elsewhere(back) => match shared.spill(back, None) {
                    None => return true,
                    Some(back) => batch = back,
                },
            }
        }
    }
}

//! Progress of an import, on a terminal.

use indicatif::ProgressBar;

use super::reader::Rejected;
use crate::output::{self, grouped};

/// The bar, and the first of the rejected lines.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    told: usize,
    untold: u64,
}

/// Rejected lines told one by one.
const TOLD: usize = 20;

impl Progress {
    /// A bar over `length` bytes, or a spinner where that is not known. Both
    /// show on a terminal only.
    pub(crate) fn new(length: Option<u64>, position: u64) -> Self {
        let bar = match length {
            Some(length) => output::bar_at(position, length),
            None => output::spinner("{spinner} {bytes}  {msg}  {elapsed}"),
        };
        Self {
            bar,
            told: 0,
            untold: 0,
        }
    }

    /// A batch is stored.
    pub(crate) fn at(&mut self, position: u64, stored: u64, rejected: &[Rejected]) {
        self.bar.set_position(position);
        let seconds = self.bar.elapsed().as_secs_f64().max(0.001);
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let rate = (stored as f64 / seconds) as u64;
        self.bar
            .set_message(format!("{} records, {}/s", grouped(stored), grouped(rate)));
        for bad in rejected {
            if self.told == TOLD {
                self.untold += 1;
                continue;
            }
            self.told += 1;
            self.bar.suspend(|| {
                output::warning(&format!(
                    "line {}: {}",
                    grouped(bad.line.number),
                    bad.problem
                ));
            });
        }
    }

    pub(crate) fn finish(&mut self) {
        self.bar.finish_and_clear();
        if self.untold > 0 {
            output::warning(&format!("and {} more lines", grouped(self.untold)));
        }
    }
}

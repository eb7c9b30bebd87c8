//! Progress of an import, on a terminal.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::Input;
use super::reader::Rejected;
use crate::output::{self, counted, grouped};

/// The progress bar, and warnings for the first rejected lines.
#[derive(Debug)]
pub(crate) struct ImportProgress {
    bar: ProgressBar,
    /// The noun for a part of the input.
    unit: &'static str,
    /// The name of a followed file, which is one of many.
    file: Option<String>,
    /// When a followed file began to count rejected lines.
    since: Instant,
    shown: usize,
    hidden: u64,
}

/// The number of rejected lines that are printed.
const MAX_SHOWN: usize = 20;

/// The same for a followed file, which may be followed for years: in each of these periods.
const PERIOD: Duration = Duration::from_secs(60);

impl ImportProgress {
    /// Creates a bar over the bytes of the input, or a spinner if their number is unknown.
    ///
    /// Both are shown on a terminal only.
    pub(crate) fn new(input: &Input, position: u64) -> Self {
        let bar = match input.length() {
            // There may be many of them.
            _ if input.is_followed() => ProgressBar::hidden(),
            Some(length) => output::bar_at(position, length),
            None => output::spinner("{spinner} {bytes}  {msg}  {elapsed}"),
        };
        Self {
            bar,
            unit: input.unit(),
            file: input.is_followed().then(|| input.shown().to_owned()),
            since: Instant::now(),
            shown: 0,
            hidden: 0,
        }
    }

    /// Shows a stored batch.
    pub(crate) fn at(&mut self, position: u64, stored: u64, rejected: &[Rejected]) {
        self.bar.set_position(position);
        let seconds = self.bar.elapsed().as_secs_f64().max(0.001);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate for people"
        )]
        let rate = (stored as f64 / seconds) as u64;
        self.bar.set_message(format!(
            "{}, {}/s",
            counted(stored, "record"),
            grouped(rate)
        ));
        if self.file.is_some() && self.since.elapsed() >= PERIOD {
            self.print_hidden();
            (self.shown, self.hidden, self.since) = (0, 0, Instant::now());
        }
        let file = self.file.as_ref();
        let prefix = file.map_or_else(String::new, |file| format!("{file}, "));
        for bad in rejected {
            if self.shown == MAX_SHOWN {
                self.hidden += 1;
                continue;
            }
            self.shown += 1;
            self.bar.suspend(|| {
                output::warning(&format!(
                    "{prefix}{} {}: {}",
                    self.unit,
                    grouped(bad.line.number),
                    bad.problem
                ));
            });
        }
    }

    pub(crate) fn finish(&mut self) {
        self.bar.finish_and_clear();
        self.print_hidden();
    }

    fn print_hidden(&self) {
        if self.hidden > 0 {
            output::warning(&format!(
                "{}and {} more {}{}",
                self.file
                    .as_ref()
                    .map_or_else(String::new, |file| format!("{file}: ")),
                grouped(self.hidden),
                self.unit,
                if self.hidden == 1 { "" } else { "s" }
            ));
        }
    }
}

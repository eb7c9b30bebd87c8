//! What is said at the end of an import.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::checkpoint::Checkpoint;
use super::{Ended, Input};
use crate::args::ImportArgs;
use crate::failure::Failure;
use crate::output::{self, grouped};

/// What an import did.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) stored: u64,
    pub(crate) rejected: u64,
}

/// All that is known at the end of an import.
pub(crate) struct Report<'a> {
    pub(crate) args: &'a ImportArgs,
    pub(crate) input: &'a Input,
    pub(crate) summary: Summary,
    pub(crate) checkpoint: &'a Checkpoint,
    pub(crate) time: Duration,
}

impl Report<'_> {
    /// Says how the import ended, and what is in, however it ended.
    pub(crate) fn tell(&self, ended: Result<Ended, Failure>) -> Result<(), Failure> {
        if self.args.json {
            self.print_json(matches!(ended, Ok(Ended::Done)))?;
        }
        let (in_all, resume) = (self.in_all(), self.resume());
        match ended {
            Ok(Ended::Done) => {
                self.note();
                Ok(())
            }
            Ok(Ended::Unfinished) => {
                self.note();
                output::warning(&format!(
                    "{}: the last line has no end and is not JSON yet: it was left for a later --resume",
                    self.input.shown()
                ));
                Ok(())
            }
            Ok(Ended::Stopped(bad)) => Err(Failure::failed(format!(
                "{}, line {}: {}",
                self.input.shown(),
                grouped(bad.line.number),
                bad.problem
            ))
            .hint(format!(
                "{in_all}; {resume}, after mending the line or with --on-error skip"
            ))),
            Ok(Ended::Interrupted) => {
                Err(Failure::interrupted("interrupted").hint(format!("{in_all}; {resume}")))
            }
            Err(failure) => Err(failure.and_hint(&format!("{in_all}; {resume}"))),
        }
    }

    fn print_json(&self, finished: bool) -> Result<(), Failure> {
        output::json(&json!({"data": {
            "stored": self.summary.stored,
            "rejected": self.summary.rejected,
            "stored_in_all": self.checkpoint.stored(),
            "rejected_in_all": self.checkpoint.rejected(),
            "lines": self.checkpoint.lines(),
            "finished": finished,
        }}))
    }

    fn in_all(&self) -> String {
        match self.checkpoint.lines() {
            0 => "nothing is stored".to_owned(),
            lines => format!(
                "lines 1 to {} are done with: {} records are in, {} lines were rejected",
                grouped(lines),
                grouped(self.checkpoint.stored()),
                grouped(self.checkpoint.rejected())
            ),
        }
    }

    fn resume(&self) -> &'static str {
        // An input that nothing is known of cannot be known again.
        match (self.input.known_name(), self.checkpoint.lines()) {
            (_, 0) => "to go on: the same command",
            (Some(_), _) => "to go on: the same command with --resume",
            (None, _) => "to go on: import the lines after them",
        }
    }

    fn note(&self) {
        let seconds = self.time.as_secs_f64();
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let rate = (self.summary.stored as f64 / seconds.max(0.001)) as u64;
        output::note(&format!(
            "{}: {} records into {} in {seconds:.1} s ({} records/s){}",
            self.input.shown(),
            grouped(self.summary.stored),
            self.checkpoint.target(),
            grouped(rate),
            self.rejected()
        ));
    }

    fn rejected(&self) -> String {
        if self.summary.rejected == 0 {
            return String::new();
        }
        let written = |path: &Path| format!(", written to {}", path.display());
        format!(
            "; {} lines rejected{}",
            grouped(self.summary.rejected),
            self.args
                .rejects
                .as_deref()
                .map(written)
                .unwrap_or_default()
        )
    }
}

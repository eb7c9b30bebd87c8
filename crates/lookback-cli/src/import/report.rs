//! The report at the end of an import.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::checkpoint::Checkpoint;
use super::{ImportEnd, Input};
use crate::args::ImportArgs;
use crate::failure::Failure;
use crate::output::{self, grouped};

/// The counts of this run of an import.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) stored: u64,
    pub(crate) rejected: u64,
}

/// The report at the end of an import.
pub(crate) struct Report<'a> {
    pub(crate) args: &'a ImportArgs,
    pub(crate) input: &'a Input,
    pub(crate) summary: Summary,
    pub(crate) checkpoint: &'a Checkpoint,
    pub(crate) time: Duration,
}

impl Report<'_> {
    /// Prints how the import ended and the number of stored records.
    pub(crate) fn print(&self, ended: Result<ImportEnd, Failure>) -> Result<(), Failure> {
        if self.args.json {
            let printed = self.print_json(matches!(ended, Ok(ImportEnd::Done)));
            // The import has ended as it did, also if nobody reads the report.
            match printed {
                Err(failure) if failure.is_of_closed_output() => {}
                printed => printed?,
            }
        }
        let (total, resume) = (self.total(), self.resume());
        match ended {
            Ok(ImportEnd::Done) => {
                self.note();
                Ok(())
            }
            Ok(ImportEnd::AllRejected) => Err(Failure::failed(format!(
                "{}: nothing was imported{}",
                self.input.shown(),
                self.rejected()
            ))
            .hint(format!(
                "are these records of another kind than {}? give it by --kind; or correct the lines, \
                 and import them again",
                self.checkpoint.target()
            ))),
            Ok(ImportEnd::Unfinished) => {
                self.note();
                output::warning(&format!(
                    "{}: the last line is incomplete: it was left for a later --resume",
                    self.input.shown()
                ));
                Ok(())
            }
            Ok(ImportEnd::Stopped(bad)) => Err(Failure::failed(format!(
                "{}, line {}: {}",
                self.input.shown(),
                grouped(bad.line.number),
                bad.problem
            ))
            .hint(format!(
                "{total}; {resume}, after correcting the line or with --on-error skip"
            ))),
            Ok(ImportEnd::Interrupted) => {
                Err(Failure::interrupted("interrupted").hint(format!("{total}; {resume}")))
            }
            Err(failure) => Err(failure.and_hint(&format!("{total}; {resume}"))),
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

    fn total(&self) -> String {
        match self.checkpoint.lines() {
            0 => "nothing is stored".to_owned(),
            lines => format!(
                "lines 1 to {} are processed: {} records stored, {} lines rejected",
                grouped(lines),
                grouped(self.checkpoint.stored()),
                grouped(self.checkpoint.rejected())
            ),
        }
    }

    fn resume(&self) -> &'static str {
        // A later import cannot identify an unnamed input.
        match (self.input.known_name(), self.checkpoint.lines()) {
            (_, 0) => "to continue: the same command",
            (Some(_), _) => "to continue: the same command with --resume",
            (None, _) => "to continue: import the lines after them",
        }
    }

    fn note(&self) {
        let seconds = self.time.as_secs_f64();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate for people"
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

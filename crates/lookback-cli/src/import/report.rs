//! The report at the end of an import.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::Input;
use super::batches::ImportEnd;
use super::checkpoint::Checkpoint;
use super::content::Content;
use super::encoding;
use super::protobuf::Skipped;
use super::reader::Rejected;
use super::unstored;
use crate::args::{ImportArgs, ImportKind};
use crate::failure::Failure;
use crate::output::{self, counted, grouped};

/// The counts of this run of an import.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) stored: u64,
    pub(crate) rejected: u64,
    /// How many of the records are requests, of lines of other programs.
    pub(crate) requests: u64,
    /// Records whose time had no zone.
    pub(crate) local_times: u64,
    /// Records whose ids were not kept.
    pub(crate) renumbered: u64,
    /// What is not imported, and no mistake.
    pub(crate) skipped: Skipped,
    /// What to say of fields of `--map` that never occurred.
    pub(crate) missing_fields: Vec<String>,
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
        let resume = match &ended {
            Ok(ImportEnd::Done | ImportEnd::AllRejected | ImportEnd::Unfinished) => String::new(),
            Ok(ImportEnd::Stopped(_) | ImportEnd::Interrupted) | Err(_) => self.resume(),
        };
        let total = self.total();
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
            .hint(self.all_rejected())),
            Ok(ImportEnd::Unfinished) => {
                self.note();
                output::warning(&format!(
                    "{}: the last {} is incomplete: it was left for a later --resume",
                    self.input.shown(),
                    self.input.unit()
                ));
                Ok(())
            }
            Ok(ImportEnd::Stopped(bad)) => Err(self.stopped(&bad, &total, &resume)),
            Ok(ImportEnd::Interrupted) => {
                Err(Failure::interrupted("interrupted").hint(format!("{total}; {resume}")))
            }
            Err(failure) => Err(failure.and_hint(&format!("{total}; {resume}"))),
        }
    }

    /// The hint of an import that rejected all lines.
    fn all_rejected(&self) -> String {
        if self.input.protobuf().is_some() {
            return "is the file damaged, or cut? import it again when it is whole".to_owned();
        }
        format!(
            "are these records of another kind than {}? give it by --kind; or correct the lines, \
             and import them again",
            self.checkpoint.content.shown()
        )
    }

    /// The failure of an import that stopped at a line.
    fn stopped(&self, bad: &Rejected, total: &str, resume: &str) -> Failure {
        let (input, unit) = (self.input, self.input.unit());
        let failure = Failure::failed(format!(
            "{}, {unit} {}: {}",
            input.shown(),
            grouped(bad.line.number),
            bad.problem
        ));
        let is_first = self.checkpoint.lines() == 0;
        let hint = bad
            .is_not_json
            .then(|| encoding::hint_on_text(&bad.line.bytes))
            .flatten();
        match hint.filter(|_| is_first) {
            Some(hint) => failure.hint(format!("{total}; {hint}")),
            // Nobody corrects bytes by hand.
            None if input.protobuf().is_some() => {
                let with = if resume.ends_with("--resume") {
                    "and"
                } else {
                    "with"
                };
                failure.hint(format!("{total}; {resume} {with} --on-error skip"))
            }
            None => failure.hint(format!(
                "{total}; {resume}, after correcting the {unit} or with --on-error skip{}",
                if bad.is_taken_id {
                    ", or without --keep-ids to assign new ids"
                } else {
                    ""
                }
            )),
        }
    }

    fn print_json(&self, finished: bool) -> Result<(), Failure> {
        let mut data = json!({
            "stored": self.summary.stored,
            "rejected": self.summary.rejected,
            "stored_in_all": self.checkpoint.stored(),
            "rejected_in_all": self.checkpoint.rejected(),
            "lines": self.checkpoint.lines(),
            "finished": finished,
        });
        if self.input.protobuf().is_some() {
            let Skipped { spans, metrics } = self.summary.skipped;
            data["skipped"] = (spans + metrics).into();
        }
        output::json(&json!({ "data": data }))
    }

    fn total(&self) -> String {
        let unit = self.input.unit();
        match self.checkpoint.lines() {
            0 => "nothing is stored".to_owned(),
            lines => {
                let read = match lines {
                    1 => format!("{unit} 1 is"),
                    lines => format!("{unit}s 1 to {} are", grouped(lines)),
                };
                format!(
                    "{read} processed: {} stored, {} rejected",
                    counted(self.checkpoint.stored(), "record"),
                    counted(self.checkpoint.rejected(), unit)
                )
            }
        }
    }

    /// How the import can be continued. What a stream has sent and is not stored is saved.
    fn resume(&self) -> String {
        match unstored::save(self.input) {
            Ok(None) => {}
            Ok(Some(path)) => {
                let path = path.display();
                let source = match &self.args.source {
                    Some(source) => format!(" --source '{source}'"),
                    None if self.checkpoint.content == Content::Entries => {
                        format!(" --source {}", self.input.stem())
                    }
                    None => String::new(),
                };
                return format!(
                    "what was read and is not stored is in {path}; to store it: lookback import \
                     '{path}'{source}"
                );
            }
            Err(error) => output::warning(&format!(
                "{}: what was read and is not stored could not be saved: {error}",
                self.input.shown()
            )),
        }
        // A later import cannot identify an unnamed input.
        let how = match (self.input.known_name(), self.checkpoint.lines()) {
            _ if self.input.is_followed() => "the same command",
            (_, 0) => "the same command",
            (Some(_), _) => "the same command with --resume",
            (None, _) => "import the lines after them",
        };
        format!("to continue: {how}")
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
        let stored = match self.checkpoint.content {
            Content::Records(_) => format!(
                "{} into {}",
                counted(self.summary.stored, "record"),
                self.checkpoint.content.shown()
            ),
            Content::Entries => format!(
                "{} and {}",
                counted(self.summary.stored - self.summary.requests, "log line"),
                counted(self.summary.requests, "request")
            ),
        };
        output::note(&format!(
            "{}: {stored} in {seconds:.1} s ({} records/s){}",
            self.input.shown(),
            grouped(rate),
            self.rejected()
        ));
        if let Some(skipped) = self.summary.skipped.shown() {
            output::note(&format!("{}: skipped {skipped}", self.input.shown()));
        }
        Notes {
            args: self.args,
            content: self.checkpoint.content,
            stored: self.summary.stored,
            local_times: self.summary.local_times,
            renumbered: self.summary.renumbered,
        }
        .print();
        for problem in &self.summary.missing_fields {
            output::warning(&format!("{}: {problem}", self.input.shown()));
        }
    }

    fn rejected(&self) -> String {
        if self.summary.rejected == 0 {
            return String::new();
        }
        let written = |path: &Path| format!(", written to {}", path.display());
        format!(
            "; {} rejected{}",
            counted(self.summary.rejected, self.input.unit()),
            self.args
                .rejects
                .as_deref()
                .map(written)
                .unwrap_or_default()
        )
    }
}

/// What is to be known of records that were stored, or would be.
pub(super) struct Notes<'a> {
    pub(super) args: &'a ImportArgs,
    pub(super) content: Content,
    pub(super) stored: u64,
    pub(super) local_times: u64,
    pub(super) renumbered: u64,
}

impl Notes<'_> {
    pub(super) fn print(&self) {
        if self.local_times > 0 && self.args.timezone.is_none() {
            output::note(&format!(
                "{} had a time without a zone, read as UTC: --timezone +02:00 reads them as of another",
                counted(self.local_times, "record")
            ));
        }
        if self.renumbered > 0 {
            output::note(&format!(
                "{} got new ids: --keep-ids keeps those of the input",
                counted(self.renumbered, "record")
            ));
        }
        if self.content == Content::Records(ImportKind::Users) && self.stored > 0 {
            output::note(
                "users without a password_hash in the input have no password: exports contain none",
            );
        }
    }
}

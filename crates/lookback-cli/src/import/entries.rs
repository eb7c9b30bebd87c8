//! Reads the lines of other programs into batches of log lines and requests.

use std::collections::VecDeque;

use lookback::query::{Imported, check_new};
use lookback::{Json, NewLog};
use lookback_formats::{Decoder, Entry, Format, Options};

use super::lines::{Line, Lines, MAX_LINE, Mark, Next};
use super::reader::{
    Batch, BatchAge, MAX_BATCH_BYTES, Outcome, ReadOptions, Rejected, Requests, SourceLine,
};
use crate::args::OnError;
use crate::failure::Failure;
use crate::output::grouped;

/// The most lines behind one that waits for its end, before it is decoded as it is.
const MAX_WAITING: u64 = 10_000;

/// Reads batches and passes each to `take`, until `take` returns false.
pub(crate) fn read(
    mut lines: Lines,
    options: ReadOptions,
    decoding: Options,
    is_strict: bool,
    take: impl Fn(Result<Batch<NewLog>, Failure>) -> bool,
) {
    let mut reader = EntryReader {
        decoder: Decoder::new(decoding),
        options,
        is_strict,
        open: VecDeque::new(),
        fed: 0,
        decoded: 0,
    };
    loop {
        let batch = reader.batch(&mut lines);
        let last = match &batch {
            Ok(batch) => !matches!(batch.outcome, Outcome::More),
            Err(_) => true,
        };
        if !take(batch) || last {
            return;
        }
    }
}

/// Removes the records from the first one on whose line is not kept.
pub(super) fn truncate<T>(
    records: &mut Vec<T>,
    lines: &mut Vec<SourceLine>,
    is_kept: impl Fn(&SourceLine) -> bool,
) {
    let kept = lines
        .iter()
        .position(|line| !is_kept(line))
        .unwrap_or(lines.len());
    records.truncate(kept);
    lines.truncate(kept);
}

struct EntryReader {
    decoder: Decoder,
    options: ReadOptions,
    /// Whether text of no known format is rejected.
    is_strict: bool,
    /// The lines that are part of no record yet, by their number for the decoder, with the
    /// position before each.
    open: VecDeque<(u64, Mark)>,
    /// The lines that the decoder has.
    fed: u64,
    /// The last of them that is part of a record.
    decoded: u64,
}

/// A batch that is being read.
#[derive(Default)]
struct Building {
    logs: Vec<Imported<NewLog>>,
    log_lines: Vec<SourceLine>,
    requests: Requests,
    rejected: Vec<Rejected>,
    local_times: u64,
    bytes: usize,
}

impl Building {
    fn is_empty(&self) -> bool {
        self.logs.is_empty() && self.requests.records.is_empty() && self.rejected.is_empty()
    }
}

impl EntryReader {
    fn batch(&mut self, lines: &mut Lines) -> Result<Batch<NewLog>, Failure> {
        let mut batch = Building::default();
        let mut entries = Vec::new();
        let mut age = BatchAge::default();
        let outcome = loop {
            let size = batch.logs.len() + batch.requests.records.len() + batch.rejected.len();
            if size >= self.options.size || batch.bytes >= MAX_BATCH_BYTES {
                if self.waits_too_long()
                    && let Some(bad) = self.finish(&mut entries, &mut batch)
                {
                    break Outcome::Stopped(bad);
                }
                if self.can_stop_here() {
                    break Outcome::More;
                }
            }
            let line = match lines.next_or_wait()? {
                Next::Line(line) => line,
                Next::End => {
                    break match self.finish(&mut entries, &mut batch) {
                        Some(bad) => Outcome::Stopped(bad),
                        None => Outcome::End,
                    };
                }
                Next::Waiting => {
                    // A stack trace would have come with its line.
                    self.decoder.close_text(&mut entries);
                    if let Some(bad) = self.take(&mut entries, None, &mut batch) {
                        break Outcome::Stopped(bad);
                    }
                    if batch.is_empty() || !self.can_stop_here() {
                        continue;
                    }
                    break Outcome::More;
                }
            };
            let is_over = self.options.is_stream && age.is_over(!batch.is_empty());
            if is_over && self.can_stop_here() {
                lines.put_back(vec![line]);
                break Outcome::More;
            }
            if self.is_unfinished(&line) {
                break Outcome::Unfinished;
            }
            batch.bytes += line.bytes.len();
            let before = lines.mark().clone();
            let stopped = self.line(&line, before.clone(), &mut entries, &mut batch);
            if let Some(bad) = stopped {
                break Outcome::Stopped(bad);
            }
            lines.pass(&line);
        };
        // Records of the line where the import stops are imported with it later.
        if let Outcome::Stopped(bad) = &outcome {
            let is_kept = |line: &SourceLine| line.before.position < bad.line.before.position;
            truncate(&mut batch.logs, &mut batch.log_lines, is_kept);
            truncate(
                &mut batch.requests.records,
                &mut batch.requests.lines,
                is_kept,
            );
        }
        let end = match (&outcome, self.open.front()) {
            (Outcome::Stopped(bad), _) => bad.line.before.clone(),
            (_, Some((_, before))) => before.clone(),
            (_, None) => lines.mark().clone(),
        };
        Ok(Batch {
            records: batch.logs,
            renumbered: 0,
            lines: batch.log_lines,
            requests: batch.requests,
            rejected: batch.rejected,
            local_times: batch.local_times,
            end,
            outcome,
        })
    }

    /// Decodes the lines that wait for others.
    fn finish(&mut self, entries: &mut Vec<Entry>, batch: &mut Building) -> Option<Rejected> {
        self.decoder.finish(entries);
        self.take(entries, None, batch)
    }

    /// Decodes a line. Returns it if the import stops there.
    fn line(
        &mut self,
        line: &Line,
        before: Mark,
        entries: &mut Vec<Entry>,
        batch: &mut Building,
    ) -> Option<Rejected> {
        self.fed += 1;
        self.open.push_back((self.fed, before));
        let problem = if line.cut {
            let most = grouped(MAX_LINE as u64);
            Some(format!("must be at most {most} bytes long"))
        } else {
            let decoded = self.decoder.line(&line.bytes, entries);
            decoded.err().map(|problem| problem.to_string())
        };
        if let Some(problem) = problem {
            let source = SourceLine {
                number: line.number,
                bytes: line.bytes.clone(),
                before: self
                    .open
                    .back()
                    .map(|(_, before)| before.clone())
                    .unwrap_or_default(),
            };
            return match self.finish(entries, batch) {
                Some(bad) => Some(bad),
                None => self.reject(source, problem, batch),
            };
        }
        self.take(entries, Some(line), batch)
    }

    /// Takes decoded entries, and forgets the lines that they are of.
    fn take(
        &mut self,
        entries: &mut Vec<Entry>,
        line: Option<&Line>,
        batch: &mut Building,
    ) -> Option<Rejected> {
        let source = |open: &VecDeque<(u64, Mark)>| SourceLine {
            number: line.map_or_else(
                || open.front().map_or(0, |(_, mark)| mark.lines + 1),
                |line| line.number,
            ),
            bytes: line.map(|line| line.bytes.clone()).unwrap_or_default(),
            before: open
                .front()
                .map(|(_, mark)| mark.clone())
                .unwrap_or_default(),
        };
        let has_entries = !entries.is_empty();
        let mut stopped = None;
        for entry in entries.drain(..) {
            batch.local_times += u64::from(entry.is_local_time);
            let problem = if self.is_strict && entry.format == Format::Text {
                Some("is of no known format".to_owned())
            } else {
                let log = entry.log.as_ref().and_then(|log| check_new(log).err());
                let request = entry
                    .request
                    .as_ref()
                    .and_then(|request| check_new(request).err());
                log.or(request).map(|error| error.to_string())
            };
            if let Some(problem) = problem {
                stopped = self.reject(source(&self.open), problem, batch);
                if stopped.is_some() {
                    break;
                }
                continue;
            }
            if let Some(log) = entry.log {
                batch.logs.push(Imported::new(log));
                batch.log_lines.push(source(&self.open));
            }
            if let Some(request) = entry.request {
                batch.requests.records.push(Imported::new(request));
                batch.requests.lines.push(source(&self.open));
            }
        }
        let is_last_open = self.decoder.keeps_last_line() && line.is_some();
        if has_entries {
            self.decoded = self.fed - u64::from(is_last_open);
        }
        let first_open = self.decoder.open_since().unwrap_or(self.fed + 1);
        while self
            .open
            .front()
            .is_some_and(|(number, _)| *number < first_open)
        {
            self.open.pop_front();
        }
        stopped
    }

    /// Rejects a line; returns it if the import stops there.
    fn reject(&self, line: SourceLine, problem: String, batch: &mut Building) -> Option<Rejected> {
        let bad = Rejected {
            line,
            problem,
            is_not_json: false,
            is_taken_id: false,
        };
        match self.options.on_error {
            OnError::Stop => Some(bad),
            OnError::Skip => {
                batch.rejected.push(bad);
                None
            }
        }
    }

    /// Whether no line behind the first open one is part of a record: an import that continues
    /// there stores nothing twice.
    fn can_stop_here(&self) -> bool {
        self.decoder
            .open_since()
            .is_none_or(|open| open > self.decoded)
    }

    fn waits_too_long(&self) -> bool {
        self.decoder
            .open_since()
            .is_some_and(|open| self.fed - open >= MAX_WAITING)
    }

    /// Whether a line is JSON that is still being written.
    fn is_unfinished(&self, line: &Line) -> bool {
        !line.ended
            && self.options.resumable
            && self.decoder.open_since().is_none()
            && line.bytes.trim_ascii_start().starts_with(b"{\"")
            && Json::from_slice(&line.bytes).is_err()
    }
}

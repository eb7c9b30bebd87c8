//! Reads the lines of other programs into batches of log lines and requests.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use lookback::query::{Imported, check_new};
use lookback::{Json, NewLog};
use lookback_formats::push::{self, MAX_BYTES};
use lookback_formats::{Decoder, Entry, Format, Options};

use super::lines::{Line, Lines, MAX_LINE, Mark, Next};
use super::protobuf::{RecordLine, Skipped};
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
    mut take: impl FnMut(Result<Batch<NewLog>, Failure>) -> bool,
) {
    let mut reader = EntryReader {
        decoder: Decoder::new(decoding.clone()),
        decoding,
        options,
        is_strict,
        open: VecDeque::new(),
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

/// Removes the records of lines from a position on.
pub(super) fn keep_before<T>(records: &mut Vec<T>, lines: &mut Vec<SourceLine>, position: u64) {
    let mut is_kept = lines.iter().map(|line| line.before.position < position);
    records.retain(|_| is_kept.next().unwrap_or(false));
    lines.retain(|line| line.before.position < position);
}

struct EntryReader {
    decoder: Decoder,
    decoding: Options,
    options: ReadOptions,
    /// Whether text of no known format is rejected.
    is_strict: bool,
    /// The lines from the first one on that is part of no record yet, by their number for the
    /// decoder.
    open: VecDeque<(u64, SourceLine)>,
    /// The last line that is part of a record.
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
    skipped: Skipped,
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
                    if let Some(bad) = self.take(&mut entries, &mut batch) {
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
            let stopped = self.line(&line, lines.mark().clone(), &mut entries, &mut batch);
            if let Some(bad) = stopped {
                break Outcome::Stopped(bad);
            }
            lines.pass(&line);
        };
        let end = match (&outcome, self.open.front()) {
            (Outcome::Stopped(bad), _) => {
                // The other records of the line are imported with it later.
                let position = bad.line.before.position;
                keep_before(&mut batch.logs, &mut batch.log_lines, position);
                let requests = &mut batch.requests;
                keep_before(&mut requests.records, &mut requests.lines, position);
                bad.line.before.clone()
            }
            (_, Some((_, open))) => open.before.clone(),
            (_, None) => lines.mark().clone(),
        };
        Ok(Batch {
            records: batch.logs,
            renumbered: 0,
            lines: batch.log_lines,
            requests: batch.requests,
            rejected: batch.rejected,
            local_times: batch.local_times,
            skipped: batch.skipped,
            end,
            outcome,
        })
    }

    /// Decodes the lines that wait for others.
    fn finish(&mut self, entries: &mut Vec<Entry>, batch: &mut Building) -> Option<Rejected> {
        self.decoder.finish(entries);
        self.take(entries, batch)
    }

    /// Decodes a line. Returns it if the import stops there.
    fn line(
        &mut self,
        line: &Line,
        before: Mark,
        entries: &mut Vec<Entry>,
        batch: &mut Building,
    ) -> Option<Rejected> {
        let source = SourceLine {
            number: line.number,
            bytes: line.bytes.as_slice().into(),
            before,
        };
        self.open.push_back((self.decoder.lines() + 1, source));
        let may_be_record = matches!(
            self.decoding.format,
            None | Some(Format::Otlp | Format::Loki)
        );
        let record = (may_be_record && !line.cut).then(|| RecordLine::of(&line.bytes));
        let problem = if let Some(record) = record.flatten() {
            // Text that waited for a stack trace ends here.
            self.decoder.finish(entries);
            self.decoder.skip_line();
            let number = self.decoder.lines();
            let problem = self.record(record, number, entries, &mut batch.skipped);
            problem.map(|problem| (number..=number, problem))
        } else if line.cut {
            self.decoder.skip_line();
            let most = grouped(MAX_LINE as u64);
            let number = self.decoder.lines();
            Some((
                number..=number,
                format!("must be at most {most} bytes long"),
            ))
        } else {
            let decoded = self.decoder.line(&line.bytes, entries);
            decoded
                .err()
                .map(|problem| (problem.lines().clone(), problem.to_string()))
        };
        let Some((lines, problem)) = problem else {
            return self.take(entries, batch);
        };
        let source = self.source(&lines);
        match self.finish(entries, batch) {
            Some(bad) => Some(bad),
            None => self.reject(source, problem, batch),
        }
    }

    /// Decodes a record of protobuf. Returns what is wrong with it.
    fn record(
        &self,
        record: RecordLine,
        number: u64,
        entries: &mut Vec<Entry>,
        skipped: &mut Skipped,
    ) -> Option<String> {
        let other =
            (self.decoding.format).filter(|given| record.format().is_some_and(|of| of != *given));
        if let Some(given) = other {
            return Some(format!("is not of the format {}", given.name()));
        }
        let (push, body) = match record {
            RecordLine::Record(push, body) => (push, body),
            RecordLine::Metrics => {
                skipped.metrics += 1;
                return None;
            }
            RecordLine::Invalid(problem) => return Some(problem),
            RecordLine::Incomplete => return Some("the message ends before its length".to_owned()),
        };
        // A record with what is around it may have a little more than the body that had it.
        let mut records = match push::records(push, &body, &self.decoding, 2 * MAX_BYTES) {
            Ok(records) => records,
            Err(problem) => return Some(problem.to_string()),
        };
        let mut problem = None;
        for record in &mut records {
            match record {
                Ok(mut entry) => {
                    entry.lines = number..=number;
                    entries.push(entry);
                }
                Err(bad) => problem = problem.or(Some(bad.to_string())),
            }
        }
        skipped.spans += records.skipped();
        problem
    }

    /// Returns lines as one: with the number of the first, and the bytes of all.
    fn source(&self, lines: &RangeInclusive<u64>) -> SourceLine {
        let mut of_range = self
            .open
            .iter()
            .filter(|(number, _)| lines.contains(number));
        let first = of_range.next().or(self.open.back());
        let mut source = first.map(|(_, line)| line.clone()).unwrap_or_default();
        let rest: Vec<&[u8]> = of_range.map(|(_, line)| &*line.bytes).collect();
        if !rest.is_empty() {
            let all = std::iter::once(&*source.bytes).chain(rest);
            source.bytes = all.collect::<Vec<_>>().join(&b'\n').into();
        }
        source
    }

    /// Takes decoded entries, and forgets the lines that they are of.
    fn take(&mut self, entries: &mut Vec<Entry>, batch: &mut Building) -> Option<Rejected> {
        let has_entries = !entries.is_empty();
        let mut stopped = None;
        // Many entries may be of the same lines.
        let mut last: Option<(RangeInclusive<u64>, SourceLine)> = None;
        for entry in entries.drain(..) {
            let source = match &last {
                Some((lines, source)) if *lines == entry.lines => source.clone(),
                _ => {
                    let source = self.source(&entry.lines);
                    last = Some((entry.lines.clone(), source.clone()));
                    source
                }
            };
            batch.local_times += u64::from(entry.is_local_time);
            if let Some(problem) = self.problem(&entry) {
                stopped = self.reject(source, problem, batch);
                if stopped.is_some() {
                    break;
                }
                continue;
            }
            if let Some(request) = entry.request {
                batch.requests.records.push(Imported::new(*request));
                batch.requests.lines.push(source.clone());
            }
            if let Some(log) = entry.log {
                batch.logs.push(Imported::new(log));
                batch.log_lines.push(source);
            }
        }
        let lines = self.decoder.lines();
        if has_entries {
            self.decoded = lines - u64::from(self.decoder.keeps_last_line());
        }
        let first_open = self.decoder.open_since().unwrap_or(lines + 1);
        while let Some((number, _)) = self.open.front()
            && *number < first_open
        {
            self.open.pop_front();
        }
        stopped
    }

    fn problem(&self, entry: &Entry) -> Option<String> {
        if self.is_strict && entry.format == Format::Text {
            return Some("is of no known format".to_owned());
        }
        let of_log = entry.log.as_ref().and_then(|log| check_new(log).err());
        let of_request = || check_new(entry.request.as_deref()?).err();
        of_log.or_else(of_request).map(|error| error.to_string())
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
            .is_some_and(|open| self.decoder.lines() - open >= MAX_WAITING)
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

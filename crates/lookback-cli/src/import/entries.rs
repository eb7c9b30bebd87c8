//! Reads the lines of other programs into batches of log lines and requests.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use lookback::NewLog;
use lookback::query::{Imported, check_new};
use lookback_formats::push::{self, MAX_BYTES};
use lookback_formats::{Decoder, Entry, Format, Options};
use serde::de::IgnoredAny;

use super::convert::INCOMPLETE_ROW;
use super::lines::{Line, Lines, MAX_LINE, Mark, Next};
use super::mapped_fields::MappedFields;
use super::protobuf::{RecordLine, Skipped};
use super::reader::{
    Batch, BatchAge, MAX_BATCH_BYTES, Outcome, ReadOptions, Rejected, Requests, SourceLine,
};
use crate::args::{self, OnError};
use crate::failure::Failure;
use crate::output::grouped;

/// The most lines behind a record that waits for its end while others wait for it, before it is
/// decoded as it is.
const MAX_WAITING: u64 = 10_000;
/// As [`MAX_WAITING`], in bytes.
const MAX_WAITING_BYTES: usize = 2 * MAX_BATCH_BYTES;
/// The most bytes of a record that waits for its end alone: JSON over several lines, or text with
/// blank lines behind it.
const MAX_OPEN_BYTES: usize = 32 * 1024 * 1024;
/// What a line needs besides its bytes, however short it is.
const LINE_OVERHEAD: usize = 256;

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
        mapped: MappedFields::new(&decoding.names),
        decoding,
        options,
        is_strict,
        open: VecDeque::new(),
        open_bytes: 0,
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
    mapped: MappedFields,
    options: ReadOptions,
    /// Whether text of no known format is rejected.
    is_strict: bool,
    /// The lines from the first one on that is part of no record yet, by their number for the
    /// decoder.
    open: VecDeque<(u64, SourceLine)>,
    /// The memory that these need.
    open_bytes: usize,
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
    fn len(&self) -> usize {
        self.logs.len() + self.requests.records.len() + self.rejected.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The time for which records of a stream have waited for the end of one before them.
#[derive(Debug, Default)]
struct WaitingAge {
    /// The first line of the one before them.
    since: Option<(u64, Instant)>,
}

impl WaitingAge {
    /// Less than the time within which a record of a stream is stored.
    const MOST: Duration = Duration::from_millis(150);

    /// Whether they have waited long enough.
    fn is_over(&mut self, waits_for: Option<u64>) -> bool {
        let Some(open) = waits_for else {
            self.since = None;
            return false;
        };
        match self.since {
            Some((of, since)) if of == open => since.elapsed() >= Self::MOST,
            _ => {
                self.since = Some((open, Instant::now()));
                false
            }
        }
    }
}

impl EntryReader {
    fn batch(&mut self, lines: &mut Lines) -> Result<Batch<NewLog>, Failure> {
        let mut batch = Building::default();
        let mut entries = Vec::new();
        let mut age = BatchAge::default();
        let mut waiting = WaitingAge::default();
        let outcome = loop {
            let is_full = batch.len() >= self.options.size || batch.bytes >= MAX_BATCH_BYTES;
            if self.waits_too_long(is_full)
                && let Some(bad) = self.finish(&mut entries, &mut batch)
            {
                break Outcome::Stopped(bad);
            }
            if is_full && self.can_stop_here() {
                break Outcome::More;
            }
            let is_stream = self.options.is_stream;
            let is_stuck = is_stream && waiting.is_over(self.waits_for());
            let is_over = is_stream && age.is_over(!batch.is_empty());
            if is_over
                && is_stuck
                && let Some(bad) = self.give_up(&mut entries, &mut batch)
            {
                break Outcome::Stopped(bad);
            }
            if is_over && self.can_stop_here() {
                break Outcome::More;
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
                    // The rest of a record would have come with what is before it.
                    let stopped = if is_stuck {
                        self.finish(&mut entries, &mut batch)
                    } else {
                        self.decoder.close_text(&mut entries);
                        self.take(&mut entries, &mut batch)
                    };
                    if let Some(bad) = stopped {
                        break Outcome::Stopped(bad);
                    }
                    if batch.is_empty() || !self.can_stop_here() {
                        continue;
                    }
                    break Outcome::More;
                }
            };
            if self.is_unfinished(&line) {
                break Outcome::Unfinished;
            }
            // A stream keeps what is not in a batch yet, line ends included.
            batch.bytes += line.bytes.len() + 1;
            self.mapped.line(&line.bytes);
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
            missing_fields: match outcome {
                Outcome::End => self.mapped.problems(),
                _ => Vec::new(),
            },
            end,
            outcome,
        })
    }

    /// Decodes the lines that wait for others.
    fn finish(&mut self, entries: &mut Vec<Entry>, batch: &mut Building) -> Option<Rejected> {
        self.decoder.finish(entries);
        self.take(entries, batch)
    }

    /// Decodes the parts of lines whose rest does not come, unless what came last is going on.
    fn give_up(&mut self, entries: &mut Vec<Entry>, batch: &mut Building) -> Option<Rejected> {
        self.decoder.close_text(entries);
        if self.decoder.keeps_last_line() {
            self.take(entries, batch)
        } else {
            self.finish(entries, batch)
        }
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
        self.open_bytes += memory_of(&source);
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
        } else if self.options.format == args::Format::Csv && line.bytes.starts_with(b"[") {
            self.decoder.finish(entries);
            self.decoder.skip_line();
            let number = self.decoder.lines();
            Some((number..=number, INCOMPLETE_ROW.to_owned()))
        } else if line.cut {
            self.decoder.skip_line();
            let most = grouped(MAX_LINE as u64);
            let number = self.decoder.lines();
            Some((
                number..=number,
                format!("must be at most {most} bytes long"),
            ))
        } else {
            let before = self.decoder.skipped_spans();
            let decoded = self.decoder.line(&line.bytes, entries);
            batch.skipped.spans += self.decoder.skipped_spans() - before;
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
        // Each line has the number behind that of the one before.
        let front = self.open.front().map_or(0, |(number, _)| *number);
        let place = |number: u64| {
            let place = usize::try_from(number.saturating_sub(front));
            place.unwrap_or(usize::MAX).min(self.open.len())
        };
        let mut of_range = self
            .open
            .range(place(*lines.start())..place(lines.end() + 1));
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
            let line = self.open.pop_front();
            self.open_bytes -= line.map_or(0, |(_, line)| memory_of(&line));
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
        self.waits_for().is_none()
    }

    /// The first open line, if records behind it wait for its end.
    fn waits_for(&self) -> Option<u64> {
        self.decoder
            .open_since()
            .filter(|open| *open <= self.decoded)
    }

    fn waits_too_long(&self, is_full: bool) -> bool {
        match self.waits_for() {
            Some(open) => {
                self.open_bytes >= MAX_WAITING_BYTES
                    || (is_full && self.decoder.lines() - open >= MAX_WAITING)
            }
            None => self.open_bytes >= MAX_OPEN_BYTES,
        }
    }

    /// Whether a line is JSON that is still being written.
    fn is_unfinished(&self, line: &Line) -> bool {
        !line.ended
            && self.options.resumable
            && self.decoder.open_since().is_none()
            && line.bytes.trim_ascii_start().starts_with(b"{\"")
            && serde_json::from_slice::<IgnoredAny>(&line.bytes).is_err_and(|error| error.is_eof())
    }
}

fn memory_of(line: &SourceLine) -> usize {
    line.bytes.len() + LINE_OVERHEAD
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use chrono::{Offset as _, Utc};

    use super::*;

    const PART: &str =
        "{\"log\":\"begins\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00Z\"}\n";

    /// What the batches of lines have.
    #[derive(Debug, Default)]
    struct ReadSoFar {
        messages: Vec<String>,
        /// The most bytes of lines in a batch.
        most: usize,
    }

    fn read_all(reader: impl Read + Send + 'static, is_stream: bool) -> ReadSoFar {
        let options = ReadOptions {
            size: 5_000,
            on_error: OnError::Stop,
            resumable: true,
            format: crate::args::Format::Jsonl,
            keep_ids: false,
            is_stream,
        };
        let decoding = Options {
            source: "app".to_owned(),
            offset: Utc.fix(),
            now: Utc::now(),
            format: None,
            names: Default::default(),
            time_unit: None,
        };
        let mut read_so_far = ReadSoFar::default();
        let lines = Lines::new(Box::new(reader));
        read(lines, options, decoding, false, |batch| {
            let batch = batch.unwrap();
            let bytes = batch.lines.iter().map(|line| line.bytes.len()).sum();
            read_so_far.most = read_so_far.most.max(bytes);
            let messages = batch.records.iter().map(|log| log.record.message.clone());
            read_so_far.messages.extend(messages);
            true
        });
        read_so_far
    }

    #[test]
    fn lines_behind_one_that_waits_are_bounded_by_bytes() {
        let padding = "x".repeat(100_000);
        let line = move |number: usize| {
            format!("{{\"level\":\"info\",\"msg\":\"{number}\",\"padding\":\"{padding}\"}}\n")
        };
        let text = PART.to_owned() + &(0..400).map(line).collect::<String>();
        let mut read = read_all(io::Cursor::new(text), false);
        assert!(read.most < 10 * 1024 * 1024, "{}", read.most);
        let mut expected: Vec<String> = (0..400).map(|number| number.to_string()).collect();
        expected.push("begins".to_owned());
        expected.sort();
        read.messages.sort();
        assert_eq!(read.messages, expected);
    }

    #[test]
    fn json_over_many_lines_is_one_record() {
        // More lines than may wait behind another record, and more bytes than a batch has.
        let fields: Vec<String> = (0..40_000)
            .map(|number| format!("  \"field{number}\": \"{}\"", "x".repeat(100)))
            .collect();
        let text = format!("{{\n  \"msg\": \"one\",\n{}\n}}\n", fields.join(",\n"));
        assert!(text.len() > MAX_BATCH_BYTES);
        assert_eq!(read_all(io::Cursor::new(text), false).messages, ["one"]);
    }

    /// Sends nothing for a moment between its chunks.
    struct Slow(VecDeque<&'static str>, bool);

    impl Read for Slow {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                std::thread::sleep(WaitingAge::MOST);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let chunk = self.0.pop_front().unwrap_or_default();
            bytes[..chunk.len()].copy_from_slice(chunk.as_bytes());
            Ok(chunk.len())
        }
    }

    #[test]
    fn part_that_nothing_waits_for_is_joined_however_late_its_rest_comes() {
        let end =
            "{\"log\":\" ends\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00Z\"}\n";
        let slow = Slow(["one\n", PART, "\n", end].into(), false);
        assert_eq!(read_all(slow, true).messages, ["one", "begins ends"]);
    }
}

//! From lines to records: joins what was split over lines, and decodes it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use lookback::value::JsonRef;

use crate::draft::Draft;
use crate::json::{self, Drafts, read};
use crate::record::Record;
use crate::text::rails::{Requests, Seen};
use crate::text::{self, Decoded, Piece, w3c};
use crate::time::Rules;
use crate::{Entry, Format, Options, Problem};
use open_texts::{Kept, MAX_FOLDED, OpenTexts};

mod open_texts;

/// The most bytes of a record over several lines; a longer one is decoded line by line.
const MAX_RECORD: usize = 128 * 1024 * 1024;
/// The most lines from the first part of a long line to the last.
const MAX_PARTS: u64 = 1_000;
/// The most outputs whose long lines are joined at a time.
const MAX_STREAMS: usize = 64;

/// Decodes lines to records.
///
/// It keeps what may go on in the next line: a part of a long line, indented JSON, a line that a
/// stack trace may follow. [`Decoder::finish`] ends it.
#[derive(Debug)]
pub struct Decoder {
    options: Options,
    /// The number of lines so far.
    lines: u64,
    /// Whether the last line is kept.
    keeps_last: bool,
    /// JSON over several lines.
    open_json: Option<OpenJson>,
    /// Parts of long lines, by stream.
    parts: BTreeMap<String, Kept>,
    /// The last line of text of each output, which a stack trace may follow.
    open_texts: OpenTexts,
    /// Requests in several lines.
    requests: Requests,
    /// The columns that the last line of names gave those behind it.
    columns: Option<w3c::Columns>,
    skipped_spans: u64,
}

/// JSON that has not ended yet.
#[derive(Debug, Default)]
struct OpenJson {
    /// The number of its first line.
    first: u64,
    bytes: Vec<u8>,
    scan: Scan,
}

impl Decoder {
    /// Creates one.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            lines: 0,
            keeps_last: false,
            open_json: None,
            parts: BTreeMap::new(),
            open_texts: OpenTexts::default(),
            requests: Requests::default(),
            columns: None,
            skipped_spans: 0,
        }
    }

    /// The number of lines so far, skipped ones included.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The number of the first line, from 1, that is not yet part of a record; `None` if there is
    /// none. Lines behind it may already be records.
    #[must_use]
    pub fn open_since(&self) -> Option<u64> {
        let json = self.open_json.as_ref().map(|open| open.first);
        let kept = self.parts.values();
        let kept = kept.chain(self.open_texts.iter());
        kept.map(|kept| *kept.lines.start()).chain(json).min()
    }

    /// Whether the last line is part of no record yet.
    #[must_use]
    pub fn keeps_last_line(&self) -> bool {
        self.keeps_last
    }

    /// The number of spans of OpenTelemetry so far that are no request of a server: they are not
    /// stored.
    #[must_use]
    pub fn skipped_spans(&self) -> u64 {
        self.skipped_spans
    }

    /// Counts a line that is not decoded.
    pub fn skip_line(&mut self) {
        self.lines += 1;
        self.keeps_last = false;
    }

    /// Decodes a line, without its line end, and adds the records that it completes.
    ///
    /// # Errors
    ///
    /// The line is of a known format but cannot be read. The records before it are added.
    pub fn line(&mut self, line: &[u8], entries: &mut Vec<Entry>) -> Result<(), Problem> {
        self.lines += 1;
        self.keeps_last = false;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // The hole of a file that was truncated while a program went on writing behind it.
        let text = line.iter().position(|byte| *byte != 0);
        let line = text.map_or(line, |text| &line[text..]);
        // What begins a record in a sequence of JSON texts.
        let line = match line.strip_prefix(b"\x1e") {
            Some(record) if record.starts_with(b"{") => record,
            _ => line,
        };
        if let Some(open) = &mut self.open_json {
            open.add(line);
            if open.bytes.len() <= MAX_RECORD {
                match open.scan.state() {
                    ScanState::Open => {
                        self.keeps_last = true;
                        return Ok(());
                    }
                    ScanState::Closed => return self.close_json(entries),
                    ScanState::Broken => {}
                }
            }
            return self.give_up_json(entries);
        }
        if line.trim_ascii().is_empty() {
            self.open_texts.add_blank();
            return Ok(());
        }
        self.close_old(entries);
        let number = self.lines..=self.lines;
        let may_be_json = self.options.format.is_none_or(Format::is_json);
        if may_be_json && matches!(line.trim_ascii_start().first(), Some(b'{' | b'[')) {
            let mut fixed = Vec::new();
            let value = may_be_records(line).then(|| read::parse(line, &mut fixed));
            if let Some(value) = value.flatten()
                && is_records(&value)
            {
                return self.value(value, &number, entries);
            }
            if line.trim_ascii_start().starts_with(b"{")
                && let Some(objects) = read::several(line)
            {
                return self.objects(&objects, &number, entries);
            }
            if starts_open_json(line) {
                let mut open = OpenJson {
                    first: self.lines,
                    ..OpenJson::default()
                };
                open.add(line);
                if open.scan.state() == ScanState::Open {
                    self.open_json = Some(open);
                    self.keeps_last = true;
                    return Ok(());
                }
            }
        }
        self.text_line(line, &number, entries)
    }

    /// Ends the input: what was kept becomes records.
    pub fn finish(&mut self, entries: &mut Vec<Entry>) {
        if let Some(open) = self.open_json.take() {
            self.lines_of(&open, entries);
        }
        for (_, part) in std::mem::take(&mut self.parts) {
            self.push_text(&part.text, Some(part.draft), &part.lines, entries);
        }
        self.close_text(entries);
        self.keeps_last = false;
    }

    /// Decodes JSON over several lines that has ended.
    fn close_json(&mut self, entries: &mut Vec<Entry>) -> Result<(), Problem> {
        let Some(open) = self.open_json.take() else {
            return Ok(());
        };
        let lines = open.first..=self.lines;
        let mut fixed = Vec::new();
        if may_be_records(&open.bytes)
            && let Some(value) = read::parse(&open.bytes, &mut fixed)
            && is_records(&value)
        {
            self.close_stream(None, entries);
            return self.value(value, &lines, entries);
        }
        if let Some(objects) = read::several(&open.bytes) {
            self.close_stream(None, entries);
            return self.objects(&objects, &lines, entries);
        }
        self.open_json = Some(open);
        self.give_up_json(entries)
    }

    /// Ends what turned out to be no JSON.
    fn give_up_json(&mut self, entries: &mut Vec<Entry>) -> Result<(), Problem> {
        let Some(open) = self.open_json.take() else {
            return Ok(());
        };
        if self.options.format.is_some() {
            self.keeps_last = false;
            let lines = open.first..=self.lines;
            return Err(Problem::new("is not JSON").at(&lines));
        }
        self.lines_of(&open, entries);
        Ok(())
    }

    /// Decodes the lines of what is no JSON, each by itself: as text, if it is nothing else.
    fn lines_of(&mut self, open: &OpenJson, entries: &mut Vec<Entry>) {
        for (number, line) in (open.first..).zip(open.bytes.split(|byte| *byte == b'\n')) {
            self.keeps_last = false;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let number = number..=number;
            let mut fixed = Vec::new();
            let decoded = match read::parse(line, &mut fixed) {
                Some(value @ JsonRef::Object(_)) => Some(self.value(value, &number, entries)),
                _ => read::several(line).map(|objects| self.objects(&objects, &number, entries)),
            };
            if decoded.is_none_or(|decoded| decoded.is_err()) {
                let line = String::from_utf8_lossy(line);
                self.push_text(&line, None, &number, entries);
            }
        }
    }

    /// Decodes several objects of a line.
    fn objects(
        &mut self,
        objects: &[&[u8]],
        lines: &RangeInclusive<u64>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Problem> {
        let mut first = Ok(());
        for object in objects {
            let mut fixed = Vec::new();
            if let Some(value) = read::parse(object, &mut fixed) {
                first = first.and(self.value(value, lines, entries));
            }
        }
        first
    }

    fn value(
        &mut self,
        value: JsonRef<'_>,
        lines: &RangeInclusive<u64>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Problem> {
        let mut first = Ok(());
        match value {
            JsonRef::Object(members) => {
                return self.record(&mut Record::new(members), lines, entries);
            }
            JsonRef::Array(items) => {
                for item in items {
                    first = first.and(self.value(item, lines, entries));
                }
            }
            _ => {}
        }
        first
    }

    fn record(
        &mut self,
        record: &mut Record<'_>,
        lines: &RangeInclusive<u64>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Problem> {
        let format = self.options.format;
        if format.is_none() && !record.may_be_of_format() {
            self.close_stream(None, entries);
            let draft = json::of_record(record, Format::Json, self.rules());
            entries.push(draft.finish(&self.options, lines));
            return Ok(());
        }
        if matches!(format, None | Some(Format::Docker)) {
            if let Some(piece) = json::docker(record, self.rules()) {
                self.piece(piece, lines, entries);
                return Ok(());
            }
            if format.is_some() {
                return Err(Problem::new("must have a log and a time").at(lines));
            }
        }
        self.close_stream(None, entries);
        let mut drafts = Drafts::default();
        let decoded = match format {
            None => json::decode(record, self.rules(), &mut drafts),
            Some(format) => json::decode_as(format, record, self.rules(), &mut drafts),
        };
        self.skipped_spans += drafts.skipped;
        let drafts = drafts.list.into_iter();
        entries.extend(drafts.map(|draft| draft.finish(&self.options, lines)));
        decoded.map_err(|problem| problem.at(lines))
    }

    fn text_line(
        &mut self,
        line: &[u8],
        lines: &RangeInclusive<u64>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Problem> {
        let line = String::from_utf8_lossy(line);
        if matches!(self.options.format, None | Some(Format::W3c)) {
            if let Some(columns) = w3c::Columns::read(&line) {
                self.columns = Some(columns);
            }
            if let Some(draft) = w3c::decode(&line, self.columns.as_ref(), self.rules()) {
                self.close_stream(None, entries);
                entries.push(draft.finish(&self.options, lines));
                return Ok(());
            }
            if self.options.format.is_some() && w3c::is_directive(&line) {
                self.push_text(&line, None, lines, entries);
                return Ok(());
            }
        }
        let piece = match self.options.format {
            None => text::container(&line, self.rules()),
            Some(Format::Cri) => text::cri(&line, self.rules()),
            Some(_) => None,
        };
        match (piece, self.options.format) {
            (Some(piece), _) => self.piece(piece, lines, entries),
            (None, None) => self.push_text(&line, None, lines, entries),
            (None, Some(format)) => {
                let Some(decoded) = text::decode_as(format, &line, self.rules()) else {
                    let what = format.name();
                    return Err(Problem::new(format!("is not of the format {what}")).at(lines));
                };
                self.push_decoded(decoded, None, lines, entries);
            }
        }
        Ok(())
    }

    /// Takes a line of a container: joined with its parts.
    fn piece(&mut self, piece: Piece, lines: &RangeInclusive<u64>, entries: &mut Vec<Entry>) {
        let Piece {
            stream,
            text,
            is_part,
            wrapper,
        } = piece;
        let kept = match self.parts.remove(&stream) {
            Some(part) => Kept {
                // The time is that of the first part; what only a later one knows is added.
                draft: part.draft.wrapped(without_stream(wrapper)),
                text: part.text + &text,
                lines: *part.lines.start()..=*lines.end(),
            },
            None => Kept {
                draft: wrapper,
                text,
                lines: lines.clone(),
            },
        };
        let parts = kept.lines.end() - kept.lines.start();
        let is_kept = kept.text.len() <= MAX_FOLDED && parts <= MAX_PARTS;
        if is_part && is_kept && self.parts.len() < MAX_STREAMS {
            self.keeps_last = true;
            self.parts.insert(stream, kept);
        } else {
            self.push_text(&kept.text, Some(kept.draft), &kept.lines, entries);
        }
    }

    fn push_text(
        &mut self,
        text: &str,
        wrapper: Option<Draft>,
        lines: &RangeInclusive<u64>,
        entries: &mut Vec<Entry>,
    ) {
        let decoded = text::decode(text, self.rules());
        if decoded.is_text
            && text.trim_start().starts_with('{')
            && let Some(objects) = read::several(text.trim_end().as_bytes())
        {
            for object in objects {
                let object = String::from_utf8_lossy(object);
                let decoded = text::decode(&object, self.rules());
                self.push_decoded(decoded, wrapper.clone(), lines, entries);
            }
            return;
        }
        self.push_decoded(decoded, wrapper, lines, entries);
    }

    fn push_decoded(
        &mut self,
        decoded: Decoded,
        wrapper: Option<Draft>,
        lines: &RangeInclusive<u64>,
        entries: &mut Vec<Entry>,
    ) {
        let mut draft = decoded.draft;
        let stream = wrapper.as_ref().and_then(stream_of);
        let stream = stream.as_deref();
        if stream.is_some()
            && let Some(of_none) = self.open_texts.take(None)
        {
            self.close(of_none, entries);
        }
        if !decoded.is_text {
            self.close_stream(stream, entries);
            entries.push(within(draft, wrapper).finish(&self.options, lines));
            return;
        }
        let text = draft.message.take().unwrap_or_default();
        if self.open_texts.goes_on(stream, &draft, &text, *lines.end()) {
            self.keeps_last = true;
            return;
        }
        self.close_stream(stream, entries);
        self.keeps_last = true;
        let has_time = draft.time.is_some();
        self.read_rails(&mut draft, &text, stream);
        let kept = Kept {
            draft: within(draft, wrapper),
            text,
            lines: lines.clone(),
        };
        if let Some(oldest) = self.open_texts.open(stream, kept, has_time) {
            self.close(oldest, entries);
        }
    }

    /// Notes a line of Rails: of a request that it completes, and the time that it ends with.
    fn read_rails(&mut self, draft: &mut Draft, text: &str, stream: Option<&str>) {
        let rules = Rules::new(&self.options);
        match self.requests.see(text, stream, self.lines, rules) {
            Some(Seen::Started(time)) if draft.time.is_none() => {
                draft.read_time(time);
            }
            Some(Seen::Completed(request)) => {
                draft.format = Format::AccessLog;
                draft.request = Some(request);
            }
            _ => {}
        }
    }

    /// Ends the text of an output. A record of no named output ends all.
    fn close_stream(&mut self, stream: Option<&str>, entries: &mut Vec<Entry>) {
        if stream.is_none() {
            return self.close_text(entries);
        }
        if let Some(kept) = self.open_texts.take(stream) {
            self.close(kept, entries);
        }
    }

    /// Ends the texts of outputs that say nothing while others do.
    fn close_old(&mut self, entries: &mut Vec<Entry>) {
        while let Some(kept) = self.open_texts.take_old(self.lines) {
            self.close(kept, entries);
        }
    }

    /// Ends lines of text that a stack trace could follow, because nothing comes for a while.
    pub fn close_text(&mut self, entries: &mut Vec<Entry>) {
        for kept in self.open_texts.take_all() {
            self.close(kept, entries);
        }
    }

    fn close(&mut self, kept: Kept, entries: &mut Vec<Entry>) {
        let Kept {
            mut draft,
            text,
            lines,
        } = kept;
        draft.message = Some(text);
        self.keeps_last &= *lines.end() != self.lines;
        entries.push(draft.finish(&self.options, &lines));
    }

    fn rules(&self) -> Rules<'_> {
        Rules::new(&self.options)
    }
}

fn within(draft: Draft, wrapper: Option<Draft>) -> Draft {
    match wrapper {
        Some(wrapper) => draft.wrapped(wrapper),
        None => draft,
    }
}

/// Whether a value is a record, or a list of records.
fn is_records(value: &JsonRef<'_>) -> bool {
    let is_object = |value: &JsonRef<'_>| matches!(value, JsonRef::Object(_));
    match value {
        JsonRef::Array(items) => !items.is_empty() && items.iter().all(is_object),
        value => is_object(value),
    }
}

/// Whether a text that begins with a bracket may be an object, or a list of them.
fn may_be_records(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    !text.starts_with(b"[") || text[1..].trim_ascii_start().starts_with(b"{")
}

/// What tells the lines of one output from those of others.
fn stream_of(draft: &Draft) -> Option<String> {
    let name = |name: &str| draft.meta.get(name).and_then(lookback::Json::as_str);
    let parts = [name("stream"), name("pod"), name("container")];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

fn without_stream(mut wrapper: Draft) -> Draft {
    wrapper.meta.remove("stream");
    wrapper
}

/// Whether a line may be the first of JSON over several lines, and not `[info] …` or `{…} text`.
fn starts_open_json(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let next = line[1..].trim_ascii_start().first();
    match line.first() {
        Some(b'{') => matches!(next, None | Some(b'"')),
        Some(b'[') => matches!(next, None | Some(b'{' | b'[' | b'"')),
        _ => false,
    }
}

impl OpenJson {
    fn add(&mut self, line: &[u8]) {
        self.scan.read(line);
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
    }
}

/// The brackets of JSON so far.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    depth: usize,
    /// The last byte that is no blank.
    last: u8,
    in_string: bool,
    is_escaped: bool,
    is_closed: bool,
    is_broken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ScanState {
    Open,
    Closed,
    Broken,
}

impl Scan {
    fn read(&mut self, line: &[u8]) {
        for byte in line {
            if self.is_escaped {
                self.is_escaped = false;
                continue;
            }
            match byte {
                b'\\' if self.in_string => self.is_escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => {
                    // Elsewhere it begins another record, whose first line was cut.
                    self.is_broken |= self.depth > 0 && !matches!(self.last, b':' | b',' | b'[');
                    self.depth += 1;
                }
                b'}' | b']' => match self.depth.checked_sub(1) {
                    Some(depth) => {
                        self.depth = depth;
                        self.is_closed |= depth == 0;
                    }
                    None => self.is_broken = true,
                },
                b' ' | b'\t' | b',' | b':' => {}
                // Numbers, `true`, `false` and `null`.
                byte if self.depth > 0
                    && (byte.is_ascii_digit() || b"-+.eEtrufalsn\r".contains(byte)) => {}
                _ => self.is_broken = true,
            }
            if !byte.is_ascii_whitespace() {
                self.last = *byte;
            }
        }
        // A string ends in its line.
        self.is_broken |= self.in_string;
    }

    fn state(self) -> ScanState {
        if self.is_broken {
            ScanState::Broken
        } else if self.depth == 0 && self.is_closed {
            ScanState::Closed
        } else {
            ScanState::Open
        }
    }
}

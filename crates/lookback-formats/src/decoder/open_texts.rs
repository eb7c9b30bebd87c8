//! The last line of text of each output: the next lines may go on with it, as a stack trace does.

use std::ops::RangeInclusive;

use crate::draft::Draft;
use crate::text::fold::{self, Before, Goes, Next};

/// The most bytes of a log line to which others are added.
pub(super) const MAX_FOLDED: usize = 1024 * 1024;
/// The most outputs at a time.
const MAX_STREAMS: usize = 64;
/// The most lines of other outputs within a stack trace.
const MAX_APART: u64 = 100;

/// A record that is kept until its end is known.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) draft: Draft,
    /// The text so far.
    pub(super) text: String,
    pub(super) lines: RangeInclusive<u64>,
}

/// The texts that may go on, in the order of their first lines.
#[derive(Debug, Default)]
pub(super) struct OpenTexts(Vec<OpenText>);

/// Text that may go on in the next line of its output.
#[derive(Debug)]
struct OpenText {
    /// What tells the lines of this output from those of others.
    stream: Option<String>,
    kept: Kept,
    /// Whether the text itself begins with a time.
    has_time: bool,
    /// The number of blank lines behind it, which are part of it if it goes on.
    blank_lines: usize,
}

impl OpenTexts {
    /// Opens a text. Returns the oldest one, if there are too many.
    pub(super) fn open(
        &mut self,
        stream: Option<&str>,
        kept: Kept,
        has_time: bool,
    ) -> Option<Kept> {
        let oldest = (self.0.len() >= MAX_STREAMS).then(|| self.0.remove(0).kept);
        self.0.push(OpenText {
            stream: stream.map(str::to_owned),
            kept,
            has_time,
            blank_lines: 0,
        });
        oldest
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.0.iter().map(|open| &open.kept)
    }

    /// Takes the text of an output.
    pub(super) fn take(&mut self, stream: Option<&str>) -> Option<Kept> {
        let mut texts = self.0.iter();
        let at = texts.position(|open| open.stream.as_deref() == stream)?;
        Some(self.0.remove(at).kept)
    }

    /// Takes the text of an output that says nothing while others do.
    pub(super) fn take_old(&mut self, line: u64) -> Option<Kept> {
        let mut texts = self.0.iter();
        let at = texts.position(|open| line - open.kept.lines.end() > MAX_APART)?;
        Some(self.0.remove(at).kept)
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Kept> + use<> {
        std::mem::take(&mut self.0)
            .into_iter()
            .map(|open| open.kept)
    }

    /// Notes a blank line, which is of no named output.
    pub(super) fn add_blank(&mut self) {
        if let Some(open) = self.of(None) {
            open.blank_lines += 1;
        }
    }

    /// Adds a line to the text before it, if it goes on with that.
    pub(super) fn goes_on(
        &mut self,
        stream: Option<&str>,
        draft: &Draft,
        text: &str,
        line: u64,
    ) -> bool {
        // Some loggers indent the first line of a record, too.
        if draft.time.is_some() && draft.level.is_some() {
            return false;
        }
        let Some(open) = self.of(stream) else {
            return false;
        };
        let kept = &mut open.kept;
        // A part that was kept may be of a line before it.
        let is_before = line < *kept.lines.end();
        if is_before || kept.text.len() + open.blank_lines + text.len() >= MAX_FOLDED {
            return false;
        }
        let is_blank = text.trim().is_empty();
        if !is_blank {
            let before = Before {
                text: &kept.text,
                level: kept.draft.level,
                has_time: open.has_time,
                blank_lines: open.blank_lines,
            };
            let next = Next {
                text,
                has_head: draft.time.is_some() || draft.level.is_some(),
            };
            match fold::goes_on(before, next) {
                None => return false,
                Some(Goes::On) => {}
                Some(Goes::OnWithLevel(level)) => {
                    let draft = &mut kept.draft;
                    draft.level = draft.level.or(Some(level));
                }
            }
        }
        kept.lines = *kept.lines.start()..=line;
        if is_blank {
            open.blank_lines += 1;
        } else {
            let blank = std::mem::take(&mut open.blank_lines);
            kept.text.extend(std::iter::repeat_n('\n', blank + 1));
            kept.text.push_str(text);
        }
        true
    }

    fn of(&mut self, stream: Option<&str>) -> Option<&mut OpenText> {
        let mut texts = self.0.iter_mut();
        texts.find(|open| open.stream.as_deref() == stream)
    }
}

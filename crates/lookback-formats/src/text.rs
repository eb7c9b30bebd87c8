//! Lines of text.

mod access;
pub(crate) mod escapes;
pub(crate) mod fold;
mod heroku;
mod logfmt;
mod prefix;
pub(crate) mod rails;
pub(crate) mod syslog;

pub(crate) use access::of_request_line as access_request_line;
pub(crate) use access::w3c;
use lookback::Level;
use lookback::value::JsonRef;

use crate::draft::Draft;
use crate::record::Record;
use crate::time::Rules;
use crate::{Format, json, level};

/// A decoded line.
pub(crate) struct Decoded {
    pub(crate) draft: Draft,
    /// Whether it is text that a stack trace may follow.
    pub(crate) is_text: bool,
}

/// A line of a container's output, or a part of one.
pub(crate) struct Piece {
    pub(crate) stream: String,
    pub(crate) text: String,
    /// Whether the line goes on in the next piece of the stream.
    pub(crate) is_part: bool,
    pub(crate) wrapper: Draft,
}

/// Reads a line of a container, with what a runtime or a tool puts before it.
pub(crate) fn container(line: &str, rules: Rules<'_>) -> Option<Piece> {
    cri(line, rules).or_else(|| prefix::container(line, rules))
}

/// Reads a line of a container runtime: `2024-07-17T12:12:05.120394823Z stdout F text`.
pub(crate) fn cri(line: &str, rules: Rules<'_>) -> Option<Piece> {
    let (time, rest) = line.split_once(' ')?;
    let (stream, rest) = rest.split_once(' ')?;
    let (tag, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_part = match tag.split(':').next() {
        Some("P") => true,
        Some("F") => false,
        _ => return None,
    };
    if !matches!(stream, "stdout" | "stderr") {
        return None;
    }
    let mut wrapper = Draft::new(Format::Cri);
    if !wrapper.read_time(rules.time_of_text(time)) {
        return None;
    }
    wrapper.meta.insert("stream".to_owned(), stream.into());
    Some(Piece {
        stream: stream.to_owned(),
        text: text.to_owned(),
        is_part,
        wrapper,
    })
}

/// Decodes a line of a format; `None` if it is none.
pub(crate) fn decode_as(format: Format, line: &str, rules: Rules<'_>) -> Option<Decoded> {
    let plain = without_colours(line.trim_end_matches(['\r', '\n']));
    let draft = match format {
        Format::Syslog => syslog::decode(&plain, rules),
        Format::Heroku => heroku::decode(&plain, rules),
        Format::AccessLog => access::decode(&plain, rules).or_else(|| with_request(&plain, rules)),
        Format::Alb => access::load_balancer(&plain, rules),
        Format::S3 => access::bucket(&plain, rules),
        Format::Logfmt => {
            let record = logfmt::decode(&plain);
            record.map(|mut record| json::of_fields(&mut record, Format::Logfmt, rules))
        }
        Format::Text => return Some(of_text(&plain, rules)),
        _ => None,
    };
    draft.map(|draft| Decoded {
        draft,
        is_text: false,
    })
}

/// Decodes a line of text.
pub(crate) fn decode(line: &str, rules: Rules<'_>) -> Decoded {
    let plain = without_colours(line.trim_end_matches(['\r', '\n']));
    let line: &str = &plain;
    let whole = |draft| Decoded {
        draft,
        is_text: false,
    };
    if let Some(within) = rules.within() {
        let start = line.trim_start();
        let start = start.strip_prefix("@cee:").map_or(start, str::trim_start);
        let mut fixed = Vec::new();
        if start.starts_with('{')
            && let Some(JsonRef::Object(members)) = json::read::parse(start.as_bytes(), &mut fixed)
            && let Some(draft) = json::one(&mut Record::new(members), within)
        {
            return whole(draft);
        }
        if let Some(draft) = heroku::decode(line, rules) {
            return whole(draft);
        }
        if let Some(draft) = syslog::decode(line, rules) {
            return whole(draft);
        }
        if let Some(draft) = prefix::decode(line, rules) {
            return whole(draft);
        }
    }
    // No line of an access log begins with a pair.
    if let Some(mut record) = logfmt::decode(line) {
        return whole(json::of_fields(&mut record, Format::Logfmt, rules));
    }
    let draft = access::decode(line, rules)
        .or_else(|| access::load_balancer(line, rules))
        .or_else(|| access::bucket(line, rules));
    if let Some(draft) = draft {
        return whole(draft);
    }
    match with_request(line, rules) {
        Some(draft) => whole(draft),
        None => of_text(line, rules),
    }
}

/// Reads a text with a request in it. The line is kept as it is, too: what it says beside the
/// request has no known form.
fn with_request(line: &str, rules: Rules<'_>) -> Option<Draft> {
    let request = access::behind_prefix(line, rules)?;
    let mut draft = of_text(line, rules).draft;
    draft.format = Format::AccessLog;
    draft.request = Some(Box::new(request));
    Some(draft)
}

fn of_text(line: &str, rules: Rules<'_>) -> Decoded {
    let mut draft = Draft::new(Format::Text);
    draft.is_guess = true;
    if let Some((level, read)) = klog(line, rules).or_else(|| logcat(line, rules)) {
        draft.level = Some(level);
        draft.read_time(Some(read));
    } else {
        let (read, rest) = time_near_start(line, rules).unzip();
        draft.read_time(read);
        // `2026-01-02T03:04:05Z error: text`.
        draft.level = level::in_text(line)
            .or_else(|| level::in_text(rest?))
            .or_else(|| level::behind_time(rest?));
    }
    draft.message = Some(line.to_owned());
    Decoded {
        draft,
        is_text: true,
    }
}

/// Reads the start of a line of klog or glog: `E0102 03:04:05.678901   1234 file.go:123] text`.
fn klog(line: &str, rules: Rules<'_>) -> Option<(Level, crate::time::Read)> {
    let level = match line.as_bytes().first()? {
        b'I' => Level::Info,
        b'W' => Level::Warn,
        b'E' | b'F' => Level::Error,
        _ => return None,
    };
    let (start, _) = line[1..].split_once("] ")?;
    let mut words = start.split(' ').filter(|word| !word.is_empty());
    let (day, time, _, file) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let is_klog = day.len() == 4 && words.next().is_none() && file.contains(':');
    let read = is_klog.then(|| rules.time_of_klog(&format!("{day} {time}")))??;
    Some((level, read))
}

/// Reads the start of a line of Android: `01-02 03:04:05.678  1234  5678 I Tag: text`, and `01-02
/// 03:04:05.678 I/Tag( 1234): text`, with or without the year.
fn logcat(line: &str, rules: Rules<'_>) -> Option<(Level, crate::time::Read)> {
    let bytes = line.as_bytes();
    let end = match (bytes.get(2)?, bytes.get(5)?, bytes.get(4)?, bytes.get(10)?) {
        (b'-', b' ', ..) => 18,
        (.., b'-', b' ') => 23,
        _ => return None,
    };
    let (time, rest) = line.split_at_checked(end)?;
    let rest = rest.strip_prefix(' ')?;
    let level = |letter: &str| match letter {
        "V" | "D" => Some(Level::Debug),
        "I" => Some(Level::Info),
        "W" => Some(Level::Warn),
        "E" | "F" | "A" => Some(Level::Error),
        _ => None,
    };
    let level = if let Some((letter, rest)) = rest.split_once('/') {
        let (_, process) = rest.split_once('(')?;
        let (process, _) = process.split_once("): ")?;
        process.trim().parse::<u32>().ok()?;
        level(letter)
    } else {
        let mut words = rest.split(' ').filter(|word| !word.is_empty());
        let mut process = words.next()?;
        // The user may come first.
        if process.starts_with(char::is_alphabetic) {
            process = words.next()?;
        }
        let (thread, letter, _) = (words.next()?, words.next()?, words.next()?);
        process.parse::<u32>().ok()?;
        thread.parse::<u32>().ok()?;
        rest.contains(": ").then(|| level(letter)).flatten()
    }?;
    let read = if end == 18 {
        rules.time_of_android(time)
    } else {
        rules.time_of_text(time)
    };
    Some((level, read?))
}

/// Reads the time at the start of a line, or behind a few signs, such as `I, [` of Ruby, `1:M ` of
/// Redis, and the name of a level; returns it with what follows.
fn time_near_start<'a>(line: &'a str, rules: Rules<'_>) -> Option<(crate::time::Read, &'a str)> {
    const NEAR: usize = 48;
    if let Some(found) = time_at_start(line, rules) {
        return Some(found);
    }
    let is_separator = |c: char| matches!(c, ' ' | '[' | '(' | '|' | '\t');
    let separators = line
        .char_indices()
        .take(NEAR)
        .filter(|(_, c)| is_separator(*c));
    for (at, _) in separators {
        let (before, start) = (&line[..at], &line[at + 1..]);
        // Behind a word it is part of a sentence.
        let word = before.rsplit(|c: char| !c.is_alphanumeric()).next()?;
        let is_word = word.len() > 3 && word.starts_with(char::is_alphabetic);
        if is_word && level::of_text(word).is_none() {
            return None;
        }
        if start.starts_with(|c: char| c.is_ascii_digit())
            && let Some(found) = time_at_start(start, rules)
        {
            return Some(found);
        }
    }
    None
}

/// Reads the time with which a line begins, if it does; returns it with what follows.
fn time_at_start<'a>(line: &'a str, rules: Rules<'_>) -> Option<(crate::time::Read, &'a str)> {
    let start = line.trim_start().trim_start_matches(['[', '(']);
    // A digit, or the name of a month or day.
    if !start.starts_with(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase()) {
        return None;
    }
    let is_in_brackets = line.trim_start().starts_with('[');
    // The longest first: with a zone behind a blank, the time behind a blank, one word.
    let ends: Vec<usize> = start
        .char_indices()
        .filter(|(_, c)| matches!(c, ' ' | ']' | ')' | '\t' | '|'))
        .map(|(at, _)| at)
        .take(6)
        .chain((start.len() <= 40).then_some(start.len()))
        .collect();
    ends.iter()
        .rev()
        .filter_map(|end| start.split_at_checked(*end))
        .filter(|(text, rest)| {
            text.len() >= 8 && (text.contains(':') || is_number_of_time(text, is_in_brackets, rest))
        })
        .find_map(|(text, rest)| {
            let read = rules.time_of_text(text.trim_end_matches([':', ',', '|']))?;
            let rest = rest.trim_start_matches([' ', ']', ')', '-', '|', ':', '\t']);
            Some((read, rest))
        })
}

/// Whether a text without a colon is a time nevertheless: `20260102T030405Z`, a number since 1970 in
/// brackets, or one with a fraction.
fn is_number_of_time(text: &str, is_in_brackets: bool, rest: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let fraction = match bytes.get(digits) {
        None => &[],
        Some(b'T') => return digits == 8,
        Some(b'.') => &bytes[digits + 1..],
        Some(_) => return false,
    };
    // Any other number may begin a sentence.
    matches!(digits, 10 | 13 | 16)
        && matches!(bytes[0], b'1'..=b'3')
        && (fraction.len() >= 3 || is_in_brackets && rest.starts_with(']'))
        && fraction.iter().all(u8::is_ascii_digit)
}

/// Removes the escape sequences that colour a terminal.
pub(crate) fn without_colours(text: &str) -> std::borrow::Cow<'_, str> {
    // Without a way out, so that many bytes are looked at together.
    let is_escape = |found, byte: &u8| found | (*byte == 0x1b);
    if !text.as_bytes().iter().fold(false, is_escape) {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\u{1b}' {
            plain.push(letter);
            continue;
        }
        if letters.next_if_eq(&'[').is_some() {
            while letters.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
        }
    }
    plain.into()
}

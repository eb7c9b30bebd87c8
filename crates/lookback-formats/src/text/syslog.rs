//! Syslog of RFC 3164 and RFC 5424.

use lookback::Json;
use lookback::value::JsonMap;

use lookback_json::form::push;

use crate::draft::{Draft, insert_beside};
use crate::time::Rules;
use crate::{Format, level};

/// Reads `<11>Nov  3 09:23:39 host app[12]: text`, with or without the priority, and
/// `<165>1 2026-01-14T12:00:04.353Z host app 12 id [data] text`, both with or without the number
/// of bytes before it.
pub(super) fn decode(line: &str, rules: Rules<'_>) -> Option<Draft> {
    let line = match line.split_once(' ') {
        Some((count, rest))
            if rest.starts_with('<') && count.bytes().all(|b| b.is_ascii_digit()) =>
        {
            rest
        }
        _ => line,
    };
    let (priority, rest) = match line.strip_prefix('<') {
        Some(after) if after.contains('>') => {
            let (priority, rest) = split_priority(line)?;
            (Some(priority), rest)
        }
        _ => (None, line),
    };
    let mut draft = wrapper(priority);
    let text = match rest.strip_prefix("1 ").filter(|_| priority.is_some()) {
        Some(rest) => of_5424(rest, &mut draft, rules)?,
        None => of_3164(rest, priority.is_some(), &mut draft, rules)?,
    };
    let inner = super::decode(text, rules.within()?).draft;
    Some(inner.wrapped(draft))
}

/// Decodes a message that a sender of syslog has sent: one record, whatever it is. RFC 3164 (4.3)
/// takes one with a priority alone, and one with nothing.
pub(crate) fn message(text: &str, rules: Rules<'_>) -> Draft {
    let plain = super::without_colours(text.trim_end_matches(['\r', '\n', '\0']));
    if let Some(draft) = decode(&plain, rules) {
        return draft;
    }
    let Some((priority, rest)) = split_priority(&plain) else {
        let mut draft = super::decode(&plain, rules).draft;
        if draft.format == Format::Text {
            draft.format = Format::Syslog;
        }
        return draft;
    };
    let mut draft = wrapper(Some(priority));
    let text = match tagged(rest) {
        // `error: text` is no message of a program `error`.
        Some((tag, process, text)) if process.is_some() || level::of_text(tag).is_none() => {
            of_tag(&mut draft, tag, process, text)
        }
        _ => rest,
    };
    super::decode(text, rules).draft.wrapped(draft)
}

/// Splits `<14>text`.
fn split_priority(text: &str) -> Option<(u16, &str)> {
    let (priority, rest) = text.strip_prefix('<')?.split_once('>')?;
    Some((priority.parse().ok().filter(|p| *p < 192)?, rest))
}

/// Returns what a priority says.
fn wrapper(priority: Option<u16>) -> Draft {
    let mut draft = Draft::new(Format::Syslog);
    if let Some(priority) = priority {
        let (facility, severity) = (priority / 8, priority % 8);
        draft.level = Some(level::of_syslog(f64::from(severity)));
        for (name, number) in [("facility", facility), ("severity", severity)] {
            draft.meta.insert(name.to_owned(), i64::from(number).into());
        }
    }
    draft
}

fn of_5424<'a>(rest: &'a str, draft: &mut Draft, rules: Rules<'_>) -> Option<&'a str> {
    let mut parts = rest.splitn(6, ' ');
    let mut next = || parts.next();
    let (time, host, app, process, id) = (next()?, next()?, next()?, next()?, next()?);
    let mut rest = parts.next().unwrap_or("-");
    if time != "-" && !draft.read_time(rules.time_of_text(time)) {
        return None;
    }
    for (name, value) in [("host", host), ("procid", process), ("msgid", id)] {
        if value != "-" {
            draft.meta.insert(name.to_owned(), value.into());
        }
    }
    draft.source = Some(app).filter(|app| *app != "-").map(str::to_owned);
    if let Some(after) = rest.strip_prefix('-') {
        rest = after;
    } else {
        while let Some((element, after)) = element(rest) {
            let (id, fields) = element;
            insert_beside(&mut draft.meta, "data", id, Json::Object(fields));
            rest = after;
        }
    }
    Some(rest.trim_start().trim_start_matches('\u{feff}'))
}

/// Reads an element of structured data: `[id name="value" …]`.
fn element(text: &str) -> Option<((String, JsonMap), &str)> {
    let text = text.strip_prefix('[')?;
    let end = text.find([' ', ']'])?;
    let (id, mut rest) = text.split_at(end);
    let mut fields = JsonMap::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix(']') {
            return Some(((id.to_owned(), fields), after));
        }
        let (name, value) = rest.split_once("=\"")?;
        let mut text = String::new();
        let mut letters = value.char_indices();
        let end = loop {
            let (at, letter) = letters.next()?;
            match letter {
                '\\' => text.push(letters.next()?.1),
                '"' => break at,
                letter => text.push(letter),
            }
        };
        push(&mut fields, name.to_owned(), text.into());
        rest = &value[end + 1..];
    }
}

/// Without a priority, a line may be one of another program: it is one of syslog if it has the
/// process id behind its tag, or begins with a month and has the name of a host.
fn of_3164<'a>(
    rest: &'a str,
    has_priority: bool,
    draft: &mut Draft,
    rules: Rules<'_>,
) -> Option<&'a str> {
    // `Nov  3 09:23:38`, or a time of RFC 3339 as rsyslog may write it.
    let is_month = rest.get(..3).is_some_and(|month| {
        "JanFebMarAprMayJunJulAugSepOctNovDec".contains(month)
            && month.bytes().all(|b| b.is_ascii_alphabetic())
    });
    let end = if is_month { 15 } else { rest.find(' ')? };
    let (time, rest) = (rest.get(..end)?, rest.get(end..)?.strip_prefix(' ')?);
    if !draft.read_time(rules.time_of_text(time)) {
        return None;
    }
    // HAProxy and Docker leave out the host.
    if has_priority && let Some((tag, process, text)) = tagged(rest) {
        return Some(of_tag(draft, tag, process, text));
    }
    let (host, rest) = rest.split_once(' ')?;
    let is_host = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c))
            && !text.ends_with(':')
    };
    // Loggers write `2026-01-02T03:04:05Z ERROR app: text`, or their own time.
    let is_level = host.bytes().all(|b| b.is_ascii_alphabetic())
        && level::of_text(host).is_some_and(|read| read.is_exact || host.len() > 2);
    if !is_host(host)
        || is_level
        || host.starts_with(|c: char| c.is_ascii_digit()) && !is_address(host)
    {
        return None;
    }
    let Some((tag, process, text)) = tagged(rest) else {
        // No tag: all of it is the text.
        draft.meta.insert("host".to_owned(), host.into());
        return (has_priority && is_month).then_some(rest);
    };
    // `Starting server: port 3000` is a sentence.
    let is_numbered = host.contains(|c: char| c.is_ascii_digit() || c == '.');
    let is_name = is_numbered || host.contains('-');
    let is_syslog = match process {
        Some(process) if process.bytes().all(|b| b.is_ascii_digit()) => is_month || is_name,
        Some(_) => is_month && is_name,
        None if is_month => is_name || DAEMONS.contains(&tag),
        None => is_numbered,
    };
    if !(has_priority || is_syslog) {
        return None;
    }
    draft.meta.insert("host".to_owned(), host.into());
    Some(of_tag(draft, tag, process, text))
}

/// Programs that write no process id.
const DAEMONS: [&str; 6] = ["kernel", "systemd", "sudo", "su", "cron", "rsyslogd"];

/// Whether a text is an address of a host.
fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

/// Splits `tag[process]: text`.
fn tagged(rest: &str) -> Option<(&str, Option<&str>, &str)> {
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '[' | ':'))?;
    let (tag, after) = rest.split_at(end);
    let process = after
        .strip_prefix('[')
        .and_then(|after| after.split_once("]:"));
    let (process, text) = match process {
        Some((process, text)) => (Some(process), text),
        None => (None, after.strip_prefix(':')?),
    };
    // `12:30:05` is no tag, and neither is a number of Cisco, JSON, or a pair.
    let is_name =
        !tag.bytes().all(|b| b.is_ascii_digit()) && !tag.contains(['{', '"', '\'', '=', '<']);
    let is_tag = is_name && !text.starts_with(|c: char| c.is_ascii_digit());
    is_tag.then_some((tag, process, text))
}

fn of_tag<'a>(draft: &mut Draft, tag: &str, process: Option<&str>, text: &'a str) -> &'a str {
    if let Some(process) = process {
        draft.meta.insert("pid".to_owned(), process.into());
    }
    draft.source = Some(tag.to_owned());
    // Only the blank behind the colon: a stack trace is indented.
    text.strip_prefix(' ').unwrap_or(text)
}

//! Requests as servers of applications write them to a terminal.

use lookback::Json;

use super::{draft_of, has_words, in_quotes, is_method, quoted, status_of};
use crate::Format;
use crate::draft::{Draft, Request};
use crate::fields::milliseconds;
use crate::text::{time_at_start, time_near_start};
use crate::time::Rules;

/// Reads the line of gin, or of Fiber: `[GIN] time | 200 | 1.2ms | address | GET "/path"`, and
/// `time | 200 | 1.2ms | address | GET | /path | error`.
pub(super) fn of_cells(line: &str, rules: Rules<'_>) -> Option<Draft> {
    if !line.as_bytes().contains(&b'|') {
        return None;
    }
    let mut cells = line.splitn(5, '|').map(str::trim);
    let (start, status) = (cells.next()?, cells.next()?);
    let status = status_of(status)?;
    let (duration, address, rest) = (cells.next()?, cells.next()?, cells.next()?);
    let end = rest.find([' ', '|'])?;
    let (method, rest) = rest.split_at(end);
    let duration = milliseconds(&Json::from(duration), 1.0).filter(|_| is_method(method))?;
    let rest = rest.trim_start_matches([' ', '|']);
    let (target, after) = match rest.strip_prefix('"') {
        Some(rest) => quoted(rest)?,
        None => {
            let end = rest.find(" | ").unwrap_or(rest.len());
            (rest[..end].to_owned(), &rest[end..])
        }
    };
    let mut draft = Draft::new(Format::AccessLog);
    let (time, _) = time_near_start(start, rules).unzip();
    if !draft.read_time(time) {
        draft.meta.insert("time".to_owned(), start.into());
    }
    draft.meta.insert("remote_addr".to_owned(), address.into());
    keep_exact(duration, &mut draft);
    let after = after.trim_matches([' ', '|']);
    if !matches!(after, "" | "-") {
        draft.meta.insert("error".to_owned(), after.into());
    }
    let request = Request {
        method: method.to_owned(),
        target: target.trim().to_owned(),
        status: Some(status),
        duration: Some(duration),
        ..Request::default()
    };
    Some(draft_of(request, draft))
}

/// Reads the line of the server that PHP has: `[time] address [200]: GET /path`.
pub(super) fn of_php(line: &str, rules: Rules<'_>) -> Option<Draft> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let (address, rest) = rest.split_once(" [")?;
    let (status, rest) = rest.split_once("]: ")?;
    let (method, rest) = rest.split_once(' ')?;
    let (status, method) = (
        status_of(status)?,
        Some(method).filter(|word| is_method(word))?,
    );
    let mut draft = Draft::new(Format::AccessLog);
    if address.contains(' ') || !draft.read_time(rules.time_of_text(time)) {
        return None;
    }
    let (target, error) = rest
        .split_once(" - ")
        .map_or((rest, None), |(target, error)| (target, Some(error)));
    draft.meta.insert("remote_addr".to_owned(), address.into());
    if let Some(error) = error {
        draft.meta.insert("error".to_owned(), error.into());
    }
    let request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        status: Some(status),
        ..Request::default()
    };
    Some(draft_of(request, draft))
}

/// Reads a line of morgan, Next.js, Koa or Hono.
pub(super) fn of_words(line: &str) -> Option<Draft> {
    let mut text = line.trim();
    text = text.strip_prefix("--> ").unwrap_or(text);
    // A method, or an address.
    if !text.starts_with(|c: char| c.is_ascii_hexdigit() || "GPOHT:".contains(c)) {
        return None;
    }
    let mut draft = Draft::new(Format::AccessLog);
    // The short form of morgan begins with the address and the user.
    let mut user = None;
    if !text.split(' ').next().is_some_and(is_method) {
        let mut words = text.splitn(3, ' ');
        let (address, name, rest) = (words.next()?, words.next()?, words.next()?);
        address.parse::<std::net::IpAddr>().ok()?;
        draft.meta.insert("remote_addr".to_owned(), address.into());
        user = Some(name).filter(|name| *name != "-").map(str::to_owned);
        text = rest;
    }
    let mut request = request_of_words(text, &mut draft)?;
    request.user_id = user;
    Some(draft_of(request, draft))
}

/// Reads `GET /path 200 12 ms - 15`, with the values behind the status in the order of one of
/// those servers.
fn request_of_words(text: &str, draft: &mut Draft) -> Option<Request> {
    let mut words = text.split_whitespace();
    let method = words.next().filter(|word| is_method(word))?;
    let target = words.next()?;
    let mut status = words.next()?;
    if status.starts_with("HTTP/") {
        draft.meta.insert("protocol".to_owned(), status.into());
        status = words.next()?;
    }
    if !target.starts_with(['/', 'h', '*']) {
        return None;
    }
    let status = match status {
        // The client went away before the response.
        "-" => None,
        status => Some(status_of(status)?),
    };
    let words: Vec<&str> = words.collect();
    let text_of = |from: usize| words[from..].join(" ");
    let (duration, size, others) = match words.as_slice() {
        [duration, "ms", "-", size] | [size, "-", duration, "ms"] => {
            (format!("{duration}ms"), Some(*size), String::new())
        }
        ["in", duration, ..] => ((*duration).to_owned(), None, text_of(2)),
        [duration] => ((*duration).to_owned(), None, String::new()),
        [duration, size] if duration.ends_with('s') => {
            ((*duration).to_owned(), Some(*size), String::new())
        }
        _ => return None,
    };
    let has_duration = duration != "-ms";
    let duration = milliseconds(&Json::from(duration), 1.0);
    let is_size = |size: &str| size == "-" || size.starts_with(|c: char| c.is_ascii_digit());
    if has_duration && duration.is_none()
        || duration.is_none() && status.is_some()
        || words.len() == 1 && !words[0].ends_with('s')
        || size.is_some_and(|size| !is_size(size))
    {
        return None;
    }
    if let Some(duration) = duration {
        keep_exact(duration, draft);
    }
    if let Some(size) = size.filter(|size| *size != "-") {
        draft.meta.insert("size".to_owned(), size.into());
    }
    if !others.is_empty() {
        draft.meta.insert("other_fields".to_owned(), others.into());
    }
    Some(Request {
        method: method.to_owned(),
        target: target.to_owned(),
        status,
        duration,
        ..Request::default()
    })
}

/// Keeps a duration that a whole number of milliseconds does not say.
fn keep_exact(milliseconds: f64, draft: &mut Draft) {
    if milliseconds.fract() != 0.0 {
        let name = "duration_ms".to_owned();
        draft.meta.insert(name, milliseconds.into());
    }
}

/// Returns the request that a line of text has behind what a logger puts before each line.
pub(in crate::text) fn behind_prefix(line: &str, rules: Rules<'_>) -> Option<Request> {
    in_quotes(line).or_else(|| {
        if !line.as_bytes().contains(&b'/') {
            return None;
        }
        let at = line.find(" /")?;
        let start = line[..at].rfind(' ').map_or(0, |blank| blank + 1);
        is_method(&line[start..at]).then_some(())?;
        let prefix = &line[..start];
        let prefix = time_at_start(prefix, rules).map_or(prefix, |(_, rest)| rest);
        let is_prefix = prefix.split_whitespace().count() <= 4 && !in_sentence(prefix);
        let mut draft = Draft::new(Format::AccessLog);
        is_prefix.then(|| request_of_words(&line[start..], &mut draft))?
    })
}

/// Whether what stands before a request are words, and not the level and the name of a logger.
fn in_sentence(prefix: &str) -> bool {
    let prefix = prefix.trim_end().trim_end_matches(':');
    has_words(prefix) && crate::level::of_text(prefix).is_none()
}

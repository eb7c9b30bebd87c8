//! The log of HTTP requests of HAProxy.

use super::{draft_of, of_request_line, quoted};
use crate::Format;
use crate::draft::Draft;
use crate::time::Rules;

/// The times of a request, in milliseconds; -1 is none.
const TIMES: [&str; 5] = ["TR", "Tw", "Tc", "Tr", "Ta"];

/// The values between the status and the request.
const FIELDS: [&str; 6] = [
    "bytes_read",
    "captured_request_cookie",
    "captured_response_cookie",
    "termination_state",
    "connections",
    "queues",
];

/// Reads `client [time] frontend backend/server TR/Tw/Tc/Tr/Ta status bytes … {headers} "request"`,
/// with or without the name of the program before it.
pub(super) fn decode(line: &str, rules: Rules<'_>) -> Option<Draft> {
    let (before, rest) = line.split_once(" [")?;
    let (time, rest) = rest.split_once("] ")?;
    let (program, client) = match before.split_once("]: ") {
        Some((program, client)) => (Some(program), client),
        None => (None, before),
    };
    let mut words = rest.splitn(11, ' ');
    let (frontend, backend, times) = (words.next()?, words.next()?, words.next()?);
    let number = |text: &str| text.trim_start_matches('+').parse::<i64>().ok();
    let times: Vec<i64> = times.split('/').map(number).collect::<Option<_>>()?;
    let is_haproxy = times.len() == TIMES.len()
        && backend.contains('/')
        && !client.contains(' ')
        && client.contains(':');
    if !is_haproxy {
        return None;
    }
    let mut draft = Draft::new(Format::AccessLog);
    if !draft.read_time(rules.time_of_text(time)) {
        return None;
    }
    let status = words.next()?;
    for (name, value) in [
        ("client", client),
        ("frontend", frontend),
        ("backend", backend),
    ] {
        draft.meta.insert(name.to_owned(), value.into());
    }
    for (name, time) in TIMES.iter().zip(&times) {
        draft.meta.insert((*name).to_owned(), (*time).into());
    }
    let mut rest = words.next()?;
    for (at, name) in FIELDS.iter().enumerate() {
        if at > 0 {
            rest = words.next()?;
        }
        if rest != "-" {
            draft.meta.insert((*name).to_owned(), rest.into());
        }
    }
    let rest = words.next()?;
    // Quotes within captured headers are written in another way.
    let (captured, line) = rest.split_once('"')?;
    let (line, others) = quoted(line)?;
    for (name, value) in [("captured_headers", captured), ("other_fields", others)] {
        if !value.trim().is_empty() {
            draft.meta.insert(name.to_owned(), value.trim().into());
        }
    }
    if let Some((name, process)) = program.and_then(|program| program.split_once('[')) {
        for (key, value) in [("source", name), ("pid", process)] {
            draft.meta.insert(key.to_owned(), value.into());
        }
    }
    let mut request = of_request_line(&line, &mut draft);
    match status.parse() {
        Ok(status @ 100..=599) => request.status = Some(status),
        // There was no response.
        _ => {
            draft.meta.insert("status".to_owned(), status.into());
        }
    }
    let total = times.last().copied().filter(|total| *total >= 0);
    request.duration = total
        .and_then(|total| u32::try_from(total).ok())
        .map(f64::from);
    Some(draft_of(request, draft))
}

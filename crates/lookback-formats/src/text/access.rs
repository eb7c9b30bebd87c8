//! Access logs of web servers and load balancers.

mod amazon;
mod app;
mod haproxy;
pub(crate) mod w3c;

use std::net::IpAddr;

use lookback::Json;

pub(super) use self::amazon::{bucket, load_balancer};
pub(super) use self::app::behind_prefix;
use crate::Format;
use crate::draft::{Draft, Request, insert_beside};
use crate::fields::milliseconds;
use crate::time::Rules;

/// Reads a line that is a request and nothing else, in any form but that of Amazon.
pub(super) fn decode(line: &str, rules: Rules<'_>) -> Option<Draft> {
    // Most lines are of none, and have no such sign.
    let in_brackets = line.as_bytes().contains(&b'[').then(|| {
        of_server(line, rules)
            .or_else(|| envoy(line, rules))
            .or_else(|| haproxy::decode(line, rules))
            .or_else(|| app::of_php(line, rules))
    });
    in_brackets
        .flatten()
        .or_else(|| app::of_cells(line, rules))
        .or_else(|| app::of_words(line))
}

/// Returns the draft of a request.
fn draft_of(request: Request, mut draft: Draft) -> Draft {
    draft.request = Some(Box::new(request));
    draft.is_access = true;
    draft
}

/// Who sent a request: the start of a line of the common format.
struct Client<'a> {
    /// What a logger puts before the line.
    prefix: &'a str,
    virtual_host: Option<&'a str>,
    host: &'a str,
    ident: &'a str,
    user: &'a str,
}

impl<'a> Client<'a> {
    /// Splits `host ident user`. A virtual host may come first, and before an address anything.
    fn read(before: &'a str) -> Option<Self> {
        let mut words = before.rsplitn(4, ' ');
        let (user, ident, host) = (words.next()?, words.next()?, words.next()?);
        let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
        let mut client = Self {
            prefix: "",
            virtual_host: None,
            host,
            ident,
            user,
        };
        if let Some(before) = words.next() {
            if is_address(host) && before.contains([' ', '\t', '[']) {
                client.prefix = before.trim_end();
            } else if before.contains(' ') {
                return None;
            } else {
                client.virtual_host = Some(before);
            }
        } else if let Some((level, rest)) = host.split_once(':')
            && let Some((logger, address)) = rest.split_once(':')
            && !(level.is_empty() || logger.is_empty())
            && !is_address(host)
            && is_address(address)
        {
            // Python's `INFO:werkzeug:127.0.0.1`.
            client.prefix = &host[..=level.len() + logger.len()];
            client.host = address;
        }
        Some(client)
    }
}

/// Reads the common and the combined format: `host ident user [time] "request" status bytes
/// "referer" "agent" …`.
fn of_server(line: &str, rules: Rules<'_>) -> Option<Draft> {
    let at = line.find("] \"")?;
    let (before, time) = line[..at].rsplit_once(" [")?;
    let rest = &line[at + 3..];
    let client = Client::read(before)?;
    let mut draft = Draft::new(Format::AccessLog);
    if !draft.read_time(rules.time_of_text(time)) {
        return None;
    }
    let (line, rest) = quoted(rest)?;
    let mut words = rest.trim_start().split_inclusive(' ');
    let status = words.next()?.trim();
    let mut rest = rest.trim_start()[status.len()..].trim_start();
    let bytes = words.next().unwrap_or_default().trim();
    let bytes = Some(bytes).filter(|bytes| *bytes == "-" || bytes.parse::<i64>().is_ok());
    rest = rest[bytes.map_or(0, str::len)..].trim_start();
    let status: i32 = status.parse().ok()?;
    let mut request = of_request_line(&line, &mut draft);
    request.status = Some(status);
    if !(100..=599).contains(&status) && status != 0 {
        draft.meta.insert("status".to_owned(), status.into());
    }
    if client.user != "-" {
        request.user_id = Some(client.user.to_owned());
    }
    let remote = client.host;
    draft.meta.insert("remote_addr".to_owned(), remote.into());
    for (name, value) in [("ident", client.ident), ("prefix", client.prefix)] {
        if !matches!(value, "-" | "") {
            draft.meta.insert(name.to_owned(), value.into());
        }
    }
    if let Some(host) = client.virtual_host {
        request.headers.insert("host".to_owned(), host.into());
    }
    if let Some(Ok(bytes)) = bytes.map(str::parse::<i64>) {
        draft
            .meta
            .insert("body_bytes_sent".to_owned(), bytes.into());
    }
    read_headers(rest, &mut request, &mut draft);
    Some(draft_of(request, draft))
}

/// Reads what the combined format has behind the size, and what a server may add there.
fn read_headers(mut rest: &str, request: &mut Request, draft: &mut Draft) {
    let mut others = Vec::new();
    let mut names = ["referer", "user-agent"].into_iter();
    while !rest.is_empty() {
        if let Some((name, value, after)) = named_value(rest) {
            rest = after.trim_start();
            if matches!(name, "rt" | "request_time")
                && let Ok(seconds) = value.parse::<f64>()
            {
                request.duration = Some(seconds * 1000.0);
            }
            insert_beside(&mut draft.meta, "log", name.to_owned(), value.into());
            continue;
        }
        // A line that was cut ends within a value.
        let (value, after) = value(rest).unwrap_or_else(|| (rest[1..].to_owned(), ""));
        rest = after.trim_start();
        match names.next() {
            Some(name) if value != "-" => {
                request.headers.insert(name.to_owned(), value.into());
            }
            Some(_) => {}
            None => others.push(Json::from(value)),
        }
    }
    // Traefik ends a line with the duration.
    if let [.., Json::String(last)] = others.as_slice()
        && let Some(milliseconds) = last.strip_suffix("ms")
        && let Ok(milliseconds) = milliseconds.parse::<u32>()
    {
        request.duration = Some(f64::from(milliseconds));
        others.pop();
    }
    if !others.is_empty() {
        draft
            .meta
            .insert("other_fields".to_owned(), Json::Array(others));
    }
}

/// Reads `name="value"`, `name=value` or `name: value`, as many put behind the combined format;
/// returns it with what follows.
fn named_value(rest: &str) -> Option<(&str, String, &str)> {
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)))?;
    let (name, after) = rest.split_at(end);
    let text = after
        .strip_prefix('=')
        .or_else(|| after.strip_prefix(": "))?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let (value, after) = value(text).filter(|_| is_name)?;
    Some((name, value, after))
}

/// The values behind the status of a line of Envoy, and those that Istio adds.
const ENVOY_FIELDS: [&str; 10] = [
    "response_flags",
    "bytes_received",
    "bytes_sent",
    "duration",
    "upstream_service_time",
    "x_forwarded_for",
    "user_agent",
    "request_id",
    "authority",
    "upstream_host",
];
const ISTIO_FIELDS: [&str; 19] = [
    "response_flags",
    "response_code_details",
    "connection_termination_details",
    "upstream_transport_failure_reason",
    "bytes_received",
    "bytes_sent",
    "duration",
    "upstream_service_time",
    "x_forwarded_for",
    "user_agent",
    "request_id",
    "authority",
    "upstream_host",
    "upstream_cluster",
    "upstream_local_address",
    "downstream_local_address",
    "downstream_remote_address",
    "requested_server_name",
    "route_name",
];

/// Reads a line of Envoy: `[time] "request" status flags …`.
fn envoy(line: &str, rules: Rules<'_>) -> Option<Draft> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] \"")?;
    let read = rules.time_of_text(time)?;
    let (line, rest) = quoted(rest)?;
    let mut rest = rest.strip_prefix(' ')?;
    let mut values = Vec::new();
    while !rest.is_empty() && values.len() <= ISTIO_FIELDS.len() + 1 {
        let (value, after) = value(rest)?;
        values.push(value);
        rest = after.trim_start();
    }
    let (status, values) = values.split_first()?;
    let names: &[&str] = match values.len() {
        10 => &ENVOY_FIELDS,
        13..=19 => &ISTIO_FIELDS,
        _ => return None,
    };
    let mut draft = Draft::new(Format::AccessLog);
    draft.read_time(Some(read));
    let mut request = of_request_line(&line, &mut draft);
    request.status = Some(status.parse().ok()?);
    for (name, value) in names.iter().zip(values).filter(|(_, value)| *value != "-") {
        let header = match *name {
            "user_agent" => "user-agent",
            "x_forwarded_for" => "x-forwarded-for",
            "authority" => "host",
            "duration" => {
                request.duration = Some(value.parse().ok()?);
                continue;
            }
            name => {
                draft.meta.insert(name.to_owned(), value.as_str().into());
                continue;
            }
        };
        request
            .headers
            .insert(header.to_owned(), value.as_str().into());
    }
    Some(draft_of(request, draft))
}

/// Returns the request that a line of text has: `"GET /path HTTP/1.1" 200`, as servers of Python
/// and others write it.
fn in_quotes(line: &str) -> Option<Request> {
    let at = line.find('"')?;
    let (request, rest) = quoted(&line[at + 1..])?;
    let mut words = request.split(' ');
    let (method, target, protocol) = (words.next()?, words.next()?, words.next()?);
    let is_request = words.next().is_none()
        && (3..=10).contains(&method.len())
        && method.bytes().all(|b| b.is_ascii_uppercase())
        && target.starts_with(['/', 'h', '*'])
        && protocol.starts_with("HTTP/");
    if !is_request || has_words(&line[..at]) {
        return None;
    }
    let mut request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        ..Request::default()
    };
    // chi: ` from 192.0.2.1:5000 - 200 5B in 23.5µs`.
    let status = if let Some(from) = rest.strip_prefix(" from ") {
        let (_, rest) = from.split_once(" - ")?;
        let duration = rest.rsplit_once(" in ").map(|(_, text)| Json::from(text));
        request.duration = duration.and_then(|text| milliseconds(&text, 1.0));
        rest
    } else {
        rest.strip_prefix(' ')?
    };
    request.status = Some(status_of(status.split([' ', ',']).next()?)?);
    Some(request)
}

/// Whether a text before a request has words of a sentence. Names with other signs are none.
fn has_words(text: &str) -> bool {
    let is_word = |word: &str| {
        let word = word.trim_end_matches([',', ':', ';', '.']);
        word.len() > 2 && word.bytes().all(|b| b.is_ascii_lowercase())
    };
    text.split_whitespace().any(is_word)
}

/// Reads the status of a response.
fn status_of(text: &str) -> Option<i32> {
    let status = text.parse().ok().filter(|_| text.len() == 3)?;
    (100..=599).contains(&status).then_some(status)
}

/// Whether a word is a method of HTTP.
pub(super) fn is_method(word: &str) -> bool {
    const METHODS: [&str; 9] = [
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE",
    ];
    METHODS.contains(&word)
}

/// Reads `GET /path?query HTTP/1.1`. Anything else was no request of HTTP: it is kept as it is.
pub(crate) fn of_request_line(line: &str, draft: &mut Draft) -> Request {
    let mut words = line.splitn(2, ' ');
    let (method, rest) = (words.next().unwrap_or_default(), words.next());
    let is_method = !method.is_empty()
        && method.len() <= 20
        && method.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    let Some(rest) = rest.filter(|_| is_method) else {
        if !line.is_empty() {
            draft.meta.insert("request".to_owned(), line.into());
        }
        return Request {
            method: "-".to_owned(),
            target: "/".to_owned(),
            ..Request::default()
        };
    };
    let (target, protocol) = match rest.rsplit_once(' ') {
        Some((target, protocol)) if protocol.starts_with("HTTP/") => (target, Some(protocol)),
        _ => (rest, None),
    };
    if let Some(protocol) = protocol {
        draft.meta.insert("protocol".to_owned(), protocol.into());
    }
    Request {
        method: method.to_owned(),
        target: target.to_owned(),
        ..Request::default()
    }
}

/// Reads a value, in quotes or up to a blank; returns it with what follows.
fn value(rest: &str) -> Option<(String, &str)> {
    match rest.strip_prefix('"') {
        Some(text) => quoted(text),
        None => {
            let end = rest.find(' ').unwrap_or(rest.len());
            Some((rest[..end].to_owned(), &rest[end..]))
        }
    }
}

/// Reads a text up to its closing quote; returns it with what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match letters.next()?.1 {
                '"' => value.push('"'),
                '\\' => value.push('\\'),
                other => {
                    value.push('\\');
                    value.push(other);
                }
            },
            letter => value.push(letter),
        }
    }
    None
}

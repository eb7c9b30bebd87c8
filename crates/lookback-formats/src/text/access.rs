//! Access logs of web servers and load balancers.

use lookback::Json;

use crate::Format;
use crate::draft::{Draft, Request, amazon_trace};
use crate::time::Rules;

/// Reads the common and the combined format: `host ident user [time] "request" status bytes
/// "referer" "agent" …`.
pub(super) fn decode(line: &str, rules: Rules<'_>) -> Option<Draft> {
    let (before, rest) = line.split_once(" [")?;
    let (time, rest) = rest.split_once("] \"")?;
    let mut names: Vec<&str> = before.splitn(5, ' ').collect();
    // A virtual host may come first.
    let virtual_host = (names.len() == 4).then(|| names.remove(0));
    let [host, ident, user] = names.as_slice() else {
        return None;
    };
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
    if *user != "-" {
        request.user_id = Some((*user).to_owned());
    }
    draft.meta.insert("remote_addr".to_owned(), (*host).into());
    if *ident != "-" {
        draft.meta.insert("ident".to_owned(), (*ident).into());
    }
    if let Some(host) = virtual_host {
        request.headers.insert("host".to_owned(), host.into());
    }
    if let Some(Ok(bytes)) = bytes.map(str::parse::<i64>) {
        draft
            .meta
            .insert("body_bytes_sent".to_owned(), bytes.into());
    }
    // The combined format, and what a server may add behind it.
    let mut others = Vec::new();
    let mut names = ["referer", "user-agent"].into_iter();
    while !rest.is_empty() {
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
    draft.request = Some(Box::new(request));
    draft.is_access = true;
    Some(draft)
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
pub(super) fn envoy(line: &str, rules: Rules<'_>) -> Option<Draft> {
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
    draft.request = Some(Box::new(request));
    draft.is_access = true;
    Some(draft)
}

/// Returns the request that a line of text has: `"GET /path HTTP/1.1" 200`, as servers of Python
/// and others write it.
pub(super) fn request_in(line: &str) -> Option<Request> {
    let at = line.find('"')?;
    let (request, rest) = quoted(&line[at + 1..])?;
    let mut words = request.split(' ');
    let (method, target, protocol) = (words.next()?, words.next()?, words.next()?);
    let is_request = words.next().is_none()
        && (3..=10).contains(&method.len())
        && method.bytes().all(|b| b.is_ascii_uppercase())
        && target.starts_with(['/', 'h', '*'])
        && protocol.starts_with("HTTP/");
    let status = rest.strip_prefix(' ')?.split([' ', ',']).next()?;
    let status: i32 = status
        .parse()
        .ok()
        .filter(|_| status.len() == 3 && is_request)?;
    // In a sentence, words come before it.
    let words = line[..at].split(|c: char| !c.is_alphanumeric());
    let is_word = |word: &str| word.len() > 2 && word.bytes().all(|b| b.is_ascii_lowercase());
    if words.clone().any(is_word) {
        return None;
    }
    let request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        status: Some(status),
        ..Request::default()
    };
    (100..=599).contains(&status).then_some(request)
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

/// The fields of a load balancer's line, in order. `-` is none.
const ALB_FIELDS: [&str; 29] = [
    "type",
    "time",
    "elb",
    "client",
    "target",
    "request_processing_time",
    "target_processing_time",
    "response_processing_time",
    "elb_status_code",
    "target_status_code",
    "received_bytes",
    "sent_bytes",
    "request",
    "user_agent",
    "ssl_cipher",
    "ssl_protocol",
    "target_group_arn",
    "trace_id",
    "domain_name",
    "chosen_cert_arn",
    "matched_rule_priority",
    "request_creation_time",
    "actions_executed",
    "redirect_url",
    "error_reason",
    "target_list",
    "target_status_code_list",
    "classification",
    "classification_reason",
];

/// Reads a line of an Amazon application load balancer.
pub(super) fn load_balancer(line: &str, rules: Rules<'_>) -> Option<Draft> {
    let (kind, rest) = line.split_once(' ')?;
    if !matches!(kind, "http" | "https" | "h2" | "grpcs" | "ws" | "wss") {
        return None;
    }
    let (_, after) = rest.split_once(' ')?;
    if !after.starts_with("app/") {
        return None;
    }
    let mut draft = Draft::new(Format::Alb);
    let mut request = Request::default();
    let mut rest = line;
    let mut times = [None; 3];
    let mut at = 0;
    while !rest.is_empty() {
        let (value, after) = value(rest)?;
        rest = after.trim_start();
        let name = ALB_FIELDS
            .get(at)
            .map_or_else(|| format!("field_{}", at + 1), |name| (*name).to_owned());
        at += 1;
        if value == "-" {
            continue;
        }
        match name.as_str() {
            "time" => {
                if !draft.read_time(rules.time_of_text(&value)) {
                    return None;
                }
                continue;
            }
            "elb_status_code" => {
                request.status = value.parse().ok();
                continue;
            }
            "request" => {
                let line = of_request_line(&value, &mut draft);
                (request.method, request.target) = (line.method, line.target);
                continue;
            }
            "user_agent" => {
                request
                    .headers
                    .insert("user-agent".to_owned(), value.into());
                continue;
            }
            "trace_id" => draft.set_trace_id(&amazon_trace(&value)),
            "request_processing_time" => times[0] = value.parse::<f64>().ok(),
            "target_processing_time" => times[1] = value.parse::<f64>().ok(),
            "response_processing_time" => times[2] = value.parse::<f64>().ok(),
            _ => {}
        }
        draft.meta.insert(name, value.into());
    }
    // -1 says that the request did not reach the target.
    let total: Option<f64> = times
        .iter()
        .map(|time| time.filter(|time| *time >= 0.0))
        .sum();
    request.duration = total.map(|seconds| seconds * 1000.0);
    draft.request = Some(Box::new(request));
    draft.is_access = true;
    Some(draft)
}

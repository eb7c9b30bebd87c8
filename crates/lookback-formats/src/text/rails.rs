//! Requests of Rails, which are in two lines: `Started GET "/path" for …` and `Completed 200 OK in
//! 12ms`.

use std::collections::BTreeMap;

use lookback::Json;

use super::access::is_method;
use super::{time_at_start, time_near_start};
use crate::draft::Request;
use crate::fields::milliseconds;
use crate::time::{Read, Rules};

/// The most requests that wait for their second line, and the most lines until then.
const MAX_OPEN: usize = 64;
const MAX_LINES: u64 = 1_000;

/// The requests that were started.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// By the output and what stands before the words: the process, and the id of the request.
    open: BTreeMap<(Option<String>, String), Open>,
}

#[derive(Debug)]
struct Open {
    /// `None` if several were started: it is not known which one is completed.
    request: Option<Request>,
    /// How many wait.
    count: usize,
    line: u64,
}

/// What a line says.
pub(crate) enum Seen {
    /// A request started at this time.
    Started(Option<Read>),
    Completed(Box<Request>),
}

impl Requests {
    /// Looks at a line, and returns what it says of a request.
    pub(crate) fn see(
        &mut self,
        text: &str,
        stream: Option<&str>,
        number: u64,
        rules: Rules<'_>,
    ) -> Option<Seen> {
        if let Some((prefix, request)) = started(text, rules) {
            let time = request.time;
            self.open.retain(|_, open| number - open.line < MAX_LINES);
            let key = key(prefix, stream, rules);
            if let Some(open) = self.open.get_mut(&key) {
                open.request = None;
                open.count += 1;
                open.line = number;
            } else if self.open.len() < MAX_OPEN {
                let open = Open {
                    request: Some(request),
                    count: 1,
                    line: number,
                };
                self.open.insert(key, open);
            }
            return Some(Seen::Started(time));
        }
        let (prefix, status, duration) = completed(text)?;
        let key = key(prefix, stream, rules);
        let open = self.open.get_mut(&key)?;
        open.count -= 1;
        let is_near = number - open.line < MAX_LINES;
        let request = open.request.take();
        if open.count == 0 {
            self.open.remove(&key);
        }
        let mut request = request.filter(|_| is_near)?;
        request.status = Some(status);
        request.duration = Some(duration);
        Some(Seen::Completed(Box::new(request)))
    }
}

/// What tells the lines of one request from those of others: what stands before them, but the time.
fn key(prefix: &str, stream: Option<&str>, rules: Rules<'_>) -> (Option<String>, String) {
    let rest = time_near_start(prefix, rules).map_or(prefix, |(_, rest)| rest);
    (stream.map(str::to_owned), rest.trim().to_owned())
}

/// Reads `Started GET "/path" for 192.0.2.1 at 2026-01-02 03:04:05 +0000`.
fn started<'t>(text: &'t str, rules: Rules<'_>) -> Option<(&'t str, Request)> {
    if !text.as_bytes().contains(&b'"') {
        return None;
    }
    let at = text.find("Started ")?;
    let (method, rest) = text[at + 8..].split_once(" \"")?;
    let (target, rest) = rest.split_once("\" for ")?;
    let (address, time) = rest.split_once(" at ")?;
    if !is_method(method) || address.contains(' ') {
        return None;
    }
    let mut request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        time: time_at_start(time, rules).map(|(time, _)| time),
        ..Request::default()
    };
    let name = "remote_addr".to_owned();
    request.headers.insert(name, address.into());
    Some((&text[..at], request))
}

/// Reads `Completed 200 OK in 12ms (Views: 3.2ms)`: what stands before it, status and duration.
fn completed(text: &str) -> Option<(&str, i32, f64)> {
    if !text.as_bytes().contains(&b'C') {
        return None;
    }
    let at = text.find("Completed ")?;
    let (status, rest) = text[at + 10..].split_once(' ')?;
    let status: i32 = status.parse().ok().filter(|_| status.len() == 3)?;
    let (reason, rest) = rest.split_once("in ")?;
    let duration = rest.split(' ').next()?;
    let duration = milliseconds(&Json::from(duration), 1.0)?;
    let is_reason = |c: char| c.is_ascii_alphabetic() || " -'".contains(c);
    (reason.chars().all(is_reason) && (100..=599).contains(&status)).then_some((
        &text[..at],
        status,
        duration,
    ))
}

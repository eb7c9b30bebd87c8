//! Lines of Heroku: `2026-01-14T12:00:01.716426+00:00 heroku[router]: at=info method=GET …`.

use super::logfmt;
use crate::draft::{Draft, Request};
use crate::fields::{Fields as _, take_duration, take_status, take_text};
use crate::record::Record;
use crate::time::Rules;
use crate::{Format, level};

pub(super) fn decode(line: &str, rules: Rules<'_>) -> Option<Draft> {
    let (time, source, process, text) = parts(line)?;
    let mut wrapper = Draft::new(Format::Heroku);
    if !wrapper.read_time(rules.time_of_text(time)) {
        return None;
    }
    if process == "router"
        && let Some(mut record) = logfmt::decode(text)
        && record.contains("method")
    {
        return Some(router(&mut record, wrapper));
    }
    wrapper.source = Some(process.to_owned());
    wrapper.meta.insert("heroku".to_owned(), source.into());
    let inner = super::decode(text, rules.within()?).draft;
    Some(inner.wrapped(wrapper))
}

/// Splits a line of the command, or of a drain, into time, source, process and text.
fn parts(line: &str) -> Option<(&str, &str, &str, &str)> {
    // A drain: `<158>1 time host heroku router - text`, with the number of bytes before it.
    let framed = line
        .split_once('<')
        .filter(|(count, _)| count.trim().bytes().all(|b| b.is_ascii_digit()));
    if let Some((_, rest)) = framed {
        let mut words = rest.split_once(">1 ")?.1.splitn(6, ' ');
        let mut next = || words.next();
        let (time, host, source, process, id) = (next()?, next()?, next()?, next()?, next()?);
        // Any other host is one of syslog.
        let is_drain = host == "host" && id == "-" && matches!(source, "heroku" | "app");
        return is_drain.then_some((time, source, process, words.next()?));
    }
    let (time, rest) = line.split_once(' ')?;
    let (name, text) = rest.split_once("]: ")?;
    let (source, process) = name.split_once('[')?;
    (matches!(source, "heroku" | "app") && !process.contains(' '))
        .then_some((time, source, process, text))
}

fn router(record: &mut Record<'_>, mut draft: Draft) -> Draft {
    let mut request = Request {
        method: take_text(record, &["method"]).unwrap_or_default(),
        target: take_text(record, &["path"]).unwrap_or_default(),
        ..Request::default()
    };
    request.status = take_status(record, "status");
    request.duration = take_duration(record, "service", 1.0);
    if let Some(host) = take_text(record, &["host"]) {
        request.headers.insert("host".to_owned(), host.into());
    }
    if let Some(level) = record.get("at").and_then(level::of) {
        draft.level = Some(level.level);
    }
    draft.meta.append(&mut record.take_map());
    draft.request = Some(Box::new(request));
    draft.is_access = true;
    draft
}

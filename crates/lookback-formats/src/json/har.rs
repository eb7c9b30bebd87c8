//! HTTP archives (HAR 1.2), as browsers and proxies save them.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lookback::value::{JsonMap, JsonRef};
use lookback::{Json, NewRequestSnapshot};

use super::Drafts;
use super::access::parsed;
use lookback_json::form::push;

use crate::draft::{Draft, Request, insert_beside};
use crate::fields::{Fields as _, take_duration, take_status, take_text, text};
use crate::har::own::OwnColumns;
use crate::record::Record;
use crate::time::Rules;
use crate::{Format, Options, Problem};
use lookback_json::secrets::mask_object;

pub(super) fn is_archive(record: &Record<'_>) -> bool {
    matches!(record.get("log.entries"), Some(JsonRef::Array(_)))
}

/// Adds the entries that can be read.
///
/// # Errors
///
/// Some cannot be read.
pub(super) fn decode(
    record: &mut Record<'_>,
    rules: Rules<'_>,
    drafts: &mut Drafts,
) -> Result<(), Problem> {
    let Some(JsonRef::Array(entries)) = record.take("log.entries") else {
        return Err(Problem::new("log.entries: must be an array"));
    };
    // Each entry has its page, unless that is large.
    const MAX_PAGE: usize = 64 * 1024;
    let mut pages = HashMap::new();
    if let Some(JsonRef::Array(list)) = record.take("log.pages") {
        for page in list {
            let Some(id) = page.get("id").and_then(JsonRef::as_str).map(str::to_owned) else {
                continue;
            };
            let page = page.into_json();
            if page.to_string().len() <= MAX_PAGE {
                pages.insert(id, page);
            }
        }
    }
    // What the archive says of itself is kept with its first entry.
    let mut about = match record.take("log") {
        Some(JsonRef::Object(log)) => Record::new(log).take_map(),
        _ => JsonMap::new(),
    };
    let mut decoded = Ok(());
    for entry in entries {
        let Json::Object(entry) = entry.into_json() else {
            decoded = Err(Problem::new("log.entries: must have objects"));
            continue;
        };
        let page = text(&entry, "pageref").and_then(|id| pages.get(&id).cloned());
        // It says of itself all that there is.
        let is_own = entry.contains_key(OWN);
        let mut draft = match of_entry(entry, rules) {
            Ok(draft) => draft,
            Err(problem) => {
                decoded = Err(problem);
                continue;
            }
        };
        if is_own {
            drafts.push(draft);
            continue;
        }
        if let Some(page) = page {
            draft.meta.insert("page".to_owned(), page);
        }
        for (name, value) in std::mem::take(&mut about) {
            insert_beside(&mut draft.meta, "log", name, value);
        }
        drafts.push(draft);
    }
    decoded
}

/// What an archive of Lookback has in each entry. See [`crate::har`].
const OWN: &str = "_lookback";

/// Reads an entry.
///
/// # Errors
///
/// It is of Lookback, and was changed to something else.
pub(crate) fn of_entry(mut entry: JsonMap, rules: Rules<'_>) -> Result<Draft, Problem> {
    let mut draft = Draft::new(Format::Har);
    let own = match entry.remove(OWN) {
        Some(Json::Object(mut own)) => {
            mask_object(&mut own);
            let own = OwnColumns::new(own);
            let own = own.map_err(|error| Problem::new(format!("log.entries: {OWN}: {error}")))?;
            Some(Box::new(own))
        }
        _ => None,
    };
    if let Some(time) = entry.get("startedDateTime")
        && draft.read_time(rules.time_of(&time.into()))
    {
        entry.remove("startedDateTime");
    }
    let mut of = |name: &str| match entry.remove(name) {
        Some(Json::Object(map)) => map,
        _ => JsonMap::new(),
    };
    let (mut sent, mut received) = (of("request"), of("response"));
    let mut request = Request {
        method: take_text(&mut sent, &["method"]).unwrap_or_default(),
        target: take_text(&mut sent, &["url"]).unwrap_or_default(),
        headers: pairs(sent.remove("headers"), true),
        response_headers: pairs(received.remove("headers"), true),
        own,
        ..Request::default()
    };
    let query = pairs(sent.remove("queryString"), false);
    request.query = (!query.is_empty()).then_some(query);
    request.status = take_status(&mut received, "status");
    request.duration = take_duration(&mut entry, "time", 1.0);
    if let Some(Json::Object(mut post)) = sent.remove("postData") {
        request.body = match take_text(&mut post, &["text"]).filter(|text| !text.is_empty()) {
            Some(text) => Some(body(text, &mut post)),
            None => Some(Json::Object(pairs(post.remove("params"), false)))
                .filter(|body| *body != Json::Object(JsonMap::new())),
        };
        // The parameters of a form repeat its text.
        post.remove("params");
        if !post.is_empty() {
            sent.insert("postData".to_owned(), Json::Object(post));
        }
    }
    if let Some(Json::Object(mut content)) = received.remove("content") {
        if let Some(text) = take_text(&mut content, &["text"]).filter(|text| !text.is_empty()) {
            request.response_body = Some(body(text, &mut content));
        }
        if !content.is_empty() {
            received.insert("content".to_owned(), Json::Object(content));
        }
    }
    let is_own = request.own.is_some();
    draft.request = Some(Box::new(request));
    draft.is_access = true;
    if is_own {
        return Ok(draft);
    }
    draft.meta = entry;
    for (name, rest) in [("request", sent), ("response", received)] {
        if !rest.is_empty() {
            draft.meta.insert(name.to_owned(), Json::Object(rest));
        }
    }
    Ok(draft)
}

/// Returns the request of an entry, as it is imported.
pub(crate) fn record_of(draft: Draft) -> Option<NewRequestSnapshot> {
    let entry = draft.finish(&Options::default(), &(1..=1));
    entry.request.map(|request| *request)
}

/// Reads a list of names and values; names of headers are in lower case.
fn pairs(list: Option<Json>, is_headers: bool) -> JsonMap {
    let mut map = JsonMap::new();
    let Some(Json::Array(items)) = list else {
        return map;
    };
    for item in items {
        let Json::Object(mut item) = item else {
            continue;
        };
        let Some(name) = take_text(&mut item, &["name"]) else {
            continue;
        };
        let name = if is_headers {
            name.to_ascii_lowercase()
        } else {
            name
        };
        push(&mut map, name, item.remove("value").unwrap_or_default());
    }
    map
}

/// Reads a body: JSON as a value, text as it is, and other bytes as a data URL.
fn body(text: String, about: &mut JsonMap) -> Json {
    let is_base64 = about.get("encoding").and_then(Json::as_str) == Some("base64");
    if !is_base64 {
        return parsed(text.into());
    }
    let decoded = BASE64_STANDARD
        .decode(text.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded {
        Some(text) => parsed(text.into()),
        None => {
            let mime = about
                .get("mimeType")
                .and_then(Json::as_str)
                .unwrap_or("application/octet-stream");
            format!("data:{mime};base64,{}", text.trim()).into()
        }
    }
}

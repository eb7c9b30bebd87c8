//! HTTP archives (HAR 1.2) of captured requests, for browsers and other tools.
//!
//! An archive is [`begin`], an [`entry`] for each request with a comma between them, and [`END`]; so
//! it is written in constant memory. [`Decoder`](crate::Decoder) reads it back to records that are
//! equal in every column but `id`, `created_at` and `updated_at`.
//!
//! Secrets are masked, as they are when an archive is read: one is made to be given to others.
//!
//! | of the record | in the archive |
//! |---|---|
//! | `timestamp`, `duration` | `startedDateTime`, `time` and `timings.wait` |
//! | method, path, query, the header `host` | `request.method`, `url`, `queryString`; the scheme is that of `x-forwarded-proto`, or `http` |
//! | headers | `headers`, and `cookies` |
//! | a body that is text or JSON | `postData.text`, `content.text` |
//! | a form | `postData.params` |
//! | other bytes | `content.text` with `encoding` `base64`; of a request `postData._base64`, since HAR has no form for it |
//! | no response | `status` 0, and the reason as `response._error` |
//! | all else | `_lookback`: the columns that the other fields do not give |

use std::borrow::Cow;

use chrono::SecondsFormat;
use lookback::value::JsonMap;
use lookback::{Json, NewRequestSnapshot, RequestSnapshot, json};
use lookback_json::secrets::{mask, mask_headers, mask_object, mask_text};

use crate::json::har::{of_entry, record_of};

mod bodies;
pub(crate) mod own;
mod parts;

/// The end of an archive.
pub const END: &str = "\n]}}\n";

/// Returns the begin of an archive: what stands before the first entry.
#[must_use]
pub fn begin(version: &str) -> String {
    let version = Json::from(version);
    // Chrome reads an archive only if it has pages.
    format!(
        "{{\"log\":{{\"version\":\"1.2\",\"creator\":{{\"name\":\"Lookback\",\"version\":{version}}},\
         \"pages\":[],\"entries\":[\n"
    )
}

/// Returns the entry of a request.
#[must_use]
pub fn entry(snapshot: &RequestSnapshot) -> Json {
    let record = columns(&masked(snapshot));
    let mut entry = parts::entry(&record);
    // What an import would not get of it, by importing it.
    entry.insert("_lookback".to_owned(), json!({}));
    let derived = of_entry(
        entry.clone(),
        crate::time::Rules::new(&crate::Options::default()),
    );
    let derived = derived.ok().and_then(record_of);
    let mut own = match derived {
        Some(derived) => own::changes(&derived, &record),
        None => JsonMap::new(),
    };
    own.insert("id".to_owned(), snapshot.id.into());
    entry.insert("_lookback".to_owned(), Json::Object(own));
    Json::Object(entry)
}

/// Returns a request with its secrets masked, as in an archive.
#[must_use]
pub fn masked(snapshot: &RequestSnapshot) -> RequestSnapshot {
    let mut snapshot = snapshot.clone();
    if let Cow::Owned(path) = mask_text(&snapshot.path) {
        snapshot.path = path;
    }
    for headers in [&mut snapshot.headers, &mut snapshot.response_headers] {
        if let Some(Json::Object(map)) = headers {
            mask_headers(map);
        }
    }
    for value in [
        &mut snapshot.query,
        &mut snapshot.body,
        &mut snapshot.headers,
        &mut snapshot.response_body,
        &mut snapshot.response_headers,
    ] {
        match value {
            Some(Json::Object(map)) => mask_object(map),
            Some(value) => mask(value),
            None => {}
        }
    }
    snapshot
}

/// Returns the columns of a request that an import stores.
fn columns(snapshot: &RequestSnapshot) -> NewRequestSnapshot {
    let mut record = NewRequestSnapshot::new(
        snapshot.method.clone(),
        snapshot.path.clone(),
        snapshot.timestamp,
        snapshot.version.clone(),
        snapshot.stage.clone(),
    );
    record.query.clone_from(&snapshot.query);
    record.body.clone_from(&snapshot.body);
    record.headers.clone_from(&snapshot.headers);
    record.user_id.clone_from(&snapshot.user_id);
    record.status_code = snapshot.status_code;
    record.response_body.clone_from(&snapshot.response_body);
    record
        .response_headers
        .clone_from(&snapshot.response_headers);
    record.duration = snapshot.duration;
    record.geo_country.clone_from(&snapshot.geo_country);
    record.geo_region.clone_from(&snapshot.geo_region);
    record.geo_city.clone_from(&snapshot.geo_city);
    record.geo_lat = snapshot.geo_lat;
    record.geo_lon = snapshot.geo_lon;
    record.geo_source = snapshot.geo_source;
    record.trace_id.clone_from(&snapshot.trace_id);
    record
}

/// The time of a record in ISO 8601.
fn time_of(record: &NewRequestSnapshot) -> String {
    record
        .timestamp
        .to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// The sizes that are not known.
fn unknown_size() -> Json {
    json!(-1)
}

//! A request that was sent again, as a record.

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use http::Response;
use lookback::capture::secrets;
use lookback::replay::{PreparedRequest, stored_response};
use lookback::value::JsonMap;
use lookback::{Json, NewRequestSnapshot, RequestSnapshot};

/// Returns the record of a request and its response, with secrets masked.
///
/// It is of the stage `replay`, and its `direction` is `outgoing`: no window counts it.
pub(super) fn record(
    snapshot: &RequestSnapshot,
    sent: &PreparedRequest,
    response: &Response<Vec<u8>>,
    timestamp: DateTime<Utc>,
    duration: Duration,
) -> NewRequestSnapshot {
    let mut headers = JsonMap::new();
    for (name, value) in &sent.headers {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.insert(name.as_str().to_owned(), text.into());
    }
    headers.insert("direction".to_owned(), "outgoing".into());
    headers.insert("replay_of".to_owned(), snapshot.id.into());
    if let Some(authority) = sent.url.authority() {
        headers.insert("host".to_owned(), authority.as_str().into());
    }
    secrets::mask_headers(&mut headers);
    let mut query = JsonMap::new();
    for (name, value) in
        url::form_urlencoded::parse(sent.url.query().unwrap_or_default().as_bytes())
    {
        let value = Json::from(value.into_owned());
        match query.get_mut(&name) {
            None => {
                query.insert(name.into_owned(), value);
            }
            Some(Json::Array(values)) => values.push(value),
            Some(first) => *first = Json::Array(vec![std::mem::take(first), value]),
        }
    }
    secrets::mask_object(&mut query);
    let mut body = match sent.body.as_slice() {
        [] => None,
        bytes => Some(match Json::from_slice(bytes) {
            Ok(value) => value,
            // The captured one has its form for bytes.
            Err(_) => match (std::str::from_utf8(bytes), &snapshot.body) {
                (_, Some(captured)) if !captured.is_string() => captured.clone(),
                (Ok(text), _) => text.into(),
                (Err(_), _) => Json::Null,
            },
        }),
    };
    if let Some(body) = &mut body {
        secrets::mask(body);
    }
    let (response_headers, response_body) = stored_response(response);
    let mut record = NewRequestSnapshot::new(
        snapshot.method.clone(),
        secrets::mask_text(sent.url.path()).into_owned(),
        timestamp.trunc_subsecs(6),
        snapshot.version.clone(),
        "replay",
    );
    record.query = (!query.is_empty()).then_some(Json::Object(query));
    record.headers = Some(Json::Object(headers));
    record.body = body;
    record.status_code = Some(response.status().as_u16().into());
    record.response_headers = Some(Json::Object(response_headers));
    record.response_body = response_body;
    record.duration = Some(i32::try_from(duration.as_millis()).unwrap_or(i32::MAX));
    record.trace_id = sent.trace_id();
    record
}

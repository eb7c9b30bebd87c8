//! Responses in the form in which captured ones are stored.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use lookback_json::secrets;
use lookback_json::snapshot::DESCRIBED_BODY;

use super::body::ContentType;
use crate::json;
use crate::value::{Json, JsonMap};

/// Returns the headers and the body of a response as they are stored, with secrets masked.
///
/// A body that is not text is `{"$body": {"size", "base64", "type"}}`, as in captured requests.
#[must_use]
pub fn stored_response(response: &http::Response<Vec<u8>>) -> (JsonMap, Option<Json>) {
    let mut headers = headers_of(response.headers());
    secrets::mask_headers(&mut headers);
    let mut body = body_of(response.headers(), response.body());
    if let Some(body) = &mut body {
        secrets::mask(body);
    }
    (headers, body)
}

fn headers_of(headers: &HeaderMap) -> JsonMap {
    let mut map = JsonMap::new();
    for name in headers.keys() {
        let values = headers.get_all(name).iter();
        let values: Vec<Json> = values
            .map(|value| match std::str::from_utf8(value.as_bytes()) {
                Ok(text) => text.into(),
                // As capture stores it.
                Err(_) => {
                    let characters = value.as_bytes().iter().map(|byte| char::from(*byte));
                    Json::from(characters.collect::<String>())
                }
            })
            .collect();
        let value = match <[Json; 1]>::try_from(values) {
            Ok([value]) => value,
            Err(values) => Json::Array(values),
        };
        map.insert(name.as_str().to_owned(), value);
    }
    map
}

fn body_of(headers: &HeaderMap, bytes: &[u8]) -> Option<Json> {
    if bytes.is_empty() {
        return None;
    }
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let content_type = header(CONTENT_TYPE).unwrap_or_default();
    let is_compressed = header(CONTENT_ENCODING).is_some_and(|name| name != "identity");
    let parsed = ContentType::new(content_type);
    let text = match std::str::from_utf8(bytes) {
        _ if is_compressed => None,
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) if parsed.is_latin_1() => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Err(_) => None,
    };
    let Some(text) = text else {
        let body = json!({
            "size": bytes.len(),
            "base64": BASE64_STANDARD.encode(bytes),
            "type": content_type,
        });
        return Some([(DESCRIBED_BODY, body)].into_iter().collect());
    };
    let may_be_json =
        parsed.is_json() || parsed.is_unknown() && text.trim_start().starts_with(['{', '[']);
    if may_be_json && let Ok(value) = text.parse() {
        return Some(value);
    }
    Some(Json::from(text.into_owned()))
}

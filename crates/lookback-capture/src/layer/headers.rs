//! Headers and queries as JSON.

use std::borrow::Cow;

use http::HeaderMap;
use lookback_json::form::{parameters, push};
use lookback_json::secrets::{MASK, Masking};
use lookback_json::snapshot::{OWN_FIELDS, RENAMED_HEADER};
use lookback_json::{Json, JsonMap};

/// Returns headers by name, in lower case; several of one name are a list.
pub(super) fn stored_headers(headers: &HeaderMap, masking: &Masking) -> JsonMap {
    let mut map = JsonMap::new();
    for (name, value) in headers {
        let value = if value.is_sensitive() {
            Json::from(MASK)
        } else {
            let text = match std::str::from_utf8(value.as_bytes()) {
                Ok(text) => Cow::Borrowed(text),
                // As HTTP/1.1 read it before it became undefined.
                Err(_) => value
                    .as_bytes()
                    .iter()
                    .map(|byte| char::from(*byte))
                    .collect(),
            };
            Json::from(masking.mask_header(name.as_str(), &text))
        };
        push(&mut map, name.as_str().to_owned(), value);
    }
    map
}

/// Inserts what capture says itself. A header that has such a name is renamed, so that no client
/// can say it.
pub(super) fn insert_own(headers: &mut JsonMap, own: Vec<(&str, Json)>) {
    for name in OWN_FIELDS {
        if let Some(header) = headers.remove(name) {
            headers.insert(format!("{RENAMED_HEADER}{name}"), header);
        }
    }
    for (name, value) in own {
        headers.insert(name.to_owned(), value);
    }
}

/// Returns the parameters of a query. `None` if there are none.
pub(super) fn query_of(query: &str, masking: &Masking) -> Option<Json> {
    let map = masked_parameters(query, masking);
    (!map.is_empty()).then_some(Json::Object(map))
}

/// Returns the parameters of a query or of a form. One without a value may be a secret itself.
pub(super) fn masked_parameters(text: &str, masking: &Masking) -> JsonMap {
    /// A shorter name has no form of a secret.
    const SHORTEST: usize = 8;
    let mut map = parameters(text);
    masking.mask_object(&mut map);
    let masked = map.keys().filter(|name| name.len() >= SHORTEST);
    let masked = masked.filter_map(|name| match masking.mask_text(name) {
        Cow::Owned(masked) if masked != *name => Some((name.clone(), masked)),
        _ => None,
    });
    for (name, masked) in masked.collect::<Vec<_>>() {
        if let Some(value) = map.remove(&name) {
            push(&mut map, masked, value);
        }
    }
    map
}

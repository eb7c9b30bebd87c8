//! Queries of URLs and bodies of forms: `name=value&…`.

use crate::{Json, JsonMap};

/// Reads the parameters of a query: one that comes several times is an array.
///
/// One of very many is kept as its text: each needs many times the memory of that.
#[must_use]
pub fn parameters(query: &str) -> JsonMap {
    const MAX_PARAMETERS: usize = 64 * 1024;
    let mut map = JsonMap::new();
    if query.len() > MAX_PARAMETERS && query.matches('&').count() > MAX_PARAMETERS {
        map.insert("query".to_owned(), decoded(query).into());
        return map;
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        push(&mut map, decoded(name), decoded(value).into());
    }
    map
}

/// Adds a value under a name; several are an array.
pub fn push(map: &mut JsonMap, name: String, value: Json) {
    match map.get_mut(&name) {
        None => {
            map.insert(name, value);
        }
        Some(Json::Array(values)) => values.push(value),
        Some(first) => {
            let values = vec![std::mem::take(first), value];
            *first = Json::Array(values);
        }
    }
}

/// Decodes `%41` and `+`.
#[must_use]
pub fn decoded(text: &str) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |offset: usize| {
            bytes
                .get(at + offset)
                .and_then(|b| char::from(*b).to_digit(16))
        };
        match (bytes[at], hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
                continue;
            }
            (b'+', ..) => plain.push(b' '),
            (byte, ..) => plain.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Decodes text as [`decoded`], or says what is wrong with it.
///
/// # Errors
///
/// A `%` without two hexadecimal digits, and what is not UTF-8.
pub fn try_decoded(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(
                        "has a % without two hexadecimal digits; in a URL, write %25 for %",
                    );
                };
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 when its % are decoded")
}

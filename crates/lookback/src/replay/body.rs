//! Captured bodies as bytes.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use lookback_json::snapshot;

use super::masked;
use super::refusal::Refusal;
use crate::RequestSnapshot;
use crate::value::{Json, JsonMap};

/// A body as it was sent.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    /// Whether it is compressed, as the header `content-encoding` says.
    pub(super) is_encoded: bool,
    /// The places of masked values in it.
    pub(super) masked: Vec<String>,
}

/// Returns the body of a captured request.
pub(super) fn body_of(snapshot: &RequestSnapshot, headers: &JsonMap) -> Result<Body, Refusal> {
    let Some(stored) = &snapshot.body else {
        return match captured_size(headers, "request_size") {
            None | Some(0) => Ok(Body::default()),
            size => Err(Refusal::BodyNotStored(size)),
        };
    };
    let content_type = ContentType::new(header(headers, "content-type").unwrap_or_default());
    if let Some(about) = snapshot::described_body(stored) {
        return described_body(about, &content_type);
    }
    let masked = masked::masked_places(stored);
    let bytes = match stored {
        Json::String(text) if !content_type.is_json() => match data_url(text) {
            Some(bytes) => bytes,
            None => content_type.encoded(text),
        },
        Json::Object(fields) if content_type.is_form() => form(fields).into_bytes(),
        value => value.to_string().into_bytes(),
    };
    Ok(Body {
        bytes,
        is_encoded: false,
        masked,
    })
}

fn described_body(about: &JsonMap, content_type: &ContentType<'_>) -> Result<Body, Refusal> {
    let size = about.get("size").and_then(Json::as_u64);
    if about.get("truncated").and_then(Json::as_bool) == Some(true) {
        return Err(Refusal::TruncatedBody(size));
    }
    let content = |name: &str| about.get(name).and_then(Json::as_str);
    if let Some(text) = content("text") {
        return Ok(Body {
            bytes: content_type.encoded(text),
            is_encoded: false,
            masked: masked::masked_places(&Json::from(text)),
        });
    }
    match content("base64").map(|text| BASE64_STANDARD.decode(text)) {
        Some(Ok(bytes)) => Ok(Body {
            bytes,
            is_encoded: about.get("encoding").is_some(),
            masked: Vec::new(),
        }),
        _ => Err(Refusal::BodyNotStored(size)),
    }
}

/// Returns the size of a body that was captured, or that a header names.
pub(super) fn captured_size(headers: &JsonMap, name: &str) -> Option<u64> {
    let header = || header(headers, "content-length")?.parse().ok();
    headers.get(name).and_then(Json::as_u64).or_else(header)
}

/// Returns a header, whose name may be in upper case: not every import changes it.
pub(super) fn header<'a>(headers: &'a JsonMap, name: &str) -> Option<&'a str> {
    let lower_case = headers.get(name);
    let any_case = || {
        let mut headers = headers.iter();
        headers
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    lower_case.or_else(any_case)?.as_str()
}

/// Reads `data:image/png;base64,…`, in which an archive of a browser has other bytes than text.
pub(super) fn data_url(text: &str) -> Option<Vec<u8>> {
    let (_, data) = text.strip_prefix("data:")?.split_once(";base64,")?;
    BASE64_STANDARD.decode(data).ok()
}

/// Writes fields as `name=value&…`; a list is several of one name.
fn form(fields: &JsonMap) -> String {
    let mut text = String::new();
    for (name, value) in pairs(fields) {
        if !text.is_empty() {
            text.push('&');
        }
        push_encoded(name, &mut text);
        text.push('=');
        push_encoded(&value, &mut text);
    }
    text
}

/// Returns names with their values as text, each value of a list by itself.
pub(super) fn pairs(fields: &JsonMap) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    fields.iter().flat_map(|(name, value)| {
        let values = match value {
            Json::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        values.iter().map(|value| (name.as_str(), text_of(value)))
    })
}

fn text_of(value: &Json) -> Cow<'_, str> {
    match value {
        Json::Null => Cow::Borrowed(""),
        Json::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// Percent-encodes all but letters, digits and `-._~`.
pub(super) fn push_encoded(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            push_percent(byte, out);
        }
    }
}

pub(super) fn push_percent(byte: u8, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    for four in [byte >> 4, byte & 15] {
        out.push(char::from(DIGITS[usize::from(four)]));
    }
}

/// What a header `content-type` says.
pub(super) struct ContentType<'a> {
    essence: String,
    parameters: &'a str,
}

impl<'a> ContentType<'a> {
    pub(super) fn new(header: &'a str) -> Self {
        let (essence, parameters) = header.split_once(';').unwrap_or((header, ""));
        Self {
            essence: essence.trim().to_ascii_lowercase(),
            parameters,
        }
    }

    pub(super) fn is_json(&self) -> bool {
        let subtype = self.essence.split_once('/').map(|(_, subtype)| subtype);
        subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
    }

    fn is_form(&self) -> bool {
        self.essence == "application/x-www-form-urlencoded"
    }

    pub(super) fn is_unknown(&self) -> bool {
        self.essence.is_empty()
    }

    /// Whether text has a byte for each character.
    pub(super) fn is_latin_1(&self) -> bool {
        let mut parameters = self.parameters.split(';').filter_map(|p| p.split_once('='));
        let charset = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        charset.is_some_and(|(_, value)| {
            let value = value.trim().trim_matches('"').to_ascii_lowercase();
            ["iso-8859-1", "latin1", "windows-1252", "us-ascii"].contains(&&*value)
        })
    }

    /// Returns the bytes of a text.
    fn encoded(&self, text: &str) -> Vec<u8> {
        let latin_1 = || text.chars().map(|c| u8::try_from(c).ok()).collect();
        let latin_1: Option<Vec<u8>> = if self.is_latin_1() { latin_1() } else { None };
        latin_1.unwrap_or_else(|| text.as_bytes().to_vec())
    }
}

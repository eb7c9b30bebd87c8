//! Bodies in an entry.

use lookback::Json;
use lookback_json::snapshot::described_body;

use super::parts::{object, pairs};

const BYTES: &str = "application/octet-stream";

/// How a body is written.
enum Written {
    Text(String),
    Base64(String),
    /// It was not captured.
    Nothing,
}

/// Returns how a stored body is written, and its type if it is stored with it.
fn written(body: &Json) -> (Written, Option<String>) {
    if let Some(about) = described_body(body) {
        let text = |name: &str| about.get(name).and_then(Json::as_str).map(str::to_owned);
        let written = match (text("text"), text("base64")) {
            (Some(text), _) => Written::Text(text),
            (None, Some(base64)) => Written::Base64(base64),
            (None, None) => Written::Nothing,
        };
        return (written, text("type"));
    }
    match body {
        Json::String(text) => {
            let url = text.strip_prefix("data:");
            match url.and_then(|url| url.split_once(";base64,")) {
                Some((mime, base64)) => (Written::Base64(base64.to_owned()), Some(mime.to_owned())),
                None => (Written::Text(text.clone()), None),
            }
        }
        value => (Written::Text(value.to_string()), None),
    }
}

/// The type of a body: that of its header, the stored one, or what it looks like.
fn mime_type(body: &Json, header: Option<&str>, stored: Option<String>) -> Json {
    let guess = match body {
        Json::String(_) => "text/plain",
        _ if described_body(body).is_some() => BYTES,
        _ => "application/json",
    };
    let header = header.map(str::to_owned);
    header.or(stored).unwrap_or_else(|| guess.to_owned()).into()
}

pub(super) fn post_data(body: &Json, content_type: Option<&str>) -> Json {
    let (written, stored) = written(body);
    let mime = mime_type(body, content_type, stored);
    let essence = mime.as_str().unwrap_or_default().split(';').next();
    let is_form = essence.is_some_and(|essence| {
        essence
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    });
    let mut data = object([("mimeType", mime)]);
    match (body, written) {
        (Json::Object(fields), Written::Text(_)) if is_form && described_body(body).is_none() => {
            data.insert("params".to_owned(), Json::Array(pairs(fields)));
        }
        (_, Written::Text(text)) => {
            data.insert("text".to_owned(), text.into());
        }
        (_, Written::Base64(base64)) => {
            data.insert("text".to_owned(), "".into());
            data.insert("_base64".to_owned(), base64.into());
        }
        (_, Written::Nothing) => {
            data.insert("text".to_owned(), "".into());
            data.insert("comment".to_owned(), "the body was not captured".into());
        }
    }
    Json::Object(data)
}

pub(super) fn content(body: Option<&Json>, content_type: Option<&str>, size: Json) -> Json {
    let none = || content_type.unwrap_or("x-unknown").into();
    let (written, mime) = match body {
        None => (Written::Nothing, none()),
        Some(body) => {
            let (written, stored) = written(body);
            (written, mime_type(body, content_type, stored))
        }
    };
    let mut content = object([("size", size), ("mimeType", mime)]);
    match written {
        Written::Text(text) => {
            content.insert("text".to_owned(), text.into());
        }
        Written::Base64(base64) => {
            content.insert("text".to_owned(), base64.into());
            content.insert("encoding".to_owned(), "base64".into());
        }
        Written::Nothing if body.is_some() => {
            content.insert("comment".to_owned(), "the body was not captured".into());
        }
        Written::Nothing => {}
    }
    Json::Object(content)
}

//! A body as JSON.

use std::borrow::Cow;
use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, header};
use lookback_json::snapshot::{DESCRIBED_BODY, described_body};
use lookback_json::{Json, JsonMap};
use ruzstd::decoding::StreamingDecoder;

use super::headers::masked_parameters;
use super::tee::Kept;
use crate::settings::Settings;

/// Returns what is stored of a body. `None` if it is empty. See
/// [`CaptureLayer`](super::CaptureLayer#bodies).
pub(super) fn stored_body(kept: &Kept, headers: &HeaderMap, settings: &Settings) -> Option<Json> {
    if kept.size == 0 {
        return None;
    }
    let text_of = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let content_type = text_of(header::CONTENT_TYPE).unwrap_or_default();
    let encoding = text_of(header::CONTENT_ENCODING).unwrap_or_default();
    let mut about = About {
        content_type,
        encoding: "",
        size: kept.size,
        is_truncated: kept.size > kept.bytes.len() as u64 || !kept.is_complete,
    };
    if kept.bytes.is_empty() {
        return Some(about.stored(None));
    }
    let bytes = match decompressed(&kept.bytes, encoding, settings.body_limit) {
        Some(Decompressed { bytes, is_cut }) => {
            about.is_truncated |= is_cut;
            bytes
        }
        None => {
            about.encoding = encoding;
            return Some(about.stored_bytes(&kept.bytes, settings));
        }
    };
    Some(match Form::of(content_type, &bytes) {
        Form::Json => about.stored_json(&bytes, settings),
        Form::Fields => {
            let fields = masked_parameters(&String::from_utf8_lossy(&bytes), &settings.masking);
            if about.is_truncated {
                about.stored(Some(("fields", Json::Object(fields))))
            } else {
                Json::Object(fields)
            }
        }
        Form::Text => about.stored_text(&bytes, settings),
        Form::Parts if settings.binary_bodies => {
            let text = about.text(&bytes, settings);
            about.stored(Some(("text", text)))
        }
        Form::Parts => about.stored(None),
        Form::Bytes => about.stored_bytes(&bytes, settings),
    })
}

/// The properties of a body beside its bytes.
struct About<'a> {
    content_type: &'a str,
    /// That of bytes that cannot be decompressed.
    encoding: &'a str,
    size: u64,
    is_truncated: bool,
}

impl About<'_> {
    /// Returns what is stored of a body that is not stored as it is.
    fn stored(&self, content: Option<(&str, Json)>) -> Json {
        let mut about = JsonMap::new();
        let mut insert = |name: &str, value: Json| {
            about.insert(name.to_owned(), value);
        };
        if !self.content_type.is_empty() {
            insert("type", self.content_type.into());
        }
        if !self.encoding.is_empty() {
            insert("encoding", self.encoding.into());
        }
        insert("size", self.size.into());
        if self.is_truncated {
            insert("truncated", true.into());
        }
        if let Some((name, value)) = content {
            insert(name, value);
        }
        [(DESCRIBED_BODY, Json::Object(about))]
            .into_iter()
            .collect()
    }

    fn stored_json(&self, bytes: &[u8], settings: &Settings) -> Json {
        if !self.is_truncated
            && let Ok(mut value) = Json::from_slice(bytes)
        {
            // A value of very many small parts is kept as its text, and one that looks as capture
            // would have written it, too.
            let most = 8 * settings.body_limit + 64 * 1024;
            if weight(&value) <= most && described_body(&value).is_none() {
                settings.masking.mask(&mut value);
                return value;
            }
        }
        let text = self.text(bytes, settings);
        self.stored(Some(("text", text)))
    }

    fn stored_text(&self, bytes: &[u8], settings: &Settings) -> Json {
        let text = self.text(bytes, settings);
        if self.is_truncated {
            self.stored(Some(("text", text)))
        } else {
            text
        }
    }

    fn text(&self, bytes: &[u8], settings: &Settings) -> Json {
        let charset = parameter(self.content_type, "charset").unwrap_or_default();
        let is_latin_1 = ["iso-8859-1", "latin1", "windows-1252", "us-ascii"]
            .iter()
            .any(|name| charset.eq_ignore_ascii_case(name));
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(error) if self.is_truncated && error.error_len().is_none() => {
                // It was cut within a character.
                String::from_utf8_lossy(&bytes[..error.valid_up_to()])
            }
            Err(_) if is_latin_1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
            Err(_) => String::from_utf8_lossy(bytes),
        };
        Json::from(settings.masking.mask_text(&text).into_owned())
    }

    fn stored_bytes(&self, bytes: &[u8], settings: &Settings) -> Json {
        if !settings.binary_bodies {
            return self.stored(None);
        }
        match self.secret_in(bytes, settings) {
            None => self.stored(Some(("base64", BASE64_STANDARD.encode(bytes).into()))),
            Some(Revealing::Text) => {
                let text = self.text(bytes, settings);
                self.stored(Some(("text", text)))
            }
            Some(Revealing::Bytes) => self.stored(None),
        }
    }

    /// Returns how bytes are written in which a secret is found; `None` if none is. Only what may be
    /// text is searched: in other bytes, three of them may read like a secret by chance.
    fn secret_in(&self, bytes: &[u8], settings: &Settings) -> Option<Revealing> {
        let start = self.content_type.get(.."multipart/".len());
        let is_multipart = start.is_some_and(|start| start.eq_ignore_ascii_case("multipart/"));
        let (text, revealing) = if has_wide_characters(self.content_type, bytes) {
            // Whatever their order, what is left are the letters of ASCII.
            let letters = bytes
                .iter()
                .copied()
                .filter(|byte| (1..0x80).contains(byte));
            let letters: Vec<u8> = letters.collect();
            let text = String::from_utf8_lossy(&letters).into_owned();
            (Cow::Owned(text), Revealing::Bytes)
        } else if is_text(bytes) {
            (String::from_utf8_lossy(bytes), Revealing::Text)
        } else if is_multipart {
            (String::from_utf8_lossy(bytes), Revealing::Bytes)
        } else {
            return None;
        };
        let is_found = settings.masking.mask_text(&text) != text;
        is_found.then_some(revealing)
    }
}

/// How bytes with a secret are written.
enum Revealing {
    Text,
    /// What is masked in them would be other bytes.
    Bytes,
}

/// Returns about the bytes that a value takes in memory.
pub(super) fn weight(value: &Json) -> usize {
    let own = size_of::<Json>();
    match value {
        Json::String(text) => own + text.capacity(),
        Json::Array(items) => own + items.iter().map(weight).sum::<usize>(),
        Json::Object(map) => own + weight_of_map(map),
        Json::Null | Json::Bool(_) | Json::Number(_) => own,
    }
}

/// Returns about the bytes that an object takes in memory.
pub(super) fn weight_of_map(map: &JsonMap) -> usize {
    let member =
        |(name, value): (&String, &Json)| size_of::<String>() + name.capacity() + weight(value);
    map.iter().map(member).sum()
}

/// How a body is written.
enum Form {
    Json,
    Fields,
    Text,
    /// Parts of text, which are masked as a text.
    Parts,
    Bytes,
}

impl Form {
    fn of(content_type: &str, bytes: &[u8]) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
        if has_wide_characters(content_type, bytes) {
            // No secret would be found in it.
            return Self::Bytes;
        }
        const TEXTS: [&str; 10] = [
            "javascript",
            "ecmascript",
            "xml",
            "x-ndjson",
            "ndjson",
            "jsonl",
            "json-seq",
            "yaml",
            "x-yaml",
            "graphql",
        ];
        match essence.as_str() {
            "" if is_text(bytes) => {
                let start = bytes.trim_ascii_start().first();
                if matches!(start, Some(b'{' | b'[')) {
                    Self::Json
                } else {
                    Self::Text
                }
            }
            "" => Self::Bytes,
            "application/x-www-form-urlencoded" => Self::Fields,
            _ if subtype == "json" || subtype.ends_with("+json") => Self::Json,
            "multipart/form-data" if is_text(bytes) => Self::Parts,
            _ if essence.starts_with("text/")
                || TEXTS.contains(&subtype)
                || subtype.ends_with("+xml")
                || subtype.ends_with("+yaml") =>
            {
                Self::Text
            }
            _ => Self::Bytes,
        }
    }
}

/// Whether bytes of an unknown type are text: the start of UTF-8 without control characters.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// Whether each character has two bytes or four: by the type, or by a mark at the start.
fn has_wide_characters(content_type: &str, bytes: &[u8]) -> bool {
    let charset = parameter(content_type, "charset").unwrap_or_default();
    let charset = charset.to_ascii_lowercase();
    ["utf-16", "utf-32", "utf16", "utf32", "ucs-2", "unicode"]
        .iter()
        .any(|name| charset.starts_with(name))
        || bytes.starts_with(&[0xff, 0xfe])
        || bytes.starts_with(&[0xfe, 0xff])
}

/// Returns a parameter of a content type.
fn parameter<'a>(content_type: &'a str, name: &str) -> Option<&'a str> {
    let mut parameters = content_type
        .split(';')
        .skip(1)
        .filter_map(|part| part.split_once('='));
    let (_, value) = parameters.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    Some(value.trim().trim_matches('"'))
}

struct Decompressed<'a> {
    bytes: Cow<'a, [u8]>,
    /// Whether it has more, or was cut.
    is_cut: bool,
}

/// Decompresses a body up to a limit. `None` if that is not possible.
fn decompressed<'a>(bytes: &'a [u8], encodings: &str, limit: usize) -> Option<Decompressed<'a>> {
    const MOST_ENCODINGS: usize = 4;
    let names: Vec<&str> = encodings
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"))
        .collect();
    if names.len() > MOST_ENCODINGS {
        return None;
    }
    let mut decompressed = Decompressed {
        bytes: Cow::Borrowed(bytes),
        is_cut: false,
    };
    for name in names.into_iter().rev() {
        let (bytes, is_cut) = decompressed_once(&decompressed.bytes, name, limit)?;
        decompressed.is_cut |= is_cut;
        decompressed.bytes = Cow::Owned(bytes);
    }
    Some(decompressed)
}

fn decompressed_once(bytes: &[u8], encoding: &str, limit: usize) -> Option<(Vec<u8>, bool)> {
    let read = |reader: &mut dyn std::io::Read| {
        let mut out = Vec::new();
        let most = limit as u64 + 1;
        // After an error, what was read before it is the start of the body.
        let is_broken = reader.take(most).read_to_end(&mut out).is_err();
        let is_cut = is_broken || out.len() > limit;
        out.truncate(limit);
        (out, is_cut)
    };
    let (out, is_cut) = match encoding.to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => read(&mut flate2::read::MultiGzDecoder::new(bytes)),
        "deflate" => {
            let zlib = read(&mut flate2::read::ZlibDecoder::new(bytes));
            if zlib.0.is_empty() {
                // Some send it without the header that HTTP asks for.
                read(&mut flate2::read::DeflateDecoder::new(bytes))
            } else {
                zlib
            }
        }
        "br" => read(&mut brotli_decompressor::Decompressor::new(bytes, 4096)),
        "zstd" => {
            // The most that HTTP has (RFC 9659). The decoder takes as much memory as a client asks for.
            const MOST_WINDOW: u64 = 8 * 1024 * 1024;
            let decoder = StreamingDecoder::new_with_max_window_size(bytes, MOST_WINDOW);
            read(&mut decoder.ok()?)
        }
        _ => return None,
    };
    (!out.is_empty()).then_some((out, is_cut))
}

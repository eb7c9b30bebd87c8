//! The comparison of a response with the captured one.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lookback_json::secrets::MASK;
use lookback_json::snapshot::described_body;

use super::body::{captured_size, data_url};
use super::ignore::{IgnoreRule, Ignored};
use super::json_diff::add_differences;
use super::masked;
use super::response::stored_response;
use crate::RequestSnapshot;
use crate::value::{Json, JsonMap};

/// The most differences that are kept; others are counted.
const MOST_DIFFERENCES: usize = 1_000;

/// How a response differs from the captured one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comparison {
    /// The captured status; `None` if there was no response.
    pub captured_status: Option<u16>,
    /// The status of the response.
    pub status: u16,
    /// The time until the end of the response, if it was measured.
    pub duration: Option<Duration>,
    /// The differences: status, headers, body. At most 1,000.
    pub differences: Vec<Difference>,
    /// Differences beyond these.
    pub more: usize,
    /// What was not compared, and why.
    pub not_compared: Vec<String>,
}

/// A difference of two responses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The place: `status`, `headers.NAME`, or a path into the body such as `$.items[0].id`. Items are
    /// counted as in the captured response, and one that was added as in the new one.
    pub place: String,
    /// What happened to it.
    pub kind: DifferenceKind,
    /// The captured value.
    pub captured: Option<Json>,
    /// The value of the response, with secrets masked.
    pub replayed: Option<Json>,
}

/// What happened to a place of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are no other kinds")]
pub enum DifferenceKind {
    /// Only the response has it.
    Added,
    /// Only the captured response has it.
    Removed,
    /// Both have it, with different values.
    Changed,
}

impl DifferenceKind {
    /// Returns its name: `added`, `removed` or `changed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

impl Difference {
    /// Returns the difference as JSON; a value that is not there is left out.
    fn to_json(&self) -> Json {
        let mut fields = JsonMap::from([
            ("place".to_owned(), self.place.as_str().into()),
            ("kind".to_owned(), self.kind.as_str().into()),
        ]);
        // Values keep every digit.
        for (name, value) in [("captured", &self.captured), ("replayed", &self.replayed)] {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value.clone());
            }
        }
        Json::Object(fields)
    }
}

impl Comparison {
    /// Returns the comparison as JSON: `status`, `duration` in milliseconds, `differences`,
    /// `more_differences` and `not_compared`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let milliseconds = self.duration.map(|duration| duration.as_millis());
        let milliseconds = milliseconds.map(|time| u64::try_from(time).unwrap_or(u64::MAX));
        let differences = self.differences.iter().map(Difference::to_json);
        let not_compared = self.not_compared.iter().map(|what| what.as_str().into());
        Json::Object(JsonMap::from([
            ("status".to_owned(), self.status.into()),
            (
                "duration".to_owned(),
                milliseconds.map_or(Json::Null, Json::from),
            ),
            ("differences".to_owned(), Json::Array(differences.collect())),
            ("more_differences".to_owned(), (self.more as u64).into()),
            (
                "not_compared".to_owned(),
                Json::Array(not_compared.collect()),
            ),
        ]))
    }

    /// Whether there are no differences.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }

    fn add(&mut self, difference: Difference) {
        if self.differences.len() < MOST_DIFFERENCES {
            self.differences.push(difference);
        } else {
            self.more += 1;
        }
    }

    fn add_change(&mut self, place: &str, captured: Option<Json>, replayed: Option<Json>) {
        let kind = match (&captured, &replayed) {
            (None, _) => DifferenceKind::Added,
            (_, None) => DifferenceKind::Removed,
            _ => DifferenceKind::Changed,
        };
        self.add(Difference {
            place: place.to_owned(),
            kind,
            captured,
            replayed,
        });
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_same() {
            return f.write_str("the same response");
        }
        for (place, difference) in self.differences.iter().enumerate() {
            write!(f, "{}{difference}", if place > 0 { "\n" } else { "" })?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<Json>| Shown(value.clone().unwrap_or_default());
        let Self {
            place,
            captured,
            replayed,
            ..
        } = self;
        match self.kind {
            DifferenceKind::Added => write!(f, "{place}: {} added", value(replayed)),
            DifferenceKind::Removed => write!(f, "{place}: {} removed", value(captured)),
            DifferenceKind::Changed => {
                write!(f, "{place}: {} → {}", value(captured), value(replayed))
            }
        }
    }
}

/// A value on a line, cut if it is long.
struct Shown(Json);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST_BYTES: usize = 120;
        let text = self.0.to_string();
        let cut = &text[..text.floor_char_boundary(MOST_BYTES)];
        write!(f, "{cut}{}", if cut.len() < text.len() { "…" } else { "" })
    }
}

/// Compares a response with the captured one.
///
/// [`IGNORED_HEADERS`](super::IGNORED_HEADERS) and the places of the rules are not compared. A
/// masked part of a captured value equals any text, and numbers are equal if their values are.
#[must_use]
pub fn compare(
    snapshot: &RequestSnapshot,
    response: &http::Response<Vec<u8>>,
    rules: &[IgnoreRule],
) -> Comparison {
    let ignored = Ignored::new(rules);
    let status = response.status().as_u16();
    let captured_status = snapshot
        .status_code
        .and_then(|code| u16::try_from(code).ok());
    let mut comparison = Comparison {
        captured_status,
        status,
        ..Comparison::default()
    };
    if captured_status != Some(status) && !ignored.status() {
        let captured = captured_status.map(Json::from);
        comparison.add_change("status", captured, Some(status.into()));
    }
    if captured_status.is_none() {
        comparison
            .not_compared
            .push("no response was captured".to_owned());
        return comparison;
    }
    let (headers, body) = stored_response(response);
    let captured_headers = snapshot.response_headers.as_ref().and_then(Json::as_object);
    match captured_headers {
        Some(captured) => compare_headers(captured, &headers, &ignored, &mut comparison),
        None => comparison
            .not_compared
            .push("no headers were captured".to_owned()),
    }
    if !ignored.body(&[]) {
        let none = JsonMap::new();
        let size = captured_size(captured_headers.unwrap_or(&none), "response_size");
        let bodies = Bodies {
            captured: snapshot.response_body.as_ref(),
            captured_size: size,
            replayed: body.as_ref(),
            bytes: response.body(),
        };
        bodies.compare(&ignored, &mut comparison);
    }
    comparison
}

fn compare_headers(
    captured: &JsonMap,
    replayed: &JsonMap,
    ignored: &Ignored<'_>,
    comparison: &mut Comparison,
) {
    let mut known = Vec::new();
    for (name, value) in captured {
        let name = name.to_ascii_lowercase();
        if matches!(&*name, "error" | "response_size") {
            continue;
        }
        let name = name.strip_prefix("header.").unwrap_or(&name).to_owned();
        let is_header = match value {
            Json::String(_) => http::HeaderName::try_from(&*name).is_ok(),
            Json::Array(values) => values.iter().all(Json::is_string),
            // Fields that an import keeps here.
            _ => false,
        };
        if !is_header {
            continue;
        }
        known.push(name.clone());
        if ignored.header(&name) {
            continue;
        }
        let other = replayed.get(&name);
        if !other.is_some_and(|other| is_same_header(value, other)) {
            let place = format!("headers.{name}");
            comparison.add_change(&place, Some(value.clone()), other.cloned());
        }
    }
    for (name, value) in replayed {
        if !known.contains(name) && !ignored.header(name) {
            comparison.add_change(&format!("headers.{name}"), None, Some(value.clone()));
        }
    }
}

fn is_same_header(captured: &Json, replayed: &Json) -> bool {
    match (captured, replayed) {
        (Json::String(captured), Json::String(replayed)) => masked::matches(captured, replayed),
        (Json::Array(captured), Json::Array(replayed)) => {
            let mut pairs = captured.iter().zip(replayed);
            captured.len() == replayed.len() && pairs.all(|(one, other)| is_same_header(one, other))
        }
        (captured, replayed) => captured == replayed,
    }
}

/// Two bodies to compare.
struct Bodies<'a> {
    captured: Option<&'a Json>,
    captured_size: Option<u64>,
    /// The body in the form of captured ones.
    replayed: Option<&'a Json>,
    bytes: &'a [u8],
}

impl Bodies<'_> {
    fn compare(&self, ignored: &Ignored<'_>, comparison: &mut Comparison) {
        let Some(captured) = self.captured else {
            match (self.captured_size, self.replayed) {
                (_, None) => {}
                (Some(0), Some(body)) => comparison.add_change("$", None, Some(body.clone())),
                _ => comparison
                    .not_compared
                    .push("no body was captured".to_owned()),
            }
            return;
        };
        if let Some(about) = described_body(captured) {
            self.compare_described(about, comparison);
            return;
        }
        let Some(replayed) = self.replayed else {
            comparison.add_change("$", Some(captured.clone()), None);
            return;
        };
        let bytes = captured.as_str().and_then(data_url);
        if let Some(bytes) = bytes {
            if bytes != self.bytes {
                let captured = Json::from(format!("{} bytes", bytes.len()));
                comparison.add_change("$", Some(captured), Some(self.size()));
            }
            return;
        }
        add_differences(captured, replayed, ignored, &mut |difference| {
            comparison.add(difference);
        });
    }

    fn size(&self) -> Json {
        Json::from(format!("{} bytes", self.bytes.len()))
    }

    /// Compares with a body that was not stored as it is: as far as it was.
    fn compare_described(&self, about: &JsonMap, comparison: &mut Comparison) {
        let is_truncated = about.get("truncated").and_then(Json::as_bool) == Some(true);
        let content = |name: &str| about.get(name).and_then(Json::as_str);
        let text = content("text").filter(|text| !text.contains(MASK));
        let bytes: Option<Cow<'_, [u8]>> = match (text, content("base64")) {
            (Some(text), _) => Some(text.as_bytes().into()),
            (None, Some(text)) => BASE64_STANDARD.decode(text).ok().map(Cow::Owned),
            (None, None) => None,
        };
        let is_same = match (&bytes, is_truncated) {
            (Some(bytes), true) => self.bytes.starts_with(bytes),
            (Some(bytes), false) => self.bytes == &**bytes,
            (None, _) => true,
        };
        if !is_same {
            let captured = Some(Json::Object(about.clone()));
            comparison.add_change("$", captured, Some(self.size()));
        } else if let (Some(bytes), true) = (&bytes, is_truncated) {
            let bytes = bytes.len();
            let reason = format!("only the first {bytes} bytes of the body were captured");
            comparison.not_compared.push(reason);
        } else if bytes.is_none() {
            comparison
                .not_compared
                .push("the body was not captured".to_owned());
        }
    }
}

#[cfg(test)]
mod tests;

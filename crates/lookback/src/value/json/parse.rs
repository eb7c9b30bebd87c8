//! Parsing JSON.
//!
//! `serde_json` validates the text, without building a value. The value is then
//! built from the validated text.

use std::fmt;

use serde_json::value::RawValue;

use super::{Json, JsonMap, JsonNumber};

/// Text that is not JSON.
#[derive(Debug)]
pub struct JsonError(Reason);

#[derive(Debug)]
enum Reason {
    Syntax(serde_json::Error),
    Expected(&'static str),
}

impl JsonError {
    pub(super) fn expected(expected: &'static str) -> Self {
        Self(Reason::Expected(expected))
    }
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self(Reason::Syntax(error))
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Syntax(error) => error.fmt(f),
            Reason::Expected(expected) => write!(f, "expected {expected}"),
        }
    }
}

impl std::error::Error for JsonError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Reason::Syntax(error) => Some(error),
            Reason::Expected(_) => None,
        }
    }
}

/// The maximum depth of nesting, the same as in `serde_json`.
const MAX_DEPTH: usize = 127;

pub(super) fn parse_bytes(bytes: &[u8]) -> Result<Json, JsonError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text),
        // The error of `serde_json` has the position.
        Err(_) => match serde_json::from_slice::<serde_json::Value>(bytes) {
            Err(error) => Err(error.into()),
            Ok(_) => Err(JsonError::expected("UTF-8")),
        },
    }
}

/// Parses a stored document, which may be nested deeper: an array or object below the
/// deepest level is read as a string of its text.
pub(super) fn parse_stored(bytes: &[u8]) -> Result<Json, JsonError> {
    parse_bytes(bytes).or_else(|error| {
        let text = std::str::from_utf8(bytes).map_err(|_| error)?;
        let raw: &RawValue = serde_json::from_str(text)?;
        let mut builder = Builder {
            rest: raw.get(),
            clips: true,
        };
        builder.value(0).ok_or(JsonError::expected("JSON"))
    })
}

pub(super) fn parse(text: &str) -> Result<Json, JsonError> {
    let raw: &RawValue = serde_json::from_str(text)?;
    let mut builder = Builder {
        rest: raw.get(),
        clips: false,
    };
    if let Some(json) = builder.value(0) {
        return Ok(json);
    }
    // The validation covers neither lone surrogate escapes nor the depth of
    // nesting.
    match serde_json::from_str::<serde_json::Value>(text) {
        Err(error) => Err(error.into()),
        Ok(_) => Err(JsonError::expected("JSON")),
    }
}

/// Builds a value from validated text. `None` for an error that the validation
/// does not find.
struct Builder<'a> {
    rest: &'a str,
    /// Whether values below the deepest level become strings.
    clips: bool,
}

impl<'a> Builder<'a> {
    fn value(&mut self, depth: usize) -> Option<Json> {
        self.skip_white_space();
        match self.rest.as_bytes().first()? {
            b'n' => self.take("null", Json::Null),
            b't' => self.take("true", Json::Bool(true)),
            b'f' => self.take("false", Json::Bool(false)),
            b'"' => self.string().map(Json::String),
            b'[' | b'{' if self.clips && depth == MAX_DEPTH => {
                self.nested().map(|text| Json::String(text.to_owned()))
            }
            b'[' => self.array(depth + 1).map(Json::Array),
            b'{' => self.object(depth + 1).map(Json::Object),
            _ => self.number().map(Json::Number),
        }
    }

    fn array(&mut self, depth: usize) -> Option<Vec<Json>> {
        let mut items = Vec::new();
        self.advance(1);
        if depth > MAX_DEPTH {
            return None;
        }
        if self.take_if(b']') {
            return Some(items);
        }
        loop {
            items.push(self.value(depth)?);
            if !self.take_if(b',') {
                return self.take_if(b']').then_some(items);
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<JsonMap> {
        let mut map = JsonMap::new();
        self.advance(1);
        if depth > MAX_DEPTH {
            return None;
        }
        if self.take_if(b'}') {
            return Some(map);
        }
        loop {
            self.skip_white_space();
            let key = self.string()?;
            if !self.take_if(b':') {
                return None;
            }
            // If a key occurs twice, the last value counts, as in `jsonb`.
            map.insert(key, self.value(depth)?);
            if !self.take_if(b',') {
                return self.take_if(b'}').then_some(map);
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        let bytes = self.rest.as_bytes();
        let mut at = 1;
        let mut has_escape = false;
        loop {
            at += bytes
                .get(at..)?
                .iter()
                .position(|b| matches!(b, b'"' | b'\\'))?;
            if bytes[at] == b'"' {
                break;
            }
            has_escape = true;
            at += 2;
        }
        let quoted = self.advance(at + 1);
        if has_escape {
            serde_json::from_str(quoted).ok()
        } else {
            Some(quoted[1..at].to_owned())
        }
    }

    /// Takes the text of an array or object, however deep it is.
    fn nested(&mut self) -> Option<&'a str> {
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        for (at, byte) in self.rest.bytes().enumerate() {
            if in_string {
                in_string = escaped || byte != b'"';
                escaped = !escaped && byte == b'\\';
                continue;
            }
            match byte {
                b'"' => in_string = true,
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(self.advance(at + 1));
            }
        }
        None
    }

    fn number(&mut self) -> Option<JsonNumber> {
        let is_part = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.rest.bytes().take_while(is_part).count();
        (length > 0).then(|| JsonNumber::from_valid(self.advance(length)))
    }

    fn take(&mut self, word: &str, json: Json) -> Option<Json> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(json)
    }

    fn take_if(&mut self, byte: u8) -> bool {
        self.skip_white_space();
        let found = self.rest.as_bytes().first() == Some(&byte);
        if found {
            self.advance(1);
        }
        found
    }

    fn skip_white_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
    }

    /// Skips text up to a character boundary, and returns it.
    fn advance(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }
}

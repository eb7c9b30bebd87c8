//! Parsing JSON, in one pass.
//!
//! Text that is not JSON is then read by `serde_json`, whose errors have the position.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use super::{Json, JsonMap, JsonNumber, JsonRef};

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
    parse(utf8(bytes)?)
}

/// Returns bytes as text.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, JsonError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
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
        // The text below the deepest level is not parsed.
        let raw: &RawValue = serde_json::from_str(text)?;
        let parser = Parser {
            text: raw.get(),
            at: 0,
            clips: true,
            has_escape: false,
        };
        parser.document().ok_or(JsonError::expected("JSON"))
    })
}

pub(super) fn parse<'a, T: Tree<'a>>(text: &'a str) -> Result<T, JsonError> {
    let parser = Parser {
        text,
        at: 0,
        clips: false,
        has_escape: false,
    };
    if let Some(value) = parser.document() {
        return Ok(value);
    }
    let _: &RawValue = serde_json::from_str(text)?;
    // That does not see lone surrogate escapes and the depth of nesting.
    match serde_json::from_str::<serde_json::Value>(text) {
        Err(error) => Err(error.into()),
        Ok(_) => Err(JsonError::expected("JSON")),
    }
}

/// What is built from the parts of a text.
///
/// A value is made where it stays: moving one costs about as much as reading it.
pub(super) trait Tree<'a>: Sized {
    /// The members of an object that is being read.
    type Members: Default;

    /// The members of an object that is likely a record of many.
    fn members_of_record() -> Self::Members {
        Self::Members::default()
    }

    fn null() -> Self;
    fn boolean(value: bool) -> Self;
    /// From the text of a number.
    fn number(text: &'a str) -> Self;
    fn string(text: Cow<'a, str>) -> Self;
    fn array(items: Vec<Self>) -> Self;
    fn add(members: &mut Self::Members, key: Cow<'a, str>, value: Self);
    /// Adds a member, and returns the place of its value.
    fn add_null<'m>(members: &'m mut Self::Members, key: Cow<'a, str>) -> Option<&'m mut Self>;
    /// If a key occurs twice, the last value counts, as in `jsonb`.
    fn object(members: Self::Members) -> Self;
}

impl<'a> Tree<'a> for Json {
    type Members = JsonMap;

    fn null() -> Self {
        Self::Null
    }

    fn boolean(value: bool) -> Self {
        Self::Bool(value)
    }

    fn number(text: &'a str) -> Self {
        Self::Number(JsonNumber::from_valid(text))
    }

    fn string(text: Cow<'a, str>) -> Self {
        Self::String(text.into_owned())
    }

    fn array(items: Vec<Self>) -> Self {
        Self::Array(items)
    }

    fn add(members: &mut JsonMap, key: Cow<'a, str>, value: Self) {
        members.insert(key.into_owned(), value);
    }

    fn add_null<'m>(members: &'m mut JsonMap, key: Cow<'a, str>) -> Option<&'m mut Self> {
        Some(members.get_or_insert_null(key.into_owned()))
    }

    fn object(members: JsonMap) -> Self {
        Self::Object(members)
    }
}

impl<'a> Tree<'a> for JsonRef<'a> {
    type Members = Vec<(Cow<'a, str>, Self)>;

    fn members_of_record() -> Self::Members {
        Vec::with_capacity(12)
    }

    fn null() -> Self {
        Self::Null
    }

    fn boolean(value: bool) -> Self {
        Self::Bool(value)
    }

    fn number(text: &'a str) -> Self {
        Self::Number(text)
    }

    fn string(text: Cow<'a, str>) -> Self {
        Self::String(text)
    }

    fn array(items: Vec<Self>) -> Self {
        Self::Array(items)
    }

    // Called, it would get both by way of memory, which takes longer than the rest of it.
    #[inline(always)]
    fn add(members: &mut Self::Members, key: Cow<'a, str>, value: Self) {
        // Where the list need not grow, both are written to their place at once.
        if members.len() == members.capacity() {
            add_grown(members, key, value);
        } else {
            members.push((key, value));
        }
    }

    fn add_null<'m>(members: &'m mut Self::Members, key: Cow<'a, str>) -> Option<&'m mut Self> {
        Self::add(members, key, Self::Null);
        members.last_mut().map(|(_, value)| value)
    }

    fn object(mut members: Self::Members) -> Self {
        super::borrowed::keep_last(&mut members);
        Self::Object(members)
    }
}

#[cold]
fn add_grown<'a>(
    members: &mut Vec<(Cow<'a, str>, JsonRef<'a>)>,
    key: Cow<'a, str>,
    value: JsonRef<'a>,
) {
    // Objects within a record have few members, and there may be very many.
    members.reserve_exact(members.len().max(1));
    members.push((key, value));
}

/// Reads text from its start. Each function returns `None` for text that is not JSON.
struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Whether values below the deepest level become strings.
    clips: bool,
    /// Whether the last string has an escape.
    has_escape: bool,
}

impl<'a> Parser<'a> {
    fn document<T: Tree<'a>>(mut self) -> Option<T> {
        let mut value = T::null();
        self.value(0, &mut value)?;
        self.peek().is_none().then_some(value)
    }

    fn value<T: Tree<'a>>(&mut self, depth: usize, value: &mut T) -> Option<()> {
        match self.peek()? {
            b'"' => {
                let start = self.at;
                self.skip_string()?;
                // Two writes, so that the parts of the text go to their place at once.
                if self.has_escape {
                    *value = T::string(Cow::Owned(self.unescaped(start)?));
                } else {
                    *value = T::string(Cow::Borrowed(self.plain(start)));
                }
            }
            b'n' => *value = self.word("null").then(T::null)?,
            b't' => *value = self.word("true").then(|| T::boolean(true))?,
            b'f' => *value = self.word("false").then(|| T::boolean(false))?,
            b'[' | b'{' if depth == MAX_DEPTH => {
                let text = self.clips.then(|| self.nested()).flatten()?;
                *value = T::string(Cow::Borrowed(text));
            }
            b'[' => *value = T::array(self.array(depth + 1)?),
            b'{' => *value = T::object(self.object::<T>(depth + 1)?),
            _ => *value = T::number(self.number()?),
        }
        Some(())
    }

    fn array<T: Tree<'a>>(&mut self, depth: usize) -> Option<Vec<T>> {
        let mut items = Vec::new();
        self.at += 1;
        if self.take(b']') {
            return Some(items);
        }
        loop {
            items.push(T::null());
            self.value(depth, items.last_mut()?)?;
            if !self.take(b',') {
                return self.take(b']').then_some(items);
            }
        }
    }

    fn object<T: Tree<'a>>(&mut self, depth: usize) -> Option<T::Members> {
        self.at += 1;
        let mut members = if depth == 1 {
            T::members_of_record()
        } else {
            T::Members::default()
        };
        if self.take(b'}') {
            return Some(members);
        }
        loop {
            if self.peek()? != b'"' {
                return None;
            }
            let start = self.at;
            self.skip_string()?;
            if self.has_escape {
                self.member_of_escaped_key::<T>(depth, &mut members, start)?;
            } else {
                let key = self.plain(start);
                self.member::<T>(depth, &mut members, key)?;
            }
            if !self.take(b',') {
                return self.take(b'}').then_some(members);
            }
        }
    }

    /// Skips a string, and notes whether it has an escape.
    fn skip_string(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        self.has_escape = false;
        loop {
            end += plain_length(bytes.get(end..)?);
            match bytes.get(end)? {
                b'"' => break,
                b'\\' => {
                    self.has_escape = true;
                    end += 2;
                }
                // A control character.
                _ => return None,
            }
        }
        self.at = end + 1;
        Some(())
    }

    /// Returns the text of the string that was skipped, from its first quote on. It has no escape.
    fn plain(&self, start: usize) -> &'a str {
        &self.text[start + 1..self.at - 1]
    }

    /// As [`plain`](Self::plain), of a string with escapes.
    #[cold]
    fn unescaped(&self, start: usize) -> Option<String> {
        serde_json::from_str(&self.text[start..self.at]).ok()
    }

    /// Reads the colon and the value of a key.
    #[inline]
    fn member<T: Tree<'a>>(
        &mut self,
        depth: usize,
        members: &mut T::Members,
        key: &'a str,
    ) -> Option<()> {
        if !self.take(b':') {
            return None;
        }
        let key = Cow::Borrowed(key);
        match self.peek()? {
            // The commonest ones: the parts of the key and of the value go to their place at once.
            b'"' => {
                let start = self.at;
                self.skip_string()?;
                if !self.has_escape {
                    T::add(members, key, T::string(Cow::Borrowed(self.plain(start))));
                    return Some(());
                }
                self.at = start;
            }
            b'0'..=b'9' => {
                T::add(members, key, T::number(self.number()?));
                return Some(());
            }
            _ => {}
        }
        self.value(depth, T::add_null(members, key)?)
    }

    /// As [`member`](Self::member), with a key that was skipped from its first quote on.
    #[cold]
    #[inline(never)]
    fn member_of_escaped_key<T: Tree<'a>>(
        &mut self,
        depth: usize,
        members: &mut T::Members,
        start: usize,
    ) -> Option<()> {
        let key = Cow::Owned(self.unescaped(start)?);
        if !self.take(b':') {
            return None;
        }
        self.value(depth, T::add_null(members, key)?)
    }

    /// Takes the text of an array or object, however deep it is.
    fn nested(&mut self) -> Option<&'a str> {
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        for (at, byte) in self.text[self.at..].bytes().enumerate() {
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
                let start = self.at;
                self.at += at + 1;
                return Some(&self.text[start..self.at]);
            }
        }
        None
    }

    fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.take_byte(b'-');
        match self.digits() {
            0 => return None,
            1 => {}
            // No zero before other digits.
            length if self.text.as_bytes()[self.at - length] == b'0' => return None,
            _ => {}
        }
        // Most numbers are integers.
        if !matches!(self.text.as_bytes().get(self.at), Some(b'.' | b'e' | b'E')) {
            return Some(&self.text[start..self.at]);
        }
        if self.take_byte(b'.') && self.digits() == 0 {
            return None;
        }
        if self.take_byte(b'e') || self.take_byte(b'E') {
            let _ = self.take_byte(b'+') || self.take_byte(b'-');
            if self.digits() == 0 {
                return None;
            }
        }
        Some(&self.text[start..self.at])
    }

    /// Takes digits, and returns their number.
    fn digits(&mut self) -> usize {
        let rest = &self.text.as_bytes()[self.at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        digits
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        if found {
            self.at += word.len();
        }
        found
    }

    /// Takes a byte behind white space.
    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn take_byte(&mut self, byte: u8) -> bool {
        let found = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    /// Skips white space, and returns the byte behind it.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match *bytes.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }
}

/// The number of bytes before a quotation mark, a backslash or a control character.
fn plain_length(bytes: &[u8]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    // The lowest bit of the result is right; a borrow may set higher ones.
    let below = |word: u64, byte: u64| word.wrapping_sub(byte * EACH) & !word & HIGH;
    let mut words = bytes.chunks_exact(8);
    let mut at = 0;
    for word in &mut words {
        let word = word.try_into().map_or(0, u64::from_le_bytes);
        let found = below(word, 0x20)
            | below(word ^ (u64::from(b'"') * EACH), 1)
            | below(word ^ (u64::from(b'\\') * EACH), 1);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20);
    let rest = words.remainder();
    at + rest.iter().position(is_special).unwrap_or(rest.len())
}

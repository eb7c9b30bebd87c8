//! Masks secrets in headers, queries, bodies and other fields.
//!
//! A value is masked by its name (a header, a parameter, a key of JSON at any depth), or by its
//! form (the credentials of `Bearer` and `Basic` and in URLs, tokens of well-known services, private
//! keys, and in a text a secret parameter, or a secret member of JSON or of a printed object).

mod forms;
mod named;
mod names;
mod values;

use std::borrow::Cow;
use std::ops::Range;

use crate::{Json, JsonMap};

pub use names::is_secret_name;

/// What is stored instead of a secret.
pub const MASK: &str = "[masked]";

/// Masks the secrets in an object, at any depth, and replaces what PostgreSQL cannot store.
pub fn mask_object(map: &mut JsonMap) {
    // Headers and cookies may be a list of names and values.
    if let (Some(Json::String(name)), true) = (map.get("name"), map.contains_key("value"))
        && is_secret_name(name)
    {
        map.insert("value".to_owned(), MASK.into());
    }
    replace_nul_in_names(map);
    for (key, value) in map.iter_mut() {
        mask_field(is_secret_name(key), value);
    }
}

/// Masks a field, whose name may be that of a secret.
pub fn mask_field(is_secret: bool, value: &mut Json) {
    if is_secret && !is_harmless(value) {
        mask_all(value);
    } else {
        mask(value);
    }
}

fn replace_nul_in_names(map: &mut JsonMap) {
    if map.keys().any(|key| key.contains('\0')) {
        for (key, value) in std::mem::take(map) {
            map.insert(without_nul(key), value);
        }
    }
}

/// Whether PostgreSQL stores a number in `jsonb`. One that is beyond any use is kept as its text.
pub fn is_storable(number: &str) -> bool {
    const MOST: usize = 10_000;
    let exponent = || number.rsplit_once(['e', 'E']).map(|(_, exponent)| exponent);
    let is_small = |exponent: &str| exponent.parse::<i32>().is_ok_and(|e| e.abs() <= 10_000);
    number.len() <= MOST && (number.len() < 4 || exponent().is_none_or(is_small))
}

/// Masks the secrets in a value.
pub fn mask(value: &mut Json) {
    match value {
        Json::String(text) => {
            if let Cow::Owned(masked) = mask_text(text) {
                *text = masked;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(mask),
        Json::Object(map) => mask_object(map),
        Json::Number(number) if !is_storable(number.as_str()) => {
            *value = Json::String(number.as_str().to_owned());
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// Whether a value with a secret name says only that there is one, or none.
fn is_harmless(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(_) => true,
        Json::String(text) => text.is_empty() || text == "REDACTED" || text == "[Redacted]",
        _ => false,
    }
}

/// Masks each value, and keeps the names.
fn mask_all(value: &mut Json) {
    match value {
        Json::Object(map) => {
            replace_nul_in_names(map);
            let is_pair = map.contains_key("name") && map.contains_key("value");
            for (key, value) in map.iter_mut() {
                if !(is_pair && key != "value") {
                    mask_all(value);
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(mask_all),
        Json::Null | Json::Bool(_) => {}
        Json::String(_) | Json::Number(_) => *value = MASK.into(),
    }
}

/// Masks credentials, tokens, secret parameters and secret members in a text, and replaces NUL.
///
/// The time is linear in the length of the text.
#[must_use]
pub fn mask_text(text: &str) -> Cow<'_, str> {
    // A mask may show that what is around it is part of the secret.
    const MOST: usize = 4;
    let mut masked = mask_once(text);
    for _ in 0..MOST {
        match &masked {
            Cow::Owned(once) => match mask_once(once) {
                Cow::Owned(again) if again != *once => masked = Cow::Owned(again),
                _ => break,
            },
            Cow::Borrowed(_) => break,
        }
    }
    masked
}

fn mask_once(text: &str) -> Cow<'_, str> {
    let found = Suspicious::in_text(text);
    let mut masked = Cow::Borrowed(text);
    if found.nul {
        masked = Cow::Owned(without_nul(text.to_owned()));
    }
    let mut apply = |mask: &dyn Fn(&str) -> Option<String>| {
        if let Some(text) = mask(&masked) {
            masked = Cow::Owned(text);
        }
    };
    if found.token {
        apply(&forms::mask_tokens);
    }
    if found.url {
        apply(&forms::mask_urls);
    }
    if found.scheme {
        for scheme in ["Bearer ", "bearer ", "Basic ", "basic "] {
            apply(&|text| forms::mask_after(text, scheme));
        }
    }
    if found.parameter {
        apply(&named::mask_parameters);
    }
    if found.member {
        apply(&named::mask_members);
    }
    masked
}

/// What a look at each byte of a text finds.
#[derive(Clone, Copy, Debug, Default)]
struct Suspicious {
    nul: bool,
    /// The last letter of the name of a scheme, such as `Bearer `, and a blank.
    scheme: bool,
    /// The `=` of a parameter.
    parameter: bool,
    /// The colon of a member.
    member: bool,
    /// The colon and the `@` of a URL with credentials.
    url: bool,
    /// A mark of the tokens of services.
    token: bool,
}

const NUL: u8 = 1;
const EQUALS: u8 = 2;
/// The last letter of the name of a scheme.
const LAST_OF_SCHEME: u8 = 4;
const BLANK: u8 = 8;
const AT: u8 = 16;
const COLON: u8 = 32;
/// Letters that few texts have, of what tokens begin with: `ghp_`, `glpat-`, `eyJ`.
const MARK: u8 = 64;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    classes[0] = NUL;
    classes[b'=' as usize] = EQUALS;
    classes[b'r' as usize] = LAST_OF_SCHEME;
    classes[b'c' as usize] = LAST_OF_SCHEME;
    classes[b' ' as usize] = BLANK;
    classes[b'@' as usize] = AT;
    classes[b':' as usize] = COLON;
    classes[b'_' as usize] = MARK;
    classes[b'-' as usize] = MARK;
    classes[b'J' as usize] = MARK;
    classes
};

fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

impl Suspicious {
    fn in_text(text: &str) -> Self {
        let bytes = text.as_bytes();
        let classes = bytes.iter().fold(0, |found, byte| found | class(*byte));
        let has = |wanted: u8| classes & wanted == wanted;
        // Most texts have not both of them. The fold is without a way out, so that many bytes are
        // looked at together.
        let pairs = bytes.iter().zip(bytes.get(1..).unwrap_or_default());
        let scheme = |found, (byte, next): (&u8, &u8)| {
            found | ((*byte == b'r') | (*byte == b'c')) & (*next == b' ')
        };
        Self {
            nul: has(NUL),
            parameter: has(EQUALS),
            scheme: has(LAST_OF_SCHEME | BLANK) && pairs.fold(false, scheme),
            member: has(COLON),
            url: has(COLON | AT),
            token: has(MARK) && bytes.len() >= forms::MIN_TOKEN,
        }
    }
}

/// A text in which secrets are masked, from its start to its end.
struct Masked<'a> {
    text: &'a str,
    masked: String,
    /// Where the last secret ended.
    done: usize,
}

impl<'a> Masked<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            masked: String::new(),
            done: 0,
        }
    }

    fn mask(&mut self, secret: Range<usize>) {
        self.mask_quoted(secret, "");
    }

    fn mask_quoted(&mut self, secret: Range<usize>, quote: &str) {
        let before = &self.text[self.done..secret.start];
        self.masked.extend([before, quote, MASK, quote]);
        self.done = secret.end;
    }

    /// Returns the text. `None` if it has no secrets.
    fn finish(self) -> Option<String> {
        (self.done > 0).then(|| self.masked + &self.text[self.done..])
    }
}

/// PostgreSQL stores no NUL: its picture stands for it.
fn without_nul(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{2400}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests;

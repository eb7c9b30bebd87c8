//! Masks secrets in headers, queries, bodies and other fields.
//!
//! A value is masked by its name (a header, a parameter, a key of JSON at any depth), or by its
//! form (the credentials of `Bearer` and `Basic` and in URLs, tokens of well-known services, numbers
//! of cards, private keys, and in a text a secret parameter, or a secret member of JSON, of XML or
//! of a printed object).
//!
//! [`Masking`] has the rules. The functions of this module mask by the default ones.
//!
//! ```
//! use lookback_json::secrets::Masking;
//!
//! let masking = Masking::new().mask_name("member-number");
//! let mut body = r#"{"user": "anna", "password": "hunter2", "memberNumber": 17}"#.parse()?;
//! masking.mask(&mut body);
//! assert_eq!(body.to_string(), r#"{"memberNumber":"[masked]","password":"[masked]","user":"anna"}"#);
//! assert_eq!(masking.mask_header("Authorization", "Bearer abc.def"), "Bearer [masked]");
//! assert_eq!(masking.mask_text("/reset?token=abc&page=2"), "/reset?token=[masked]&page=2");
//! # Ok::<(), lookback_json::JsonError>(())
//! ```

mod cards;
mod encoded;
mod forms;
mod headers;
mod markup;
mod named;
mod names;
mod text;
mod unlisted;
mod values;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{Json, JsonMap};
use names::Look;

/// What is stored instead of a secret.
pub const MASK: &str = "[masked]";

/// The start of a mask with the hash of the secret.
const MASK_WITH_HASH: &str = "[masked:";

/// The number of hexadecimal digits of a hash.
const HASH_DIGITS: usize = 16;

static DEFAULT: Masking = Masking::new();

/// Which values are secrets, and what is stored instead of them.
///
/// The default rules mask by name and by form. [`mask_name`](Self::mask_name) and
/// [`keep_name`](Self::keep_name) change them for a name, and [`allow_only`](Self::allow_only) masks
/// every value whose name is not listed. Names are compared without their case, `-`, `_`, `.` and
/// blanks; behind a dot or a bracket is a name, too: `user.password`, `user[password]`.
///
/// What is masked stays so: masking it again changes nothing. The time is linear in the length of
/// what is masked.
#[derive(Clone)]
pub struct Masking {
    /// As [`names::plain`] returns them.
    masked: BTreeSet<String>,
    kept: BTreeSet<String>,
    allowed: Option<BTreeSet<String>>,
    key: Option<Box<Hmac<Sha256>>>,
}

/// The default rules.
impl Default for Masking {
    fn default() -> Self {
        Self::new()
    }
}

/// The key of the hash is not shown.
impl fmt::Debug for Masking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masking")
            .field("masked", &self.masked)
            .field("kept", &self.kept)
            .field("allowed", &self.allowed)
            .field("has_key", &self.key.is_some())
            .finish()
    }
}

impl Masking {
    /// Returns the default rules.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            masked: BTreeSet::new(),
            kept: BTreeSet::new(),
            allowed: None,
            key: None,
        }
    }

    /// Masks values with this name, too.
    #[must_use]
    pub fn mask_name(mut self, name: impl Into<String>) -> Self {
        let name = names::plain(&name.into());
        self.kept.remove(&name);
        self.masked.insert(name);
        self
    }

    /// Keeps values with this name, unless their form shows that they are secrets.
    ///
    /// A JSON Web Token is masked whatever its name is.
    #[must_use]
    pub fn keep_name(mut self, name: impl Into<String>) -> Self {
        let name = names::plain(&name.into());
        self.masked.remove(&name);
        self.kept.insert(name);
        self
    }

    /// Masks each text, number and boolean, unless its name is listed.
    ///
    /// A name counts at any depth, for the value that it stands before, and for the items of an
    /// array: to keep `{"user": {"id": 1}}`, list `id`. `null` and empty texts stay. Secrets that
    /// their form shows are masked under a listed name, too. In a text, a value is what stands
    /// behind a name and a `=` or `:`; the words of a sentence stay.
    ///
    /// A second call adds names to the list.
    #[must_use]
    pub fn allow_only<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let names = names.into_iter().map(|name| names::plain(&name.into()));
        self.allowed.get_or_insert_default().extend(names);
        self
    }

    /// Stores a keyed hash of each secret: `[masked:9f86d081884c7d65]`.
    ///
    /// The same secret has the same hash, so that records with it can be found together. It is the
    /// start of an HMAC-SHA256. Who has the key can try likely secrets, such as all numbers of a PIN:
    /// keep it as secret as they are. Keys of any length are accepted; 32 random bytes are enough.
    ///
    /// The secret is hashed as it is written: in a URL `a%40b` has another hash than `a@b` in JSON.
    #[must_use]
    pub fn hash_with(mut self, key: impl AsRef<[u8]>) -> Self {
        let hmac = Hmac::new_from_slice(key.as_ref());
        self.key =
            Some(Box::new(hmac.unwrap_or_else(|_| {
                unreachable!("a key of HMAC has any length")
            })));
        self
    }

    /// Whether the value with this name is a secret, whatever it is.
    #[must_use]
    pub fn is_secret_name(&self, name: &str) -> bool {
        if self.has_default_names() {
            names::is_secret_name(name)
        } else {
            self.is_secret_by_lists(name)
        }
    }

    fn has_default_names(&self) -> bool {
        self.masked.is_empty() && self.kept.is_empty() && self.allowed.is_none()
    }

    #[cold]
    fn is_secret_by_lists(&self, name: &str) -> bool {
        let name = names::decoded(name);
        if is_in(&self.masked, &name) {
            return true;
        }
        match &self.allowed {
            Some(allowed) => !is_in(allowed, &name),
            None => !is_in(&self.kept, &name) && names::is_secret_name(&name),
        }
    }

    /// Whether values with this name are kept, because someone wants it so.
    fn is_kept(&self, name: &str) -> bool {
        let list = self.allowed.as_ref().unwrap_or(&self.kept);
        !list.is_empty() && is_in(list, &names::decoded(name)) && !self.is_secret_name(name)
    }

    /// Masks the secrets in a value, and replaces what PostgreSQL cannot store.
    pub fn mask(&self, value: &mut Json) {
        if self.allowed.is_some() {
            self.mask_value(value, false);
            return;
        }
        match value {
            Json::String(text) => {
                if let Cow::Owned(masked) = self.mask_text(text) {
                    *text = masked;
                }
            }
            Json::Array(items) => {
                for item in &mut *items {
                    self.mask(item);
                }
                self.mask_header_pairs(items);
            }
            Json::Object(map) => self.mask_object(map),
            Json::Number(number) => {
                if let Some(text) = self.mask_number(number.as_str()) {
                    *value = Json::String(text);
                }
            }
            Json::Null | Json::Bool(_) => {}
        }
    }

    /// Masks the secrets in an object, at any depth, and replaces what PostgreSQL cannot store.
    pub fn mask_object(&self, map: &mut JsonMap) {
        if self.allowed.is_some() {
            self.mask_members(map);
            return;
        }
        let is_default = self.has_default_names();
        let (mut has_nul, mut has_value) = (false, false);
        for (key, value) in map.iter_mut() {
            let look = Look::at(key);
            has_nul |= look.has_nul;
            has_value |= is_value(key);
            let is_secret = if is_default {
                look.is_secret(key)
            } else {
                self.is_secret_by_lists(key)
            };
            self.mask_named(key, is_secret, value);
        }
        if has_nul {
            replace_nul_in_names(map);
        }
        if has_value {
            self.mask_pair(map);
        }
    }

    /// Masks the secrets in an object of headers: the values of each, a text or several, as
    /// [`mask_header`](Self::mask_header) masks them, and the others as
    /// [`mask_object`](Self::mask_object) does. With a list of allowed names, all are masked as
    /// by `mask_object`.
    pub fn mask_headers(&self, map: &mut JsonMap) {
        for (name, value) in map.iter_mut() {
            let values = match value {
                Json::Array(items) => items.as_mut_slice(),
                value => std::slice::from_mut(value),
            };
            for value in values {
                if let Json::String(text) = value
                    && let Some(masked) = headers::mask_header(self, name, text)
                {
                    *text = masked;
                }
            }
        }
        self.mask_object(map);
    }

    /// Masks one value with a name: of a header, a parameter or a field of a form.
    pub fn mask_field(&self, name: &str, value: &mut Json) {
        if self.allowed.is_some() {
            self.mask_value(value, !self.is_secret_name(name));
        } else {
            self.mask_named(name, self.is_secret_name(name), value);
        }
    }

    /// Masks credentials, tokens, secret parameters and secret members in a text, and replaces NUL.
    ///
    /// The time is linear in the length of the text.
    #[must_use]
    pub fn mask_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.mask_text_at(text, 0)
    }

    /// Masks the value of a header.
    ///
    /// `Cookie` and `Set-Cookie` keep the names of cookies, and the attributes: `sid=[masked]; Path=/`.
    /// `Authorization` keeps the scheme: `Bearer [masked]`. Others are as [`mask_field`](Self::mask_field)
    /// masks them.
    #[must_use]
    pub fn mask_header(&self, name: &str, value: &str) -> String {
        if let Some(masked) = headers::mask_header(self, name, value) {
            return masked;
        }
        let mut value = Json::from(value);
        self.mask_field(name.trim(), &mut value);
        match value {
            Json::String(text) => text,
            value => value.to_string(),
        }
    }

    /// Masks a value with its name. One that was masked as a header stays: `Bearer [masked]`.
    fn mask_named(&self, name: &str, is_secret: bool, value: &mut Json) {
        let is_masked = |value: &Json| {
            let text = value.as_str();
            text.is_some_and(|text| headers::is_masked(self, name, text))
        };
        let is_masked = is_secret
            && match &*value {
                Json::Array(items) => !items.is_empty() && items.iter().all(is_masked),
                value => is_masked(value),
            };
        self.mask_if(is_secret && !is_masked, value);
    }

    /// Masks a value, whose name may be that of a secret.
    fn mask_if(&self, is_secret: bool, value: &mut Json) {
        if is_secret && !is_harmless(value) {
            self.mask_all(value);
        } else {
            self.mask(value);
        }
    }

    /// Masks each value, and keeps the names.
    fn mask_all(&self, value: &mut Json) {
        match value {
            Json::Object(map) => {
                let is_pair = named_value(map).is_some();
                for (key, value) in map.iter_mut() {
                    if is_pair && !is_value(key) {
                        self.mask(value);
                    } else {
                        self.mask_all(value);
                    }
                }
                if map.keys().any(|key| key.contains('\0')) {
                    replace_nul_in_names(map);
                }
            }
            Json::Array(items) => {
                for item in items {
                    self.mask_all(item);
                }
            }
            Json::Null | Json::Bool(_) => {}
            Json::String(_) | Json::Number(_) => self.mask_scalar(value),
        }
    }

    fn mask_scalar(&self, value: &mut Json) {
        let mask = match value {
            Json::String(text) => {
                if !text.is_empty() && !is_mask(text) {
                    let mask = self.mask_of(text);
                    text.clear();
                    text.push_str(&mask);
                }
                return;
            }
            Json::Number(number) => self.mask_of(number.as_str()),
            Json::Bool(true) => self.mask_of("true"),
            Json::Bool(false) => self.mask_of("false"),
            Json::Null | Json::Array(_) | Json::Object(_) => return,
        };
        *value = Json::String(mask.into_owned());
    }

    /// Returns the text of a number that is masked, or that PostgreSQL does not store.
    fn mask_number(&self, number: &str) -> Option<String> {
        // Most numbers are short.
        if number.len() < 4 {
            None
        } else if !is_storable(number) {
            Some(number.to_owned())
        } else if cards::is_card_number(number) {
            Some(self.mask_of(number).into_owned())
        } else {
            None
        }
    }

    /// Masks the value of an object with a name and a value: headers and cookies may be a list of
    /// them.
    fn mask_pair(&self, map: &mut JsonMap) {
        if let Some(name) = named_value(map)
            && self.is_secret_name(name)
        {
            let name = name.to_owned();
            for (key, value) in map.iter_mut() {
                if is_value(key) {
                    self.mask_named(&name, true, value);
                }
            }
        }
    }

    /// Masks the values in a list of names and values: `["Cookie", "a=b"]`. A longer list is one of
    /// headers.
    fn mask_header_pairs(&self, items: &mut [Json]) {
        let Some(Json::String(first)) = items.first() else {
            return;
        };
        if items.len() == 2 {
            if is_plain_name(first) && self.is_secret_in_list(first) {
                self.mask_if(true, &mut items[1]);
            }
            return;
        }
        if !items.len().is_multiple_of(2) || !items.iter().all(Json::is_string) {
            return;
        }
        for pair in items.chunks_exact_mut(2) {
            let name = pair[0].as_str().unwrap_or_default();
            let is_header = is_plain_name(name)
                && (name.contains('-') || names::is_cookie(name) || names::is_authorization(name));
            if is_header && self.is_secret_in_list(name) {
                self.mask_if(true, &mut pair[1]);
            }
        }
    }

    /// Whether an item of a list is the name of a secret. That it is not on the list of allowed
    /// names is not enough: it may be a value.
    fn is_secret_in_list(&self, name: &str) -> bool {
        self.is_secret_name(name) && (self.allowed.is_none() || names::is_secret_name(name))
    }

    /// Masks a value by the list of names that are allowed.
    fn mask_value(&self, value: &mut Json, is_allowed: bool) {
        match value {
            Json::Object(map) => self.mask_members(map),
            Json::Array(items) => {
                for item in &mut *items {
                    self.mask_value(item, is_allowed);
                }
                if is_allowed {
                    self.mask_header_pairs(items);
                }
            }
            Json::String(text) if is_allowed => {
                if let Cow::Owned(masked) = self.mask_text(text) {
                    *text = masked;
                }
            }
            Json::Number(number) if is_allowed => {
                if let Some(text) = self.mask_number(number.as_str()) {
                    *value = Json::String(text);
                }
            }
            Json::Null => {}
            Json::Bool(_) if is_allowed => {}
            Json::Bool(_) | Json::Number(_) | Json::String(_) => self.mask_scalar(value),
        }
    }

    fn mask_members(&self, map: &mut JsonMap) {
        // Of `{"name": "id", "value": 1}`, the name is `id`.
        let pair = named_value(map).is_some_and(|name| !self.is_secret_name(name));
        for (key, value) in map.iter_mut() {
            let is_of_pair = pair && (is_value(key) || is_name(key));
            let is_allowed = is_of_pair || !self.is_secret_name(key);
            self.mask_value(value, is_allowed);
        }
        if map.keys().any(|key| key.contains('\0')) {
            replace_nul_in_names(map);
        }
    }

    /// Returns what is stored instead of a secret.
    fn mask_of(&self, secret: &str) -> Cow<'static, str> {
        let Some(key) = &self.key else {
            return Cow::Borrowed(MASK);
        };
        let mut hmac = Hmac::clone(key);
        hmac.update(secret.as_bytes());
        let hash = hmac.finalize().into_bytes();
        let digits = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = digits.take(HASH_DIGITS).map(u32::from);
        let mut mask = MASK_WITH_HASH.to_owned();
        mask.extend(digits.filter_map(|digit| char::from_digit(digit, 16)));
        mask.push(']');
        Cow::Owned(mask)
    }
}

/// Whether a list has a name, or what is behind its last dot or bracket.
fn is_in(list: &BTreeSet<String>, name: &str) -> bool {
    let last = names::last_segment(name);
    !list.is_empty()
        && (list.contains(&names::plain(name))
            || last.len() < name.len() && list.contains(&names::plain(last)))
}

/// Masks the secrets in a value by the default rules. See [`Masking::mask`].
pub fn mask(value: &mut Json) {
    DEFAULT.mask(value);
}

/// Masks the secrets in an object by the default rules. See [`Masking::mask_object`].
pub fn mask_object(map: &mut JsonMap) {
    DEFAULT.mask_object(map);
}

/// Masks the secrets in an object of headers by the default rules. See [`Masking::mask_headers`].
pub fn mask_headers(map: &mut JsonMap) {
    DEFAULT.mask_headers(map);
}

/// Masks a value, whose name may be that of a secret, by the default rules.
pub fn mask_field(is_secret: bool, value: &mut Json) {
    DEFAULT.mask_if(is_secret, value);
}

/// Masks the secrets in a text by the default rules. See [`Masking::mask_text`].
#[must_use]
pub fn mask_text(text: &str) -> Cow<'_, str> {
    DEFAULT.mask_text(text)
}

/// Whether the value with this name is a secret, by the default rules.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    names::is_secret_name(name)
}

/// Whether PostgreSQL stores a number in `jsonb`. One that is beyond any use is kept as its text.
#[must_use]
pub fn is_storable(number: &str) -> bool {
    const MOST: usize = 10_000;
    let exponent = || number.rsplit_once(['e', 'E']).map(|(_, exponent)| exponent);
    let is_small = |exponent: &str| exponent.parse::<i32>().is_ok_and(|e| e.abs() <= 10_000);
    number.len() <= MOST && (number.len() < 4 || exponent().is_none_or(is_small))
}

/// Whether a value with a secret name says only that there is one, or none.
fn is_harmless(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(_) => true,
        Json::String(text) => text.is_empty() || text == "REDACTED" || text == "[Redacted]",
        _ => false,
    }
}

/// Returns the name in an object with a name and a value.
fn named_value(map: &JsonMap) -> Option<&String> {
    if map.len() < 2 || !map.keys().any(|key| is_value(key)) {
        return None;
    }
    map.iter().find_map(|(key, value)| match value {
        Json::String(name) if is_name(key) => Some(name),
        _ => None,
    })
}

fn is_value(key: &str) -> bool {
    key.len() == 5 && key.eq_ignore_ascii_case("value")
}

fn is_name(key: &str) -> bool {
    let is = |name: &str| key.eq_ignore_ascii_case(name);
    ["name", "key", "header", "field"]
        .iter()
        .any(|name| is(name))
}

/// Whether a text is a name, such as that of a header.
fn is_plain_name(text: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.len() <= 64 && text.bytes().all(is_of_name)
}

/// Returns the number of bytes of the mask that a text begins with.
fn mask_length(text: &str) -> Option<usize> {
    if text.starts_with(MASK) {
        return Some(MASK.len());
    }
    let hash = text.strip_prefix(MASK_WITH_HASH)?.as_bytes();
    let digits = hash.get(..HASH_DIGITS)?.iter();
    let is_hash =
        digits.into_iter().all(u8::is_ascii_hexdigit) && hash.get(HASH_DIGITS) == Some(&b']');
    is_hash.then_some(MASK_WITH_HASH.len() + HASH_DIGITS + 1)
}

fn is_mask(text: &str) -> bool {
    mask_length(text) == Some(text.len())
}

fn has_mask(text: &str) -> bool {
    text.match_indices("[masked")
        .any(|(at, _)| mask_length(&text[at..]).is_some())
}

fn replace_nul_in_names(map: &mut JsonMap) {
    for (key, value) in std::mem::take(map) {
        map.insert(without_nul(key), value);
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

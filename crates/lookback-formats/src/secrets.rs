//! Masks secrets in headers, queries, bodies and other fields.
//!
//! A value is masked by its name (a header, a parameter, a key of JSON at any depth), or by its
//! form (the credentials of `Bearer` and `Basic`, and in a text a secret parameter, or a secret
//! member of JSON or of a printed object).

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use lookback::{Json, value::JsonMap};

/// What is stored instead of a secret.
pub const MASK: &str = "[masked]";

/// Names whose whole value is a secret, without their `-`, `_` and case.
const NAMES: &[&str] = &[
    "authorization",
    "proxyauthorization",
    "cookie",
    "cookies",
    "setcookie",
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "clientsecret",
    "token",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "sessiontoken",
    "csrftoken",
    "xsrftoken",
    "xcsrftoken",
    "xxsrftoken",
    "xauthtoken",
    "xaccesstoken",
    "xamzsecuritytoken",
    "apikey",
    "xapikey",
    "apisecret",
    "privatekey",
    "secretkey",
    "accesskey",
    "secretaccesskey",
    "credentials",
    "creditcard",
    "cardnumber",
    "cvv",
    "cvc",
    "ssn",
    "sessionid",
    "sid",
    "phpsessid",
    "jsessionid",
    "otp",
    "jwt",
    "xgitlabtoken",
    "xhubsignature",
    "signature",
    "sig",
];

/// Whether the value with this name is a secret.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    static KNOWN: LazyLock<HashSet<&str>> = LazyLock::new(|| NAMES.iter().copied().collect());
    const LONGEST: usize = 64;
    /// The lengths of the known names with each first letter, as bits.
    const LENGTHS: [u64; 256] = {
        let mut lengths = [0; 256];
        let mut at = 0;
        while at < NAMES.len() {
            let name = NAMES[at].as_bytes();
            lengths[name[0] as usize] |= 1 << name.len();
            at += 1;
        }
        lengths
    };
    // Longer names are sentences.
    if name.len() > LONGEST {
        return false;
    }
    let mut plain = [0; LONGEST];
    let mut length = 0;
    for byte in name
        .bytes()
        .filter(|byte| !matches!(byte, b'-' | b'_' | b'.'))
    {
        plain[length] = byte.to_ascii_lowercase();
        length += 1;
    }
    let Ok(plain) = std::str::from_utf8(&plain[..length]) else {
        return false;
    };
    // Behind its last dot is what it names: `http.request.header.authorization`.
    let last = name.rsplit_once('.').map(|(_, last)| last);
    let first = plain.bytes().next().unwrap_or_default();
    let lengths = LENGTHS[usize::from(first)];
    let may_be_known = length < 64 && lengths & (1 << length) != 0;
    may_be_known && KNOWN.contains(plain)
        || last.is_some_and(is_secret_name)
        || ["password", "secret", "apikey", "accesstoken", "privatekey"]
            .iter()
            .any(|end| plain.ends_with(end))
}

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
pub(crate) fn mask_field(is_secret: bool, value: &mut Json) {
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

/// Masks credentials and secret parameters in a text, and replaces NUL.
#[must_use]
pub fn mask_text(text: &str) -> Cow<'_, str> {
    let found = Suspicious::in_text(text);
    let mut masked = Cow::Borrowed(text);
    if found.nul {
        masked = Cow::Owned(without_nul(text.to_owned()));
    }
    if found.scheme {
        for scheme in ["Bearer ", "bearer ", "Basic ", "basic "] {
            if masked.contains(scheme) {
                masked = Cow::Owned(mask_after(&masked, scheme));
            }
        }
    }
    if found.parameter {
        let with_parameters = mask_parameters(&masked);
        if let Cow::Owned(text) = with_parameters {
            masked = Cow::Owned(text);
        }
    }
    if found.member
        && let Some(text) = mask_members(&masked)
    {
        masked = Cow::Owned(text);
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
    /// The end of a quoted name, and a colon.
    member: bool,
}

const NUL: u8 = 1;
const EQUALS: u8 = 2;
/// The last letter of the name of a scheme.
const LAST_OF_SCHEME: u8 = 4;
const BLANK: u8 = 8;
const QUOTE: u8 = 16;
const COLON: u8 = 32;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    classes[0] = NUL;
    classes[b'=' as usize] = EQUALS;
    classes[b'r' as usize] = LAST_OF_SCHEME;
    classes[b'c' as usize] = LAST_OF_SCHEME;
    classes[b' ' as usize] = BLANK;
    classes[b'"' as usize] = QUOTE;
    classes[b'\'' as usize] = QUOTE;
    classes[b':' as usize] = COLON;
    classes
};

impl Suspicious {
    fn in_text(text: &str) -> Self {
        let bytes = text.as_bytes();
        let class = |found, byte: &u8| found | CLASSES[usize::from(*byte)];
        let classes = bytes.iter().fold(0, class);
        let has = |wanted: u8| classes & wanted == wanted;
        // Most texts have not both of them. Each fold is without a way out, so that many bytes are
        // looked at together.
        let pairs = bytes.iter().zip(bytes.get(1..).unwrap_or_default());
        let scheme = |found, (byte, next): (&u8, &u8)| {
            found | ((*byte == b'r') | (*byte == b'c')) & (*next == b' ')
        };
        let is_quote = |byte: u8| (byte == b'"') | (byte == b'\'');
        let member = |found, three: &[u8]| {
            found
                | is_quote(three[0]) & (three[1] == b':')
                | (three[0] == b':') & (three[1] == b' ') & is_quote(three[2])
        };
        Self {
            nul: has(NUL),
            parameter: has(EQUALS),
            scheme: has(LAST_OF_SCHEME | BLANK) && pairs.fold(false, scheme),
            member: has(QUOTE | COLON) && bytes.windows(3).fold(false, member),
        }
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

/// The shortest credentials: shorter ones are a word of a sentence.
const MIN_CREDENTIALS: usize = 8;

fn mask_after(text: &str, scheme: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(scheme) {
        let (before, after) = rest.split_at(at + scheme.len());
        masked.push_str(before);
        let is_of_token = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
        let end = after.find(|c: char| !is_of_token(c)).unwrap_or(after.len());
        if end >= MIN_CREDENTIALS {
            masked.push_str(MASK);
            rest = &after[end..];
        } else {
            // The word may be a scheme itself: `bearer bearer abc…`.
            rest = after;
        }
    }
    masked.push_str(rest);
    masked
}

/// Masks `name=value` where the name is that of a secret.
fn mask_parameters(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut done = 0;
    let mut from = 0;
    while let Some(found) = text[from..].find('=') {
        let at = from + found;
        from = at + 1;
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let start = text[done..at]
            .rfind(|c: char| !is_of_name(c))
            .map_or(done, |before| {
                done + before
                    + text[done + before..]
                        .chars()
                        .next()
                        .map_or(1, char::len_utf8)
            });
        let name = &text[start..at];
        if name.is_empty() || !is_secret_name(name) {
            continue;
        }
        let value = &text[at + 1..];
        let end = match value.strip_prefix('"') {
            Some(quoted) => quoted.find('"').map_or(value.len(), |end| end + 1),
            None => value
                .find(|c: char| {
                    c.is_whitespace() || matches!(c, '&' | '"' | '\'' | ';' | ',' | '#' | ')' | '}')
                })
                .unwrap_or(value.len()),
        };
        if end == 0 {
            continue;
        }
        masked.push_str(&text[done..=at]);
        if value.starts_with('"') {
            masked.push('"');
        }
        masked.push_str(MASK);
        done = at + 1 + end;
        from = done;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(&text[done..]);
    Cow::Owned(masked)
}

/// Masks the values of secret names in JSON within a text, or in what Python, Node and Rust print
/// of an object: `{"password": "…"}`, `{'password': '…'}`, `{ password: '…' }`, and with escaped
/// quotes. `None` if there are none.
fn mask_members(text: &str) -> Option<String> {
    let mut masked = String::new();
    let mut done = 0;
    let mut from = 0;
    while let Some(found) = text[from..].find(':') {
        let at = from + found;
        from = at + 1;
        let Some(quote) = quote_of_secret(&text[done..at]) else {
            continue;
        };
        let after = &text[at + 1..];
        let value = after.trim_start();
        let Some((quote, length)) = secret_value(value, quote) else {
            continue;
        };
        let start = text.len() - value.len();
        masked.push_str(&text[done..start]);
        masked.push_str(quote);
        masked.push_str(MASK);
        masked.push_str(quote);
        done = start + length;
        from = done;
    }
    (done > 0).then(|| masked + &text[done..])
}

/// Returns the quote around the secret name that a text ends with; it is empty if the name has
/// none, as in `{ password: '…' }`.
fn quote_of_secret(text: &str) -> Option<&str> {
    let quote_at = text.len() - usize::from(text.ends_with(['"', '\'']));
    let escapes = text.as_bytes()[..quote_at].iter().rev();
    let escapes = escapes.take_while(|byte| **byte == b'\\').count();
    let (named, quote) = text.split_at(quote_at - escapes);
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = named.rsplit(|c| !is_of_name(c)).next()?;
    let before = &named[..named.len() - name.len()];
    let is_name = if quote.is_empty() {
        // Behind a word it is part of a sentence: `unexpected token: "x"`.
        let before = before.trim_end();
        before.is_empty() || before.ends_with(['{', ',', '(', '['])
    } else {
        before.ends_with(quote)
    };
    (is_name && is_secret_name(name)).then_some(quote)
}

/// Returns the value that a text begins with, if it is one that is masked (a string, a number, an
/// array or an object): the quote to write around the mask, and its number of bytes.
fn secret_value<'a>(text: &'a str, quote: &'a str) -> Option<(&'a str, usize)> {
    let quotes = ["\"", "'", quote];
    let own = { quotes }
        .into_iter()
        .find(|own| !own.is_empty() && text.starts_with(own));
    if let Some(own) = own {
        let end = end_of_string(&text[own.len()..], own);
        let length = (own.len() * 2 + end).min(text.len());
        return (end > 0).then_some((own, length));
    }
    // Without quotes around the name, it may be a sentence.
    let first = text.bytes().next().filter(|_| !quote.is_empty())?;
    let length = match first {
        b'0'..=b'9' | b'-' => {
            let is_of_number = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
            text.find(|c| !is_of_number(c)).unwrap_or(text.len())
        }
        b'[' | b'{' => end_of_brackets(text),
        _ => return None,
    };
    Some((quote, length))
}

/// Returns where the quote is that ends a string. One that was cut is a secret to its end.
fn end_of_string(inner: &str, quote: &str) -> usize {
    // Each time JSON is put in a string, the escapes double: a quote in `\"…\"` is `\\\"`.
    let own_escapes = quote.len() - 1;
    let period = 2 * quote.len();
    let letter = &quote[own_escapes..];
    let mut from = 0;
    while let Some(found) = inner[from..].find(letter) {
        let at = from + found;
        let escapes = inner.as_bytes()[from..at].iter().rev();
        let escapes = escapes.take_while(|byte| **byte == b'\\').count();
        if escapes % period == own_escapes {
            return at - own_escapes;
        }
        from = at + 1;
    }
    inner.len()
}

/// Returns the number of bytes of an array or object, to its last bracket.
fn end_of_brackets(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        at += 1;
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            b'"' | b'\'' => {
                let end = end_of_string(&text[at..], &text[at - 1..at]);
                at = (at + end + 1).min(text.len());
            }
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{MASK, mask, mask_text};
    use lookback::{Json, value::JsonMap};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn secrets_in_json_within_a_text_are_masked(
            before in "[^\"'=]{0,9}",
            secret in r#"([ -~ä]|[\\"'])*"#,
            rest in any::<String>(),
            escapes in 0..3,
        ) {
            let mark = "KEPT-NOWHERE";
            let mut map = JsonMap::new();
            map.insert("password".to_owned(), format!("{secret}{mark}{secret}").into());
            map.insert("rest".to_owned(), rest.into());
            let mut json = Json::Object(map).to_string();
            for _ in 0..escapes {
                json = Json::from(json).to_string();
            }
            let masked = mask_text(&format!("{before}{json}")).into_owned();
            prop_assert!(!masked.contains(mark), "{masked}");
        }

        #[test]
        fn any_text_is_masked_without_a_panic(text in r#"([{}\[\]:, \\"'ä1]|token)*"#) {
            let _ = mask_text(&text).len();
        }
    }

    #[test]
    fn secrets_are_masked_by_name_and_form() {
        let mut value: Json = r#"{"headers": {"Authorization": "Bearer abcdefgh1", "X-Api-Key": ["k1"], "accept": "*/*"},
            "cookies": [{"name": "sid", "value": "s1"}], "list": [{"name": "cookie", "value": "a=b"}],
            "db_password": "p", "http.request.header.cookie": "a=b", "has_token": true, "token": null, "url": "https://x.example/?token=t1&a=1",
            "user": {"name": "anna", "value": 3}}"#
            .parse()
            .unwrap();
        mask(&mut value);
        let expected: Json = format!(
            r#"{{"headers": {{"Authorization": "{MASK}", "X-Api-Key": ["{MASK}"], "accept": "*/*"}},
            "cookies": [{{"name": "sid", "value": "{MASK}"}}], "list": [{{"name": "cookie", "value": "{MASK}"}}],
            "db_password": "{MASK}", "http.request.header.cookie": "{MASK}", "has_token": true, "token": null,
            "url": "https://x.example/?token={MASK}&a=1", "user": {{"name": "anna", "value": 3}}}}"#
        )
        .parse()
        .unwrap();
        assert_eq!(value, expected);
    }

    #[test]
    fn secrets_in_text_are_masked() {
        for (text, expected) in [
            (
                "Authorization: Bearer abc.def-ghi",
                "Authorization: Bearer [masked]",
            ),
            (
                "login password=\"a b\" user=anna",
                "login password=\"[masked]\" user=anna",
            ),
            ("ä=1 api_key=k&x=2", "ä=1 api_key=[masked]&x=2"),
            ("the bearer of news", "the bearer of news"),
            ("bearer bearer abc.def-ghi", "bearer bearer [masked]"),
            ("retries=3 secret=", "retries=3 secret="),
            (
                r#"in {"password":"a \" b","n":1,"db.secret": 12, "cookies": ["a", {"b": "]"}], "token": null, "api_key": ""}"#,
                r#"in {"password":"[masked]","n":1,"db.secret": "[masked]", "cookies": "[masked]", "token": null, "api_key": ""}"#,
            ),
            (
                r#"{'password': "it's", 'Token': 'x', 'ok': 'token': y}"#,
                r#"{'password': "[masked]", 'Token': '[masked]', 'ok': 'token': y}"#,
            ),
            (
                r#"User { id: 3, password: "a\"b", token: 12 } { apiKey: 'k' }, secret: "s""#,
                r#"User { id: 3, password: "[masked]", token: 12 } { apiKey: '[masked]' }, secret: "[masked]""#,
            ),
            ("unexpected token: ')'", "unexpected token: ')'"),
            (
                r#"body="{\"password\":\"ä\",\"n\":1}" cut {"secret":"ab"#,
                r#"body="{\"password\":\"[masked]\",\"n\":1}" cut {"secret":"[masked]""#,
            ),
            ("the 'token': none, at 12:30", "the 'token': none, at 12:30"),
            ("a\0b", "a\u{2400}b"),
        ] {
            assert_eq!(mask_text(text), expected);
        }
    }
}

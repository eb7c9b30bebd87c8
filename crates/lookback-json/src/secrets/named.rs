//! Secrets in a text with their name before them: `name=value`, `name: value`, and the members of
//! JSON or of a printed object.

use std::borrow::Cow;

use super::encoded::unescaped;
use super::names::{is_authorization, is_cookie, is_word};
use super::text::Masked;
use super::values::{end_of_brackets, end_of_word, quoted};
use super::{Masking, has_mask};

const BLANKS: [char; 2] = [' ', '\t'];

/// The longest name with encoded letters.
const MAX_ENCODED: usize = 192;

/// The name of a secret, before a `=`, `=>` or `:`.
struct Key<'a> {
    name: &'a str,
    /// What is around the name; empty if it has no quotes.
    quote: &'a str,
    before: &'a str,
    /// As in `user[password]`.
    is_index: bool,
    /// Whether a blank is behind the name.
    is_apart: bool,
    /// Whether it begins a line, or a member of a list. Behind a word it is part of a sentence:
    /// `unexpected token: "x"`.
    is_first: bool,
}

impl<'a> Key<'a> {
    /// Returns the name of a secret that a text ends with.
    fn before(masking: &Masking, text: &'a str) -> Option<Self> {
        let trimmed = text.trim_end();
        let is_apart = trimmed.len() < text.len();
        let inner = ["]", "%5D", "%5d"]
            .into_iter()
            .find_map(|end| trimmed.strip_suffix(end));
        let is_index = inner.is_some();
        let named = inner.unwrap_or(trimmed);
        let unquoted = named.strip_suffix(['"', '\'']);
        let unquoted = unquoted.map_or(named, |named| named.trim_end_matches('\\'));
        let (named, quote) = named.split_at(unquoted.len());
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let mut name = named.rsplit(|c| !is_of_name(c)).next()?;
        let mut before = &named[..named.len() - name.len()];
        let mut escape = 0;
        // Each letter may be encoded: in JSON `pass\u0077ord`, in a URL `pass%77ord`.
        let is_escaped = !quote.is_empty() && before.ends_with('\\') && name.starts_with('u');
        if !is_escaped {
            if !quote.is_empty() && !before.ends_with(quote) {
                return None;
            }
            escape = escape_before(masking, name, before);
            (before, name) = named.split_at(before.len() + escape);
        }
        if is_escaped || !masking.is_secret_name(name) {
            if escape > 0 || !before.ends_with('%') && !is_escaped {
                return None;
            }
            let sign = if is_escaped { '\\' } else { '%' };
            let is_of_name = |c: char| is_of_name(c) || c == sign;
            name = named.rsplit(|c| !is_of_name(c)).next()?;
            before = &named[..named.len() - name.len()];
            let plain = if is_escaped {
                Cow::Owned(unescaped(name))
            } else {
                Cow::Borrowed(name)
            };
            if name.len() > MAX_ENCODED || !masking.is_secret_name(&plain) {
                return None;
            }
        }
        let line = before.trim_end_matches(BLANKS);
        let is_first = escape > 0
            || line.is_empty()
            || line.ends_with(['\n', '\r', '{', ',', '(', '[', ';', '-', '>', '<', '|'])
            || before.ends_with(['"', '\'']);
        Some(Self {
            name,
            quote,
            before,
            is_index,
            is_apart,
            is_first,
        })
    }

    /// Whether it is a parameter of a URL or the first field of a form.
    fn is_in_query(&self, text: &str) -> bool {
        self.before.ends_with(['?', '&'])
            || text.starts_with(self.name)
                && self.before.is_empty()
                && !text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\''))
    }

    /// Whether a word without quotes behind the name is a secret, not part of a sentence.
    fn is_secret(&self, word: &str, is_tight: bool) -> bool {
        if is_no_secret(word) {
            return false;
        }
        let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
        let has_letter = word.bytes().any(|byte| !byte.is_ascii_digit());
        if is_word(self.name) {
            (self.is_first || is_tight) && word.len() >= 8 && has_digit
        } else if is_tight {
            has_letter && (self.is_first || self.before.ends_with(BLANKS))
        } else {
            self.is_first || has_digit && has_letter
        }
    }
}

/// Returns the number of bytes before the name of a secret that belong to an escape: in JSON, the
/// end of a line is `\n`, and some write `&` as `\u0026`; in a URL, `[` may be `%5B`.
fn escape_before(masking: &Masking, name: &str, before: &str) -> usize {
    let escapes = match before.bytes().last() {
        Some(b'\\') => ["n", "r", "t", "u0026"].as_slice(),
        Some(b'%') => ["5B", "5b", "26", "3F", "3f"].as_slice(),
        _ => return 0,
    };
    let escape = escapes.iter().find(|escape| name.starts_with(**escape));
    let length = escape.map_or(0, |escape| escape.len());
    // `\token` has none.
    if masking.is_secret_name(&name[length..]) {
        length
    } else {
        0
    }
}

/// Whether a word stands for a value, or says that there is none.
fn is_no_secret(word: &str) -> bool {
    const WORDS: [&str; 24] = [
        "",
        "?",
        "%s",
        "changed",
        "correct",
        "empty",
        "expired",
        "false",
        "incorrect",
        "invalid",
        "missing",
        "nil",
        "no",
        "none",
        "null",
        "ok",
        "optional",
        "required",
        "set",
        "true",
        "undefined",
        "wrong",
        "yes",
        "~",
    ];
    let is_placeholder = word.strip_prefix('$').is_some_and(|rest| {
        rest.starts_with(['{', '(']) || rest.bytes().all(|byte| byte.is_ascii_digit())
    });
    is_placeholder
        || word.contains('(')
        || has_mask(word)
        || word.starts_with(['<', '='])
        || word.bytes().all(|byte| byte == b'*')
        || WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Masks `name=value` and `name => value` where the name is that of a secret.
pub(super) fn mask_parameters(masking: &Masking, text: &str) -> Option<String> {
    let mut masked = Masked::new(masking, text);
    let mut from = 0;
    while let Some(found) = text[from..].find('=') {
        let at = from + found;
        from = at + 1;
        let Some(mut key) = Key::before(masking, &text[masked.done..at]) else {
            continue;
        };
        let after = &text[from..];
        let is_arrow = after.starts_with('>');
        let value = after.strip_prefix(['>', '=']).unwrap_or(after);
        let value = if is_arrow {
            value.trim_start()
        } else {
            value.trim_start_matches(BLANKS)
        };
        let start = text.len() - value.len();
        if is_arrow && !key.is_index && key.quote.is_empty() && !key.before.ends_with(':') {
            continue;
        }
        if let Some(inner) = quoted(value) {
            if !inner.is_empty() {
                masked.mask(start + inner.start..start + inner.end);
            }
            from = start + inner.end;
            continue;
        }
        let is_compared = key.is_apart && after.starts_with('=');
        let is_apart = is_compared || after.starts_with(char::is_whitespace);
        let length = if is_arrow {
            // PHP prints a line for each: `[password] => …`.
            let is_printed = key.is_index && after[1..].starts_with(' ');
            let word = || is_printed.then(|| length_of_word(&key, value, false))?;
            length_of_literal(value).or_else(word)
        } else if is_apart {
            // It is empty if no blank is before the sign: `password= user=anna`.
            key.is_first = true;
            let is_empty = !key.is_apart || is_compared;
            if is_empty {
                None
            } else {
                length_of_word(&key, value, false)
            }
        } else if value.starts_with(['[', '{'])
            && (value[1..].starts_with(['[', '{']) || quoted_start(&value[1..]))
        {
            Some(end_of_brackets(value))
        } else {
            None
        };
        if let Some(length) = length {
            masked.mask(start..start + length);
        } else if !is_apart && !is_arrow {
            // Sessions in a path: `/cart;jsessionid=…?page=2`.
            let is_session = key.name.ends_with(['d', 'D']) && is_session(key.name);
            let end = if let Some(end) = end_of_scheme(key.name, after) {
                end
            } else if key.is_in_query(text) {
                end_in_query(after)
            } else if is_cookie(key.name) {
                end_of_cookies(after)
            } else {
                end_of_word(after, is_session)
            };
            if end > 0 {
                masked.mask(from..from + end);
            }
        }
        from = from.max(masked.done);
    }
    masked.finish()
}

/// Returns the number of bytes of a value of a URL or a form. Unlike that of a list of parameters,
/// it may have commas and brackets.
fn end_in_query(text: &str) -> usize {
    let is_end = |c: char| c.is_whitespace() || "&#\"'<>\\`".contains(c);
    let (value, rest) = text.split_at(text.find(is_end).unwrap_or(text.len()));
    if rest.starts_with(['&', '#']) {
        return value.len();
    }
    // Those of the sentence around it.
    value.trim_end_matches([',', ';', ')', '}', '.']).len()
}

/// Returns the number of bytes of cookies: `a=b; c=d`.
fn end_of_cookies(text: &str) -> usize {
    let mut end = end_of_word(text, false);
    while let Some(rest) = text[end..].strip_prefix(';') {
        let pair = rest.trim_start_matches(' ');
        if !is_cookies(pair) {
            break;
        }
        end = text.len() - pair.len();
        end += end_of_word(pair, false);
    }
    end
}

/// Returns the number of bytes of credentials with the name of their scheme: `Token abc`.
fn end_of_scheme(name: &str, text: &str) -> Option<usize> {
    if !is_authorization(name) {
        return None;
    }
    let (scheme, _) = super::headers::scheme(text)?;
    // `Bearer` and `Basic` keep their name.
    if ["bearer", "basic"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        return None;
    }
    let is_digest = scheme.eq_ignore_ascii_case("digest") || text.contains("=\"");
    let is_end = |c: char| matches!(c, '\n' | '\r') || !is_digest && matches!(c, '"' | '\'' | '\\');
    Some(text.find(is_end).unwrap_or(text.len()))
}

fn is_session(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["sid", "sessid", "sessionid", "session_id", "session-id"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Whether a text begins with the name of a cookie and its value.
fn is_cookies(text: &str) -> bool {
    const MAX_NAME: usize = 128;
    let is_of_name = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut behind = text.chars().take(MAX_NAME).skip_while(is_of_name);
    behind.next() == Some('=')
}

fn quoted_start(text: &str) -> bool {
    text.trim_start_matches(['b', 'u', 'r', '\\'])
        .starts_with(['"', '\''])
}

/// Masks the values of secret names in JSON within a text, or in what Python, Node, Ruby, Go and
/// Rust print of an object, and in lines of YAML: `{"password": "…"}`, `{'password': b'…'}`,
/// `{ password: Some("…") }`, `password: …`, and with escaped quotes.
pub(super) fn mask_members(masking: &Masking, text: &str) -> Option<String> {
    const MAX_AGAIN: usize = 64;
    let mut masked = Masked::new(masking, text);
    let mut looked_at = 0;
    let mut from = 0;
    while let Some(found) = text[from..].find(':') {
        let at = from + found;
        from = at + 1;
        let Some(key) = Key::before(masking, &text[masked.done..at]) else {
            continue;
        };
        let after = &text[from..];
        let value = after.trim_start();
        let start = text.len() - value.len();
        let is_named = !key.quote.is_empty();
        if is_cookie(key.name) && !is_named && is_cookies(value) {
            let end = value.find(['\n', '\r', '"', '\'']).unwrap_or(value.len());
            masked.mask(start..start + end);
        } else if !is_named && let Some(end) = end_of_scheme(key.name, value) {
            masked.mask(start..start + end);
        } else if (is_named || key.is_first || !is_word(key.name))
            && let Some(inner) = quoted(value)
        {
            if !inner.is_empty() {
                masked.mask(start + inner.start..start + inner.end);
            }
        } else if is_named {
            if let Some(length) = length_of_literal(value) {
                masked.mask_quoted(start..start + length, key.quote);
            }
        } else {
            let value = after.trim_start_matches(BLANKS);
            let start = text.len() - value.len();
            let is_tight = value.len() == after.len();
            // Each word is looked at once, so that the time is linear: `token:token:token:…`.
            if start + MAX_AGAIN >= looked_at {
                if let Some(length) = length_of_word(&key, value, is_tight) {
                    masked.mask(start..start + length);
                }
                looked_at = looked_at.max(start + end_of_word(value, false));
            }
        }
        from = from.max(masked.done);
    }
    masked.finish()
}

/// Returns the number of bytes of a number, an array or an object.
fn length_of_literal(text: &str) -> Option<usize> {
    match text.bytes().next()? {
        b'0'..=b'9' | b'-' => {
            let is_of_number = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
            Some(text.find(|c| !is_of_number(c)).unwrap_or(text.len()))
        }
        b'[' | b'{' => Some(end_of_brackets(text)),
        _ => None,
    }
}

/// Returns the number of bytes of a value without quotes, if it is a secret. A sentence goes on
/// behind its first word.
fn length_of_word(key: &Key<'_>, text: &str, is_tight: bool) -> Option<usize> {
    const MAX_WORD: usize = 64;
    let length = end_of_word(text, false);
    if !key.is_secret(&text[..length], is_tight) {
        return None;
    }
    let rest = text[length..].trim_start_matches([',', ';']);
    let is_quote = rest.starts_with(['"', '\'', '\\']);
    let next = rest.trim_start_matches(['\\', '"', '\'']);
    if is_quote && next.starts_with(char::is_alphanumeric) {
        // An apostrophe.
        return None;
    }
    let next = rest.trim_start_matches(BLANKS);
    let mut chars = next.chars().take(MAX_WORD);
    let is_of_word = |c: &char| !c.is_whitespace() && !matches!(c, ':' | '=');
    let behind = chars.by_ref().find(|c| !is_of_word(c));
    let is_name = behind.is_some_and(|c| matches!(c, ':' | '=')) || chars.next() == Some('=');
    let is_end = is_name
        || next.is_empty()
        || next.starts_with(['\n', '\r', '#', '}', ')', '&', '"', '\'', '\\']);
    is_end.then_some(length)
}

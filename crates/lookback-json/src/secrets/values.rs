//! Where a value within a text begins and ends.

use std::ops::Range;

/// Returns where the characters of a quoted value are that a text begins with: `"…"`, `'…'`, with
/// escaped quotes, and as programs print them: `b'…'` (Python), `Some("…")` (Rust),
/// `string(3) "…"` (PHP).
pub(super) fn quoted(text: &str) -> Option<Range<usize>> {
    const MAX_WRAPPERS: usize = 4;
    const MAX_NAME: usize = 32;
    // Of GraphQL and Python.
    const TRIPLE: &str = r#"""""#;
    let bytes = text.as_bytes();
    let count = |from: usize, most: usize, is_counted: fn(&u8) -> bool| {
        let rest = bytes[from..].iter().take(most);
        rest.take_while(|byte| is_counted(byte)).count()
    };
    let mut at = 0;
    if text.starts_with("string(") {
        let digits = count(7, MAX_NAME, u8::is_ascii_digit);
        if text[7 + digits..].starts_with(") \"") {
            at = 7 + digits + 2;
        }
    }
    for _ in 0..MAX_WRAPPERS {
        let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
        let length = count(at, MAX_NAME, is_of_name);
        if length == 0 || bytes.get(at + length) != Some(&b'(') {
            break;
        }
        at += length + 1;
    }
    // Before a string of bytes, or a raw one.
    let prefix = count(at, 2, |byte| {
        matches!(byte, b'b' | b'B' | b'r' | b'R' | b'u' | b'U')
    });
    let start = at + prefix;
    let escapes = count(start, usize::MAX, |byte| *byte == b'\\');
    let letter = start + escapes;
    if !matches!(bytes.get(letter), Some(b'"' | b'\'')) {
        return None;
    }
    if let Some(inner) = text[letter..].strip_prefix(TRIPLE)
        && let Some(end @ 1..) = inner.find(TRIPLE)
    {
        return Some(letter + TRIPLE.len()..letter + TRIPLE.len() + end);
    }
    // In a string of JSON.
    let quote = &text[start..=letter];
    let repeated = |text: &str| {
        let rest = text.strip_prefix(quote)?.strip_prefix(quote)?;
        rest.strip_prefix(quote).map(str::len)
    };
    if escapes > 0
        && let Some(rest) = repeated(&text[start..])
    {
        let inner = text.len() - rest;
        if let Some(end @ 1..) = text[inner..].find(&quote.repeat(3)) {
            return Some(inner..inner + end);
        }
    }
    let inner = letter + 1;
    let end = end_of_string(&text[inner..], &text[start..inner]);
    Some(inner..inner + end)
}

/// Returns where the quote is that ends a string. One that was cut is a secret to its end.
pub(super) fn end_of_string(inner: &str, quote: &str) -> usize {
    // Each time JSON is put in a string, the escapes double: a quote in `\"…\"` is `\\\"`.
    let own_escapes = quote.len() - 1;
    let period = 2 * quote.len();
    let letter = &quote[own_escapes..];
    let mut from = 0;
    while let Some(found) = inner[from..].find(letter) {
        let at = from + found;
        let escapes = inner.as_bytes()[from..at].iter().rev();
        let escapes = escapes.take_while(|byte| **byte == b'\\').count();
        // JSON around it does not escape `'`: there, `'it\'s'` of Python is `'it\\'s'`.
        let is_ambiguous = quote == "'" && escapes > 0;
        let is_inside = || inner[at + 1..].starts_with(|c: char| !is_after_string(c));
        if escapes % period == own_escapes && !(is_ambiguous && is_inside()) {
            return at - own_escapes;
        }
        from = at + 1;
    }
    inner.len()
}

fn is_after_string(c: char) -> bool {
    c.is_whitespace() || ",;:)]}>&\"'\\".contains(c)
}

/// Returns the number of bytes of an array or object, to its last bracket.
pub(super) fn end_of_brackets(text: &str) -> usize {
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

/// Returns the number of bytes of a value without quotes, which may be part of a path.
pub(super) fn end_of_word(text: &str, is_in_path: bool) -> usize {
    let is_end = |c: char| {
        c.is_whitespace()
            || matches!(c, '&' | '"' | '\'' | ';' | ',' | '#' | ')' | '}')
            || is_in_path && matches!(c, '/' | '?')
    };
    let end = text.find(is_end).unwrap_or(text.len());
    if text[end..].starts_with(['"', '\'']) {
        // The escapes are those of the quote around it.
        text[..end].trim_end_matches('\\').len()
    } else {
        end
    }
}

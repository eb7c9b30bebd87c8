//! Secrets in XML and in the parts of a form: what has its name in a line or a tag of its own.

use std::collections::HashMap;

use super::Masking;
use super::text::Masked;

/// Masks the content of elements: `<password>…</password>`.
pub(super) fn mask_elements(masking: &Masking, text: &str) -> Option<String> {
    // Without the end of an element, `<token>` is a placeholder in a sentence.
    let is_xml = text.trim_start().starts_with('<');
    if !is_xml && !text.contains("</") {
        return None;
    }
    let mut ends: Option<HashMap<&str, usize>> = None;
    let mut masked = Masked::new(masking, text);
    let mut from = 0;
    while let Some(found) = text[from..].find('<') {
        let at = from + found;
        from = at + 1;
        let name = tag_name(&text[from..]);
        // In a list of what is allowed, text behind an element has no name.
        let is_end = name.is_empty() && masking.allowed.is_some() && text[from..].starts_with('/');
        if !is_end && (name.is_empty() || !masking.is_secret_name(name)) {
            continue;
        }
        let Some(length) = end_of_tag(&text[from..]) else {
            continue;
        };
        if text[from..from + length].ends_with("/>") {
            continue;
        }
        let start = from + length;
        let ends = ends.get_or_insert_with(|| last_ends(text));
        let end = if masking.allowed.is_some() {
            // Each element within has a name of its own.
            let end = text[start..]
                .find('<')
                .map_or(text.len(), |end| start + end);
            Some(end)
        } else if ends.get(name).is_some_and(|end| *end >= start) {
            end_of_element(&text[start..], name).map(|end| start + end)
        } else {
            is_xml.then_some(text.len())
        };
        if let Some(end) = end {
            let content = &text[start..end];
            let trimmed = content.trim_start();
            let start = end - trimmed.len();
            let secret = start..start + trimmed.trim_end().len();
            if !secret.is_empty() {
                masked.mask(secret);
            }
            from = from.max(end);
        }
    }
    masked.finish()
}

fn tag_name(text: &str) -> &str {
    const MAX_NAME: usize = 128;
    let is_of_name = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':') || *byte >= 0x80
    };
    let bytes = text.bytes().take(MAX_NAME);
    let length = bytes.take_while(is_of_name).count();
    text.get(..length).unwrap_or_default()
}

/// Returns the number of bytes to the `>` of a tag. In the value of an attribute it is part of it.
fn end_of_tag(text: &str) -> Option<usize> {
    const LONGEST: usize = 1024;
    let mut quote = None;
    for (at, byte) in text.bytes().take(LONGEST).enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'<') => return None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// Returns where each name is closed for the last time.
fn last_ends(text: &str) -> HashMap<&str, usize> {
    let mut ends = HashMap::new();
    let mut from = 0;
    while let Some(found) = text[from..].find("</") {
        let at = from + found;
        from = at + 2;
        ends.insert(tag_name(&text[from..]), at);
    }
    ends
}

/// Returns where the element with this name ends.
fn end_of_element(text: &str, name: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(found) = text[from..].find("</") {
        let at = from + found;
        from = at + 2;
        if tag_name(&text[from..]) == name {
            return Some(at);
        }
    }
    None
}

/// Masks the content of the parts of a form: `…; name="password"`, an empty line, and the value.
pub(super) fn mask_parts(masking: &Masking, text: &str) -> Option<String> {
    const NAME: &str = "name=";
    const MAX_NAME: usize = 256;
    // As it is, and in a string of JSON.
    const LINES: [(&str, &str); 3] = [
        ("\r\n\r\n", "\r\n--"),
        ("\n\n", "\n--"),
        (r"\r\n\r\n", r"\r\n--"),
    ];
    if !text.contains("form-data") {
        return None;
    }
    let (empty, end) = LINES.into_iter().find(|(empty, _)| text.contains(empty))?;
    let mut masked = Masked::new(masking, text);
    let mut from = 0;
    while let Some(found) = text[from..].find(NAME) {
        let start = from + found;
        from = start + NAME.len();
        // Not that of a file.
        if !text[..start].ends_with([' ', ';', '\t']) {
            continue;
        }
        let after = text[from..].trim_start_matches(['\\', '"']);
        let is_end = |c: char| matches!(c, '"' | '\\' | '\r' | '\n' | ';');
        let Some(length) = after.find(is_end).filter(|length| *length <= MAX_NAME) else {
            continue;
        };
        if !masking.is_secret_name(&after[..length]) {
            continue;
        }
        let head = text.len() - after.len() + length;
        // Without an empty line, the text ends with the headers.
        let Some(found) = text[head..].find(empty) else {
            break;
        };
        let start = head + found + empty.len();
        let content = &text[start..];
        let length = content.find(end).unwrap_or(content.len());
        if length > 0 {
            masked.mask(start..start + length);
        }
        from = start + length;
    }
    masked.finish()
}

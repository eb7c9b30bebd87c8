//! Values in a text whose name is not on the list of names that are allowed.

use super::text::Masked;
use super::values::{end_of_brackets, quoted};
use super::{MASK_WITH_HASH, Masking, mask_length};

/// Masks each value behind a name that is not listed, and a `=` or a `:`.
pub(super) fn mask_unlisted(masking: &Masking, text: &str) -> Option<String> {
    let mut masked = Masked::new(masking, text);
    let mut from = 0;
    while let Some(found) = text[from..].find(['=', ':']) {
        let at = from + found;
        let before = &text[from..at];
        from = at + 1;
        let is_colon = text[at..].starts_with(':');
        let is_of_mask = is_colon && text[..from].ends_with(MASK_WITH_HASH);
        if is_of_mask || is_colon && text[from..].starts_with("//") {
            continue;
        }
        let Some(name) = name(before) else {
            continue;
        };
        if !masking.is_secret_name(name) {
            continue;
        }
        let after = &text[from..];
        let value = after.strip_prefix(['>', '=']).unwrap_or(after);
        let value = value.trim_start_matches([' ', '\t']);
        let start = text.len() - value.len();
        if let Some(inner) = quoted(value) {
            from = start + inner.end;
            if !inner.is_empty() {
                masked.mask(start + inner.start..from);
            }
            continue;
        }
        let length = if let Some(length) = mask_length(value) {
            length
        } else if value.starts_with(['[', '{']) {
            end_of_brackets(value)
        } else if is_colon {
            // A sentence, to the end of the line.
            let is_end = |c: char| matches!(c, '\n' | '\r' | '"' | '\'' | ',' | ';' | '}' | '\\');
            value.find(is_end).unwrap_or(value.len())
        } else {
            let is_end = |c: char| c.is_whitespace() || matches!(c, '&' | ';' | '"' | '\'' | '\\');
            value.find(is_end).unwrap_or(value.len())
        };
        if length > 0 {
            masked.mask(start..start + length);
            from = start + length;
        }
    }
    masked.finish()
}

/// Returns the name that a text ends with. `None` if it has no letter, as the hour of a time.
fn name(text: &str) -> Option<&str> {
    const QUOTES: [char; 3] = ['"', '\'', '\\'];
    let text = text.trim_end().trim_end_matches(QUOTES);
    let is_of_name = |c: char| c.is_alphanumeric() || "-_.%[]$@".contains(c);
    let name = text.rsplit(|c| !is_of_name(c)).next()?;
    // An encoded letter is `%41`.
    let has_letter = name.contains(|c: char| c.is_alphabetic() || c == '%');
    has_letter.then_some(name)
}

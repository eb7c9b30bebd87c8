//! A second implementation of quoting and escaping in filters.

/// Quotes any text.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Quotes a text where it would not be read as it is: at the start of a value a quote begins
/// text in quotes.
pub(super) fn alone(text: &str) -> String {
    if text.starts_with('"') {
        quoted(text)
    } else {
        text.to_owned()
    }
}

/// Escapes a text as a pattern that matches only itself.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}

/// Encodes every byte as `%` and two digits.
pub(super) fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

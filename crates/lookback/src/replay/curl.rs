//! A request as a command for curl.

use std::fmt::Write as _;

use http::Method;

use super::request::PreparedRequest;

impl PreparedRequest {
    /// Returns a command of curl that sends the request, for `sh`.
    ///
    /// Bytes that are not printable text are written by `printf`, so that the command has none.
    /// A masked value is in it as `[masked]`, if the request has it.
    #[must_use]
    pub fn curl(&self) -> String {
        let mut command = String::new();
        let text = std::str::from_utf8(&self.body).ok();
        let text = text.filter(|text| !text.chars().any(is_unprintable));
        if text.is_none() {
            command.push_str("printf '");
            for byte in &self.body {
                // Writing to a string does not fail.
                let _ = write!(command, "\\{byte:03o}");
            }
            command.push_str("' | ");
        }
        command.push_str("curl");
        if self.method == Method::HEAD {
            command.push_str(" --head");
        } else if self.method != Method::GET || self.has_body() {
            command.push_str(" -X ");
            push_quoted(self.method.as_str(), &mut command);
        }
        let url = self.url.to_string();
        if url.contains("/.") {
            command.push_str(" --path-as-is");
        }
        if url.contains(['[', ']', '{', '}']) {
            command.push_str(" --globoff");
        }
        command.push(' ');
        push_quoted(&url, &mut command);
        let mut push_header = |header: &[u8]| {
            command.push_str(" \\\n  -H ");
            match std::str::from_utf8(header) {
                Ok(text) if !text.chars().any(is_unprintable) => push_quoted(text, &mut command),
                _ => push_printed(header, &mut command),
            }
        };
        for (name, value) in &self.headers {
            let mut header = name.as_str().as_bytes().to_vec();
            if value.is_empty() {
                header.push(b';');
            } else {
                header.extend_from_slice(b": ");
                header.extend_from_slice(value.as_bytes());
            }
            push_header(&header);
        }
        if self.has_body() {
            // Without it curl names a type itself.
            if !self.has_content_type() {
                push_header(b"content-type:");
            }
            match text {
                Some(text) => {
                    command.push_str(" \\\n  --data-raw ");
                    push_quoted(text, &mut command);
                }
                None => command.push_str(" \\\n  --data-binary @-"),
            }
        }
        command
    }
}

/// Whether a character controls a terminal, has no form, or turns what is beside it.
fn is_unprintable(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
        || matches!(
            c,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}'
        )
}

/// Appends the call of `printf` that prints these bytes, which do not end with a line break.
fn push_printed(bytes: &[u8], out: &mut String) {
    out.push_str("\"$(printf '");
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            b'%' => out.push_str("%%"),
            // It would be an option of `printf`.
            b'-' if place == 0 => out.push_str("\\055"),
            // An interactive shell replaces what follows a `!` within double quotes.
            b' '..=b'~' if !matches!(byte, b'\'' | b'\\' | b'!') => out.push(char::from(*byte)),
            // Writing to a string does not fail.
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out.push_str("')\"");
}

/// Quotes a text for `sh`.
fn push_quoted(text: &str, out: &mut String) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.,:/@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        out.push_str(text);
        return;
    }
    out.push('\'');
    out.push_str(&text.replace('\'', "'\\''"));
    out.push('\'');
}

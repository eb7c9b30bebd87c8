//! Secrets in what is percent-encoded within a text: `next=%2Flogin%3Ftoken%3D…`.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Masking;

/// Decodes `%41`. What is not UTF-8 afterwards is replaced.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let (mut at, mut done) = (0, 0);
    while let Some(found) = text[at..].find('%') {
        at += found;
        let digits = bytes.get(at + 1).zip(bytes.get(at + 2));
        let byte = digits.and_then(|(high, low)| Some(digit(*high)? << 4 | digit(*low)?));
        if let Some(byte) = byte {
            decoded.extend_from_slice(&bytes[done..at]);
            decoded.push(byte);
            at += 3;
            done = at;
        } else {
            at += 1;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    decoded.extend_from_slice(&bytes[done..]);
    Cow::Owned(match String::from_utf8(decoded) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// Decodes `\u0041`, as often as it is escaped itself. What stands for no character is left out.
pub(super) fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.strip_prefix('u').and_then(|rest| rest.get(..4));
        match code.map(|code| u32::from_str_radix(code, 16)) {
            Some(Ok(code)) => {
                plain.extend(char::from_u32(code));
                plain.push_str(&part[5..]);
            }
            _ => plain.push_str(part),
        }
    }
    plain
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Encodes what is not part of a word or of a mask.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~[]:/@+".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Masks the secrets in each part of a text that is percent-encoded.
pub(super) fn mask_encoded(masking: &Masking, text: &str, depth: usize) -> Option<String> {
    let is_end = |c: char| c.is_whitespace() || "&=?#\"'<>(){},;\\|".contains(c);
    let mut masked = String::new();
    let (mut at, mut done) = (0, 0);
    while let Some(found) = text[at..].find('%') {
        let sign = at + found;
        // What is before the sign is looked at once.
        let before = text[at..sign].rfind(is_end);
        let start = before.map_or(at, |end| {
            let end = at + end;
            end + text[end..].chars().next().map_or(1, char::len_utf8)
        });
        let length = text[sign..].find(is_end).unwrap_or(text.len() - sign);
        let part = &text[start..sign + length];
        at = sign + length;
        let Cow::Owned(plain) = decoded(part) else {
            continue;
        };
        if let Cow::Owned(new) = masking.mask_text_at(&plain, depth + 1)
            && new != plain
        {
            masked.push_str(&text[done..start]);
            masked.push_str(&encoded(&new));
            done = at;
        }
    }
    (done > 0).then(|| masked + &text[done..])
}

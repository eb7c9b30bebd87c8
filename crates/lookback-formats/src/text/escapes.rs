//! The escapes of quoted texts of Go.

/// Reads a quoted text behind its first quote, and returns what is behind it. `None` if an escape
/// is none of Go.
pub(crate) fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text;
    let mut bytes = Vec::new();
    loop {
        let end = rest.find(['"', '\\'])?;
        bytes.extend_from_slice(&rest.as_bytes()[..end]);
        let is_end = rest[end..].starts_with('"');
        rest = &rest[end + 1..];
        if is_end {
            return Some((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        let escape = rest.chars().next()?;
        let digits = |at: usize, count: usize, radix: u32| {
            let digits = rest.get(at..at + count)?;
            u32::from_str_radix(digits, radix).ok()
        };
        // Bytes by their number, and characters by theirs.
        let (byte, letter, length) = match escape {
            'a' => (Some(7), None, 1),
            'b' => (Some(8), None, 1),
            'f' => (Some(12), None, 1),
            'n' => (Some(10), None, 1),
            'r' => (Some(13), None, 1),
            't' => (Some(9), None, 1),
            'v' => (Some(11), None, 1),
            '\\' | '"' | '\'' => (None, Some(escape), 1),
            'x' => (Some(digits(1, 2, 16)?), None, 3),
            'u' => {
                let code = digits(1, 4, 16)?;
                // Two of UTF-16, as JSON has them.
                let low = rest
                    .get(5..7)
                    .filter(|next| *next == "\\u")
                    .and_then(|_| digits(7, 4, 16));
                match (code, low) {
                    (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => {
                        let code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                        (None, char::from_u32(code), 11)
                    }
                    (0xd800..0xe000, _) => (None, Some(char::REPLACEMENT_CHARACTER), 5),
                    (code, _) => (None, char::from_u32(code), 5),
                }
            }
            'U' => (None, Some(char::from_u32(digits(1, 8, 16)?)?), 9),
            '0'..='7' => (Some(digits(0, 3, 8)?), None, 3),
            _ => return None,
        };
        if let Some(byte) = byte {
            bytes.push(u8::try_from(byte).ok()?);
        }
        if let Some(letter) = letter {
            bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        rest = &rest[length..];
    }
}

//! Checks the field sizes of long lines before their values are created.
//!
//! A value needs many times as much memory as its text.

use std::fmt;

use lookback::table::Table;
use lookback::value::ColumnType;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Longer lines are checked; for shorter ones a second pass is not worth it.
pub(crate) const LARGE: usize = 1024 * 1024;

/// Finds the fields that exceed the limits of the table, each with its problem.
///
/// Sizes are counted as in the checks of a record.
pub(crate) fn too_large(text: &str, table: &Table) -> serde_json::Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut unknown = 0;
    fields(text, |name, size| {
        if let Some(column) = table.column(name) {
            let size = match column.column_type() {
                ColumnType::Jsonb => size,
                _ => size.saturating_sub(QUOTE_BYTES),
            };
            if size > column.max_bytes() {
                problems.push(format!(
                    "{name}: is {size} bytes long, over the limit of {}",
                    column.max_bytes()
                ));
            }
        } else {
            let before = unknown;
            unknown += name.len() + size;
            if before <= LARGE && unknown > LARGE {
                let name: String = name.chars().take(60).collect();
                problems.push(format!("{name}: is not a field of {}", table.name()));
            }
        }
    })?;
    Ok(problems)
}

/// Calls `found` with the name and the size of each field of an object.
///
/// Does nothing for other JSON values.
pub(crate) fn fields(text: &str, found: impl FnMut(&str, usize)) -> serde_json::Result<()> {
    if !text.trim_start().starts_with('{') {
        return serde_json::from_str::<&RawValue>(text).map(drop);
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_map(FieldVisitor(found))?;
    reader.end()
}

/// The bytes of a string's quotes.
const QUOTE_BYTES: usize = 2;

/// Visits the fields of an object.
struct FieldVisitor<F>(F);

impl<'de, F: FnMut(&str, usize)> Visitor<'de> for FieldVisitor<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let value: &RawValue = map.next_value()?;
            self.0(&name, size(value.get()));
        }
        Ok(())
    }
}

/// Counts the bytes of a value without white space, commas and colons.
///
/// The text must be JSON; strings count without their escapes.
fn size(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut size) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' | b',' | b':' => {}
            b'"' => {
                let (end, length) = string(bytes, at + 1);
                size += length + QUOTE_BYTES;
                at = end;
            }
            // `false` counts like `null` and `true`.
            b'f' => {
                size += "null".len();
                at += "alse".len();
            }
            _ => size += 1,
        }
        at += 1;
    }
    size
}

/// The position of a string's closing quote, and the length of its text.
fn string(bytes: &[u8], start: usize) -> (usize, usize) {
    let (mut at, mut length) = (start, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => break,
            b'\\' if bytes.get(at + 1) == Some(&b'u') => {
                let code = std::str::from_utf8(&bytes[at + 2..(at + 6).min(bytes.len())])
                    .ok()
                    .and_then(|digits| u32::from_str_radix(digits, 16).ok());
                // One half of a surrogate pair counts as half of the four bytes of its character.
                length += code.and_then(char::from_u32).map_or(2, char::len_utf8);
                at += 6;
            }
            b'\\' => {
                length += 1;
                at += 2;
            }
            _ => {
                length += 1;
                at += 1;
            }
        }
    }
    (at, length)
}

#[cfg(test)]
mod tests {
    use lookback::{Log, Model as _};

    use super::{LARGE, fields, too_large};

    fn sizes(text: &str) -> Vec<(String, usize)> {
        let mut sizes = Vec::new();
        fields(text, |name, size| sizes.push((name.to_owned(), size))).expect("JSON");
        sizes
    }

    #[test]
    fn field_sizes_exclude_white_space() {
        let text = r#"{"a": "x\u0041\n", "b": [0, 10, -7, -2.50, null, true], "c": {"k" : []}}"#;
        let named = |name: &str, size| (name.to_owned(), size);
        assert_eq!(sizes(text), [named("a", 5), named("b", 20), named("c", 7)]);
        for other in ["[1, {\"a\": 2}]", "1.5", "\"x\"", "null", "true"] {
            assert_eq!(sizes(other), []);
        }
        assert!(fields("{\"a\": 1", |_, _| {}).is_err());
        assert!(fields("{\"a\": 1} 2", |_, _| {}).is_err());
    }

    #[test]
    fn too_large_names_field_and_limit() {
        let problems = |text: &str| too_large(text, Log::TABLE).expect("JSON").join("; ");
        let x = "x".repeat(LARGE);
        assert_eq!(problems(&format!("{{\"message\": \"{x}\"}}")), "");
        assert_eq!(
            problems(&format!("{{\"message\": \"{x}y\", \"level\": 1}}")),
            "message: is 1048577 bytes long, over the limit of 1048576"
        );
        let meta = "1,".repeat(8 * LARGE);
        assert_eq!(
            problems(&format!("{{\"meta\": [{meta}1]}}")),
            "meta: is 8388611 bytes long, over the limit of 8388608"
        );
        assert_eq!(
            problems(&format!("{{\"text\": \"{x}\"}}")),
            "text: is not a field of logs"
        );
    }
}

//! Checks of the field sizes of long lines, before their values are built.
//!
//! A value in memory is many times as large as its text.

use std::fmt;

use lookback::{ColumnType, Table};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Lines with more bytes are checked; for shorter ones a second pass is not worth it.
pub(crate) const LARGE: usize = 1024 * 1024;

/// Finds the fields that exceed the limits of the table, each with its problem.
///
/// Sizes are counted as in the checks of a record.
pub(crate) fn too_large(text: &str, table: &Table) -> serde_json::Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut unknown = 0;
    fields(text, |name, size| match table.column(name) {
        Some(column) => {
            let size = match column.column_type() {
                ColumnType::Jsonb => size,
                _ => size.saturating_sub(QUOTE_BYTES),
            };
            if size > column.max_bytes() {
                problems.push(format!(
                    "{name}: is {size} bytes long; at most {} are taken",
                    column.max_bytes()
                ));
            }
        }
        None => {
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

/// Calls `found` with the name and the size of every field of an object.
///
/// It is not called for other JSON values.
pub(crate) fn fields(text: &str, found: impl FnMut(&str, usize)) -> serde_json::Result<()> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_any(FieldVisitor(found))?;
    reader.end()
}

/// The bytes of a string's quotes.
const QUOTE_BYTES: usize = 2;

/// The key of a number in serde_json with its feature `arbitrary_precision`.
///
/// A number that is not a 64-bit integer is an object with this one field, whose
/// value is the text of the number.
const NUMBER_KEY: &str = "$serde_json::private::Number";

/// Visits the fields of an object.
struct FieldVisitor<F>(F);

impl<'de, F: FnMut(&str, usize)> Visitor<'de> for FieldVisitor<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let size = map.next_value_seed(SizeVisitor)?;
            if name != NUMBER_KEY {
                self.0(&name, size);
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        SizeVisitor.visit_seq(seq).map(drop)
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// Counts the bytes of a value, without its white space and commas.
struct SizeVisitor;

impl<'de> DeserializeSeed<'de> for SizeVisitor {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<usize, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for SizeVisitor {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<usize, E> {
        Ok("null".len())
    }

    fn visit_unit<E>(self) -> Result<usize, E> {
        Ok("null".len())
    }

    fn visit_u64<E>(self, number: u64) -> Result<usize, E> {
        Ok(digits(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<usize, E> {
        Ok(usize::from(number < 0) + digits(number.unsigned_abs()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<usize, E> {
        Ok(number.to_string().len())
    }

    fn visit_str<E>(self, text: &str) -> Result<usize, E> {
        Ok(text.len() + QUOTE_BYTES)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<usize, A::Error> {
        let mut size = "[]".len();
        while let Some(item) = seq.next_element_seed(SizeVisitor)? {
            size += item;
        }
        Ok(size)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut size = "{}".len();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(SizeVisitor)?;
            if name == NUMBER_KEY {
                return Ok(value - QUOTE_BYTES);
            }
            size += name.len() + QUOTE_BYTES + value;
        }
        Ok(size)
    }
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
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
    fn too_large_field_is_named() {
        let wrong = |text: &str| too_large(text, Log::TABLE).expect("JSON").join("; ");
        let x = "x".repeat(LARGE);
        assert_eq!(wrong(&format!("{{\"message\": \"{x}\"}}")), "");
        assert_eq!(
            wrong(&format!("{{\"message\": \"{x}y\", \"level\": 1}}")),
            "message: is 1048577 bytes long; at most 1048576 are taken"
        );
        let meta = "1,".repeat(8 * LARGE);
        assert_eq!(
            wrong(&format!("{{\"meta\": [{meta}1]}}")),
            "meta: is 8388611 bytes long; at most 8388608 are taken"
        );
        assert_eq!(
            wrong(&format!("{{\"text\": \"{x}\"}}")),
            "text: is not a field of logs"
        );
    }
}

//! Reading JSON as programs write it: with halves of surrogates, several objects in a line, and
//! values that would need many times the memory of their text.

use std::ops::Range;

use lookback::Json;
use lookback::value::JsonRef;

use super::names::OF_FORMATS;

/// Parses a text; what it borrows from is kept in `fixed`, if the text itself cannot be used.
/// `None` if it is not JSON.
///
/// Half of a surrogate, as Node writes it for half of a character, is a replacement character, since
/// `jsonb` cannot hold it. A value of very many small parts, or of too many levels, is a string of its
/// text.
pub(crate) fn parse<'s>(text: &'s [u8], fixed: &'s mut Vec<u8>) -> Option<JsonRef<'s>> {
    if text.len() >= MIN_DENSE {
        match sparse(text) {
            Sparse::AsIs => {}
            Sparse::Fixed(sparse) => {
                *fixed = with_whole_surrogates(&sparse).unwrap_or(sparse);
                return JsonRef::from_slice(fixed).ok();
            }
            Sparse::Never => return None,
        }
    }
    if may_be_deep(text)
        && let Some(flat) = flat(text)
    {
        *fixed = with_whole_surrogates(&flat).unwrap_or(flat);
        return JsonRef::from_slice(fixed).ok();
    }
    match JsonRef::from_slice(text) {
        Ok(value) => Some(value),
        Err(_) => {
            *fixed = with_whole_surrogates(text)?;
            JsonRef::from_slice(fixed).ok()
        }
    }
}

/// The most levels of a value: deeper ones are strings of their text. A column of JSON holds 100.
const MOST_LEVELS: usize = 90;

/// Whether a text has enough brackets for more levels.
fn may_be_deep(text: &[u8]) -> bool {
    let is_open = |byte: &u8| usize::from(matches!(byte, b'[' | b'{'));
    text.len() > 2 * MOST_LEVELS && text.iter().map(is_open).sum::<usize>() > MOST_LEVELS
}

/// Returns a text whose values have no more levels; `None` if it is as it is.
fn flat(text: &[u8]) -> Option<Vec<u8>> {
    let mut deep: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    let mut level = 0_usize;
    let mut string = InString::default();
    for (at, byte) in text.iter().enumerate() {
        if string.read(*byte) {
            continue;
        }
        match byte {
            b'{' | b'[' => {
                level += 1;
                if level == MOST_LEVELS + 1 {
                    start = at;
                }
            }
            b'}' | b']' => {
                if level == MOST_LEVELS + 1 {
                    deep.push(start..at + 1);
                }
                level = level.checked_sub(1)?;
            }
            _ => {}
        }
    }
    (!deep.is_empty()).then(|| with_strings(text, deep))
}

/// Returns the objects of a text that has several, with blanks or commas between and behind them,
/// or that is the start or the end of an array of them; `None` for anything else.
pub(crate) fn several(text: &[u8]) -> Option<Vec<&[u8]>> {
    let text = text.trim_ascii_start();
    let (text, is_start) = match text.strip_prefix(b"[") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut objects = Vec::new();
    let mut start = None;
    let mut depth = 0_usize;
    let mut string = InString::default();
    let mut has_others = is_start;
    for (at, byte) in text.iter().enumerate() {
        if string.read(*byte) {
            start?;
            continue;
        }
        match byte {
            b'{' | b'[' => {
                if depth == 0 {
                    (*byte == b'{').then_some(())?;
                    start = Some(at);
                }
                depth += 1;
            }
            b'}' | b']' => {
                // The end of the array.
                if depth == 0 && *byte == b']' && text[at + 1..].trim_ascii().is_empty() {
                    has_others = true;
                    break;
                }
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    objects.push(&text[start?..=at]);
                    start = None;
                }
            }
            b',' if depth == 0 => has_others = true,
            byte if depth == 0 && !byte.is_ascii_whitespace() => return None,
            _ => {}
        }
    }
    let is_several = depth == 0 && (objects.len() > 1 || has_others && objects.len() == 1);
    let is_object = |object: &&[u8]| {
        let mut fixed = Vec::new();
        matches!(parse(object, &mut fixed), Some(JsonRef::Object(_)))
    };
    (is_several && objects.iter().all(is_object)).then_some(objects)
}

/// Whether the bytes of a text are within a string.
#[derive(Default)]
struct InString {
    is_in: bool,
    is_escaped: bool,
}

impl InString {
    /// Reads a byte; returns whether it is of a string.
    fn read(&mut self, byte: u8) -> bool {
        if !self.is_in {
            self.is_in = byte == b'"';
            return self.is_in;
        }
        if self.is_escaped {
            self.is_escaped = false;
        } else if byte == b'\\' {
            self.is_escaped = true;
        } else {
            self.is_in = byte != b'"';
        }
        true
    }
}

/// Replaces each half of a surrogate; `None` if there is none.
pub(crate) fn with_whole_surrogates(text: &[u8]) -> Option<Vec<u8>> {
    let unit = |at: usize| {
        let escape = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        let digits = std::str::from_utf8(escape).ok()?;
        u32::from_str_radix(digits, 16).ok()
    };
    let mut fixed: Option<Vec<u8>> = None;
    // What was copied so far.
    let mut copied = 0;
    let mut at = 0;
    while let Some(next) = text[at..].iter().position(|byte| *byte == b'\\') {
        at += next;
        at = match unit(at) {
            Some(0xd800..0xdc00) if matches!(unit(at + 6), Some(0xdc00..0xe000)) => at + 12,
            Some(0xd800..0xe000) => {
                let fixed = fixed.get_or_insert_default();
                fixed.extend_from_slice(&text[copied..at]);
                fixed.extend_from_slice(b"\\ufffd");
                copied = at + 6;
                copied
            }
            // An escape may be that of a backslash.
            _ => (at + 2).min(text.len()),
        };
    }
    let mut fixed = fixed?;
    fixed.extend_from_slice(&text[copied..]);
    Some(fixed)
}

/// The least bytes of a text that is looked through for values of very many small parts, and the
/// least parts of such a value.
const MIN_DENSE: usize = 1024 * 1024;
const MIN_PARTS: usize = 64 * 1024;

/// The memory of a part, of the name of one, and of a list, about, and the most that a value may
/// need of that for each byte of its text.
const OF_PART: usize = 100;
const OF_NAME: usize = 150;
const OF_LIST: usize = 60;
const MOST_PER_BYTE: usize = 12;

/// A text whose values need no more memory than a small multiple of it.
enum Sparse {
    AsIs,
    /// Some values are strings of their text.
    Fixed(Vec<u8>),
    /// The record itself has very many small fields.
    Never,
}

/// An array or object that is being read.
#[derive(Default)]
struct Open {
    start: usize,
    parts: usize,
    cost: usize,
    /// The bytes of values within it that become strings.
    cut: usize,
}

/// Looks for values of very many small parts.
fn sparse(text: &[u8]) -> Sparse {
    let start = text.len() - text.trim_ascii_start().len();
    // What is around records may have as many as it likes.
    if text.get(start) != Some(&b'{') || is_batch(text) {
        return Sparse::AsIs;
    }
    let mut open: Vec<Open> = Vec::new();
    let mut dense: Vec<Range<usize>> = Vec::new();
    let mut string = InString::default();
    for (at, byte) in text.iter().enumerate() {
        if string.read(*byte) {
            continue;
        }
        match byte {
            b'{' | b'[' => open.push(Open {
                start: at,
                ..Open::default()
            }),
            b',' | b':' => {
                if let Some(open) = open.last_mut() {
                    open.parts += usize::from(*byte == b',');
                    open.cost += if *byte == b',' { OF_PART } else { OF_NAME };
                }
            }
            b'}' | b']' => {
                let Some(closed) = open.pop() else {
                    // It is not JSON.
                    return Sparse::AsIs;
                };
                let length = at + 1 - closed.start - closed.cut;
                let is_dense = closed.parts >= MIN_PARTS && closed.cost > MOST_PER_BYTE * length;
                let Some(around) = open.last_mut() else {
                    if is_dense {
                        return Sparse::Never;
                    }
                    continue;
                };
                if is_dense {
                    // Those within it are part of it.
                    while dense.last().is_some_and(|range| range.start > closed.start) {
                        dense.pop();
                    }
                    dense.push(closed.start..at + 1);
                    around.cut += at + 1 - closed.start;
                } else {
                    around.cost += closed.cost + OF_LIST;
                    around.parts += closed.parts;
                    around.cut += closed.cut;
                }
            }
            _ => {}
        }
    }
    if dense.is_empty() {
        return Sparse::AsIs;
    }
    Sparse::Fixed(with_strings(text, dense))
}

/// Returns a text in which values are strings of their text.
fn with_strings(text: &[u8], values: Vec<Range<usize>>) -> Vec<u8> {
    let mut fixed = Vec::with_capacity(text.len() + 1024);
    let mut copied = 0;
    for range in values {
        fixed.extend_from_slice(&text[copied..range.start]);
        let value = String::from_utf8_lossy(&text[range.start..range.end]);
        if value.contains(['"', '\\', '\n', '\r', '\t']) {
            let value = Json::from(&*value).to_string();
            fixed.extend_from_slice(value.as_bytes());
        } else {
            fixed.push(b'"');
            fixed.extend_from_slice(value.as_bytes());
            fixed.push(b'"');
        }
        copied = range.end;
    }
    fixed.extend_from_slice(&text[copied..]);
    fixed
}

/// Whether an object has a field that is a list of records, by its name.
fn is_batch(text: &[u8]) -> bool {
    let mut string = InString::default();
    let mut depth = 0_usize;
    let mut name = 0..0;
    for (at, byte) in text.iter().enumerate() {
        let was_in = string.is_in;
        if string.read(*byte) {
            if depth == 1 && !was_in {
                name.start = at + 1;
            } else if depth == 1 && !string.is_in {
                name.end = at;
            }
            continue;
        }
        match byte {
            b'{' | b'[' => {
                let is_list = depth == 1
                    && (*byte == b'{' || text[at + 1..].trim_ascii_start().starts_with(b"{"));
                let is_of_format = || {
                    let name = text.get(name.clone()).unwrap_or_default();
                    OF_FORMATS.iter().any(|known| known.as_bytes() == name)
                };
                if is_list && is_of_format() {
                    return true;
                }
                depth += 1;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{parse, several, with_whole_surrogates};
    use lookback::value::JsonRef;

    #[test]
    fn halves_of_surrogates_are_replaced_and_whole_ones_are_not() {
        for (text, fixed) in [
            (r#""a\ud800b""#, Some(r#""a\ufffdb""#)),
            (
                r#""\udc00\ud83d\ude00\ud83d""#,
                Some(r#""\ufffd\ud83d\ude00\ufffd""#),
            ),
            (r#""\ud83d\ude00""#, None),
            (r#""\\ud800""#, None),
            (r#""\ud8"#, None),
            (r"\", None),
        ] {
            let expected = fixed.map(|fixed| fixed.as_bytes().to_vec());
            assert_eq!(with_whole_surrogates(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn objects_of_a_line_are_split() {
        let split = |text: &str| several(text.as_bytes()).map(|objects| objects.len());
        for (text, count) in [
            (r#"{"a":"}"}{"b":"\"{"}"#, Some(2)),
            (r#"{"a":1} {"b":2},"#, Some(2)),
            (r#"{"a":1},"#, Some(1)),
            (r#"{"a":[1]}]"#, Some(1)),
            (r#"[{"a":1},"#, Some(1)),
            ("[", None),
            (r#"{"a":1}"#, None),
            (r#"{"a":1} and {"b":2}"#, None),
            (r#"{"a":1}{"b"#, None),
            (r#"{"a":1}{b}"#, None),
            ("[1][2]", None),
            (",", None),
            ("\"a\"", None),
        ] {
            assert_eq!(split(text), count, "{text}");
        }
    }

    #[test]
    fn value_of_very_many_parts_is_its_text() {
        let numbers = format!("[{}]", vec!["1"; 600_000].join(","));
        let objects = format!("[{}]", vec!["{\"a\":1}"; 200_000].join(", "));
        let text = format!("{{\"msg\":\"m\",\"a\":{{\"b\":{numbers},\"c\":2}},\"d\":{objects}}}");
        let mut fixed = Vec::new();
        let value = parse(text.as_bytes(), &mut fixed).unwrap();
        let within = value.get("a").unwrap();
        assert_eq!(within.get("b").and_then(JsonRef::as_str), Some(&*numbers));
        assert_eq!(within.get("c"), Some(&JsonRef::Number("2")));
        assert_eq!(value.get("d").and_then(JsonRef::as_str), Some(&*objects));
        // One of records is not.
        let text = format!("{{\"records\":{objects}}}");
        let mut fixed = Vec::new();
        let value = parse(text.as_bytes(), &mut fixed).unwrap();
        assert!(
            matches!(value.get("records"), Some(JsonRef::Array(items)) if items.len() == 200_000)
        );
        // Few long parts are no reason.
        let text = format!(
            "{{\"a\":[{}]}}",
            vec!["\"a text of some length\""; 100_000].join(",")
        );
        let mut fixed = Vec::new();
        let value = parse(text.as_bytes(), &mut fixed).unwrap();
        assert!(matches!(value.get("a"), Some(JsonRef::Array(_))));
        let fields: Vec<String> = (0..200_000).map(|n| format!("\"{n}\":1")).collect();
        let text = format!("{{{}}}", fields.join(","));
        assert!(parse(text.as_bytes(), &mut Vec::new()).is_none());
    }
}

//! `key=value` pairs.

use std::borrow::Cow;
use std::collections::HashMap;

use lookback::value::JsonRef;

use super::escapes;
use crate::record::{Members, Record};

/// Reads a line of pairs: `level=info msg="Listening on" n=3 flag`. A line of words is none.
pub(super) fn decode(line: &str) -> Option<Record<'_>> {
    // Each pair needs many times the memory of its text.
    const MAX_PAIRS: usize = 64 * 1024;
    let mut fields = Pairs::default();
    let mut rest = line.trim();
    // A sentence is text.
    if !rest.split(char::is_whitespace).next()?.contains('=') {
        return None;
    }
    let (mut pairs, mut others) = (0, 0);
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| c == '=' || c.is_whitespace() || c == '"')
            .unwrap_or(rest.len());
        let key = &rest[..end];
        let is_key = |key: &str| {
            key.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '@')
                && key
                    .chars()
                    .all(|c| c.is_alphanumeric() || "-_./#@$:[]".contains(c))
        };
        if !is_key(key) {
            return None;
        }
        rest = &rest[end..];
        let Some(value) = rest.strip_prefix('=') else {
            if rest.starts_with('"') {
                return None;
            }
            // A flag.
            fields.add(key, JsonRef::Bool(true));
            others += 1;
            rest = rest.trim_start();
            continue;
        };
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = value.find(char::is_whitespace).unwrap_or(value.len());
                (Cow::Borrowed(&value[..end]), &value[end..])
            }
        };
        fields.add(key, JsonRef::String(value));
        pairs += 1;
        if pairs > MAX_PAIRS {
            return None;
        }
        rest = after.trim_start();
    }
    // A sentence with one `a=b` is text.
    (pairs >= 2 && pairs > others).then(|| Record::new(fields.members))
}

/// The pairs of a line. A key that occurs several times has an array of its values.
#[derive(Default)]
struct Pairs<'a> {
    members: Members<'a>,
    /// The index of each key, from a number of pairs on.
    indices: HashMap<&'a str, usize>,
}

impl<'a> Pairs<'a> {
    /// The number of pairs that are looked through for a key.
    const FEW: usize = 16;

    fn add(&mut self, key: &'a str, value: JsonRef<'a>) {
        let index = self.members.len();
        let same = if index < Self::FEW {
            self.members.iter().position(|(other, _)| other == key)
        } else {
            if index == Self::FEW {
                let keys = self.members.iter().enumerate();
                self.indices = keys
                    .filter_map(|(index, (key, _))| match key {
                        Cow::Borrowed(key) => Some((*key, index)),
                        Cow::Owned(_) => None,
                    })
                    .collect();
            }
            self.indices.get(key).copied()
        };
        match same.map(|same| &mut self.members[same].1) {
            None => {
                if index >= Self::FEW {
                    self.indices.insert(key, index);
                }
                self.members.push((key.into(), value));
            }
            Some(JsonRef::Array(values)) => values.push(value),
            Some(first) => *first = JsonRef::Array(vec![first.clone(), value]),
        }
    }
}

/// Reads a quoted value, as Go writes it or with other escapes; returns it with what follows.
fn unquoted(quoted: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = quoted.find(['"', '\\'])?;
    if quoted.as_bytes()[end] == b'"' {
        return Some((quoted[..end].into(), &quoted[end + 1..]));
    }
    if let Some((value, after)) = escapes::unquoted(quoted) {
        return Some((value.into(), after));
    }
    // A backslash stands for what is behind it.
    let mut value = quoted[..end].to_owned();
    let mut letters = quoted[end..].char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value.into(), &quoted[end + at + 1..])),
            '\\' => value.push(letters.next()?.1),
            letter => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::decode;
    use lookback::Json;
    use lookback::value::JsonMap;

    fn decode_map(line: &str) -> Option<JsonMap> {
        decode(line).map(|mut record| record.take_map())
    }

    #[test]
    fn pairs_are_read_and_sentences_are_not() {
        let map = decode_map(r#"ts=1 msg="a \"b\" \u00e4" path="C:\\tmp" reason= flag"#).unwrap();
        assert_eq!(map["msg"], Json::from("a \"b\" ä"));
        assert_eq!(map["path"], Json::from("C:\\tmp"));
        assert_eq!(map["reason"], Json::from(""));
        assert_eq!(map["flag"], Json::Bool(true));
        let many: String = (0..20).map(|n| format!("k{n}={n} ")).collect();
        let map = decode_map(&format!("{many}k3=x k19=y k3=z")).unwrap();
        assert_eq!(map["k3"], lookback::json!(["3", "x", "z"]));
        assert_eq!(map["k19"], lookback::json!(["19", "y"]));
        assert_eq!(map.len(), 20);
        for line in [
            "retry a=1",
            "a=1",
            "x = y",
            "hello world",
            "say \"a=1\" b=2",
        ] {
            assert_eq!(decode_map(line), None, "{line}");
        }
    }
}

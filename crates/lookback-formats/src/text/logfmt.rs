//! `key=value` pairs.

use lookback::Json;
use lookback::value::JsonMap;

/// Reads a line of pairs: `level=info msg="Listening on" n=3 flag`. A line of words is none.
pub(super) fn decode(line: &str) -> Option<JsonMap> {
    let mut map = JsonMap::new();
    let mut rest = line.trim();
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
            map.insert(key.to_owned(), Json::Bool(true));
            others += 1;
            rest = rest.trim_start();
            continue;
        };
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = value.find(char::is_whitespace).unwrap_or(value.len());
                (value[..end].to_owned(), &value[end..])
            }
        };
        map.insert(key.to_owned(), value.into());
        pairs += 1;
        rest = after.trim_start();
    }
    // A sentence with one `a=b` is text.
    (pairs >= 2
        && pairs > others
        && line
            .trim_start()
            .split(char::is_whitespace)
            .next()?
            .contains('='))
    .then_some(map)
}

/// Reads a quoted value; returns it with what follows.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                'u' => {
                    let hex = quoted.get(at + 2..at + 6)?;
                    let code = u32::from_str_radix(hex, 16).ok()?;
                    value.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    letters.nth(3);
                }
                other => value.push(other),
            },
            letter => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::decode;
    use lookback::Json;

    #[test]
    fn pairs_are_read_and_sentences_are_not() {
        let map = decode(r#"ts=1 msg="a \"b\" \u00e4" path="C:\\tmp" reason= flag"#).unwrap();
        assert_eq!(map["msg"], Json::from("a \"b\" ä"));
        assert_eq!(map["path"], Json::from("C:\\tmp"));
        assert_eq!(map["reason"], Json::from(""));
        assert_eq!(map["flag"], Json::Bool(true));
        for line in [
            "retry a=1",
            "a=1",
            "x = y",
            "hello world",
            "say \"a=1\" b=2",
        ] {
            assert_eq!(decode(line), None, "{line}");
        }
    }
}

//! Whether the fields that `--map` names occur in an input: a name that does not is a mistake that
//! nothing else shows.

use std::collections::BTreeSet;

use lookback::Json;
use lookback::value::JsonMap;
use lookback_formats::FieldNames;

/// The number of names of the input that are kept, to say which there are.
const MAX_KNOWN: usize = 200;
/// The number of names that are shown.
const MAX_SHOWN: usize = 10;
/// The depth of objects in which names are looked for: of the record, and of those around it.
const MAX_DEPTH: usize = 6;

/// The fields of `--map`, and those of an input.
#[derive(Debug, Default)]
pub(super) struct MappedFields {
    /// The column and the name of each field that has not occurred yet.
    missing: Vec<(&'static str, String)>,
    known: BTreeSet<String>,
    /// Whether there was a line.
    is_begun: bool,
}

impl MappedFields {
    pub(super) fn new(names: &FieldNames) -> Self {
        let all = [
            ("message", &names.message),
            ("time", &names.time),
            ("level", &names.level),
            ("source", &names.source),
            ("trace_id", &names.trace_id),
        ];
        let missing = all
            .into_iter()
            .flat_map(|(column, names)| names.iter().map(move |name| (column, name.clone())));
        Self {
            missing: missing.collect(),
            ..Self::default()
        }
    }

    /// Notes the fields of a line.
    pub(super) fn line(&mut self, line: &[u8]) {
        if self.missing.is_empty() {
            return;
        }
        self.is_begun = true;
        let text = String::from_utf8_lossy(line);
        let is_of_text = |name: &str| {
            let last = name.rsplit('.').next().unwrap_or(name);
            text.contains(last)
        };
        // Most lines have none, or all were found.
        let may_have = self.missing.iter().any(|(_, name)| is_of_text(name));
        if !may_have && self.known.len() >= MAX_KNOWN {
            return;
        }
        match Json::from_slice(line) {
            Ok(json) => self.value(&json, "", MAX_DEPTH),
            Err(_) => self.text(&text),
        }
    }

    fn value(&mut self, value: &Json, path: &str, depth: usize) {
        match value {
            Json::Object(map) => {
                self.missing.retain(|(_, name)| !has(map, name));
                for (key, value) in map {
                    let name = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    if depth > 0 && matches!(value, Json::Object(_) | Json::Array(_)) {
                        self.value(value, &name, depth - 1);
                    } else {
                        if let Json::String(text) = value
                            && text.starts_with('{')
                            && depth > 0
                        {
                            // A record within one of a collector.
                            self.line_within(text, depth - 1);
                        }
                        self.know(name);
                    }
                }
            }
            Json::Array(values) => {
                for value in values {
                    self.value(value, path, depth.saturating_sub(1));
                }
            }
            _ => {}
        }
    }

    fn line_within(&mut self, text: &str, depth: usize) {
        if let Ok(json) = Json::from_slice(text.as_bytes()) {
            self.value(&json, "", depth);
        }
    }

    /// Notes the names of a text: `name=`, and `"name":` of a part of JSON.
    fn text(&mut self, text: &str) {
        for (end, sign) in text.match_indices(['=', ':']) {
            let before = text[..end].trim_end();
            let before = match sign {
                "=" => before,
                _ => match before.strip_suffix('"') {
                    Some(quoted) => quoted.trim_end_matches('\\'),
                    None => continue,
                },
            };
            let is_of_name = |c: char| c.is_alphanumeric() || "_-.@$".contains(c);
            let name = &before[before.trim_end_matches(is_of_name).len()..];
            if !name.is_empty() {
                self.missing.retain(|(_, wanted)| {
                    wanted != name && wanted.rsplit('.').next() != Some(name)
                });
                self.know(name.to_owned());
            }
        }
    }

    fn know(&mut self, name: String) {
        if self.known.len() < MAX_KNOWN {
            self.known.insert(name);
        }
    }

    /// Returns what to say of the fields that never occurred.
    pub(super) fn problems(&self) -> Vec<String> {
        if !self.is_begun {
            return Vec::new();
        }
        let shown = |(column, name): &(&str, String)| {
            let mut known: Vec<&String> = self.known.iter().collect();
            known.sort_by_key(|known| distance(name, known));
            let names: Vec<&str> = known.iter().map(|name| &***name).take(MAX_SHOWN).collect();
            let more = if known.len() > MAX_SHOWN { ", …" } else { "" };
            let there_are = match names.as_slice() {
                [] => "no line has fields".to_owned(),
                names => format!("the fields are {}{more}", names.join(", ")),
            };
            format!("--map {column}={name}: no line has this field; {there_are}")
        };
        self.missing.iter().map(shown).collect()
    }
}

/// Whether an object has a field with a name: a key as it is, or a path.
fn has(map: &JsonMap, name: &str) -> bool {
    if map.contains_key(name) {
        return true;
    }
    let Some((first, rest)) = name.split_once('.') else {
        return false;
    };
    let inner = map.get(first).and_then(Json::as_object);
    inner.is_some_and(|inner| has(inner, rest))
}

/// How many letters have to be changed to get from one name to the other.
fn distance(wanted: &str, known: &str) -> usize {
    let known: Vec<char> = known.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (line, a) in wanted.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in known.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[known.len()]
}

#[cfg(test)]
mod tests {
    use lookback_formats::FieldNames;

    use super::MappedFields;

    fn problems(message: &[&str], lines: &[&str]) -> Vec<String> {
        let mut fields = MappedFields::new(&FieldNames {
            message: message.iter().map(|name| (*name).to_owned()).collect(),
            ..FieldNames::default()
        });
        for line in lines {
            fields.line(line.as_bytes());
        }
        fields.problems()
    }

    #[test]
    fn field_that_never_occurs_is_named_with_the_nearest_ones() {
        let lines = ["{\"mesage\":\"a\",\"at\":{\"when\":1},\"n\":2}"];
        assert_eq!(
            problems(&["message"], &lines),
            ["--map message=message: no line has this field; the fields are mesage, at.when, n"]
        );
        assert_eq!(
            problems(&["when"], &["plain words"]),
            ["--map message=when: no line has this field; no line has fields"]
        );
        assert_eq!(problems(&["when"], &[]), [""; 0]);
    }

    #[test]
    fn fields_are_found_in_each_form() {
        for (name, line) in [
            ("what", r#"{"what":"a"}"#),
            ("what", r#"{"what":null}"#),
            ("at.what", r#"{"at":{"what":"a"}}"#),
            ("at.what", r#"{"at.what":"a"}"#),
            ("what", r#"{"records":[{"what":"a"}]}"#),
            ("what", r#"{"log":"{\"what\":\"a\"}\n","stream":"stdout"}"#),
            ("what", "level=info what=a"),
            ("what", r#"shop  | {"what": "a"}"#),
            ("what", r#"  "what": "a","#),
        ] {
            assert_eq!(problems(&[name], &[line]), [""; 0], "{line}");
        }
        for (name, line) in [
            ("what", r#"{"msg":"what"}"#),
            ("at.what", r#"{"what":"a","at":{}}"#),
            ("what", "somewhat=a"),
        ] {
            assert_eq!(problems(&[name], &[line]).len(), 1, "{line}");
        }
    }
}

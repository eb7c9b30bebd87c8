//! Masked values: found in what is sent, and equal to any value in what is compared.

use lookback_json::secrets::MASK;

use super::json_diff::JsonPath;
use crate::value::Json;

/// Whether a text has a masked part.
pub(super) fn is_masked(text: &str) -> bool {
    text.contains(MASK)
}

/// Returns the places of masked values in JSON.
pub(super) fn masked_places(value: &Json) -> Vec<String> {
    let mut places = Vec::new();
    collect(value, &mut JsonPath::default(), &mut places);
    places
}

fn collect(value: &Json, path: &mut JsonPath, places: &mut Vec<String>) {
    match value {
        Json::String(text) if is_masked(text) => places.push(path.to_string()),
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.within_index(index, |path| collect(item, path, places));
            }
        }
        Json::Object(map) => {
            for (key, value) in map {
                path.within_key(key, |path| collect(value, path, places));
            }
        }
        _ => {}
    }
}

/// Whether a text can be what was masked: the parts around the masks are in it, in their order.
pub(super) fn matches(captured: &str, text: &str) -> bool {
    let mut parts = captured.split(MASK);
    let Some(mut rest) = parts.next().and_then(|start| text.strip_prefix(start)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(end) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::{masked_places, matches};
    use crate::json;

    #[test]
    fn masked_text_matches_any_value_in_the_place_of_its_mask() {
        for (captured, text, is_match) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("[masked]", "", true),
            ("[masked]", "anything", true),
            ("sid=[masked]; a=1", "sid=7f; a=1", true),
            ("sid=[masked]; a=1", "sid=7f; a=2", false),
            ("x[masked]y[masked]z", "x1y2z", true),
            ("x[masked]y[masked]z", "x1z", false),
            ("ab[masked]ba", "aba", false),
        ] {
            assert_eq!(matches(captured, text), is_match, "{captured} {text}");
        }
    }

    #[test]
    fn places_of_masked_values_are_paths() {
        let body = json!({"user": {"password": "[masked]"}, "list": [1, "Bearer [masked]"]});
        assert_eq!(masked_places(&body), ["$.list[1]", "$.user.password"]);
    }
}

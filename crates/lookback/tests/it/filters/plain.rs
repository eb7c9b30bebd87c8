//! A second implementation of filters, without a database.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use lookback::Json;

/// How the database folds the case of each letter.
pub(super) type Fold = BTreeMap<char, char>;

/// Matches a LIKE pattern letter by letter; `\` escapes the next letter.
pub(super) fn like(text: &str, pattern: &str, fold: Option<&Fold>) -> bool {
    let folded = |text: &str| -> Vec<char> {
        let fold = |c: char| fold.and_then(|fold| fold.get(&c).copied()).unwrap_or(c);
        text.chars().map(fold).collect()
    };
    matches(&folded(text), &folded(pattern))
}

fn matches(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skip| matches(&text[skip..], rest)),
        ['_', rest @ ..] => !text.is_empty() && matches(&text[1..], rest),
        ['\\', c, rest @ ..] | [c, rest @ ..] => {
            text.first() == Some(c) && matches(&text[1..], rest)
        }
    }
}

/// Returns the value at a path of object keys and array indexes.
pub(super) fn at<'a>(json: &'a Json, path: &[String]) -> Option<&'a Json> {
    path.iter().try_fold(json, |json, name| match json {
        Json::Object(map) => map.get(name),
        Json::Array(items) => {
            let place: i64 = name.parse().ok()?;
            let from_end = i64::try_from(items.len()).unwrap() + place;
            let place = if place < 0 { from_end } else { place };
            items.get(usize::try_from(place).ok()?)
        }
        _ => None,
    })
}

/// Compares like `jsonb`: `1` equals `1.0`.
pub(super) fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => thousandths(a) == thousandths(b),
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Orders numbers by value and strings by code points, and nothing else.
pub(super) fn compared(a: &Json, b: &Json) -> Option<Ordering> {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => Some(thousandths(a).cmp(&thousandths(b))),
        (Json::String(a), Json::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Converts a number to thousandths: the numbers of these tests have at most three decimals.
fn thousandths(number: &lookback::value::JsonNumber) -> i128 {
    let text = number.to_string().replace("e+", "e");
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{fraction:0<3}").parse().unwrap();
    digits * 10_i128.pow(exponent.parse().unwrap())
}

/// Returns every JSON value that a word stands for.
pub(super) fn spelled(word: &str) -> Vec<Json> {
    let string = Json::String(word.to_owned());
    match serde_json::from_str::<Json>(word) {
        Ok(json @ (Json::Number(_) | Json::Bool(_) | Json::Null)) => vec![json, string],
        _ => vec![string],
    }
}

//! Access to the fields of JSON objects.

use std::collections::HashMap;

use lookback::Json;
use lookback::value::JsonMap;

/// Takes the first field of these names that is there. A name with dots is a key as it is, or a
/// path.
pub(crate) fn take(map: &mut JsonMap, names: &[&str]) -> Option<(String, Json)> {
    take_if(map, names, |_| true)
}

/// Takes the first field of these names whose value is accepted; a null is none.
pub(crate) fn take_if(
    map: &mut JsonMap,
    names: &[&str],
    accepts: impl Fn(&Json) -> bool,
) -> Option<(String, Json)> {
    names.iter().find_map(|name| {
        if get(map, name).is_some_and(|value| !value.is_null() && accepts(value)) {
            remove(map, name).map(|value| ((*name).to_owned(), value))
        } else {
            None
        }
    })
}

/// Names of one thing, the commonest first.
///
/// A record is asked for them by a look at each of its fields, which are far fewer than the names.
pub(crate) struct Names {
    list: &'static [&'static str],
    /// The place of each name in the list.
    places: HashMap<&'static str, usize>,
    /// The names that may be paths: the first key, and the place.
    paths: Vec<(&'static str, usize)>,
}

impl Names {
    pub(crate) fn new(list: &'static [&'static str]) -> Self {
        let named = list.iter().enumerate();
        let paths = named
            .clone()
            .filter_map(|(place, name)| Some((name.split_once('.')?.0, place)));
        Self {
            list,
            places: named.map(|(place, name)| (*name, place)).collect(),
            paths: paths.collect(),
        }
    }

    /// Returns the names that a record has, in the order of the list.
    pub(crate) fn of(&self, map: &JsonMap) -> Vec<&'static str> {
        let place = |key: &String| self.places.get(key.as_str()).copied();
        let mut places: Vec<usize> = map.keys().filter_map(place).collect();
        if map.values().any(Json::is_object) {
            let is_there = |(first, place): &&(&str, usize)| {
                map.contains_key(*first) && get(map, self.list[*place]).is_some()
            };
            places.extend(self.paths.iter().filter(is_there).map(|(_, place)| *place));
        }
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|place| self.list[place]).collect()
    }
}

/// Returns a field by its key or path.
pub(crate) fn get<'a>(map: &'a JsonMap, name: &str) -> Option<&'a Json> {
    if let Some(value) = map.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    get(map.get(first)?.as_object()?, rest)
}

/// Removes a field by its key or path, and objects that are empty then.
fn remove(map: &mut JsonMap, name: &str) -> Option<Json> {
    if let Some(value) = map.remove(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    let Json::Object(inner) = map.get_mut(first)? else {
        return None;
    };
    let value = remove(inner, rest)?;
    if inner.is_empty() {
        map.remove(first);
    }
    Some(value)
}

/// The text of a string, number or truth value.
pub(crate) fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(_) | Json::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Takes a field as text.
pub(crate) fn take_text(map: &mut JsonMap, names: &[&str]) -> Option<String> {
    take_if(map, names, |value| text_of(value).is_some()).and_then(|(_, value)| text_of(&value))
}

/// Returns a field as text.
pub(crate) fn text(map: &JsonMap, name: &str) -> Option<String> {
    get(map, name).and_then(text_of)
}

/// Returns a number, also from its text.
pub(crate) fn number(value: &Json) -> Option<f64> {
    match value {
        Json::String(text) => text.trim().parse().ok(),
        _ => value.as_f64(),
    }
}

/// Returns milliseconds from a number of a unit, or a text with a unit such as `12ms` or `0.012s`.
fn milliseconds(value: &Json, per_unit: f64) -> Option<f64> {
    if let Some(number) = number(value) {
        return Some(number * per_unit);
    }
    let text = value.as_str()?.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'))?;
    let number: f64 = text[..end].parse().ok()?;
    let per_unit = match text[end..].trim() {
        "ns" => 1e-6,
        "us" | "µs" | "μs" => 1e-3,
        "ms" => 1.0,
        "s" | "sec" => 1e3,
        "m" | "min" => 60e3,
        _ => return None,
    };
    Some(number * per_unit)
}

/// Takes the status of a response: 100 to 599, and 0, which says that there was none. Anything else
/// stays with the fields.
pub(crate) fn take_status(map: &mut JsonMap, name: &str) -> Option<i32> {
    let status = get(map, name).and_then(number)?;
    if status == 0.0 {
        take(map, &[name]);
        return None;
    }
    let is_status = (100.0..=599.0).contains(&status) && status.fract() == 0.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is in the range")]
    is_status.then(|| {
        take(map, &[name]);
        status as i32
    })
}

/// Takes a duration, in milliseconds. One that a whole number of them does not say, or that the
/// column does not hold, stays with the fields, too.
pub(crate) fn take_duration(map: &mut JsonMap, name: &str, per_unit: f64) -> Option<f64> {
    const ROUNDING: f64 = 1e-6;
    let duration = get(map, name).and_then(|value| milliseconds(value, per_unit))?;
    let is_in_range = (0.0..f64::from(i32::MAX)).contains(&duration);
    if is_in_range && (duration - duration.round()).abs() < ROUNDING {
        take(map, &[name]);
    }
    Some(duration)
}

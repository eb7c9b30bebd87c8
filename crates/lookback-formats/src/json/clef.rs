//! Compact JSON of Serilog.

use lookback::Json;
use lookback::value::JsonMap;

use super::access;
use crate::Format;
use crate::draft::{Draft, insert_beside};
use crate::fields::{take, take_text};
use crate::time::Rules;

pub(super) fn decode(mut map: JsonMap, rules: Rules<'_>) -> Draft {
    let mut draft = Draft::new(Format::Clef);
    if let Some(time) = map.get("@t")
        && draft.set_time(time, rules)
    {
        map.remove("@t");
    }
    // Information is left out.
    if let Some((_, level)) = take(&mut map, &["@l"]) {
        draft.set_level("@l", &(&level).into());
    }
    if let Some(id) = take_text(&mut map, &["@tr"]) {
        draft.set_trace_id(&id);
    }
    draft.source = take_text(&mut map, &["SourceContext", "Application"]);
    draft.message = match take_text(&mut map, &["@m"]) {
        Some(message) => Some(message),
        None => map
            .get("@mt")
            .and_then(Json::as_str)
            .map(|template| rendered(template, &map)),
    };
    // A name of one's own that begins with `@` is written with two.
    for name in map
        .keys()
        .filter(|name| name.starts_with("@@"))
        .cloned()
        .collect::<Vec<_>>()
    {
        if let Some(value) = map.remove(&name) {
            insert_beside(&mut map, "@", name[1..].to_owned(), value);
        }
    }
    access::take_request(&mut map, &mut draft, Vec::new());
    draft.meta.append(&mut map);
    draft
}

/// Fills in the holes of a template: `{User}`, and those with a form, such as `{Elapsed:0.000}`, by
/// their renderings in `@r`.
fn rendered(template: &str, fields: &JsonMap) -> String {
    let mut renderings = fields
        .get("@r")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let mut message = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        message.push_str(&rest[..at]);
        let bracket = &rest[at..=at];
        rest = &rest[at + 1..];
        // Two are one as it is.
        if let Some(after) = rest.strip_prefix(bracket) {
            message.push_str(bracket);
            rest = after;
            continue;
        }
        let Some((hole, after)) = rest.split_once('}').filter(|_| bracket == "{") else {
            message.push_str(bracket);
            continue;
        };
        rest = after;
        let (name, form) = hole
            .split_once(':')
            .map_or((hole, None), |(name, form)| (name, Some(form)));
        let name = name
            .split(',')
            .next()
            .unwrap_or(name)
            .trim_start_matches(['@', '$']);
        let value = match form {
            Some(_) => renderings.next().or_else(|| fields.get(name)),
            None => fields.get(name),
        };
        match value {
            Some(Json::String(text)) => message.push_str(text),
            Some(value) => message.push_str(&value.to_string()),
            None => {
                message.push('{');
                message.push_str(hole);
                message.push('}');
            }
        }
    }
    message.push_str(rest);
    message
}

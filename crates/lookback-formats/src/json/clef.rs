//! Compact JSON of Serilog.

use lookback::value::JsonRef;

use super::access;
use crate::Format;
use crate::draft::Draft;
use crate::fields::{Fields as _, take_first, take_text};
use crate::record::Record;
use crate::time::Rules;

pub(super) fn decode(record: &mut Record<'_>, rules: Rules<'_>) -> Draft {
    let mut draft = Draft::new(Format::Clef);
    if let Some(time) = record.get("@t")
        && draft.read_time(rules.time_of(time))
    {
        record.take("@t");
    }
    // Information is left out.
    if let Some(level) = take_first(record, &["@l"]) {
        draft.set_level("@l", &level);
    }
    if let Some(id) = take_text(record, &["@tr"]) {
        draft.set_trace_id(&id);
    }
    draft.source = take_text(record, &["SourceContext", "Application"]);
    draft.message = take_text(record, &["@m"]).or_else(|| {
        let template = record.get("@mt")?.as_str()?;
        Some(rendered(template, record))
    });
    // A name of one's own that begins with `@` is written with two.
    let names = record.iter().map(|(name, _)| name);
    let names: Vec<String> = names
        .filter(|name| name.starts_with("@@"))
        .map(str::to_owned)
        .collect();
    for name in names {
        if let Some(value) = record.take(&name) {
            record.insert_beside("@", name[1..].to_owned().into(), value);
        }
    }
    access::take_request(record, &mut draft, []);
    draft.meta.append(&mut record.take_map());
    draft
}

/// Fills in the holes of a template: `{User}`, and those with a form, such as `{Elapsed:0.000}`, by
/// their renderings in `@r`.
fn rendered(template: &str, fields: &Record<'_>) -> String {
    let renderings = match fields.get("@r") {
        Some(JsonRef::Array(renderings)) => &renderings[..],
        _ => &[],
    };
    let mut renderings = renderings.iter();
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
            Some(JsonRef::String(text)) => message.push_str(text),
            Some(value) => message.push_str(&value.clone().into_json().to_string()),
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

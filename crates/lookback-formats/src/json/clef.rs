//! Compact JSON of Serilog.

use lookback::value::JsonRef;

use super::access;
use crate::Format;
use crate::draft::Draft;
use crate::fields::{Fields as _, Value as _, take_text};
use crate::record::{Record, is_text};
use crate::time::Rules;

pub(super) fn decode(record: &mut Record<'_>, rules: Rules<'_>) -> Draft {
    let mut draft = Draft::new(Format::Clef);
    if let Some(time) = record.get("@t")
        && draft.read_time(rules.time_of(time))
        && draft.is_exact_time
    {
        record.take("@t");
    }
    let is_there = |value: &JsonRef<'_>| *value != JsonRef::Null;
    // Information is left out.
    let level = record
        .find_name("@l", is_there)
        .map(|found| record.take_out(found));
    if let Some(level) = &level {
        draft.set_level("@l", record.taken(level));
    }
    if let Some(id) = take_text(record, &["@tr"]) {
        draft.set_trace_id(&id);
    }
    let source = record
        .find_name("SourceContext", is_text)
        .or_else(|| record.find_name("Application", is_text));
    let source = source.map(|found| record.take_out(found));
    draft.source = source
        .as_ref()
        .and_then(|source| record.taken(source).text());
    draft.message = take_text(record, &["@m"]).or_else(|| {
        let template = record.get("@mt")?.as_str()?;
        Some(rendered(template, record))
    });
    // A name of one's own that begins with `@` is written with two.
    const MOST: usize = 100;
    let names = record.iter().map(|(name, _)| name);
    let names = names.filter(|name| name.starts_with("@@")).take(MOST);
    let names: Vec<String> = names.map(str::to_owned).collect();
    for name in names {
        if let Some(value) = record.take(&name) {
            record.insert_beside("@", name[1..].to_owned().into(), value);
        }
    }
    let taken = [level, source].into_iter().flatten();
    access::take_request(record, &mut draft, taken);
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
    // A template is a line of code. A longer text is another's, and might grow without end.
    const MAX_HOLES: usize = 1_000;
    const MAX_LENGTH: usize = 1024 * 1024;
    let mut message = String::with_capacity(template.len() * 2);
    let mut rest = template;
    let mut holes = 0;
    while let Some(at) = rest.find(['{', '}']) {
        holes += 1;
        if holes > MAX_HOLES || message.len() > MAX_LENGTH {
            break;
        }
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

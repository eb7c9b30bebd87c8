//! Formats Rust code like `rustfmt` (style edition 2024).

use std::fmt;
use std::str::FromStr;

/// The largest width of attribute arguments on one line (`attr_fn_like_width`).
const ATTRIBUTE_WIDTH: usize = 70;

/// The largest width of a chain of calls on one line (`chain_width`).
const CHAIN_WIDTH: usize = 60;

const LINE_WIDTH: usize = 100;

/// An argument of an attribute.
pub(super) enum Item {
    /// Text that is written unchanged.
    Plain(String),
    /// `name(item, …)`
    List(&'static str, Vec<Self>),
}

impl Item {
    /// Creates `name = "value"`.
    pub(super) fn text(name: &str, value: &str) -> Self {
        Self::Plain(format!("{name} = {}", string(value)))
    }

    fn write(&self, indent: usize, out: &mut String) {
        match self {
            Self::Plain(text) => out.push_str(text),
            Self::List(name, items) => write_list(name, items, indent, 1, out),
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => f.write_str(text),
            Self::List(name, items) => write!(f, "{name}({})", joined(items)),
        }
    }
}

/// Formats `#[name(item, …)]`, with the necessary line breaks and one at the
/// end.
pub(super) fn attribute(name: &str, items: &[Item], indent: usize) -> String {
    let mut out = " ".repeat(indent);
    out.push_str("#[");
    write_list(name, items, indent, 3, &mut out);
    out.push_str("]\n");
    out
}

/// `around` is the width of the other text on its line.
fn write_list(name: &str, items: &[Item], indent: usize, around: usize, out: &mut String) {
    let line = joined(items);
    let width = line.chars().count();
    let all = indent + around + name.len() + "()".len() + width;
    // A single item may fill the line; on a field it leaves one column free.
    let fits = match items.len() {
        1 => all + usize::from(indent > 0) <= LINE_WIDTH,
        _ => width <= ATTRIBUTE_WIDTH && all <= LINE_WIDTH,
    };
    if fits {
        out.push_str(&format!("{name}({line})"));
        return;
    }
    out.push_str(&format!("{name}(\n"));
    for (at, item) in items.iter().enumerate() {
        out.push_str(&" ".repeat(indent + 4));
        item.write(indent + 4, out);
        out.push_str(if at + 1 < items.len() { ",\n" } else { "\n" });
    }
    out.push_str(&format!("{})", " ".repeat(indent)));
}

fn joined(items: &[Item]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

/// Formats `start.call.call` as the body of a function.
pub(super) fn chain(start: &str, calls: &[String]) -> String {
    let parts: Vec<&str> = [start]
        .into_iter()
        .chain(calls.iter().map(String::as_str))
        .collect();
    let line = parts.join(".");
    // A single call may fill the line.
    let width = match calls.len() {
        1 => LINE_WIDTH - 4,
        _ => CHAIN_WIDTH,
    };
    if line.chars().count() <= width {
        return format!("    {line}\n");
    }
    format!("    {}\n", parts.join("\n        ."))
}

/// Formats `text` as a Rust string literal, raw if that avoids escapes.
pub(super) fn string(text: &str) -> String {
    let plain = |c: char| !c.is_control() && !turns_text_around(c);
    if !text.chars().all(plain) {
        let escaped: String = text
            .chars()
            .map(|c| match c {
                '"' | '\\' => format!("\\{c}"),
                '\n' => "\\n".to_owned(),
                c if plain(c) => c.to_string(),
                c => c.escape_unicode().to_string(),
            })
            .collect();
        return format!("\"{escaped}\"");
    }
    if !text.contains(['"', '\\']) {
        return format!("\"{text}\"");
    }
    let mut hashes = String::new();
    while text.contains('"') && text.contains(&format!("\"{hashes}")) {
        hashes.push('#');
    }
    format!("r{hashes}\"{text}\"{hashes}")
}

/// Whether the compiler rejects the character in a string: it is invisible or
/// changes the visible order of the text.
fn turns_text_around(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Formats `text` for a comment.
pub(super) fn remark(text: &str) -> String {
    text.replace(|c: char| c.is_control() || turns_text_around(c), " ")
}

/// Formats printed SQL as a person would write it, if it parses to the same
/// `T`.
///
/// That is without line breaks and without casts of strings to text, and with
/// `IN`.
pub(super) fn by_hand<T: FromStr + PartialEq>(printed: &str) -> String {
    let mut sql = printed.to_owned();
    for change in [one_line, without_casts, with_in] {
        let changed = change(&sql);
        if changed != sql
            && let (Ok(before), Ok(after)) = (sql.parse::<T>(), changed.parse::<T>())
            && before == after
        {
            sql = changed;
        }
    }
    sql
}

fn one_line(sql: &str) -> String {
    let lines: Vec<&str> = sql.lines().map(str::trim).collect();
    lines.join(" ")
}

fn without_casts(sql: &str) -> String {
    // Only where the type ends: `::text[]` is another type.
    let mut out = sql.to_owned();
    for after in [")", "]", ",", " "] {
        out = out.replace(&format!("'::text{after}"), &format!("'{after}"));
    }
    match out.strip_suffix("'::text") {
        Some(start) => format!("{start}'"),
        None => out,
    }
}

fn with_in(sql: &str) -> String {
    const START: &str = "= ANY (ARRAY[";
    let mut out = String::new();
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once(START)
        && let Some((list, after)) = after.split_once("])")
    {
        out.push_str(&format!("{before}IN ({list})"));
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use lookback_schema::Expression;

    use super::string;

    #[test]
    fn string_is_raw_literal_where_that_saves_escapes() {
        for (text, rust) in [
            ("it's", "\"it's\""),
            ("a \"b\"", "r#\"a \"b\"\"#"),
            ("\\S", "r\"\\S\""),
            ("a\"#b", "r##\"a\"#b\"##"),
            ("a\n\"\\", "\"a\\n\\\"\\\\\""),
            ("a\u{202e}b\r", "\"a\\u{202e}b\\u{d}\""),
        ] {
            assert_eq!(string(text), rust);
        }
    }

    #[test]
    fn by_hand_simplifies_printed_sql_of_same_meaning() {
        for (printed, by_hand) in [
            (
                "CASE\n    WHEN a THEN 'b  c'\nEND",
                "CASE WHEN a THEN 'b  c' END",
            ),
            ("'a\nb'", "'a\nb'"),
            (
                "(a = ANY (ARRAY['b'::text, 'c'::text])) AND d = 'e'::text",
                "(a IN ('b', 'c')) AND d = 'e'",
            ),
            ("a = 'it''::text '::text", "a = 'it''::text '::text"),
            ("a = '{}'::text[]", "a = '{}'::text[]"),
        ] {
            assert_eq!(super::by_hand::<Expression>(printed), by_hand);
        }
    }
}

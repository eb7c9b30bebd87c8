//! Converts names of the database to Rust names.

use std::collections::BTreeSet;

use lookback_schema::Name;

/// The names of types that are in use.
#[derive(Default)]
pub(super) struct TypeNames(BTreeSet<String>);

/// Names that the module uses and that a struct of the same name would hide.
#[rustfmt::skip]
const USED: &[&str] = &[
    "AsRef", "Box", "Bytes", "Cidr", "Clone", "ColumnEnum", "Copy", "DateTime", "Debug",
    "Decimal", "Default", "Drop", "Embedding", "Eq", "Err", "Fn", "From", "HalfVector", "Hash",
    "Hidden", "Inet", "Into", "IntoIterator", "Iterator", "Json", "Models", "NaiveDate",
    "NaiveDateTime", "NaiveTime", "None", "Ok", "Opaque", "Option", "PartialEq", "PgInterval",
    "Result", "Self", "Send", "Some", "String", "Sync", "ToOwned", "ToString", "Utc", "Uuid",
    "Vec", "Vector",
];

impl TypeNames {
    /// Chooses the name of a table's struct. A full model also reserves the
    /// names of its insert and patch types.
    pub(super) fn table(&mut self, name: &Name, full: bool) -> String {
        let words = words(&name.name);
        let one = camel(&singular(&words), "Table");
        let many = camel(&words, "Table");
        let schema = camel(&self::words(name.schema.as_deref().unwrap_or_default()), "");
        let mut candidates = vec![one.clone()];
        if !schema.is_empty() {
            candidates.push(format!("{schema}{one}"));
        }
        candidates.push(many);
        candidates.push(format!("{one}Row"));
        self.first(&candidates, |name| {
            let mut claimed = vec![name.to_owned()];
            if full {
                claimed.extend([format!("New{name}"), format!("{name}Patch")]);
            }
            claimed
        })
    }

    /// Chooses the name of an enum.
    pub(super) fn enumeration(&mut self, name: &Name) -> String {
        let plain = camel(&words(&name.name), "Enum");
        let schema = camel(&words(name.schema.as_deref().unwrap_or_default()), "");
        let mut candidates = vec![plain.clone()];
        if !schema.is_empty() {
            candidates.push(format!("{schema}{plain}"));
        }
        candidates.push(format!("{plain}Enum"));
        self.first(&candidates, |name| vec![name.to_owned()])
    }

    /// The first free candidate, or the first candidate with a number.
    fn first(&mut self, candidates: &[String], claims: impl Fn(&str) -> Vec<String>) -> String {
        let numbered = (2_u32..).map(|number| format!("{}{number}", candidates[0]));
        for name in candidates.iter().cloned().chain(numbered) {
            let claimed = claims(&name);
            let free = claimed
                .iter()
                .all(|name| !self.0.contains(name) && !USED.contains(&name.as_str()));
            if free {
                self.0.extend(claimed);
                return name;
            }
        }
        unreachable!("there is always another number")
    }
}

/// Converts columns of a table or labels of an enum to Rust names. A name that
/// is valid in Rust stays as it is.
///
/// Names in `taken` are not available; such a name gets a `_` at its end.
pub(super) fn fields(columns: &[&str], taken: &[&str]) -> Vec<String> {
    let mut used: BTreeSet<String> = taken.iter().map(|name| (*name).to_owned()).collect();
    let mut found: Vec<Option<String>> = columns
        .iter()
        .map(|name| {
            let free = is_snake_case(name) && !NEVER_RAW.contains(name);
            (free && used.insert((*name).to_owned())).then(|| (*name).to_owned())
        })
        .collect();
    for (place, (name, found)) in (1..).zip(columns.iter().zip(&mut found)) {
        if found.is_some() {
            continue;
        }
        let words = words(name);
        let plain = if words.is_empty() {
            format!("column_{place}")
        } else {
            with_letter(words.join("_").to_lowercase())
        };
        let after = format!("{plain}_");
        let numbered = (2_u32..).map(|number| format!("{plain}_{number}"));
        let free = [plain.clone(), after]
            .into_iter()
            .chain(numbered)
            .find(|name| !NEVER_RAW.contains(&name.as_str()) && used.insert(name.clone()));
        *found = free;
    }
    let written = |name: String| {
        if KEYWORDS.contains(&name.as_str()) {
            format!("r#{name}")
        } else {
            name
        }
    };
    found.into_iter().flatten().map(written).collect()
}

/// Converts the labels of an enum to variants.
pub(super) fn variants(labels: &[String]) -> Vec<String> {
    let mut used = BTreeSet::new();
    let mut found = Vec::new();
    for (place, label) in (1..).zip(labels) {
        let plain = match camel(&words(label), "") {
            empty if empty.is_empty() => format!("Value{place}"),
            name if name == "Self" => "Self_".to_owned(),
            name => name,
        };
        let numbered = (2_u32..).map(|number| format!("{plain}{number}"));
        let free = std::iter::once(plain.clone())
            .chain(numbered)
            .find(|name| used.insert(name.clone()));
        found.extend(free);
    }
    found
}

/// Keywords of all Rust editions.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do",
    "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in",
    "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized",
    "use", "virtual", "where", "while", "yield",
];

/// Keywords that cannot be raw identifiers.
const NEVER_RAW: &[&str] = &["crate", "self", "super"];

/// Whether the compiler accepts the name without a warning, or it is a keyword.
fn is_snake_case(name: &str) -> bool {
    let inner = name.trim_matches('_');
    !inner.is_empty()
        && !inner.contains("__")
        && name
            .chars()
            .all(|c| c == '_' || (is_letter_or_digit(c) && !c.is_uppercase()))
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether it is a digit, or a letter that Unicode normalization does not
/// change.
fn is_letter_or_digit(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ÿ')
}

/// Splits a name into words: `order items`, `order_items`, `OrderItems`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let chars: Vec<char> = name.chars().collect();
    for (at, c) in chars.iter().enumerate() {
        if matches!(c, '\'' | '’') {
            continue;
        }
        if !is_letter_or_digit(*c) {
            words.push(String::new());
            continue;
        }
        let before = at.checked_sub(1).map(|at| chars[at]);
        let next_is_small = chars.get(at + 1).is_some_and(|next| next.is_lowercase());
        let begins = c.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || (next_is_small && before.is_alphabetic())
            });
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(*c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Joins the words to a type name; returns `instead` if there are none.
fn camel(words: &[String], instead: &str) -> String {
    if words.is_empty() {
        return instead.to_owned();
    }
    let mut name = String::new();
    for word in words {
        let mut chars = word.chars();
        name.extend(chars.next().into_iter().flat_map(char::to_uppercase));
        name.extend(chars.flat_map(char::to_lowercase));
    }
    with_letter(name)
}

fn with_letter(name: String) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("_{name}")
    } else {
        name
    }
}

/// Puts the last word into the singular, as far as its ending shows how.
fn singular(words: &[String]) -> Vec<String> {
    const ALIKE: &[&str] = &["news", "series", "species"];
    let mut words = words.to_vec();
    let Some(last) = words.last_mut() else {
        return words;
    };
    let lower = last.to_lowercase();
    let endings = [
        ("ies", "y"),
        ("sses", "ss"),
        ("shes", "sh"),
        ("tches", "tch"),
        ("nches", "nch"),
        ("arches", "arch"),
        ("xes", "x"),
        ("tuses", "tus"),
        ("ss", "ss"),
        ("us", "us"),
        ("is", "is"),
        ("s", ""),
    ];
    if lower.len() < 4 || ALIKE.contains(&lower.as_str()) {
        return words;
    }
    if let Some((many, one)) = endings.iter().find(|(many, _)| lower.ends_with(many)) {
        *last = format!("{}{one}", &lower[..lower.len() - many.len()]);
    }
    words
}

#[cfg(test)]
mod tests {
    use lookback_schema::Name;

    use super::{TypeNames, fields, variants};

    #[test]
    fn type_names_of_tables_are_valid_rust() {
        for (table, rust) in [
            ("logs", "Log"),
            ("request_snapshots", "RequestSnapshot"),
            ("countries", "Country"),
            ("saved_searches", "SavedSearch"),
            ("caches", "Cache"),
            ("Addresses", "Address"),
            ("HTTPStatuses", "HttpStatus"),
            ("news", "News"),
            ("options", "Options"),
            ("option", "OptionRow"),
            ("2fa codes", "_2faCode"),
            ("größen", "Größen"),
            ("日本", "Table"),
            ("self", "SelfRow"),
            ("bus", "Bus"),
        ] {
            assert_eq!(TypeNames::default().table(&Name::new(table), false), rust);
        }
    }

    #[test]
    fn type_names_of_different_tables_are_distinct() {
        let mut names = TypeNames::default();
        let mut name = |schema: Option<&str>, table: &str, full| {
            names.table(&Name::within(schema, table), full)
        };
        assert_eq!(name(None, "note", true), "Note");
        assert_eq!(name(None, "notes", false), "Notes");
        assert_eq!(name(None, "Note", false), "NoteRow");
        assert_eq!(name(None, "new_notes", false), "NewNotes");
        assert_eq!(name(Some("sales"), "notes", false), "SalesNote");
        assert_eq!(name(None, "NOTE", false), "Note2");
        assert_eq!(names.enumeration(&Name::new("note")), "NoteEnum");
    }

    #[test]
    fn fields_keep_column_names_that_are_valid_rust() {
        let columns = [
            "user_id", "userId", "type", "self", "2fa", "Odd name", "odd_name", "日", "a__b", "_",
            "größe", "gen", "new", "Self",
        ];
        let names = fields(&columns, &["new"]).join(" ");
        assert_eq!(
            names,
            "user_id user_id_ r#type self_ _2fa odd_name_ odd_name column_8 a_b column_10 größe \
             r#gen new_ self_2"
        );
    }

    #[test]
    fn variants_of_labels_are_distinct_valid_rust() {
        let labels = [
            "open",
            "it's ok",
            "inProgress",
            "USA",
            "self",
            "3d",
            "?",
            "Open",
        ];
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        assert_eq!(
            variants(&labels).join(" "),
            "Open ItsOk InProgress Usa Self_ _3d Value7 Open2"
        );
    }
}

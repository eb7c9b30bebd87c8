//! Names of database objects.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;
use crate::syntax::{TokenKind, tokens};

/// The longest name in PostgreSQL; longer names are cut off without an error.
pub const MAX_NAME_BYTES: usize = 63;

/// The name of a table or a type.
///
/// The default schema (the first one of the search path) is left out.
///
/// Parsed and formatted as in SQL: `orders`, `sales.orders`, `"Odd name"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The schema; `None` for the default one.
    pub schema: Option<String>,
    /// The name in it.
    pub name: String,
}

impl Name {
    /// A name in the default schema, taken literally: not quoted, not folded.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            schema: None,
            name: name.into(),
        }
    }

    /// A name in a schema, both taken literally.
    pub fn within(schema: Option<impl Into<String>>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.map(Into::into),
            name: name.into(),
        }
    }

    /// Another name in the same schema.
    #[must_use]
    pub fn beside(&self, name: impl Into<String>) -> Self {
        Self {
            schema: self.schema.clone(),
            name: name.into(),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quoted(schema))?;
        }
        f.write_str(&quoted(&self.name))
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::new(format!("`{text}` is not a name: write name or schema.name"));
        let found = tokens(text).map_err(|_| wrong())?;
        let part = |at: usize| {
            let token = found.get(at)?;
            unquoted(token.kind, token.text)
        };
        match found.len() {
            1 => Ok(Self::new(part(0).ok_or_else(wrong)?)),
            3 if found[1].is(".") => Ok(Self {
                schema: Some(part(0).ok_or_else(wrong)?),
                name: part(2).ok_or_else(wrong)?,
            }),
            _ => Err(wrong()),
        }
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The name that a token denotes.
pub(crate) fn unquoted(kind: TokenKind, text: &str) -> Option<String> {
    match kind {
        TokenKind::Word => Some(text.to_lowercase()),
        TokenKind::Quoted => text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .map(|inner| inner.replace("\"\"", "\"")),
        _ => None,
    }
}

/// Formats `name` as an SQL identifier, in quotes only if it needs them.
pub fn quoted(name: &str) -> Cow<'_, str> {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && KEYWORDS.binary_search(&name).is_err();
    if plain {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("\"{}\"", name.replace('"', "\"\"")))
    }
}

/// Formats `names` as a list of identifiers.
pub(crate) fn quoted_list<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<_> = names.iter().map(|name| quoted(name.as_ref())).collect();
    names.join(", ")
}

/// Formats `text` as an SQL string.
pub fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('\\') {
        // This form is right for every value of `standard_conforming_strings`.
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// Joins `name` and `suffix`, truncating `name` to the maximal length of a
/// name.
pub(crate) fn shortened(name: &str, suffix: &str) -> String {
    let mut end = name.len().min(MAX_NAME_BYTES.saturating_sub(suffix.len()));
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

/// Joins `name` and `suffix`, and adds a number if the result is in use: long
/// names may become equal when they are cut off.
pub(crate) fn free(name: &str, suffix: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut candidate = shortened(name, suffix);
    let mut number = 2;
    while is_taken(&candidate) {
        candidate = shortened(name, &format!("{suffix}{number}"));
        number += 1;
    }
    candidate
}

/// Checks that a name is neither empty nor too long.
pub(crate) fn check(what: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::new(format!("{what} has an empty name")));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(Error::new(format!(
            "{what} `{name}`: the name has {} bytes; PostgreSQL keeps {MAX_NAME_BYTES} and cuts \
             the rest off",
            name.len()
        )));
    }
    if name.contains('\0') {
        return Err(Error::new(format!("{what} has a NUL in its name")));
    }
    Ok(())
}

/// Keywords that, at least in some places, need quotes to be a name: all but
/// the unreserved ones (PostgreSQL 18, `src/include/parser/kwlist.h`). Sorted.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric",
    "authorization", "between", "bigint", "binary", "bit", "boolean", "both", "case", "cast",
    "char", "character", "check", "coalesce", "collate", "collation", "column", "concurrently",
    "constraint", "create", "cross", "current_catalog", "current_date", "current_role",
    "current_schema", "current_time", "current_timestamp", "current_user", "dec", "decimal",
    "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "exists",
    "extract", "false", "fetch", "float", "for", "foreign", "freeze", "from", "full", "grant",
    "greatest", "group", "grouping", "having", "ilike", "in", "initially", "inner", "inout",
    "int", "integer", "intersect", "interval", "into", "is", "isnull", "join", "json",
    "json_array", "json_arrayagg", "json_exists", "json_object", "json_objectagg", "json_query",
    "json_scalar", "json_serialize", "json_table", "json_value", "lateral", "leading", "least",
    "left", "like", "limit", "localtime", "localtimestamp", "merge_action", "national",
    "natural", "nchar", "none", "normalize", "not", "notnull", "null", "nullif", "numeric",
    "offset", "on", "only", "or", "order", "out", "outer", "overlaps", "overlay", "placing",
    "position", "precision", "primary", "real", "references", "returning", "right", "row",
    "select", "session_user", "setof", "similar", "smallint", "some", "substring", "symmetric",
    "system_user", "table", "tablesample", "then", "time", "timestamp", "to", "trailing",
    "treat", "trim", "true", "union", "unique", "user", "using", "values", "varchar",
    "variadic", "verbose", "when", "where", "window", "with", "xmlattributes", "xmlconcat",
    "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot",
    "xmlserialize", "xmltable",
];

/// The keywords above that are a column without quotes: the grammar takes them for the name of a
/// type or a function only where one may be. The server prints them in quotes. Sorted.
#[rustfmt::skip]
const COLUMN_NAMES: &[&str] = &[
    "between", "bigint", "bit", "boolean", "char", "character", "coalesce", "dec", "decimal",
    "exists", "extract", "float", "greatest", "grouping", "inout", "int", "integer", "interval",
    "json", "json_array", "json_arrayagg", "json_exists", "json_object", "json_objectagg",
    "json_query", "json_scalar", "json_serialize", "json_table", "json_value", "least",
    "merge_action", "national", "nchar", "none", "normalize", "nullif", "numeric", "out",
    "overlay", "position", "precision", "real", "row", "setof", "smallint", "substring", "time",
    "timestamp", "treat", "trim", "values", "varchar", "xmlattributes", "xmlconcat", "xmlelement",
    "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize",
    "xmltable",
];

/// Whether a word without quotes is such a keyword.
pub(crate) fn is_keyword(word: &str) -> bool {
    KEYWORDS.binary_search(&word).is_ok()
}

/// Whether a word is a column only in quotes: without them, `user` is the name of the role.
pub(crate) fn is_reserved(word: &str) -> bool {
    is_keyword(word) && COLUMN_NAMES.binary_search(&word).is_err()
}

#[cfg(test)]
mod tests {
    use super::{COLUMN_NAMES, KEYWORDS, Name, is_keyword, literal, quoted};

    #[test]
    fn keywords_are_sorted() {
        assert!(KEYWORDS.is_sorted() && COLUMN_NAMES.is_sorted());
        assert!(COLUMN_NAMES.iter().all(|word| is_keyword(word)));
    }

    #[test]
    fn names_round_trip_through_text() {
        for text in [
            "orders",
            "sales.orders",
            "\"Odd name\"",
            "a.\"sel\"\"ect\"",
            "\"user\"",
        ] {
            assert_eq!(text.parse::<Name>().unwrap().to_string(), text);
        }
        assert_eq!(
            "Sales.Orders".parse::<Name>().unwrap().to_string(),
            "sales.orders"
        );
        for invalid in ["", "a.b.c", "a b", "'a'", "a."] {
            assert!(invalid.parse::<Name>().is_err(), "{invalid}");
        }
        assert_eq!(quoted("größe"), "\"größe\"");
        assert_eq!(literal("it's a \\"), "E'it''s a \\\\'");
    }
}

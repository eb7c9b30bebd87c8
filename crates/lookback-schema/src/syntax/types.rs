//! Types of columns.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;
use crate::syntax::{Name, unquoted};
use crate::syntax::{Token, TokenKind, tokens};

/// The type of a column in PostgreSQL's spelling: `int4`, `int` and `integer`
/// are all parsed as `integer`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataType {
    /// The type, or the type of the elements of an array. A built-in type may
    /// have several words: `timestamp with time zone`.
    pub name: Name,
    /// The text in the parentheses, as in `numeric(10,2)` and `vector(16)`.
    pub modifiers: Option<String>,
    /// Whether it is an array. PostgreSQL stores neither sizes nor dimensions.
    pub array: bool,
}

impl DataType {
    /// A type without modifiers.
    pub fn named(name: impl Into<Name>) -> Self {
        Self {
            name: name.into(),
            modifiers: None,
            array: false,
        }
    }

    /// Parses a type at the start of `found`; also returns the number of its
    /// tokens.
    pub(crate) fn read(found: &[Token<'_>]) -> Result<(Self, usize), Error> {
        Reader { found, at: 0 }.read()
    }

    /// Whether it is the built-in type of this name.
    pub(crate) fn is_builtin(&self, name: &str) -> bool {
        self.name.schema.is_none() && self.name.name == name
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

/// Built-in names that have several words or are keywords; formatted without
/// quotes.
const BARE: &[&str] = &[
    "bigint",
    "bit",
    "bit varying",
    "boolean",
    "character",
    "character varying",
    "double precision",
    "integer",
    "json",
    "numeric",
    "real",
    "smallint",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
];

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name.name;
        let bare = self.name.schema.is_none()
            && (BARE.contains(&name.as_str())
                || name == "interval"
                || name.starts_with("interval "));
        // The modifiers of a time are in the middle of its name.
        let (head, tail) = match name.find(" with") {
            Some(at) if bare && self.modifiers.is_some() => name.split_at(at),
            _ => (name.as_str(), ""),
        };
        if bare {
            f.write_str(head)?;
        } else if self.name.schema.is_none() && name == "char" {
            f.write_str("\"char\"")?;
        } else {
            write!(f, "{}", self.name)?;
        }
        if let Some(modifiers) = &self.modifiers {
            write!(f, "({modifiers})")?;
        }
        f.write_str(tail)?;
        if self.array {
            f.write_str("[]")
        } else {
            Ok(())
        }
    }
}

impl FromStr for DataType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: String| Error::new(format!("`{text}` is not a type{why}"));
        let found = tokens(text).map_err(|error| wrong(format!(": {error}")))?;
        let (ty, taken) = Self::read(&found).map_err(|error| wrong(format!(": {error}")))?;
        match found.get(taken) {
            None => Ok(ty),
            Some(rest) => Err(wrong(format!(": unexpected `{}`", rest.text))),
        }
    }
}

impl Serialize for DataType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DataType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

struct Reader<'t, 'a> {
    found: &'t [Token<'a>],
    at: usize,
}

impl<'a> Reader<'_, 'a> {
    fn read(mut self) -> Result<(DataType, usize), Error> {
        let (name, builtin) = self.name()?;
        let mut ty = DataType {
            name,
            modifiers: None,
            array: false,
        };
        if ty.is_builtin("interval") && builtin {
            self.interval(&mut ty)?;
        } else {
            ty.modifiers = self.parenthesised()?;
            if builtin {
                self.rest_of_builtin(&mut ty);
            }
        }
        self.array(&mut ty)?;
        Ok((ty, self.at))
    }

    /// Parses the name; also returns whether it was written without quotes and
    /// schema.
    fn name(&mut self) -> Result<(Name, bool), Error> {
        let token = self.peek().ok_or_else(|| Error::new("a type is missing"))?;
        let first = unquoted(token.kind, token.text)
            .ok_or_else(|| Error::new(format!("`{}` is not the name of a type", token.text)))?;
        let bare = token.kind == TokenKind::Word;
        self.at += 1;
        if self.take(".") {
            let token = self
                .peek()
                .ok_or_else(|| Error::new("a name is missing after the ."))?;
            let name = unquoted(token.kind, token.text)
                .ok_or_else(|| Error::new(format!("`{}` is not a name", token.text)))?;
            self.at += 1;
            if first == "pg_catalog" {
                return Ok((Name::new(alias(&name)), true));
            }
            return Ok((Name::within(Some(first), name), false));
        }
        if !bare {
            return Ok((Name::new(first), false));
        }
        let name = match first.as_str() {
            "double" if self.take_word("precision") => "double precision",
            "national" if self.take_word("character") || self.take_word("char") => {
                if self.take_word("varying") {
                    "character varying"
                } else {
                    "character"
                }
            }
            "character" | "char" | "nchar" if self.take_word("varying") => "character varying",
            "char" | "nchar" => "character",
            "bit" if self.take_word("varying") => "bit varying",
            other => alias(other),
        };
        Ok((Name::new(name), true))
    }

    /// Parses the words after the parentheses and adds default modifiers.
    fn rest_of_builtin(&mut self, ty: &mut DataType) {
        match ty.name.name.as_str() {
            "time" | "timestamp" => {
                let zone = if self.words(&["with", "time", "zone"]) {
                    "with time zone"
                } else {
                    self.words(&["without", "time", "zone"]);
                    "without time zone"
                };
                ty.name.name = format!("{} {zone}", ty.name.name);
            }
            "numeric" => {
                if let Some(precision) = &mut ty.modifiers
                    && !precision.contains(',')
                {
                    precision.push_str(",0");
                }
            }
            "character" | "bit" if ty.modifiers.is_none() => ty.modifiers = Some("1".to_owned()),
            "float" => {
                let bits = ty.modifiers.take().and_then(|bits| bits.parse::<u8>().ok());
                ty.name.name = match bits {
                    Some(0..=24) => "real".to_owned(),
                    _ => "double precision".to_owned(),
                };
            }
            _ => {}
        }
    }

    /// Parses `interval [fields] [(p)]` and `interval(p)`.
    fn interval(&mut self, ty: &mut DataType) -> Result<(), Error> {
        ty.modifiers = self.parenthesised()?;
        let field = |reader: &mut Self| {
            ["year", "month", "day", "hour", "minute", "second"]
                .into_iter()
                .find(|field| reader.take_word(field))
        };
        if let Some(first) = field(self) {
            ty.name.name = format!("interval {first}");
            if self.take_word("to") {
                let last = field(self)
                    .ok_or_else(|| Error::new("`to` of an interval needs a field after it"))?;
                ty.name.name = format!("interval {first} to {last}");
            }
            if let Some(precision) = self.parenthesised()? {
                ty.modifiers = Some(precision);
            }
        }
        Ok(())
    }

    fn array(&mut self, ty: &mut DataType) -> Result<(), Error> {
        if self.take_word("array") {
            ty.array = true;
        }
        while self.take("[") {
            ty.array = true;
            if self
                .peek()
                .is_some_and(|token| token.kind == TokenKind::Number)
            {
                self.at += 1;
            }
            if !self.take("]") {
                return Err(Error::new("`[` of an array needs its `]`"));
            }
        }
        Ok(())
    }

    /// Parses the text in parentheses, without white space.
    fn parenthesised(&mut self) -> Result<Option<String>, Error> {
        if !self.take("(") {
            return Ok(None);
        }
        let mut inside = String::new();
        loop {
            let Some(token) = self.peek() else {
                return Err(Error::new("`(` of a type needs its `)`"));
            };
            self.at += 1;
            if token.is(")") {
                return Ok(Some(inside));
            }
            if token.is("(") {
                return Err(Error::new(
                    "the parentheses of a type hold numbers or names",
                ));
            }
            inside.push_str(token.text);
        }
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.found.get(self.at).copied()
    }

    fn take(&mut self, text: &str) -> bool {
        let taken = self.peek().is_some_and(|token| token.is(text));
        self.at += usize::from(taken);
        taken
    }

    fn take_word(&mut self, word: &str) -> bool {
        let taken = self.peek().is_some_and(|token| token.is_word(word));
        self.at += usize::from(taken);
        taken
    }

    fn words(&mut self, words: &[&str]) -> bool {
        let all = words.iter().enumerate().all(|(ahead, word)| {
            self.found
                .get(self.at + ahead)
                .is_some_and(|token| token.is_word(word))
        });
        if all {
            self.at += words.len();
        }
        all
    }
}

/// The name that PostgreSQL prints for an alias (PostgreSQL manual, table 8.1).
fn alias(name: &str) -> &str {
    match name {
        "int" | "int4" => "integer",
        "int2" => "smallint",
        "int8" => "bigint",
        "bool" => "boolean",
        "float4" => "real",
        "float8" => "double precision",
        "dec" | "decimal" => "numeric",
        "varchar" => "character varying",
        "varbit" => "bit varying",
        "timestamptz" => "timestamp with time zone",
        "timetz" => "time with time zone",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::DataType;

    #[test]
    fn data_type_of_any_spelling_prints_canonical_form() {
        for (written, printed) in [
            ("INT", "integer"),
            ("int4[]", "integer[]"),
            ("varchar( 10 )", "character varying(10)"),
            ("char", "character(1)"),
            ("\"char\"", "\"char\""),
            ("decimal(10)", "numeric(10,0)"),
            ("numeric(10, 2)[3][]", "numeric(10,2)[]"),
            ("timestamptz(3)", "timestamp(3) with time zone"),
            ("timestamp", "timestamp without time zone"),
            ("time (0) with time zone", "time(0) with time zone"),
            ("float(24)", "real"),
            ("float", "double precision"),
            ("interval day to second (3)", "interval day to second(3)"),
            ("interval(2)", "interval(2)"),
            ("bit varying(5)", "bit varying(5)"),
            ("vector(16)", "vector(16)"),
            ("sales.\"Mood\"[]", "sales.\"Mood\"[]"),
            ("pg_catalog.int4", "integer"),
            ("text ARRAY", "text[]"),
            ("user_role", "user_role"),
        ] {
            let ty: DataType = written.parse().unwrap();
            assert_eq!(ty.to_string(), printed);
            assert_eq!(printed.parse::<DataType>().unwrap(), ty);
        }
    }

    #[test]
    fn data_type_of_invalid_text_is_refused() {
        let error = |text: &str| text.parse::<DataType>().unwrap_err().to_string();
        assert_eq!(error(""), "`` is not a type: a type is missing");
        assert_eq!(
            error("text text"),
            "`text text` is not a type: unexpected `text`"
        );
        assert_eq!(
            error("varchar(10"),
            "`varchar(10` is not a type: `(` of a type needs its `)`"
        );
    }
}

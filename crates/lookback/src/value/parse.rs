//! Parsing of values from text and from JSON, for each type of a column.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{ColumnType, Json, Problem, Value, calendar, interval, numeric, time, vector};

impl ColumnType {
    /// What a value of the type looks like in JSON, for an error message.
    fn expected(self) -> Cow<'static, str> {
        match self {
            Self::Bool => "true or false".into(),
            Self::Int2 => "a whole number from -32768 to 32767".into(),
            Self::Int4 => "a whole number from -2147483648 to 2147483647".into(),
            Self::Int8 => "a whole number of 64 bits".into(),
            Self::Float4 => "a number of at most 3.4e38".into(),
            Self::Float8 => "a number".into(),
            Self::Numeric => "a number, such as 12.50, or a string of one".into(),
            Self::Text | Self::Enum(_) => "a string".into(),
            Self::Uuid => "a UUID, such as \"67e55044-10b1-426f-9247-bb680e5fe0c8\"".into(),
            Self::Date => "a date, such as \"2026-01-31\"".into(),
            Self::Time => "a time of day, such as \"08:30:00\"".into(),
            Self::Timestamp => "a time without a zone, such as \"2026-01-31T08:30:00\"".into(),
            Self::Timestamptz => "a time with its zone, such as \"2026-01-31T08:30:00Z\"".into(),
            Self::Interval => "an interval, such as \"PT1H30M\"".into(),
            Self::Inet => "an address, such as \"192.168.0.1\"".into(),
            Self::Cidr => "a network, such as \"10.0.0.0/8\"".into(),
            Self::Jsonb => "JSON".into(),
            Self::Bytea => "a string of base64".into(),
            Self::Vector(dimensions) | Self::HalfVector(dimensions) => {
                format!("an array of {dimensions} numbers").into()
            }
            Self::Array(_) => "an array".into(),
        }
    }
}

impl Value<'static> {
    /// Parses a value of this type from text, as in filters and on a command line.
    pub(crate) fn from_text(ty: ColumnType, text: &str) -> Result<Self, Problem> {
        let unreadable = |expected: &str| Problem::unreadable(text, expected);
        let expected = || unreadable(&ty.expected());
        Ok(match ty {
            ColumnType::Bool => match text {
                "true" => Self::Bool(true),
                "false" => Self::Bool(false),
                _ => return Err(expected()),
            },
            ColumnType::Int2 => Self::Int2(text.parse().map_err(|_| expected())?),
            ColumnType::Int4 => Self::Int4(text.parse().map_err(|_| expected())?),
            ColumnType::Int8 => Self::Int8(text.parse().map_err(|_| expected())?),
            ColumnType::Float4 => {
                let number = text
                    .parse()
                    .ok()
                    .filter(|number: &f32| number.is_finite() || is_word(text));
                Self::Float4(number.ok_or_else(expected)?)
            }
            ColumnType::Float8 => {
                let number = text
                    .parse()
                    .ok()
                    .filter(|number: &f64| number.is_finite() || is_word(text));
                Self::Float8(number.ok_or_else(expected)?)
            }
            ColumnType::Numeric => {
                let number = numeric::normalized(text);
                let number = number.ok_or_else(|| unreadable("a number, such as 12.50"))?;
                Self::Numeric(number.into())
            }
            ColumnType::Text | ColumnType::Enum(_) => Self::Text(text.to_owned().into()),
            ColumnType::Uuid => {
                let uuid = uuid(text);
                Self::Uuid(uuid.ok_or_else(|| {
                    unreadable("a UUID, such as 67e55044-10b1-426f-9247-bb680e5fe0c8")
                })?)
            }
            ColumnType::Date => Self::Date(calendar::date_from_text(text)?),
            ColumnType::Time => Self::Time(calendar::time_from_text(text)?),
            ColumnType::Timestamp => Self::Timestamp(calendar::timestamp_from_text(text)?),
            ColumnType::Timestamptz => {
                let time = time::from_text(text);
                Self::Timestamptz(time.ok_or_else(|| without_zone(text))?)
            }
            ColumnType::Interval => Self::Interval(interval::read(text)?),
            ColumnType::Inet => Self::Inet(text.parse()?),
            ColumnType::Cidr => Self::Cidr(text.parse()?),
            ColumnType::Jsonb => {
                let json = text.parse().map_err(|_| unreadable("JSON"))?;
                Self::Jsonb(Cow::Owned(json))
            }
            ColumnType::Bytea => {
                let bytes = BASE64.decode(text);
                Self::Bytea(bytes.map_err(|_| unreadable("bytes in base64"))?.into())
            }
            ColumnType::Vector(_) | ColumnType::HalfVector(_) | ColumnType::Array(_) => {
                let json = text.parse().map_err(|_| expected())?;
                return Self::from_json(ty, json);
            }
        })
    }

    /// Parses a value of this type from JSON.
    pub(crate) fn from_json(ty: ColumnType, json: Json) -> Result<Self, Problem> {
        let wrong = |json: &Json| Problem::wrong_json(json, &ty.expected());
        Ok(match (ty, json) {
            (ColumnType::Bool, Json::Bool(value)) => Self::Bool(value),
            (
                ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 | ColumnType::Numeric,
                Json::Number(number),
            ) => {
                let read = Self::from_text(ty, number.as_str());
                read.map_err(|_| wrong(&Json::Number(number)))?
            }
            (ColumnType::Float4, json) => {
                let number = match &json {
                    Json::Number(number) => number.as_str().parse().ok(),
                    _ => None,
                };
                let number = number.filter(|number: &f32| number.is_finite());
                Self::Float4(number.ok_or_else(|| wrong(&json))?)
            }
            (ColumnType::Float8, json) => {
                let number = json.as_f64().filter(|number| number.is_finite());
                Self::Float8(number.ok_or_else(|| wrong(&json))?)
            }
            (ColumnType::Text | ColumnType::Enum(_), Json::String(text)) => Self::Text(text.into()),
            (ColumnType::Jsonb, json) => Self::Jsonb(Cow::Owned(json)),
            (
                ColumnType::Numeric
                | ColumnType::Uuid
                | ColumnType::Date
                | ColumnType::Time
                | ColumnType::Timestamp
                | ColumnType::Timestamptz
                | ColumnType::Interval
                | ColumnType::Inet
                | ColumnType::Cidr
                | ColumnType::Bytea,
                Json::String(text),
            ) => Self::from_text(ty, &text)?,
            (ColumnType::Vector(dimensions), Json::Array(items)) => {
                Self::Vector(numbers(&items, dimensions, wrong)?.into())
            }
            (ColumnType::HalfVector(dimensions), Json::Array(items)) => {
                let numbers = numbers(&items, dimensions, wrong)?.into_iter();
                Self::HalfVector(numbers.map(vector::as_half).collect())
            }
            (ColumnType::Array(element), Json::Array(items)) => {
                let items = items
                    .into_iter()
                    .map(|item| Self::from_json(*element, item));
                Self::Array(element, items.collect::<Result<_, _>>()?)
            }
            (_, json) => return Err(wrong(&json)),
        })
    }
}

/// Whether the text is a word, such as `inf`. A number with digits is not infinite, but
/// too large.
fn is_word(text: &str) -> bool {
    !text.contains(|c: char| c.is_ascii_digit())
}

/// Parses a UUID, with or without hyphens, in braces or not.
pub(super) fn uuid(text: &str) -> Option<u128> {
    let inside = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or(text);
    let places = inside.char_indices().filter(|(_, c)| *c == '-');
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    if !places.is_empty() && places != [8, 13, 18, 23] {
        return None;
    }
    let digits = inside.replace('-', "");
    let is_hexadecimal = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_hexadecimal
        .then(|| u128::from_str_radix(&digits, 16).ok())
        .flatten()
}

fn without_zone(text: &str) -> Problem {
    if time::from_text(&format!("{text}Z")).is_some() {
        return Problem::new(format!(
            "`{text}` has no time zone; write {text}Z for UTC, or an offset such as +01:00"
        ));
    }
    Problem::unreadable(text, "a time with its zone, such as 2026-01-31T08:30:00Z")
}

/// The numbers of a vector. Each has to be finite.
fn numbers(
    items: &[Json],
    dimensions: u16,
    wrong: impl Fn(&Json) -> Problem,
) -> Result<Vec<f32>, Problem> {
    if items.len() != usize::from(dimensions) {
        let count = items.len();
        return Err(Problem::new(format!(
            "has {count} dimensions, not {dimensions}"
        )));
    }
    let number = |item: &Json| {
        let number = match item {
            Json::Number(number) => number.as_str().parse().ok(),
            _ => None,
        };
        number
            .filter(|number: &f32| number.is_finite())
            .ok_or_else(|| wrong(item))
    };
    items.iter().map(number).collect()
}

//! Access to the fields of objects by their names. A name with dots is a key as it is, or a path.

use lookback::Json;
use lookback::value::{JsonMap, JsonRef};

/// An object with fields.
pub(crate) trait Fields {
    type Value: Value;

    /// Returns a field by its name or path.
    fn get(&self, name: &str) -> Option<&Self::Value>;

    /// Takes a field by its name or path, and objects that are empty then.
    fn take(&mut self, name: &str) -> Option<Self::Value>;
}

/// A value of a field.
pub(crate) trait Value {
    fn is_null(&self) -> bool;

    /// Returns the text of a string; `None` for other types.
    fn as_str(&self) -> Option<&str>;

    /// Returns the text of a string, or of the first string of an array.
    fn first_str(&self) -> Option<&str>;

    /// Returns the text of a string, number or truth value.
    fn text(&self) -> Option<String>;

    /// Returns a number, also from its text.
    fn number(&self) -> Option<f64>;
}

impl Fields for JsonMap {
    type Value = Json;

    fn get(&self, name: &str) -> Option<&Json> {
        if let Some(value) = Self::get(self, name) {
            return Some(value);
        }
        let (first, rest) = name.split_once('.')?;
        Fields::get(Self::get(self, first)?.as_object()?, rest)
    }

    fn take(&mut self, name: &str) -> Option<Json> {
        if let Some(value) = self.remove(name) {
            return Some(value);
        }
        let (first, rest) = name.split_once('.')?;
        let Json::Object(inner) = self.get_mut(first)? else {
            return None;
        };
        let value = inner.take(rest)?;
        if inner.is_empty() {
            self.remove(first);
        }
        Some(value)
    }
}

impl Value for Json {
    fn is_null(&self) -> bool {
        Self::is_null(self)
    }

    fn as_str(&self) -> Option<&str> {
        Self::as_str(self)
    }

    fn first_str(&self) -> Option<&str> {
        match self {
            Self::Array(items) => items.first()?.as_str(),
            _ => self.as_str(),
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::String(text) => Some(text.clone()),
            Self::Number(_) | Self::Bool(_) => Some(self.to_string()),
            _ => None,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::String(text) => number_of(text.trim()),
            _ => self.as_f64(),
        }
    }
}

impl Value for JsonRef<'_> {
    fn is_null(&self) -> bool {
        *self == Self::Null
    }

    fn as_str(&self) -> Option<&str> {
        JsonRef::as_str(self)
    }

    fn first_str(&self) -> Option<&str> {
        match self {
            Self::Array(items) => JsonRef::as_str(items.first()?),
            _ => JsonRef::as_str(self),
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::String(text) => Some(text.clone().into_owned()),
            Self::Number(text) => Some((*text).to_owned()),
            Self::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::String(text) => number_of(text.trim()),
            Self::Number(text) => number_of(text),
            _ => None,
        }
    }
}

fn number_of(text: &str) -> Option<f64> {
    let number: Option<f64> = text.parse().ok();
    number.filter(|number| number.is_finite())
}

/// Takes the first field of these names that is there; a null is none.
pub(crate) fn take_first<F: Fields>(fields: &mut F, names: &[&str]) -> Option<F::Value> {
    let mut names = names.iter();
    let name = names.find(|name| fields.get(name).is_some_and(|value| !value.is_null()))?;
    fields.take(name)
}

/// Takes the first field of these names that has a text.
pub(crate) fn take_text(fields: &mut impl Fields, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| {
        let text = fields.get(name)?.text()?;
        fields.take(name);
        Some(text)
    })
}

/// Returns the text of a field.
pub(crate) fn text(fields: &impl Fields, name: &str) -> Option<String> {
    fields.get(name)?.text()
}

/// Returns milliseconds from a number of a unit, or a text with units such as `12ms`, `0.012s` or
/// Go's `1m2.5s`.
pub(crate) fn milliseconds(value: &impl Value, per_unit: f64) -> Option<f64> {
    if let Some(number) = value.number() {
        return Some(number * per_unit);
    }
    let mut text = value.as_str()?.trim();
    let mut sum = 0.0;
    while !text.is_empty() {
        let is_of_number = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
        let end = text.find(|c| !is_of_number(c))?;
        let number: f64 = text[..end].parse().ok()?;
        let unit = text[end..].trim_start();
        let end = unit.find(is_of_number).unwrap_or(unit.len());
        sum += number
            * match unit[..end].trim_end() {
                "ns" => 1e-6,
                "us" | "µs" | "μs" => 1e-3,
                "ms" => 1.0,
                "s" | "sec" => 1e3,
                "m" | "min" => 60e3,
                "h" => 3600e3,
                _ => return None,
            };
        text = &unit[end..];
    }
    Some(sum)
}

/// Takes the status of a response: 100 to 599, and 0, which says that there was none. Anything else
/// stays with the fields.
pub(crate) fn take_status(fields: &mut impl Fields, name: &str) -> Option<i32> {
    let status = fields.get(name)?.number()?;
    if status == 0.0 {
        fields.take(name);
        return None;
    }
    let is_status = (100.0..=599.0).contains(&status) && status.fract() == 0.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is in the range")]
    is_status.then(|| {
        fields.take(name);
        status as i32
    })
}

/// Takes a duration, in milliseconds. One that a whole number of them does not say, or that the
/// column does not hold, stays with the fields, too.
pub(crate) fn take_duration(fields: &mut impl Fields, name: &str, per_unit: f64) -> Option<f64> {
    const ROUNDING: f64 = 1e-6;
    let duration = milliseconds(fields.get(name)?, per_unit)?;
    let is_in_range = (0.0..f64::from(i32::MAX)).contains(&duration);
    if is_in_range && (duration - duration.round()).abs() < ROUNDING {
        fields.take(name);
    }
    Some(duration)
}

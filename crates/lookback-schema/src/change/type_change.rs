//! Conversions of a column from one type to another, and their risks.

use crate::change::{Lock, Risk};
use crate::syntax::DataType;
use crate::syntax::Expression;

/// A change of the type of a column.
pub(crate) struct TypeChange<'a> {
    from: &'a DataType,
    to: &'a DataType,
}

/// Integer types, smallest first: name, smallest and largest value.
const WHOLE: [(&str, i64, i64); 3] = [
    ("smallint", i16::MIN as i64, i16::MAX as i64),
    ("integer", i32::MIN as i64, i32::MAX as i64),
    ("bigint", i64::MIN, i64::MAX),
];

const NUMBERS: [&str; 6] = [
    "smallint",
    "integer",
    "bigint",
    "numeric",
    "real",
    "double precision",
];
const TEXTS: [&str; 5] = ["text", "character varying", "character", "citext", "bpchar"];
const TIMES: [&str; 5] = [
    "timestamp with time zone",
    "timestamp without time zone",
    "date",
    "time with time zone",
    "time without time zone",
];
const VECTORS: [&str; 3] = ["vector", "halfvec", "sparsevec"];

impl<'a> TypeChange<'a> {
    pub(crate) fn new(from: &'a DataType, to: &'a DataType) -> Self {
        Self { from, to }
    }

    /// The `USING` expression, if an assignment is not enough. If there is no direct conversion,
    /// the value is converted through its text.
    pub(crate) fn using(&self, column: &str) -> Option<Expression> {
        if self.is_assignment() {
            return None;
        }
        let column = crate::syntax::quoted(column);
        let to = self.to;
        let array = if self.from.array { "[]" } else { "" };
        if self.from.array && is_one_of(to, &VECTORS) {
            return Expression::new(format!("{column}::{to}")).ok();
        }
        let way = if self.from.array == to.array && is_one_of(self.from, &TEXTS) {
            format!("{column}::{to}")
        } else {
            format!("{column}::text{array}::{to}")
        };
        // It consists of a name and two types, so it is a valid expression.
        Expression::new(way).ok()
    }

    /// Whether every value of the old type is assigned to the new without a cast.
    fn is_assignment(&self) -> bool {
        let both = |names: &[&str]| is_one_of(self.from, names) && is_one_of(self.to, names);
        if self.from.array != self.to.array {
            // An array can be assigned to text only.
            return self.from.array && is_one_of(self.to, &TEXTS);
        }
        self.from.name == self.to.name
            || both(&NUMBERS)
            || both(&TEXTS)
            || both(&VECTORS)
            || both(&["json", "jsonb"])
            || both(&["inet", "cidr"])
            || both(&["bit", "bit varying"])
            || is_interval(self.from) && is_interval(self.to)
            || self.times_are_assigned()
            || (!self.from.array && is_one_of(self.to, &TEXTS))
    }

    fn times_are_assigned(&self) -> bool {
        let time = |ty: &DataType| ty.name.name.starts_with("time ");
        let both = is_one_of(self.from, &TIMES) && is_one_of(self.to, &TIMES);
        both && match (time(self.from), time(self.to)) {
            (false, false) | (true, true) => true,
            (false, true) => {
                !self.from.is_builtin("date")
                    && (self.from.is_builtin("timestamp with time zone")
                        || self.to.is_builtin("time without time zone"))
            }
            (true, false) => false,
        }
    }

    /// The condition that values meet if they fit the narrower type.
    pub(crate) fn guard(&self, column: &str) -> Option<Expression> {
        if self.from.array || self.to.array {
            return None;
        }
        let column = crate::syntax::quoted(column);
        let condition = if let Some(length) = self.narrower_length() {
            // Blanks at the end of `character` are padding, which is cut off without an error.
            format!("char_length({column}) <= {length}")
        } else {
            let rank = |ty: &DataType| WHOLE.iter().position(|(name, ..)| ty.is_builtin(name));
            let (from, to) = (rank(self.from)?, rank(self.to)?);
            if to >= from {
                return None;
            }
            let (_, min, max) = WHOLE[to];
            format!("{column} BETWEEN {min} AND {max}")
        };
        Expression::new(condition).ok()
    }

    /// The new length limit of a text, if the old one was longer.
    fn narrower_length(&self) -> Option<u32> {
        let texts = is_one_of(self.from, &TEXTS) && is_one_of(self.to, &TEXTS);
        let length = |ty: &DataType| {
            ty.modifiers
                .as_deref()
                .and_then(|text| text.parse::<u32>().ok())
        };
        let to = length(self.to).filter(|_| texts)?;
        match length(self.from) {
            Some(from) if from <= to => None,
            _ => Some(to),
        }
    }

    pub(crate) fn risks(&self, object: &str, using: Option<&Expression>) -> Vec<Risk> {
        let mut risks = Vec::new();
        if using.is_none() && self.keeps_every_value_as_it_is() {
            return risks;
        }
        risks.push(Risk::Locks {
            lock: Lock::AccessExclusive,
            during: "while every row is written again",
        });
        if using.is_some_and(|how| {
            !how.mentions(
                object
                    .rsplit('.')
                    .next()
                    .unwrap_or(object)
                    .trim_matches('"'),
            )
        }) {
            risks.push(Risk::LosesData(format!("the values of {object}")));
            return risks;
        }
        if let Some(lost) = self.loses() {
            risks.push(Risk::LosesData(format!("{lost} of {object}")));
        }
        if !self.always_succeeds() {
            risks.push(Risk::MayFail(format!(
                "values of {object} that cannot be converted to {}",
                self.to
            )));
        }
        risks
    }

    /// Whether only the catalog changes and no row is rewritten.
    fn keeps_every_value_as_it_is(&self) -> bool {
        if self.from == self.to {
            return true;
        }
        if self.from.array != self.to.array {
            return false;
        }
        let (from, to) = (self.from, self.to);
        let wider_text = is_one_of(from, &["character varying", "text", "citext"])
            && is_one_of(to, &["character varying", "text", "citext"])
            && self.narrower_length().is_none();
        let same = from.name == to.name;
        wider_text
            || (from.is_builtin("cidr") && to.is_builtin("inet"))
            || (same && from.is_builtin("numeric") && self.numeric_grows())
            || (same
                && ["bit varying", "interval"]
                    .iter()
                    .any(|name| from.is_builtin(name))
                && self.modifier_grows())
            || (same && is_one_of(from, &TIMES) && self.modifier_grows())
            || (same && is_one_of(from, &VECTORS) && to.modifiers.is_none())
    }

    fn modifier_grows(&self) -> bool {
        let number = |ty: &DataType| {
            ty.modifiers
                .as_deref()
                .map(|text| text.parse::<u32>().unwrap_or(0))
        };
        match (number(self.from), number(self.to)) {
            (_, None) => true,
            (Some(from), Some(to)) => to >= from,
            // Times without a modifier have six fractional digits.
            (None, Some(to)) => is_one_of(self.from, &TIMES) && to >= 6,
        }
    }

    /// Whether there are more digits before the point and as many after it.
    fn numeric_grows(&self) -> bool {
        match (precision(self.from), precision(self.to)) {
            (_, None) => true,
            (Some((p, s)), Some((p2, s2))) => s == s2 && p2 >= p,
            (None, Some(_)) => false,
        }
    }

    /// The data that the conversion loses, in words.
    fn loses(&self) -> Option<&'static str> {
        let (from, to) = (self.from, self.to);
        let floating = |ty: &DataType| is_one_of(ty, &["real", "double precision"]);
        let whole = |ty: &DataType| WHOLE.iter().any(|(name, ..)| ty.is_builtin(name));
        if is_one_of(from, &NUMBERS) && is_one_of(to, &NUMBERS) {
            let scale = |ty: &DataType| precision(ty).map(|(_, scale)| scale);
            let fewer_digits = is_one_of(from, &["numeric"])
                && is_one_of(to, &["numeric"])
                && match (scale(from), scale(to)) {
                    (_, None) => false,
                    (None, Some(_)) => true,
                    (Some(from), Some(to)) => to < from,
                };
            let rounded = (floating(from) || is_one_of(from, &["numeric"]))
                && whole(to)
                && !(from.is_builtin("numeric") && scale(from) == Some(0));
            let approximate = !floating(from)
                && floating(to)
                && !from.is_builtin("smallint")
                && (!from.is_builtin("integer") || to.is_builtin("real"));
            let halved = from.is_builtin("double precision") && to.is_builtin("real");
            let cut = floating(from) && precision(to).is_some();
            return (fewer_digits || rounded || approximate || halved || cut).then_some("digits");
        }
        if is_one_of(from, &TIMES) && is_one_of(to, &TIMES) {
            let time = |ty: &DataType| !ty.is_builtin("date");
            let date = |ty: &DataType| !ty.name.name.starts_with("time ");
            let zone = |ty: &DataType| ty.name.name.ends_with("with time zone");
            if time(from) && !time(to) {
                return Some("the time of day");
            }
            if date(from) && !date(to) {
                return Some("the date");
            }
            if zone(from) && !zone(to) {
                return Some("the time zone");
            }
            return (!self.modifier_grows()).then_some("digits of the seconds");
        }
        if from.is_builtin("vector") && to.is_builtin("halfvec") {
            return Some("digits");
        }
        if is_one_of(from, &TEXTS) && (floating(to) || precision(to).is_some()) {
            return Some("digits");
        }
        if (from.is_builtin("json") || is_one_of(from, &TEXTS)) && to.is_builtin("jsonb") {
            return Some("white space, order and repeated keys");
        }
        None
    }

    fn always_succeeds(&self) -> bool {
        let (from, to) = (self.from, self.to);
        if self.keeps_every_value_as_it_is() {
            return true;
        }
        if from.array != to.array {
            return is_one_of(to, &TEXTS) && to.modifiers.is_none();
        }
        let rank = |ty: &DataType| NUMBERS.iter().position(|name| ty.is_builtin(name));
        if let (Some(a), Some(b)) = (rank(from), rank(to)) {
            return b > a && to.modifiers.is_none() && !(from.is_builtin("numeric"));
        }
        if is_one_of(from, &TIMES) && is_one_of(to, &TIMES) {
            return true;
        }
        if is_one_of(from, &["json"]) && is_one_of(to, &["jsonb"]) {
            return false;
        }
        (is_one_of(to, &TEXTS) && to.modifiers.is_none())
            || is_one_of(from, &["jsonb"]) && is_one_of(to, &["json"])
    }
}

fn is_one_of(ty: &DataType, names: &[&str]) -> bool {
    names.iter().any(|name| ty.is_builtin(name))
}

fn is_interval(ty: &DataType) -> bool {
    ty.name.schema.is_none() && ty.name.name.starts_with("interval")
}

/// The total digits of a `numeric(p,s)`, and the digits after the point.
fn precision(ty: &DataType) -> Option<(i32, i32)> {
    let (precision, scale) = ty.modifiers.as_deref()?.split_once(',')?;
    ty.is_builtin("numeric").then_some(())?;
    Some((precision.parse().ok()?, scale.parse().ok()?))
}

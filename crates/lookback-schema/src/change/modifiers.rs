//! Limits of types, such as the length in `varchar(20)`, and values that exceed them.

use crate::change::conversion::{base, element, is_string};
use crate::change::effect::Outcome;
use crate::syntax::DataType;

const SECONDS: &str = "digits of the seconds";

/// The fields of an interval, largest first, and what is lost without the smaller ones.
const FIELDS: [(&str, &str); 6] = [
    ("year", "parts smaller than a year"),
    ("month", "parts smaller than a month"),
    ("day", "parts smaller than a day"),
    ("hour", "parts smaller than an hour"),
    ("minute", "parts smaller than a minute"),
    ("second", SECONDS),
];

/// The effect of the modifiers of the new type on values of the old one.
///
/// PostgreSQL rounds numbers and cuts times. It refuses a text that is too long, but cuts a `name`
/// and a bit string in a cast.
pub(super) fn fit(from: &DataType, to: &DataType) -> Outcome {
    if from.array && to.array {
        return fit(&element(from), &element(to));
    }
    let fits = Outcome::default();
    match base(to) {
        "character varying" | "character" => match (number(to), longest(from)) {
            (None, _) => fits,
            (Some(limit), Some(longest)) if longest <= limit => fits,
            _ => fits.fails(),
        },
        "name" => match longest(from) {
            // A character has up to four bytes.
            Some(longest) if !is_string(from) && longest <= 63 || longest <= 63 / 4 => fits,
            _ => fits.loses("all but the first 63 bytes"),
        },
        "numeric" => fit_numeric(from, to),
        "smallint" | "integer" | "bigint" => fit_integer(from, to),
        "money" if base(from) == "numeric" && digits(from).1.is_none_or(|after| after > 2) => {
            fits.loses("digits")
        }
        "bit" | "bit varying" => fit_bits(from, to),
        "interval" if !is_string(from) => fit_interval(from, to),
        name if name.starts_with("time")
            && has_seconds(from)
            && precision(to) < precision(from) =>
        {
            fits.loses(SECONDS)
        }
        "vector" | "halfvec" | "sparsevec" => {
            let same = !from.array && from.modifiers == to.modifiers;
            if to.modifiers.is_none() || same {
                fits
            } else {
                fits.fails()
            }
        }
        _ => fits,
    }
}

/// The effect of reading a text as another type, besides failing.
pub(super) fn from_text(to: &DataType) -> Outcome {
    let outcome = Outcome::default();
    let outcome = match base(to) {
        "\"char\"" => outcome.loses("all but the first byte"),
        "bit" | "bit varying" if to.modifiers.is_some() => outcome.loses("bits"),
        "numeric" if to.modifiers.is_some() => outcome.loses("digits"),
        "real" | "double precision" | "money" | "vector" | "halfvec" | "sparsevec" | "point"
        | "line" | "lseg" | "box" | "path" | "polygon" | "circle" => outcome.loses("digits"),
        "date" => outcome.loses("the time of day"),
        "time without time zone" => outcome.loses("the date").loses("the time zone"),
        "time with time zone" => outcome.loses("the date"),
        "timestamp without time zone" => outcome.loses("the time zone"),
        "interval" => fit_interval(&DataType::named("interval"), to),
        "jsonb" => outcome.loses("white space, order and repeated keys"),
        "hstore" => outcome.loses("order and repeated keys"),
        "tsvector" => outcome.loses("order and repeated words"),
        _ => outcome,
    };
    if base(to).starts_with("time") && precision(to) < 6 {
        outcome.loses(SECONDS)
    } else {
        outcome
    }
}

fn fit_numeric(from: &DataType, to: &DataType) -> Outcome {
    let fits = Outcome::default();
    let Some((total, after)) = numeric(to) else {
        return fits;
    };
    let (from_before, from_after) = digits(from);
    let rounds = from_after.is_none_or(|from| from > after);
    let fits = if rounds { fits.loses("digits") } else { fits };
    // Rounding may carry into one more digit.
    match from_before {
        Some(before) if before + i64::from(rounds) <= total - after => fits,
        _ => fits.fails(),
    }
}

fn fit_integer(from: &DataType, to: &DataType) -> Outcome {
    let fits = Outcome::default();
    match base(from) {
        "numeric" | "money" if digits(from).1.is_none_or(|after| after > 0) => fits.loses("digits"),
        "bit" | "bit varying" => {
            let bits = if base(to) == "integer" { 32 } else { 64 };
            if number(from).is_some_and(|length| length <= bits) {
                fits
            } else {
                fits.fails()
            }
        }
        _ => fits,
    }
}

fn fit_bits(from: &DataType, to: &DataType) -> Outcome {
    let fits = Outcome::default();
    let Some(limit) = number(to) else {
        return fits;
    };
    let cuts = |width: u32| {
        if width > limit {
            Outcome::default().loses("bits")
        } else {
            Outcome::default()
        }
    };
    match (base(from), base(to)) {
        ("boolean", _) => cuts(1),
        ("smallint", _) => cuts(16),
        ("integer", _) => cuts(32),
        ("bigint", _) => cuts(64),
        ("bit", "bit") if number(from) == Some(limit) => fits,
        ("bit" | "bit varying", "bit varying")
            if number(from).is_some_and(|length| length <= limit) =>
        {
            fits
        }
        _ => fits.fails(),
    }
}

fn fit_interval(from: &DataType, to: &DataType) -> Outcome {
    let fits = Outcome::default();
    let (old, new) = (smallest_field(from), smallest_field(to));
    if new < old {
        return fits.loses(FIELDS[new].1);
    }
    let seconds = FIELDS.len() - 1;
    if old == seconds && precision(to) < precision(from) {
        return fits.loses(SECONDS);
    }
    fits
}

/// The place of the smallest field of an interval in [`FIELDS`].
fn smallest_field(ty: &DataType) -> usize {
    let last = ty.name.name.rsplit(' ').next();
    let place = FIELDS.iter().position(|(field, _)| Some(*field) == last);
    place.unwrap_or(FIELDS.len() - 1)
}

fn has_seconds(ty: &DataType) -> bool {
    base(ty).starts_with("time") || base(ty) == "interval"
}

/// The digits of the seconds of a time: six at most.
fn precision(ty: &DataType) -> u32 {
    number(ty).map_or(6, |digits| digits.min(6))
}

pub(super) fn number(ty: &DataType) -> Option<u32> {
    ty.modifiers.as_deref()?.parse().ok()
}

/// The total digits of a `numeric(p,s)`, and the digits after the point.
pub(super) fn numeric(ty: &DataType) -> Option<(i64, i64)> {
    if base(ty) != "numeric" {
        return None;
    }
    let (total, after) = ty.modifiers.as_deref()?.split_once(',')?;
    Some((total.parse().ok()?, after.parse().ok()?))
}

/// Whether [`fit`] knows the effect of the modifiers of `to` on values of `from`, even if they
/// are converted to another type first.
pub(super) fn limits(from: &DataType, to: &DataType) -> bool {
    let has_digits = base(to) == "numeric" && digits(from).0.is_some();
    !from.array && (has_digits || matches!(base(from), "boolean" | "smallint"))
}

/// The most digits before the point and after it, if the type limits them.
fn digits(ty: &DataType) -> (Option<i64>, Option<i64>) {
    match base(ty) {
        "boolean" => (Some(1), Some(0)),
        "\"char\"" => (Some(3), Some(0)),
        "smallint" => (Some(5), Some(0)),
        "integer" | "oid" => (Some(10), Some(0)),
        "bigint" => (Some(19), Some(0)),
        // Two, unless `lc_monetary` says otherwise.
        "money" => (Some(17), Some(2)),
        "numeric" => match numeric(ty) {
            Some((total, after)) => (Some(total - after), Some(after)),
            None => (None, None),
        },
        _ => (None, None),
    }
}

/// The most characters of the text of a value, if the type limits them.
fn longest(ty: &DataType) -> Option<u32> {
    if ty.array {
        return None;
    }
    Some(match base(ty) {
        "character varying" | "character" | "bit" | "bit varying" => return number(ty),
        "\"char\"" => 4,
        "boolean" => 5,
        "smallint" => 6,
        "integer" => 11,
        "bigint" => 20,
        "oid" => 10,
        "uuid" => 36,
        "name" => 63,
        _ => return None,
    })
}

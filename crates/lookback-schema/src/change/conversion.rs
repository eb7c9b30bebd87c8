//! The way from one type to another: a cast of the server if it has one.

use crate::change::casts::{CastContext, cast, casts, is_named_oid};
use crate::change::effect::Outcome;
use crate::change::modifiers::{fit, from_text, limits};
use crate::syntax::DataType;

/// The conversion of the values of a column.
#[derive(Debug)]
pub(super) struct Conversion {
    pub(super) route: Route,
    pub(super) outcome: Outcome,
}

/// The SQL of a conversion.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The value is assigned.
    Assign {
        /// Whether its bytes stay as they are.
        binary: bool,
    },
    /// A cast has to be written.
    Cast,
    /// Several casts; the types between them.
    Via(Vec<String>),
    /// The text of the value is read as the new type: there is no cast.
    Text,
    /// The same for a JSON value, without the quotes of a JSON string.
    JsonText,
    /// The elements of a JSON array are read as elements.
    JsonArray,
    /// The value becomes JSON.
    ToJson,
    /// The value becomes the only element of an array.
    Wrap,
}

/// Types that have a cast from and to text without a row in `pg_cast` (`typcategory` S).
const STRINGS: [&str; 5] = ["text", "character varying", "character", "citext", "name"];

/// Types of extensions, which may be in another schema.
const OF_EXTENSIONS: [&str; 15] = [
    "citext",
    "ean13",
    "halfvec",
    "hstore",
    "isbn",
    "isbn13",
    "ismn",
    "ismn13",
    "issn",
    "issn13",
    "ltree",
    "lquery",
    "sparsevec",
    "upc",
    "vector",
];

/// Types that no row of `pg_cast` has.
const WITHOUT_CASTS: [&str; 15] = [
    "aclitem",
    "cid",
    "jsonpath",
    "line",
    "ltree",
    "lquery",
    "pg_lsn",
    "pg_snapshot",
    "refcursor",
    "tid",
    "tsquery",
    "tsvector",
    "txid_snapshot",
    "uuid",
    "int2vector",
];

/// Types to go through, if there are several ways.
const PREFERRED: [&str; 4] = [
    "integer",
    "bigint",
    "numeric",
    "timestamp without time zone",
];

/// The name of a type in `pg_cast`, without modifiers; empty for the types of an application.
pub(super) fn base(ty: &DataType) -> &str {
    let name = ty.name.name.as_str();
    if ty.name.schema.is_some() && !OF_EXTENSIONS.contains(&name) {
        return "";
    }
    match name {
        "bpchar" => "character",
        "char" => "\"char\"",
        _ if name.starts_with("interval ") => "interval",
        other => other,
    }
}

pub(super) fn is_string(ty: &DataType) -> bool {
    !ty.array && STRINGS.contains(&base(ty))
}

/// Whether it is a type of PostgreSQL or of one of the extensions above.
pub(super) fn is_known(ty: &DataType) -> bool {
    let base = base(ty);
    WITHOUT_CASTS.contains(&base) || casts().any(|cast| cast.from == base || cast.to == base)
}

pub(super) fn conversion(from: &DataType, to: &DataType) -> Conversion {
    if from == to {
        return Conversion {
            route: Route::Assign { binary: true },
            outcome: Outcome::default(),
        };
    }
    if let Some(found) = direct(from, to) {
        let route = if found.explicit {
            Route::Cast
        } else {
            Route::Assign {
                binary: found.binary,
            }
        };
        return Conversion {
            route,
            outcome: found.outcome(),
        };
    }
    let is_json = |ty: &DataType| !ty.array && matches!(base(ty), "json" | "jsonb");
    if is_json(to) {
        // The text of a vector is an array of JSON; `to_jsonb` would make a string of it.
        let has_json_text = !from.array && matches!(base(from), "vector" | "halfvec");
        return Conversion {
            route: if has_json_text {
                Route::Text
            } else {
                Route::ToJson
            },
            outcome: Outcome::default(),
        };
    }
    if let Some(found) = bits(from, to).or_else(|| via(from, to)) {
        return found;
    }
    if to.array && !from.array && !is_json(from) {
        let element = element(to);
        if let Some(outcome) = same_or_direct(from, &element) {
            return Conversion {
                route: Route::Wrap,
                outcome,
            };
        }
    }
    if to.array && is_json(from) && !is_json(&element(to)) {
        return Conversion {
            route: Route::JsonArray,
            outcome: from_text(to).fails(),
        };
    }
    let route = if is_json(from) {
        Route::JsonText
    } else {
        Route::Text
    };
    Conversion {
        route,
        outcome: from_text(to).fails(),
    }
}

fn same_or_direct(from: &DataType, to: &DataType) -> Option<Outcome> {
    if from == to {
        return Some(Outcome::default());
    }
    direct(from, to).map(Direct::outcome)
}

/// A conversion that the server does by one cast (`find_coercion_pathway` in its source).
struct Direct {
    /// Whether the cast has to be written.
    explicit: bool,
    binary: bool,
    effect: Outcome,
    /// The effect of the modifiers of the new type.
    fit: Outcome,
}

impl Direct {
    fn outcome(self) -> Outcome {
        self.effect.and(self.fit)
    }
}

fn direct(from: &DataType, to: &DataType) -> Option<Direct> {
    let assigned = || Direct {
        explicit: false,
        binary: false,
        effect: Outcome::default(),
        fit: fit(from, to),
    };
    if from.array == to.array && from.name == to.name || key(from) == key(to) && is_known(to) {
        return Some(assigned());
    }
    if let Some(cast) = cast(&key(from), &key(to)) {
        return Some(Direct {
            explicit: cast.context == CastContext::Explicit,
            binary: cast.binary,
            effect: cast.effect.into(),
            fit: fit(from, to),
        });
    }
    if from.array && to.array {
        let found = direct(&element(from), &element(to))?;
        return Some(Direct {
            binary: false,
            ..found
        });
    }
    if is_string(to) {
        return Some(assigned());
    }
    is_string(from).then(|| Direct {
        explicit: true,
        binary: false,
        effect: from_text(to).fails(),
        fit: Outcome::default(),
    })
}

/// The conversion between bit strings and numbers. A cast without a length is one to one bit, and
/// the text of a bit string would be read as a decimal number.
fn bits(from: &DataType, to: &DataType) -> Option<Conversion> {
    if from.array && to.array {
        return bits(&element(from), &element(to)).map(in_array);
    }
    let bit = |modifiers: Option<String>| DataType {
        name: "bit".into(),
        modifiers,
        array: false,
    };
    let whole = ["smallint", "integer", "bigint"];
    if !from.array && base(to) == "bit varying" && whole.contains(&base(from)) {
        let width = match base(from) {
            "smallint" => "16",
            "integer" => "32",
            _ => "64",
        };
        let length = to.modifiers.clone().unwrap_or_else(|| width.to_owned());
        let between = bit(Some(length));
        let Conversion { route, outcome } = conversion(from, &between);
        let mut types = match route {
            Route::Via(types) => types,
            _ => Vec::new(),
        };
        types.push(between.to_string());
        let route = Route::Via(types);
        return Some(Conversion { route, outcome });
    }
    if from.array || to.array || !matches!(base(from), "bit" | "bit varying") {
        return None;
    }
    let one_bit = base(from) == "bit" && from.modifiers.as_deref() == Some("1");
    let found = if base(from) == "bit varying" {
        // In quotes, it is a bit string of any length.
        let Conversion { route, outcome } = conversion(&bit(from.modifiers.clone()), to);
        let mut types = vec!["\"bit\"".to_owned()];
        match route {
            Route::Cast => {}
            Route::Via(more) => types.extend(more),
            _ => return None,
        }
        Conversion {
            route: Route::Via(types),
            outcome: outcome.loses("zeros at the start"),
        }
    } else {
        via(from, to)?
    };
    Some(if one_bit && base(to) == "boolean" {
        Conversion {
            outcome: Outcome::default(),
            ..found
        }
    } else {
        found
    })
}

fn in_array(conversion: Conversion) -> Conversion {
    let route = match conversion.route {
        Route::Via(types) => {
            Route::Via(types.iter().map(|between| format!("{between}[]")).collect())
        }
        other => other,
    };
    Conversion {
        route,
        outcome: conversion.outcome,
    }
}

/// Several casts, all but the last of which keep every value: `boolean` to `integer` to `bigint`.
fn via(from: &DataType, to: &DataType) -> Option<Conversion> {
    if from.array && to.array {
        return via(&element(from), &element(to)).map(in_array);
    }
    // Their values have a meaning of their own: a character, bytes, an object.
    if is_special(to) {
        return None;
    }
    let once = steps(from).filter_map(|(text, between, before)| {
        let (score, outcome) = last_step(from, &between, to, before)?;
        Some((score, vec![text], outcome))
    });
    let twice = || {
        let first = steps(from).collect::<Vec<_>>().into_iter();
        first.flat_map(|(text, between, before)| {
            let more = steps(&between).collect::<Vec<_>>();
            let next = more.into_iter().filter_map(move |(next_text, next, then)| {
                let before = before.clone().and(then);
                let (score, outcome) = last_step(&between, &next, to, before)?;
                Some((score, vec![text.clone(), next_text], outcome))
            });
            next.collect::<Vec<_>>()
        })
    };
    let by_score = |one: &(Score, Vec<String>, Outcome), other: &(Score, Vec<String>, Outcome)| {
        one.0.cmp(&other.0)
    };
    let (_, types, outcome) = once.min_by(by_score).or_else(|| twice().min_by(by_score))?;
    Some(Conversion {
        route: Route::Via(types),
        outcome,
    })
}

/// Whether the way fails before its last step, loses data, fails; and its preference.
type Score = (bool, bool, bool, usize);

fn is_special(ty: &DataType) -> bool {
    matches!(base(ty), "\"char\"" | "bytea") || is_named_oid(base(ty))
}

/// The types that `from` has a cast to which keeps every value: their text, and the effect.
fn steps(from: &DataType) -> impl Iterator<Item = (String, DataType, Outcome)> {
    let from_key = key(from);
    let kept = casts().filter(move |cast| cast.from == from_key && cast.effect.loses.is_none());
    kept.filter_map(|cast| {
        let mut between: DataType = cast.to.parse().ok()?;
        if OF_EXTENSIONS.contains(&cast.to) && OF_EXTENSIONS.contains(&base(from)) {
            between.name.schema.clone_from(&from.name.schema);
        }
        let fits = fit(from, &between);
        if is_string(&between) || is_special(&between) || !fits.loses.is_empty() {
            return None;
        }
        Some((
            between.to_string(),
            between,
            Outcome::from(cast.effect).and(fits),
        ))
    })
}

fn last_step(
    from: &DataType,
    between: &DataType,
    to: &DataType,
    before: Outcome,
) -> Option<(Score, Outcome)> {
    let then = direct(between, to)?;
    // The values are still those of the first type.
    let fits = if limits(from, to) {
        fit(from, to)
    } else {
        then.fit
    };
    let then = then.effect.and(fits);
    let place = PREFERRED
        .iter()
        .position(|name| *name == base(between) && !between.array);
    let score = (
        before.fails,
        !then.loses.is_empty(),
        then.fails,
        place.unwrap_or(PREFERRED.len()),
    );
    Some((score, before.and(then)))
}

pub(super) fn element(ty: &DataType) -> DataType {
    DataType {
        array: false,
        ..ty.clone()
    }
}

/// The name in `pg_cast`.
fn key(ty: &DataType) -> String {
    let array = if ty.array { "[]" } else { "" };
    format!("{}{array}", base(ty))
}

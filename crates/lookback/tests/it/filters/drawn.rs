//! Generated filters: as typed filters, as text, and as plain Rust.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use lookback::filter::JsonPath;
use lookback::json;
use lookback::value::{Decimal, Uuid};
use lookback::{Filter, Json};
use testkit::sample::Random;

use super::plain::{self, Fold};
use super::spelling::{alone, escaped, quoted};
use super::thing::{
    KEYS, Mood, RATIOS, SINGLES, Shade, Thing, clock, day, document, host, local, moment, number,
    price, scalar, tag, text, tiny, uuid, wait, word,
};

/// A generated filter.
#[derive(Clone)]
pub(super) struct GeneratedFilter {
    pub(super) typed: Filter<Thing>,
    /// The text in a group.
    pub(super) grouped: String,
    /// The text outside of a group.
    pub(super) alone: String,
    pub(super) plain: Plain,
}

type Plain = Rc<dyn Fn(&Thing) -> bool>;

/// How the database folds letters, in the two collations of the table.
pub(super) struct Folds {
    pub(super) default: Fold,
    pub(super) c: Fold,
}

/// Generates a tree of filters.
pub(super) fn tree(random: &mut Random, folds: &Rc<Folds>, depth: u32) -> GeneratedFilter {
    if depth == 0 || random.below(3) == 0 {
        return leaf(random, folds);
    }
    if random.below(4) == 0 {
        let inner = tree(random, folds, depth - 1);
        let plain = inner.plain;
        let text = format!("not({})", inner.grouped);
        return GeneratedFilter {
            typed: !inner.typed,
            alone: text.replacen("not(", "not=(", 1),
            grouped: text,
            plain: Rc::new(move |thing| !plain(thing)),
        };
    }
    let members: Vec<GeneratedFilter> = (0..random.below(4))
        .map(|_| tree(random, folds, depth - 1))
        .collect();
    let texts: Vec<String> = members
        .iter()
        .map(|member| member.grouped.clone())
        .collect();
    let plains: Vec<_> = members.iter().map(|member| member.plain.clone()).collect();
    let typed = members.into_iter().map(|member| member.typed);
    let and = random.below(2) == 0;
    let (name, typed, plain): (_, _, Plain) = if and {
        (
            "and",
            typed.fold(Filter::all(), |all, one| all & one),
            Rc::new(move |thing: &Thing| plains.iter().all(|plain| plain(thing))),
        )
    } else {
        (
            "or",
            typed.fold(Filter::none(), |any, one| any | one),
            Rc::new(move |thing: &Thing| plains.iter().any(|plain| plain(thing))),
        )
    };
    let text = format!("{name}({})", texts.join(","));
    GeneratedFilter {
        typed,
        alone: text.replacen('(', "=(", 1),
        grouped: text,
        plain,
    }
}

/// Returns the text of a lookup with one value, alone and in a group, where it is quoted.
fn one(key: &str, value: &str) -> (String, String) {
    (
        format!("{key}={}", alone(value)),
        format!("{key}={}", quoted(value)),
    )
}

/// Returns the text of a lookup with a list, alone and in a group.
fn list(key: &str, values: &[String]) -> (String, String) {
    let items: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    let items = items.join(", ");
    (format!("{key}={items}"), format!("{key}=({items})"))
}

fn build(
    typed: Filter<Thing>,
    (alone, grouped): (String, String),
    plain: impl Fn(&Thing) -> bool + 'static,
) -> GeneratedFilter {
    GeneratedFilter {
        typed,
        alone,
        grouped,
        plain: Rc::new(plain),
    }
}

fn leaf(random: &mut Random, folds: &Rc<Folds>) -> GeneratedFilter {
    match random.below(16) {
        0 | 1 => pattern(random, folds),
        2 => null(random),
        3 => array(random),
        4..=8 => in_json(random, folds),
        _ => value(random),
    }
}

/// Generates a comparison of a column: equal, greater, less, in a list, or between.
macro_rules! comparison {
    ($random:expr, $handle:expr, $key:literal, $draw:expr, $write:expr, $of:expr) => {{
        let (handle, of) = ($handle, $of);
        let first = $draw($random);
        let second = $draw($random);
        let key = |lookup: &str| format!("{}__{lookup}", $key);
        let write = $write;
        let texts: Vec<String> = vec![write(&first), write(&second)];
        let (a, b) = (first.clone(), second.clone());
        match $random.below(11) {
            0 => build(handle.eq(first), one($key, &texts[0]), move |t| {
                of(t).is_some_and(|v| v == a)
            }),
            1 => build(handle.ne(first), one(&key("ne"), &texts[0]), move |t| {
                of(t).is_none_or(|v| v != a)
            }),
            2 => build(handle.gt(first), one(&key("gt"), &texts[0]), move |t| {
                of(t).is_some_and(|v| v > a)
            }),
            3 => build(handle.gte(first), one(&key("gte"), &texts[0]), move |t| {
                of(t).is_some_and(|v| v >= a)
            }),
            4 => build(handle.lt(first), one(&key("lt"), &texts[0]), move |t| {
                of(t).is_some_and(|v| v < a)
            }),
            5 => build(handle.lte(first), one(&key("lte"), &texts[0]), move |t| {
                of(t).is_some_and(|v| v <= a)
            }),
            6 => build(
                handle.is_in([first, second]),
                list(&key("in"), &texts),
                move |t| of(t).is_some_and(|v| v == a || v == b),
            ),
            7 => build(
                handle.not_in([first, second]),
                list(&key("notin"), &texts),
                move |t| of(t).is_none_or(|v| v != a && v != b),
            ),
            8 => build(
                handle.between(first, second),
                list(&key("between"), &texts),
                move |t| of(t).is_some_and(|v| v >= a && v <= b),
            ),
            9 => build(
                handle.not_between(first, second),
                list(&key("notbetween"), &texts),
                move |t| of(t).is_none_or(|v| v < a || v > b),
            ),
            _ => build(handle.eq(first), one(&key("exact"), &texts[0]), move |t| {
                of(t).is_some_and(|v| v == a)
            }),
        }
    }};
}

fn value(random: &mut Random) -> GeneratedFilter {
    let zone = FixedOffset::east_opt(if random.below(2) == 0 { 5_400 } else { -25_200 }).unwrap();
    let written = move |time: &DateTime<Utc>| time.with_timezone(&zone).to_rfc3339();
    match random.below(18) {
        9 => comparison!(
            random,
            Thing::tiny(),
            "tiny",
            tiny,
            i16::to_string,
            |t: &Thing| t.tiny
        ),
        10 => comparison!(
            random,
            Thing::single(),
            "single",
            |r: &mut Random| *r.pick(&SINGLES),
            f32::to_string,
            |t: &Thing| t.single
        ),
        11 => comparison!(
            random,
            Thing::price(),
            "price",
            price,
            Decimal::to_string,
            |t: &Thing| { t.price }
        ),
        12 => comparison!(
            random,
            Thing::key(),
            "key",
            uuid,
            Uuid::to_string,
            |t: &Thing| t.key
        ),
        13 => comparison!(
            random,
            Thing::day(),
            "day",
            day,
            NaiveDate::to_string,
            |t: &Thing| t.day
        ),
        14 => comparison!(
            random,
            Thing::clock(),
            "clock",
            clock,
            NaiveTime::to_string,
            |t: &Thing| { t.clock }
        ),
        15 => comparison!(
            random,
            Thing::local(),
            "local",
            local,
            NaiveDateTime::to_string,
            |t: &Thing| t.local
        ),
        16 => comparison!(
            random,
            Thing::wait(),
            "wait",
            wait,
            |wait: &Duration| format!("{}ms", wait.as_millis()),
            |t: &Thing| t.wait
        ),
        17 => comparison!(
            random,
            Thing::host(),
            "host",
            host,
            IpAddr::to_string,
            |t: &Thing| t.host
        ),
        0 => comparison!(
            random,
            Thing::name(),
            "name",
            text,
            String::clone,
            |t: &Thing| { Some(t.name.clone()) }
        ),
        1 => comparison!(
            random,
            Thing::small(),
            "small",
            |r: &mut Random| i32::try_from(number(r)).unwrap(),
            i32::to_string,
            |t: &Thing| t.small
        ),
        2 => comparison!(
            random,
            Thing::big(),
            "\"big.num__ber\"",
            number,
            i64::to_string,
            |t: &Thing| Some(t.big)
        ),
        3 => comparison!(
            random,
            Thing::ratio(),
            "ratio",
            |r: &mut Random| *r.pick(&RATIOS),
            f64::to_string,
            |t: &Thing| t.ratio
        ),
        4 => comparison!(random, Thing::at(), "at", moment, written, |t: &Thing| t.at),
        5 => comparison!(
            random,
            Thing::shade(),
            "shade",
            |r: &mut Random| *r.pick(Shade::ALL),
            Shade::to_string,
            |t: &Thing| t.shade
        ),
        6 => comparison!(
            random,
            Thing::mood(),
            "mood",
            |r: &mut Random| *r.pick(Mood::ALL),
            Mood::to_string,
            |t: &Thing| t.mood
        ),
        7 => {
            let flag = random.below(2) == 0;
            build(
                Thing::flag().ne(flag),
                one("flag__ne", &flag.to_string()),
                move |t| t.flag != Some(flag),
            )
        }
        _ => {
            // A column with the database's own collation, whose order is not known here.
            let words: Vec<String> = (0..random.below(4)).map(|_| text(random)).collect();
            build(
                Thing::text().is_in(words.iter().map(String::as_str)),
                list("text__in", &words),
                move |t| t.text.as_ref().is_some_and(|v| words.contains(v)),
            )
        }
    }
}

/// Generates a pattern lookup, with the LIKE pattern that it stands for.
fn pattern(random: &mut Random, folds: &Rc<Folds>) -> GeneratedFilter {
    let part = word(random);
    let folds = folds.clone();
    let c = random.below(2) == 0;
    macro_rules! on {
        ($method:ident, $name:literal, $value:expr, $pattern:expr, $ignore_case:literal, $not:literal) => {{
            let (value, pattern) = ($value, $pattern);
            let of = move |t: &Thing| {
                if c {
                    Some(t.name.clone())
                } else {
                    t.text.clone()
                }
            };
            let column = if c { "name" } else { "text" };
            let typed = if c {
                Thing::name().$method(&value)
            } else {
                Thing::text().$method(&value)
            };
            build(
                typed,
                one(&format!("{column}__{}", $name), &value),
                move |t| {
                    let fold = if c { &folds.c } else { &folds.default };
                    let fold = $ignore_case.then_some(fold);
                    $not != of(t).is_some_and(|v| plain::like(&v, &pattern, fold))
                },
            )
        }};
    }
    let raw = format!("%{}_%", escaped(&part));
    match random.below(10) {
        0 => on!(like, "like", raw.clone(), raw, false, false),
        1 => on!(ilike, "ilike", raw.clone(), raw, true, false),
        2 => on!(not_like, "notlike", raw.clone(), raw, false, true),
        3 => on!(not_ilike, "notilike", raw.clone(), raw, true, true),
        4 => on!(
            starts_with,
            "startswith",
            part.clone(),
            escaped(&part) + "%",
            false,
            false
        ),
        5 => on!(
            istarts_with,
            "istartswith",
            part.clone(),
            escaped(&part) + "%",
            true,
            false
        ),
        6 => on!(
            ends_with,
            "endswith",
            part.clone(),
            format!("%{}", escaped(&part)),
            false,
            false
        ),
        7 => on!(
            iends_with,
            "iendswith",
            part.clone(),
            format!("%{}", escaped(&part)),
            true,
            false
        ),
        8 => on!(
            contains,
            "contains",
            part.clone(),
            format!("%{}%", escaped(&part)),
            false,
            false
        ),
        _ => on!(
            icontains,
            "icontains",
            part.clone(),
            format!("%{}%", escaped(&part)),
            true,
            false
        ),
    }
}

fn null(random: &mut Random) -> GeneratedFilter {
    let is_null = random.below(2) == 0;
    let text = |column: &str| {
        if is_null {
            one(&format!("{column}__isnull"), "true")
        } else {
            one(&format!("{column}__isnotnull"), "true")
        }
    };
    macro_rules! on {
        ($($column:ident)*) => {
            match random.below([$(stringify!($column)),*].len() as u64) {
                $(n if n == place(stringify!($column)) => build(
                    if is_null {
                        Thing::$column().is_null()
                    } else {
                        Thing::$column().is_not_null()
                    },
                    text(stringify!($column)),
                    move |t| t.$column.is_none() == is_null,
                ),)*
                _ => unreachable!(),
            }
        };
    }
    fn place(column: &str) -> u64 {
        let columns = [
            "text", "small", "flag", "shade", "mood", "tags", "times", "doc", "tiny", "price",
            "key", "day", "wait", "host",
        ];
        columns.iter().position(|known| *known == column).unwrap() as u64
    }
    on!(text small flag shade mood tags times doc tiny price key day wait host)
}

fn array(random: &mut Random) -> GeneratedFilter {
    fn many<T>(random: &mut Random, make: impl Fn(&mut Random) -> T) -> Vec<T> {
        (0..random.below(4)).map(|_| make(random)).collect()
    }
    macro_rules! on {
        ($handle:expr, $key:literal, $draw:expr, $write:expr, $of:expr) => {{
            let (handle, of) = ($handle, $of);
            let items = many(random, $draw);
            let texts: Vec<String> = items.iter().map($write).collect();
            let text = |lookup: &str| list(&format!("{}__{lookup}", $key), &texts);
            let wanted = items.clone();
            match random.below(5) {
                0 => build(
                    handle.array_contains(items),
                    text("arraycontains"),
                    move |t| {
                        of(t).is_some_and(|found| wanted.iter().all(|one| found.contains(one)))
                    },
                ),
                1 => build(
                    handle.array_contained(items),
                    text("arraycontained"),
                    move |t| {
                        of(t).is_some_and(|found| found.iter().all(|one| wanted.contains(one)))
                    },
                ),
                2 => build(
                    handle.array_overlaps(items),
                    text("arrayoverlaps"),
                    move |t| {
                        of(t).is_some_and(|found| found.iter().any(|one| wanted.contains(one)))
                    },
                ),
                3 => build(handle.eq(items), text("eq"), move |t| {
                    of(t).is_some_and(|found| found == wanted)
                }),
                _ => build(handle.ne(items), text("ne"), move |t| {
                    of(t).is_none_or(|found| found != wanted)
                }),
            }
        }};
    }
    match random.below(5) {
        4 => on!(Thing::keys(), "keys", uuid, Uuid::to_string, |t: &Thing| t
            .keys
            .clone()),
        0 => on!(Thing::tags(), "tags", tag, String::clone, |t: &Thing| t
            .tags
            .clone()),
        1 => on!(
            Thing::numbers(),
            "numbers",
            number,
            i64::to_string,
            |t: &Thing| Some(t.numbers.clone())
        ),
        2 => on!(
            Thing::shades(),
            "shades",
            |r: &mut Random| *r.pick(Shade::ALL),
            Shade::to_string,
            |t: &Thing| t.shades.clone()
        ),
        _ => on!(
            Thing::times(),
            "times",
            moment,
            DateTime::to_rfc3339,
            |t: &Thing| t.times.clone()
        ),
    }
}

fn in_json(random: &mut Random, folds: &Rc<Folds>) -> GeneratedFilter {
    let path: Vec<String> = (0..1 + random.below(3))
        .map(|_| match random.below(4) {
            0 => (*random.pick(&["0", "1", "-1", "7"])).to_owned(),
            _ => (*random.pick(&KEYS)).to_owned(),
        })
        .collect();
    let typed = |path: &[String]| {
        let (first, rest) = path.split_first().unwrap();
        rest.iter()
            .fold(Thing::doc().key(first), |at: JsonPath<Thing>, key| {
                at.key(key)
            })
    };
    let names: Vec<String> = path.iter().map(|name| quoted(name)).collect();
    let key = format!("doc.{}", names.join("."));
    let handle = typed(&path);
    let folds = folds.clone();
    let at = move |t: &Thing| {
        t.doc
            .as_ref()
            .and_then(|doc| plain::at(doc, &path))
            .cloned()
    };
    let raw = |lookup: &str, value: &str| {
        (
            format!("{key}__{lookup}={value}"),
            format!("{key}__{lookup}={value}"),
        )
    };
    let is_in = |found: Option<Json>, values: &[Json]| {
        found.is_some_and(|found| values.iter().any(|value| plain::same(&found, value)))
    };
    match random.below(16) {
        // A word without quotes stands for every value that it spells.
        0 | 1 => {
            let text = word_of(&scalar(random));
            let values = plain::spelled(&text);
            let not = random.below(3) == 0;
            let typed = handle.is_in(values.clone());
            build(
                if not { !typed } else { typed },
                raw(if not { "ne" } else { "eq" }, &text),
                move |t| not != is_in(at(t), &values),
            )
        }
        2 => {
            let words: Vec<String> = (0..random.below(3))
                .map(|_| word_of(&scalar(random)))
                .collect();
            let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
            let values: Vec<Json> = words.iter().flat_map(|word| plain::spelled(word)).collect();
            let items = words.join(",");
            build(
                handle.not_in(values.clone()),
                (
                    format!("{key}__notin={items}"),
                    format!("{key}__notin=({items})"),
                ),
                move |t| !is_in(at(t), &values),
            )
        }
        // Values with their types.
        3 | 4 => {
            let values: Vec<Json> = (0..random.below(3)).map(|_| document(random, 2)).collect();
            let items: Vec<String> = values.iter().map(Json::to_string).collect();
            let items = items.join(",");
            let typed = handle.is_in(values.clone());
            build(
                typed,
                (format!("{key}__is={items}"), format!("{key}__is=({items})")),
                move |t| is_in(at(t), &values),
            )
        }
        5 => {
            let value = scalar(random);
            build(
                handle.ne(value.clone()),
                raw("isnot", &value.to_string()),
                move |t| !is_in(at(t), std::slice::from_ref(&value)),
            )
        }
        6..=8 => {
            let value = comparable(random);
            let text = value.to_string();
            let (a, lookup) = (value.clone(), random.below(4));
            let (typed, name) = match lookup {
                0 => (handle.gt(value), "gt"),
                1 => (handle.gte(value), "gte"),
                2 => (handle.lt(value), "lt"),
                _ => (handle.lte(value), "lte"),
            };
            build(typed, raw(name, &text), move |t| {
                let found = at(t).and_then(|found| plain::compared(&found, &a));
                found.is_some_and(|found| match lookup {
                    0 => found.is_gt(),
                    1 => found.is_ge(),
                    2 => found.is_lt(),
                    _ => found.is_le(),
                })
            })
        }
        9 => {
            let (low, high) = match random.below(2) {
                0 => (json!(number(random)), json!(50)),
                _ => (json!("2"), json!(text(random))),
            };
            let items = format!("{},{}", low, written(&high));
            let not = random.below(2) == 0;
            let between = handle.between(low.clone(), high.clone());
            build(
                if not { !between } else { between },
                {
                    let lookup = if not { "notbetween" } else { "between" };
                    (
                        format!("{key}__{lookup}={items}"),
                        format!("{key}__{lookup}=({items})"),
                    )
                },
                move |t| {
                    let found = at(t);
                    let compared = |with: &Json| {
                        found
                            .as_ref()
                            .and_then(|found| plain::compared(found, with))
                    };
                    not != (compared(&low).is_some_and(std::cmp::Ordering::is_ge)
                        && compared(&high).is_some_and(std::cmp::Ordering::is_le))
                },
            )
        }
        10 => build(handle.exists(), raw("exists", "true"), move |t| {
            at(t).is_some()
        }),
        11 => build(handle.is_null(), raw("isnull", "true"), move |t| {
            at(t).is_none_or(|found| found.is_null())
        }),
        12 => {
            let part = word(random);
            let pattern = format!("%{}%", escaped(&part));
            let ignore_case = random.below(2) == 0;
            let (typed, name) = if ignore_case {
                (handle.icontains(&part), "icontains")
            } else {
                (handle.contains(&part), "contains")
            };
            build(typed, raw(name, &quoted(&part)), move |t| match at(t) {
                Some(Json::String(found)) => {
                    plain::like(&found, &pattern, ignore_case.then_some(&folds.default))
                }
                // An element matches as a whole, and only in its own case.
                Some(Json::Array(found)) => {
                    !ignore_case && found.iter().any(|one| one.as_str() == Some(&part))
                }
                _ => false,
            })
        }
        13 => {
            let values: Vec<Json> = (0..random.below(3)).map(|_| document(random, 1)).collect();
            let text = Json::Array(values.clone()).to_string();
            build(
                handle.array_overlaps(values.clone()),
                raw("arrayoverlaps", &text),
                move |t| {
                    let holds = |one: &Json| values.iter().any(|value| plain::same(one, value));
                    matches!(at(t), Some(Json::Array(found)) if found.iter().any(holds))
                },
            )
        }
        _ => {
            let values: Vec<Json> = (0..random.below(3)).map(|_| document(random, 1)).collect();
            let text = Json::Array(values.clone()).to_string();
            let wanted = values.clone();
            let holds =
                |list: &[Json], one: &Json| list.iter().any(|value| plain::same(one, value));
            match random.below(2) {
                0 => build(
                    handle.array_contains(values),
                    raw("arraycontains", &text),
                    move |t| match at(t) {
                        Some(Json::Array(found)) => wanted.iter().all(|one| holds(&found, one)),
                        _ => false,
                    },
                ),
                _ => build(
                    handle.array_contained(values),
                    raw("arraycontained", &text),
                    move |t| match at(t) {
                        Some(Json::Array(found)) => found.iter().all(|one| holds(&wanted, one)),
                        _ => false,
                    },
                ),
            }
        }
    }
}

/// Formats a scalar without quotes.
fn word_of(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Formats a value for a filter: a string in quotes.
fn written(json: &Json) -> String {
    match json {
        Json::String(text) => quoted(text),
        other => other.to_string(),
    }
}

fn comparable(random: &mut Random) -> Json {
    loop {
        let value = scalar(random);
        if value.is_number() || value.is_string() {
            return value;
        }
    }
}

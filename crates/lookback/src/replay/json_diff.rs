//! The difference of two JSON values, place by place.

use std::fmt::{self, Write as _};

use super::alignment::{Aligned, align};
use super::ignore::Ignored;
use super::masked;
use super::{Difference, DifferenceKind};
use crate::value::Json;

/// A place in JSON: `$.items[0].name`.
#[derive(Clone, Debug, Default)]
pub(super) struct JsonPath {
    steps: Vec<PathStep>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PathStep {
    Key(String),
    Index(usize),
    /// An item of an array whose place does not matter.
    AnyIndex,
}

impl JsonPath {
    pub(super) fn within_key<T>(&mut self, key: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        self.within(PathStep::Key(key.to_owned()), work)
    }

    pub(super) fn within_index<T>(&mut self, index: usize, work: impl FnOnce(&mut Self) -> T) -> T {
        self.within(PathStep::Index(index), work)
    }

    fn within_any_index<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        self.within(PathStep::AnyIndex, work)
    }

    fn within<T>(&mut self, step: PathStep, work: impl FnOnce(&mut Self) -> T) -> T {
        self.steps.push(step);
        let done = work(self);
        self.steps.pop();
        done
    }

    pub(super) fn steps(&self) -> &[PathStep] {
        &self.steps
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('$')?;
        for step in &self.steps {
            match step {
                PathStep::Index(index) => write!(f, "[{index}]")?,
                PathStep::AnyIndex => f.write_str("[*]")?,
                PathStep::Key(key) if is_plain(key) => write!(f, ".{key}")?,
                PathStep::Key(key) => write!(f, "[{}]", Json::from(key.as_str()))?,
            }
        }
        Ok(())
    }
}

/// Whether a key needs no quotes in a path.
pub(super) fn is_plain(key: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@');
    !key.is_empty() && key.chars().all(is_plain)
}

/// Adds the differences of two values that are not ignored.
pub(super) fn add_differences(
    captured: &Json,
    replayed: &Json,
    ignored: &Ignored<'_>,
    add: &mut impl FnMut(Difference),
) {
    differ(
        Some(captured),
        Some(replayed),
        &mut JsonPath::default(),
        ignored,
        add,
    );
}

fn differ(
    captured: Option<&Json>,
    replayed: Option<&Json>,
    path: &mut JsonPath,
    ignored: &Ignored<'_>,
    add: &mut impl FnMut(Difference),
) {
    if ignored.body(path.steps()) {
        return;
    }
    let kind = match (captured, replayed) {
        (Some(Json::Object(captured)), Some(Json::Object(replayed))) => {
            for (key, value) in captured {
                path.within_key(key, |path| {
                    differ(Some(value), replayed.get(key), path, ignored, add);
                });
            }
            for (key, value) in replayed {
                if !captured.contains_key(key) {
                    path.within_key(key, |path| differ(None, Some(value), path, ignored, add));
                }
            }
            return;
        }
        (Some(Json::Array(captured)), Some(Json::Array(replayed))) => {
            let aligned = path.within_any_index(|path| {
                align(captured.len(), replayed.len(), |one, other| {
                    is_same_item(&captured[one], &replayed[other], path, ignored)
                })
            });
            for item in aligned {
                let (index, captured, replayed) = match item {
                    Aligned::Both(one, other) => (one, captured.get(one), replayed.get(other)),
                    Aligned::First(one) => (one, captured.get(one), None),
                    Aligned::Second(other) => (other, None, replayed.get(other)),
                };
                path.within_index(index, |path| {
                    differ(captured, replayed, path, ignored, add);
                });
            }
            return;
        }
        (Some(captured), Some(replayed)) if is_same(captured, replayed) => return,
        (Some(_), Some(_)) => DifferenceKind::Changed,
        (Some(_), None) => DifferenceKind::Removed,
        (None, Some(_)) => DifferenceKind::Added,
        (None, None) => return,
    };
    add(Difference {
        place: path.to_string(),
        kind,
        captured: captured.cloned(),
        replayed: replayed.cloned(),
    });
}

/// Whether an item of an array is another one, which may have changed: both have the same id, or, if
/// they have none, do not differ.
fn is_same_item(
    captured: &Json,
    replayed: &Json,
    path: &mut JsonPath,
    ignored: &Ignored<'_>,
) -> bool {
    const IDS: [&str; 4] = ["id", "_id", "uuid", "key"];
    let ids = |name: &str| Some((captured.get(name)?, replayed.get(name)?));
    for name in IDS {
        if let Some((one, other)) = ids(name)
            && is_id(one)
            && !path.within_key(name, |path| ignored.body(path.steps()))
        {
            return is_same(one, other);
        }
    }
    !differs(captured, replayed, path, ignored)
}

fn is_id(value: &Json) -> bool {
    match value {
        Json::Number(_) => true,
        Json::String(text) => !masked::is_masked(text),
        _ => false,
    }
}

/// Whether two values differ, in more than what is ignored.
fn differs(captured: &Json, replayed: &Json, path: &mut JsonPath, ignored: &Ignored<'_>) -> bool {
    if ignored.body(path.steps()) {
        return false;
    }
    match (captured, replayed) {
        (Json::Object(captured), Json::Object(replayed)) => {
            let mut keys = captured.iter().map(|(key, value)| (key, Some(value)));
            let differs_in = |key: &String, value: Option<&Json>, path: &mut JsonPath| {
                path.within_key(key, |path| match (value, replayed.get(key)) {
                    (Some(value), Some(other)) => differs(value, other, path, ignored),
                    _ => !ignored.body(path.steps()),
                })
            };
            let others = replayed.iter().map(|(key, _)| (key, None));
            let mut others = others.filter(|(key, _)| !captured.contains_key(key));
            keys.any(|(key, value)| differs_in(key, value, path))
                || others.any(|(key, value)| differs_in(key, value, path))
        }
        (Json::Array(captured), Json::Array(replayed)) => {
            let mut pairs = captured.iter().zip(replayed);
            captured.len() != replayed.len()
                || path.within_any_index(|path| {
                    pairs.any(|(one, other)| differs(one, other, path, ignored))
                })
        }
        (captured, replayed) => !is_same(captured, replayed),
    }
}

/// Whether two values that are not both objects or both arrays are the same.
fn is_same(captured: &Json, replayed: &Json) -> bool {
    match (captured, replayed) {
        (Json::Number(one), Json::Number(other)) => {
            one == other || canonical(one.as_str()) == canonical(other.as_str())
        }
        (Json::String(captured), Json::String(replayed)) => masked::matches(captured, replayed),
        // A number with the name of a secret is masked, too.
        (Json::String(captured), _) => captured == lookback_json::secrets::MASK,
        (captured, replayed) => captured == replayed,
    }
}

/// Returns sign, digits and exponent of a number. PostgreSQL stores `1e3` as `1000`.
fn canonical(number: &str) -> (bool, String, i64) {
    let (is_negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number),
    };
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let kept = digits.trim_end_matches('0');
    if kept.is_empty() {
        return (false, String::new(), 0);
    }
    let places = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let dropped = places(digits) - places(kept);
    let exponent = exponent.parse::<i64>().unwrap_or(i64::MAX);
    let exponent = exponent
        .saturating_sub(places(fraction))
        .saturating_add(dropped);
    (is_negative, kept.to_owned(), exponent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{add_differences, canonical};
    use crate::json;
    use crate::replay::ignore::Ignored;
    use crate::replay::{Difference, DifferenceKind, IgnoreRule};
    use crate::value::{Json, JsonMap};

    fn differences(captured: &Json, replayed: &Json, rules: &[&str]) -> Vec<Difference> {
        let rules: Vec<IgnoreRule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        let mut all = Vec::new();
        add_differences(
            captured,
            replayed,
            &Ignored::new(&rules),
            &mut |difference| {
                all.push(difference);
            },
        );
        all
    }

    fn shown(captured: &Json, replayed: &Json, rules: &[&str]) -> Vec<String> {
        let all = differences(captured, replayed, rules);
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn differences_have_place_and_kind() {
        let captured = json!({"id": 1, "items": [{"n": 1}, {"n": 2}, 3], "gone": null, "a b": "x"});
        let replayed = json!({"id": 1, "items": [{"n": 1}, {"n": 5}], "new": [], "a b": "y"});
        assert_eq!(
            shown(&captured, &replayed, &[]),
            [
                "$[\"a b\"]: \"x\" → \"y\"",
                "$.gone: null removed",
                "$.items[1].n: 2 → 5",
                "$.items[2]: 3 removed",
                "$.new: [] added",
            ]
        );
    }

    #[test]
    fn ignored_places_do_not_differ() {
        let captured = json!({"at": 1, "items": [{"id": 1, "at": 2}], "deep": {"x": {"at": 3}}});
        let replayed = json!({"at": 9, "items": [{"id": 2, "at": 9}], "deep": {"x": {"at": 9}}});
        for (rules, left) in [
            (&["$.at"][..], 3),
            (&["$..at"], 1),
            (&["$.items[*].at"], 3),
            (&["$.items[0]", "$.deep.*.at"], 1),
            (&["$.items"], 2),
            (&["$"], 0),
            (&["body"], 0),
            (&["$[\"deep\"]['x'].at"], 3),
        ] {
            let all = shown(&captured, &replayed, rules);
            assert_eq!(all.len(), left, "{rules:?}: {all:?}");
        }
    }

    #[test]
    fn item_that_was_inserted_or_removed_is_the_only_difference() {
        let before = json!({"items": [{"n": 1, "at": 1}, {"n": 2, "at": 2}, {"n": 3, "at": 3}]});
        let after = json!({"items": [{"n": 0, "at": 9}, {"n": 1, "at": 9}, {"n": 3, "at": 9}]});
        assert_eq!(
            shown(&before, &after, &["$..at"]),
            [
                r#"$.items[0]: {"at":9,"n":0} added"#,
                r#"$.items[1]: {"at":2,"n":2} removed"#,
            ]
        );
        assert_eq!(
            shown(&json!([1, [2, 3], "x"]), &json!([0, 1, [3], "x"]), &[]),
            ["$[0]: 0 added", "$[1][0]: 2 removed"]
        );
        // By what is printed, it can be ignored.
        let rules = ["$..at", "$.items[0]", "$.items[1]"];
        assert!(shown(&before, &after, &rules).is_empty());
    }

    #[test]
    fn item_with_the_same_id_is_the_same_one() {
        let before = json!([{"id": 7, "n": 1}, {"id": 8, "n": 2}]);
        let after = json!([{"id": 9, "n": 3}, {"id": 7, "n": 4}, {"id": 8, "n": 2}]);
        assert_eq!(
            shown(&before, &after, &[]),
            [r#"$[0]: {"id":9,"n":3} added"#, "$[0].n: 1 → 4"]
        );
        // Ids that differ each time: by place.
        let again = json!([{"id": 17, "n": 1}, {"id": 18, "n": 2}]);
        assert_eq!(
            shown(&before, &again, &[]),
            ["$[0].id: 7 → 17", "$[1].id: 8 → 18"]
        );
        let other = json!([{"id": 20, "n": 0}, {"id": 17, "n": 1}, {"id": 18, "n": 2}]);
        assert_eq!(
            shown(&before, &other, &["$[*].id"]),
            [r#"$[0]: {"id":20,"n":0} added"#]
        );
    }

    #[test]
    fn numbers_are_compared_by_value() {
        let parse = |text: &str| text.parse::<Json>().unwrap();
        for (one, other, is_same) in [
            ("1", "1.0", true),
            ("1e3", "1000", true),
            ("-0", "0.00", true),
            ("0.10", "1e-1", true),
            ("12345678901234567890.5", "12345678901234567890.50", true),
            ("12345678901234567890.5", "12345678901234567890.4", false),
            ("1", "-1", false),
            ("10", "1", false),
        ] {
            let all = differences(&parse(one), &parse(other), &[]);
            assert_eq!(all.is_empty(), is_same, "{one} {other}");
        }
        assert_eq!(canonical("1e99999999999999999999").1, "1");
    }

    #[test]
    fn masked_values_equal_any_value() {
        let captured = json!({"token": "[masked]", "note": "key=[masked] ok"});
        assert!(differences(&captured, &json!({"token": 7, "note": "key=1 ok"}), &[]).is_empty());
        assert_eq!(
            differences(&captured, &json!({"note": "key=1 no"}), &[]).len(),
            2
        );
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            (-9_i64..9).prop_map(Json::from),
            "[a-c ]{0,2}".prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
                prop::collection::vec(("[a-c. ]{0,2}", inner), 0..4)
                    .prop_map(|pairs| Json::Object(pairs.into_iter().collect::<JsonMap>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn value_does_not_differ_from_itself(value in any_json()) {
            prop_assert_eq!(differences(&value, &value, &[]), []);
        }

        #[test]
        fn differences_are_found_in_both_directions_and_by_their_own_rules(
            one in any_json(), other in any_json()
        ) {
            let there = differences(&one, &other, &[]);
            prop_assert_eq!(there.is_empty(), one == other);
            prop_assert_eq!(differences(&other, &one, &[]).is_empty(), one == other);
            for difference in &there {
                prop_assert_eq!(difference.captured.is_none(), difference.kind == DifferenceKind::Added);
                prop_assert_eq!(difference.replayed.is_none(), difference.kind == DifferenceKind::Removed);
            }
            // The place of each difference is a rule that ignores it.
            let places: Vec<&str> = there.iter().map(|difference| &*difference.place).collect();
            prop_assert_eq!(differences(&one, &other, &places), []);
        }
    }
}

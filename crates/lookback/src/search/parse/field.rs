//! A term `field:value` of a search, as a filter.

use chrono::{DateTime, Days, Months, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use crate::filter::{self, Comparison, Node, Pattern, Relation, Test, searchable};
use crate::model::{ColumnDef, ColumnRole, Table};
use crate::value::{ColumnType, Value};

/// Names of the time at which a record was created, in other log stores.
const TIMES: [&str; 5] = ["timestamp", "@timestamp", "time", "date", "ts"];

/// Names of other fields in other log stores, and ours.
const SYNONYMS: [(&str, &str); 4] = [
    ("msg", "message"),
    ("severity", "level"),
    ("lvl", "level"),
    ("status", "status_code"),
];

/// The operators of a comparison, and the lookup of each.
const COMPARISONS: [(&str, &str); 4] = [(">=", "gte"), ("<=", "lte"), (">", "gt"), ("<", "lt")];

/// Splits a leading `field:value`, whose value may be quoted, from the text after
/// it. Returns `None` if it does not look like one: `http://x`, `10:45`, `a::b`.
pub(super) fn split(text: &str) -> Option<(FieldTerm<'_>, &str)> {
    let (name, value) = text.split_once(':')?;
    let is_in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '-');
    let starts = name.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '@'));
    if !starts || !name.chars().all(is_in_name) {
        return None;
    }
    let (quoted, after) = match crate::filter::words::quoted(value) {
        Some((value, after)) => (Some(value), after),
        None => (
            None,
            value
                .find(char::is_whitespace)
                .map_or("", |at| &value[at..]),
        ),
    };
    let value = quoted.unwrap_or(&value[..value.len() - after.len()]);
    // Nothing to compare with, an unclosed quotation mark, a URL or a path in code.
    let is_other = value.is_empty() || value.starts_with(['"', ':']) || value.starts_with("//");
    let term = FieldTerm {
        name,
        value,
        is_quoted: quoted.is_some(),
    };
    (!is_other).then_some((term, after))
}

/// A term that looks like a filter on a field.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldTerm<'a> {
    name: &'a str,
    value: &'a str,
    is_quoted: bool,
}

impl FieldTerm<'_> {
    /// Parses the filter: containment for text and arrays, one of several listed
    /// values, a day or a minute for a time, a comparison after `>` or `<`,
    /// otherwise equality. Returns `None` if the model has no such field, or the
    /// field cannot have such a value.
    pub(super) fn filter(self, table: &'static Table, now: DateTime<Utc>) -> Option<Node> {
        if let Some((name, path)) = self.name.split_once('.') {
            let column = column(table, name)?;
            let key = format!("{}.{path}", table.columns[column].name);
            return self.lookup(table, &key, now);
        }
        let index = column(table, self.name)?;
        let column = &table.columns[index];
        let has_order = !matches!(column.ty, ColumnType::Text | ColumnType::Array(_));
        if has_order && self.comparison().is_some() {
            return self.lookup(table, column.name, now);
        }
        let test = self.test(column)?;
        Some(match test {
            FieldTest::Of(test) => Node::Test {
                column: index,
                test,
            },
            FieldTest::During(start, end) => {
                let bound = |comparison, time| Node::Test {
                    column: index,
                    test: Test::Compare(comparison, Value::Timestamptz(time)),
                };
                Node::All(vec![
                    bound(Comparison::Gte, start),
                    bound(Comparison::Lt, end),
                ])
            }
        })
    }

    /// Splits an operator from the value.
    fn comparison(&self) -> Option<(&'static str, &str)> {
        let mut all = COMPARISONS.iter().filter(|_| !self.is_quoted);
        all.find_map(|(operator, lookup)| Some((*lookup, self.value.strip_prefix(operator)?)))
    }

    /// Parses it as a lookup of a text filter.
    fn lookup(self, table: &'static Table, key: &str, now: DateTime<Utc>) -> Option<Node> {
        match self.comparison() {
            Some((lookup, value)) => {
                filter::parse_lookup(table, &format!("{key}__{lookup}"), value, now)
            }
            None => filter::parse_lookup(table, key, self.value, now),
        }
    }

    fn test(self, column: &ColumnDef) -> Option<FieldTest> {
        let value = self.value;
        let test = match column.ty {
            _ if !column.variants.is_empty() => one_of(column, value)?,
            ColumnType::Text => {
                let value = if self.is_quoted {
                    value
                } else {
                    value.trim_matches('*')
                };
                Test::Like(Pattern::literal(true, value, true, true))
            }
            ColumnType::Array(of) => {
                let element = Value::from_text(*of, value).ok()?;
                Test::Array(Relation::Contains, Value::Array(of, vec![element]))
            }
            ColumnType::Jsonb
            | ColumnType::Bytea
            | ColumnType::Vector(_)
            | ColumnType::HalfVector(_) => return None,
            ColumnType::Timestamptz => {
                if let Some((start, end)) = period(value) {
                    return Some(FieldTest::During(start, end));
                }
                Test::Compare(Comparison::Eq, (column.parse)(value).ok()?)
            }
            _ => Test::Compare(Comparison::Eq, (column.parse)(value).ok()?),
        };
        Some(FieldTest::Of(test))
    }
}

enum FieldTest {
    Of(Test),
    /// From a time to before another.
    During(DateTime<Utc>, DateTime<Utc>),
}

/// Returns the column that a name means: its own, whatever the case; a synonym; or
/// the start of one name only.
fn column(table: &'static Table, name: &str) -> Option<usize> {
    let name = name.to_lowercase();
    if let Ok(index) = searchable(table, &name) {
        return Some(index);
    }
    if TIMES.contains(&name.as_str()) {
        return Some(table.index_of(ColumnRole::CreatedAt));
    }
    let synonym = SYNONYMS.iter().find(|(other, _)| *other == name);
    searchable(table, synonym?.1).ok()
}

/// Parses comma-separated variants of a column, ignoring case.
fn one_of(column: &ColumnDef, values: &str) -> Option<Test> {
    let named = |value: &str| {
        let mut variants = column.variants.iter();
        variants.find(|variant| variant.eq_ignore_ascii_case(value))
    };
    let values: Option<Vec<Value<'static>>> = values
        .split(',')
        .map(|value| (column.parse)(named(value)?).ok())
        .collect();
    let mut values = values?;
    match values.len() {
        1 => values
            .pop()
            .map(|value| Test::Compare(Comparison::Eq, value)),
        _ => Some(Test::In(values)),
    }
}

/// Parses a month, a day, an hour or a minute in UTC: its start and its end.
fn period(text: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let day = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let at = |day: NaiveDate| day.and_hms_opt(0, 0, 0);
    let (start, end): (NaiveDateTime, Option<NaiveDateTime>) = match text.len() {
        7 => {
            let start = at(day(&format!("{text}-01"))?)?;
            (start, start.checked_add_months(Months::new(1)))
        }
        10 => {
            let start = at(day(text)?)?;
            (start, start.checked_add_days(Days::new(1)))
        }
        16 => {
            let text = text.replace('T', " ");
            let start = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M").ok()?;
            (start, start.checked_add_signed(TimeDelta::minutes(1)))
        }
        _ => return None,
    };
    Some((start.and_utc(), end?.and_utc()))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::{period, split};
    use crate::filter::Node;
    use crate::{Filter, Log, Metric, Model, RequestSnapshot};

    fn now() -> DateTime<Utc> {
        "2026-03-15T12:00:00Z".parse().unwrap()
    }

    fn filter<M: Model>(text: &str) -> Option<Node> {
        split(text)?.0.filter(M::TABLE, now())
    }

    fn filters<M: Model>(texts: &[&str]) -> Option<Node> {
        let nodes = texts.iter().map(|text| {
            let filter: Filter<M> = Filter::parse_all_at([*text], now()).unwrap();
            filter.node
        });
        let mut nodes: Vec<Node> = nodes.collect();
        if nodes.len() == 1 {
            nodes.pop()
        } else {
            Some(Node::All(nodes))
        }
    }

    #[test]
    fn field_term_with_operator_compares() {
        assert_eq!(
            filter::<RequestSnapshot>("duration:>10"),
            filters::<RequestSnapshot>(&["duration__gt=10"])
        );
        assert_eq!(
            filter::<RequestSnapshot>("status:>=500"),
            filters::<RequestSnapshot>(&["status_code__gte=500"])
        );
        assert_eq!(
            filter::<Metric>("error_rate:<0.05"),
            filters::<Metric>(&["error_rate__lt=0.05"])
        );
        assert_eq!(
            filter::<Log>("created_at:>-1h"),
            filters::<Log>(&["created_at__gt=-1h"])
        );
        // A text has no order that a person would type, and a number is no time.
        assert!(filter::<Log>("source:>a").is_some());
        assert_eq!(filter::<RequestSnapshot>("duration:>ten"), None);
    }

    #[test]
    fn field_term_on_a_time_is_a_period() {
        for (term, start, end) in [
            ("timestamp:2026-03-01", "2026-03-01", "2026-03-02"),
            ("@timestamp:2026-03", "2026-03-01", "2026-04-01"),
            ("created_at:2026-12-31", "2026-12-31", "2027-01-01"),
            (
                "time:2026-03-01T10:59",
                "2026-03-01T10:59:00Z",
                "2026-03-01T11:00:00Z",
            ),
        ] {
            let expected = [
                format!("created_at__gte={start}"),
                format!("created_at__lt={end}"),
            ];
            let expected = filters::<Log>(&[&expected[0], &expected[1]]);
            assert_eq!(filter::<Log>(term), expected, "{term}");
        }
        // A column of that name comes before the synonym.
        assert_eq!(
            filter::<RequestSnapshot>("timestamp:2026-03-01"),
            filters::<RequestSnapshot>(&["timestamp__gte=2026-03-01", "timestamp__lt=2026-03-02"])
        );
        assert_eq!(period("2026-13-01"), None);
    }

    #[test]
    fn field_term_ignores_case_of_names_and_reads_json_paths() {
        assert_eq!(
            filter::<Log>("Level:ERROR"),
            filters::<Log>(&["level=error"])
        );
        assert_eq!(
            filter::<Log>("severity:warn"),
            filters::<Log>(&["level=warn"])
        );
        assert_eq!(
            filter::<Log>("meta.user:42"),
            filters::<Log>(&["meta.user=42"])
        );
        assert_eq!(
            filter::<Log>("meta.took:>=1.5"),
            filters::<Log>(&["meta.took__gte=1.5"])
        );
        assert_eq!(
            filter::<Log>("source:pay*"),
            filters::<Log>(&["source__icontains=pay"])
        );
    }

    #[test]
    fn text_without_a_field_is_no_field_term() {
        for text in [
            "http://x",
            "10:45:01",
            "a::b",
            "level:",
            ":x",
            "C:\\x",
            "level:\"x",
            "a b:c",
        ] {
            assert!(filter::<Log>(text).is_none(), "{text}");
        }
        for text in ["http://x", "10:45", "a::b", "level:"] {
            assert!(split(text).is_none(), "{text}");
        }
        assert!(split("error:refused x").is_some());
        assert_eq!(filter::<Log>("error:refused"), None);
    }
}

//! Filters, order and pages, against a plain evaluation in Rust.

use std::cmp::Ordering;

use lookback::{Filter, GeoSource, Level, Log, NewLog, NewRequestSnapshot, RequestSnapshot, Total};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

use crate::time;

/// A test of one record: the filter as typed, as text, and in plain Rust.
struct Case {
    typed: Filter<RequestSnapshot>,
    text: String,
    plain: Box<dyn Fn(&RequestSnapshot) -> bool>,
}

const WORDS: [&str; 6] = ["alpha", "Beta", "gam%ma", "del_ta", "ALPHA", "ünï\\"];

fn case() -> impl Strategy<Value = (u8, u8, i32, usize)> {
    (0..10_u8, 0..4_u8, 195..206_i32, 0..WORDS.len())
}

/// The case that these numbers stand for.
fn case_of((lookup, column, number, word): (u8, u8, i32, usize)) -> Case {
    let word = WORDS[word];
    let names = ["eq", "ne", "gt", "gte", "lt", "lte"];
    let ordering = |lookup: u8| {
        move |found: Ordering| match lookup {
            0 => found.is_eq(),
            1 => found.is_ne(),
            2 => found.is_gt(),
            3 => found.is_ge(),
            4 => found.is_lt(),
            _ => found.is_le(),
        }
    };
    macro_rules! comparison {
        ($column:expr, $value:expr) => {
            match lookup {
                0 => $column.eq($value),
                1 => $column.ne($value),
                2 => $column.gt($value),
                3 => $column.gte($value),
                4 => $column.lt($value),
                _ => $column.lte($value),
            }
        };
    }
    match (lookup, column) {
        // A number that may be null.
        (0..=5, 0) => Case {
            typed: comparison!(RequestSnapshot::status_code(), number),
            text: format!("status_code__{}={number}", names[lookup as usize]),
            plain: Box::new(move |r| match r.status_code {
                Some(found) => ordering(lookup)(found.cmp(&number)),
                None => lookup == 1,
            }),
        },
        // A time.
        (0..=5, 1) => {
            let at = time("2026-01-01T00:00:00Z") + chrono::TimeDelta::seconds(i64::from(number));
            let zoned = at.with_timezone(&chrono::FixedOffset::east_opt(5_400).unwrap());
            Case {
                typed: comparison!(RequestSnapshot::timestamp(), at),
                text: format!(
                    "timestamp__{}={}",
                    names[lookup as usize],
                    zoned.to_rfc3339()
                ),
                plain: Box::new(move |r| ordering(lookup)(r.timestamp.cmp(&at))),
            }
        }
        // Text, equal or not: its order is the database's.
        (0..=1, _) => Case {
            typed: comparison!(RequestSnapshot::path(), word),
            text: format!("path__{}={word}", names[lookup as usize]),
            plain: Box::new(move |r| (r.path == word) == (lookup == 0)),
        },
        (2..=3, _) => Case {
            typed: RequestSnapshot::status_code().is_in([number, 200]),
            text: format!("status_code__in={number},200"),
            plain: Box::new(move |r| r.status_code.is_some_and(|s| s == number || s == 200)),
        },
        (4..=5, _) => Case {
            typed: RequestSnapshot::geo_source().is_in(["ip", "none"]),
            text: "geo_source__in=ip,none".to_owned(),
            plain: Box::new(|r| matches!(r.geo_source, Some(GeoSource::Ip | GeoSource::None))),
        },
        (6, _) => Case {
            typed: RequestSnapshot::user_id().is_null(),
            text: "user_id__isnull=true".to_owned(),
            plain: Box::new(|r| r.user_id.is_none()),
        },
        (7, _) => Case {
            typed: RequestSnapshot::user_id().is_not_null(),
            text: "user_id__isnull=false".to_owned(),
            plain: Box::new(|r| r.user_id.is_some()),
        },
        // Part of a word, with what means something in a pattern escaped.
        (lookup, _) => {
            let part: String = word.chars().skip(1).collect();
            let escaped = part
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_");
            let pattern = format!("_{escaped}%");
            let ignore_case = lookup == 9;
            let fold = move |text: &str| match ignore_case {
                true => text.to_lowercase(),
                false => text.to_owned(),
            };
            let (typed, name) = match ignore_case {
                true => (RequestSnapshot::user_id().ilike(&pattern), "ilike"),
                false => (RequestSnapshot::user_id().like(&pattern), "like"),
            };
            Case {
                typed,
                text: format!("user_id__{name}={pattern}"),
                plain: Box::new(move |r| {
                    r.user_id.as_deref().is_some_and(|user| {
                        let rest: String = user.chars().skip(1).collect();
                        fold(&rest).starts_with(&fold(&part))
                    })
                }),
            }
        }
    }
}

fn row() -> impl Strategy<Value = NewRequestSnapshot> {
    (
        0..WORDS.len(),
        proptest::option::of(0..WORDS.len()),
        proptest::option::of(196..205_i32),
        proptest::option::of(0..GeoSource::ALL.len()),
        196..205_i64,
    )
        .prop_map(|(path, user, status, geo, second)| {
            let at = time("2026-01-01T00:00:00Z") + chrono::TimeDelta::seconds(second);
            let mut new = NewRequestSnapshot::new("GET", WORDS[path], at, "1", "test");
            new.user_id = user.map(|user| WORDS[user].to_owned());
            new.status_code = status;
            new.geo_source = geo.map(|geo| GeoSource::ALL[geo]);
            new
        })
}

/// Filters of up to three tests joined by `&`, `|` and `!`, and an order and a
/// page, answered as a plain evaluation over the same rows answers them.
#[tokio::test]
async fn answers_are_those_of_a_plain_evaluation() {
    let db = testkit::database().await;
    let mut runner = TestRunner::new(Config::default());
    let rows = proptest::collection::vec(row(), 120)
        .new_tree(&mut runner)
        .unwrap()
        .current();
    RequestSnapshot::records()
        .create_many(&db.pool, &rows)
        .await
        .unwrap();
    let mut all = RequestSnapshot::records()
        .limit(1_000)
        .list(&db.pool)
        .await
        .unwrap()
        .data;
    all.sort_by_key(|r| r.id);
    assert_eq!(all.len(), 120);

    let cases = (
        proptest::collection::vec((case(), any::<bool>(), any::<bool>()), 1..4),
        (0..4_u8, any::<bool>(), 0..40_u32, 0..60_u64),
    );
    for _ in 0..Config::default().cases {
        let (tests, (order, descending, limit, offset)) =
            cases.new_tree(&mut runner).unwrap().current();
        let mut typed = Filter::all();
        let mut plain: Box<dyn Fn(&RequestSnapshot) -> bool> = Box::new(|_| true);
        for (numbers, not, or) in tests {
            let Case {
                typed: filter,
                text,
                plain: test,
            } = case_of(numbers);
            assert_eq!(Filter::parse(&text).unwrap(), filter, "{text}");
            let filter = if not { !filter } else { filter };
            let before = plain;
            if or {
                typed = typed | filter;
                plain = Box::new(move |r| before(r) || (test(r) != not));
            } else {
                typed = typed & filter;
                plain = Box::new(move |r| before(r) && (test(r) != not));
            }
        }
        let mut expected: Vec<&RequestSnapshot> = all.iter().filter(|r| plain(r)).collect();
        let total = expected.len() as u64;
        let nulls_last = |found: Option<Ordering>, a: bool, b: bool| {
            let found = found.unwrap_or_else(|| a.cmp(&b));
            if descending && !a && !b {
                found.reverse()
            } else {
                found
            }
        };
        expected.sort_by(|a, b| {
            let by_column = match order {
                0 => Ordering::Equal,
                1 => nulls_last(
                    a.status_code.zip(b.status_code).map(|(a, b)| a.cmp(&b)),
                    a.status_code.is_none(),
                    b.status_code.is_none(),
                ),
                _ => nulls_last(Some(a.timestamp.cmp(&b.timestamp)), false, false),
            };
            by_column.then(b.id.cmp(&a.id))
        });
        let ids: Vec<i64> = expected
            .iter()
            .skip(usize::try_from(offset).unwrap())
            .take(limit as usize)
            .map(|r| r.id)
            .collect();

        let mut query = RequestSnapshot::records()
            .filter(typed.clone())
            .limit(limit)
            .offset(offset);
        let prefix = if descending { "-" } else { "" };
        query = match order {
            0 => query,
            1 => query
                .order_by_text(&format!("{prefix}status_code"))
                .unwrap(),
            _ => query.order_by_text(&format!("{prefix}timestamp")).unwrap(),
        };
        let page = query.list(&db.pool).await.unwrap();
        let found: Vec<i64> = page.data.iter().map(|r| r.id).collect();
        assert_eq!(found, ids, "{typed:?}");
        assert_eq!(page.total, Total::Exact(total), "{typed:?}");
    }
}

#[tokio::test]
async fn values_arrive_as_values() {
    let db = testkit::database().await;
    let nasty = [
        "'; DROP TABLE logs; --",
        "\" OR 1=1 --",
        "$1",
        "\\'; SELECT pg_sleep(10); --",
        "') OR ('1'='1",
        "%",
        "_",
        "\\\\",
        "{}",
        "NULL",
        "\u{202e}abc",
        "a\u{fffd}b",
        "‘’“”",
        "\r\n\t|",
    ];
    let logs: Vec<NewLog> = nasty
        .map(|text| NewLog::new(text, Level::Info, text))
        .into();
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    for text in nasty {
        let typed = Log::records()
            .filter(Log::source().eq(text))
            .list(&db.pool)
            .await
            .unwrap();
        assert_eq!(typed.data.len(), 1, "{text}");
        assert_eq!(typed.data[0].message, text);
        let parsed = Filter::parse(&format!("message__eq={text}")).unwrap();
        let parsed = Log::records().filter(parsed).list(&db.pool).await.unwrap();
        assert_eq!(parsed.data, typed.data);
        Log::records().search(text).list(&db.pool).await.unwrap();
        assert!(Log::records().order_by_text(text).is_err());
        assert!(Filter::<Log>::parse(&format!("{text}=1")).is_err());
        assert!(Filter::<Log>::parse(&format!("id__eq={text}")).is_err());
    }
    assert_eq!(
        Log::records().count(&db.pool).await.unwrap(),
        Total::Exact(nasty.len() as u64)
    );
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let db = testkit::database().await;
    let refused = async |query: lookback::QueryBuilder<Log>| {
        let error = query.list(&db.pool).await.unwrap_err();
        assert!(error.is_invalid());
        error.to_string()
    };
    let said = [
        refused(Log::records().limit(10_001)).await,
        refused(Log::records().offset(u64::MAX)).await,
        refused(Log::records().filter(Log::level().eq("verbose"))).await,
        refused(Log::records().filter(!Log::message().like("x\\"))).await,
        refused(Log::records().search("a").similar_to(1)).await,
        refused(Log::records().search("a").order_by(Log::id().asc())).await,
        refused(Log::records().filter(Log::id().is_in(0..40_000))).await,
    ]
    .join("\n");
    insta::assert_snapshot!(said, @r"
limit: 10001 is more than 10000; read page by page
offset: is beyond the last record of any table
level: `verbose` is not one of debug, info, warn, error
message: the pattern ends in \, which takes the character after it; write \\ for one \
similar_to: does not go with a search; leave one of them out
order_by: does not go with a search, whose order is the best hit first
id: `in` takes at most 32000 values, not 40000
");
}

#[tokio::test]
async fn pages_come_together_to_the_whole() {
    let db = testkit::database().await;
    let logs: Vec<NewLog> = (0..95)
        .map(|n| NewLog::new("API", Level::Info, format!("line {}", n % 7)))
        .collect();
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    for query in [
        Log::records(),
        Log::records().order_by(Log::message().desc()),
        Log::records().search("line"),
    ] {
        let whole = query.clone().limit(200).list(&db.pool).await.unwrap();
        assert_eq!(whole.data.len(), 95);
        let mut together = Vec::new();
        for page in 0..10 {
            let page = query
                .clone()
                .limit(10)
                .offset(page * 10)
                .list(&db.pool)
                .await
                .unwrap();
            assert_eq!(page.total, Total::Exact(95));
            together.extend(page.data);
        }
        assert_eq!(together, whole.data);
        let beyond = query.offset(95).list(&db.pool).await.unwrap();
        assert!(beyond.data.is_empty());
        assert_eq!(beyond.total, Total::Exact(95));
    }
}

#[tokio::test]
async fn levels_are_ordered_by_how_much_they_matter() {
    let db = testkit::database().await;
    let logs: Vec<NewLog> = [Level::Warn, Level::Error, Level::Debug, Level::Info]
        .map(|level| NewLog::new("API", level, "m"))
        .into();
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    let levels = async |query: lookback::QueryBuilder<Log>| {
        let page = query.list(&db.pool).await.unwrap();
        page.data.iter().map(|log| log.level).collect::<Vec<_>>()
    };
    let by_level = Log::records().order_by(Log::level().asc());
    assert_eq!(levels(by_level.clone()).await, Level::ALL);
    for (text, from) in [
        ("level__gte=warn", 2),
        ("level__gt=debug", 1),
        ("level__gt=error", 4),
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(
            levels(by_level.clone().filter(filter)).await,
            Level::ALL[from..],
            "{text}"
        );
    }
    let filter = Log::level().lt(Level::Warn) & !Log::level().lte("debug");
    assert_eq!(levels(by_level.filter(filter)).await, [Level::Info]);
}

#[tokio::test]
async fn a_time_that_cannot_be_read_is_an_error_and_no_panic() {
    let db = testkit::database().await;
    sqlx::query("INSERT INTO logs (source, level, message, created_at) VALUES ('s', 'info', 'm', 'infinity')")
        .execute(&db.pool)
        .await
        .unwrap();
    let error = Log::records().list(&db.pool).await.unwrap_err();
    let mut message = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        message.push_str(&error.to_string());
        cause = error.source();
    }
    assert!(
        message.contains("created_at") && message.contains("infinity"),
        "{message}"
    );
}

#[test]
fn what_a_filter_shows_of_itself_hides_what_is_hidden() {
    let filter = lookback::User::password_hash().eq("$argon2id$secret")
        & lookback::User::email().ne("ada@example.com");
    let query = lookback::User::records().filter(filter.clone());
    for shown in [format!("{filter:?}"), format!("{query:?}")] {
        assert!(
            shown.contains("ada@example.com") && shown.contains("<hidden>"),
            "{shown}"
        );
        assert!(!shown.contains("argon2id"), "{shown}");
    }
}

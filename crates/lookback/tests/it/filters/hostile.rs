//! Hostile texts stay values, wherever they are given.

use lookback::json;
use lookback::query::{TextMeasures, Total, UniqueKey, count};
use lookback::{Filter, Level, Log, Metric, NewLog};

use super::spelling::{alone, escaped, percent_encoded, quoted};

/// Texts that break out of a string, a pattern, a name, a number, a list, a group,
/// JSON, a path of JSON, or the encoding.
const HOSTILE: [&str; 40] = [
    "'; DROP TABLE logs; --",
    "\" OR 1=1 --",
    "\"; DROP TABLE logs; --",
    "1; DROP TABLE logs",
    "1 OR 1=1",
    "$1",
    "$$; DROP TABLE logs; $$",
    "$tag$x$tag$",
    "\\'; SELECT pg_sleep(10); --",
    "E'\\x27'",
    "') OR ('1'='1",
    "') UNION SELECT email, password_hash FROM users --",
    "/* */ OR true",
    "-- ",
    "%",
    "_",
    "%%%_",
    "\\\\",
    "\\\\\\%",
    "{}",
    "{a,b}",
    "{\"a\":\"',\"}",
    "[1,2",
    "$.a ? (@ > 1)",
    "a.b",
    "\"a\".\"b\"",
    "a\"b",
    "a]b",
    "NULL",
    "null",
    "true",
    "42",
    "or(id=1)",
    "a,b)(",
    "a=b&c=d",
    "\u{202e}abc",
    "a\u{fffd}b",
    "ʼ‘’“”",
    "\r\n\t|",
    "𐐀\u{feff}",
];

#[tokio::test]
async fn hostile_filter_values_match_only_themselves() {
    let db = testkit::database().await;
    let logs: Vec<NewLog> = HOSTILE
        .map(|text| {
            let meta = json!({
                text: "key", "value": text, "list": [text, "x"], "deep": {text: {"in": text}},
            });
            NewLog::new(text, Level::Info, format!("<{text}>")).meta(meta)
        })
        .into();
    Log::records().create_many(&db.pool, &logs).await.unwrap();

    for text in HOSTILE {
        let (quote, escape) = (quoted(text), escaped(text));
        let json = json!(text).to_string();
        let found_by = [
            format!("source={}", alone(text)),
            format!("source={quote}"),
            format!("source__in={quote}"),
            format!("source__between={quote},{quote}"),
            format!("source__like={}", alone(&escape)),
            format!("message__like=<{escape}>"),
            format!("message__startswith=<{text}>"),
            format!("message__endswith=<{text}>"),
            format!("message__contains=<{text}>"),
            format!("message__icontains=<{text}>"),
            format!("or(source={quote},id__in=())"),
            format!("and(not(source__ne={quote}),source__in=({quote}))"),
            format!("meta.{quote}=key"),
            format!("meta.{quote}__exists=true"),
            format!("or(meta.{quote}__exists=true,meta.{quote}__gt=~)"),
            format!("meta.deep.{quote}.in__is={json}"),
            format!("meta.value={quote}"),
            format!("meta.value__is={json}"),
            format!("meta.value__in={quote}"),
            format!("meta.value__between={quote},{quote}"),
            format!("meta.value__contains={quote}"),
            format!("and(meta.value__startswith={quote},meta.value__endswith={quote})"),
            format!("meta.list__contains={quote}"),
            format!("meta.list__arraycontains={quote}"),
            format!("meta.list__arraycontains=[{json}]"),
            format!("meta.list__arraycontained={quote},x"),
            format!("and(meta.list__arrayoverlaps=({quote},y))"),
        ];
        for filter in &found_by {
            let read = Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
            let url = Filter::from_query(&percent_encoded(filter)).unwrap();
            assert_eq!(url, read, "{filter}");
            let page = Log::records().filter(read).limit(100).list(&db.pool).await;
            let page = page.unwrap_or_else(|error| panic!("{filter}: {error:?}"));
            let sources: Vec<&str> = page.data.iter().map(|log| log.source.as_str()).collect();
            // A text that is a part of another one finds that one, too.
            let exact = !filter.contains("contains=<")
                && !filter.contains("value__contains")
                && !filter.contains("value__startswith");
            if exact {
                assert_eq!(sources, [text], "{filter}");
            } else {
                assert!(sources.contains(&text), "{filter}: {sources:?}");
            }
        }
        let typed = [
            Log::source().eq(text),
            Log::message().contains(&format!("<{text}>")),
            Log::meta().key(text).eq("key"),
            Log::meta().key("deep").key(text).key("in").is_in([text]),
            Log::meta().key("list").array_contains([text]),
            Log::meta().key("list").contains(text),
        ];
        for filter in typed {
            let shown = format!("{filter:?}");
            let page = Log::records().filter(filter).list(&db.pool).await.unwrap();
            assert_eq!(page.data.len(), 1, "{shown}");
            assert_eq!(page.data[0].source, text, "{shown}");
        }
    }
    untouched(&db).await;
}

/// In place of a name, a lookup, a number, a time or a group, a text is refused, or is a
/// value that finds nothing. It never causes an error of the database.
#[tokio::test]
async fn hostile_text_outside_of_values_is_refused() {
    let db = testkit::database().await;
    let logs: Vec<NewLog> = HOSTILE
        .map(|text| NewLog::new(text, Level::Info, "m"))
        .into();
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    for text in HOSTILE {
        let quote = quoted(text);
        for filter in [
            format!("{text}=1"),
            format!("{quote}=1"),
            format!("{text}__eq=1"),
            format!("source__{text}=1"),
            format!("meta.a__{text}=1"),
            format!("source.{quote}=1"),
            format!("created_at__gte={text}"),
            format!("level={text}"),
            format!("level__in={quote},error"),
            format!("trace_id__isnull={text}x"),
            format!("meta.a__exists={text}x"),
            format!("or(level=error){text}"),
            format!("or(level=error,{text})"),
            format!("{text}(level=error)"),
            format!("not({text}=1)"),
        ] {
            // `or(id=1)` is a valid filter of its own; a `%` is a byte in a URL.
            if let Ok(read) = Filter::<Log>::parse(&filter) {
                assert!(
                    text.starts_with("or(") || filter == "source__--=1",
                    "{filter}"
                );
                Log::records().filter(read).list(&db.pool).await.unwrap();
            }
        }
        if text != "42" {
            assert!(Filter::<Log>::parse(&format!("id={text}")).is_err());
            assert!(Filter::<Log>::parse(&format!("id__in=1,{quote}")).is_err());
        }
        assert!(Log::records().order_by_text(text).is_err());
        assert!(Log::records().order_by_text(&format!("-{text}")).is_err());
        // The database accepts every filter that can be parsed.
        for filter in [
            format!("meta.{text}=1"),
            format!("meta.a={text}"),
            format!("meta.a__gt={text}"),
            format!("meta.a__in={text}"),
            format!("meta.a__is={text}"),
            format!("meta.a__like={text}"),
            format!("meta.a__arraycontains={text}"),
            format!("meta={text}"),
            format!("source__in={text}"),
            format!("source__like={text}"),
            format!("or(source={text})"),
            format!("or(meta.a__is=({text}))"),
        ] {
            if let Ok(read) = Filter::<Log>::parse(&filter) {
                let page = Log::records().filter(read).list(&db.pool).await;
                page.unwrap_or_else(|error| panic!("{filter}: {error:?}"));
            }
        }
        Log::records().search(text).list(&db.pool).await.unwrap();
    }
    untouched(&db).await;
}

/// Fields, time buckets, zones, measures, keys and cursors are read from text, too. None of
/// these texts is one, and every zone is a value.
#[tokio::test]
async fn hostile_text_as_field_measure_or_cursor_is_refused() {
    let db = testkit::database().await;
    let logs: Vec<NewLog> = HOSTILE
        .map(|text| NewLog::new(text, Level::Info, "m"))
        .into();
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    for text in HOSTILE {
        let refused = |error: lookback::Error| {
            assert!(error.is_invalid(), "{text}: {error:?}");
        };
        let logs = Log::records;
        refused(logs().select_text(&[text]).unwrap_err());
        refused(logs().select_text(&["id", text]).unwrap_err());
        refused(UniqueKey::<Metric>::named(text).unwrap_err());
        for key in [
            text.to_owned(),
            format!("{text}__day"),
            format!("source__{text}"),
            format!("created_at__{text}"),
            format!("created_at__1{text}"),
            format!("created_at__day{text}"),
            format!("created_at__day@{text}"),
            format!("created_at__day@Europe/Berlin{text}"),
        ] {
            // The database decides whether a text is a time zone.
            match logs().group_by_text(&[&key]) {
                Err(error) => refused(error),
                Ok(grouped) => match grouped.aggregate(&db.pool, count()).await {
                    Err(error) => refused(error),
                    Ok(groups) => assert_eq!(groups.len(), 1, "{key}"),
                },
            }
        }
        for measure in [
            text.to_owned(),
            format!("{text}__max"),
            format!("id__{text}"),
            format!("id__p{text}"),
            format!("id__p95{text}"),
            format!("count{text}"),
        ] {
            match TextMeasures::parse::<Log>(&[&measure]) {
                Err(error) => refused(error),
                Ok(measures) => {
                    assert_eq!(measure, "id__p42");
                    logs().aggregate(&db.pool, measures).await.unwrap();
                }
            }
        }
        refused(logs().after(text).list(&db.pool).await.unwrap_err());
        refused(logs().before(text).list(&db.pool).await.unwrap_err());
    }
    untouched(&db).await;
}

/// A document of a path with this many keys would overflow the stack.
#[tokio::test]
async fn json_path_over_100_keys_is_refused() {
    let db = testkit::database().await;
    let text = vec!["a"; 400_000].join(".");
    for filter in [
        format!("meta.{text}=1"),
        format!("meta.{text}__is=[1]"),
        format!("or(meta.{text}__contains=a)"),
    ] {
        assert!(Filter::<Log>::parse(&filter).unwrap_err().is_invalid());
    }
    let at = (0..400_000).fold(Log::meta().key("a"), |at, _| at.key("a"));
    let query = Log::records().filter(at.eq(1));
    let error = query.list(&db.pool).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "meta: a path into JSON must have at most 100 keys, got 400001"
    );
    // The longest path is accepted.
    let at = (1..100).fold(Log::meta().key("a"), |at, _| at.key("a"));
    let deep = (0..100).fold(json!(1), |inner, _| json!({"a": inner}));
    let log = NewLog::new("deep", Level::Info, "m").meta(deep);
    Log::records().create(&db.pool, log).await.unwrap();
    let found = Log::records().filter(at.eq(1)).count(&db.pool).await;
    assert_eq!(found.unwrap(), Total::Exact(1));
}

async fn untouched(db: &testkit::Database) {
    assert_eq!(
        Log::records().count(&db.pool).await.unwrap(),
        Total::Exact(HOSTILE.len() as u64)
    );
    lookback::User::records().count(&db.pool).await.unwrap();
}

//! Words in other forms of the same letters: case, accents, scripts and ids.

use chrono::{DateTime, Utc};
use lookback::maintenance::sealing::Sealer;
use lookback::search::{MatchKind, Note};
use lookback::{Level, Log, Model as _, NewLog, NewRequestSnapshot, RequestSnapshot};
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::sealing::seal_all;

async fn store(conn: &mut PgConnection, messages: &[&str]) {
    let logs: Vec<NewLog> = messages
        .iter()
        .map(|message| NewLog::new("API", Level::Info, *message))
        .collect();
    Log::records().create_many(conn, &logs).await.unwrap();
}

/// Returns the messages that a search finds, the best first.
async fn found(conn: &mut PgConnection, search: &str) -> Vec<String> {
    let page = Log::records().search(search).list(conn).await.unwrap();
    page.data.into_iter().map(|log| log.message).collect()
}

const LETTERS: [&str; 10] = [
    "résumé uploaded",
    "resume uploaded",
    "re\u{301}sume\u{301} by Zoe\u{308}",
    "Œuvre complète",
    "ΟΔΟΣ ΚΛΕΙΣΤΗ",
    "οδός κλειστή",
    "İSTANBUL reached",
    "Straße gesperrt",
    "ÅNGSTRÖM measured",
    "ID CLOSED",
];

/// The exact form comes first, and other forms are found.
async fn check_letters(conn: &mut PgConnection) {
    for (search, first, others) in [
        (
            "résumé",
            "résumé uploaded",
            vec!["resume uploaded", "re\u{301}sume\u{301} by Zoe\u{308}"],
        ),
        (
            "resume",
            "resume uploaded",
            vec!["résumé uploaded", "re\u{301}sume\u{301} by Zoe\u{308}"],
        ),
        ("Zoë", "re\u{301}sume\u{301} by Zoe\u{308}", vec![]),
        ("oeuvre complete", "Œuvre complète", vec![]),
        ("ŒUVRE", "Œuvre complète", vec![]),
        ("οδοσ", "ΟΔΟΣ ΚΛΕΙΣΤΗ", vec!["οδός κλειστή"]),
        ("ΟΔΟΣ", "ΟΔΟΣ ΚΛΕΙΣΤΗ", vec![]),
        ("οδός", "οδός κλειστή", vec![]),
        ("İSTANBUL", "İSTANBUL reached", vec![]),
        ("istanbul", "İSTANBUL reached", vec![]),
        ("strasse", "Straße gesperrt", vec![]),
        ("ångström", "ÅNGSTRÖM measured", vec![]),
        ("angstrom", "ÅNGSTRÖM measured", vec![]),
        ("closed id", "ID CLOSED", vec![]),
    ] {
        let hits = found(conn, search).await;
        assert_eq!(
            hits.first().map(String::as_str),
            Some(first),
            "{search}: {hits:?}"
        );
        for other in others {
            assert!(hits.iter().any(|hit| hit == other), "{search}: {hits:?}");
        }
    }
    for phrase in [
        "\"İSTANBUL\"",
        "\"ÅNGSTRÖM m\"",
        "\"ångström\"",
        "\"ΟΔΟΣ\"",
        "\"Œuvre\"",
        "\"Zoë\"",
        "\"id closed\"",
        "\"ID CLOSED\"",
    ] {
        assert_eq!(found(conn, phrase).await.len(), 1, "{phrase}");
    }
    for words in [
        "İSTANBUL",
        "istanbul",
        "id closed",
        "ID CLOSED",
        "\"id closed\"",
    ] {
        let matching = Log::records().matching(words).list(&mut *conn).await;
        assert_eq!(matching.unwrap().data.len(), 1, "{words}");
    }
    for without in ["measured -ångström", "closed -id", "CLOSED -ID"] {
        assert_eq!(found(conn, without).await.len(), 0, "{without}");
    }
    for pattern in ["id closed", "ID CLOSED", "İstanbul%"] {
        let like = Log::records().filter(Log::message().ilike(pattern));
        let like = like.list(&mut *conn).await;
        assert_eq!(like.unwrap().data.len(), 1, "{pattern}");
    }
}

#[tokio::test]
async fn search_finds_other_case_accents_and_ligatures() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    store(&mut conn, &LETTERS).await;
    check_letters(&mut conn).await;
    // Again from the summaries.
    seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 5).unwrap()).await;
    conn.execute("SET lookback.scan_cost = '-1'").await.unwrap();
    check_letters(&mut conn).await;
}

/// Locales differ in what a lower case is.
#[tokio::test]
async fn search_in_columns_of_other_collations_finds_the_same() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    // Every server has the first; the others depend on how it was built.
    let collations: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT collname::text FROM pg_collation WHERE collencoding IN (-1, 6) \
         AND collname IN ('C', 'POSIX', 'pg_c_utf8', 'ucs_basic', 'tr-TR-x-icu', 'tr_TR.utf8', 'en-US-x-icu')",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    assert!(collations.contains(&"C".to_owned()));
    for collation in collations {
        let sql = format!(
            "TRUNCATE logs; ALTER TABLE logs ALTER message TYPE text COLLATE \"{collation}\", \
             ALTER source TYPE text COLLATE \"{collation}\", ALTER level TYPE text COLLATE \"{collation}\""
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut *conn)
            .await
            .unwrap();
        // Those of the columns as they were.
        conn.clear_cached_statements().await.unwrap();
        store(&mut conn, &LETTERS).await;
        check_letters(&mut conn).await;
    }
}

/// In a database of Turkish the lower case of `I` is `ı`. The PostgreSQL of the tests has no
/// such locale, so a function stands in for its `lower`.
#[tokio::test]
async fn search_in_database_of_turkish_finds_the_same() {
    let db = testkit::database().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "CREATE SCHEMA turkish; \
         CREATE FUNCTION turkish.lower(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS \
           $$ SELECT pg_catalog.lower(translate($1, 'Iİ', 'ıi')) $$; \
         ALTER DATABASE \"{}\" SET search_path = turkish, pg_catalog, public",
        db.name()
    )))
    .execute(&db.pool)
    .await
    .unwrap();
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let lower: String = sqlx::query_scalar("SELECT lower('LOGIN')")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(lower, "logın");
    store(&mut conn, &LETTERS).await;
    check_letters(&mut conn).await;
    seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 5).unwrap()).await;
    conn.execute("SET lookback.scan_cost = '-1'").await.unwrap();
    check_letters(&mut conn).await;
}

/// Words of scripts that are written without spaces are parts of a run.
#[tokio::test]
async fn search_finds_words_of_scripts_without_spaces() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let lines = [
        "データベース接続が拒否されました",
        "数据库连接超时",
        "사용자 로그인 오류가 발생했습니다",
        "การเชื่อมต่อล้มเหลว",
        "接続timeout",
        "connection refused",
    ];
    store(&mut conn, &lines).await;
    for sealed in [false, true] {
        if sealed {
            seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 3).unwrap()).await;
            conn.execute("SET lookback.scan_cost = '-1'").await.unwrap();
        }
        for (search, expected) in [
            ("拒否", vec![lines[0]]),
            ("超时", vec![lines[1]]),
            ("连接", vec![lines[1]]),
            ("오류", vec![lines[2]]),
            ("ล้มเหลว", vec![lines[3]]),
            ("接続", vec![lines[4], lines[0]]),
            ("接続拒否", vec![lines[0]]),
            ("\"拒否\"", vec![lines[0]]),
        ] {
            let hits = Log::records()
                .search(search)
                .hits(&mut *conn)
                .await
                .unwrap();
            let found: Vec<&str> = hits
                .data
                .iter()
                .map(|hit| hit.record.message.as_str())
                .collect();
            assert_eq!(
                found[..expected.len()],
                expected,
                "{search}, {sealed}: {found:?}"
            );
            assert!(hits.total.value() >= expected.len() as u64);
            let best = &hits.data[0];
            assert!(
                !best.why.words.is_empty() || search.starts_with('"'),
                "{search}"
            );
            let highlight = &best.highlights[0];
            let marked = &highlight.text[highlight.ranges[0].clone()];
            assert!(
                marked.contains(search.trim_matches('"')) || search == "接続拒否",
                "{marked}"
            );
        }
    }
}

/// A UUID, or the number of a card or a phone, is found with and without separators,
/// as typed first.
#[tokio::test]
async fn ids_with_and_without_separators_find_each_other() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let lines = [
        "order 550e8400-e29b-41d4-a716-446655440000 paid",
        "order 550e8400e29b41d4a716446655440000 paid",
        "order 550e8400-e29b-41d4-a716-446655440001 paid",
        "card 4111-1111-1111-1111 charged",
        "card 4111 1111 1111 1111 charged",
        "card 4111111111111111 charged",
        "card 4111-1111-1111-1112 charged",
        "called +49-30-1234567",
        "called 49301234567",
    ];
    store(&mut conn, &lines).await;
    for sealed in [false, true] {
        if sealed {
            seal_all(&mut conn, &mut Sealer::new(Log::TABLE, 4).unwrap()).await;
            conn.execute("SET lookback.scan_cost = '-1'").await.unwrap();
        }
        for (search, expected) in [
            ("550e8400-e29b-41d4-a716-446655440000", vec![0, 1]),
            ("550E8400E29B41D4A716446655440000", vec![1, 0]),
            ("4111-1111-1111-1111", vec![3, 5, 4]),
            ("4111111111111111", vec![5, 4, 3]),
            ("4111 1111 1111 1111", vec![4, 5, 3]),
            ("+49-30-1234567", vec![7, 8]),
            ("+49 30 1234567", vec![8, 7]),
            ("49301234567", vec![8, 7]),
        ] {
            let hits = Log::records()
                .search(search)
                .hits(&mut *conn)
                .await
                .unwrap();
            let found: Vec<&str> = hits
                .data
                .iter()
                .map(|hit| hit.record.message.as_str())
                .collect();
            let expected: Vec<&str> = expected.iter().map(|index| lines[*index]).collect();
            assert_eq!(found, expected, "{search}, {sealed}");
            for hit in &hits.data {
                assert_eq!(hit.why.words[0].kind, MatchKind::Exact, "{search}");
                assert!(!hit.highlights.is_empty(), "{search}");
            }
        }
    }
}

/// Filters that ignore case know the same forms, in a database that knows no case but
/// that of ASCII.
#[tokio::test]
async fn filters_that_ignore_case_know_every_letter_whatever_the_locale() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    store(&mut conn, &LETTERS).await;
    for (filter, expected) in [
        ("message__icontains=ångström", &["ÅNGSTRÖM measured"][..]),
        (
            "message__icontains=A\u{30a}NGSTRO\u{308}M",
            &["ÅNGSTRÖM measured"],
        ),
        ("message__istartswith=οδοσ", &["ΟΔΟΣ ΚΛΕΙΣΤΗ"]),
        ("message__iendswith=κλειστΗ", &["ΟΔΟΣ ΚΛΕΙΣΤΗ"]),
        (
            "message__icontains=zoË",
            &["re\u{301}sume\u{301} by Zoe\u{308}"],
        ),
        ("message__icontains=œuvre", &["Œuvre complète"]),
        ("message__ilike=ŒUVRE_C%TE", &["Œuvre complète"]),
        ("message__icontains=İstanbul", &["İSTANBUL reached"]),
        ("message__icontains=closed", &["ID CLOSED"]),
        // Accents are other letters in a filter.
        ("message__icontains=resume", &["resume uploaded"]),
        ("message__notilike=%ÅNGSTRÖM%", &LETTERS[..8]),
    ] {
        let parsed = lookback::Filter::parse(filter).unwrap();
        let query = Log::records().filter(parsed).order_by(Log::id().asc());
        let found = query.list(&mut *conn).await.unwrap().data;
        let mut found: Vec<String> = found.into_iter().map(|log| log.message).collect();
        if expected.len() == 8 {
            assert_eq!(found.pop().as_deref(), Some("ID CLOSED"));
        }
        assert_eq!(found, expected, "{filter}");
    }
}

/// A pasted command excludes no line that has its options of one or two letters, and says what it
/// excludes.
#[tokio::test]
async fn pasted_commands_find_the_lines_that_have_them() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let lines = [
        "curl -X GET https://api.example/orders answered 502",
        "curl -X POST https://api.example/orders answered 201",
        "kubectl get pods -n shop: connection refused",
        "worker ended with exit code -1",
        "worker ended with exit code 137",
        "tar -xzf backup.tar.gz: unexpected end of file",
    ];
    store(&mut conn, &lines).await;
    for (search, first, excluded) in [
        ("curl -X GET https://api.example/orders", lines[0], "X"),
        ("kubectl get pods -n shop", lines[2], "n"),
        ("exit code -1", lines[3], "1"),
        ("tar -xzf backup.tar.gz", lines[5], "xzf"),
    ] {
        let hits = Log::records().search(search).hits(&mut *conn).await;
        let hits = hits.unwrap();
        let found = hits.data.first().map(|hit| hit.record.message.as_str());
        let note = Note::Excluded(excluded.to_owned());
        assert!(hits.notes.contains(&note), "{search}: {:?}", hits.notes);
        if search.starts_with("tar") {
            // Three letters exclude what has them anywhere: quoted, they are words.
            assert_eq!(found, None, "{search}");
            assert_eq!(self::found(&mut conn, "tar \"-xzf\"").await, [first]);
        } else {
            assert_eq!(found, Some(first), "{search}");
        }
    }
    // A word that is no option excludes what has it.
    assert_eq!(found(&mut conn, "worker -137").await, [lines[3]]);
}

/// What people type of fields compares as filters do; other terms are words, and that is reported.
#[tokio::test]
async fn field_terms_with_operators_periods_and_places_filter_records() {
    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    for (day, level, user) in [
        (1, Level::Info, 42),
        (2, Level::Error, 42),
        (2, Level::Info, 7),
    ] {
        let time = format!("2026-03-0{day}T23:30:00Z");
        let log = NewLog::new("API", level, format!("order paid by {user}"))
            .created_at(time.parse::<DateTime<Utc>>().unwrap())
            .meta(lookback::json!({ "user": user }));
        Log::records().create(&mut *conn, log).await.unwrap();
    }
    for (milliseconds, path) in [(9, "/fast"), (10, "/even"), (250, "/slow")] {
        let request = NewRequestSnapshot::new("GET", path, Utc::now(), "1", "test")
            .status_code(200)
            .duration(milliseconds);
        RequestSnapshot::records()
            .create(&mut *conn, request)
            .await
            .unwrap();
    }
    for (search, expected) in [
        ("timestamp:2026-03-01", vec![1]),
        ("timestamp:>=2026-03-02", vec![2, 3]),
        ("order level:INFO", vec![1, 3]),
        ("order meta.user:42", vec![1, 2]),
        ("order -meta.user:42", vec![3]),
        ("severity:error TS:2026-03-02", vec![2]),
    ] {
        let page = Log::records()
            .search(search)
            .hits(&mut *conn)
            .await
            .unwrap();
        let mut ids: Vec<i64> = page.data.iter().map(|hit| hit.record.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, expected, "{search}");
        assert_eq!(page.notes, [], "{search}");
    }
    for (search, expected) in [
        ("duration:>10", vec!["/slow"]),
        ("duration:<=10 GET", vec!["/even", "/fast"]),
        ("status:200 duration:9", vec!["/fast"]),
    ] {
        let page = RequestSnapshot::records()
            .search(search)
            .list(&mut *conn)
            .await
            .unwrap();
        let mut paths: Vec<&str> = page
            .data
            .iter()
            .map(|request| request.path.as_str())
            .collect();
        paths.sort_unstable();
        assert_eq!(paths, expected, "{search}");
    }
    for term in ["shard:42", "level:verbose"] {
        let page = Log::records().search(term).hits(&mut *conn).await.unwrap();
        assert_eq!(page.notes, [Note::NotAField(term.to_owned())]);
    }
}

//! Requests that are made to do harm.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use lookback::filter::Lookup;
use lookback::table::Table;
use lookback::{ApiKey, Log, Metric, Model as _, RequestSnapshot, User, UserRole};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{PASSWORD, TestServer};

/// Sends bytes as they are, and returns all that comes back.
async fn raw(server: &TestServer, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // It may be closed before all of it is read.
    let _written = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ended = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Encodes each byte, as no server has to.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

async fn is_whole(server: &TestServer) {
    let count = "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM api_keys)";
    let count: i64 = sqlx::query_scalar(count)
        .fetch_one(&server.pool)
        .await
        .unwrap();
    assert_eq!(count, 2);
    assert_eq!(server.get("/api/v1/logs").await.status, 200);
}

/// Tables with the paths of their lists.
fn tables() -> [(&'static str, &'static Table); 5] {
    [
        ("logs", Log::TABLE),
        ("requests", RequestSnapshot::TABLE),
        ("metrics", Metric::TABLE),
        ("users", User::TABLE),
        ("keys", ApiKey::TABLE),
    ]
}

#[tokio::test]
async fn sql_in_any_filter_is_a_value() {
    const SQL: &str = r#"'; DROP TABLE users; --"\$1%_{}()/*,"#;
    let server = TestServer::start().await;
    server.new_user("ada@shop.test", UserRole::User).await;
    let line = lookback::json!({ "source": "A", "level": "info", "message": SQL });
    let stored = server
        .post("/api/v1/logs", "application/json", line.to_string())
        .await;
    assert_eq!(stored.status, 200);
    let mut asked = 0;
    for (path, table) in tables() {
        let ask = async |query: String| {
            let answer = server.get(&format!("/api/v1/{path}?{query}")).await;
            assert!(
                answer.status == 200
                    || (answer.status, answer.problem()) == (400, "invalid-query".to_owned()),
                "{path} {query}: {answer:?}"
            );
            answer
        };
        for column in table.columns() {
            for lookup in Lookup::all() {
                let key = format!("{}__{}", column.name(), lookup.name());
                ask(format!("{key}={}", encoded(SQL))).await;
                asked += 1;
            }
            ask(format!("{}=a{}b", column.name(), encoded("\0"))).await;
            ask(format!("{}.{}=1", column.name(), encoded(SQL))).await;
        }
        for parameter in [
            "search", "order_by", "limit", "offset", "after", "before", "total", "deleted", "or",
            "not", "match", "hard",
        ] {
            for value in [SQL, "\0", "(", "id;", "id--", "-id,", "(id='", "𝄞\u{202e}"] {
                ask(format!("{parameter}={}", encoded(value))).await;
            }
        }
        let name = ask(format!("{}=1", encoded(SQL))).await;
        assert_eq!(name.status, 400);
    }
    assert!(asked > 500, "{asked}");
    // It finds the line that has this text, and no other.
    for key in ["message", "message__contains", "message__startswith"] {
        let found = server
            .get(&format!("/api/v1/logs?{key}={}", encoded(SQL)))
            .await
            .json();
        assert_eq!(found["metadata"]["total"], 1_u64, "{key}");
    }
    is_whole(&server).await;
}

#[tokio::test]
async fn ids_are_numbers_and_nothing_else() {
    let server = TestServer::start().await;
    server.new_user("ada@shop.test", UserRole::User).await;
    for id in [
        "1;DROP TABLE users",
        "1 OR 1=1",
        "1'",
        "0x1",
        "1e0",
        "+1x",
        "99999999999999999999999999",
        "-1",
        "1\0",
        "１",
        "",
        "..",
        "../users",
    ] {
        for path in ["logs", "users"] {
            let path = format!("/api/v1/{path}/{}", encoded(id));
            let answer = server.get(&path).await;
            assert_eq!(answer.status, 404, "{path}: {answer:?}");
            let bearer = format!("Bearer {}", server.key);
            let headers = [("authorization", &*bearer)];
            let answer = server.send("DELETE", &path, &headers, "").await;
            assert!(matches!(answer.status, 404 | 405), "{path}: {answer:?}");
        }
    }
    is_whole(&server).await;
}

#[tokio::test]
async fn hidden_columns_are_in_no_way_found() {
    let server = TestServer::start().await;
    let user = lookback::NewUser::new("ada@shop.test", "$argon2id$secret");
    User::records().create(&server.pool, user).await.unwrap();
    for query in [
        "password_hash=x",
        "password_hash__startswith=$a",
        "password_hash__isnull=false",
        "PASSWORD_HASH=x",
        "%70assword_hash=x",
        "email__eq__field=password_hash",
        "email__gt__field=password_hash",
        "or=(password_hash__like=$%25)",
        "not=(or=(password_hash__like=$%25))",
        "order_by=password_hash",
        "order_by=-password_hash,id",
        "search=password_hash:$argon2id$secret",
        "search=argon2id",
        "select=password_hash",
        "fields=password_hash",
        "with_hidden=password_hash",
        "password_hash",
    ] {
        let answer = server.get(&format!("/api/v1/users?{query}")).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let is_refused = answer.status == 400 && answer.problem() == "invalid-query";
        // Words are searched in what is seen.
        assert!(
            is_refused || query.starts_with("search="),
            "{query}: {text}"
        );
        assert!(!text.contains("argon2id$secret\""), "{query}: {text}");
        if !is_refused {
            assert!(
                text.contains("\"data\":[]") || !text.contains("secret"),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn parameters_that_are_sent_twice_weaken_no_filter() {
    let server = TestServer::start().await;
    let lines = r#"{"source":"A","level":"info","message":"one"}
{"source":"B","level":"error","message":"two"}"#;
    server
        .post("/api/v1/logs", "application/x-ndjson", lines)
        .await;
    for (query, total) in [
        ("level=info&level=error", 0_u64),
        ("source=A&level=info&level=info", 1),
        ("source=A;level=error", 0),
        ("source=A%26level=error", 0),
        ("source=A%00", 0),
    ] {
        let answer = server.get(&format!("/api/v1/logs?{query}")).await;
        if answer.status == 200 {
            assert_eq!(answer.json()["metadata"]["total"], total, "{query}");
        } else {
            assert_eq!(answer.problem(), "invalid-query", "{query}");
        }
    }
    // What is no text finds nothing, and not everything.
    for query in [
        "search=%00",
        "search=%ff",
        "search=%zz",
        "match=%00",
        "order_by=%ff",
        "after=WzEs&before=WzEs",
    ] {
        let answer = server.get(&format!("/api/v1/logs?{query}")).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (400, "invalid-query".to_owned()),
            "{query}"
        );
    }
    for query in [
        "limit=1&limit=99999",
        "limit=99999&limit=1",
        "limit[]=1",
        "limit=1;limit=99999",
    ] {
        let answer = server.get(&format!("/api/v1/logs?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
    }
}

#[tokio::test]
async fn paths_in_other_spellings_are_no_way_around() {
    let server = TestServer::start().await;
    for path in [
        "/api/v1//logs",
        "//api/v1/logs",
        "/api/v1/logs/",
        "/api/v1/./logs",
        "/api/v1/../v1/logs",
        "/health/live/../../api/v1/logs",
        "/health/live/..%2f..%2fapi/v1/logs",
        "/health/live;/api/v1/logs",
        "/health/live%2f..%2f..%2fapi%2fv1%2flogs",
        "/API/V1/logs",
        "/api/v1/log%73",
        "/api/v1/logs%00",
        "/api/v1/logs%2f1",
        "/api/v1/logs%3flimit=1",
        "/api\\v1\\logs",
        "/api/v1/logs%20",
        "http://127.0.0.1/api/v1/logs",
        "*",
    ] {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
        let answer = raw(&server, request.as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "400" | "401" | "404"), "{path}: {answer}");
        assert!(!answer.contains("\"data\""), "{path}: {answer}");
    }
    // Headers by which proxies pass on another path or method are not believed.
    for header in [
        "x-original-url: /api/v1/logs",
        "x-rewrite-url: /api/v1/logs",
        "x-http-method-override: DELETE",
    ] {
        let request = format!(
            "GET /health/live HTTP/1.1\r\nhost: a\r\n{header}\r\nconnection: close\r\n\r\n"
        );
        let answer = raw(&server, request.as_bytes()).await;
        assert!(answer.contains("\"status\":\"live\""), "{header}: {answer}");
    }
}

#[tokio::test]
async fn one_request_is_never_two() {
    let server = TestServer::start().await;
    let smuggled = format!(
        "GET /api/v1/logs HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\r\n",
        server.key
    );
    let chunked = format!("0\r\n\r\n{smuggled}");
    for (headers, body) in [
        (
            format!(
                "content-length: {}\r\ntransfer-encoding: chunked",
                chunked.len()
            ),
            &chunked,
        ),
        (
            format!(
                "transfer-encoding: chunked\r\ncontent-length: {}",
                chunked.len()
            ),
            &chunked,
        ),
        (
            format!("content-length: 0\r\ncontent-length: {}", smuggled.len()),
            &smuggled,
        ),
        (format!("content-length: {}, 0", smuggled.len()), &smuggled),
        ("content-length: +0".to_owned(), &smuggled),
        ("content-length: 0x0".to_owned(), &smuggled),
        ("content-length: -1".to_owned(), &smuggled),
        ("transfer-encoding: chunked, identity".to_owned(), &chunked),
        ("transfer-encoding: xchunked".to_owned(), &chunked),
        ("transfer-encoding : chunked".to_owned(), &chunked),
        ("x: a\rtransfer-encoding: chunked".to_owned(), &chunked),
        (" transfer-encoding: chunked".to_owned(), &chunked),
    ] {
        let request =
            format!("POST /api/v1/session HTTP/1.1\r\nhost: a\r\n{headers}\r\n\r\n{body}");
        // The connection is closed after a head that has two meanings.
        let answering = raw(&server, request.as_bytes());
        let answer = tokio::time::timeout(std::time::Duration::from_secs(60), answering)
            .await
            .unwrap();
        assert!(!answer.contains("\"data\""), "{headers}: {answer}");
        assert!(
            answer.matches("HTTP/1.1 ").count() <= 1,
            "{headers}: {answer}"
        );
    }
}

#[tokio::test]
async fn nothing_that_is_sent_becomes_a_header() {
    let server = TestServer::start().await;
    server.new_user("ada@shop.test", UserRole::User).await;
    let split = "x\r\nset-cookie: lookback_session=evil\r\n\r\n<script>";
    for path in [
        format!("/{}", encoded(split)),
        format!("/api/v1/logs/{}", encoded(split)),
        format!("/api/v1/logs?{}=1", encoded(split)),
        format!("/api/v1/logs?after={}", encoded(split)),
        format!("/api/v1/logs?level={}", encoded(split)),
        format!("/elastic/{}/_bulk", encoded(split)),
    ] {
        let answer = server.get(&path).await;
        assert!(!answer.headers.contains_key("set-cookie"), "{path}");
        assert!(answer.status >= 400 || answer.status == 200, "{path}");
        let content_type = answer.headers["content-type"].to_str().unwrap();
        assert!(content_type.starts_with("application/"), "{content_type}");
    }
    let answer = server.log_in(split, PASSWORD).await;
    assert_eq!(answer.status, 401);
    assert!(!answer.headers.contains_key("set-cookie"));
    // A line end that is no line end of HTTP, and bytes that no header has.
    for header in [
        "x: a\nset-cookie: b",
        "x: a\r\n b",
        "x: \0",
        "x\u{7f}: a",
        ": a",
        "x y: a",
    ] {
        let request = format!(
            "GET /api/v1/logs HTTP/1.1\r\nhost: a\r\n{header}\r\nconnection: close\r\n\r\n"
        );
        let answer = raw(&server, request.as_bytes()).await;
        assert!(!answer.contains("set-cookie"), "{header:?}: {answer}");
        assert!(!answer.starts_with("HTTP/1.1 2"), "{header:?}: {answer}");
    }
}

/// The paths that take JSON, with their methods.
const JSON_PATHS: [(&str, &str); 12] = [
    ("POST", "/api/v1/logs"),
    ("POST", "/api/v1/requests"),
    ("POST", "/api/v1/metrics"),
    ("PATCH", "/api/v1/logs/1"),
    ("PATCH", "/api/v1/users/1"),
    ("POST", "/api/v1/users"),
    ("POST", "/api/v1/users/1/password"),
    ("POST", "/api/v1/keys"),
    ("POST", "/api/v1/session"),
    ("POST", "/v1/logs"),
    ("POST", "/v1/traces"),
    ("POST", "/loki/api/v1/push"),
];

#[tokio::test]
async fn json_that_is_deep_long_or_huge_does_no_harm() {
    let server = TestServer::start_with(|settings| settings.logins_per_minute = 0).await;
    server.new_user("ada@shop.test", UserRole::User).await;
    let line = server
        .post(
            "/api/v1/logs",
            "application/json",
            r#"{"level":"info","msg":"one"}"#,
        )
        .await;
    assert_eq!(line.status, 200);
    let deep = |open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(10_000), close.repeat(10_000))
    };
    let digits = "9".repeat(10_000);
    let bodies = [
        deep("[", "", "]"),
        deep(r#"{"message":"#, "1", "}"),
        format!(r#"{{"message":{}}}"#, deep("[", "", "]")),
        format!(r#"{{"message":"a","meta":{}}}"#, deep(r#"{"a":"#, "1", "}")),
        "[".repeat(10_000),
        format!("[{}0]", "0,".repeat(1_000_000)),
        format!(r#"{{"message":"a","meta":[{}0]}}"#, "0,".repeat(1_000_000)),
        format!(r#"{{"message":"a","level":"info","source":"A","meta":{{"n":{digits}}}}}"#),
        format!(r#"{{"message":{digits},"email":-{digits},"password":{digits}e{digits}}}"#),
        r#"{"message":"a","level":"info","source":"A","created_at":1e999999}"#.to_owned(),
        r#"{"id":1e999999999,"window_start":1e400,"duration":99999999999999999999}"#.to_owned(),
        r#"{"email":"a\u0000b@c.d","password":"\u0000\u0000\u0000 horse battery staple","name":"\u0000","scope":"read"}"#.to_owned(),
        r#"{"message":"\u0000","source":"\u0000","meta":{"\u0000":"\u0000"},"level":"info"}"#.to_owned(),
        r#"{"message":"\ud800","email":"\udfff"}"#.to_owned(),
        "\0\0\0\0".to_owned(),
        r#"{"email":"a@b.c","email":"d@e.f","password":"x","password":"y"}"#.to_owned(),
        String::new(),
    ];
    let bearer = format!("Bearer {}", server.key);
    for (method, path) in JSON_PATHS {
        for (number, body) in bodies.iter().enumerate() {
            // Each of them is a line to store.
            if body.starts_with("[0,") && path.starts_with("/api/v1/") && method == "POST" {
                continue;
            }
            let headers = [
                ("authorization", &*bearer),
                ("content-type", "application/json"),
            ];
            let answer = server.send(method, path, &headers, body.clone()).await;
            let start: String = body.chars().take(80).collect();
            assert!(
                answer.status < 500,
                "{method} {path} {number} {start}: {answer:?}"
            );
            if answer.status >= 400 {
                answer.problem();
                assert!(answer.body.len() < 100_000, "{method} {path} {number}");
            }
        }
    }
    // Every digit is stored, and read.
    let read = server.get("/api/v1/logs?meta.n__exists=true&limit=1").await;
    assert_eq!(read.status, 200);
    assert!(String::from_utf8_lossy(&read.body).contains(&digits));
}

#[tokio::test]
async fn bodies_that_are_no_records_are_small() {
    let server = TestServer::start().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 1_000_000]).unwrap();
    let bomb = encoder.finish().unwrap();
    let bearer = format!("Bearer {}", server.key);
    for (method, path) in JSON_PATHS.iter().skip(4).take(5) {
        let plain = [
            ("authorization", &*bearer),
            ("content-type", "application/json"),
        ];
        let packed = [&plain[..], &[("content-encoding", "gzip")]].concat();
        for (headers, body) in [
            (&packed[..], bomb.clone()),
            (&plain[..], vec![b' '; 100_000]),
        ] {
            let answer = server.send(method, path, headers, body).await;
            assert_eq!(
                (answer.status, answer.problem()),
                (413, "too-large".to_owned()),
                "{method} {path}"
            );
        }
    }
}

//! Reading and changing records.

use lookback::Json;

use crate::support::TestServer;

async fn with_lines(messages: &[(&str, &str)]) -> TestServer {
    let server = TestServer::start().await;
    let lines: Vec<String> = messages
        .iter()
        .map(|(level, message)| {
            format!(r#"{{"source":"API","level":"{level}","message":"{message}"}}"#)
        })
        .collect();
    let answer = server
        .post("/api/v1/logs", "application/x-ndjson", lines.join("\n"))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    server
}

fn messages(json: &Json) -> Vec<&str> {
    let data = json["data"].as_array().unwrap();
    data.iter()
        .map(|record| record["message"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn list_takes_every_lookup_order_and_page() {
    let server = with_lines(&[
        ("info", "one"),
        ("warn", "two & a half"),
        ("error", "three"),
        ("error", "four"),
    ])
    .await;
    for (query, expected) in [
        (
            "level__in=warn,error&order_by=id",
            vec!["two & a half", "three", "four"],
        ),
        ("level=error&order_by=-id", vec!["four", "three"]),
        ("message=two%20%26%20a+half", vec!["two & a half"]),
        (
            "or=(level=info,message__contains=our)&order_by=id",
            vec!["one", "four"],
        ),
        ("order_by=id&limit=1&offset=2", vec!["three"]),
    ] {
        let answer = server.get(&format!("/api/v1/logs?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        assert_eq!(messages(&answer.json()), expected, "{query}");
    }
    let first = server.get("/api/v1/logs?order_by=id&limit=3").await.json();
    assert_eq!(first["metadata"]["total"], 4_u64);
    let next = first["metadata"]["next"].as_str().unwrap();
    let second = server
        .get(&format!("/api/v1/logs?order_by=id&limit=3&after={next}"))
        .await
        .json();
    assert_eq!(messages(&second), ["four"]);
    assert_eq!(second["metadata"]["next"], Json::Null);
    let found = server
        .get("/api/v1/logs?search=three&total=none")
        .await
        .json();
    assert_eq!(messages(&found)[0], "three");
}

/// However many large records a page asks for, it has few of them, and `next` the others.
#[tokio::test]
async fn page_of_large_records_ends_early() {
    let server = TestServer::start_with(|settings| settings.page_bytes = 300_000).await;
    let body: Vec<String> = (0..12)
        .map(|at| {
            let text = "x".repeat(100_000);
            format!(r#"{{"source":"API","message":"large {at} {text}","trace_id":"t-1"}}"#)
        })
        .collect();
    let answer = server
        .post("/api/v1/logs", "application/x-ndjson", body.join("\n"))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for query in [
        "limit=10000",
        "limit=10000&search=large",
        "limit=100&hits=true&search=large",
    ] {
        let (mut seen, mut after) = (0, String::new());
        // A hit has the texts of its record again, with marks.
        let most = if query.contains("hits") {
            900_000
        } else {
            500_000
        };
        loop {
            let page = server.get(&format!("/api/v1/logs?{query}{after}")).await;
            assert_eq!(page.status, 200, "{query}");
            assert!(page.body.len() < most, "{query}: {}", page.body.len());
            let page = page.json();
            seen += messages(&page).len();
            match page["metadata"]["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen, 12, "{query}");
    }
    let trace = server.get("/api/v1/traces/t-1").await;
    assert!(trace.body.len() < 500_000);
    assert_eq!(trace.json()["metadata"]["is_complete"], false);
}

#[tokio::test]
async fn wrong_queries_name_each_parameter() {
    let server = with_lines(&[("info", "one")]).await;
    for (query, field) in [
        ("levle=error", "levle"),
        ("limit=x", "limit"),
        ("limit=10001", "limit"),
        ("order_by=nothing", "nothing"),
        ("created_at__gte=yesterdayish", "created_at__gte"),
        ("total=some", "total"),
        ("deleted=maybe", "deleted"),
        ("after=xyz", "after"),
        ("message=%zz", "message"),
        ("embedding=1", "embedding"),
        ("id=1%27%20OR%201=1", "id"),
    ] {
        let answer = server.get(&format!("/api/v1/logs?{query}")).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (400, "invalid-query".to_owned()),
            "{query}"
        );
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(text.contains(field), "{query}: {text}");
    }
}

#[tokio::test]
async fn record_is_read_changed_deleted_and_restored() {
    let server = with_lines(&[("info", "one")]).await;
    let id = server.get("/api/v1/logs").await.json()["data"][0]["id"]
        .as_i64()
        .unwrap();
    let path = format!("/api/v1/logs/{id}");
    assert_eq!(server.get(&path).await.json()["data"]["message"], "one");
    let bearer = format!("Bearer {}", server.key);
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    let changed = server
        .send("PATCH", &path, &headers, r#"{"message":"uno"}"#)
        .await;
    assert_eq!(changed.json()["data"]["message"], "uno");
    let wrong = server
        .send(
            "PATCH",
            &path,
            &headers,
            r#"{"message":" ","levle":"info"}"#,
        )
        .await;
    assert_eq!(
        (wrong.status, wrong.problem()),
        (422, "invalid-record".to_owned())
    );
    assert_eq!(server.send("DELETE", &path, &headers, "").await.status, 204);
    assert_eq!(server.get(&path).await.status, 404);
    assert_eq!(
        server.get(&format!("{path}?deleted=with")).await.status,
        200
    );
    assert_eq!(server.send("DELETE", &path, &headers, "").await.status, 404);
    let restored = server.post(&format!("{path}/restore"), "", "").await;
    assert_eq!(restored.json()["data"]["message"], "uno");
    let gone = server
        .send("DELETE", &format!("{path}?hard=true"), &headers, "")
        .await;
    assert_eq!(gone.status, 204);
    assert_eq!(
        server.get(&format!("{path}?deleted=with")).await.status,
        404
    );
    assert_eq!(server.get("/api/v1/logs/one").await.status, 404);
}

#[tokio::test]
async fn passwords_of_users_are_never_read() {
    let server = TestServer::start().await;
    let user = lookback::NewUser::new("ada@shop.test", "a-hash");
    lookback::User::records()
        .create(&server.pool, user)
        .await
        .unwrap();
    let answer = server.get("/api/v1/users").await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(
        text.contains("ada@shop.test") && !text.contains("a-hash"),
        "{text}"
    );
    let answer = server.get("/api/v1/users?password_hash=a-hash").await;
    assert_eq!(answer.status, 400);
    let answer = server.get("/api/v1/users?order_by=password_hash").await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn record_that_has_not_changed_is_not_sent_again() {
    let server = with_lines(&[("info", "one")]).await;
    let bearer = format!("Bearer {}", server.key);
    let path = "/api/v1/logs/1";
    let ask = async |tag: &str| {
        let headers = [("authorization", &*bearer), ("if-none-match", tag)];
        server.send("GET", path, &headers, "").await
    };
    let first = server.get(path).await;
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    let again = ask(&format!("\"other\", {tag}")).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.headers["etag"], tag.as_str());
    assert_eq!(ask("\"other\"").await.status, 200);
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    server
        .send("PATCH", path, &headers, r#"{"message":"uno"}"#)
        .await;
    let changed = ask(&tag).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.headers["etag"], tag.as_str());
}

#[tokio::test]
async fn every_digit_of_a_number_is_answered() {
    let server = TestServer::start().await;
    let line = r#"{"source":"API","level":"info","message":"one","trace_id":"t-1","meta":{"d":0.10000000000000000001,"n":1e400}}"#;
    let answer = server.post("/api/v1/logs", "application/json", line).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for path in [
        "logs",
        "logs/1",
        "logs?search=one&hits=true",
        "logs/1/context",
        "logs/patterns",
        "logs/stats?by=meta.d,meta.n&measure=meta.d__max",
        "logs/histogram?by=meta.d",
        "logs/export",
        "traces/t-1",
    ] {
        let answer = server.get(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(text.contains("0.10000000000000000001"), "{path}: {text}");
    }
    let path = "/api/v1/logs/1";
    let bearer = format!("Bearer {}", server.key);
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    let patch = r#"{"meta":{"d":0.20000000000000000002}}"#;
    let answer = server.send("PATCH", path, &headers, patch).await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.contains("0.20000000000000000002"), "{text}");
}

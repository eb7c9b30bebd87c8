//! Exports as streams.

use std::time::Duration;

use lookback::{Level, Log, NewLog, NewRequestSnapshot, RequestSnapshot, json};

use crate::support::TestServer;

async fn with_records() -> TestServer {
    let server = TestServer::start().await;
    let logs: Vec<NewLog> = (1..=3)
        .map(|number| {
            let log = NewLog::new("API", Level::Info, format!("=line \"{number}\", of three"));
            log.meta(json!({ "n": number }))
        })
        .collect();
    Log::records()
        .create_many(&server.pool, &logs)
        .await
        .unwrap();
    let time = crate::support::time("2026-11-29T10:00:00Z");
    let mut request = NewRequestSnapshot::new("GET", "/orders", time, "1", "test");
    request.headers = Some(json!({ "host": "shop.test", "authorization": "Bearer s3cret" }));
    RequestSnapshot::records()
        .create(&server.pool, request)
        .await
        .unwrap();
    server
}

#[tokio::test]
async fn formats_are_written() {
    let server = with_records().await;
    let text = async |url: &str| {
        let answer = server.get(&format!("/api/v1/{url}")).await;
        assert_eq!(answer.status, 200, "{url}: {answer:?}");
        let media_type = answer.headers["content-type"].to_str().unwrap().to_owned();
        (
            media_type,
            String::from_utf8_lossy(&answer.body).into_owned(),
        )
    };
    assert_eq!(
        text("logs/export?fields=id,meta.n&order_by=-id").await,
        (
            "application/x-ndjson".to_owned(),
            "{\"id\":3,\"meta.n\":3}\n{\"id\":2,\"meta.n\":2}\n{\"id\":1,\"meta.n\":1}\n"
                .to_owned()
        )
    );
    assert_eq!(
        text("logs/export?format=csv&fields=id,message&id__lt=2&for_spreadsheets=true").await,
        (
            "text/csv; charset=utf-8".to_owned(),
            "id,message\r\n1,\"'=line \"\"1\"\", of three\"\r\n".to_owned()
        )
    );
    assert_eq!(
        text("logs/export?search=nothing&format=csv&fields=id")
            .await
            .1,
        "id\r\n"
    );
    assert_eq!(text("logs/export?search=nothing").await.1, "");
    assert_eq!(
        text("logs/export?limit=2&fields=id")
            .await
            .1
            .lines()
            .count(),
        2
    );
    let all = text("logs/export").await.1;
    let first: lookback::Json = all.lines().next().unwrap().parse().unwrap();
    assert!(first.get("embedding").is_none() && first.get("created_at").is_some());
    let (media_type, archive) = text("requests/export?format=har").await;
    assert_eq!(media_type, "application/json");
    let archive: lookback::Json = archive.parse().unwrap();
    assert_eq!(
        archive["log"]["entries"][0]["request"]["url"],
        "http://shop.test/orders"
    );
    let (_, commands) = text("requests/export?format=curl").await;
    assert!(
        commands.contains("curl http://shop.test/orders"),
        "{commands}"
    );
    assert!(!archive.to_string().contains("s3cret") && !commands.contains("s3cret"));
    let users = text("users/export").await.1;
    assert!(!users.contains("password"), "{users}");
}

#[tokio::test]
async fn export_has_a_name_and_may_be_compressed() {
    let server = with_records().await;
    let bearer = format!("Bearer {}", server.key);
    let headers = [("authorization", &*bearer), ("accept-encoding", "gzip")];
    let answer = server
        .send("GET", "/api/v1/logs/export", &headers, "")
        .await;
    assert_eq!(
        answer.headers["content-disposition"],
        "attachment; filename=\"logs.jsonl\""
    );
    assert_eq!(answer.headers["content-encoding"], "gzip");
    assert_eq!(&answer.body[..2], [0x1f, 0x8b]);
    let headers = [("authorization", &*bearer), ("accept-encoding", "zstd")];
    let answer = server.send("GET", "/api/v1/logs", &headers, "").await;
    assert_eq!(answer.headers["content-encoding"], "zstd");
    assert_eq!(&answer.body[..4], [0x28, 0xb5, 0x2f, 0xfd]);
}

#[tokio::test]
async fn exports_at_a_time_are_bounded() {
    let server = TestServer::start_with(|settings| {
        settings.exports = 1;
        settings.read_timeout = Duration::from_secs(5);
    })
    .await;
    // The first waits for a lock.
    let mut lock = server.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE logs")
        .execute(&mut *lock)
        .await
        .unwrap();
    let (first, second) = tokio::join!(server.get("/api/v1/logs/export"), async {
        // Whichever begins first.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let second = server.get("/api/v1/logs/export").await;
        lock.rollback().await.unwrap();
        second
    });
    assert_eq!((second.status, second.problem()), (503, "busy".to_owned()));
    assert_eq!(second.headers["retry-after"], "1");
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(server.get("/api/v1/logs/export").await.status, 200);
}

#[tokio::test]
async fn export_that_gets_no_row_in_time_is_a_problem() {
    let server = TestServer::start_with(|settings| {
        settings.read_timeout = Duration::from_millis(300);
    })
    .await;
    let mut lock = server.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE logs")
        .execute(&mut *lock)
        .await
        .unwrap();
    let answer = server.get("/api/v1/logs/export").await;
    assert_eq!(
        (answer.status, answer.problem()),
        (504, "too-slow".to_owned())
    );
    lock.rollback().await.unwrap();
}

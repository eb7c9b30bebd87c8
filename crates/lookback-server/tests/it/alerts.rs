//! Alerts: rules over HTTP, changes, and their delivery.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DurationRound as _, TimeDelta, Utc};
use lookback::capture::{Measurement, Window, store_windows};
use lookback::{Json, KeyScope, json};
use lookback_server::Settings;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::TestServer;

const DEADLINE: Duration = Duration::from_secs(60);

/// What a webhook got: its key and its body.
type Calls = Arc<Mutex<Vec<(String, Json)>>>;

/// A webhook that answers with these statuses, and then with 200.
async fn webhook(statuses: &[u16]) -> (String, Calls) {
    let calls = Calls::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/hook?token=s3cret",
        listener.local_addr().unwrap()
    );
    let (noted, mut statuses) = (Arc::clone(&calls), statuses.to_vec());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let text = loop {
                let mut bytes = [0; 4096];
                let read = stream.read(&mut bytes).await.unwrap();
                request.extend_from_slice(&bytes[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let length = text.lines().find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse::<usize>()
                        .ok()
                });
                let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
                if body.is_some() && body == length {
                    break text;
                }
                assert_ne!(read, 0, "{text}");
            };
            let key = text
                .lines()
                .find_map(|line| line.strip_prefix("idempotency-key: "));
            let body = text.split_once("\r\n\r\n").unwrap().1.parse().unwrap();
            noted.lock().unwrap().push((key.unwrap().to_owned(), body));
            let status = if statuses.is_empty() {
                200
            } else {
                statuses.remove(0)
            };
            let answer = format!(
                "HTTP/1.1 {status} x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\
                 connection: close\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, calls)
}

async fn wait_for(calls: &Calls, number: usize) -> Vec<(String, Json)> {
    let started = Instant::now();
    loop {
        let found = calls.lock().unwrap().clone();
        if found.len() >= number {
            return found;
        }
        assert!(started.elapsed() < DEADLINE, "only {found:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn fast(settings: &mut Settings) {
    settings.alerts.interval = Duration::from_millis(200);
    settings.alerts.lease = Duration::from_secs(3);
    settings.alerts.timeout = Duration::from_secs(2);
    settings.alerts.back_off = (Duration::from_millis(100), Duration::from_secs(1));
}

async fn create(server: &TestServer, rule: Json) -> i64 {
    let answer = server
        .post("/api/v1/alerts", "application/json", rule.to_string())
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["data"]["id"].as_i64().unwrap()
}

async fn insert(pool: &PgPool, message: &str) {
    sqlx::query("INSERT INTO logs (source, level, message) VALUES ('API', 'error', $1)")
        .bind(message)
        .execute(pool)
        .await
        .unwrap();
}

/// The states of the changes, oldest first, with their delivery.
async fn changes(server: &TestServer) -> Vec<String> {
    let answer = server.get("/api/v1/alert_changes?order_by=id").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    let data = json["data"].as_array().unwrap();
    data.iter()
        .map(|change| {
            let text = |name: &str| change[name].as_str().unwrap();
            format!("{} {}", text("state"), text("delivery"))
        })
        .collect()
}

async fn wait_for_changes(server: &TestServer, expected: &[&str]) {
    let started = Instant::now();
    loop {
        let found = changes(server).await;
        if found == expected {
            return;
        }
        assert!(started.elapsed() < DEADLINE, "{found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn status(server: &TestServer, id: i64) -> Json {
    let answer = server.get(&format!("/api/v1/alerts/{id}")).await;
    answer.json()["data"]["status"].clone()
}

#[tokio::test]
async fn rules_are_created_changed_and_deleted_by_admins_and_read_by_readers() {
    let server = TestServer::start().await;
    let rule = json!({
        "name": "errors", "subject": "logs", "measure": "count", "filter": "level=error",
        "threshold": 20, "webhook_url": "https://hooks.example.com/T0/s3cret",
    });
    let id = create(&server, rule.clone()).await;
    let answer = server.get("/api/v1/alerts").await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(!text.contains("s3cret"), "{text}");
    let listed = &answer.json()["data"][0];
    assert_eq!(listed["condition"], "logs in the last 5m > 20");
    assert_eq!(listed["webhook"], "https://hooks.example.com/…");
    assert_eq!(listed["status"]["state"], "ok");

    let bearer = format!("Bearer {}", server.new_key(KeyScope::Read).await.1);
    let json = ("content-type", "application/json");
    let headers = [("authorization", &*bearer), json];
    let path = format!("/api/v1/alerts/{id}");
    for (method, path, expected) in [
        ("GET", "/api/v1/alerts", 200),
        ("GET", &path, 200),
        ("GET", "/api/v1/alert_changes", 200),
        ("POST", "/api/v1/alerts", 403),
        ("PATCH", &path, 403),
        ("DELETE", &path, 403),
        ("POST", &format!("{path}/test"), 403),
    ] {
        let answer = server.send(method, path, &headers, "{}").await;
        assert_eq!(answer.status, expected, "{method} {path}");
        let anonymous = server.send(method, path, &[json], "{}").await;
        assert_eq!(anonymous.status, 401, "{method} {path}");
    }
    let admin = format!("Bearer {}", server.key);
    let headers = [("authorization", &*admin), json];
    let change = async |body: &str| server.send("PATCH", &path, &headers, body.to_owned()).await;
    let answer = change(r#"{"threshold":30,"enabled":false}"#).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["data"]["status"]["state"], "disabled");
    for (body, field) in [
        (r#"{"filter":"levle=error"}"#, "filter"),
        (r#"{"measure":"p95_latency"}"#, "measure"),
        (r#"{"webhook_url":"file:///etc/passwd"}"#, "webhook_url"),
        (r#"{"webhook_url":"http://a:b@c/"}"#, "webhook_url"),
        (r#"{"period":5}"#, "period"),
        (r#"{"name":" "}"#, "name"),
        (r#"{"subject":"users"}"#, "subject"),
        (r#"{"thresold":1}"#, "thresold"),
    ] {
        let answer = change(body).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 422, "{body}: {text}");
        assert!(text.contains(field), "{body}: {text}");
    }
    // What was refused has changed nothing.
    let read = server.get(&path).await.json();
    assert_eq!(read["data"]["filter"], "level=error");
    assert_eq!(read["data"]["threshold"].as_f64(), Some(30.0));
    let again = server
        .post("/api/v1/alerts", "application/json", rule.to_string())
        .await;
    assert_eq!(
        (again.status, again.problem()),
        (409, "conflict".to_owned())
    );
    assert_eq!(server.send("DELETE", &path, &headers, "").await.status, 204);
    assert_eq!(server.get(&path).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_fires_and_resolves_once_with_several_servers() {
    let server = TestServer::start_with(fast).await;
    let (url, calls) = webhook(&[500, 302]).await;
    let id = create(
        &server,
        json!({
            "name": "errors", "subject": "logs", "measure": "count", "filter": "level=error",
            "threshold": 2, "resolve_after": 0, "webhook_url": url.as_str(),
        }),
    )
    .await;
    let workers = [
        server.server.spawn_alerts(),
        server.server.spawn_alerts(),
        server.server.spawn_alerts(),
    ];
    for n in 0..3 {
        insert(&server.pool, &format!("broken {n}")).await;
    }
    // Refused, redirected, and then delivered: each time with the same key.
    let calls_of_firing = wait_for(&calls, 3).await;
    let (key, body) = &calls_of_firing[0];
    assert!(key.len() == 32 && calls_of_firing.iter().all(|(other, _)| other == key));
    assert_eq!(body["state"], "firing");
    assert_eq!(body["value"].as_f64(), Some(3.0));
    assert_eq!(body["rule"]["id"].as_i64(), Some(id));
    assert_eq!(body["filter"], "level=error");
    assert_eq!(
        body["message"],
        "errors is firing: logs in the last 5m: 3 (> 2)"
    );
    wait_for_changes(&server, &["firing delivered"]).await;
    assert_eq!(status(&server, id).await["state"], "firing");
    // It fires on, and is not told again.
    insert(&server.pool, "broken again").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(calls.lock().unwrap().len(), 3);
    sqlx::query("UPDATE logs SET deleted_at = now()")
        .execute(&server.pool)
        .await
        .unwrap();
    let all = wait_for(&calls, 4).await;
    assert_eq!(all[3].1["state"], "resolved");
    assert_ne!(all[3].0, *key);
    wait_for_changes(&server, &["firing delivered", "resolved delivered"]).await;
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_takes_over_when_one_dies() {
    let server = TestServer::start_with(fast).await;
    let (url, calls) = webhook(&[]).await;
    let rule = json!({
        "name": "errors", "subject": "logs", "measure": "count", "webhook_url": url.as_str(),
    });
    create(&server, rule).await;
    insert(&server.pool, "broken").await;
    // A process that has claimed the rule, and a change, and died.
    let claim = "INSERT INTO alert_statuses (rule_id, phase, since, next_at, claim) \
                 SELECT id, 'ok', now(), now() + interval '2 seconds', 7 FROM alert_rules";
    sqlx::query(claim).execute(&server.pool).await.unwrap();
    let worker = server.server.spawn_alerts();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(calls.lock().unwrap().len(), 0);
    let first = wait_for(&calls, 1).await;
    worker.stop().await;
    // Killed after the webhook had it, and before that was noted.
    sqlx::query(
        "UPDATE alert_changes SET delivery = 'pending', delivered_at = NULL, \
         next_attempt_at = now() + interval '1 second'",
    )
    .execute(&server.pool)
    .await
    .unwrap();
    let worker = server.server.spawn_alerts();
    let again = wait_for(&calls, 2).await;
    assert_eq!(again[1], first[0]);
    wait_for_changes(&server, &["firing delivered"]).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_rule_that_fires_is_resolved() {
    let server = TestServer::start_with(fast).await;
    let rule = json!({ "name": "errors", "subject": "logs", "measure": "count" });
    let id = create(&server, rule).await;
    insert(&server.pool, "broken").await;
    let worker = server.server.spawn_alerts();
    wait_for_changes(&server, &["firing none"]).await;
    let admin = format!("Bearer {}", server.key);
    let headers = [("authorization", &*admin)];
    let path = format!("/api/v1/alerts/{id}");
    assert_eq!(server.send("DELETE", &path, &headers, "").await.status, 204);
    wait_for_changes(&server, &["firing none", "resolved none"]).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_patterns_and_windows_are_measured() {
    let server = TestServer::start_with(fast).await;
    sqlx::query(
        "INSERT INTO logs (source, level, message, created_at) \
         SELECT 'API', 'error', 'order ' || n || ' failed', now() - interval '1 hour' \
         FROM generate_series(1, 20) AS n",
    )
    .execute(&server.pool)
    .await
    .unwrap();
    let (url, calls) = webhook(&[]).await;
    let patterns = create(
        &server,
        json!({
            "name": "new error", "subject": "logs", "measure": "new_patterns",
            "filter": "level=error", "webhook_url": url.as_str(),
        }),
    )
    .await;
    let minute = Utc::now().duration_trunc(TimeDelta::minutes(1)).unwrap() - TimeDelta::minutes(2);
    let mut windows = Vec::new();
    for (endpoint, milliseconds) in [("GET /fast", 10), ("GET /slow", 1_000)] {
        let mut window = Window::new(minute, endpoint);
        for n in 0..50 {
            window.totals.add(Measurement {
                status: Some(if n < 10 { 500 } else { 200 }),
                milliseconds: Some(milliseconds),
                request_bytes: 0,
                response_bytes: 0,
            });
        }
        windows.push(window);
    }
    let mut conn = server.pool.acquire().await.unwrap();
    store_windows(&mut conn, windows).await.unwrap();
    let latency = create(
        &server,
        json!({ "name": "slow", "subject": "metrics", "measure": "p95_latency", "threshold": 5000 }),
    )
    .await;
    let fast_only = create(
        &server,
        json!({
            "name": "fast", "subject": "metrics", "measure": "p95_latency",
            "filter": "endpoint__contains=fast",
        }),
    )
    .await;
    let errors = create(
        &server,
        json!({ "name": "errors", "subject": "metrics", "measure": "error_rate", "threshold": 1 }),
    )
    .await;
    let worker = server.server.spawn_alerts();
    let measured = async |id: i64| {
        let started = Instant::now();
        loop {
            let status = status(&server, id).await;
            assert_eq!(status["problem"], Json::Null, "{status}");
            if let Some(value) = status["value"].as_f64() {
                return value;
            }
            assert!(started.elapsed() < DEADLINE, "{status}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // That of all windows together, and not the mean of two.
    assert!((measured(latency).await - 1_000.0).abs() < 20.0);
    assert!((measured(fast_only).await - 10.0).abs() < 1.0);
    assert!((measured(errors).await - 0.2).abs() < 1e-6);
    assert!(measured(patterns).await.abs() < 0.5);
    insert(&server.pool, "order 77 failed").await;
    insert(&server.pool, "disk 3 is full").await;
    let (_, body) = wait_for(&calls, 1).await.remove(0);
    assert_eq!(body["value"].as_f64(), Some(1.0), "{body}");
    assert_eq!(body["examples"][0], "disk 3 is full");
    // A row without a sketch cannot be put together with others.
    sqlx::query("UPDATE metrics SET latency_sketch = NULL")
        .execute(&server.pool)
        .await
        .unwrap();
    let started = Instant::now();
    let problem = loop {
        let problem = status(&server, latency).await["problem"].clone();
        if problem != Json::Null {
            break problem;
        }
        assert!(started.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let problem = problem.as_str().unwrap();
    assert!(
        problem.contains("has no sketch of its latencies"),
        "{problem}"
    );
    worker.stop().await;
}

#[tokio::test]
async fn webhook_is_tested_without_a_change_of_state() {
    let server = TestServer::start().await;
    let (url, calls) = webhook(&[404]).await;
    let id = create(
        &server,
        json!({ "name": "errors", "subject": "logs", "measure": "count", "webhook_url": url.as_str() }),
    )
    .await;
    let path = format!("/api/v1/alerts/{id}/test");
    let answer = server.post(&path, "", "").await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 200, "{text}");
    assert!(
        text.contains("answered 404") && !text.contains("s3cret"),
        "{text}"
    );
    let answer = server.post(&path, "", "").await;
    assert_eq!(answer.json()["data"]["status"].as_u64(), Some(200));
    let calls = wait_for(&calls, 2).await;
    assert_eq!(calls[1].1["state"], "test");
    assert_eq!(changes(&server).await, ["test failed", "test delivered"]);
    assert_eq!(status(&server, id).await["state"], "ok");
    let without = json!({ "name": "no webhook", "subject": "logs", "measure": "count" });
    let id = create(&server, without).await;
    let answer = server
        .post(&format!("/api/v1/alerts/{id}/test"), "", "")
        .await;
    assert_eq!(answer.status, 409);
    assert_eq!(
        server.post("/api/v1/alerts/99/test", "", "").await.status,
        404
    );
}

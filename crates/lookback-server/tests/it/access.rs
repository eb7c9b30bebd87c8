//! Who may do what.

use lookback::{ApiKey, KeyScope};
use sqlx::Row as _;

use crate::openapi::routes_of;
use crate::support::TestServer;

/// Every route, and the scopes that may use it.
const ROUTES: &[(&str, &str, &[KeyScope])] = &[
    ("GET", "/api/v1/logs", READ),
    ("GET", "/api/v1/requests", READ),
    ("GET", "/api/v1/metrics", READ),
    ("GET", "/api/v1/users", READ),
    ("GET", "/api/v1/logs/1", READ),
    ("GET", "/api/v1/requests/1", READ),
    ("GET", "/api/v1/metrics/1", READ),
    ("GET", "/api/v1/users/1", READ),
    ("GET", "/api/v1/logs/stats", READ),
    ("GET", "/api/v1/requests/stats", READ),
    ("GET", "/api/v1/metrics/stats", READ),
    ("GET", "/api/v1/users/stats", READ),
    ("GET", "/api/v1/logs/export", READ),
    ("GET", "/api/v1/requests/export", READ),
    ("GET", "/api/v1/metrics/export", READ),
    ("GET", "/api/v1/users/export", READ),
    ("GET", "/api/v1/logs/histogram", READ),
    ("GET", "/api/v1/requests/histogram", READ),
    ("GET", "/api/v1/logs/patterns", READ),
    ("GET", "/api/v1/requests/patterns", READ),
    ("GET", "/api/v1/logs/tail", READ),
    ("GET", "/api/v1/requests/tail", READ),
    ("GET", "/metrics", READ),
    ("GET", "/api/v1/logs/1/similar", READ),
    ("GET", "/api/v1/requests/1/similar", READ),
    ("GET", "/api/v1/logs/1/context", READ),
    ("GET", "/api/v1/requests/1/logs", READ),
    ("GET", "/api/v1/traces/1", READ),
    ("GET", "/api/v1/metrics/aggregate", READ),
    ("POST", "/api/v1/requests/1/replay", ADMIN),
    ("PATCH", "/api/v1/logs/1", ADMIN),
    ("PATCH", "/api/v1/requests/1", ADMIN),
    ("PATCH", "/api/v1/metrics/1", ADMIN),
    ("PATCH", "/api/v1/users/1", ADMIN),
    ("DELETE", "/api/v1/logs/1", ADMIN),
    ("DELETE", "/api/v1/requests/1", ADMIN),
    ("DELETE", "/api/v1/metrics/1", ADMIN),
    ("DELETE", "/api/v1/users/1", ADMIN),
    ("POST", "/api/v1/logs/1/restore", ADMIN),
    ("POST", "/api/v1/requests/1/restore", ADMIN),
    ("POST", "/api/v1/metrics/1/restore", ADMIN),
    ("POST", "/api/v1/users/1/restore", ADMIN),
    ("POST", "/api/v1/logs", INGEST),
    ("POST", "/api/v1/requests", INGEST),
    ("POST", "/api/v1/metrics", INGEST),
    ("POST", "/v1/logs", INGEST),
    ("POST", "/v1/traces", INGEST),
    ("POST", "/loki/api/v1/push", INGEST),
    ("GET", "/elastic", INGEST),
    ("GET", "/elastic/", INGEST),
    ("POST", "/elastic/_bulk", INGEST),
    ("PUT", "/elastic/_bulk", INGEST),
    ("POST", "/elastic/logs/_bulk", INGEST),
    ("PUT", "/elastic/logs/_bulk", INGEST),
];

const READ: &[KeyScope] = &[KeyScope::Read, KeyScope::Admin];
const INGEST: &[KeyScope] = &[KeyScope::Ingest, KeyScope::Admin];
const ADMIN: &[KeyScope] = &[KeyScope::Admin];

/// Routes for everybody.
const OPEN: &[&str] = &[
    "/health/live",
    "/health/ready",
    "/api/v1/openapi.json",
    "/docs",
    "/docs/page.js",
    "/docs/page.css",
];

/// The routes of the router: a new one has to be in the tables above.
#[tokio::test]
async fn every_route_is_in_the_table() {
    let server = TestServer::start().await;
    for (path, methods) in routes_of(&server).await {
        for method in methods {
            let path = path.replace("{index}", "logs");
            let path = path.replace("{id}", "1").replace("{trace_id}", "1");
            let is_known = ROUTES
                .iter()
                .any(|(known, of, _)| *known == method && *of == path);
            assert!(
                is_known || OPEN.contains(&path.as_str()),
                "{method} {path}: add it to ROUTES, with who may use it, or to OPEN"
            );
        }
    }
}

#[tokio::test]
async fn each_route_asks_for_a_key_that_may() {
    let server = TestServer::start().await;
    let mut keys = Vec::new();
    for scope in [KeyScope::Ingest, KeyScope::Read, KeyScope::Admin] {
        keys.push((scope, server.new_key(scope).await.1));
    }
    let wrong = format!("{}x", &server.key[..server.key.len() - 1]);
    for (method, path, allowed) in ROUTES {
        // A tail would not end: it refuses this after it has asked who reads.
        let path = &*path.replace("/tail", "/tail?last=x");
        let json = ("content-type", "application/json");
        for headers in [
            vec![json],
            vec![json, ("authorization", &*format!("Bearer {wrong}"))],
        ] {
            let answer = server.send(method, path, &headers, "{}").await;
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
        for (scope, key) in &keys {
            let bearer = format!("Bearer {key}");
            let headers = [json, ("authorization", &*bearer)];
            let answer = server.send(method, path, &headers, "{}").await;
            let is_refused = matches!(answer.status, 401 | 403);
            assert_eq!(
                is_refused,
                !allowed.contains(scope),
                "{method} {path} {scope}: {answer:?}"
            );
            assert!(answer.status < 500, "{method} {path} {scope}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn revoked_and_expired_keys_are_refused() {
    let server = TestServer::start().await;
    let (id, key) = server.new_key(KeyScope::Read).await;
    let bearer = format!("Bearer {key}");
    let ask = async || {
        let headers = [("authorization", &*bearer)];
        server
            .send("GET", "/api/v1/logs", &headers, "")
            .await
            .status
    };
    assert_eq!(ask().await, 200);
    sqlx::query("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = $1")
        .bind(id)
        .execute(&server.pool)
        .await
        .unwrap();
    assert_eq!(ask().await, 401);
    sqlx::query("UPDATE api_keys SET expires_at = now() + interval '1 day' WHERE id = $1")
        .bind(id)
        .execute(&server.pool)
        .await
        .unwrap();
    assert_eq!(ask().await, 200);
    ApiKey::records().delete(&server.pool, id).await.unwrap();
    assert_eq!(ask().await, 401);
    ApiKey::records().restore(&server.pool, id).await.unwrap();
    assert_eq!(ask().await, 200);
}

#[tokio::test]
async fn key_is_stored_as_a_hash_and_its_use_is_noted() {
    let server = TestServer::start().await;
    server.get("/api/v1/logs").await;
    let row = sqlx::query("SELECT to_jsonb(api_keys)::text AS all, last_used_at FROM api_keys")
        .fetch_one(&server.pool)
        .await
        .unwrap();
    let secret = server.key.rsplit('_').next().unwrap();
    assert!(!row.get::<String, _>("all").contains(secret));
    let used: Option<chrono::DateTime<chrono::Utc>> = row.get("last_used_at");
    assert!(used.is_some());
}

#[tokio::test]
async fn open_server_asks_for_no_key() {
    let server = TestServer::start_with(|settings| settings.is_open = true).await;
    assert_eq!(
        server.send("GET", "/api/v1/logs", &[], "").await.status,
        200
    );
    let answer = server
        .send(
            "POST",
            "/api/v1/logs",
            &[],
            r#"{"level":"info","msg":"hello"}"#,
        )
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(server.messages().await, ["hello"]);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let server = TestServer::start().await;
    let answer = server.get("/api/v2/logs").await;
    assert_eq!(
        (answer.status, answer.problem()),
        (404, "not-found".to_owned())
    );
    let answer = server.send("DELETE", "/api/v1/logs", &[], "").await;
    assert_eq!(
        (answer.status, answer.problem()),
        (405, "method-not-allowed".to_owned())
    );
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(
            server.send("GET", path, &[], "").await.status,
            200,
            "{path}"
        );
    }
}

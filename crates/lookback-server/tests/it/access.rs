//! Who may do what.

use lookback::{ApiKey, KeyScope};
use sqlx::Row as _;

use crate::openapi::routes_of;
use crate::support::TestServer;

/// Every route, and the scopes that may use it.
pub(crate) const ROUTES: &[(&str, &str, &[KeyScope])] = &[
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
    ("POST", "/api/v1/users", ADMIN),
    ("POST", "/api/v1/users/1/password", ADMIN),
    ("GET", "/api/v1/keys", ADMIN),
    ("POST", "/api/v1/keys", ADMIN),
    ("DELETE", "/api/v1/keys/1", ADMIN),
    ("GET", "/api/v1/session", SESSION),
    ("DELETE", "/api/v1/session", SESSION),
    ("POST", "/api/v1/session/password", SESSION),
    ("POST", "/api/v1/logs", INGEST),
    ("POST", "/api/v1/requests", INGEST),
    ("POST", "/api/v1/metrics", INGEST),
    ("GET", "/api/v1/alerts", READ),
    ("POST", "/api/v1/alerts", ADMIN),
    ("GET", "/api/v1/alerts/1", READ),
    ("PATCH", "/api/v1/alerts/1", ADMIN),
    ("DELETE", "/api/v1/alerts/1", ADMIN),
    ("POST", "/api/v1/alerts/1/test", ADMIN),
    ("GET", "/api/v1/alert_changes", READ),
    ("GET", "/api/v1/saved_searches", READ),
    ("GET", "/api/v1/saved_searches/1", READ),
    // Users may, too.
    ("POST", "/api/v1/saved_searches", ADMIN),
    ("PATCH", "/api/v1/saved_searches/1", ADMIN),
    ("DELETE", "/api/v1/saved_searches/1", ADMIN),
    ("GET", "/api/v1/storage", READ),
    ("GET", "/api/v1/status", READ),
    ("POST", "/v1/logs", INGEST),
    ("POST", "/v1/traces", INGEST),
    (
        "POST",
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        INGEST,
    ),
    (
        "POST",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        INGEST,
    ),
    ("POST", "/loki/api/v1/push", INGEST),
    ("POST", "/mcp", READ),
    ("GET", "/mcp", READ),
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

/// A user that is logged in, and no key.
const SESSION: &[KeyScope] = &[];

/// The routes that ask for nothing.
pub(crate) const OPEN: &[(&str, &str)] = &[
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("POST", "/api/v1/session"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/page.js"),
    ("GET", "/docs/page.css"),
    ("GET", "/"),
    ("GET", "/ui"),
    ("GET", "/ui/"),
    ("GET", "/ui/logs"),
];

/// The routes of the router itself: a new one has to be in a table above.
#[tokio::test]
async fn every_route_is_in_the_table() {
    let server = TestServer::start().await;
    let known: Vec<(&str, &str)> = ROUTES
        .iter()
        .map(|(method, path, _)| (*method, *path))
        .chain(OPEN.iter().copied())
        .collect();
    let routes = routes(&server).await;
    for (method, path) in &routes {
        assert!(
            known
                .iter()
                .any(|(known, sample)| known == method && is_of(sample, path)),
            "{method} {path} is in no table of this file"
        );
    }
    for (method, sample) in known {
        assert!(
            routes
                .iter()
                .any(|(known, path)| known == method && is_of(sample, path)),
            "there is no {method} {sample}"
        );
    }
}

/// The routes of the router, with their methods.
async fn routes(server: &TestServer) -> Vec<(String, String)> {
    let mut routes = Vec::new();
    for (path, mut methods) in routes_of(server).await {
        if path == "/mcp" {
            // A service that asks for a key before it looks at the method.
            methods.extend(["GET", "POST"].map(str::to_owned));
        }
        routes.extend(methods.into_iter().map(|method| (method, path.clone())));
    }
    routes
}

/// Whether a path is one of a route, whose parameters are in braces.
fn is_of(sample: &str, route: &str) -> bool {
    let (sample, route) = (sample.split('/'), route.split('/'));
    sample.clone().count() == route.clone().count()
        && sample
            .zip(route)
            .all(|(part, expected)| expected.starts_with('{') || part == expected)
}

#[tokio::test]
async fn each_route_asks_for_a_key_that_may() {
    let server = TestServer::start().await;
    let mut keys = Vec::new();
    for scope in [KeyScope::Ingest, KeyScope::Read, KeyScope::Admin] {
        keys.push((scope, server.new_key(scope).await.1));
    }
    // Keys have no 0.
    let wrong = format!("{}0", &server.key[..server.key.len() - 1]);
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

//! Every route, with every credential that is not enough.

use lookback::{ApiKey, KeyScope, UserRole};
use lookback_server::keys;

use crate::access::{OPEN, ROUTES};
use crate::support::{Browser, PASSWORD, TestServer};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A path for which there is no record, so that nothing is changed.
fn nothing(path: &str) -> String {
    // A tail would not end: it refuses this after it has asked who reads.
    path.replace("/1", "/999").replace("/tail", "/tail?last=x")
}

#[tokio::test]
async fn expired_and_revoked_keys_are_refused_by_each_route() {
    let server = TestServer::start().await;
    let mut conn = server.pool.acquire().await.unwrap();
    let past = chrono::Utc::now() - chrono::TimeDelta::seconds(1);
    let (_, expired) = keys::create(&mut conn, "old", KeyScope::Admin, Some(past))
        .await
        .unwrap();
    let (id, revoked) = server.new_key(KeyScope::Admin).await;
    ApiKey::records().delete(&server.pool, id).await.unwrap();
    let valid = server.key.clone();
    for (method, path, _) in ROUTES {
        for authorization in [
            format!("Bearer {}", expired.reveal()),
            format!("Bearer {revoked}"),
            format!("Bearer {valid}x"),
            format!("Bearer {}", valid.to_uppercase()),
            format!("Bearer {valid}, Bearer {valid}"),
            "Bearer ".to_owned(),
            "Basic Og==".to_owned(),
        ] {
            let headers = [JSON, ("authorization", &*authorization)];
            let answer = server.send(method, path, &headers, "{}").await;
            assert_eq!(answer.status, 401, "{method} {path} {authorization}");
        }
    }
}

#[tokio::test]
async fn each_route_asks_for_a_session_that_may() {
    let server = TestServer::start_with(|settings| settings.logins_per_minute = 0).await;
    let admin = server.browser("admin@shop.test", UserRole::Admin).await;
    let user = server.browser("user@shop.test", UserRole::User).await;
    let expired = server.browser("old@shop.test", UserRole::Admin).await;
    let deleted = server.browser("gone@shop.test", UserRole::Admin).await;
    let one_time = server.browser("new@shop.test", UserRole::Admin).await;
    server
        .execute(
            "UPDATE sessions SET expires_at = now() WHERE user_id = \
             (SELECT id FROM users WHERE email = 'old@shop.test')",
        )
        .await;
    server
        .execute("UPDATE users SET deleted_at = now() WHERE email = 'gone@shop.test'")
        .await;
    server
        .execute(
            "INSERT INTO one_time_passwords SELECT id, sha256(convert_to(password_hash, 'UTF8')), \
             now() FROM users WHERE email = 'new@shop.test'",
        )
        .await;
    let wrong_cookie = Browser {
        cookie: format!("lookback_session={}", "A".repeat(43)),
        ..admin.clone()
    };
    for (method, path, scopes) in ROUTES {
        let path = nothing(path);
        let is_session = scopes.is_empty();
        let is_read = scopes.contains(&KeyScope::Read);
        let changes = !matches!(*method, "GET" | "HEAD");
        let send = async |headers: &[(&str, &str)]| {
            let answer = server.send(method, &path, headers, "{}").await;
            assert!(
                answer.status < 500,
                "{method} {path} {headers:?}: {answer:?}"
            );
            answer
        };
        for browser in [&expired, &deleted, &wrong_cookie] {
            let answer = send(&browser.headers()).await;
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(answer.problem(), "not-authenticated");
        }
        // A page of another origin, or one that does not know the token.
        for headers in [
            vec![JSON, ("cookie", &*admin.cookie)],
            vec![JSON, ("cookie", &admin.cookie), ("x-csrf-token", "")],
            vec![
                JSON,
                ("cookie", &admin.cookie),
                ("x-csrf-token", &user.csrf_token),
            ],
            vec![
                JSON,
                ("cookie", &admin.cookie),
                ("x-csrf-token", &admin.csrf_token),
                ("sec-fetch-site", "cross-site"),
            ],
            vec![
                JSON,
                ("cookie", &admin.cookie),
                ("x-csrf-token", &admin.csrf_token),
                ("origin", "https://evil.example"),
            ],
        ] {
            let answer = send(&headers).await;
            let is_refused = answer.status == 403;
            assert_eq!(
                is_refused, changes,
                "{method} {path} {headers:?}: {answer:?}"
            );
            if is_refused {
                assert_eq!(answer.problem(), "cross-site");
            }
        }
        if !is_session {
            let answer = send(&one_time.headers()).await;
            assert_eq!(
                (answer.status, answer.problem()),
                (403, "password-change-required".to_owned()),
                "{method} {path}"
            );
        }
        if *method == "DELETE" && is_session {
            // It ends the session.
            continue;
        }
        let answer = send(&user.headers()).await;
        let is_of_team = path.starts_with("/api/v1/saved_searches");
        if is_read || is_of_team || (is_session && !changes) {
            assert!(
                !matches!(answer.status, 401 | 403),
                "{method} {path}: {answer:?}"
            );
        } else if !is_session {
            assert_eq!(
                (answer.status, answer.problem()),
                (403, "not-allowed".to_owned()),
                "{method} {path}"
            );
        }
        let answer = send(&admin.headers()).await;
        assert!(
            !matches!(answer.status, 401 | 403),
            "{method} {path}: {answer:?}"
        );
    }
    for (method, path) in OPEN {
        let answer = server.send(method, path, &[JSON], "{}").await;
        assert!(
            !matches!(answer.status, 401 | 403 | 500..),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn key_is_chosen_over_a_cookie() {
    let server = TestServer::start().await;
    let admin = server.browser("admin@shop.test", UserRole::Admin).await;
    let (_, key) = server.new_key(KeyScope::Ingest).await;
    let bearer = format!("Bearer {key}");
    let with_both = [&admin.headers()[..], &[("authorization", &*bearer)]].concat();
    let answer = server.send("GET", "/api/v1/logs", &with_both, "").await;
    assert_eq!(
        (answer.status, answer.problem()),
        (403, "not-allowed".to_owned())
    );
    let wrong = [&admin.headers()[..], &[("authorization", "Bearer lb_x")]].concat();
    let answer = server.send("GET", "/api/v1/logs", &wrong, "").await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn open_server_is_not_for_pages_of_other_hosts() {
    let server = TestServer::start_with(|settings| settings.is_open = true).await;
    let line = r#"{"level":"info","msg":"hello"}"#;
    for (headers, status) in [
        // A domain whose address became this one.
        (vec![("host", "evil.example:4000")], 403),
        // A form, or a script that need not read the answer.
        (vec![("origin", "http://evil.example")], 403),
        (vec![("sec-fetch-site", "cross-site")], 403),
        (vec![("host", "localhost:4000")], 200),
        (vec![], 200),
    ] {
        let answer = server.send("POST", "/api/v1/logs", &headers, line).await;
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
        if status == 403 {
            assert_eq!(answer.problem(), "cross-site");
        }
    }
    let host = [("host", "evil.example")];
    let answer = server.send("GET", "/api/v1/logs", &host, "").await;
    assert_eq!(answer.status, 403);
    assert_eq!(server.messages().await, ["hello", "hello"]);
    let answer = server.send("GET", "/api/v1/session", &[], "").await;
    assert_eq!(answer.json()["data"]["is_open"], true);
}

#[tokio::test]
async fn every_answer_has_headers_for_browsers() {
    let server = TestServer::start().await;
    for (method, path, status) in [
        ("GET", "/api/v1/logs", 401),
        ("GET", "/health/live", 200),
        ("GET", "/nothing", 404),
        ("DELETE", "/api/v1/logs", 405),
    ] {
        let answer = server.send(method, path, &[], "").await;
        assert_eq!(answer.status, status);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers[name], value, "{path}");
        }
        // Not over http, and without `cors_origins`.
        for name in ["strict-transport-security", "access-control-allow-origin"] {
            assert!(!answer.headers.contains_key(name), "{path}");
        }
    }
}

#[tokio::test]
async fn pages_of_configured_origins_use_a_key_and_no_cookie() {
    let server = TestServer::start_with(|settings| {
        settings.cors_origins = vec!["https://status.example".parse().unwrap()];
    })
    .await;
    let preflight = async |origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "DELETE"),
            ("access-control-request-headers", "authorization"),
        ];
        server.send("OPTIONS", "/api/v1/logs/1", &headers, "").await
    };
    let answer = preflight("https://status.example").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.headers["access-control-allow-origin"],
        "https://status.example"
    );
    let methods = answer.headers["access-control-allow-methods"].to_str();
    assert!(methods.unwrap().contains("DELETE"));
    let credentials = "access-control-allow-credentials";
    assert!(!answer.headers.contains_key(credentials));
    for origin in [
        "https://evil.example",
        "null",
        "https://status.example.evil",
    ] {
        let answer = preflight(origin).await;
        assert!(
            !answer.headers.contains_key("access-control-allow-origin"),
            "{origin}: {answer:?}"
        );
    }
    let bearer = format!("Bearer {}", server.key);
    let headers = [
        ("origin", "https://status.example"),
        ("authorization", &*bearer),
    ];
    let answer = server.send("GET", "/api/v1/logs", &headers, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.headers["access-control-allow-origin"],
        "https://status.example"
    );
    let admin = server.browser("admin@shop.test", UserRole::Admin).await;
    let headers = [
        ("origin", "https://status.example"),
        ("cookie", &*admin.cookie),
        ("x-csrf-token", &admin.csrf_token),
    ];
    let answer = server.send("POST", "/api/v1/logs", &headers, "x").await;
    assert_eq!(
        (answer.status, answer.problem()),
        (403, "cross-site".to_owned())
    );
}

#[tokio::test]
async fn requests_of_an_address_and_of_a_key_are_limited() {
    let limited = |settings: &mut lookback_server::Settings| settings.requests_per_second = 1;
    let server = TestServer::start_with(limited).await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let answer = server.get("/api/v1/logs").await;
        if answer.status == 429 {
            assert_eq!(answer.problem(), "too-many-requests");
            assert_eq!(answer.headers["retry-after"], "1");
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses[..5], [200; 5]);
    assert!(statuses[5..].contains(&429), "{statuses:?}");
    // A forged address is no other.
    let forged = [
        ("x-forwarded-for", "203.0.113.77"),
        ("forwarded", "for=203.0.113.77"),
    ];
    let mut refused = 0;
    for _ in 0..5 {
        let answer = server.send("GET", "/health/live", &forged, "").await;
        refused += u32::from(answer.status == 429);
    }
    assert!(refused > 0);

    // Behind a proxy that is trusted, addresses are those of clients, and a key counts by itself.
    let server = TestServer::start_with(|settings| {
        limited(settings);
        let proxies = lookback::capture::TrustedProxies::none();
        settings.trusted_proxies = proxies.and("127.0.0.1").unwrap();
    })
    .await;
    let bearer = format!("Bearer {}", server.key);
    let mut refused = 0;
    for n in 0..12 {
        let address = format!("203.0.113.{n}");
        let headers = [("authorization", &*bearer), ("x-forwarded-for", &address)];
        let answer = server.send("GET", "/api/v1/logs", &headers, "").await;
        refused += u32::from(answer.status == 429);
        assert!(n > 4 || answer.status == 200, "{answer:?}");
    }
    assert!(refused > 0);
    let (_, other) = server.new_key(KeyScope::Read).await;
    let bearer = format!("Bearer {other}");
    let headers = [
        ("authorization", &*bearer),
        ("x-forwarded-for", "203.0.113.99"),
    ];
    let answer = server.send("GET", "/api/v1/logs", &headers, "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn log_ins_of_an_address_are_limited() {
    let server = TestServer::start_with(|settings| settings.logins_per_minute = 3).await;
    server.new_user("ada@shop.test", UserRole::User).await;
    for _ in 0..3 {
        let answer = server.log_in("ada@shop.test", PASSWORD).await;
        assert_eq!(answer.status, 200);
    }
    let answer = server.log_in("ada@shop.test", PASSWORD).await;
    assert_eq!(
        (answer.status, answer.problem()),
        (429, "too-many-requests".to_owned())
    );
    // Records are still read.
    assert_eq!(server.get("/api/v1/logs").await.status, 200);
}

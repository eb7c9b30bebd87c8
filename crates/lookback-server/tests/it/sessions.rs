//! Logging in and out, and the end of sessions.

use lookback::{KeyScope, NewUser, User, UserPatch, UserRole};
use lookback_server::{Server, Settings};
use sqlx::Row as _;
use tower::ServiceExt as _;

use crate::support::{Browser, PASSWORD, TestServer};

const ADA: &str = "ada@shop.test";

async fn status(server: &TestServer, browser: &Browser) -> u16 {
    let headers = browser.headers();
    let answer = server.send("GET", "/api/v1/session", &headers, "").await;
    answer.status
}

fn behind_proxy(settings: &mut Settings) {
    let proxies = lookback::capture::TrustedProxies::none();
    settings.trusted_proxies = proxies.and("127.0.0.1").unwrap();
    settings.logins_per_minute = 0;
}

#[tokio::test]
async fn session_begins_and_ends() {
    let server = TestServer::start().await;
    let id = server.new_user(ADA, UserRole::User).await;
    let answer = server.log_in("ADA@shop.test", PASSWORD).await;
    let json = answer.json();
    assert_eq!(json["data"]["user"]["id"], id.unsigned_abs());
    assert_eq!(json["data"]["user"]["email"], ADA);
    assert_eq!(json["data"]["user"]["role"], "user");
    assert_eq!(json["data"]["must_change_password"], false);
    let cookie = answer.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800"),
        "{cookie}"
    );
    let browser = Browser::of(&answer);
    let headers = browser.headers();
    let shown = server.send("GET", "/api/v1/session", &headers, "").await;
    assert_eq!(shown.json(), json);
    let read = server.send("GET", "/api/v1/logs", &headers, "").await;
    assert_eq!(read.status, 200);

    let ended = server.send("DELETE", "/api/v1/session", &headers, "").await;
    assert_eq!(ended.status, 204, "{ended:?}");
    assert!(
        ended.headers["set-cookie"]
            .to_str()
            .unwrap()
            .contains("=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"),
    );
    assert_eq!(status(&server, &browser).await, 401);
}

#[tokio::test]
async fn user_is_found_by_the_email_in_any_case() {
    let server = TestServer::start().await;
    server.new_user("Åsa@Example.se", UserRole::User).await;
    for email in [
        "Åsa@Example.se",
        "åsa@example.se",
        "ÅSA@EXAMPLE.SE",
        "A\u{30a}SA@example.se",
    ] {
        assert_eq!(server.log_in(email, PASSWORD).await.status, 200, "{email}");
    }
    let accentless = server.log_in("Asa@Example.se", PASSWORD).await;
    assert_eq!(accentless.status, 401);
}

#[tokio::test]
async fn token_is_stored_as_a_hash_only() {
    let server = TestServer::start().await;
    let browser = server.browser(ADA, UserRole::User).await;
    let row = sqlx::query("SELECT to_jsonb(sessions)::text AS all FROM sessions")
        .fetch_one(&server.pool)
        .await
        .unwrap();
    let all: String = row.get("all");
    let token = browser.cookie.split_once('=').unwrap().1;
    let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
    for secret in [token, &hex, &browser.csrf_token] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[tokio::test]
async fn unknown_user_and_wrong_password_get_the_same_answer() {
    let server = TestServer::start().await;
    server.new_user(ADA, UserRole::User).await;
    for (email, hash) in [
        ("imported@shop.test", lookback::password::NO_PASSWORD),
        ("broken@shop.test", "no hash"),
    ] {
        let user = NewUser::new(email, hash);
        User::records().create(&server.pool, user).await.unwrap();
    }
    let gone = server.new_user("gone@shop.test", UserRole::User).await;
    User::records().delete(&server.pool, gone).await.unwrap();
    let wrong = server.log_in(ADA, "incorrect horse").await;
    assert_eq!(
        (wrong.status, wrong.problem()),
        (401, "wrong-credentials".to_owned())
    );
    let without_date = |answer: &crate::support::Answer| {
        let mut headers = answer.headers.clone();
        headers.remove("date");
        headers
    };
    for (email, password) in [
        ("bob@shop.test", PASSWORD),
        ("imported@shop.test", "!"),
        ("imported@shop.test", ""),
        ("broken@shop.test", PASSWORD),
        ("gone@shop.test", PASSWORD),
        ("", ""),
        ("ada@shop.test' OR '1'='1", PASSWORD),
        ("ada@shop.test\0", PASSWORD),
        ("%", PASSWORD),
    ] {
        let answer = server.log_in(email, password).await;
        assert_eq!(answer.status, wrong.status, "{email:?}");
        assert_eq!(answer.body, wrong.body, "{email:?}");
        assert_eq!(without_date(&answer), without_date(&wrong), "{email:?}");
    }
}

#[tokio::test]
async fn session_ends_when_it_is_old_unused_or_its_user_changes() {
    let server = TestServer::start_with(|settings| settings.logins_per_minute = 0).await;
    let id = server.new_user(ADA, UserRole::Admin).await;
    server.new_user("other@shop.test", UserRole::Admin).await;
    let log_in = async || Browser::of(&server.log_in(ADA, PASSWORD).await);
    let minutes_ago = async |column: &str, minutes: i32| {
        let sql = match column {
            "last_used_at" => {
                "UPDATE sessions SET last_used_at = now() - make_interval(mins => $1)"
            }
            _ => "UPDATE sessions SET expires_at = now() - make_interval(mins => $1)",
        };
        sqlx::query(sql)
            .bind(minutes)
            .execute(&server.pool)
            .await
            .unwrap();
    };

    let browser = log_in().await;
    minutes_ago("last_used_at", 11 * 60).await;
    assert_eq!(status(&server, &browser).await, 200);
    // It was just used.
    let unused: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sessions WHERE last_used_at < now() - interval '1 hour'",
    )
    .fetch_one(&server.pool)
    .await
    .unwrap();
    assert_eq!(unused, 0);
    minutes_ago("last_used_at", 13 * 60).await;
    assert_eq!(status(&server, &browser).await, 401);

    let browser = log_in().await;
    minutes_ago("expires_at", -1).await;
    assert_eq!(status(&server, &browser).await, 200);
    minutes_ago("expires_at", 0).await;
    assert_eq!(status(&server, &browser).await, 401);
    assert_eq!(server.server.forget_old_sessions().await.unwrap(), 2);

    let change = async |patch: UserPatch| {
        User::records()
            .update(&server.pool, id, patch)
            .await
            .unwrap();
    };
    let browser = log_in().await;
    change(UserPatch::default().role(UserRole::User)).await;
    assert_eq!(status(&server, &browser).await, 401);

    // By another program.
    let browser = log_in().await;
    server.execute("UPDATE users SET role = 'admin'").await;
    assert_eq!(status(&server, &browser).await, 401);

    let browser = log_in().await;
    change(UserPatch::default().password_hash(lookback::password::NO_PASSWORD)).await;
    assert_eq!(status(&server, &browser).await, 401);
    let hash = lookback::password::hash(PASSWORD).unwrap();
    change(UserPatch::default().password_hash(hash)).await;

    let browser = log_in().await;
    User::records().delete(&server.pool, id).await.unwrap();
    assert_eq!(status(&server, &browser).await, 401);
    User::records().restore(&server.pool, id).await.unwrap();
    assert_eq!(status(&server, &browser).await, 401);
}

#[tokio::test]
async fn changed_password_ends_all_other_sessions() {
    let server = TestServer::start().await;
    let other = server.browser(ADA, UserRole::User).await;
    let browser = Browser::of(&server.log_in(ADA, PASSWORD).await);
    let change = async |current: &str, new: &str| {
        let body = lookback::json!({ "current": current, "new": new }).to_string();
        let path = "/api/v1/session/password";
        server.send("POST", path, &browser.headers(), body).await
    };
    let new = "a staple for the battery horse";
    let wrong = change("wrong horse", new).await;
    assert_eq!(
        (wrong.status, wrong.problem()),
        (401, "wrong-credentials".to_owned())
    );
    for weak in ["short", "password1234", "ada@shop.test", PASSWORD] {
        let answer = change(PASSWORD, weak).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (422, "invalid-record".to_owned()),
            "{weak}"
        );
        assert_eq!(answer.json()["errors"][0]["field"], "password");
        assert!(!String::from_utf8_lossy(&answer.body).contains(weak));
    }
    let changed = change(PASSWORD, new).await;
    let again = Browser::of(&changed);
    assert_eq!(status(&server, &again).await, 200);
    for ended in [&browser, &other] {
        assert_eq!(status(&server, ended).await, 401);
    }
    assert_eq!(server.log_in(ADA, PASSWORD).await.status, 401);
    assert_eq!(server.log_in(ADA, new).await.status, 200);
}

#[tokio::test]
async fn token_that_was_sent_never_becomes_that_of_a_session() {
    let server = TestServer::start().await;
    let attacker = server.browser("eve@shop.test", UserRole::User).await;
    server.new_user(ADA, UserRole::Admin).await;
    // A token that nobody has, and that of the attacker, put into the browser of another.
    let made_up = format!("lookback_session={}", "A".repeat(43));
    for fixed in [&made_up, &attacker.cookie] {
        let headers = [("cookie", fixed.as_str())];
        let browser = Browser::of(&server.log_in_with(ADA, PASSWORD, &headers).await);
        assert_ne!(&browser.cookie, fixed);
        let fixed = Browser {
            cookie: fixed.clone(),
            ..browser.clone()
        };
        assert_eq!(status(&server, &fixed).await, 401);
        assert_eq!(status(&server, &browser).await, 200);
    }
    // Each log-in has another token.
    let one = Browser::of(&server.log_in(ADA, PASSWORD).await);
    let other = Browser::of(&server.log_in(ADA, PASSWORD).await);
    assert_ne!(one.cookie, other.cookie);
    assert_ne!(one.csrf_token, other.csrf_token);
    // With two cookies, it is not known which the server set.
    let both = format!("{}; {}", one.cookie, attacker.cookie);
    let headers = [("cookie", both.as_str())];
    let answer = server.send("GET", "/api/v1/session", &headers, "").await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn other_pages_cannot_log_a_visitor_in() {
    let server = TestServer::start().await;
    server.new_user("eve@shop.test", UserRole::User).await;
    for header in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let answer = server
            .log_in_with("eve@shop.test", PASSWORD, &[header])
            .await;
        assert_eq!(
            (answer.status, answer.problem()),
            (403, "cross-site".to_owned())
        );
        assert!(!answer.headers.contains_key("set-cookie"));
    }
    // What a form sends.
    let body = format!(r#"{{"email":"eve@shop.test","password":"{PASSWORD}"}}"#);
    for content_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let headers = [("content-type", content_type)];
        let answer = server
            .send("POST", "/api/v1/session", &headers, body.clone())
            .await;
        assert_eq!(answer.status, 415, "{content_type}");
    }
}

/// Makes the one attempt that has to wait for a second wait for ten minutes: a busy machine takes
/// more than a second.
async fn prolong(server: &TestServer, kind: &str) {
    let prolonged = sqlx::query(
        "UPDATE login_attempts SET blocked_until = now() + interval '10 minutes' \
         WHERE subject LIKE $1 || ' %' \
           AND abs(extract(epoch FROM blocked_until - last_failed_at) - 1) < 0.001",
    );
    let prolonged = prolonged.bind(kind).execute(&server.pool).await.unwrap();
    assert_eq!(prolonged.rows_affected(), 1);
}

#[tokio::test]
async fn guesses_have_to_wait_on_every_server() {
    let server = TestServer::start_with(|settings| settings.logins_per_minute = 0).await;
    server.new_user(ADA, UserRole::User).await;
    server.new_user("bob@shop.test", UserRole::User).await;
    for email in [ADA, "nobody@shop.test"] {
        for _ in 0..5 {
            assert_eq!(server.log_in(email, "wrong horse").await.status, 401);
        }
        prolong(&server, "account").await;
        // Also if it is right, and for an e-mail of no user.
        let answer = server.log_in(email, PASSWORD).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (429, "too-many-requests".to_owned())
        );
        let seconds: u32 = answer.headers["retry-after"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((400..=600).contains(&seconds), "{seconds}");
    }
    let wait = async |seconds: f64| {
        // As if the time had passed.
        sqlx::query(
            "UPDATE login_attempts SET blocked_until = blocked_until - make_interval(secs => $1)",
        )
        .bind(seconds)
        .execute(&server.pool)
        .await
        .unwrap();
    };
    let blocked = async || -> f64 {
        sqlx::query_scalar(
            "SELECT max(extract(epoch FROM blocked_until - last_failed_at))::float8 \
             FROM login_attempts",
        )
        .fetch_one(&server.pool)
        .await
        .unwrap()
    };
    for expected in [2.0, 4.0, 8.0] {
        wait(1_000.0).await;
        assert_eq!(server.log_in(ADA, "wrong horse").await.status, 401);
        assert!((blocked().await - expected).abs() < 0.001, "{expected}");
    }
    // Another server on the same database.
    let other = Server::new(server.pool.clone(), Settings::default());
    let request = axum::http::Request::post("/api/v1/session")
        .header("content-type", "application/json")
        .body(axum::body::Body::from(format!(
            r#"{{"email":"{ADA}","password":"{PASSWORD}"}}"#
        )))
        .unwrap();
    let response = other.router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 429);
    // Never longer than 15 minutes, and not for good.
    server
        .execute("UPDATE login_attempts SET failures = 1000000 WHERE subject LIKE 'account %'")
        .await;
    wait(1_000.0).await;
    assert_eq!(server.log_in(ADA, "wrong horse").await.status, 401);
    assert!((blocked().await - 900.0).abs() < 0.001);
    wait(1_000.0).await;
    assert_eq!(server.log_in(ADA, PASSWORD).await.status, 200);
    // All others were not concerned.
    assert_eq!(server.log_in("bob@shop.test", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn guesses_at_a_time_are_no_way_around() {
    let server = TestServer::start_with(|settings| settings.logins_per_minute = 0).await;
    server.new_user(ADA, UserRole::User).await;
    let guesses = (0..30).map(|_| server.log_in(ADA, "wrong horse"));
    let answers = futures_util::future::join_all(guesses).await;
    let checked = answers.iter().filter(|answer| answer.status == 401).count();
    // Five, and one more after each pause, while this machine takes its time.
    assert!((5..15).contains(&checked), "{checked}");
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer.status, 401 | 429))
    );
}

#[tokio::test]
async fn who_guesses_does_not_keep_the_user_out() {
    let server = TestServer::start_with(behind_proxy).await;
    server.new_user(ADA, UserRole::Admin).await;
    let home = [("x-forwarded-for", "198.51.100.1")];
    assert_eq!(server.log_in_with(ADA, PASSWORD, &home).await.status, 200);
    let away = [("x-forwarded-for", "203.0.113.9")];
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(server.log_in_with(ADA, "wrong horse", &away).await.status);
    }
    assert_eq!(statuses, [401; 5]);
    prolong(&server, "account").await;
    assert_eq!(
        server.log_in_with(ADA, "wrong horse", &away).await.status,
        429
    );
    assert_eq!(server.log_in_with(ADA, PASSWORD, &home).await.status, 200);
    // From elsewhere, the user has to wait, too.
    let hotel = [("x-forwarded-for", "198.51.100.2")];
    assert_eq!(server.log_in_with(ADA, PASSWORD, &hotel).await.status, 429);
}

#[tokio::test]
async fn guesses_at_many_accounts_are_counted_by_their_true_address() {
    let server = TestServer::start_with(|settings| settings.logins_per_minute = 0).await;
    let mut statuses = Vec::new();
    for n in 0..21 {
        let (address, email) = (format!("203.0.113.{n}"), format!("user{n}@shop.test"));
        let forged = [
            ("x-forwarded-for", address.as_str()),
            ("x-real-ip", &address),
        ];
        if n == 20 {
            prolong(&server, "network").await;
        }
        let answer = server.log_in_with(&email, PASSWORD, &forged).await;
        statuses.push(answer.status);
    }
    assert_eq!(statuses[..20], [401; 20]);
    assert_eq!(statuses[20], 429);
    // What is stored of them tells neither addresses nor e-mails.
    let rows: Vec<String> = sqlx::query_scalar("SELECT to_jsonb(a)::text FROM login_attempts a")
        .fetch_all(&server.pool)
        .await
        .unwrap();
    assert!(
        rows.iter()
            .all(|row| !row.contains("shop.test") && !row.contains("127.0.0.1"))
    );
    // They are forgotten when they no longer count.
    server
        .execute(
            "UPDATE login_attempts SET last_failed_at = now() - interval '2 hours', \
             blocked_until = now() - interval '2 hours'",
        )
        .await;
    let forgotten = server.server.forget_old_sessions().await.unwrap();
    assert_eq!(forgotten, rows.len() as u64);
}

#[tokio::test]
async fn cookie_is_secure_behind_a_proxy_with_tls() {
    let server = TestServer::start_with(behind_proxy).await;
    server.new_user(ADA, UserRole::User).await;
    let https = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "198.51.100.1"),
    ];
    let answer = server.log_in_with(ADA, PASSWORD, &https).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-lookback_session="), "{cookie}");
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    assert!(answer.headers.contains_key("strict-transport-security"));
    let browser = Browser::of(&answer);
    let sent = [&browser.headers()[..], &https].concat();
    let read = async |headers: &[(&str, &str)]| {
        server.send("GET", "/api/v1/logs", headers, "").await.status
    };
    assert_eq!(read(&sent).await, 200);
    // Nor is the cookie that a host of the same domain can set.
    let plain = browser.cookie.replace("__Host-", "");
    let plain = [("cookie", plain.as_str()), https[0], https[1]];
    assert_eq!(read(&plain).await, 401);
}

#[tokio::test]
async fn session_of_an_admin_stores_under_a_key_of_its_own() {
    let server = TestServer::start().await;
    let admin = server.browser(ADA, UserRole::Admin).await;
    let (_, key) = server.new_key(KeyScope::Ingest).await;
    let bearer = format!("Bearer {key}");
    let line = r#"{"level":"info","msg":"hello"}"#;
    let idempotency_key = ("idempotency-key", "1");
    let session = [&admin.headers()[..], &[idempotency_key]].concat();
    let by_key = [("authorization", &*bearer), idempotency_key];
    for headers in [&session[..], &session, &by_key] {
        let answer = server.send("POST", "/api/v1/logs", headers, line).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(server.messages().await, ["hello", "hello"]);
}

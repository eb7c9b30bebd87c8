//! Users and keys over HTTP, and the first admin.

use lookback::{Json, User, UserRole, json};
use lookback_server::users::{FirstAdmin, first_admin};

use crate::support::{Answer, Browser, PASSWORD, TestServer};

async fn send(server: &TestServer, method: &str, path: &str, body: &Json) -> Answer {
    let bearer = format!("Bearer {}", server.key);
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    server.send(method, path, &headers, body.to_string()).await
}

fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, answer.problem())
}

#[tokio::test]
async fn admin_makes_changes_deletes_and_restores_users() {
    let server = TestServer::start().await;
    let new = json!({ "email": "ada@shop.test", "password": PASSWORD });
    let made = send(&server, "POST", "/api/v1/users", &new).await;
    assert_eq!(made.status, 201, "{made:?}");
    let user = &made.json()["data"];
    assert_eq!(user["role"], "user");
    assert!(!String::from_utf8_lossy(&made.body).contains("argon2"));
    let path = format!("/api/v1/users/{}", user["id"]);
    let again = send(&server, "POST", "/api/v1/users", &new).await;
    assert_eq!(refusal(&again), (409, "conflict".to_owned()));
    let browser = Browser::of(&server.log_in("ada@shop.test", PASSWORD).await);

    let changed = send(&server, "PATCH", &path, &json!({ "role": "admin" })).await;
    assert_eq!(changed.json()["data"]["role"], "admin");
    let ended = server
        .send("GET", "/api/v1/session", &browser.headers(), "")
        .await;
    assert_eq!(ended.status, 401);

    let other = "a staple for the battery horse";
    let body = json!({ "password": other, "is_one_time": true });
    let set = send(&server, "POST", &format!("{path}/password"), &body).await;
    assert_eq!(set.status, 204, "{set:?}");
    assert_eq!(server.log_in("ada@shop.test", PASSWORD).await.status, 401);
    let answer = server.log_in("ada@shop.test", other).await;
    assert_eq!(answer.json()["data"]["must_change_password"], true);

    // There is another admin, so this one can go.
    server.new_user("root@shop.test", UserRole::Admin).await;
    let none = Json::Object(lookback::value::JsonMap::new());
    assert_eq!(send(&server, "DELETE", &path, &none).await.status, 204);
    assert_eq!(server.log_in("ada@shop.test", other).await.status, 401);
    assert_eq!(send(&server, "DELETE", &path, &none).await.status, 404);
    let restored = send(&server, "POST", &format!("{path}/restore"), &none).await;
    assert_eq!(restored.json()["data"]["email"], "ada@shop.test");
    assert_eq!(server.log_in("ada@shop.test", other).await.status, 200);
}

#[tokio::test]
async fn wrong_users_are_refused_by_field() {
    let server = TestServer::start().await;
    let id = server.new_user("ada@shop.test", UserRole::User).await;
    let path = format!("/api/v1/users/{id}");
    for (body, status, problem, text) in [
        (
            json!({ "email": "x", "password": PASSWORD }),
            422,
            "invalid-record",
            "email",
        ),
        (
            json!({ "email": "a@b.c", "password": "short" }),
            422,
            "invalid-record",
            "password",
        ),
        (
            json!({ "email": "password@b.c", "password": "password1" }),
            422,
            "invalid-record",
            "password",
        ),
        (json!({ "email": "a@b.c" }), 400, "invalid-body", "password"),
        (
            json!({ "email": "a@b.c", "password": PASSWORD, "role": "root" }),
            400,
            "invalid-body",
            "admin, user",
        ),
        (
            json!({ "email": "a@b.c", "password_hash": "x", "password": PASSWORD }),
            400,
            "invalid-body",
            "password_hash",
        ),
        (json!([]), 400, "invalid-body", "body"),
    ] {
        let answer = send(&server, "POST", "/api/v1/users", &body).await;
        assert_eq!(refusal(&answer), (status, problem.to_owned()), "{body}");
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(told.contains(text), "{told}");
    }
    for field in [
        "password_hash",
        "deleted_at",
        "id",
        "embedding",
        "created_at",
        "x",
    ] {
        let mut map = lookback::value::JsonMap::new();
        map.insert(field.to_owned(), Json::from("x"));
        let answer = send(&server, "PATCH", &path, &Json::Object(map)).await;
        assert_eq!(refusal(&answer), (422, "invalid-record".to_owned()));
        assert_eq!(answer.json()["errors"][0]["field"], field);
    }
    assert_eq!(server.log_in("ada@shop.test", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn last_admin_who_can_log_in_stays() {
    let server = TestServer::start().await;
    let id = server.new_user("ada@shop.test", UserRole::Admin).await;
    // It has no password.
    let imported = lookback::NewUser::new("imported@shop.test", lookback::password::NO_PASSWORD);
    let imported = imported.role(UserRole::Admin);
    User::records()
        .create(&server.pool, imported)
        .await
        .unwrap();
    let path = format!("/api/v1/users/{id}");
    let none = json!({});
    let demote = json!({ "role": "user" });
    let deleted = send(&server, "DELETE", &path, &none).await;
    assert_eq!(refusal(&deleted), (409, "conflict".to_owned()));
    let hard = send(&server, "DELETE", &format!("{path}?hard=true"), &none).await;
    assert_eq!(hard.status, 409);
    let demoted = send(&server, "PATCH", &path, &demote).await;
    assert_eq!(refusal(&demoted), (409, "conflict".to_owned()));
    let text = String::from_utf8_lossy(&demoted.body).into_owned();
    assert!(text.contains("is the last admin"), "{text}");
    let renamed = json!({ "email": "lovelace@shop.test" });
    assert_eq!(send(&server, "PATCH", &path, &renamed).await.status, 200);

    // Two that demote each other at a time: one stays.
    for round in 0..5 {
        let other = format!("admin{round}@shop.test");
        let other = server.new_user(&other, UserRole::Admin).await;
        server
            .execute("UPDATE users SET role = 'admin' WHERE email = 'lovelace@shop.test'")
            .await;
        let other = format!("/api/v1/users/{other}");
        let (one, two) = tokio::join!(
            send(&server, "PATCH", &path, &demote),
            send(&server, "DELETE", &other, &none)
        );
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert!(
            statuses == [200, 409] || statuses == [204, 409],
            "{statuses:?}"
        );
        let admins: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM users WHERE role = 'admin' AND deleted_at IS NULL \
             AND password_hash <> '!'",
        )
        .fetch_one(&server.pool)
        .await
        .unwrap();
        assert_eq!(admins, 1);
        server
            .execute("UPDATE users SET deleted_at = now() WHERE email LIKE 'admin%'")
            .await;
    }
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked() {
    let server = TestServer::start().await;
    let admin = server.browser("ada@shop.test", UserRole::Admin).await;
    let as_admin = async |method: &str, path: &str, body: &str| {
        server
            .send(method, path, &admin.headers(), body.to_owned())
            .await
    };
    let body = r#"{"name":"shop","scope":"read","expires_at":"2100-01-01T00:00:00Z"}"#;
    let made = as_admin("POST", "/api/v1/keys", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let json = made.json();
    let key = json["key"].as_str().unwrap().to_owned();
    let id = json["data"]["id"].to_string();
    let bearer = format!("Bearer {key}");
    let read = async || {
        let headers = [("authorization", &*bearer)];
        server
            .send("GET", "/api/v1/logs", &headers, "")
            .await
            .status
    };
    assert_eq!(read().await, 200);
    let listed = as_admin("GET", "/api/v1/keys?name=shop", "").await;
    let text = String::from_utf8_lossy(&listed.body).into_owned();
    assert!(text.contains("\"shop\""), "{text}");
    assert!(
        !text.contains(&key[12..]) && !text.contains("key_hash"),
        "{text}"
    );
    let hidden = as_admin("GET", "/api/v1/keys?key_hash=x", "").await;
    assert_eq!(refusal(&hidden), (400, "invalid-query".to_owned()));
    let revoked = as_admin("DELETE", &format!("/api/v1/keys/{id}"), "").await;
    assert_eq!(revoked.status, 204);
    assert_eq!(read().await, 401);
    let again = as_admin("DELETE", &format!("/api/v1/keys/{id}"), "").await;
    assert_eq!(again.status, 404);
    for (body, status, text) in [
        (r#"{"name":" ","scope":"read"}"#, 422, "name"),
        (r#"{"name":"x","scope":"all"}"#, 400, "ingest, read, admin"),
        (r#"{"name":"x"}"#, 400, "scope"),
        (
            r#"{"name":"x","scope":"read","expires_at":"soon"}"#,
            400,
            "body",
        ),
        (
            r#"{"name":"x","scope":"read","key_hash":"x"}"#,
            400,
            "key_hash",
        ),
    ] {
        let answer = as_admin("POST", "/api/v1/keys", body).await;
        assert_eq!(answer.status, status, "{body}");
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(told.contains(text), "{told}");
    }
}

#[tokio::test]
async fn first_start_makes_one_admin() {
    let server = TestServer::start().await;
    let first = async |email: &str, password: Option<&str>| {
        let mut conn = server.pool.acquire().await.unwrap();
        first_admin(&mut conn, email, password).await
    };
    let weak = first("ada@shop.test", Some("password1")).await;
    let text = weak.unwrap_err().to_string();
    assert!(
        text.starts_with("the password of the first admin is easy to guess"),
        "{text}"
    );
    // Several servers at a time.
    let all = (0..6).map(|_| first("ada@shop.test", None));
    let made: Vec<FirstAdmin> = futures_util::future::join_all(all)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let passwords: Vec<&str> = made
        .iter()
        .filter_map(|made| match made {
            FirstAdmin::MadeWithPassword(password) => Some(password.as_str()),
            _ => None,
        })
        .collect();
    let [password] = passwords[..] else {
        panic!("{made:?}")
    };
    assert!(!format!("{made:?}").contains(password));
    assert_eq!(
        User::records().count(&server.pool).await.unwrap().value(),
        1
    );

    // The password is for one log-in.
    let answer = server.log_in("ada@shop.test", password).await;
    assert_eq!(answer.json()["data"]["must_change_password"], true);
    let browser = Browser::of(&answer);
    let read = async |browser: &Browser| {
        let headers = browser.headers();
        server.send("GET", "/api/v1/logs", &headers, "").await
    };
    let answer = read(&browser).await;
    assert_eq!(
        refusal(&answer),
        (403, "password-change-required".to_owned())
    );
    let body = json!({ "current": password, "new": PASSWORD }).to_string();
    let path = "/api/v1/session/password";
    let changed = server.send("POST", path, &browser.headers(), body).await;
    assert_eq!(changed.json()["data"]["must_change_password"], false);
    assert_eq!(read(&Browser::of(&changed)).await.status, 200);
}

#[tokio::test]
async fn first_admin_with_a_given_password_keeps_it() {
    let server = TestServer::start().await;
    let mut conn = server.pool.acquire().await.unwrap();
    // A plain user, and an admin who cannot log in, are no admin.
    server.new_user("user@shop.test", UserRole::User).await;
    let imported = lookback::NewUser::new("imported@shop.test", lookback::password::NO_PASSWORD);
    let imported = imported.role(UserRole::Admin);
    User::records()
        .create(&server.pool, imported)
        .await
        .unwrap();
    let taken = first_admin(&mut conn, "USER@shop.test", Some(PASSWORD)).await;
    assert!(taken.unwrap_err().to_string().contains("email"));
    let made = first_admin(&mut conn, "ada@shop.test", Some(PASSWORD)).await;
    assert_eq!(made.unwrap(), FirstAdmin::Made);
    let answer = server.log_in("ada@shop.test", PASSWORD).await;
    assert_eq!(answer.json()["data"]["must_change_password"], false);
    let again = first_admin(&mut conn, "bob@shop.test", Some(PASSWORD)).await;
    assert_eq!(again.unwrap(), FirstAdmin::Exists);
}

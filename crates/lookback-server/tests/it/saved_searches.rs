//! Searches that a team keeps under names.

use lookback::{Json, KeyScope, UserRole, json};

use crate::support::{Answer, Browser, TestServer};

const PATH: &str = "/api/v1/saved_searches";

async fn send(
    server: &TestServer,
    browser: &Browser,
    method: &str,
    path: &str,
    body: Json,
) -> Answer {
    server
        .send(method, path, &browser.headers(), body.to_string())
        .await
}

fn search(name: &str) -> Json {
    json!({ "name": name, "view": "logs", "parameters": "search=timeout&level=error" })
}

#[tokio::test]
async fn users_save_rename_and_delete_searches_of_the_team() {
    let server = TestServer::start().await;
    let ada = server.browser("ada@shop.test", UserRole::User).await;
    let grace = server.browser("grace@shop.test", UserRole::User).await;
    let created = send(&server, &ada, "POST", PATH, search("timeouts")).await;
    assert_eq!(created.status, 201, "{created:?}");
    let data = created.json()["data"].clone();
    assert_eq!(data["view"], "logs");
    assert_eq!(data["parameters"], "search=timeout&level=error");
    let ada_id = server.get("/api/v1/users?email=ada@shop.test").await.json();
    assert_eq!(data["created_by"], ada_id["data"][0]["id"]);
    let path = format!("{PATH}/{}", data["id"]);

    // Another user sees it, and may rename it.
    let renamed = send(
        &server,
        &grace,
        "PATCH",
        &path,
        json!({ "name": "slow payments" }),
    )
    .await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    assert_eq!(renamed.json()["data"]["name"], "slow payments");
    assert_eq!(renamed.json()["data"]["created_by"], data["created_by"]);
    let listed = server.send("GET", PATH, &grace.headers(), "").await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert_eq!(listed["data"][0]["name"], "slow payments");
    let found = server.get(&format!("{PATH}?search=payments")).await.json();
    assert_eq!(found["data"][0]["id"], data["id"]);

    let deleted = send(&server, &ada, "DELETE", &path, json!({})).await;
    assert_eq!(deleted.status, 204, "{deleted:?}");
    assert_eq!(server.get(&path).await.problem(), "not-found");
    // Its name is free again.
    let again = send(&server, &grace, "POST", PATH, search("slow payments")).await;
    assert_eq!(again.status, 201, "{again:?}");
}

#[tokio::test]
async fn searches_are_changed_by_users_and_by_keys_of_admins() {
    let server = TestServer::start().await;
    let created = server
        .post(PATH, "application/json", search("by a key").to_string())
        .await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.json()["data"]["created_by"], Json::Null);
    let path = format!("{PATH}/{}", created.json()["data"]["id"]);
    for (scope, reads) in [(KeyScope::Read, 200), (KeyScope::Ingest, 403)] {
        let bearer = format!("Bearer {}", server.new_key(scope).await.1);
        let headers = [
            ("authorization", &*bearer),
            ("content-type", "application/json"),
        ];
        assert_eq!(server.send("GET", PATH, &headers, "").await.status, reads);
        assert_eq!(server.send("GET", &path, &headers, "").await.status, reads);
        for (method, path) in [("POST", PATH), ("PATCH", &*path), ("DELETE", &*path)] {
            let answer = server
                .send(method, path, &headers, search("x").to_string())
                .await;
            assert_eq!(answer.status, 403, "{method} {scope}");
        }
    }
    // A cookie alone, as the page of another origin would send it.
    let ada = server.browser("ada@shop.test", UserRole::User).await;
    let headers = [
        ("cookie", &*ada.cookie),
        ("content-type", "application/json"),
    ];
    let answer = server
        .send("POST", PATH, &headers, search("x").to_string())
        .await;
    assert_eq!(answer.problem(), "cross-site");

    let open = TestServer::start_with(|settings| settings.is_open = true).await;
    let headers = [("content-type", "application/json")];
    let answer = open
        .send("POST", PATH, &headers, search("x").to_string())
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["data"]["created_by"], Json::Null);
}

#[tokio::test]
async fn wrong_searches_are_refused_with_their_field() {
    let server = TestServer::start().await;
    let post = async |body: Json| {
        server
            .post(PATH, "application/json", body.to_string())
            .await
    };
    assert_eq!(post(search("one")).await.status, 201);
    let with = |field: &str, value: Json| {
        let Json::Object(mut body) = search("two") else {
            unreachable!("a search is an object");
        };
        body.insert(field.to_owned(), value);
        Json::Object(body)
    };
    for (body, status, field) in [
        (search("one"), 409, "name"),
        (search(" "), 422, "name"),
        (search(&"x".repeat(257)), 422, "name"),
        (with("view", "users".into()), 422, "view"),
        (with("parameters", "?a=1".into()), 422, "parameters"),
        (with("parameters", "a=<script>".into()), 422, "parameters"),
        (
            with("parameters", "x".repeat(8193).into()),
            422,
            "parameters",
        ),
        (with("created_by", 1_u64.into()), 422, "created_by"),
        (with("id", 7_u64.into()), 422, "id"),
        (with("viwe", "logs".into()), 422, "viwe"),
        (json!({ "name": "two" }), 422, "view"),
    ] {
        let answer = post(body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        let problem = answer.json();
        let named = problem["errors"]
            .as_array()
            .map(|errors| errors[0]["field"].clone());
        let detail = problem["detail"].as_str().unwrap().to_owned();
        assert!(
            named.is_none_or(|named| named == field) && detail.contains(field),
            "{body}: {problem}"
        );
    }
    // A change that is refused changes nothing.
    let path = format!("{PATH}/1");
    let headers = [
        ("authorization", &*format!("Bearer {}", server.key)),
        ("content-type", "application/json"),
    ];
    let body = json!({ "name": "renamed", "parameters": "a b" }).to_string();
    let refused = server.send("PATCH", &path, &headers, body).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(server.get(&path).await.json()["data"]["name"], "one");
}

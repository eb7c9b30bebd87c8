//! A server over a database of its own, and a client.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::{HeaderMap, Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use lookback::{Json, KeyScope};
use lookback_server::{Server, Settings, keys};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use testkit::Database;

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) pool: PgPool,
    pub(crate) key: String,
    pub(crate) server: Server,
    _database: Database,
}

/// An answer, with its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Json {
        Json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&self.body));
        })
    }

    /// The last part of its `type`: the name of its page.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let json = self.json();
        assert_eq!(json["status"], u64::from(self.status));
        let page = json["type"].as_str().unwrap().rsplit('/').next().unwrap();
        page.trim_end_matches(".md").to_owned()
    }
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let database = testkit::database().await;
        let pool = database.pool.clone();
        Self::start_on(database, pool, change).await
    }

    /// Starts a server with a pool of its own; the tests' pool is another one.
    pub(crate) async fn start_with_pool(
        options: PgPoolOptions,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let database = testkit::database().await;
        let pool = options.connect(&database.url).await.unwrap();
        let own = database.pool.clone();
        let mut server = Self::start_on(database, pool, change).await;
        server.pool = own;
        server
    }

    async fn start_on(
        database: Database,
        pool: PgPool,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = Settings::default();
        change(&mut settings);
        let server = Server::new(pool.clone(), settings);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = server.clone();
        tokio::spawn(async move {
            let served = serving.serve(listener, std::future::pending());
            served.await.unwrap();
        });
        let mut conn = pool.acquire().await.unwrap();
        let (_, key) = keys::create(&mut conn, "tests", KeyScope::Admin, None)
            .await
            .unwrap();
        Self {
            address,
            pool,
            key: key.reveal().to_owned(),
            server,
            _database: database,
        }
    }

    /// Makes a key.
    pub(crate) async fn new_key(&self, scope: KeyScope) -> (i64, String) {
        let mut conn = self.pool.acquire().await.unwrap();
        let (stored, key) = keys::create(&mut conn, "another", scope, None)
            .await
            .unwrap();
        (stored.id, key.reveal().to_owned())
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let response = client.request(request);
        let response = tokio::time::timeout(Duration::from_secs(60), response)
            .await
            .unwrap()
            .unwrap();
        let (parts, body) = Response::into_parts(response);
        // A stream of events has no end.
        let content_type = parts.headers.get("content-type");
        let body = if content_type.is_some_and(|value| value == "text/event-stream") {
            Bytes::new()
        } else {
            body.collect().await.unwrap().to_bytes()
        };
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[("authorization", &self.bearer())], "")
            .await
    }

    /// Posts with a content type.
    pub(crate) async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Answer {
        self.post_with(path, content_type, &[], body).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        content_type: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let bearer = self.bearer();
        let mut all = vec![("authorization", &*bearer), ("content-type", content_type)];
        all.extend_from_slice(headers);
        self.send("POST", path, &all, body).await
    }

    /// The messages of all log lines, in the order of their ids.
    pub(crate) async fn messages(&self) -> Vec<String> {
        let answer = self.get("/api/v1/logs?order_by=id&limit=10000").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let json = answer.json();
        let data = json["data"].as_array().unwrap();
        data.iter()
            .map(|record| record["message"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Parses a time.
pub(crate) fn time(text: &str) -> chrono::DateTime<chrono::Utc> {
    text.parse().unwrap()
}

/// The password of the users that tests make.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A user that is logged in, with a browser.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub(crate) cookie: String,
    pub(crate) csrf_token: String,
}

impl Browser {
    /// The browser after an answer that starts a session.
    pub(crate) fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        let json = answer.json();
        Self {
            cookie: cookie.split(';').next().unwrap().to_owned(),
            csrf_token: json["data"]["csrf_token"].as_str().unwrap().to_owned(),
        }
    }

    /// The headers that the page of the server sends.
    pub(crate) fn headers(&self) -> [(&str, &str); 4] {
        [
            ("cookie", &self.cookie),
            ("x-csrf-token", &self.csrf_token),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/json"),
        ]
    }
}

impl TestServer {
    /// Stores a user with [`PASSWORD`].
    pub(crate) async fn new_user(&self, email: &str, role: lookback::UserRole) -> i64 {
        // Hashing takes long: once is enough.
        static HASH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        let hash = HASH.get_or_init(|| lookback::password::hash(PASSWORD).unwrap());
        let user = lookback::NewUser::new(email, hash.as_str()).role(role);
        let user = lookback::User::records().create(&self.pool, user).await;
        user.unwrap().id
    }

    pub(crate) async fn log_in(&self, email: &str, password: &str) -> Answer {
        self.log_in_with(email, password, &[]).await
    }

    pub(crate) async fn log_in_with(
        &self,
        email: &str,
        password: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let body = lookback::json!({ "email": email, "password": password });
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send("POST", "/api/v1/session", &headers, body.to_string())
            .await
    }

    /// Stores a user, and logs in.
    pub(crate) async fn browser(&self, email: &str, role: lookback::UserRole) -> Browser {
        self.new_user(email, role).await;
        Browser::of(&self.log_in(email, PASSWORD).await)
    }

    /// Runs a statement.
    pub(crate) async fn execute(&self, sql: &'static str) -> u64 {
        let done = sqlx::query(sql).execute(&self.pool).await.unwrap();
        done.rows_affected()
    }
}

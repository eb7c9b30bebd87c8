//! The document of the API: it has every route, and answers are as it says.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::Request;
use boon::{Compiler, Schemas};
use lookback::{Json, json};
use tower::ServiceExt as _;

use crate::support::TestServer;

const DOCUMENT: &str = "https://lookback.test/openapi.json";

/// Streams without an end, and protocols that have tests of their own.
const OTHERS: &[&str] = &[
    "/api/v1/logs/tail",
    "/api/v1/requests/tail",
    "/mcp",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
];

/// The paths of the router with their methods. It has no list of them but what it prints of itself.
pub(crate) async fn routes_of(server: &TestServer) -> BTreeMap<String, BTreeSet<String>> {
    let router = server.server.router();
    let text = format!("{router:?}");
    let (text, _) = text.split_once("fallback_router").unwrap();
    let paths = text.split("RouteId(").filter_map(|part| {
        let (number, rest) = part.split_once("): \"")?;
        number.parse::<u32>().ok()?;
        rest.split_once('"').map(|(path, _)| path.to_owned())
    });
    let mut routes = BTreeMap::new();
    for path in paths.filter(|path| !path.contains("__private")) {
        let concrete = path.replace(['{', '}', '*'], "");
        let request = Request::builder().method("FROB").uri(concrete);
        let response = router
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let allowed = response.headers().get("allow");
        let allowed = allowed.map_or("", |allowed| allowed.to_str().unwrap());
        let methods = allowed.split(',').map(str::trim);
        let methods = methods.filter(|method| !method.is_empty() && *method != "HEAD");
        routes.insert(
            path.replace("{*", "{"),
            methods.map(str::to_owned).collect(),
        );
    }
    assert!(
        routes.len() > 30,
        "the router prints itself otherwise: {text}"
    );
    routes
}

async fn document(server: &TestServer) -> Json {
    let answer = server.send("GET", "/api/v1/openapi.json", &[], "").await;
    assert_eq!(answer.status, 200);
    answer.json()
}

#[tokio::test]
async fn every_route_is_in_the_document() {
    let server = TestServer::start().await;
    let document = document(&server).await;
    let paths = document["paths"].as_object().unwrap();
    let routes = routes_of(&server).await;
    let mut missing = Vec::new();
    for (path, methods) in &routes {
        let item = paths.get(path.as_str());
        if item.is_none() {
            missing.push(format!("{path}: no operation"));
        }
        for method in methods {
            if item.is_some_and(|item| item.get(&method.to_ascii_lowercase()).is_none()) {
                missing.push(format!("{method} {path}"));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "the document lacks these routes: describe each by an Operation beside its handler, in the \
         function `operations` of its module, which src/openapi.rs lists:\n{}",
        missing.join("\n")
    );
    for (path, item) in paths {
        let methods = routes.get(path.as_str());
        let methods =
            methods.unwrap_or_else(|| panic!("the document has {path}, which is no route"));
        for method in item.as_object().unwrap().keys() {
            // A service that takes any method names none.
            let is_known = methods.is_empty() || methods.contains(&method.to_ascii_uppercase());
            assert!(
                is_known,
                "the document has {method} {path}, which is no route"
            );
        }
    }
}

#[tokio::test]
async fn document_and_page_are_served_to_everybody_and_once() {
    let server = TestServer::start().await;
    let answer = server.send("GET", "/api/v1/openapi.json", &[], "").await;
    let json = answer.json();
    assert_eq!(json["openapi"], "3.1.0");
    assert!(json["components"]["parameters"]["request_snapshots.status_code__gte"].is_object());
    let tag = answer.headers["etag"].to_str().unwrap();
    let known = [("if-none-match", tag)];
    let again = server.send("GET", "/api/v1/openapi.json", &known, "").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let page = server.send("GET", "/docs", &[], "").await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    // Nothing is loaded from elsewhere, and no script is in it.
    assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("onload"));
    for (at, _) in text.match_indices("<script") {
        assert!(text[at..].starts_with("<script src=\"docs/page.js\""));
    }
    for (path, media_type) in [
        ("/docs/page.js", "text/javascript; charset=utf-8"),
        ("/docs/page.css", "text/css; charset=utf-8"),
    ] {
        let file = server.send("GET", path, &[], "").await;
        assert_eq!(file.headers["content-type"], media_type);
    }
}

/// A document against which answers are checked.
struct Checker {
    document: Json,
    compiler: Compiler,
    schemas: Schemas,
}

impl Checker {
    fn new(document: Json) -> Self {
        let mut compiler = Compiler::new();
        let value = serde_json::from_str(&document.to_string()).unwrap();
        compiler.add_resource(DOCUMENT, value).unwrap();
        Self {
            document,
            compiler,
            schemas: Schemas::new(),
        }
    }

    /// Checks an answer against what the document says of its operation.
    fn check(&mut self, method: &str, path: &str, asked: &str, answer: &crate::support::Answer) {
        let operation = &self.document["paths"][path][method];
        let status = answer.status.to_string();
        let mut described = &operation["responses"][status.as_str()];
        let escape = |part: &str| part.replace('~', "~0").replace('/', "~1");
        let mut place = format!("/paths/{}/{method}/responses/{status}", escape(path));
        assert!(
            described.is_object(),
            "{asked}: the document has no status {status}: {answer:?}"
        );
        if let Some(reference) = described.get("$ref").and_then(Json::as_str) {
            place = reference.trim_start_matches('#').to_owned();
            let names = place[1..].split('/');
            described = names.fold(&self.document, |json, name| &json[name]);
        }
        let Some(contents) = described.get("content").and_then(Json::as_object) else {
            assert!(answer.body.is_empty(), "{asked}: {answer:?}");
            return;
        };
        let media_type = answer.headers["content-type"].to_str().unwrap();
        let named = |known: &&str| media_type.split(';').next() == known.split(';').next();
        let known = contents.keys().map(AsRef::<str>::as_ref).find(named);
        let known = known.unwrap_or_else(|| panic!("{asked}: {media_type} is not in the document"));
        if !media_type.ends_with("/json") && !media_type.ends_with("+json") {
            return;
        }
        if known == "application/json" && path.ends_with("/openapi.json") {
            return;
        }
        let place = format!("{DOCUMENT}#{place}/content/{}/schema", escape(known));
        let schema = self.compiler.compile(&place, &mut self.schemas);
        let schema = schema.unwrap_or_else(|error| panic!("{place}: {error:#}"));
        let value = serde_json::from_slice(&answer.body).unwrap();
        if let Err(error) = self.schemas.validate(&value, schema) {
            panic!("{asked}: {error:#}\n{value:#}");
        }
    }
}

/// Bodies of operations that take one.
fn body_of(method: &str, path: &str) -> Option<(&'static str, String)> {
    let json = |body: Json| ("application/json", body.to_string());
    Some(match (method, path) {
        ("post", "/api/v1/logs") => json(json!({
            "source": "API", "level": "warn", "message": "stock is low", "trace_id": "t-1",
        })),
        ("post", "/api/v1/requests") => json(json!({
            "method": "GET", "path": "/orders", "timestamp": "2026-11-29T10:00:00Z",
            "version": "1", "stage": "test", "trace_id": "t-1", "status_code": 200,
            "headers": { "host": "shop.test" },
        })),
        ("post", "/api/v1/metrics") => json(json!({
            "window_start": "2026-11-29T11:00:00Z", "window_end": "2026-11-29T11:01:00Z",
            "endpoint": "GET /orders", "p50_latency": 1, "p95_latency": 2, "p99_latency": 3,
            "error_rate": 0.5, "traffic_count": 2,
        })),
        ("patch", "/api/v1/logs/{id}") => json(json!({ "message": "stock was low" })),
        ("patch", "/api/v1/requests/{id}") => json(json!({ "stage": "production" })),
        ("patch", "/api/v1/metrics/{id}") => json(json!({ "p50_latency": 2 })),
        ("patch", "/api/v1/users/{id}") => json(json!({ "email": "grace@shop.test" })),
        ("post", "/api/v1/requests/{id}/replay") => json(json!({ "target": "http://shop.test" })),
        ("post", "/api/v1/users") => json(json!({
            "email": "new@shop.test", "password": "correct horse battery staple",
        })),
        ("post", "/api/v1/users/{id}/password") => json(json!({
            "password": "correct horse battery staple",
        })),
        ("post", "/api/v1/keys") => json(json!({ "name": "shop", "scope": "read" })),
        ("post", "/api/v1/session") => json(json!({
            "email": "ada@shop.test", "password": "a wrong one",
        })),
        ("post", "/api/v1/session/password") => json(json!({
            "current": "a wrong one", "new": "correct horse battery staple",
        })),
        ("post", "/api/v1/alerts") => json(json!({
            "name": "errors", "subject": "logs", "measure": "count", "threshold": 20,
        })),
        ("patch", "/api/v1/alerts/{id}") => json(json!({ "threshold": 30 })),
        ("post", "/api/v1/saved_searches") => json(json!({
            "name": "timeouts", "view": "logs", "parameters": "search=timeout",
        })),
        ("patch", "/api/v1/saved_searches/{id}") => json(json!({ "name": "slow" })),
        ("post", "/v1/logs") => json(json!({ "resourceLogs": [] })),
        ("post", "/v1/traces") => json(json!({ "resourceSpans": [] })),
        ("post", "/loki/api/v1/push") => json(json!({ "streams": [] })),
        ("post" | "put", path) if path.ends_with("/_bulk") => (
            "application/x-ndjson",
            "{\"create\":{}}\n{\"message\":\"one\"}\n".to_owned(),
        ),
        _ => return None,
    })
}

/// A server with a record of each kind, whose id is 1.
async fn filled() -> TestServer {
    let server = TestServer::start().await;
    for path in ["/api/v1/logs", "/api/v1/requests", "/api/v1/metrics"] {
        let (media_type, body) = body_of("post", path).unwrap();
        let body = body.replace("T11:", "T10:");
        let answer = server.post(path, media_type, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let user = lookback::NewUser::new("ada@shop.test", "a-hash");
    lookback::User::records()
        .create(&server.pool, user)
        .await
        .unwrap();
    server
}

#[tokio::test]
async fn answers_of_each_operation_are_as_the_document_says() {
    let server = filled().await;
    let mut checker = Checker::new(document(&server).await);
    let paths = checker.document["paths"].clone();
    let mut operations = Vec::new();
    for (path, item) in paths.as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((method.clone(), path.clone(), operation.clone()));
        }
    }
    // What deletes comes last.
    operations.sort_by_key(|(method, path, _)| (method == "delete", path.ends_with("/restore")));
    for (method, path, operation) in operations {
        if OTHERS.contains(&path.as_str()) {
            continue;
        }
        let asked = format!("{method} {path}");
        // The first key is the one that the test uses.
        let id = if path.contains("/keys/") { "2" } else { "1" };
        let url = path.replace("{id}", id);
        let url = url.replace("{trace_id}", "t-1").replace("{index}", "logs");
        let url = url.replace("{path}", "logs");
        assert!(
            !url.contains('{'),
            "{asked}: say what its parameter is here"
        );
        let body = body_of(&method, &path);
        assert!(
            body.is_some() || operation.get("requestBody").is_none(),
            "{asked}: add a body to body_of"
        );
        let (media_type, body) = body.unwrap_or_default();
        let method = method.as_str();
        let send = async |key: &str, url: &str, body: &str| {
            let bearer = format!("Bearer {key}");
            let mut headers = vec![("authorization", bearer.as_str())];
            if !media_type.is_empty() {
                headers.push(("content-type", media_type));
            }
            let method = method.to_ascii_uppercase();
            server.send(&method, url, &headers, body.to_owned()).await
        };
        let answer = send(&server.key, &url, &body).await;
        // A record that is not deleted cannot be restored.
        let is_success = (200..300).contains(&answer.status)
            || path.ends_with("/restore")
            // A key has no session, and the rule no webhook.
            || path.starts_with("/api/v1/session")
            || path.ends_with("/test")
            // It leads to the page, which may not be built.
            || path == "/"
            || path.starts_with("/ui");
        assert!(is_success, "{asked}: {answer:?}");
        checker.check(method, &path, &asked, &answer);
        let is_open = operation["security"].as_array().unwrap().is_empty();
        if !is_open {
            let answer = send("lb_none", &url, &body).await;
            checker.check(method, &path, &format!("{asked} without a key"), &answer);
        }
        if !body.is_empty() {
            let answer = send(&server.key, &url, "\u{1}").await;
            checker.check(
                method,
                &path,
                &format!("{asked} with a wrong body"),
                &answer,
            );
        }
        if method == "get" && !is_open {
            let answer = send(&server.key, &format!("{url}?no_such_field=1&limit=x"), "").await;
            let asked = format!("{asked} with wrong parameters");
            let is_protocol = path.starts_with("/elastic")
                || path.starts_with("/api/v1/session")
                || path == "/metrics";
            assert!(answer.status == 400 || is_protocol, "{asked}: {answer:?}");
            checker.check(method, &path, &asked, &answer);
        }
    }
    // Forms of answers that depend on parameters.
    for (path, query) in [
        ("/api/v1/logs", "search=stock -cache nofield:x&hits=true"),
        ("/api/v1/logs", "search=stock&fold=true&total=none"),
        ("/api/v1/keys", "hits=true"),
        ("/api/v1/alert_changes", "hits=true"),
        (
            "/api/v1/logs/stats",
            "by=level,created_at__1h&measure=count,id__max&top=3",
        ),
        ("/api/v1/logs/histogram", "bucket=day@Europe/Berlin&by="),
        ("/api/v1/requests/histogram", "bucket=5m&by=status_code"),
        ("/api/v1/logs/patterns", "search=stock&exact=true"),
        (
            "/api/v1/metrics/aggregate",
            "from=2026-11-29&until=2026-11-30&bucket=1h&by=endpoint",
        ),
        (
            "/api/v1/metrics/aggregate",
            "from=2026-11-29&until=2026-11-30&compare=previous&percentiles=1,100&latency=true",
        ),
        ("/api/v1/requests/export", "format=har"),
        ("/api/v1/requests/export", "format=curl"),
    ] {
        let query = query.replace(' ', "+");
        let answer = server.get(&format!("{path}?{query}")).await;
        let asked = format!("{path}?{query}");
        assert_eq!(answer.status, 200, "{asked}: {answer:?}");
        checker.check("get", path, &asked, &answer);
    }
}

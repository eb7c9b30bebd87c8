//! Bodies of all protocols, sent to the routes of the server, without a database: of any body either
//! what is wrong, or that the database is away.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::Arbitrary;
use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use libfuzzer_sys::fuzz_target;
use lookback_server::{Server, Settings};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

#[derive(Arbitrary, Debug)]
enum Path {
    Logs,
    Requests,
    Metrics,
    OtlpLogs,
    OtlpTraces,
    Loki,
    Bulk,
    BulkOfIndex(String),
}

#[derive(Arbitrary, Debug)]
enum Type {
    Json,
    Lines,
    Text,
    Protobuf,
    Other(String),
}

#[derive(Arbitrary, Debug)]
enum Encoding {
    None,
    Gzip,
    Deflate,
    Zstd,
    Other(String),
}

#[derive(Arbitrary, Debug)]
struct Sent<'a> {
    path: Path,
    content_type: Type,
    encoding: Encoding,
    body: &'a [u8],
}

static RUNTIME: LazyLock<(Runtime, Router)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let entered = runtime.enter();
    let nobody = "postgres://nobody@127.0.0.1:1/none";
    let pool = sqlx::PgPool::connect_lazy(nobody).expect("a URL");
    let mut settings = Settings::default();
    settings.is_open = true;
    settings.connection_timeout = Duration::from_millis(1);
    let router = Server::new(pool, settings).router();
    drop(entered);
    (runtime, router)
});

fuzz_target!(|sent: Sent| {
    let path = match sent.path {
        Path::Logs => "/api/v1/logs".to_owned(),
        Path::Requests => "/api/v1/requests".to_owned(),
        Path::Metrics => "/api/v1/metrics".to_owned(),
        Path::OtlpLogs => "/v1/logs".to_owned(),
        Path::OtlpTraces => "/v1/traces".to_owned(),
        Path::Loki => "/loki/api/v1/push".to_owned(),
        Path::Bulk => "/elastic/_bulk".to_owned(),
        Path::BulkOfIndex(index) => format!("/elastic/{index}/_bulk"),
    };
    let mut request = Request::post(path);
    let content_type = match &sent.content_type {
        Type::Json => "application/json",
        Type::Lines => "application/x-ndjson",
        Type::Text => "text/plain",
        Type::Protobuf => "application/x-protobuf",
        Type::Other(other) => other,
    };
    request = request.header("content-type", content_type);
    request = match &sent.encoding {
        Encoding::None => request,
        Encoding::Gzip => request.header("content-encoding", "gzip"),
        Encoding::Deflate => request.header("content-encoding", "deflate"),
        Encoding::Zstd => request.header("content-encoding", "zstd"),
        Encoding::Other(other) => request.header("content-encoding", other),
    };
    let Ok(request) = request.body(Body::from(sent.body.to_vec())) else {
        return;
    };
    let (runtime, router) = &*RUNTIME;
    runtime.block_on(async {
        let answer = router
            .clone()
            .oneshot(request)
            .await
            .expect("no error of the router");
        let status = answer.status().as_u16();
        assert!(
            matches!(status, 200 | 202 | 204 | 400..=499 | 503),
            "{status}"
        );
        answer.into_body().collect().await.expect("a body");
    });
});

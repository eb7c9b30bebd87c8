//! A request through the capture layer: its body, form, query, headers and cookies.
#![no_main]

use std::convert::Infallible;
use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::Arbitrary;
use http_body_util::{BodyExt as _, Full};
use libfuzzer_sys::fuzz_target;
use lookback_capture::{Capture, MemorySink, TeeBody};
use tokio::runtime::Runtime;
use tower::{Layer as _, ServiceExt as _, service_fn};

const SECRET: &str = "Q7vX2kLm9wZ";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().expect("a runtime")
});

#[derive(Arbitrary, Debug)]
struct Input {
    path: String,
    query: String,
    content_type: Type,
    encoding: Encoding,
    limit: u16,
    is_binary_kept: bool,
    headers: Vec<(Name, Vec<u8>)>,
    body: Vec<u8>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Type {
    Json,
    Form,
    Text,
    Latin1,
    Multipart,
    Png,
    None,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Encoding {
    None,
    Gzip,
    Deflate,
    Brotli,
    Zstd,
    Two,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Name {
    Cookie,
    SetCookie,
    Authorization,
    Forwarded,
    ForwardedFor,
    Country,
    City,
    Trace,
    Route,
    Referer,
}

impl Name {
    fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::SetCookie => "set-cookie",
            Self::Authorization => "authorization",
            Self::Forwarded => "forwarded",
            Self::ForwardedFor => "x-forwarded-for",
            Self::Country => "cf-ipcountry",
            Self::City => "x-vercel-ip-city",
            Self::Trace => "traceparent",
            Self::Route => "route",
            Self::Referer => "referer",
        }
    }
}

fuzz_target!(|input: Input| {
    let uri = http::Uri::builder()
        .path_and_query(format!("/{}?{}&api_key={SECRET}", input.path, input.query))
        .build();
    let Ok(uri) = uri else { return };
    let mut request = http::Request::post(uri).header("x-api-key", SECRET);
    let content_type = match input.content_type {
        Type::Json => "application/json",
        Type::Form => "application/x-www-form-urlencoded",
        Type::Text => "text/plain",
        Type::Latin1 => "text/plain; charset=iso-8859-1",
        Type::Multipart => "multipart/form-data; boundary=x",
        Type::Png => "image/png",
        Type::None => "",
    };
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    let encoding = match input.encoding {
        Encoding::None => "",
        Encoding::Gzip => "gzip",
        Encoding::Deflate => "deflate",
        Encoding::Brotli => "br",
        Encoding::Zstd => "zstd",
        Encoding::Two => "gzip, br",
    };
    if !encoding.is_empty() {
        request = request.header("content-encoding", encoding);
    }
    for (name, value) in &input.headers {
        if let Ok(value) = http::HeaderValue::from_bytes(value) {
            request = request.header(name.as_str(), value);
        }
    }
    RUNTIME.block_on(async {
        let sink = MemorySink::new();
        let capture = Capture::builder()
            .peer(|_| Some([127, 0, 0, 1].into()))
            .settings(|settings| {
                settings.body_limit = usize::from(input.limit);
                settings.binary_bodies = input.is_binary_kept;
                settings.ignored_paths.clear();
            })
            .start(sink.clone())
            .expect("a capture");
        let service = capture.layer().layer(service_fn(
            async |request: http::Request<TeeBody<Full<bytes::Bytes>>>| {
                Ok::<_, Infallible>(http::Response::new(request.into_body()))
            },
        ));
        let body = Full::new(bytes::Bytes::from(input.body.clone()));
        let request = request.body(body).expect("a request");
        let response = service.oneshot(request).await.expect("a response");
        let passed = response.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(passed, input.body, "a body passes as it is");
        capture.flush(Duration::from_secs(60)).await.expect("stored");
        let records = sink.records();
        assert_eq!(records.requests.len(), 1, "{:?}", capture.health());
        let all = format!("{records:?}");
        assert!(!all.contains(SECRET), "{all}");
        assert!(!all.contains('\0') && !all.contains("\\u0000"), "{all}");
    });
});

//! Rules for every request and every answer: the rate of an address, and headers for browsers.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::client::Client;
use crate::problem::{Kind, Problem};
use crate::server::Shared;
use crate::settings::Settings;

/// Headers that an answer has unless its handler sets them. An answer of the API is data: it runs
/// nothing, is in no frame and in no cache.
const HEADERS: [(HeaderName, &str); 6] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// For a year, a browser uses TLS for this host.
const HSTS: &str = "max-age=31536000";

pub(crate) async fn guard(
    State(shared): State<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Response {
    let client = Client::new(request.headers(), request.extensions(), &shared.settings);
    request.extensions_mut().insert(client);
    let taken = client
        .network()
        .map_or(Ok(()), |address| shared.rates.addresses.take(address));
    let mut response = match taken {
        Ok(()) => next.run(request).await,
        Err(wait) => Problem::too_many_requests("requests of its address", wait).into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if client.is_https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
    response
}

/// Answers a request whose handler panicked, so that others of its connection go on.
pub(crate) fn catch_panics() -> CatchPanicLayer<fn(Box<dyn Any + Send>) -> Response> {
    CatchPanicLayer::custom(|_| {
        tracing::error!("a request ended by a panic");
        Problem::new(
            Kind::Internal,
            "the error is in the log of the server".to_owned(),
        )
        .into_response()
    })
}

/// The pages of other origins that may use the API, by a key: a cookie is not for them.
pub(crate) fn cors(settings: &Settings) -> CorsLayer {
    let origins = settings.cors_origins.iter().map(|origin| origin.0.clone());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            ACCEPT,
            AUTHORIZATION,
            CONTENT_ENCODING,
            CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
        ])
        .expose_headers([RETRY_AFTER])
        .max_age(Duration::from_secs(60 * 60))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::catch_panics;

    #[tokio::test]
    async fn panic_of_a_handler_is_a_problem() {
        async fn panics() -> &'static str {
            assert!(std::hint::black_box(false), "secret");
            ""
        }
        let router = Router::new().route("/", get(panics)).layer(catch_panics());
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), 500);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await;
        let text = String::from_utf8_lossy(&body.unwrap()).into_owned();
        assert!(
            text.contains("internal.md") && !text.contains("secret"),
            "{text}"
        );
    }
}

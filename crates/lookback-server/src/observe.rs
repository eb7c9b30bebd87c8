//! What is done for every request: its time limit, its log line, and its measurement.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::cancel::CancelScope;
use crate::problem::{Kind, Problem};
use crate::server::Shared;

/// The route of a path that there is not.
const UNMATCHED: &str = "unmatched";

pub(crate) async fn observe(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let method = method_name(request.method());
    let route = match request.extensions().get::<MatchedPath>() {
        Some(path) => Cow::Owned(path.as_str().to_owned()),
        None => Cow::Borrowed(UNMATCHED),
    };
    let trace_id = request.headers().get("traceparent");
    let trace_id = trace_id.and_then(|value| trace_id_of(value.to_str().ok()?));
    let limit = shared.settings.request_timeout;
    let served = CancelScope::new(next.run(request));
    let observed = Observed {
        shared: &shared,
        method,
        route,
        trace_id,
        begun,
        has_ended: false,
    };
    let response = match tokio::time::timeout(limit, served).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            Kind::TooSlow,
            format!(
                "the request was not answered within {} s",
                limit.as_secs_f64()
            ),
        )
        .into_response(),
    };
    observed.end(response.status().as_u16());
    response
}

/// A request that is being answered. Dropped before its end, its client has gone.
struct Observed<'a> {
    shared: &'a Shared,
    method: &'static str,
    route: Cow<'static, str>,
    trace_id: Option<String>,
    begun: Instant,
    has_ended: bool,
}

impl Observed<'_> {
    fn end(mut self, status: u16) {
        self.has_ended = true;
        self.note(status);
    }

    /// Notes a request, which has no secrets: neither its query nor its headers are logged.
    fn note(&self, status: u16) {
        let duration = self.begun.elapsed();
        let (method, route) = (self.method, &*self.route);
        self.shared
            .telemetry
            .requests
            .observe(method, route, status, duration);
        let duration_ms = duration.as_secs_f64() * 1_000.0;
        let trace_id = self.trace_id.as_deref();
        // Those who watch the server ask often.
        if matches!(route, "/health/live" | "/health/ready" | "/metrics") && status < 400 {
            tracing::debug!(method, route, status, duration_ms, trace_id, "request");
        } else if status >= 500 {
            tracing::warn!(method, route, status, duration_ms, trace_id, "request");
        } else {
            tracing::info!(method, route, status, duration_ms, trace_id, "request");
        }
    }
}

/// The status of a request whose client has gone before it was answered, as other servers log it.
const CLIENT_GONE: u16 = 499;

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.note(CLIENT_GONE);
        }
    }
}

/// The name of a method; that of an unknown one is not the client's text.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

/// The trace id of a `traceparent`: 32 hexadecimal digits.
fn trace_id_of(header: &str) -> Option<String> {
    let id = header.split('-').nth(1)?;
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::trace_id_of;

    #[test]
    fn trace_id_is_that_of_a_traceparent() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let header = format!("00-{id}-00f067aa0ba902b7-01");
        assert_eq!(trace_id_of(&header).as_deref(), Some(id));
        for other in [
            "",
            "00",
            "00-x-y-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473\n-0-1",
        ] {
            assert_eq!(trace_id_of(other), None, "{other}");
        }
    }
}

//! The tower layer: captures the requests of a service, or those that a client sends.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Method, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

mod exchange;
mod headers;
mod stored_body;
mod tee;

pub use tee::TeeBody;

use crate::capture::Capture;
use crate::trace::Span;
use exchange::{Exchange, ResponseSide};

/// Captures the requests of a service, or those that a client sends.
///
/// [`Capture::layer`] and [`Capture::client_layer`] return it. It works with any service of `http`
/// requests and responses, whatever their bodies. Put it outside of what should be in the record
/// (authentication, compression, a handler of panics), and in axum on the router, with
/// `Router::layer`, where the route is known.
///
/// # What is captured
///
/// Method, path, query, headers and body, the status, headers and body of the response, the time,
/// and the duration until the end of the response. What has no column is among the headers, under
/// names with an underscore or without a dash:
///
/// | among `headers` | |
/// |---|---|
/// | `route` | the template of the route, such as `/orders/{id}`, or `unmatched` |
/// | `request_size` | the bytes of the body |
/// | `http_version` | such as `HTTP/1.1` |
/// | `client_ip` | the address of the client, if the peer is known |
/// | `direction` | `outgoing` for a request that a client sent |
/// | `span_id`, `parent_span_id` | its own span in the trace, and the one that asked for it |
///
/// | among `response_headers` | |
/// |---|---|
/// | `response_size` | the bytes of the body |
/// | `error` | why there is no response, or not all of it: `client hung up`, `panicked`, … |
///
/// A header that has one of these names itself is stored with `header.` before it.
///
/// # Bodies
///
/// They are passed on frame by frame, with their trailers, and nothing is waited for. Up to
/// [`Settings::body_limit`](crate::Settings::body_limit) bytes are copied.
///
/// | body | stored as |
/// |---|---|
/// | JSON | the value |
/// | a form | an object of its fields |
/// | text | a string |
/// | other types, an event stream, what is cut or not what its type says | `{"$body": {"type", "size", …}}`, with `text` or, if [asked for](crate::Settings::binary_bodies), `base64`, and `truncated` if that is not all of it |
/// | empty | `None` |
///
/// Compressed bodies (gzip, deflate, brotli, zstd) are stored as what they contain.
#[derive(Clone)]
pub struct CaptureLayer {
    capture: Capture,
    direction: Direction,
}

/// Whether the application takes a request or sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Incoming,
    Outgoing,
}

impl CaptureLayer {
    pub(crate) const fn new(capture: Capture, direction: Direction) -> Self {
        Self { capture, direction }
    }
}

impl fmt::Debug for CaptureLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureLayer")
            .field("direction", &self.direction)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for CaptureLayer {
    type Service = CaptureService<S>;

    fn layer(&self, inner: S) -> CaptureService<S> {
        CaptureService {
            inner,
            capture: self.capture.clone(),
            direction: self.direction,
        }
    }
}

/// A service whose requests are captured.
#[derive(Clone)]
pub struct CaptureService<S> {
    inner: S,
    capture: Capture,
    direction: Direction,
}

impl<S: fmt::Debug> fmt::Debug for CaptureService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureService")
            .field("inner", &self.inner)
            .field("direction", &self.direction)
            .finish_non_exhaustive()
    }
}

impl<S, Sent, Received> Service<Request<Sent>> for CaptureService<S>
where
    S: Service<Request<TeeBody<Sent>>, Response = Response<Received>>,
    S::Error: fmt::Display,
    Sent: http_body::Body,
    Received: http_body::Body,
{
    type Response = Response<TeeBody<Received>>;
    type Error = S::Error;
    type Future = CaptureFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Sent>) -> CaptureFuture<S::Future> {
        let (mut parts, body) = request.into_parts();
        // A router within another may have the layer, too: the outermost captures.
        let is_captured = parts
            .extensions
            .insert(IsCaptured(self.direction))
            .is_some_and(|IsCaptured(direction)| direction == self.direction);
        let exchange = match self.direction {
            _ if is_captured => None,
            Direction::Incoming => {
                let span = Span::of_incoming(&parts.headers);
                parts.extensions.insert(span.context);
                Exchange::begin(&self.capture, self.direction, &parts, span)
            }
            Direction::Outgoing => {
                let span = Span::of_outgoing(&mut parts.headers);
                Exchange::begin(&self.capture, self.direction, &parts, span)
            }
        };
        let tee = match &exchange {
            Some(exchange) => TeeBody::of_request(body, Arc::clone(exchange)),
            None => TeeBody::untouched(body),
        };
        let mut pending = Pending {
            exchange,
            is_polling: true,
        };
        let inner = {
            let _entered = pending.exchange.as_ref().map(|exchange| exchange.enter());
            self.inner.call(Request::from_parts(parts, tee))
        };
        pending.is_polling = false;
        CaptureFuture { inner, pending }
    }
}

/// The mark of a request that a layer captures.
#[derive(Clone, Copy)]
struct IsCaptured(Direction);

pin_project! {
    /// The response of a service whose requests are captured.
    #[derive(Debug)]
    pub struct CaptureFuture<F> {
        #[pin]
        inner: F,
        pending: Pending,
    }
}

/// A request without a response. When it is dropped, there is none.
#[derive(Debug)]
struct Pending {
    exchange: Option<Arc<Exchange>>,
    /// Whether the service has not come back from a poll: it panicked.
    is_polling: bool,
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            if self.is_polling {
                exchange.end_without_response(Some(500), "panicked");
            } else {
                exchange.end_without_response(None, exchange.hung_up());
            }
        }
    }
}

impl<F, Received, E> Future for CaptureFuture<F>
where
    F: Future<Output = Result<Response<Received>, E>>,
    Received: http_body::Body,
    E: fmt::Display,
{
    type Output = Result<Response<TeeBody<Received>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let pending = this.pending;
        let Some(exchange) = &pending.exchange else {
            return this
                .inner
                .poll(context)
                .map_ok(|response| response.map(TeeBody::untouched));
        };
        pending.is_polling = true;
        let polled = {
            let _entered = exchange.enter();
            this.inner.poll(context)
        };
        pending.is_polling = false;
        let result = ready!(polled);
        let Some(exchange) = pending.exchange.take() else {
            unreachable!("it was there before the poll");
        };
        Poll::Ready(match result {
            Ok(response) => Ok(respond(exchange, response)),
            Err(error) => {
                exchange.end_without_response(None, &format!("failed: {error}"));
                Err(error)
            }
        })
    }
}

/// Lets a response pass through the capture.
fn respond<B: http_body::Body>(
    exchange: Arc<Exchange>,
    response: Response<B>,
) -> Response<TeeBody<B>> {
    let (mut parts, body) = response.into_parts();
    if let Some(name) = exchange.trace_header()
        && !parts.headers.contains_key(&name)
    {
        parts.headers.insert(name, exchange.trace().header());
    }
    let status = parts.status;
    let is_upgrade = status == StatusCode::SWITCHING_PROTOCOLS
        || exchange.method() == Method::CONNECT && status.is_success();
    // A body that HTTP does not send is not polled.
    let has_no_body = exchange.method() == Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    const SHORT: u64 = 1024 * 1024;
    let is_short = body.size_hint().upper().is_some_and(|bytes| bytes <= SHORT);
    let side = ResponseSide::new(exchange, status, &parts.headers, is_short);
    let tee = if is_upgrade {
        side.end();
        TeeBody::untouched(body)
    } else {
        TeeBody::of_response(body, side, has_no_body)
    };
    Response::from_parts(parts, tee)
}

//! The trace of a request: reading, making and passing on a W3C trace context.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use http::{HeaderMap, HeaderName, HeaderValue};

mod state;

use state::{TRACESTATE, trace_state};

/// The header that carries a trace context.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The flags that have a meaning: sampled, and random. The others are passed on as zeros.
const FLAGS: u8 = 0b11;

/// The trace that a request belongs to, and its place in it.
///
/// It is parsed from and displayed as the header `traceparent` of
/// [W3C Trace Context](https://www.w3.org/TR/trace-context/).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl TraceContext {
    /// Creates the context of a new trace, with random ids.
    #[must_use]
    pub fn new() -> Self {
        Self {
            trace_id: fastrand::u128(1..),
            span_id: fastrand::u64(1..),
            // It is sampled, as far as capture knows, and its id is random.
            flags: FLAGS,
        }
    }

    /// Creates the context of another span of this trace.
    #[must_use]
    pub fn child(self) -> Self {
        Self {
            span_id: fastrand::u64(1..),
            flags: self.flags & FLAGS,
            ..self
        }
    }

    /// Returns the trace id: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// Returns the span id: 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.span_id)
    }

    /// A number from 0 to 1 that is the same for all requests of the trace.
    pub(crate) fn fraction(self) -> f64 {
        let low = (self.trace_id >> 11) & ((1 << 53) - 1);
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let fraction = low as f64 / (1_u64 << 53) as f64;
        fraction
    }

    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_bytes(&self.text())
            .unwrap_or_else(|_| unreachable!("it is hexadecimal digits and dashes"))
    }

    /// Its text. By hand, since each response has it: formatting takes some ten times as long.
    fn text(self) -> [u8; 55] {
        fn digits(to: &mut [u8], number: u128) {
            for (place, digit) in to.iter_mut().rev().enumerate() {
                *digit = b"0123456789abcdef"[(number >> (4 * place)) as usize & 0xf];
            }
        }
        let mut text = *b"00-________________________________-________________-__";
        digits(&mut text[3..35], self.trace_id);
        digits(&mut text[36..52], self.span_id.into());
        digits(&mut text[53..], self.flags.into());
        text
    }
}

impl Default for TraceContext {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text()))
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not the header `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a traceparent such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
pub struct TraceContextError;

impl FromStr for TraceContext {
    type Err = TraceContextError;

    fn from_str(text: &str) -> Result<Self, TraceContextError> {
        fn hex(text: Option<&str>, digits: usize) -> Option<u128> {
            let text = text?;
            let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            let is_number = text.len() == digits && text.bytes().all(is_hex);
            is_number.then(|| u128::from_str_radix(text, 16).ok())?
        }
        let parse = || {
            let mut parts = text.trim().split('-');
            let version = hex(parts.next(), 2)?;
            let trace_id = hex(parts.next(), 32)?;
            let span_id = hex(parts.next(), 16)?;
            let flags = hex(parts.next(), 2)?;
            // Later versions may have more parts; version 255 is not one.
            let is_whole = version != 0 || parts.next().is_none();
            let is_valid = version != 0xff && trace_id != 0 && span_id != 0 && is_whole;
            is_valid.then_some(Self {
                trace_id,
                span_id: u64::try_from(span_id).ok()?,
                flags: u8::try_from(flags).ok()?,
            })
        };
        parse().ok_or(TraceContextError)
    }
}

/// A request as a part of its trace.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) context: TraceContext,
    /// The span that asked for it.
    pub(crate) parent: Option<TraceContext>,
    /// The header `tracestate`, which is passed on.
    state: Option<HeaderValue>,
}

impl Span {
    /// Returns the span of a request that came in.
    pub(crate) fn of_incoming(headers: &HeaderMap) -> Self {
        let parent = parent_of(headers);
        Self {
            context: parent.map_or_else(TraceContext::new, TraceContext::child),
            parent,
            // Without its parent a state says nothing.
            state: parent.and_then(|_| trace_state(headers)),
        }
    }

    /// Returns the span of a request that is sent. If it does not name its trace, it gets that of the
    /// request that is being handled.
    pub(crate) fn of_outgoing(headers: &mut HeaderMap) -> Self {
        let current = with_current(|request| request.span.clone());
        if let Some(context) = parent_of(headers) {
            let is_of_trace = |span: &Self| span.context.trace_id == context.trace_id;
            let parent = current.filter(is_of_trace).map(|span| span.context);
            return Self {
                context,
                parent,
                state: None,
            };
        }
        let parent = current.as_ref().map(|span| span.context);
        let span = Self {
            context: parent.map_or_else(TraceContext::new, TraceContext::child),
            parent,
            state: current.and_then(|span| span.state),
        };
        headers.insert(TRACEPARENT, span.context.header());
        match &span.state {
            Some(state) => headers.insert(TRACESTATE, state.clone()),
            None => headers.remove(TRACESTATE),
        };
        span
    }
}

/// Reads the header `traceparent`. `None` if there is not exactly one, or it is invalid.
fn parent_of(headers: &HeaderMap) -> Option<TraceContext> {
    let mut values = headers.get_all(TRACEPARENT).into_iter();
    let value = values.next()?;
    let is_only = values.next().is_none();
    is_only.then(|| value.to_str().ok()?.parse().ok())?
}

/// Puts the trace of the request that is being handled into the headers of a request to be sent, so
/// that the service which answers it belongs to the trace: `traceparent`, and `tracestate` if there is one.
///
/// [`Capture::client_layer`](crate::Capture::client_layer) does it by itself. Use this for calls that
/// do not go through the layer. Outside a captured request, it begins a trace. Headers that have a
/// valid `traceparent` stay as they are.
pub fn inject_trace(headers: &mut HeaderMap) {
    Span::of_outgoing(headers);
}

/// The request that a thread works on.
#[derive(Debug)]
pub(crate) struct CurrentRequest {
    pub(crate) span: Span,
    pub(crate) user_id: OnceLock<String>,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<CurrentRequest>>> = const { RefCell::new(None) };
}

/// Makes a request the current one of this thread, until it is dropped.
pub(crate) struct Entered {
    before: Option<Arc<CurrentRequest>>,
}

impl Entered {
    pub(crate) fn new(request: &Arc<CurrentRequest>) -> Self {
        let request = Some(Arc::clone(request));
        let before = CURRENT.try_with(|current| current.replace(request));
        Self {
            before: before.ok().flatten(),
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        // The thread may be ending.
        let _ended = CURRENT.try_with(|current| current.replace(before));
    }
}

pub(crate) fn with_current<T>(read: impl FnOnce(&CurrentRequest) -> T) -> Option<T> {
    let current = CURRENT.try_with(|current| current.try_borrow().ok()?.clone());
    current.ok().flatten().map(|request| read(&request))
}

/// Returns the trace of the request that is being handled; `None` outside a captured request.
///
/// A task that is spawned has none, unless it is [instrumented] with a span of the request.
///
/// [instrumented]: https://docs.rs/tracing/latest/tracing/trait.Instrument.html
#[must_use]
pub fn current_trace() -> Option<TraceContext> {
    with_current(|request| request.span.context)
}

/// Stores who makes the request that is being handled, such as after the session was looked up.
///
/// The first call counts. Outside a captured request it does nothing.
pub fn set_user_id(user_id: impl Into<String>) {
    with_current(|request| {
        let _was_set = request.user_id.set(user_id.into());
    });
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{Span, TRACEPARENT, TRACESTATE, TraceContext, inject_trace};

    #[test]
    fn traceparent_is_parsed_and_displayed() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace: TraceContext = text.parse().unwrap();
        assert_eq!(trace.to_string(), text);
        assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace.span_id(), "00f067aa0ba902b7");
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes";
        assert_eq!(later.parse::<TraceContext>(), Ok(trace));
        assert_eq!(trace.child().trace_id(), trace.trace_id());
        assert_ne!(trace.child().span_id(), trace.span_id());
    }

    #[test]
    fn invalid_traceparents_are_refused() {
        for text in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(text.parse::<TraceContext>().is_err(), "{text}");
        }
    }

    #[test]
    fn flags_without_a_meaning_are_not_passed_on() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fd";
        let child = trace.parse::<TraceContext>().unwrap().child();
        assert!(child.to_string().ends_with("-01"), "{child}");
    }

    #[test]
    fn state_without_a_valid_parent_is_dropped() {
        let mut headers = HeaderMap::new();
        headers.insert(TRACESTATE, "a=1".parse().unwrap());
        assert!(Span::of_incoming(&headers).state.is_none());
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        headers.insert(TRACEPARENT, parent.parse().unwrap());
        let span = Span::of_incoming(&headers);
        assert_eq!(span.state.unwrap(), "a=1");
        assert_eq!(span.parent.unwrap().to_string(), parent);
        // Two parents are none.
        headers.append(TRACEPARENT, parent.parse().unwrap());
        let span = Span::of_incoming(&headers);
        assert!(span.parent.is_none() && span.state.is_none());
    }

    #[test]
    fn trace_that_a_request_names_itself_stays() {
        let mut headers = HeaderMap::new();
        let own = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        headers.insert(TRACEPARENT, own.parse().unwrap());
        headers.insert(TRACESTATE, "a=1".parse().unwrap());
        let before = headers.clone();
        inject_trace(&mut headers);
        assert_eq!(headers, before);
        headers.insert(TRACEPARENT, "none".parse().unwrap());
        inject_trace(&mut headers);
        assert_eq!(headers.get(TRACESTATE), None);
        assert!(
            headers[TRACEPARENT]
                .to_str()
                .unwrap()
                .parse::<TraceContext>()
                .is_ok()
        );
    }

    #[test]
    fn fractions_of_random_traces_are_spread_evenly() {
        let sum: f64 = (0..10_000).map(|_| TraceContext::new().fraction()).sum();
        assert!((4_700.0..5_300.0).contains(&sum), "{sum}");
    }
}

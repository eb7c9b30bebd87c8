//! A body that is passed on, and copied up to a limit.

use std::fmt;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::exchange::{Exchange, ResponseSide};

pin_project! {
    /// A body that is passed on as it is, and of which capture keeps a copy up to a limit.
    pub struct TeeBody<B> {
        #[pin]
        inner: B,
        side: Side,
    }
}

/// Whose body it is.
enum Side {
    /// It is not captured.
    None,
    Request(Arc<Exchange>),
    /// When it is dropped, the response has ended.
    Response(Box<ResponseSide>),
}

impl<B: Body> TeeBody<B> {
    pub(super) fn untouched(inner: B) -> Self {
        Self {
            inner,
            side: Side::None,
        }
    }

    pub(super) fn of_request(inner: B, exchange: Arc<Exchange>) -> Self {
        if inner.is_end_stream() {
            exchange.request_body(|kept| kept.is_complete = true);
        }
        Self {
            inner,
            side: Side::Request(exchange),
        }
    }

    pub(super) fn of_response(inner: B, mut side: ResponseSide, has_no_body: bool) -> Self {
        side.kept.is_complete = has_no_body || inner.is_end_stream();
        Self {
            inner,
            side: Side::Response(Box::new(side)),
        }
    }
}

impl<B> fmt::Debug for TeeBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TeeBody").finish_non_exhaustive()
    }
}

/// Creates an empty body that is not captured.
impl<B: Default> Default for TeeBody<B> {
    fn default() -> Self {
        Self {
            inner: B::default(),
            side: Side::None,
        }
    }
}

impl<B: Body> Body for TeeBody<B>
where
    B::Error: fmt::Display,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let polled = match this.side {
            Side::None => return this.inner.poll_frame(context),
            Side::Request(_) => this.inner.as_mut().poll_frame(context),
            Side::Response(side) => {
                side.is_polling = true;
                let polled = {
                    let _entered = side.enter();
                    this.inner.as_mut().poll_frame(context)
                };
                side.is_polling = false;
                polled
            }
        };
        if let Poll::Ready(frame) = &polled {
            let is_end = frame.is_none() || this.inner.is_end_stream();
            let note = |kept: &mut Kept, exchange: &Exchange| {
                match frame {
                    Some(Ok(frame)) => {
                        if let Some(data) = frame.data_ref() {
                            kept.add(data, |bytes| exchange.reserve(bytes));
                        }
                    }
                    Some(Err(error)) => kept.error = Some(error.to_string()),
                    None => {}
                }
                let is_last = matches!(frame, Some(Ok(frame)) if frame.is_trailers());
                kept.is_complete |= (is_end || is_last) && !matches!(frame, Some(Err(_)));
            };
            match this.side {
                Side::None => {}
                Side::Request(exchange) => exchange.request_body(|kept| note(kept, exchange)),
                Side::Response(side) => {
                    let ResponseSide { kept, exchange, .. } = &mut **side;
                    note(kept, exchange);
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The copy of a body, up to a limit.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    /// The bytes that were passed on.
    pub(super) size: u64,
    /// The most bytes that are kept.
    pub(super) limit: usize,
    /// Whether all of it was passed on.
    pub(super) is_complete: bool,
    pub(super) error: Option<String>,
}

impl Kept {
    /// Notes that data was passed on, and copies it, if `reserve` finds room for its bytes.
    fn add(&mut self, data: &impl Buf, reserve: impl FnOnce(usize) -> bool) {
        const SLICES: usize = 64;
        let passed = data.remaining();
        let is_gap = self.size > self.bytes.len() as u64;
        self.size += passed as u64;
        let wanted = passed.min(self.limit.saturating_sub(self.bytes.len()));
        // Bytes behind a gap are of no use.
        if wanted == 0 || is_gap || !reserve(wanted) {
            return;
        }
        self.bytes.reserve(wanted);
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = data.chunks_vectored(&mut slices);
        let end = self.bytes.len() + wanted;
        for slice in &slices[..filled] {
            let left = end - self.bytes.len();
            self.bytes
                .extend_from_slice(&slice[..slice.len().min(left)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bytes::{Buf as _, Bytes};

    use super::Kept;

    #[test]
    fn bytes_are_kept_up_to_the_limit() {
        let mut kept = Kept {
            limit: 10,
            ..Kept::default()
        };
        let reserved = Cell::new(0);
        let reserve = |bytes| {
            reserved.set(reserved.get() + bytes);
            true
        };
        let two = Bytes::from_static(b"abc").chain(Bytes::from_static(b"def"));
        kept.add(&two, reserve);
        kept.add(&Bytes::from_static(b"ghijklm"), reserve);
        kept.add(&Bytes::from_static(b"n"), reserve);
        assert_eq!((kept.bytes.as_slice(), kept.size), (&b"abcdefghij"[..], 14));
        assert_eq!(reserved.get(), 10);
    }

    #[test]
    fn nothing_is_kept_behind_what_had_no_room() {
        let mut kept = Kept {
            limit: 100,
            ..Kept::default()
        };
        for (data, is_room) in [(&b"ab"[..], true), (b"cd", false), (b"ef", true)] {
            kept.add(&Bytes::from_static(data), |_| is_room);
        }
        assert_eq!((kept.bytes.as_slice(), kept.size), (&b"ab"[..], 6));
    }
}

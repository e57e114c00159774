//! Bodies of answers, also such as are never in memory whole.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// Of what an oversized body is made.
const FILLING: &[u8] = &[b'a'; 64 * 1024];

/// The body of an answer.
pub(crate) enum Payload {
    /// This.
    Whole(Bytes),
    /// A head, so many bytes of filling, and a tail.
    Filled { head: Bytes, filling: u64, tail: Bytes, sized: bool },
    /// This, one byte at a time.
    Slow { bytes: Bytes, pace: Duration, next: Pin<Box<Sleep>> },
}

impl Payload {
    /// One byte each time this much has passed.
    pub(crate) fn slow(bytes: Bytes, pace: Duration) -> Self {
        Payload::Slow { bytes, pace, next: Box::pin(tokio::time::sleep(pace)) }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = match self.get_mut() {
            Payload::Whole(bytes) => std::mem::take(bytes),
            Payload::Filled { head, filling, tail, .. } => {
                if !head.is_empty() {
                    std::mem::take(head)
                } else if *filling > 0 {
                    let length = FILLING.len().min(usize::try_from(*filling).unwrap_or(usize::MAX));
                    *filling = filling.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
                    Bytes::from_static(FILLING).slice(..length)
                } else {
                    std::mem::take(tail)
                }
            }
            Payload::Slow { bytes, .. } if bytes.is_empty() => Bytes::new(),
            Payload::Slow { bytes, pace, next } => {
                ready!(next.as_mut().poll(cx));
                *next = Box::pin(tokio::time::sleep(*pace));
                bytes.split_to(1)
            }
        };
        Poll::Ready((!chunk.is_empty()).then(|| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Payload::Whole(bytes) | Payload::Slow { bytes, .. } => bytes.is_empty(),
            Payload::Filled { head, filling, tail, .. } => head.is_empty() && *filling == 0 && tail.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let length = |bytes: &Bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match self {
            Payload::Whole(bytes) | Payload::Slow { bytes, .. } => SizeHint::with_exact(length(bytes)),
            Payload::Filled { head, filling, tail, sized: true } => {
                SizeHint::with_exact(filling.saturating_add(length(head)).saturating_add(length(tail)))
            }
            Payload::Filled { sized: false, .. } => SizeHint::default(),
        }
    }
}

//! Bodies that nobody wanted.
//!
//! When a request is refused before its body is read, closing the connection
//! makes the kernel answer what still arrives with a reset, and the client loses
//! the answer that says why. So what is left of the body is read and dropped
//! before the answer goes out, within bounds.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use hyper::body::{Frame, SizeHint};

/// Many times the longest body that any route takes; who sends more loses the answer.
const LONGEST: usize = 2 * 1024 * 1024;
/// A LAN brings as much in less.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A request's body, held by its handler and by whoever reads the rest.
#[derive(Clone)]
pub struct Unread(Arc<Mutex<Body>>);

impl Unread {
    /// Puts a shared body into `request`.
    pub fn share(request: Request) -> (Request, Self) {
        let (parts, body) = request.into_parts();
        let unread = Self(Arc::new(Mutex::new(body)));
        (Request::from_parts(parts, Body::new(unread.clone())), unread)
    }

    /// Reads and drops what the handler has left, within [`LONGEST`] and [`TIMEOUT`].
    pub async fn drain(mut self) {
        let rest = async {
            let mut dropped = 0;
            while dropped <= LONGEST {
                let frame = std::future::poll_fn(|context| Pin::new(&mut self).poll_frame(context));
                let Some(Ok(frame)) = frame.await else { return };
                dropped += frame.data_ref().map_or(0, Bytes::len);
            }
        };
        // Whoever is slower gets the answer, or a reset.
        let _ = tokio::time::timeout(TIMEOUT, rest).await;
    }

    /// Held for one poll; the handler is done when the rest is read.
    fn with<T>(&self, look: impl FnOnce(Pin<&mut Body>) -> T) -> T {
        look(Pin::new(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl HttpBody for Unread {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.with(|body| body.poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.with(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|body| body.size_hint())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use axum::body::to_bytes;

    use super::*;

    #[tokio::test]
    async fn handler_reads_the_body_as_it_is_and_the_rest_is_empty() {
        let (request, unread) = Unread::share(Request::new(Body::from("hello")));
        assert_eq!(request.body().size_hint().exact(), Some(5));
        assert_eq!(to_bytes(request.into_body(), 10).await.unwrap(), "hello");
        assert!(unread.is_end_stream());
        unread.drain().await;
    }

    #[tokio::test]
    async fn what_is_left_is_read_up_to_a_limit() {
        let (request, unread) = Unread::share(Request::new(Body::from("hello")));
        drop(request);
        unread.clone().drain().await;
        assert!(unread.is_end_stream());
    }

    #[tokio::test(start_paused = true)]
    async fn body_that_never_comes_is_not_waited_for() {
        struct Never;
        impl HttpBody for Never {
            type Data = Bytes;
            type Error = axum::Error;
            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
                Poll::Pending
            }
        }
        let (_, unread) = Unread::share(Request::new(Body::new(Never)));
        unread.drain().await;
    }
}

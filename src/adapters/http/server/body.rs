//! The body of an answer on its way: given out in pieces as the client reads, and counted.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::{connection::Connection, connections::Connections};

/// HTTP/2 keeps a piece in memory until the client takes it.
const PIECE_BYTES: usize = 64 * 1024;

/// Marks an answer whose body is kept in memory anyway and shared by all who ask for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SharedBody;

/// A body on its way.
pub(super) struct SentBody {
    inner: BoxBody<Bytes, io::Error>,
    /// What was read of the inner body and not given out.
    rest: Bytes,
    id: u64,
    /// Bytes that still count as unsent.
    unsent: usize,
    connection: Arc<Connection>,
    connections: Arc<Connections>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl SentBody {
    /// A request was begun on this connection, in this slot, and this is its answer. It ends with the body.
    pub(super) fn new(
        inner: BoxBody<Bytes, io::Error>,
        shared: bool,
        connection: Arc<Connection>,
        connections: Arc<Connections>,
        slot: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let exact = inner.size_hint().exact().filter(|_| !shared);
        let unsent = exact.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
        if unsent > 0 {
            connections.add_unsent(&connection, unsent);
        }
        let id = connection.open_body();
        Self { inner, rest: Bytes::new(), id, unsent, connection, connections, _slot: slot }
    }

    fn give(&mut self) -> Bytes {
        let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES));
        self.sent(piece.len());
        piece
    }

    fn sent(&mut self, bytes: usize) {
        let counted = bytes.min(self.unsent);
        if counted > 0 {
            self.unsent -= counted;
            self.connections.sub_unsent(&self.connection, counted);
        }
    }
}

impl Drop for SentBody {
    fn drop(&mut self) {
        self.sent(self.unsent);
        self.connection.close_body(self.id);
        self.connection.end();
    }
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.connection.asked_for(self.id);
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            }
        }
        Poll::Ready(Some(Ok(Frame::data(self.give()))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(rest));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

//! A WebSocket with bounds: what waits to be sent is bounded, and so is the time that the other side may take.

use std::{
    collections::VecDeque,
    future::poll_fn,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use poem::Upgraded;
use serde_json::Value;
use tokio::{
    io::AsyncReadExt,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::CapacityError,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::{super::problem::Problem, frames::Frame};
use crate::domain::event::Event;

/// How many answers may wait; beyond that nothing more is read.
const MOST_ANSWERS: usize = 64;
/// How long a close may take.
const CLOSING: Duration = Duration::from_secs(1);
/// How much of what nobody reads any more is taken in, so that the other side sees the close.
const DRAINED_BYTES: usize = 16 * 1024 * 1024;
/// For how long.
const DRAINED_FOR: Duration = Duration::from_secs(2);

/// What happened on a link.
#[derive(Debug)]
pub(super) enum Turn {
    /// A text came.
    Text(String),
    /// Something came that is no text, and that the gate does not read.
    Binary,
    /// Everything that waited was sent, or a sign of life came.
    Nothing,
    /// The other side is gone.
    Gone,
}

/// The connection, and what waits to be sent on it.
pub(super) struct Link {
    socket: WebSocketStream<Upgraded>,
    answers: VecDeque<Frame>,
    events: VecDeque<Event>,
    unsent: bool,
    /// When something was last sent, and when something last came.
    sent: Instant,
    heard: Instant,
}

impl Link {
    pub(super) fn new(socket: WebSocketStream<Upgraded>) -> Self {
        let now = Instant::now();
        Self { socket, answers: VecDeque::new(), events: VecDeque::new(), unsent: false, sent: now, heard: now }
    }

    /// Puts an answer behind those that wait.
    pub(super) fn push(&mut self, frame: Frame) {
        self.begin_to_wait();
        self.answers.push_back(frame);
    }

    /// Puts events behind those that wait.
    pub(super) fn push_events(&mut self, events: Vec<Event>) {
        self.begin_to_wait();
        self.events.extend(events);
    }

    fn begin_to_wait(&mut self) {
        if !self.unsent {
            self.unsent = true;
            self.sent = Instant::now();
        }
    }

    /// Whether all events were sent.
    pub(super) fn wants_events(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether the other side has shown no life, or taken nothing of what waits, for so long.
    pub(super) fn is_dead(&self, patience: Duration) -> bool {
        self.heard.elapsed() > patience || (self.unsent && self.sent.elapsed() > patience)
    }

    /// Sends what waits and reads what comes; says what happened. Dropped while it waits, it loses nothing.
    ///
    /// # Errors
    /// What the other side does against the protocol.
    pub(super) async fn turn(&mut self) -> Result<Turn, Error> {
        poll_fn(|context| self.poll_turn(context)).await
    }

    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<Result<Turn, Error>> {
        if self.unsent && self.poll_send(context)?.is_ready() {
            self.unsent = false;
            return Poll::Ready(Ok(Turn::Nothing));
        }
        if self.answers.len() >= MOST_ANSWERS {
            // Sending wakes this task, too.
            return Poll::Pending;
        }
        let message = ready!(self.socket.poll_next_unpin(context)).transpose()?;
        self.heard = Instant::now();
        Poll::Ready(Ok(match message {
            Some(Message::Text(text)) => Turn::Text(text.as_str().to_owned()),
            Some(Message::Binary(_)) => Turn::Binary,
            Some(Message::Close(_)) | None => Turn::Gone,
            // A ping is answered by whoever reads next.
            Some(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Turn::Nothing,
        }))
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            ready!(self.socket.poll_ready_unpin(context))?;
            let frame = self.answers.pop_front().or_else(|| self.events.pop_front().map(Frame::Event));
            let Some(frame) = frame else { break };
            self.socket.start_send_unpin(frame.into_message())?;
            self.sent = Instant::now();
        }
        self.socket.poll_flush_unpin(context)
    }

    /// Sends what answers wait, as far as that is soon done.
    pub(super) async fn finish(&mut self) {
        self.events.clear();
        let sending = poll_fn(|context| self.poll_send(context));
        if !matches!(timeout(CLOSING, sending).await, Ok(Ok(()))) {
            tracing::debug!("the last answers on a socket could not be sent");
        }
    }

    /// Lets the other side, which has closed it, go: says so, too.
    pub(super) async fn part(mut self) {
        let parting = async { while let Some(Ok(_)) = self.socket.next().await {} };
        timeout(CLOSING, parting).await.unwrap_or_default();
    }

    /// Closes it. What waits is dropped: whom this is closed to has no more right to it.
    pub(super) async fn close(mut self, code: u16, reason: String) {
        let closing = async {
            let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
            self.socket.send(Message::Close(Some(frame))).await?;
            // Until the other side has closed, too.
            while self.socket.next().await.transpose()?.is_some() {}
            Ok::<_, Error>(())
        };
        // Whoever takes too long finds the connection cut.
        if !matches!(timeout(CLOSING, closing).await, Ok(Ok(()))) {
            tracing::trace!("a socket was cut");
        }
    }

    /// Closes it with a problem. One that has a member of its own is sent first: a close has no room for it.
    pub(super) async fn close_with(mut self, problem: &Problem, body: Value) {
        if problem.has_member() {
            self.answers.clear();
            self.push(Frame::Problem(None, body));
            self.finish().await;
        }
        self.close(problem.close_code(), problem.close_reason()).await;
    }

    /// Closes it after what came cannot be read: what else comes is taken in, so that the other side gets to see why.
    pub(super) async fn close_unread(mut self, code: u16, reason: &'static str) {
        let closing = async {
            let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
            self.socket.send(Message::Close(Some(frame))).await?;
            let mut buffer = vec![0; 64 * 1024];
            let mut drained = 0;
            while drained < DRAINED_BYTES {
                match self.socket.get_mut().read(&mut buffer).await? {
                    0 => break,
                    count => drained += count,
                }
            }
            Ok::<_, Error>(())
        };
        if !matches!(timeout(DRAINED_FOR, closing).await, Ok(Ok(()))) {
            tracing::trace!("a socket was cut");
        }
    }
}

/// The code and the reason with which a breach of the protocol is closed; `None` where the connection broke.
pub(super) fn breach(error: &Error) -> Option<(u16, &'static str)> {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Some((1009, "the message is over server.body_limit")),
        Error::Capacity(CapacityError::TooManyHeaders) | Error::Protocol(_) => Some((1002, "this is no WebSocket")),
        Error::Utf8(_) => Some((1007, "a text must be UTF-8")),
        _ => None,
    }
}

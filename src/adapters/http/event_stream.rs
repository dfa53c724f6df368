//! An open stream of server-sent events: ends when its token does, when its right is lost, and when the gate stops.

use std::{convert::Infallible, io, time::Duration};

use futures_util::{StreamExt, stream};
use poem::Body;
use tokio::time::Interval;
use tokio_util::sync::CancellationToken;

use super::{
    events::frame,
    judged::{Judged, every},
};
use crate::app::events::Tail;

/// How often a comment line says that the stream lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A stream that is open.
struct Open {
    tail: Tail,
    judged: Judged,
    stopping: CancellationToken,
    heartbeat: Interval,
}

/// The body of a stream.
pub(super) fn body(tail: Tail, judged: Judged, stopping: CancellationToken) -> Body {
    let open = Open { tail, judged, stopping, heartbeat: every(HEARTBEAT) };
    // A first comment carries the headers through proxies that wait for a body.
    let begin = stream::once(async { Ok::<_, Infallible>(":\n\n".to_owned()) });
    let rest = stream::unfold(open, |mut open| async move {
        let next = open.next().await?;
        Some((Ok(next), open))
    });
    Body::from_bytes_stream(begin.chain(rest).map(|chunk| chunk.map_err(|never| -> io::Error { match never {} })))
}

impl Open {
    /// The next lines; `None` ends the stream. Dropped while it waits, it loses nothing.
    async fn next(&mut self) -> Option<String> {
        let Self { tail, judged, stopping, heartbeat } = self;
        // Judging breaks no reading off: one that takes longer than the time between two judgements would never end.
        let mut reading = std::pin::pin!(tail.next());
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => return None,
                () = judged.due() => {
                    if let Err(problem) = judged.judge().await {
                        tracing::debug!(code = problem.code().name, "an event stream ends");
                        return None;
                    }
                }
                events = &mut reading => return match events {
                    Ok(events) => Some(events.into_iter().map(frame).collect()),
                    Err(error) => {
                        // The client comes back with its Last-Event-ID.
                        tracing::warn!(error = %error, "an event stream broke");
                        None
                    }
                },
                _ = heartbeat.tick() => return Some(":\n\n".to_owned()),
            }
        }
    }
}

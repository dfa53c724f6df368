//! An open stream of server-sent events: ends when its token does, when its right is lost, and when the gate stops.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use poem::{Body, FromRequest, Request, RequestBody, Result};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{call::Call, codes, events::frame, problem::Problem};
use crate::{
    app::{App, authenticate::Credential, events::Tail},
    domain::{identity::Identity, ids::WorkflowId},
    ports::token_validator::AuthError,
};

/// How often a comment line says that the stream lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often the credential is judged anew: a revocation, on whichever replica, ends the stream within a second.
const JUDGED_EVERY: Duration = Duration::from_millis(500);

/// The credential that a stream was opened with.
#[derive(Debug)]
pub(super) struct Follower(Credential);

impl<'a> FromRequest<'a> for Follower {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let credential = Call::of(request)?.credential.clone();
        Ok(Self(credential.ok_or_else(|| Problem::plain(codes::INTERNAL))?))
    }
}

struct Open {
    app: Arc<App>,
    tail: Tail,
    who: Arc<Identity>,
    follower: Follower,
    workflow: WorkflowId,
    stopping: CancellationToken,
    heartbeat: Interval,
    judgement: Interval,
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// The body of a stream.
pub(super) fn body(
    app: Arc<App>,
    tail: Tail,
    who: Arc<Identity>,
    follower: Follower,
    workflow: WorkflowId,
    stopping: CancellationToken,
) -> Body {
    let open = Open {
        app,
        tail,
        who,
        follower,
        workflow,
        stopping,
        heartbeat: every(HEARTBEAT),
        judgement: every(JUDGED_EVERY),
    };
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
        loop {
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return None,
                _ = self.judgement.tick() => {
                    if !self.still_allowed().await {
                        return None;
                    }
                }
                events = self.tail.next() => return match events {
                    Ok(events) => Some(events.into_iter().map(frame).collect()),
                    Err(error) => {
                        // The client comes back with its Last-Event-ID.
                        tracing::warn!(error = %error, "an event stream broke");
                        None
                    }
                },
                _ = self.heartbeat.tick() => return Some(":\n\n".to_owned()),
            }
        }
    }

    async fn still_allowed(&mut self) -> bool {
        if self.who.expires_at.is_some_and(|end| end <= self.app.core.commands.now()) {
            return false;
        }
        match self.app.authenticator.judge_again(&self.follower.0).await {
            Ok(caller) if *caller.identity == *self.who => true,
            Ok(caller) => {
                let same = caller.identity.key() == self.who.key();
                self.who = caller.identity;
                same && self.app.events.may_follow(&self.who, self.workflow).await.is_ok()
            }
            // Nobody could tell: that ends nothing.
            Err(AuthError::Unavailable) => true,
            Err(_) => false,
        }
    }
}

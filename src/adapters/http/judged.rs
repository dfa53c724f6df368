//! Who follows a channel for as long as a stream is open: judged anew at once when something was revoked or changed, which
//! this replica learns of others within 500 ms, when their token ends, and every few seconds for what nobody tells of: keys
//! that are withdrawn, tokens that a provider has ended (authentication.md section 7).

use std::{net::IpAddr, sync::Arc, time::Duration};

use poem::{FromRequest, Request, RequestBody, Result};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::{audit::note_entrance, call::Call, codes, problem::Problem};
use crate::{
    app::{
        App,
        audit::Place,
        authenticate::{Caller, Credential},
        context,
        error::AppError,
        signals::Listener,
    },
    domain::{bearer::BearerToken, identity::Identity, ids::WorkflowId},
    ports::token_validator::AuthError,
};

/// How often somebody is judged anew of whom nothing is heard.
const JUDGE_INTERVAL: Duration = Duration::from_secs(10);
/// Before a token that should be over is looked at again.
const MIN_PAUSE: Duration = Duration::from_millis(50);

/// The credential that a stream was opened with.
#[derive(Debug)]
pub(super) struct Follower(Credential);

impl<'a> FromRequest<'a> for Follower {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let credential = Call::of(request)?.credential.clone();
        Ok(Self(credential.ok_or_else(|| Problem::plain(codes::INTERNAL))?))
    }
}

/// An interval whose first tick is one period away.
pub(super) fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Somebody who follows a channel.
pub(super) struct Judged {
    app: Arc<App>,
    who: Arc<Identity>,
    /// Whether it is sure that they see the channel, as who they are now.
    sees: bool,
    credential: Credential,
    from: Option<IpAddr>,
    request_id: Option<Arc<str>>,
    workflow: WorkflowId,
    tick: Interval,
    changed: Listener,
}

impl Judged {
    /// Who was let in by this credential just now: made where the request's context is open.
    pub(super) fn new(app: Arc<App>, who: Arc<Identity>, follower: Follower, workflow: WorkflowId) -> Self {
        let changed = app.core.commands.signals().standing.changed.listen();
        let context = context::current();
        let from = context.as_ref().and_then(|context| context.address);
        let request_id = context.map(|context| context.request_id);
        let tick = every(JUDGE_INTERVAL);
        Self { app, who, sees: true, credential: follower.0, from, request_id, workflow, tick, changed }
    }

    /// Who they are, as they were last judged.
    pub(super) const fn who(&self) -> &Arc<Identity> {
        &self.who
    }

    /// Waits until it is time to judge them anew.
    pub(super) async fn due(&mut self) {
        let left = self.left();
        tokio::select! {
            _ = self.tick.tick() => {}
            () = self.changed.rung() => {}
            () = tokio::time::sleep(left) => {}
        }
    }

    /// How long their token holds; without an end, for ever.
    fn left(&self) -> Duration {
        let Some(end) = self.who.expires_at else { return Duration::MAX };
        let left = Duration::try_from(self.app.core.commands.now().duration_until(end)).unwrap_or_default();
        left.max(MIN_PAUSE)
    }

    /// Judges them anew. What nobody can tell now ends nothing.
    ///
    /// # Errors
    /// Why they may not go on.
    pub(super) async fn judge(&mut self) -> Result<(), Problem> {
        if self.who.expires_at.is_some_and(|end| end <= self.app.core.commands.now()) {
            return Err(AuthError::TokenExpired.into());
        }
        match self.app.authenticator.judge_again(&self.credential).await {
            Ok(caller) if self.sees && *caller.identity == *self.who => Ok(()),
            Ok(caller) => self.became(caller.identity).await,
            Err(rejection) if is_no_answer(&rejection.error) => Ok(()),
            Err(rejection) => Err(rejection.error.into()),
        }
    }

    /// Takes a fresh token in the place of the old one: of the same issuer, subject and kind. `None`: that could not be
    /// told now, and the old one goes on.
    ///
    /// # Errors
    /// Why they may not go on.
    pub(super) async fn renew(&mut self, token: BearerToken) -> Result<Option<Caller>, Problem> {
        let credential = Credential::Bearer(token);
        let outcome = self.app.authenticator.admit(&credential, self.from).await;
        let place = Place { address: self.from, request_id: self.request_id.as_deref().unwrap_or_default() };
        note_entrance(&self.app, &outcome, place);
        let caller = match outcome.map_err(|rejection| rejection.error) {
            Ok(caller) => caller,
            Err(error) if is_no_answer(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        self.became(Arc::clone(&caller.identity)).await?;
        self.credential = credential;
        Ok(Some(caller))
    }

    /// Their rights are others now. Who does not see the channel any more has lost a right; that there is such a channel
    /// is no news to them.
    async fn became(&mut self, who: Arc<Identity>) -> Result<(), Problem> {
        if who.key() != self.who.key() {
            return Err(Problem::new(codes::AUTH_INVALID_TOKEN, "The token is somebody else's"));
        }
        self.who = who;
        // If nobody can tell now, it is asked again the next time.
        self.sees = false;
        match self.app.events.may_follow(&self.who, self.workflow).await {
            Ok(()) => {
                self.sees = true;
                Ok(())
            }
            Err(AppError::Repository(_)) => Ok(()),
            Err(AppError::NotFound(_)) => Err(AuthError::WorkspaceForbidden.into()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether nobody could tell.
const fn is_no_answer(error: &AuthError) -> bool {
    matches!(error, AuthError::Unavailable | AuthError::KeyUnavailable)
}

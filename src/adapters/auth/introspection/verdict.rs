//! What was found out about a token, and for how long that counts.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Issuer, answer::Answer};
use crate::{
    app::standing::Standing,
    domain::{
        bearer::BearerToken, claims::identity_of, identity::Identity, json::JsonObject, rejection::RejectionReason,
    },
    ports::{
        clock::Clock,
        token_validator::{AuthError, Rejection, Suspect},
    },
};

/// No verdict is kept for longer.
pub(super) const LONGEST: Duration = Duration::from_mins(1);
const GOOD_FOR: SignedDuration = SignedDuration::from_secs(60);
const BAD_FOR: SignedDuration = SignedDuration::from_secs(10);
/// About what a verdict weighs beside its claims, in bytes.
const BARE_WEIGHT: u32 = 1_024;
/// How much more the claims weigh than their text.
const CLAIMS_WEIGH: usize = 4;

/// A finding with its limits.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) finding: Finding,
    from: Timestamp,
    until: Timestamp,
    /// In bytes, about.
    pub(super) weight: u32,
}

/// What was found out.
#[derive(Debug, Clone)]
pub(super) enum Finding {
    /// Whom the token names.
    Good(Arc<Identity>),
    /// Why it is refused.
    Bad(Rejection),
    /// Nothing: only whoever asked at the same time is told so.
    Unknown,
}

impl Verdict {
    fn new(finding: Finding, from: Timestamp, until: Timestamp, length: usize) -> Self {
        let claims = u32::try_from(length.saturating_mul(CLAIMS_WEIGH)).unwrap_or(u32::MAX);
        Self { finding, from, until, weight: BARE_WEIGHT.saturating_add(claims) }
    }

    /// Whether it still counts: a good one only while the revocation log is read (authentication.md section 5). A clock
    /// that went back makes it doubtful.
    pub(super) fn counts_at(&self, now: Timestamp, believed: bool) -> bool {
        let in_time = self.from <= now && now < self.until;
        in_time && (believed || !matches!(self.finding, Finding::Good(_)))
    }
}

/// The refusal of a token that was revoked.
pub(super) fn revoked(who: &Identity) -> Rejection {
    AuthError::TokenRevoked.of(who)
}

impl Issuer {
    /// Finds out about a token. The verdict counts from before the question, and is made on what the time is after it.
    pub(super) async fn ask(&self, token: &BearerToken, clock: &dyn Clock, standing: &Standing) -> Verdict {
        let now = clock.now();
        let after = |time: SignedDuration| now.checked_add(time).unwrap_or(Timestamp::MAX);
        match self.endpoint.ask(token).await {
            Err(_logged) => Verdict::new(Finding::Unknown, now, now, 0),
            Ok(Answer::Inactive) => {
                Verdict::new(Finding::Bad(RejectionReason::Inactive.into()), now, after(BAD_FOR), 0)
            }
            Ok(Answer::Active { claims, length }) => match self.judge(claims, clock.now(), standing) {
                Ok((who, end)) => Verdict::new(Finding::Good(Arc::new(who)), now, end.min(after(GOOD_FOR)), length),
                Err(rejection) => Verdict::new(Finding::Bad(rejection), now, after(BAD_FOR), 0),
            },
        }
    }

    /// Judges the claims of an active token, in the order of authentication.md section 1.4; gives its end too.
    fn judge(
        &self,
        claims: JsonObject,
        now: Timestamp,
        standing: &Standing,
    ) -> Result<(Identity, Timestamp), Rejection> {
        let of = Suspect::of_claims(self.policy.name.as_str(), &claims);
        let refused = |rejection: Rejection| rejection.about(of.clone());
        self.judge_issuer(claims.get("iss")).map_err(|error| refused(error.into()))?;
        self.audience.judge(claims.get("aud")).map_err(|error| refused(error.into()))?;
        let claims = Arc::new(claims);
        let end = self.times.judge(&claims, now);
        let who = identity_of(&self.policy, Arc::clone(&claims)).map_err(Rejection::from);
        match (end, who) {
            // Revoked is said before expired.
            (_, Ok(who)) if standing.revokes(&who) => Err(revoked(&who)),
            (Ok(end), Ok(who)) => Ok((who, end)),
            (Err(rejection), _) | (_, Err(rejection)) => Err(refused(rejection)),
        }
    }

    fn judge_issuer(&self, claim: Option<&Value>) -> Result<(), AuthError> {
        let ours = |text: &str| self.issuers.iter().any(|issuer| issuer == text);
        if self.issuers.is_empty() || claim.and_then(Value::as_str).is_some_and(ours) {
            Ok(())
        } else {
            Err(AuthError::InvalidIssuer)
        }
    }
}

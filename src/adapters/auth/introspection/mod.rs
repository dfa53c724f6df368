//! Opaque tokens, about which their issuer is asked (RFC 7662; authentication.md section 1). All such issuers are one
//! validator, since the longest prefix that fits tells whose a token is.

mod answer;
mod config;
mod endpoint;
mod verdict;

use std::sync::Arc;

use async_trait::async_trait;
use moka::future::Cache;

pub use config::{BadIssuer, IntrospectionIssuer};

use self::{
    endpoint::Endpoint,
    verdict::{Finding, Verdict},
};
use super::jwt::checks::{Audience, Times};
use crate::{
    app::signals::Signals,
    domain::{bearer::BearerToken, issuer::IssuerPolicy, rejection::RejectionReason},
    ports::{
        clock::Clock,
        token_validator::{AuthError, Rejection, TokenValidator, ValidatedToken},
    },
};

/// Longer tokens are refused unread, in bytes.
const LONGEST: usize = 16 * 1024;
/// What all verdicts together may weigh, in bytes: of tokens with a kilobyte of claims, some ten thousand.
const REMEMBERED: u64 = 32 * 1024 * 1024;

/// Asks the issuers of opaque tokens about them.
#[derive(Debug)]
pub struct IntrospectionValidator {
    /// The longest prefix first.
    issuers: Vec<Issuer>,
    clock: Arc<dyn Clock>,
    signals: Arc<Signals>,
    /// By the SHA-256 of the token. Whoever asks first about a token asks for all who do meanwhile.
    verdicts: Cache<[u8; 32], Verdict>,
}

#[derive(Debug)]
struct Issuer {
    prefix: String,
    policy: IssuerPolicy,
    issuers: Vec<String>,
    audience: Audience,
    times: Times,
    endpoint: Endpoint,
}

impl IntrospectionValidator {
    /// Asks these issuers.
    ///
    /// # Errors
    /// [`BadIssuer`] names the one that cannot be, and why.
    pub fn new(
        issuers: Vec<IntrospectionIssuer>,
        clock: Arc<dyn Clock>,
        signals: Arc<Signals>,
    ) -> Result<Self, BadIssuer> {
        let mut issuers = issuers.into_iter().map(Issuer::new).collect::<Result<Vec<_>, _>>()?;
        issuers.sort_by_key(|issuer| std::cmp::Reverse(issuer.prefix.len()));
        if let Some(twice) = issuers.windows(2).find_map(config::same_prefix) {
            return Err(twice);
        }
        let verdicts = Cache::builder()
            .max_capacity(REMEMBERED)
            .weigher(|_, verdict: &Verdict| verdict.weight)
            .time_to_live(verdict::LONGEST)
            .build();
        Ok(Self { issuers, clock, signals, verdicts })
    }

    /// How many tokens are remembered, and about how many bytes they take.
    pub async fn remembered(&self) -> (u64, u64) {
        self.verdicts.run_pending_tasks().await;
        (self.verdicts.entry_count(), self.verdicts.weighted_size())
    }

    fn issuer_of(&self, token: &BearerToken) -> Option<&Issuer> {
        self.issuers.iter().find(|issuer| token.expose().starts_with(&issuer.prefix))
    }

    /// What is known of the token, or found out now.
    async fn verdict(&self, issuer: &Issuer, token: &BearerToken) -> Verdict {
        let now = self.clock.now();
        let believed = self.signals.standing.is_fresh();
        let ask = async { issuer.ask(token, &*self.clock, &self.signals.standing).await };
        let over = |verdict: &Verdict| !verdict.counts_at(now, believed);
        self.verdicts.entry_by_ref(token.digest()).or_insert_with_if(ask, over).await.into_value()
    }
}

#[async_trait]
impl TokenValidator for IntrospectionValidator {
    fn recognizes(&self, token: &BearerToken) -> bool {
        self.issuer_of(token).is_some()
    }

    async fn validate(&self, token: &BearerToken) -> Result<ValidatedToken, Rejection> {
        let issuer = self.issuer_of(token).ok_or(RejectionReason::UnknownForm)?;
        if token.expose().len() > LONGEST {
            return Err(RejectionReason::MalformedCredential.into());
        }
        match self.verdict(issuer, token).await.finding {
            Finding::Good(who) if self.signals.standing.revokes(&who) => Err(verdict::revoked(&who)),
            Finding::Good(who) => Ok(ValidatedToken::external(who)),
            Finding::Bad(rejection) => Err(rejection),
            Finding::Unknown => Err(AuthError::Unavailable.into()),
        }
    }
}

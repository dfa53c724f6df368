//! How many bad tokens are judged: failures are counted by address and by identity (authentication.md section 6).
//!
//! A failure is a presented credential that is answered 401. The first so many are; what comes after is answered 429 and
//! counted nowhere. From a limited address nothing is judged any more but tokens that this replica has verified before, so
//! that those who share the address with a guesser work on. By identity only what failed is held back: a good token passes.

use std::{
    fmt::Write,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use ipnet::Ipv6Net;
use jiff::SignedDuration;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use super::authenticate::Credential;
use crate::{
    domain::{bearer::BearerToken, identity::IdentityKind},
    ports::{
        clock::Clock,
        rate_limiter::{Counter, Limit, RateLimiter, Verdict},
        token_validator::{AuthError, Rejection, Suspect},
    },
};

/// How many tokens are known to have been good.
const VERIFIED: usize = 50_000;
/// How much of an identity's name a refusal tells.
const MOST_TOLD: usize = 100;
/// Addresses of IPv6 are limited by network: whoever has one address has a /64 of them.
const IPV6_PREFIX: u8 = 64;

/// How many failures within how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitPolicy {
    /// Of an address; 0: not limited.
    pub ip: u32,
    /// Of an identity; 0: not limited.
    pub identity: u32,
    /// The window.
    pub interval: SignedDuration,
}

impl Default for LimitPolicy {
    fn default() -> Self {
        Self { ip: 60, identity: 30, interval: SignedDuration::from_secs(60) }
    }
}

/// Counts failures, and says who has had too many.
#[derive(Debug)]
pub struct Limits {
    limiter: Arc<dyn RateLimiter>,
    clock: Arc<dyn Clock>,
    policy: LimitPolicy,
    /// The digests of tokens that this replica has verified. Bounded; only good tokens come in, so that guessing drives
    /// nobody out.
    verified: Cache<[u8; 32], ()>,
}

/// An address as it is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Origin(IpAddr);

impl Origin {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(IpAddr::V6(network(address))),
            address @ IpAddr::V4(_) => Self(address),
        }
    }

    fn shown(self) -> String {
        match self.0 {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(network) => format!("{network}/{IPV6_PREFIX}"),
        }
    }
}

fn network(address: Ipv6Addr) -> Ipv6Addr {
    Ipv6Net::new(address, IPV6_PREFIX).map_or(address, |net| net.network())
}

/// Short, whatever the claims hold, and without a person's name in Redis.
fn identity_key(of: &Suspect) -> String {
    let issuer = of.issuer.as_deref();
    let mut hash = Sha256::new();
    hash.update([u8::from(issuer.is_some())]);
    hash.update(u64::try_from(issuer.map_or(0, str::len)).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(issuer.unwrap_or_default());
    hash.update(of.name());
    hash.finalize().iter().fold("identity:".to_owned(), |mut key, byte| {
        // Writing to a string never fails.
        let _ = write!(key, "{byte:02x}");
        key
    })
}

impl Limits {
    /// Counts here.
    pub fn new(limiter: Arc<dyn RateLimiter>, clock: Arc<dyn Clock>, policy: LimitPolicy) -> Self {
        Self { limiter, clock, policy, verified: Cache::new(VERIFIED) }
    }

    fn by_address(&self) -> Limit {
        Limit { most: self.policy.ip, interval: self.policy.interval }
    }

    fn by_identity(&self) -> Limit {
        Limit { most: self.policy.identity, interval: self.policy.interval }
    }

    /// Whether a credential from this address is judged at all.
    ///
    /// # Errors
    /// [`AuthError::LimitedAddress`].
    pub async fn admit(&self, credential: &Credential, from: Option<IpAddr>) -> Result<(), AuthError> {
        let known = match credential {
            Credential::Missing => true,
            Credential::Malformed => false,
            Credential::Bearer(token) => self.verified.contains_key(token.digest()),
        };
        let (false, true, Some(from)) = (known, self.policy.ip > 0, from.map(Origin::of)) else { return Ok(()) };
        let key = format!("ip:{}", from.shown());
        let counter = Counter { key: &key, limit: self.by_address() };
        match self.limiter.check(&[counter], self.clock.now()).await {
            Verdict::Free => Ok(()),
            Verdict::Limited { wait, .. } => Err(limited_address(from, wait)),
        }
    }

    /// Remembers that a token was good.
    pub fn passed(&self, token: &BearerToken) {
        if self.policy.ip > 0 && !self.verified.contains_key(token.digest()) {
            self.verified.insert(*token.digest(), ());
        }
    }

    /// What a refusal comes to: the refusal itself, or that there were too many.
    pub async fn refused(&self, credential: &Credential, rejection: Rejection, from: Option<IpAddr>) -> AuthError {
        if !rejection.error.is_failure() {
            return rejection.error;
        }
        if let Credential::Bearer(token) = credential {
            self.verified.remove(token.digest());
        }
        let from = from.map(Origin::of);
        let address = from.map(|from| format!("ip:{}", from.shown()));
        // The bootstrap token is never limited by identity.
        let of = rejection.of.filter(|of| of.kind != IdentityKind::Bootstrap);
        let identity = of.as_deref().map(identity_key);
        // Together: what is not told as a failure of the one is no failure of the other.
        let by_address = address.as_deref().map(|key| Counter { key, limit: self.by_address() });
        let by_identity = identity.as_deref().map(|key| Counter { key, limit: self.by_identity() });
        let counters: Vec<_> = by_address.into_iter().chain(by_identity).collect();
        match (self.limiter.record_failure(&counters, self.clock.now()).await, from, of) {
            (Verdict::Limited { which: 0, wait }, Some(from), _) => limited_address(from, wait),
            (Verdict::Limited { wait, .. }, _, Some(of)) => limited_identity(&of, wait),
            (Verdict::Limited { .. } | Verdict::Free, _, _) => rejection.error,
        }
    }
}

fn limited_address(from: Origin, wait: SignedDuration) -> AuthError {
    AuthError::LimitedAddress { ip: from.shown(), retry_after: seconds(wait) }
}

fn limited_identity(of: &Suspect, wait: SignedDuration) -> AuthError {
    let identity = of.name().chars().filter(|character| !character.is_control()).take(MOST_TOLD).collect();
    AuthError::LimitedIdentity { identity, retry_after: seconds(wait) }
}

/// Whole seconds, rounded up: who comes back after them finds room.
fn seconds(wait: SignedDuration) -> u64 {
    let whole = u64::try_from(wait.as_secs()).unwrap_or(0);
    if wait.subsec_nanos() > 0 { whole + 1 } else { whole.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_wait_is_rounded_up() {
        for (millis, told) in [(1, 1), (999, 1), (1_000, 1), (1_001, 2), (59_500, 60), (60_000, 60)] {
            assert_eq!(seconds(SignedDuration::from_millis(millis)), told, "{millis}");
        }
    }

    #[test]
    fn addresses_are_limited_one_by_one_and_ipv6_by_network() {
        let of = |text: &str| Origin::of(text.parse().unwrap()).shown();
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2:ffff::"), of("2001:db8:1:2::1"));
        assert_ne!(of("2001:db8:1:3::1"), of("2001:db8:1:2::1"));
    }

    #[test]
    fn identities_do_not_run_into_each_other() {
        let of = |issuer: Option<&str>, name: &str| {
            let (kind, issuer, subject) = (IdentityKind::Service, issuer.map(str::to_owned), name.to_owned());
            identity_key(&Suspect { kind, issuer, subject, token_id: None })
        };
        let keys = [of(None, "ci"), of(Some(""), "ci"), of(Some("c"), "i"), of(Some("ci"), ""), of(None, "c")];
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys.iter().take(index).any(|other| other == key), "{index}");
            assert_eq!(key.len(), "identity:".len() + 64);
        }
    }
}

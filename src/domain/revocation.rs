//! What ends credentials before their time, and the one log in which all replicas read it (authentication.md section 5).

use jiff::{SignedDuration, Timestamp};

use super::{
    identity::{Identity, IdentityKind, Maker},
    ids::RevocationId,
    service_token::ServiceTokenId,
    text::Remark,
    user::{IssuerName, UserId},
};

/// How long it is remembered which events of issuers were heard. WorkOS sends again what was not taken for three days.
pub const HEARD_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Which tokens of an issuer a revocation refuses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revoked {
    /// A person's.
    User(UserId),
    /// Those of a session: the claim `sid`.
    Session {
        /// Whose.
        issuer: IssuerName,
        /// The claim.
        sid: String,
    },
    /// One: the claim `jti`.
    Token {
        /// Whose.
        issuer: IssuerName,
        /// The claim.
        jti: String,
    },
}

impl Revoked {
    /// Everything whose revocation refuses a caller's token: the person, the session, the token itself.
    pub fn naming(who: &Identity) -> impl Iterator<Item = Self> {
        let issuer = who.issuer.as_deref().and_then(|name| IssuerName::parse(name).ok());
        let targets = issuer.map(|issuer| {
            let user = UserId::new(issuer.clone(), who.subject.clone()).ok();
            let session = who.session_id.clone().map(|sid| Self::Session { issuer: issuer.clone(), sid });
            let token = who.token_id.clone().map(|jti| Self::Token { issuer, jti });
            [user.map(Self::User), session, token]
        });
        targets.into_iter().flatten().flatten()
    }

    /// Its kind on the wire.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Session { .. } => "session",
            Self::Token { .. } => "token",
        }
    }

    /// The issuer.
    pub const fn issuer(&self) -> &IssuerName {
        match self {
            Self::User(id) => id.issuer(),
            Self::Session { issuer, .. } | Self::Token { issuer, .. } => issuer,
        }
    }

    /// The subject or claim.
    pub fn value(&self) -> &str {
        match self {
            Self::User(id) => id.subject(),
            Self::Session { sid, .. } => sid,
            Self::Token { jti, .. } => jti,
        }
    }
}

/// A revocation as somebody entered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Its id.
    pub id: RevocationId,
    /// What it refuses.
    pub revoked: Revoked,
    /// Why.
    pub reason: Option<Remark>,
    /// For a person: all tokens, also those to come. Else those issued up to [`at`](Self::at).
    pub ban: bool,
    /// From when it counts.
    pub at: Timestamp,
    /// From this moment on no token can be left that it would refuse; `None`: a ban, until lifted.
    pub ends_at: Option<Timestamp>,
    /// Who entered it.
    pub created_by: Maker,
}

impl Revocation {
    /// Whether it refuses a token of its target that was issued then, by a clock that may be ahead by the leeway. What an
    /// issuer tells of has the time of the issuer's own clock, and needs none.
    pub fn refuses(&self, issued_at: Option<Timestamp>, leeway: SignedDuration) -> bool {
        let same_clock = self.created_by.kind == IdentityKind::System;
        let until = if same_clock { self.at } else { self.at.checked_add(leeway).unwrap_or(Timestamp::MAX) };
        match self.revoked {
            // A token that does not say when it was issued may be an old one.
            Revoked::User(_) => self.ban || issued_at.is_none_or(|issued| issued <= until),
            Revoked::Session { .. } | Revoked::Token { .. } => true,
        }
    }
}

/// A line of the log that every replica polls. To read a line twice does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A revocation holds.
    Revoked(Revocation),
    /// It was lifted.
    Lifted(RevocationId),
    /// A service token was revoked, rotated or changed: what is cached of it no longer holds.
    ServiceToken(ServiceTokenId),
    /// A person's memberships changed, or the person was made: likewise.
    Memberships(UserId),
}

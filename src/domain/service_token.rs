//! Service tokens: opaque, long-lived credentials with scopes, workspaces, expiry, rotation and revocation
//! (authentication.md section 4).

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use num_bigint::BigUint;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::{
    bearer::BearerToken,
    identity::Maker,
    scope::Scopes,
    text::{InvalidText, Remark},
    user::UserId,
    workspace::WorkspaceAccess,
};

/// What every service token begins with.
pub const PREFIX: &str = "tgs_";
/// How long an old secret works after a rotation that does not say.
pub const DEFAULT_OVERLAP: SignedDuration = SignedDuration::from_secs(300);

const SECRET_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;

/// The subjects of the gate's own callers: a token of such a name would pass for one of them, as the maker of others.
const RESERVED: [&str; 3] = ["anonymous", "bootstrap", "system"];

/// A token's name: `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`, and no reserved word. It stays when the secret rotates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceTokenId(String);

impl ServiceTokenId {
    /// Reads an identifier.
    ///
    /// # Errors
    /// [`InvalidText`] when the text is none.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let mut characters = text.chars();
        let head = characters.next().is_some_and(|c| c.is_ascii_alphanumeric());
        let tail = characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if RESERVED.contains(&text) {
            Err(InvalidText::new("is a reserved word; take another"))
        } else if head && tail && text.len() <= 63 {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidText::new("must be 1 to 63 of A-Z, a-z, 0-9, ., _ and -, and begin with a letter or digit"))
        }
    }

    /// The identifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identifier in lower case: no two tokens have the same, since one could be taken for the other.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// Whether it could be taken for a reserved word: no new token is called so.
    pub fn resembles_reserved(&self) -> bool {
        RESERVED.iter().any(|word| word.eq_ignore_ascii_case(&self.0))
    }
}

/// So that maps are asked by text: it hashes and sorts as its text does.
impl std::borrow::Borrow<str> for ServiceTokenId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceTokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret in plain text: it exists once, in the answer to whoever made it, and never reaches a store.
pub struct PlainToken(SecretString);

impl PlainToken {
    /// `tgs_` + 43 base62 characters of 256 random bits + 6 of the CRC-32 (IEEE) of those 43.
    pub fn from_random(bits: &[u8; 32]) -> Self {
        let secret = base62(&BigUint::from_bytes_be(bits), SECRET_LENGTH);
        let checksum = checksum(&secret);
        Self(SecretString::from(format!("{PREFIX}{secret}{checksum}")))
    }

    /// The text, for the one who is to keep it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is stored of it.
    pub fn hashed(&self) -> HashedToken {
        HashedToken::of(self.expose())
    }
}

impl fmt::Debug for PlainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainToken([redacted])")
    }
}

/// Whether the text has the form and the checksum of a service token: a typo is told from a wrong secret without a
/// look-up.
pub fn is_well_formed(text: &str) -> bool {
    let Some(body) = text.strip_prefix(PREFIX) else { return false };
    if body.len() != SECRET_LENGTH + CHECKSUM_LENGTH || !body.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return false;
    }
    let (secret, given) = body.split_at(SECRET_LENGTH);
    checksum(secret) == given
}

fn checksum(secret: &str) -> String {
    base62(&BigUint::from(crc32fast::hash(secret.as_bytes())), CHECKSUM_LENGTH)
}

/// Big-endian base62, left-padded with `0`: `0-9A-Za-z` in that order, where [`BigUint::to_radix_be`] gives digits.
fn base62(number: &BigUint, width: usize) -> String {
    let digits = number.to_radix_be(62);
    let text = digits.into_iter().map(|digit| match digit {
        0..=9 => char::from(b'0' + digit),
        10..=35 => char::from(b'A' + digit - 10),
        _ => char::from(b'a' + digit - 36),
    });
    format!("{:0>width$}", text.collect::<String>())
}

/// What is stored of a secret: its SHA-256.
/// `Debug` hides it: a configured secret may be short enough to be guessed from its hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashedToken([u8; 32]);

impl fmt::Debug for HashedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedToken([redacted])")
    }
}

impl HashedToken {
    /// Hashes a presented secret.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Hashes a token that came with a request.
    pub fn of_bearer(token: &BearerToken) -> Self {
        Self(*token.digest())
    }

    /// Takes a stored hash.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// An older secret that still works for a while after a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviousSecret {
    /// Its hash.
    pub hash: HashedToken,
    /// From this moment on it is refused.
    pub ends_at: Timestamp,
}

/// That a token was ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// When.
    pub at: Timestamp,
    /// Why, as whoever did it said.
    pub reason: Option<Remark>,
}

/// A service token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceToken {
    /// Its name.
    pub id: ServiceTokenId,
    /// The secret in force.
    pub hash: HashedToken,
    /// The secret before it, while it lasts.
    pub previous: Option<PreviousSecret>,
    /// What it may do.
    pub scopes: Scopes,
    /// Where.
    pub workspaces: WorkspaceAccess,
    /// When it was made.
    pub issued_at: Timestamp,
    /// From this moment on it is refused; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When its secret last changed.
    pub rotated_at: Option<Timestamp>,
    /// When and why it was revoked.
    pub revoked: Option<Revocation>,
    /// Who made it.
    pub created_by: Maker,
    /// The person to whom it belongs: who made it, or to whom the token belongs that made it. Its rights are cut to what
    /// they have, and it ends with them.
    pub owner: Option<UserId>,
    /// When it was last used, within the time that uses are gathered before they are written.
    pub last_used_at: Option<Timestamp>,
    /// How often it was used, likewise.
    pub use_count: u64,
}

/// Where a token stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStatus {
    /// In force.
    Active,
    /// In force, and an older secret too.
    Rotating,
    /// Past its end.
    Expired,
    /// Ended before its time.
    Revoked,
}

impl TokenStatus {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Rotating => "rotating",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// What is to change at a rotation.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The new secret's hash.
    pub hash: HashedToken,
    /// How long the old secret works on; zero ends every older secret now.
    pub overlap: SignedDuration,
    /// A new end, if the token is to get one.
    pub expires_at: Option<Timestamp>,
    /// Scopes to add.
    pub add_scopes: Scopes,
}

/// A rotation that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// Two older secrets would work at once.
    #[error("an older secret still works; wait for its end or rotate with an overlap of 0")]
    AlreadyRotating,
    /// The token is past its end.
    #[error("the service token has expired")]
    Expired,
    /// The token was revoked.
    #[error("the service token has been revoked")]
    Revoked,
}

/// How a presented secret stands against a stored token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretVerdict {
    /// It is good until the moment given (`None`: without end).
    Good(Option<Timestamp>),
    /// Right, but over.
    Expired,
    /// Right, but the token was revoked.
    Revoked,
}

impl ServiceToken {
    /// Where it stands now. Revoked is said before expired.
    pub fn status(&self, now: Timestamp) -> TokenStatus {
        if self.revoked.is_some() {
            TokenStatus::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            TokenStatus::Expired
        } else if self.previous.is_some_and(|previous| previous.ends_at > now) {
            TokenStatus::Rotating
        } else {
            TokenStatus::Active
        }
    }

    /// Judges a secret that this token was found by: the current one or the one before.
    pub fn judge(&self, presented: &HashedToken, now: Timestamp) -> SecretVerdict {
        match self.status(now) {
            TokenStatus::Revoked => return SecretVerdict::Revoked,
            TokenStatus::Expired => return SecretVerdict::Expired,
            TokenStatus::Active | TokenStatus::Rotating => {}
        }
        if *presented == self.hash {
            return SecretVerdict::Good(self.expires_at);
        }
        match self.previous {
            Some(previous) if previous.hash == *presented && previous.ends_at > now => {
                SecretVerdict::Good(Some(previous.ends_at))
            }
            _ => SecretVerdict::Expired,
        }
    }

    /// Gives the token a new secret under its old name. The old secret never outlives the token.
    ///
    /// # Errors
    /// [`RotationError`] when an older secret still works (unless the overlap is zero), or the token is over.
    pub fn rotate(&mut self, rotation: Rotation, now: Timestamp) -> Result<(), RotationError> {
        let at_once = rotation.overlap <= SignedDuration::ZERO;
        match self.status(now) {
            TokenStatus::Revoked => return Err(RotationError::Revoked),
            TokenStatus::Expired => return Err(RotationError::Expired),
            TokenStatus::Rotating if !at_once => return Err(RotationError::AlreadyRotating),
            TokenStatus::Active | TokenStatus::Rotating => {}
        }
        if rotation.expires_at.is_some() {
            self.expires_at = rotation.expires_at;
        }
        self.previous = if at_once {
            None
        } else {
            let wanted = now.saturating_add(rotation.overlap).unwrap_or(Timestamp::MAX);
            let ends_at = self.expires_at.map_or(wanted, |end| end.min(wanted));
            Some(PreviousSecret { hash: self.hash, ends_at })
        };
        self.hash = rotation.hash;
        self.scopes.extend(rotation.add_scopes);
        self.rotated_at = Some(now);
        Ok(())
    }

    /// Ends the token now. Idempotent: the first revocation stays.
    pub fn revoke(&mut self, reason: Option<Remark>, now: Timestamp) {
        if self.revoked.is_none() {
            self.revoked = Some(Revocation { at: now, reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
    }

    fn token() -> Result<ServiceToken, InvalidText> {
        Ok(ServiceToken {
            id: ServiceTokenId::parse("ci")?,
            hash: HashedToken::of("one"),
            previous: None,
            scopes: Scopes::new(),
            workspaces: WorkspaceAccess::none(),
            issued_at: at(0),
            expires_at: Some(at(1_000)),
            rotated_at: None,
            revoked: None,
            created_by: Maker {
                kind: super::super::identity::IdentityKind::Bootstrap,
                issuer: None,
                subject: "bootstrap".to_owned(),
            },
            owner: None,
            last_used_at: None,
            use_count: 0,
        })
    }

    fn rotation(secret: &str, overlap: i64) -> Rotation {
        Rotation {
            hash: HashedToken::of(secret),
            overlap: SignedDuration::from_secs(overlap),
            expires_at: None,
            add_scopes: Scopes::new(),
        }
    }

    #[test]
    fn a_secret_has_its_form_and_checksum() {
        let zero = PlainToken::from_random(&[0; 32]);
        assert!(zero.expose().starts_with("tgs_0000000000"), "left-padded");
        for bits in [[0u8; 32], [255; 32], [7; 32]] {
            let plain = PlainToken::from_random(&bits);
            assert_eq!(plain.expose().len(), 4 + 43 + 6);
            assert!(is_well_formed(plain.expose()));
            let typo = plain.expose().replacen(char::is_alphanumeric, "!", 6);
            assert!(!is_well_formed(&typo));
        }
        assert_eq!(format!("{zero:?}"), "PlainToken([redacted])");
    }

    #[test]
    fn the_old_secret_works_until_the_overlap_ends_and_never_past_the_tokens_end() -> Result<(), InvalidText> {
        let mut token = token()?;
        assert_eq!(token.rotate(rotation("two", 300), at(900)), Ok(()));
        assert_eq!(token.judge(&HashedToken::of("one"), at(999)), SecretVerdict::Good(Some(at(1_000))));
        assert_eq!(token.judge(&HashedToken::of("one"), at(1_000)), SecretVerdict::Expired);
        assert_eq!(token.status(at(950)), TokenStatus::Rotating);
        Ok(())
    }

    #[test]
    fn a_second_rotation_waits_for_the_first_unless_it_ends_every_older_secret() -> Result<(), InvalidText> {
        let mut token = token()?;
        assert_eq!(token.rotate(rotation("two", 300), at(10)), Ok(()));
        assert_eq!(token.rotate(rotation("three", 300), at(20)), Err(RotationError::AlreadyRotating));
        assert_eq!(token.rotate(rotation("three", 0), at(20)), Ok(()));
        assert_eq!(token.judge(&HashedToken::of("two"), at(21)), SecretVerdict::Expired);
        assert_eq!(token.judge(&HashedToken::of("three"), at(21)), SecretVerdict::Good(Some(at(1_000))));
        Ok(())
    }

    #[test]
    fn revoked_is_said_before_expired_and_ends_rotation() -> Result<(), InvalidText> {
        let mut token = token()?;
        token.revoke(None, at(10));
        token.revoke(Remark::parse("later").ok(), at(20));
        assert_eq!(token.revoked, Some(Revocation { at: at(10), reason: None }));
        assert_eq!(token.judge(&HashedToken::of("one"), at(2_000)), SecretVerdict::Revoked);
        assert_eq!(token.rotate(rotation("two", 0), at(20)), Err(RotationError::Revoked));
        Ok(())
    }
}

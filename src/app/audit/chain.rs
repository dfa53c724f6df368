//! The chain: each entry's hash is made of the hash before it and of all that the entry says, under a key. Whoever changes
//! an entry and does not know the key cannot make the hashes fit again. docs/audit.md describes it for other programs.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::{
    domain::{audit::AuditEntry, workspace::WorkspaceId},
    ports::repository::AuditHead,
};

/// What every hash begins with: another form of entry would have another name.
const FORM: &str = "tidegate.audit.1";

/// The head before the first entry.
pub const ZERO: AuditHead = AuditHead { sequence: 0, hash: [0; 32] };

/// The key of the chain: `audit.key`.
#[derive(Clone)]
pub struct AuditKey(Option<SecretString>);

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_secret() { "AuditKey([redacted])" } else { "AuditKey(none)" })
    }
}

impl AuditKey {
    /// The configured key. Without one, whoever can write the database can make the chain anew: only anchors help then.
    pub const fn new(key: Option<SecretString>) -> Self {
        Self(key)
    }

    /// Whether there is a key.
    pub const fn is_secret(&self) -> bool {
        self.0.is_some()
    }

    /// The hash of an entry that follows one of this hash. The entry's own hash is not looked at.
    pub fn hash(&self, before: &[u8; 32], entry: &AuditEntry) -> [u8; 32] {
        let key = self.0.as_ref().map_or("", ExposeSecret::expose_secret);
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return [0; 32] };
        mac.update(before);
        mac.update(&canonical(entry));
        mac.finalize().into_bytes().into()
    }
}

/// All that an entry says, as bytes that no other entry has: each field behind its length, an absent one marked as such.
fn canonical(entry: &AuditEntry) -> Vec<u8> {
    let (sequence, time, count) =
        (entry.sequence.to_string(), entry.time.as_microsecond().to_string(), entry.count.to_string());
    let fields = [
        Some(FORM),
        Some(sequence.as_str()),
        Some(time.as_str()),
        Some(entry.identity.kind.as_str()),
        entry.identity.issuer.as_deref(),
        Some(entry.identity.subject.as_str()),
        entry.identity.actor.as_deref(),
        Some(entry.action.as_str()),
        entry.target.as_deref(),
        entry.workspace.as_ref().map(WorkspaceId::as_str),
        Some(entry.outcome.as_str()),
        entry.code.as_deref(),
        entry.ip.as_deref(),
        entry.request_id.as_deref(),
        Some(count.as_str()),
    ];
    let mut bytes = Vec::with_capacity(256);
    for field in fields {
        match field {
            Some(text) => {
                bytes.extend_from_slice(format!("{}:", text.len()).as_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
            None => bytes.push(b'-'),
        }
    }
    bytes
}

/// A head as people keep it: `<sequence>:<hash in hexadecimal>`.
pub fn head_text(head: &AuditHead) -> String {
    format!("{}:{}", head.sequence, data_encoding::HEXLOWER.encode(&head.hash))
}

/// The text is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a head as the log and exports have it: a number, a colon and 64 hexadecimal digits")]
pub struct InvalidHead;

/// Reads a head that somebody kept.
///
/// # Errors
/// [`InvalidHead`].
pub fn parse_head(text: &str) -> Result<AuditHead, InvalidHead> {
    let (sequence, hash) = text.trim().split_once(':').ok_or(InvalidHead)?;
    let hash = data_encoding::HEXLOWER_PERMISSIVE.decode(hash.as_bytes()).map_err(|_| InvalidHead)?;
    Ok(AuditHead {
        sequence: sequence.parse().map_err(|_| InvalidHead)?,
        hash: hash.try_into().map_err(|_| InvalidHead)?,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::{
        audit::{AuditIdentity, AuditOutcome},
        identity::IdentityKind,
    };

    fn entry() -> AuditEntry {
        AuditEntry {
            sequence: 7,
            time: Timestamp::UNIX_EPOCH,
            identity: AuditIdentity { kind: IdentityKind::Service, issuer: None, subject: "ci".into(), actor: None },
            action: "service_token.mint".into(),
            target: Some("a".into()),
            workspace: None,
            outcome: AuditOutcome::Allowed,
            code: None,
            ip: Some("::1".into()),
            request_id: None,
            count: 1,
            hash: [9; 32],
        }
    }

    /// What docs/audit.md says, spelled out.
    #[test]
    fn the_bytes_are_those_of_the_documentation() {
        let text = "16:tidegate.audit.11:71:07:service-2:ci-18:service_token.mint1:a-7:allowed-3:::1-1:1";
        assert_eq!(String::from_utf8(canonical(&entry())).unwrap(), text);
    }

    #[test]
    fn every_field_and_the_hash_before_and_the_key_count() {
        let key = AuditKey::new(Some("k".into()));
        let hash = |entry: AuditEntry| key.hash(&[0; 32], &entry);
        let changed = [
            AuditEntry { sequence: 8, ..entry() },
            AuditEntry { time: Timestamp::from_microsecond(1).unwrap(), ..entry() },
            AuditEntry { identity: AuditIdentity { kind: IdentityKind::User, ..entry().identity }, ..entry() },
            AuditEntry { identity: AuditIdentity { issuer: Some(String::new()), ..entry().identity }, ..entry() },
            AuditEntry { identity: AuditIdentity { subject: "cI".into(), ..entry().identity }, ..entry() },
            AuditEntry { identity: AuditIdentity { actor: Some("x".into()), ..entry().identity }, ..entry() },
            AuditEntry { action: "service_token.revoke".into(), ..entry() },
            AuditEntry { target: None, ..entry() },
            AuditEntry { workspace: WorkspaceId::parse("demo").ok(), ..entry() },
            AuditEntry { outcome: AuditOutcome::Refused, ..entry() },
            AuditEntry { code: Some("x".into()), ..entry() },
            AuditEntry { ip: None, request_id: Some("::1".into()), ..entry() },
            AuditEntry { count: 2, ..entry() },
        ];
        for other in changed {
            assert_ne!(hash(other.clone()), hash(entry()), "{other:?}");
        }
        assert_ne!(key.hash(&[1; 32], &entry()), hash(entry()));
        assert_ne!(AuditKey::new(None).hash(&[0; 32], &entry()), hash(entry()));
        assert_eq!(hash(AuditEntry { hash: [1; 32], ..entry() }), hash(entry()), "its own hash does not");
    }

    #[test]
    fn a_head_is_read_as_it_is_written() {
        let head = AuditHead { sequence: 12, hash: [0xab; 32] };
        assert_eq!(parse_head(&head_text(&head)), Ok(head));
        for bad in ["", "12", "12:ab", "x:00", ":", &format!("-1:{}", "ab".repeat(32))] {
            assert_eq!(parse_head(bad), Err(InvalidHead), "{bad}");
        }
        assert!(!format!("{:?}", AuditKey::new(Some("s3cret".into()))).contains("s3cret"));
    }
}

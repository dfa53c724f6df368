//! Until branch `claims` is on main.
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::domain::{
    identity::{CredentialKind, Identity, IdentityKind},
    issuer::IssuerPolicy,
    json::JsonObject,
    rights::Rights,
};

#[derive(Debug)]
pub(super) struct InvalidClaims;

impl From<InvalidClaims> for crate::ports::token_validator::AuthError {
    fn from(_: InvalidClaims) -> Self {
        Self::InvalidToken
    }
}

pub(super) fn numeric_date(claim: &Value) -> Result<Timestamp, InvalidClaims> {
    let Value::Number(number) = claim else { return Err(InvalidClaims) };
    let seconds: f64 = number.to_string().parse().map_err(|_| InvalidClaims)?;
    if !(0.0..253_402_300_800.0).contains(&seconds) {
        return Err(InvalidClaims);
    }
    let since = SignedDuration::try_from_secs_f64(seconds).map_err(|_| InvalidClaims)?;
    Ok(Timestamp::UNIX_EPOCH.checked_add(since).unwrap_or(Timestamp::MAX))
}

pub(super) fn identity_of(
    policy: &IssuerPolicy,
    claims: impl Into<Arc<JsonObject>>,
) -> Result<Identity, InvalidClaims> {
    let claims = claims.into();
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let subject = text("sub").ok_or(InvalidClaims)?;
    Ok(Identity {
        issuer: Some(policy.name.as_str().to_owned()),
        token_id: text("jti"),
        session_id: text("sid"),
        issued_at: claims.get("iat").map(numeric_date).transpose()?,
        expires_at: claims.get("exp").map(numeric_date).transpose()?,
        claims: Arc::clone(&claims),
        ..Identity::new(subject, IdentityKind::User, CredentialKind::External, Rights::none())
    })
}

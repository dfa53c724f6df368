//! When claims are believed: an owner has the key, and the key made the signature.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{
    algorithm::Algorithm,
    issuer::JwtIssuer,
    keys::{Look, key::Key},
    token::Unverified,
};
use crate::{
    domain::{json::JsonObject, rejection::RejectionReason},
    ports::token_validator::{AuthError, Rejection},
};

/// Claims whose signature held.
#[derive(Debug)]
pub(super) struct Believed<'a> {
    /// Who made it.
    pub(super) issuer: &'a JwtIssuer,
    /// By which key; `None`: the secret.
    pub(super) key: Option<Arc<Key>>,
    pub(super) claims: JsonObject,
}

/// Finds the key, and lets it judge the signature.
///
/// # Errors
/// [`AuthError::InvalidToken`]; [`AuthError::KeyUnavailable`] when the keys cannot be had.
pub(super) async fn believe<'a>(
    mut token: Unverified<'_>,
    owners: &[&'a JwtIssuer],
    algorithm: Algorithm,
) -> Result<Believed<'a>, Rejection> {
    if algorithm.is_secret() {
        let owner = owners.iter().find_map(|issuer| Some((*issuer, issuer.keys.secret()?)));
        let (issuer, secret) = owner.ok_or(RejectionReason::UnknownKey)?;
        let claims = token.believed_if(|signed, signature| secret.verifies(algorithm, signed, signature));
        return Ok(Believed { issuer, key: None, claims: claims.ok_or(RejectionReason::Signature)? });
    }
    let found = find_keys(owners, token.key_id(), algorithm).await?;
    let tried = found.1.clone();
    if let Some(believed) = verified(&mut token, found, algorithm) {
        return Ok(believed);
    }
    // Without a `kid` nothing says whether the key was yesterday's, and another has taken its place.
    if token.key_id().is_some() {
        return Err(RejectionReason::Signature.into());
    }
    let (issuer, mut keys) = find_renewed(owners, None, algorithm).await?;
    keys.retain(|key| !tried.iter().any(|tried| Arc::ptr_eq(tried, key)));
    verified(&mut token, (issuer, keys), algorithm).ok_or_else(|| RejectionReason::Signature.into())
}

type Found<'a> = (&'a JwtIssuer, Vec<Arc<Key>>);

/// Lets the keys judge the signature.
fn verified<'a>(token: &mut Unverified<'_>, (issuer, keys): Found<'a>, algorithm: Algorithm) -> Option<Believed<'a>> {
    let mut key = None;
    let claims = token.believed_if(|signed, signature| {
        // Whoever waited for other sets may hold a key that its own has lost meanwhile.
        let mut keys = keys.into_iter().filter(|key| !key.is_withdrawn());
        key = keys.find(|key| key.verifies(algorithm, signed, signature));
        key.is_some()
    });
    Some(Believed { issuer, key, claims: claims? })
}

/// The owner whose keys hold the `kid`: among the keys at hand, else among those that are being fetched, else among those
/// that the providers have when they are asked once more.
async fn find_keys<'a>(
    owners: &[&'a JwtIssuer],
    id: Option<&str>,
    algorithm: Algorithm,
) -> Result<Found<'a>, Rejection> {
    let at_hand = owners.iter().map(|issuer| issuer.keys.at_hand(id, algorithm)).collect();
    if let Ok(found) = pick(owners, at_hand, id) {
        return Ok(found);
    }
    let current = join_all(owners.iter().map(|issuer| issuer.keys.current(id, algorithm))).await;
    if let Ok(found) = pick(owners, current, id) {
        return Ok(found);
    }
    find_renewed(owners, id, algorithm).await
}

/// Among those that the providers have when they are asked once more, unless they were a moment ago.
async fn find_renewed<'a>(
    owners: &[&'a JwtIssuer],
    id: Option<&str>,
    algorithm: Algorithm,
) -> Result<Found<'a>, Rejection> {
    let renewed = join_all(owners.iter().map(|issuer| issuer.keys.renewed(id, algorithm))).await;
    pick(owners, renewed, id)
}

/// With a `kid` the first owner that has it. Without one exactly one key must fit, of all that there are.
fn pick<'a>(owners: &[&'a JwtIssuer], looks: Vec<Look>, id: Option<&str>) -> Result<Found<'a>, Rejection> {
    let all_known = !looks.iter().any(|look| matches!(look, Look::Unknown));
    let found = owners.iter().copied().zip(looks).filter_map(|(issuer, look)| match look {
        Look::Found(keys) => Some((issuer, keys)),
        Look::None | Look::Unknown => None,
    });
    let mut found: Vec<_> = found.collect();
    let is_one = id.is_some() || (all_known && matches!(found.as_slice(), [(_, keys)] if keys.len() == 1));
    if is_one && !found.is_empty() {
        Ok(found.swap_remove(0))
    } else if all_known {
        Err(if id.is_some() || found.is_empty() { RejectionReason::UnknownKey } else { RejectionReason::AmbiguousKey }
            .into())
    } else {
        Err(AuthError::KeyUnavailable.into())
    }
}

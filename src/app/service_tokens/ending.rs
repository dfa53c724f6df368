//! Tokens that end with others: with the person whom they belong to, with the service or the token that made them.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{entry, revoke};
use crate::{
    app::{
        audit,
        commands::Unit,
        error::{AppError, longest_page},
    },
    domain::{
        identity::{Identity, IdentityKind, Maker},
        revocation::Notice,
        service_token::{Revocation, ServiceTokenId},
        text::Remark,
        user::UserId,
        workspace::WorkspaceAccess,
    },
};

/// The subject of what the gateway ends because somebody was revoked, who has an entry of their own in the audit.
const REVOCATION: &str = "revocation";

/// Ends what belongs to a person and was issued up to a moment, for good. A revocation that is no ban is forgotten once no
/// token of their issuer's can be left; what they made here may be without end, and must not come back then.
///
/// # Errors
/// The store's.
pub async fn end_with_owner(
    unit: &mut Unit,
    owner: &UserId,
    until: Timestamp,
    reason: Option<&Remark>,
) -> Result<(), AppError> {
    let system = Identity::system(REVOCATION);
    let revocation = Revocation { at: unit.now, reason: reason.cloned() };
    loop {
        // One that is about to mint was waited for: what it made is found the next time.
        let ended = unit.uow().tokens().revoke_owned(owner, until, &revocation).await?;
        if ended.is_empty() {
            break;
        }
        let entries: Vec<_> =
            ended.iter().map(|token| entry(unit.now, &system, audit::action::TOKEN_REVOKE, token)).collect();
        unit.uow().audit().append(&entries).await?;
        unit.wake.audit = true;
    }
    // Whatever is remembered of their tokens is so together with what is remembered of them.
    unit.tell(Notice::Memberships(owner.clone()));
    Ok(())
}

/// Ends the tokens that an issuer's service made, what those made, and so on. Nobody owns them, so nothing else would.
///
/// # Errors
/// The store's.
pub async fn end_made_by_service(unit: &mut Unit, service: &UserId, reason: Option<&Remark>) -> Result<(), AppError> {
    let is_maker = |maker: &Maker| {
        maker.kind == IdentityKind::Service
            && maker.issuer.as_deref() == Some(service.issuer().as_str())
            && maker.subject == service.subject()
    };
    let (system, everywhere) = (Identity::system(REVOCATION), WorkspaceAccess::All);
    let made = find_made(unit, &everywhere, &BTreeSet::new(), is_maker).await?;
    for id in &made {
        revoke(unit, &system, id, reason.cloned()).await?;
    }
    revoke_minted(unit, &system, &everywhere, made.into_iter().collect(), reason).await
}

/// Ends what tokens that have been ended made, what that made, and so on, in these workspaces. Whatever is ended holds its
/// row: what it was about to make is there when the next look is taken.
pub(super) async fn revoke_minted(
    unit: &mut Unit,
    who: &Identity,
    within: &WorkspaceAccess,
    mut ended: BTreeSet<ServiceTokenId>,
    reason: Option<&Remark>,
) -> Result<(), AppError> {
    loop {
        // A person, or an issuer's service, may be called like a token.
        let is_maker = |maker: &Maker| {
            maker.kind == IdentityKind::Service && maker.issuer.is_none() && ended.contains(maker.subject.as_str())
        };
        let made = find_made(unit, within, &ended, is_maker).await?;
        if made.is_empty() {
            return Ok(());
        }
        for id in &made {
            revoke(unit, who, id, reason.cloned()).await?;
        }
        ended.extend(made);
    }
}

/// The tokens within these workspaces of these makers that are none of those that have been ended.
async fn find_made(
    unit: &mut Unit,
    within: &WorkspaceAccess,
    ended: &BTreeSet<ServiceTokenId>,
    is_maker: impl Fn(&Maker) -> bool,
) -> Result<Vec<ServiceTokenId>, AppError> {
    let mut made = Vec::new();
    let mut page = longest_page();
    loop {
        let found = unit.uow().tokens().list(within, &page).await?;
        let theirs = found.items.into_iter().filter(|token| is_maker(&token.created_by) && !ended.contains(&token.id));
        made.extend(theirs.map(|token| token.id));
        match found.next {
            Some(next) => page.after = Some(next),
            None => return Ok(made),
        }
    }
}

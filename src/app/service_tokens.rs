//! Service tokens: made, shown, rotated, revoked. Nobody mints or widens beyond themselves (authentication.md section 4).

mod bounds;
mod ending;
mod present;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

pub use self::ending::{end_made_by_service, end_with_owner};
use self::{
    bounds::{concerns, mints, own_end, seen, within_rights, workspaces_of},
    ending::revoke_minted,
    present::as_of_now,
};
use super::{
    access, audit,
    commands::{Commands, Once, Unit},
    error::{AppError, ConflictError},
};
use crate::{
    domain::{
        audit::NewAuditEntry,
        idempotency::Idempotency,
        identity::{CredentialKind, Identity},
        page::{Page, PageRequest},
        revocation::{Notice, Revoked},
        scope::{Scope, Scopes},
        service_token::{
            DEFAULT_OVERLAP, PlainToken, Rotation, RotationError, ServiceToken, ServiceTokenId, TokenStatus,
        },
        text::Remark,
        workspace::WorkspaceId,
    },
    ports::{repository::RepositoryError, rng::RngExt, token_validator::AuthError},
};

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewServiceToken {
    /// Its name; made where absent.
    pub id: Option<ServiceTokenId>,
    /// What it may do.
    pub scopes: Scopes,
    /// Where; absent: where its maker may make tokens, unless that is everywhere.
    pub workspaces: Option<BTreeSet<WorkspaceId>>,
    /// Everywhere.
    pub all_workspaces: bool,
    /// How long it lives; absent: without end, but never longer than a service token that makes it.
    pub expires_in: Option<SignedDuration>,
}

/// How a token is to rotate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewRotation {
    /// How long the old secret works on; absent: 300 s.
    pub overlap: Option<SignedDuration>,
    /// A new life, from now.
    pub expires_in: Option<SignedDuration>,
    /// Scopes to add.
    pub add_scopes: Scopes,
}

/// Makes, shows, rotates and revokes service tokens.
#[derive(Debug, Clone)]
pub struct ServiceTokens {
    commands: Commands,
    max_life: Option<SignedDuration>,
}

impl ServiceTokens {
    /// On these foundations; `max_life` is `auth.max_service_token_life`.
    pub const fn new(commands: Commands, max_life: Option<SignedDuration>) -> Self {
        Self { commands, max_life }
    }

    /// Makes one. The secret is in this answer and nowhere else.
    ///
    /// # Errors
    /// [`AuthError::MissingScope`], [`AuthError::WorkspaceForbidden`], [`AuthError::LifeExceeded`] when it would exceed its
    /// maker; [`ConflictError::TokenIdentifierTaken`]; a repeat is [`ConflictError::IdempotencyNotReplayable`].
    pub async fn mint(
        &self,
        who: &Identity,
        new: NewServiceToken,
        idempotency: Option<Idempotency>,
    ) -> Result<(ServiceToken, PlainToken), AppError> {
        mints(who)?;
        let workspaces = workspaces_of(who, &new)?;
        within_rights(who, &new.scopes, &workspaces)?;
        let now = self.commands.now();
        let plain = PlainToken::from_random(&self.commands.rng().bits256());
        let id = match new.id {
            Some(id) if id.resembles_reserved() => {
                return Err(AppError::invalid("/identifier", "could be taken for a reserved word; take another"));
            }
            Some(id) => id,
            None => self.made_up()?,
        };
        let token = ServiceToken {
            id,
            hash: plain.hashed(),
            previous: None,
            scopes: new.scopes,
            workspaces,
            issued_at: now,
            expires_at: self.end(who, new.expires_in, now)?,
            rotated_at: None,
            revoked: None,
            created_by: who.into(),
            owner: who.user(),
            last_used_at: None,
            use_count: 0,
        };
        let maker = who.clone();
        let leeway = self.commands.signals().standing.leeway();
        let once = self.commands.once(idempotency, move |unit| {
            let (mut token, maker) = (token.clone(), maker.clone());
            Box::pin(async move {
                // What a person's token makes is that person's too: else it would outlive what they may.
                let own = still_in_force(unit, &maker, leeway).await?;
                within_rights(&as_of_now(unit, &maker).await?, &token.scopes, &token.workspaces)?;
                token.owner = token.owner.or_else(|| own.and_then(|own| own.owner));
                if unit.uow().tokens().is_taken(&token.id).await? {
                    return Err(ConflictError::TokenIdentifierTaken.into());
                }
                unit.uow().tokens().insert(&token).await?;
                record(unit, &maker, audit::action::TOKEN_MINT, &token).await?;
                let subject = token.id.to_string();
                Ok((token, subject))
            })
        });
        Ok((first_time(once.await?)?, plain))
    }

    fn made_up(&self) -> Result<ServiceTokenId, AppError> {
        let mut random = [0; 8];
        self.commands.rng().fill(&mut random);
        let id = format!("token-{:016x}", u64::from_be_bytes(random));
        ServiceTokenId::parse(&id).map_err(AppError::text("/identifier"))
    }

    /// When a token ends that its maker gives this life.
    fn end(&self, who: &Identity, life: Option<SignedDuration>, now: Timestamp) -> Result<Option<Timestamp>, AppError> {
        let own_end = own_end(who);
        let Some(life) = life else {
            let longest = self.max_life.and_then(|most| now.saturating_add(most).ok());
            return Ok([own_end, longest].into_iter().flatten().min());
        };
        if self.max_life.is_some_and(|most| life > most) {
            let message = "is beyond the longest life that the gate allows (auth.max_service_token_life)";
            return Err(AppError::invalid("/expires_in_seconds", message));
        }
        let end = now.checked_add(life);
        let end = end.map_err(|_| AppError::invalid("/expires_in_seconds", "ends after the year 9999"))?;
        if own_end.is_some_and(|own| own < end) {
            return Err(AuthError::LifeExceeded.into());
        }
        Ok(Some(end))
    }

    /// Shows one.
    ///
    /// # Errors
    /// [`AppError::NotFound`] unless the caller has all its workspaces.
    pub async fn get(&self, who: &Identity, id: &ServiceTokenId) -> Result<ServiceToken, AppError> {
        access::in_some_workspace(who, Scope::AdminTokensRead)?;
        seen(who, Scope::AdminTokensRead, self.commands.view().await?.tokens().find(id).await?)
    }

    /// Those whose workspaces the caller all has, newest first.
    ///
    /// # Errors
    /// [`AuthError::MissingScope`].
    pub async fn list(&self, who: &Identity, page: &PageRequest) -> Result<Page<ServiceToken>, AppError> {
        access::in_some_workspace(who, Scope::AdminTokensRead)?;
        let within = who.where_may(Scope::AdminTokensRead);
        let mut found = self.commands.view().await?.tokens().list(&within, page).await?;
        found.items.retain(|token| concerns(who, token));
        Ok(found)
    }

    /// Gives one a new secret under its old name.
    ///
    /// # Errors
    /// As [`mint`](Self::mint); [`ConflictError::TokenAlreadyRotating`], [`ConflictError::TokenExpired`],
    /// [`ConflictError::TokenRevoked`].
    pub async fn rotate(
        &self,
        who: &Identity,
        id: ServiceTokenId,
        new: NewRotation,
        idempotency: Option<Idempotency>,
    ) -> Result<(ServiceToken, PlainToken), AppError> {
        mints(who)?;
        let plain = PlainToken::from_random(&self.commands.rng().bits256());
        let (tokens, who, hash) = (self.clone(), who.clone(), plain.hashed());
        let leeway = self.commands.signals().standing.leeway();
        let once = self.commands.once(idempotency, move |unit| {
            let (tokens, who, id, new) = (tokens.clone(), who.clone(), id.clone(), new.clone());
            Box::pin(async move {
                still_in_force(unit, &who, leeway).await?;
                let who = as_of_now(unit, &who).await?;
                let found = unit.uow().tokens().lock(&id).await?;
                let mut token = seen(&who, Scope::AdminTokensWrite, found)?;
                let rotation = Rotation {
                    hash,
                    overlap: new.overlap.unwrap_or(DEFAULT_OVERLAP),
                    expires_at: tokens.new_end(&who, &token, new.expires_in, unit.now)?,
                    add_scopes: new.add_scopes,
                };
                within_rights(&who, &token.scopes.union(&rotation.add_scopes).copied().collect(), &token.workspaces)?;
                token.rotate(rotation, unit.now).map_err(refusal)?;
                unit.uow().tokens().update(&token).await?;
                unit.tell(Notice::ServiceToken(id.clone()));
                record(unit, &who, audit::action::TOKEN_ROTATE, &token).await?;
                Ok((token, id.to_string()))
            })
        });
        Ok((first_time(once.await?)?, plain))
    }

    /// Rotating needs the life of the token: a service token rotates none that outlives it, not even to shorten its life.
    fn new_end(
        &self,
        who: &Identity,
        token: &ServiceToken,
        life: Option<SignedDuration>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, AppError> {
        if own_end(who).is_some_and(|own| token.expires_at.is_none_or(|end| own < end)) {
            return Err(AuthError::LifeExceeded.into());
        }
        if life.is_some() { self.end(who, life, now) } else { Ok(None) }
    }

    /// Ends one now, and with `minted` also what it made, and what that made. Idempotent.
    ///
    /// # Errors
    /// [`AppError::NotFound`] unless the caller has all its workspaces.
    pub async fn revoke(
        &self,
        who: &Identity,
        id: ServiceTokenId,
        reason: Option<Remark>,
        minted: bool,
    ) -> Result<(), AppError> {
        access::in_some_workspace(who, Scope::AdminTokensWrite)?;
        let who = who.clone();
        self.commands
            .run(move |unit| {
                let (who, id, reason) = (who.clone(), id.clone(), reason.clone());
                Box::pin(async move {
                    let who = as_of_now(unit, &who).await?;
                    let found = unit.uow().tokens().lock(&id).await?;
                    seen(&who, Scope::AdminTokensWrite, found)?;
                    revoke(unit, &who, &id, reason.clone()).await?;
                    if !minted {
                        return Ok(());
                    }
                    let within = who.where_may(Scope::AdminTokensWrite);
                    revoke_minted(unit, &who, &within, BTreeSet::from([id]), reason.as_ref()).await
                })
            })
            .await
    }
}

async fn revoke(unit: &mut Unit, who: &Identity, id: &ServiceTokenId, reason: Option<Remark>) -> Result<(), AppError> {
    if let Some(mut token) = unit.uow().tokens().lock(id).await? {
        let first = token.revoked.is_none();
        token.revoke(reason, unit.now);
        unit.uow().tokens().update(&token).await?;
        unit.tell(Notice::ServiceToken(id.clone()));
        if first {
            record(unit, who, audit::action::TOKEN_REVOKE, &token).await?;
        }
    }
    Ok(())
}

/// Enters what became of a token, in its workspace if it has one.
async fn record(
    unit: &mut Unit,
    who: &Identity,
    action: &'static str,
    token: &ServiceToken,
) -> Result<(), RepositoryError> {
    audit::record(unit, who, action, token.id.as_str(), audit::only_one(&token.workspaces)).await
}

fn entry(now: Timestamp, who: &Identity, action: &'static str, token: &ServiceToken) -> NewAuditEntry {
    let workspace = audit::only_one(&token.workspaces).cloned();
    NewAuditEntry { workspace, ..audit::entry(now, who, action, token.id.as_str()) }
}

/// Whose credential ended after they were let in makes and changes nothing more. It is held, so that who revokes it and what it
/// minted waits for what it is about to mint. A service token is given.
async fn still_in_force(
    unit: &mut Unit,
    who: &Identity,
    leeway: SignedDuration,
) -> Result<Option<ServiceToken>, AppError> {
    if let Some(user) = who.user() {
        unit.uow().users().lock(&user).await?;
    }
    for target in Revoked::naming(who) {
        let entries = unit.uow().revocations().against(&target).await?;
        if entries.iter().any(|entry| entry.refuses(who.issued_at, leeway)) {
            return Err(AuthError::TokenRevoked.into());
        }
    }
    let own = who.token_id.as_deref().filter(|_| who.credential == CredentialKind::ServiceToken);
    let Some(id) = own.and_then(|id| ServiceTokenId::parse(id).ok()) else { return Ok(None) };
    let token = unit.uow().tokens().lock(&id).await?;
    match token.as_ref().map(|token| token.status(unit.now)) {
        Some(TokenStatus::Revoked) => Err(AuthError::TokenRevoked.into()),
        Some(TokenStatus::Expired) => Err(AuthError::TokenExpired.into()),
        Some(TokenStatus::Active | TokenStatus::Rotating) | None => Ok(token),
    }
}

fn first_time(once: Once<ServiceToken>) -> Result<ServiceToken, AppError> {
    match once {
        Once::Done(token) => Ok(token),
        Once::Repeated(subject) => Err(ConflictError::IdempotencyNotReplayable { subject }.into()),
    }
}

fn refusal(error: RotationError) -> AppError {
    match error {
        RotationError::AlreadyRotating => ConflictError::TokenAlreadyRotating.into(),
        RotationError::Expired => ConflictError::TokenExpired.into(),
        RotationError::Revoked => ConflictError::TokenRevoked.into(),
    }
}

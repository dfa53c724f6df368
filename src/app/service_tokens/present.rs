//! Who makes, rotates and ends tokens, by what they have now: a role that was lost while the request was under way does not
//! count, whatever is still believed of it.

use crate::{
    app::{commands::Unit, error::AppError, people::belonging},
    domain::{
        identity::Identity,
        rights::Origin,
        scope::all_scopes,
        service_token::ServiceTokenId,
        user::{Belonging, UserId},
        workspace::WorkspaceAccess,
    },
};

/// The caller, cut to the memberships that the person has now from whom their rights come.
pub(super) async fn as_of_now(unit: &mut Unit, who: &Identity) -> Result<Identity, AppError> {
    let Some(person) = person(unit, who).await? else { return Ok(who.clone()) };
    let now = belonging(unit.uow(), &person).await?;
    if now == Belonging::Never {
        return Ok(who.clone());
    }
    let rights = who.rights.cut_to_owner(&now, &WorkspaceAccess::none(), &all_scopes());
    Ok(Identity { rights, ..who.clone() })
}

async fn person(unit: &mut Unit, who: &Identity) -> Result<Option<UserId>, AppError> {
    match who.rights.origin() {
        Origin::Credential => Ok(None),
        Origin::Memberships | Origin::Defaults => Ok(who.user()),
        Origin::Owner => {
            let id = who.token_id.as_deref().and_then(|id| ServiceTokenId::parse(id).ok());
            let Some(id) = id else { return Ok(None) };
            Ok(unit.uow().tokens().find(&id).await?.and_then(|token| token.owner))
        }
    }
}

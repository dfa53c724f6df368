//! What happens at the first sight of a person: exactly once, however many of their requests come at once, and wherever.

use std::sync::Arc;

use jiff::Timestamp;

use super::Person;
use crate::{
    app::{
        audit,
        commands::{Commands, Unit},
        error::AppError,
    },
    domain::{
        identity::Identity,
        issuer::Provision,
        revocation::Notice,
        text::{InvalidText, Name},
        user::{Membership, Role, User, UserId},
        workspace::{Workspace, WorkspaceId},
    },
    ports::profile_source::{Profile, ProfileSource},
};

/// How long a workspace's name may be, in characters.
const LONGEST_NAME: usize = 200;

/// Somebody, as their token shows them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'a> {
    /// Who.
    pub(super) who: &'a Identity,
    /// What becomes of who is seen for the first time.
    pub(super) provision: Provision,
    /// Who tells what they are called, where their token does not.
    pub(super) profiles: Option<&'a Arc<dyn ProfileSource>>,
}

impl Sight<'_> {
    /// Whether who is seen for the first time becomes a user.
    pub(super) fn makes_user(&self) -> bool {
        self.provision != Provision::None
    }

    fn user(&self, id: &UserId, profile: Profile, now: Timestamp) -> User {
        User {
            id: id.clone(),
            username: self.who.username.clone().or(profile.username),
            email: self.who.email.clone().or(profile.email),
            created_at: now,
        }
    }
}

/// Makes a user of somebody, and where the policy says so their own workspace: one unit. Of two replicas that see them
/// first at once one makes it, and the other finds it.
pub(super) async fn make(commands: &Commands, id: &UserId, sight: Sight<'_>, profile: Profile) -> Result<(), AppError> {
    let user = sight.user(id, profile, commands.now());
    let workspace = match sight.provision {
        Provision::Workspace => Some(default_workspace(&user).map_err(AppError::text("/sub"))?),
        Provision::User | Provision::None => None,
    };
    let who = sight.who.clone();
    commands
        .run(move |unit| {
            let (who, user, workspace) = (who.clone(), user.clone(), workspace.clone());
            Box::pin(async move { enter(unit, &who, user, workspace).await })
        })
        .await
}

async fn enter(unit: &mut Unit, who: &Identity, user: User, workspace: Option<Workspace>) -> Result<(), AppError> {
    if unit.uow().users().find(&user.id).await?.is_some() {
        return Ok(());
    }
    unit.uow().users().insert(&user).await?;
    if let Some(workspace) = workspace {
        let since = workspace.created_at;
        let membership =
            Membership { user: user.id.clone(), workspace: workspace.id.clone(), role: Role::Owner, since };
        // Nobody else can have made it: ids of this form are refused to everybody.
        if unit.uow().workspaces().find(&workspace.id).await?.is_none() {
            unit.uow().workspaces().insert(&workspace).await?;
            let id = &workspace.id;
            audit::record(unit, who, audit::action::WORKSPACE_CREATE, id.as_str(), Some(id)).await?;
        }
        unit.uow().memberships().put(&membership).await?;
    }
    unit.tell(Notice::Memberships(user.id));
    Ok(())
}

fn default_workspace(user: &User) -> Result<Workspace, InvalidText> {
    let id = user.id.default_workspace()?;
    let name = workspace_name(user, &id)?;
    Ok(Workspace { id, name, created_at: user.created_at })
}

/// What a person's own workspace is called: as they are, else as their mail address is, else as itself.
fn workspace_name(user: &User, id: &WorkspaceId) -> Result<Name, InvalidText> {
    let called = [user.username.as_deref(), user.email.as_deref()].into_iter().flatten();
    let fitting = |text: &str| Name::parse(text.chars().take(LONGEST_NAME).collect::<String>()).ok();
    called.filter(|text| !text.trim().is_empty()).find_map(fitting).map_or_else(|| Name::parse(id.as_str()), Ok)
}

/// What a person would be after their first request.
pub(super) fn suppose(person: &mut Person, sight: Sight<'_>, now: Timestamp) {
    person.user = Some(sight.user(&person.id, Profile::default(), now));
    if sight.provision == Provision::Workspace
        && let Ok(workspace) = person.id.default_workspace()
    {
        person.belonging.join(workspace, Role::Owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_called_as_its_person_is() {
        let id = UserId::parse("corp:ada").unwrap();
        let called = |username: Option<&str>, email: Option<&str>| {
            let user = User {
                id: id.clone(),
                username: username.map(str::to_owned),
                email: email.map(str::to_owned),
                created_at: Timestamp::UNIX_EPOCH,
            };
            default_workspace(&user).unwrap().name.into_string()
        };
        assert_eq!(called(Some("ada"), Some("ada@corp.test")), "ada");
        assert_eq!(called(None, Some("ada@corp.test")), "ada@corp.test");
        assert_eq!(called(Some(" "), None), id.default_workspace().unwrap().to_string());
        assert_eq!(called(Some(&"ä".repeat(300)), None), "ä".repeat(200));
    }
}

//! Memberships.

use async_trait::async_trait;
use imbl::{OrdMap, OrdSet};

use super::{
    MemoryUnit, State,
    index::{Index, items},
};
use crate::{
    adapters::persistence::position::{MemberPosition, below},
    domain::{
        page::{Page, PageRequest},
        user::{Membership, Role, UserId},
        workspace::WorkspaceId,
    },
    ports::repository::{Member, Memberships, RepositoryError},
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// By user first: all of a user's lie side by side.
    rows: OrdMap<UserId, OrdMap<WorkspaceId, Membership>>,
    /// Who has, or had, one.
    ever: OrdSet<UserId>,
    newest: Index<WorkspaceId, MemberPosition>,
    owners: Index<WorkspaceId, UserId>,
}

fn position(membership: &Membership) -> MemberPosition {
    MemberPosition::new(membership.since, membership.user.clone())
}

impl Table {
    fn get(&self, user: &UserId, workspace: &WorkspaceId) -> Option<&Membership> {
        self.rows.get(user)?.get(workspace)
    }

    fn put(&mut self, membership: &Membership) {
        let since = self.get(&membership.user, &membership.workspace).map_or(membership.since, |known| known.since);
        let row = Membership { since, ..membership.clone() };
        if row.role == Role::Owner {
            self.owners.insert(row.workspace.clone(), row.user.clone());
        } else {
            self.owners.remove(&row.workspace, &row.user);
        }
        self.newest.insert(row.workspace.clone(), position(&row));
        self.ever.insert(row.user.clone());
        self.rows.entry(row.user.clone()).or_default().insert(row.workspace.clone(), row);
    }

    fn remove(&mut self, user: &UserId, workspace: &WorkspaceId) -> bool {
        let Some(all) = self.rows.get_mut(user) else { return false };
        let Some(row) = all.remove(workspace) else { return false };
        if all.is_empty() {
            self.rows.remove(user);
        }
        self.newest.remove(workspace, &position(&row));
        self.owners.remove(workspace, user);
        true
    }
}

impl State {
    fn member(&self, user: &UserId, workspace: &WorkspaceId) -> Option<Member> {
        let membership = self.memberships.get(user, workspace)?.clone();
        let seen = self.users.get(user);
        Some(Member {
            membership,
            username: seen.and_then(|user| user.username.clone()),
            email: seen.and_then(|user| user.email.clone()),
        })
    }

    fn members(&self, workspace: &WorkspaceId, page: &PageRequest) -> Page<Member> {
        let Ok(below) = below(page) else { return Page { items: Vec::new(), next: None } };
        let found = self.memberships.newest.descending(workspace, below.as_ref()).take(items(page.limit) + 1);
        let rows = found.filter_map(|at| self.member(&at.user, workspace)).collect();
        Page::cut(rows, page.limit, |last| position(&last.membership).text())
    }
}

#[async_trait]
impl Memberships for MemoryUnit {
    async fn put(&mut self, membership: &Membership) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.memberships.put(membership);
            Ok(())
        })
    }

    async fn find(&mut self, user: &UserId, workspace: &WorkspaceId) -> Result<Option<Member>, RepositoryError> {
        self.read(|state| state.member(user, workspace))
    }

    async fn of_user(&mut self, user: &UserId) -> Result<Vec<Membership>, RepositoryError> {
        self.read(|state| state.memberships.rows.get(user).into_iter().flat_map(OrdMap::values).cloned().collect())
    }

    async fn ever(&mut self, user: &UserId) -> Result<bool, RepositoryError> {
        self.read(|state| state.memberships.ever.contains(user))
    }

    async fn owners(&mut self, workspace: &WorkspaceId) -> Result<u64, RepositoryError> {
        self.read(|state| u64::try_from(state.memberships.owners.count(workspace)).unwrap_or(u64::MAX))
    }

    async fn list(&mut self, workspace: &WorkspaceId, page: &PageRequest) -> Result<Page<Member>, RepositoryError> {
        self.read(|state| state.members(workspace, page))
    }

    async fn remove(&mut self, user: &UserId, workspace: &WorkspaceId) -> Result<bool, RepositoryError> {
        self.change(|state| Ok(state.memberships.remove(user, workspace)))
    }
}

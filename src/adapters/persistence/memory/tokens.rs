//! Service tokens.

use async_trait::async_trait;
use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;

use super::{
    MemoryUnit,
    index::{Index, items},
};
use crate::{
    adapters::persistence::position::{TimePosition, below},
    domain::{
        page::{Page, PageRequest},
        service_token::{HashedToken, Revocation, ServiceToken, ServiceTokenId},
        user::UserId,
        workspace::WorkspaceAccess,
    },
    ports::repository::{RepositoryError, ServiceTokens, TokenUse},
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: OrdMap<ServiceTokenId, ServiceToken>,
    by_hash: OrdMap<[u8; 32], ServiceTokenId>,
    names: OrdSet<String>,
    newest: Index<(), TimePosition>,
}

fn position(token: &ServiceToken) -> TimePosition {
    TimePosition::new(token.issued_at, token.id.as_str())
}

fn hashes(token: &ServiceToken) -> impl Iterator<Item = [u8; 32]> {
    let previous = token.previous.map(|previous| *previous.hash.as_bytes());
    [*token.hash.as_bytes()].into_iter().chain(previous)
}

impl Table {
    fn insert(&mut self, token: &ServiceToken) -> Result<(), RepositoryError> {
        if self.names.insert(token.id.folded()).is_some() {
            return Err(RepositoryError::Conflict);
        }
        self.put(token.clone());
        Ok(())
    }

    fn put(&mut self, token: ServiceToken) {
        for hash in hashes(&token) {
            self.by_hash.insert(hash, token.id.clone());
        }
        self.newest.insert((), position(&token));
        self.rows.insert(token.id.clone(), token);
    }

    fn update(&mut self, token: &ServiceToken) {
        let Some(old) = self.rows.get(&token.id).cloned() else { return };
        for hash in hashes(&old) {
            self.by_hash.remove(&hash);
        }
        self.newest.remove(&(), &position(&old));
        self.put(ServiceToken { use_count: old.use_count, last_used_at: old.last_used_at, ..token.clone() });
    }

    fn list(&self, within: &WorkspaceAccess, page: &PageRequest) -> Page<ServiceToken> {
        let Ok(below) = below(page) else { return Page { items: Vec::new(), next: None } };
        let row = |at: &TimePosition| ServiceTokenId::parse(&at.id).ok().and_then(|id| self.rows.get(&id));
        let wanted = |at: &TimePosition| row(at).is_some_and(|token| within.covers(&token.workspaces));
        let found = self.newest.merge_descending([()], below.as_ref(), items(page.limit) + 1, wanted);
        let rows = found.iter().filter_map(|at| row(at).cloned()).collect();
        Page::cut(rows, page.limit, |last| position(last).text())
    }

    fn revoke_owned(&mut self, owner: &UserId, until: Timestamp, revocation: &Revocation) -> Vec<ServiceToken> {
        let theirs = |token: &ServiceToken| {
            token.owner.as_ref() == Some(owner) && token.issued_at <= until && token.revoked.is_none()
        };
        let mut ended: Vec<_> = self.rows.values().filter(|token| theirs(token)).cloned().collect();
        for token in &mut ended {
            token.revoked = Some(revocation.clone());
            self.update(token);
        }
        ended
    }

    fn record_uses(&mut self, uses: &[TokenUse]) {
        for used in uses {
            if let Some(token) = self.rows.get_mut(&used.id) {
                token.use_count = token.use_count.saturating_add(used.count);
                token.last_used_at = token.last_used_at.max(Some(used.last));
            }
        }
    }
}

#[async_trait]
impl ServiceTokens for MemoryUnit {
    async fn insert(&mut self, token: &ServiceToken) -> Result<(), RepositoryError> {
        self.change(|state| state.tokens.insert(token))
    }

    async fn is_taken(&mut self, id: &ServiceTokenId) -> Result<bool, RepositoryError> {
        self.read(|state| state.tokens.names.contains(&id.folded()))
    }

    async fn find(&mut self, id: &ServiceTokenId) -> Result<Option<ServiceToken>, RepositoryError> {
        self.read(|state| state.tokens.rows.get(id).cloned())
    }

    async fn lock(&mut self, id: &ServiceTokenId) -> Result<Option<ServiceToken>, RepositoryError> {
        self.hold(|state| state.tokens.rows.get(id).cloned())
    }

    async fn find_by_hash(&mut self, hash: &HashedToken) -> Result<Option<ServiceToken>, RepositoryError> {
        self.read(|state| {
            let id = state.tokens.by_hash.get(hash.as_bytes())?;
            state.tokens.rows.get(id).cloned()
        })
    }

    async fn list(
        &mut self,
        within: &WorkspaceAccess,
        page: &PageRequest,
    ) -> Result<Page<ServiceToken>, RepositoryError> {
        self.read(|state| state.tokens.list(within, page))
    }

    async fn update(&mut self, token: &ServiceToken) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.tokens.update(token);
            Ok(())
        })
    }

    async fn revoke_owned(
        &mut self,
        owner: &UserId,
        until: Timestamp,
        revocation: &Revocation,
    ) -> Result<Vec<ServiceToken>, RepositoryError> {
        self.change(|state| Ok(state.tokens.revoke_owned(owner, until, revocation)))
    }

    async fn record_uses(&mut self, uses: &[TokenUse]) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.tokens.record_uses(uses);
            Ok(())
        })
    }

    async fn any(&mut self) -> Result<bool, RepositoryError> {
        self.read(|state| !state.tokens.rows.is_empty())
    }
}

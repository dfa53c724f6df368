//! Users.

use async_trait::async_trait;
use imbl::OrdMap;

use super::MemoryUnit;
use crate::{
    domain::user::{User, UserId},
    ports::repository::{RepositoryError, Users},
};

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    rows: OrdMap<UserId, User>,
}

impl Table {
    pub(super) fn get(&self, id: &UserId) -> Option<&User> {
        self.rows.get(id)
    }

    fn insert(&mut self, user: &User) -> Result<(), RepositoryError> {
        if self.rows.contains_key(&user.id) {
            return Err(RepositoryError::Conflict);
        }
        self.rows.insert(user.id.clone(), user.clone());
        Ok(())
    }

    fn update(&mut self, user: &User) {
        if let Some(row) = self.rows.get_mut(&user.id) {
            row.username.clone_from(&user.username);
            row.email.clone_from(&user.email);
        }
    }
}

#[async_trait]
impl Users for MemoryUnit {
    async fn insert(&mut self, user: &User) -> Result<(), RepositoryError> {
        self.change(|state| state.users.insert(user))
    }

    async fn find(&mut self, id: &UserId) -> Result<Option<User>, RepositoryError> {
        self.read(|state| state.users.get(id).cloned())
    }

    async fn lock(&mut self, _id: &UserId) -> Result<(), RepositoryError> {
        // One unit at a time holds everybody.
        self.hold(|_| ())
    }

    async fn update(&mut self, user: &User) -> Result<(), RepositoryError> {
        self.change(|state| {
            state.users.update(user);
            Ok(())
        })
    }
}

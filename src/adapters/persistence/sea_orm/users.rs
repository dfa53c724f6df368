//! Users.

use async_trait::async_trait;
use sea_orm::{IntoActiveModel, QuerySelect, entity::prelude::*};

use super::{
    error::sorted,
    unit::{SeaOrmUnit, add},
    value::{micros, time, user},
};
use crate::{
    domain::user::{User, UserId},
    ports::repository::{RepositoryError, Users},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub issuer: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    pub username: Option<String>,
    pub email: Option<String>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

fn row(from: &User) -> Model {
    Model {
        issuer: from.id.issuer().as_str().to_owned(),
        subject: from.id.subject().to_owned(),
        username: from.username.clone(),
        email: from.email.clone(),
        created_at: micros(from.created_at),
    }
}

fn read(row: Model) -> Result<User, RepositoryError> {
    Ok(User {
        id: user(&row.issuer, row.subject)?,
        username: row.username,
        email: row.email,
        created_at: time(row.created_at)?,
    })
}

/// The key of a person's row.
pub(super) fn key(id: &UserId) -> (String, String) {
    (id.issuer().as_str().to_owned(), id.subject().to_owned())
}

#[async_trait]
impl Users for SeaOrmUnit {
    async fn insert(&mut self, user: &User) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        add(&db, row(user).into_active_model()).await?;
        db.settle(())
    }

    async fn find(&mut self, id: &UserId) -> Result<Option<User>, RepositoryError> {
        let db = self.reading().await?;
        let found = Entity::find_by_id(key(id)).one(&db).await.map_err(sorted)?;
        let found = found.map(read).transpose()?;
        db.settle(found)
    }

    async fn lock(&mut self, id: &UserId) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        Entity::find_by_id(key(id)).lock_exclusive().one(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn update(&mut self, user: &User) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::update_many()
            .col_expr(Column::Username, Expr::value(user.username.clone()))
            .col_expr(Column::Email, Expr::value(user.email.clone()))
            .filter(Column::Issuer.eq(user.id.issuer().as_str()))
            .filter(Column::Subject.eq(user.id.subject()));
        query.exec(&db).await.map_err(sorted)?;
        db.settle(())
    }
}

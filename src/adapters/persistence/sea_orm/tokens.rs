//! Service tokens.

use async_trait::async_trait;
use jiff::Timestamp;
use sea_orm::{Condition, ExprTrait, IntoActiveModel, Order, QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    error::{corrupt, sorted},
    unit::{Db, SeaOrmUnit, add},
    value::{count, hash, identity_kind, json, micros, number, remark_if, time, time_if, unjson, user, workspace},
    workspaces::before,
};
use crate::{
    adapters::persistence::position::{TimePosition, below},
    domain::{
        identity::Maker,
        page::{Page, PageRequest},
        scope::{Scope, Scopes},
        service_token::{HashedToken, PreviousSecret, Revocation, ServiceToken, ServiceTokenId},
        user::UserId,
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::repository::{RepositoryError, ServiceTokens, TokenUse},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "service_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub hash: Vec<u8>,
    pub previous_hash: Option<Vec<u8>>,
    pub previous_ends_at: Option<i64>,
    pub scopes: String,
    pub workspaces: Option<String>,
    pub issued_at: i64,
    pub expires_at: Option<i64>,
    pub rotated_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub revocation_reason: Option<String>,
    pub created_by: String,
    pub last_used_at: Option<i64>,
    pub use_count: i64,
    pub created_by_kind: String,
    pub created_by_issuer: Option<String>,
    pub owner_issuer: Option<String>,
    pub owner_subject: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

mod names {
    use sea_orm::entity::prelude::*;

    /// An identifier in lower case.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "service_token_names")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

fn row(from: &ServiceToken) -> Result<Model, RepositoryError> {
    let workspaces = match &from.workspaces {
        WorkspaceAccess::All => None,
        WorkspaceAccess::Only(ids) => Some(json(&ids.iter().map(WorkspaceId::as_str).collect::<Vec<_>>())?),
    };
    let reason = from.revoked.as_ref().and_then(|revocation| revocation.reason.as_ref());
    Ok(Model {
        id: from.id.as_str().to_owned(),
        hash: from.hash.as_bytes().to_vec(),
        previous_hash: from.previous.map(|previous| previous.hash.as_bytes().to_vec()),
        previous_ends_at: from.previous.map(|previous| micros(previous.ends_at)),
        scopes: json(&from.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>())?,
        workspaces,
        issued_at: micros(from.issued_at),
        expires_at: from.expires_at.map(micros),
        rotated_at: from.rotated_at.map(micros),
        revoked_at: from.revoked.as_ref().map(|revocation| micros(revocation.at)),
        revocation_reason: reason.map(|reason| reason.as_str().to_owned()),
        created_by: from.created_by.subject.clone(),
        last_used_at: from.last_used_at.map(micros),
        use_count: number(from.use_count)?,
        created_by_kind: from.created_by.kind.as_str().to_owned(),
        created_by_issuer: from.created_by.issuer.clone(),
        owner_issuer: from.owner.as_ref().map(|owner| owner.issuer().as_str().to_owned()),
        owner_subject: from.owner.as_ref().map(|owner| owner.subject().to_owned()),
    })
}

fn read(row: Model) -> Result<ServiceToken, RepositoryError> {
    let previous = match (row.previous_hash, row.previous_ends_at) {
        (None, None) => None,
        (Some(bytes), Some(end)) => {
            Some(PreviousSecret { hash: HashedToken::from_bytes(hash(bytes)?), ends_at: time(end)? })
        }
        _ => return Err(corrupt("previous secret")),
    };
    let scopes = unjson::<Vec<String>>(&row.scopes)?.into_iter().map(|scope| scope.parse::<Scope>());
    let scopes = scopes.collect::<Result<Scopes, _>>().map_err(|_| corrupt("scope"))?;
    let workspaces = match &row.workspaces {
        None => WorkspaceAccess::All,
        Some(ids) => {
            let ids = unjson::<Vec<String>>(ids)?;
            WorkspaceAccess::Only(ids.iter().map(|id| workspace(id)).collect::<Result<_, _>>()?)
        }
    };
    let reason = remark_if(row.revocation_reason)?;
    let owner = match (row.owner_issuer, row.owner_subject) {
        (None, None) => None,
        (Some(issuer), Some(subject)) => Some(user(&issuer, subject)?),
        _ => return Err(corrupt("owner")),
    };
    let kind = identity_kind(&row.created_by_kind)?;
    Ok(ServiceToken {
        id: ServiceTokenId::parse(&row.id).map_err(|_| corrupt("token identifier"))?,
        hash: HashedToken::from_bytes(hash(row.hash)?),
        previous,
        scopes,
        workspaces,
        issued_at: time(row.issued_at)?,
        expires_at: time_if(row.expires_at)?,
        rotated_at: time_if(row.rotated_at)?,
        revoked: time_if(row.revoked_at)?.map(|at| Revocation { at, reason }),
        created_by: Maker { kind, issuer: row.created_by_issuer, subject: row.created_by },
        owner,
        last_used_at: time_if(row.last_used_at)?,
        use_count: count(row.use_count)?,
    })
}

/// The condition that all of a token's workspaces are among those reached; `None`: no condition.
fn covered(db: &Db<'_>, within: &WorkspaceAccess) -> Result<Option<Condition>, RepositoryError> {
    let WorkspaceAccess::Only(ids) = within else { return Ok(None) };
    let reached = json(&ids.iter().map(WorkspaceId::as_str).collect::<Vec<_>>())?;
    let sql = if db.is_postgres() {
        "NOT EXISTS (SELECT 1 FROM json_array_elements_text(CAST(workspaces AS json)) AS w (id) \
         WHERE w.id NOT IN (SELECT json_array_elements_text(CAST($1 AS json))))"
    } else {
        "NOT EXISTS (SELECT 1 FROM json_each(workspaces) WHERE value NOT IN (SELECT value FROM json_each(?)))"
    };
    let all = Condition::all().add(Column::Workspaces.is_not_null()).add(Expr::cust_with_values(sql, [reached]));
    Ok(Some(all))
}

impl SeaOrmUnit {
    async fn token(&mut self, query: Select<Entity>, hold: bool) -> Result<Option<ServiceToken>, RepositoryError> {
        let db = if hold { self.writing().await? } else { self.reading().await? };
        let query = if hold { query.lock_exclusive() } else { query };
        let found = query.one(&db).await.map_err(sorted)?.map(read).transpose()?;
        db.settle(found)
    }
}

#[async_trait]
impl ServiceTokens for SeaOrmUnit {
    async fn insert(&mut self, token: &ServiceToken) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        add(&db, names::Model { name: token.id.folded() }.into_active_model()).await?;
        add(&db, row(token)?.into_active_model()).await?;
        db.settle(())
    }

    async fn is_taken(&mut self, id: &ServiceTokenId) -> Result<bool, RepositoryError> {
        let db = self.reading().await?;
        let found = names::Entity::find_by_id(id.folded()).one(&db).await.map_err(sorted)?;
        db.settle(found.is_some())
    }

    async fn find(&mut self, id: &ServiceTokenId) -> Result<Option<ServiceToken>, RepositoryError> {
        self.token(Entity::find_by_id(id.as_str()), false).await
    }

    async fn lock(&mut self, id: &ServiceTokenId) -> Result<Option<ServiceToken>, RepositoryError> {
        self.token(Entity::find_by_id(id.as_str()), true).await
    }

    async fn find_by_hash(&mut self, hash: &HashedToken) -> Result<Option<ServiceToken>, RepositoryError> {
        let hash = hash.as_bytes().to_vec();
        let either = Condition::any().add(Column::Hash.eq(hash.clone())).add(Column::PreviousHash.eq(hash));
        self.token(Entity::find().filter(either).limit(1), false).await
    }

    async fn list(
        &mut self,
        within: &WorkspaceAccess,
        page: &PageRequest,
    ) -> Result<Page<ServiceToken>, RepositoryError> {
        let db = self.reading().await?;
        let Ok(below) = below::<TimePosition>(page) else { return db.settle(Page { items: Vec::new(), next: None }) };
        let query = Entity::find()
            .filter(Condition::all().add_option(covered(&db, within)?))
            .filter(Condition::all().add_option(below.map(|at| before([Column::IssuedAt, Column::Id], &at))))
            .order_by(Column::IssuedAt, Order::Desc)
            .order_by(Column::Id, Order::Desc)
            .limit(u64::from(page.limit) + 1);
        let rows = query.all(&db).await.map_err(sorted)?;
        let items = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        let position = |last: &ServiceToken| TimePosition::new(last.issued_at, last.id.as_str()).text();
        db.settle(Page::cut(items, page.limit, position))
    }

    async fn update(&mut self, token: &ServiceToken) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let mut row = row(token)?.into_active_model().reset_all();
        row.not_set(Column::LastUsedAt);
        row.not_set(Column::UseCount);
        let query = Entity::update_many().set(row).filter(Column::Id.eq(token.id.as_str()));
        query.exec(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn revoke_owned(
        &mut self,
        owner: &UserId,
        until: Timestamp,
        revocation: &Revocation,
    ) -> Result<Vec<ServiceToken>, RepositoryError> {
        let db = self.writing().await?;
        let reason = revocation.reason.as_ref().map(|reason| reason.as_str().to_owned());
        let query = Entity::update_many()
            .col_expr(Column::RevokedAt, Expr::value(micros(revocation.at)))
            .col_expr(Column::RevocationReason, Expr::value(reason))
            .filter(Column::OwnerIssuer.eq(owner.issuer().as_str()))
            .filter(Column::OwnerSubject.eq(owner.subject()))
            .filter(Column::IssuedAt.lte(micros(until)))
            .filter(Column::RevokedAt.is_null());
        let rows = query.exec_with_returning(&db).await.map_err(sorted)?;
        let ended = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        db.settle(ended)
    }

    async fn record_uses(&mut self, uses: &[TokenUse]) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        // In one order, so that two replicas that record the same tokens wait for each other instead of for ever.
        let mut uses: Vec<_> = uses.iter().collect();
        uses.sort_unstable_by_key(|used| &used.id);
        for used in uses {
            let last = micros(used.last);
            let later = Expr::case(Column::LastUsedAt.gt(last), Expr::col(Column::LastUsedAt)).finally(last);
            let query = Entity::update_many()
                .col_expr(Column::UseCount, Expr::col(Column::UseCount).add(number(used.count)?))
                .col_expr(Column::LastUsedAt, later.into())
                .filter(Column::Id.eq(used.id.as_str()));
            query.exec(&db).await.map_err(sorted)?;
        }
        db.settle(())
    }

    async fn any(&mut self) -> Result<bool, RepositoryError> {
        let db = self.reading().await?;
        let query = Entity::find().select_only().column(Column::Id).limit(1);
        let any = query.into_tuple::<String>().one(&db).await.map_err(sorted)?.is_some();
        db.settle(any)
    }
}

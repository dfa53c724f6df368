//! Memberships.

use async_trait::async_trait;
use sea_orm::{
    Condition, FromQueryResult, IntoActiveModel, JoinType, Order, PaginatorTrait, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{ExprTrait, OnConflict},
};

use super::{
    error::{corrupt, sorted},
    unit::SeaOrmUnit,
    users,
    value::{micros, time, user, workspace},
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

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "memberships")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub issuer: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace: String,
    pub role: String,
    pub since: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Who has, or had, one: a row stays when the memberships go.
mod ever {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "ever_members")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub issuer: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub subject: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A row with what its user is called.
#[derive(FromQueryResult)]
struct Row {
    issuer: String,
    subject: String,
    workspace: String,
    role: String,
    since: i64,
    username: Option<String>,
    email: Option<String>,
}

fn row(from: &Membership) -> Model {
    Model {
        issuer: from.user.issuer().as_str().to_owned(),
        subject: from.user.subject().to_owned(),
        workspace: from.workspace.as_str().to_owned(),
        role: from.role.as_str().to_owned(),
        since: micros(from.since),
    }
}

fn read(row: Model) -> Result<Membership, RepositoryError> {
    Ok(Membership {
        user: user(&row.issuer, row.subject)?,
        workspace: workspace(&row.workspace)?,
        role: Role::parse(&row.role).ok_or_else(|| corrupt("role"))?,
        since: time(row.since)?,
    })
}

fn member(row: Row) -> Result<Member, RepositoryError> {
    let Row { issuer, subject, workspace, role, since, username, email } = row;
    let membership = read(Model { issuer, subject, workspace, role, since })?;
    Ok(Member { membership, username, email })
}

/// The condition that a row is one person's.
fn of(id: &UserId) -> Condition {
    Condition::all().add(Column::Issuer.eq(id.issuer().as_str())).add(Column::Subject.eq(id.subject()))
}

/// Memberships with what their users are called.
fn called() -> Select<Entity> {
    let seen = Entity::belongs_to(users::Entity)
        .from((Column::Issuer, Column::Subject))
        .to((users::Column::Issuer, users::Column::Subject));
    Entity::find().join(JoinType::LeftJoin, seen.into()).column(users::Column::Username).column(users::Column::Email)
}

/// The condition that a row lies below a position.
fn before(position: &MemberPosition) -> Expr {
    let column = |column: Column| Expr::col((Entity, column));
    let user = &position.user;
    Expr::tuple([column(Column::Since), column(Column::Issuer), column(Column::Subject)]).lt(Expr::tuple([
        Expr::val(position.micros),
        Expr::val(user.issuer().as_str()),
        Expr::val(user.subject()),
    ]))
}

#[async_trait]
impl Memberships for SeaOrmUnit {
    async fn put(&mut self, membership: &Membership) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let known = OnConflict::columns([Column::Issuer, Column::Subject, Column::Workspace])
            .update_column(Column::Role)
            .to_owned();
        let query = Entity::insert(row(membership).into_active_model()).on_conflict(known);
        query.exec_without_returning(&db).await.map_err(sorted)?;
        let (issuer, subject) = users::key(&membership.user);
        let known = OnConflict::columns([ever::Column::Issuer, ever::Column::Subject]).do_nothing().to_owned();
        let query = ever::Entity::insert(ever::Model { issuer, subject }.into_active_model()).on_conflict(known);
        query.exec_without_returning(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn find(&mut self, user: &UserId, workspace: &WorkspaceId) -> Result<Option<Member>, RepositoryError> {
        let db = self.reading().await?;
        let query = called().filter(of(user)).filter(Column::Workspace.eq(workspace.as_str()));
        let found = query.into_model::<Row>().one(&db).await.map_err(sorted)?;
        let found = found.map(member).transpose()?;
        db.settle(found)
    }

    async fn of_user(&mut self, user: &UserId) -> Result<Vec<Membership>, RepositoryError> {
        let db = self.reading().await?;
        let query = Entity::find().filter(of(user)).order_by(Column::Workspace, Order::Asc);
        let rows = query.all(&db).await.map_err(sorted)?;
        let memberships = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        db.settle(memberships)
    }

    async fn ever(&mut self, user: &UserId) -> Result<bool, RepositoryError> {
        let db = self.reading().await?;
        let found = ever::Entity::find_by_id(users::key(user)).one(&db).await.map_err(sorted)?;
        db.settle(found.is_some())
    }

    async fn owners(&mut self, workspace: &WorkspaceId) -> Result<u64, RepositoryError> {
        let db = self.reading().await?;
        let query = Entity::find()
            .filter(Column::Workspace.eq(workspace.as_str()))
            .filter(Column::Role.eq(Role::Owner.as_str()));
        let owners = query.count(&db).await.map_err(sorted)?;
        db.settle(owners)
    }

    async fn list(&mut self, workspace: &WorkspaceId, page: &PageRequest) -> Result<Page<Member>, RepositoryError> {
        let db = self.reading().await?;
        let Ok(below) = below::<MemberPosition>(page) else { return db.settle(Page { items: Vec::new(), next: None }) };
        let query = called()
            .filter(Column::Workspace.eq(workspace.as_str()))
            .filter(Condition::all().add_option(below.as_ref().map(before)))
            .order_by(Column::Since, Order::Desc)
            .order_by(Column::Issuer, Order::Desc)
            .order_by(Column::Subject, Order::Desc)
            .limit(u64::from(page.limit) + 1);
        let rows = query.into_model::<Row>().all(&db).await.map_err(sorted)?;
        let items = rows.into_iter().map(member).collect::<Result<_, _>>()?;
        let position = |last: &Member| MemberPosition::new(last.membership.since, last.membership.user.clone()).text();
        db.settle(Page::cut(items, page.limit, position))
    }

    async fn remove(&mut self, user: &UserId, workspace: &WorkspaceId) -> Result<bool, RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::delete_many().filter(of(user)).filter(Column::Workspace.eq(workspace.as_str()));
        let removed = query.exec(&db).await.map_err(sorted)?.rows_affected;
        db.settle(removed > 0)
    }
}

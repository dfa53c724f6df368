//! Workspaces.

use async_trait::async_trait;
use sea_orm::{Condition, IntoActiveModel, Order, QueryOrder, QuerySelect, entity::prelude::*, sea_query::ExprTrait};

use super::{
    error::sorted,
    unit::{SeaOrmUnit, add},
    value::{micros, name, time, within, workspace},
};
use crate::{
    adapters::persistence::position::{TimePosition, below},
    domain::{
        page::{Page, PageRequest},
        workspace::{Workspace, WorkspaceAccess, WorkspaceId},
    },
    ports::repository::{RepositoryError, Workspaces},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workspaces")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub name: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

fn row(from: &Workspace) -> Model {
    Model { id: from.id.as_str().to_owned(), name: from.name.as_str().to_owned(), created_at: micros(from.created_at) }
}

fn read(row: Model) -> Result<Workspace, RepositoryError> {
    Ok(Workspace { id: workspace(&row.id)?, name: name(row.name)?, created_at: time(row.created_at)? })
}

/// The condition that a row of (time, id) lies below a position.
pub(super) fn before<C: ColumnTrait>(columns: [C; 2], position: &TimePosition) -> Expr {
    let [time, id] = columns;
    Expr::tuple([Expr::col(time), Expr::col(id)])
        .lt(Expr::tuple([Expr::val(position.micros), Expr::val(position.id.clone())]))
}

#[async_trait]
impl Workspaces for SeaOrmUnit {
    async fn insert(&mut self, workspace: &Workspace) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        add(&db, row(workspace).into_active_model()).await?;
        db.settle(())
    }

    async fn find(&mut self, id: &WorkspaceId) -> Result<Option<Workspace>, RepositoryError> {
        let db = self.reading().await?;
        let found = Entity::find_by_id(id.as_str()).one(&db).await.map_err(sorted)?;
        let found = found.map(read).transpose()?;
        db.settle(found)
    }

    async fn lock(&mut self, id: &WorkspaceId) -> Result<Option<Workspace>, RepositoryError> {
        let db = self.writing().await?;
        let found = Entity::find_by_id(id.as_str()).lock_exclusive().one(&db).await.map_err(sorted)?;
        let found = found.map(read).transpose()?;
        db.settle(found)
    }

    async fn list(
        &mut self,
        within_: &WorkspaceAccess,
        page: &PageRequest,
    ) -> Result<Page<Workspace>, RepositoryError> {
        let db = self.reading().await?;
        let Ok(below) = below::<TimePosition>(page) else { return db.settle(Page { items: Vec::new(), next: None }) };
        let query = Entity::find()
            .filter(Condition::all().add_option(within(Column::Id, within_)))
            .filter(Condition::all().add_option(below.map(|at| before([Column::CreatedAt, Column::Id], &at))))
            .order_by(Column::CreatedAt, Order::Desc)
            .order_by(Column::Id, Order::Desc)
            .limit(u64::from(page.limit) + 1);
        let rows = query.all(&db).await.map_err(sorted)?;
        let items = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        let position = |last: &Workspace| TimePosition::new(last.created_at, last.id.as_str()).text();
        db.settle(Page::cut(items, page.limit, position))
    }
}

//! Workflows.

use async_trait::async_trait;
use jiff::Timestamp;
use sea_orm::{Condition, IntoActiveModel, Order, QueryOrder, QuerySelect, entity::prelude::*, sea_query::LockType};

use super::{
    error::{corrupt, sorted},
    unit::{SeaOrmUnit, add},
    value::{count, engine, key, micros, name, number, remark_if, time, within, workspace},
};
use crate::{
    adapters::persistence::position::below,
    domain::{
        engine::{EngineName, ProcessKey},
        ids::{DeploymentId, WorkflowId},
        page::{Page, PageRequest},
        text::Name,
        workflow::{LatestDeployment, Workflow},
        workspace::{WorkspaceAccess, WorkspaceId},
    },
    ports::repository::{RepositoryError, WorkflowFilter, Workflows},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflows")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace: String,
    pub name: String,
    pub description: Option<String>,
    pub engine: String,
    pub process_key: String,
    pub deployment: Option<Uuid>,
    pub deployment_version: Option<i64>,
    pub deployment_created_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
    pub revision: i64,
    pub hidden_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

fn row(from: &Workflow) -> Result<Model, RepositoryError> {
    Ok(Model {
        id: from.id.as_uuid(),
        workspace: from.workspace.as_str().to_owned(),
        name: from.name.as_str().to_owned(),
        description: from.description.as_ref().map(|text| text.as_str().to_owned()),
        engine: from.engine.as_str().to_owned(),
        process_key: from.process_key.as_str().to_owned(),
        deployment: from.latest_deployment.map(|latest| latest.id.as_uuid()),
        deployment_version: from.latest_deployment.map(|latest| i64::from(latest.version)),
        deployment_created_at: from.latest_deployment.map(|latest| micros(latest.created_at)),
        created_at: micros(from.created_at),
        updated_at: micros(from.updated_at),
        revision: number(from.revision)?,
        hidden_at: None,
    })
}

fn read(row: Model) -> Result<Workflow, RepositoryError> {
    let latest_deployment = match (row.deployment, row.deployment_version, row.deployment_created_at) {
        (None, None, None) => None,
        (Some(id), Some(version), Some(at)) => {
            Some(LatestDeployment { id: DeploymentId::new(id), version: count(version)?, created_at: time(at)? })
        }
        _ => return Err(corrupt("deployment")),
    };
    Ok(Workflow {
        id: WorkflowId::new(row.id),
        workspace: workspace(&row.workspace)?,
        name: name(row.name)?,
        description: remark_if(row.description)?,
        engine: engine(&row.engine)?,
        process_key: key(row.process_key)?,
        latest_deployment,
        created_at: time(row.created_at)?,
        updated_at: time(row.updated_at)?,
        revision: count(row.revision)?,
    })
}

fn visible() -> Select<Entity> {
    Entity::find().filter(Column::HiddenAt.is_null())
}

impl SeaOrmUnit {
    async fn workflow(
        &mut self,
        query: Select<Entity>,
        hold: Option<LockType>,
    ) -> Result<Option<Workflow>, RepositoryError> {
        let db = if hold.is_some() { self.writing().await? } else { self.reading().await? };
        let query = match hold {
            Some(hold) => query.lock(hold),
            None => query,
        };
        let found = query.one(&db).await.map_err(sorted)?.map(read).transpose()?;
        db.settle(found)
    }
}

#[async_trait]
impl Workflows for SeaOrmUnit {
    async fn insert(&mut self, workflow: &Workflow) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        add(&db, row(workflow)?.into_active_model()).await?;
        db.settle(())
    }

    async fn find(&mut self, id: WorkflowId) -> Result<Option<Workflow>, RepositoryError> {
        self.workflow(visible().filter(Column::Id.eq(id.as_uuid())), None).await
    }

    async fn find_with_hidden(&mut self, id: WorkflowId) -> Result<Option<Workflow>, RepositoryError> {
        self.workflow(Entity::find_by_id(id.as_uuid()), None).await
    }

    async fn lock(&mut self, id: WorkflowId) -> Result<Option<Workflow>, RepositoryError> {
        // It lets those pass who only hold it against being hidden.
        self.workflow(visible().filter(Column::Id.eq(id.as_uuid())), Some(LockType::NoKeyUpdate)).await
    }

    async fn find_by_name(
        &mut self,
        workspace: &WorkspaceId,
        name: &Name,
    ) -> Result<Option<Workflow>, RepositoryError> {
        let query = visible().filter(Column::Workspace.eq(workspace.as_str())).filter(Column::Name.eq(name.as_str()));
        self.workflow(query, None).await
    }

    async fn find_by_key(
        &mut self,
        within_: &WorkspaceAccess,
        engine: &EngineName,
        key: &ProcessKey,
    ) -> Result<Vec<Workflow>, RepositoryError> {
        let db = self.reading().await?;
        let query = visible()
            .filter(Column::Engine.eq(engine.as_str()))
            .filter(Column::ProcessKey.eq(key.as_str()))
            .filter(Condition::all().add_option(within(Column::Workspace, within_)))
            .order_by(Column::Workspace, Order::Asc);
        let rows = query.all(&db).await.map_err(sorted)?;
        let found = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        db.settle(found)
    }

    async fn hold_bound(
        &mut self,
        workspace: &WorkspaceId,
        engine: &EngineName,
        key: &ProcessKey,
    ) -> Result<Option<Workflow>, RepositoryError> {
        let query = visible()
            .filter(Column::Workspace.eq(workspace.as_str()))
            .filter(Column::Engine.eq(engine.as_str()))
            .filter(Column::ProcessKey.eq(key.as_str()));
        self.workflow(query, Some(LockType::KeyShare)).await
    }

    async fn list(&mut self, filter: &WorkflowFilter, page: &PageRequest) -> Result<Page<Workflow>, RepositoryError> {
        let db = self.reading().await?;
        let Ok(below) = below::<WorkflowId>(page) else { return db.settle(Page { items: Vec::new(), next: None }) };
        let name = filter.name.as_ref().map(|name| Column::Name.eq(name.as_str()));
        let query = visible()
            .filter(Condition::all().add_option(within(Column::Workspace, &filter.within)).add_option(name))
            .filter(Condition::all().add_option(below.map(|id| Column::Id.lt(id.as_uuid()))))
            .order_by(Column::Id, Order::Desc)
            .limit(u64::from(page.limit) + 1);
        let rows = query.all(&db).await.map_err(sorted)?;
        let items = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        db.settle(Page::cut(items, page.limit, |last| last.id.to_string()))
    }

    async fn update(&mut self, workflow: &Workflow) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::update_many()
            .set(row(workflow)?.into_active_model().reset_all())
            .filter(Column::Id.eq(workflow.id.as_uuid()))
            .filter(Column::HiddenAt.is_null());
        query.exec(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn hide(&mut self, id: WorkflowId, at: Timestamp) -> Result<(), RepositoryError> {
        self.workflow(visible().filter(Column::Id.eq(id.as_uuid())), Some(LockType::Update)).await?;
        let db = self.writing().await?;
        let query = Entity::update_many()
            .col_expr(Column::HiddenAt, Expr::value(micros(at)))
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::HiddenAt.is_null());
        query.exec(&db).await.map_err(sorted)?;
        db.settle(())
    }
}

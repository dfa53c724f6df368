//! Deployments.

use async_trait::async_trait;
use sea_orm::{Condition, IntoActiveModel, Order, QueryOrder, QuerySelect, QueryTrait, entity::prelude::*};
use serde::{Deserialize, Serialize};

use super::{
    error::sorted,
    unit::{SeaOrmUnit, add},
    value::{engine, hash, json, key, micros, name, time, unjson, within, workspace},
};
use crate::{
    adapters::persistence::position::below,
    domain::{
        deployment::{DeployedProcess, Deployment, Resource},
        engine::EngineName,
        ids::{DeploymentId, WorkflowId},
        page::{Page, PageRequest},
        workspace::WorkspaceId,
    },
    ports::repository::{DeploymentFilter, Deployments, RepositoryError},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deployments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace: String,
    pub engine: String,
    pub digest: Vec<u8>,
    pub processes: String,
    pub created_by: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

mod resources {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "deployment_resources")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub deployment: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub ordinal: i64,
        pub name: String,
        pub content: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod touched {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "deployment_workflows")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workflow: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub deployment: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A process of a deployment, as JSON.
#[derive(Serialize, Deserialize)]
struct Process {
    key: String,
    version: u32,
    workflow: Uuid,
    resource: String,
}

fn row(from: &Deployment) -> Result<Model, RepositoryError> {
    let process = |process: &DeployedProcess| Process {
        key: process.process_key.as_str().to_owned(),
        version: process.version,
        workflow: process.workflow.as_uuid(),
        resource: process.resource.as_str().to_owned(),
    };
    Ok(Model {
        id: from.id.as_uuid(),
        workspace: from.workspace.as_str().to_owned(),
        engine: from.engine.as_str().to_owned(),
        digest: from.digest.to_vec(),
        processes: json(&from.processes.iter().map(process).collect::<Vec<_>>())?,
        created_by: from.created_by.clone(),
        created_at: micros(from.created_at),
    })
}

fn read(row: Model) -> Result<Deployment, RepositoryError> {
    let process = |process: Process| {
        Ok::<_, RepositoryError>(DeployedProcess {
            process_key: key(process.key)?,
            version: process.version,
            workflow: WorkflowId::new(process.workflow),
            resource: name(process.resource)?,
        })
    };
    Ok(Deployment {
        id: DeploymentId::new(row.id),
        workspace: workspace(&row.workspace)?,
        engine: engine(&row.engine)?,
        digest: hash(row.digest)?,
        processes: unjson::<Vec<Process>>(&row.processes)?.into_iter().map(process).collect::<Result<_, _>>()?,
        created_by: row.created_by,
        created_at: time(row.created_at)?,
    })
}

#[async_trait]
impl Deployments for SeaOrmUnit {
    async fn insert(&mut self, deployment: &Deployment, resources: &[Resource]) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        add(&db, row(deployment)?.into_active_model()).await?;
        for (ordinal, resource) in (0..).zip(resources) {
            let row = resources::Model {
                deployment: deployment.id.as_uuid(),
                ordinal,
                name: resource.name.as_str().to_owned(),
                content: resource.content.clone(),
            };
            add(&db, row.into_active_model()).await?;
        }
        let mut workflows: Vec<_> = deployment.processes.iter().map(|process| process.workflow).collect();
        workflows.sort_unstable();
        workflows.dedup();
        for workflow in workflows {
            let row = touched::Model { workflow: workflow.as_uuid(), deployment: deployment.id.as_uuid() };
            add(&db, row.into_active_model()).await?;
        }
        db.settle(())
    }

    async fn find(&mut self, id: DeploymentId) -> Result<Option<Deployment>, RepositoryError> {
        let db = self.reading().await?;
        let found = Entity::find_by_id(id.as_uuid()).one(&db).await.map_err(sorted)?;
        let found = found.map(read).transpose()?;
        db.settle(found)
    }

    async fn resources(&mut self, id: DeploymentId) -> Result<Vec<Resource>, RepositoryError> {
        let db = self.reading().await?;
        let query = resources::Entity::find()
            .filter(resources::Column::Deployment.eq(id.as_uuid()))
            .order_by(resources::Column::Ordinal, Order::Asc);
        let rows = query.all(&db).await.map_err(sorted)?;
        let read = |row: resources::Model| Ok(Resource { name: name(row.name)?, content: row.content });
        let found = rows.into_iter().map(read).collect::<Result<_, RepositoryError>>()?;
        db.settle(found)
    }

    async fn find_same(
        &mut self,
        workspace: &WorkspaceId,
        engine: &EngineName,
        digest: &[u8; 32],
    ) -> Result<Option<Deployment>, RepositoryError> {
        let db = self.reading().await?;
        let query = Entity::find()
            .filter(Column::Workspace.eq(workspace.as_str()))
            .filter(Column::Engine.eq(engine.as_str()))
            .filter(Column::Digest.eq(digest.to_vec()))
            .order_by(Column::Id, Order::Desc)
            .limit(1);
        let found = query.one(&db).await.map_err(sorted)?.map(read).transpose()?;
        db.settle(found)
    }

    async fn list(
        &mut self,
        filter: &DeploymentFilter,
        page: &PageRequest,
    ) -> Result<Page<Deployment>, RepositoryError> {
        let db = self.reading().await?;
        let Ok(below) = below::<DeploymentId>(page) else { return db.settle(Page { items: Vec::new(), next: None }) };
        let touching = filter.workflow.map(|workflow| {
            let touched = touched::Entity::find()
                .select_only()
                .column(touched::Column::Deployment)
                .filter(touched::Column::Workflow.eq(workflow.as_uuid()));
            Column::Id.in_subquery(touched.into_query())
        });
        let query = Entity::find()
            .filter(Condition::all().add_option(within(Column::Workspace, &filter.within)).add_option(touching))
            .filter(Condition::all().add_option(below.map(|id| Column::Id.lt(id.as_uuid()))))
            .order_by(Column::Id, Order::Desc)
            .limit(u64::from(page.limit) + 1);
        let rows = query.all(&db).await.map_err(sorted)?;
        let items = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        db.settle(Page::cut(items, page.limit, |last| last.id.to_string()))
    }
}

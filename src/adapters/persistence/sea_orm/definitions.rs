//! The embedded engine's process definitions.

use async_trait::async_trait;
use sea_orm::{IntoActiveModel, Order, QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    error::sorted,
    unit::{SeaOrmUnit, add},
    value::{count, hash, key, micros, name, time, workspace},
};
use crate::{
    domain::{engine::ProcessKey, ids::DeploymentId, workspace::WorkspaceId},
    ports::{
        engine_store::{DefinitionRow, Definitions},
        repository::RepositoryError,
    },
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "definitions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace: String,
    pub process_key: String,
    pub version: i64,
    pub resource: String,
    pub digest: Vec<u8>,
    pub xml: String,
    pub deployment: Uuid,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

fn row(from: &DefinitionRow) -> Model {
    Model {
        id: from.id,
        workspace: from.workspace.as_str().to_owned(),
        process_key: from.process_key.as_str().to_owned(),
        version: i64::from(from.version),
        resource: from.resource.as_str().to_owned(),
        digest: from.digest.to_vec(),
        xml: from.xml.clone(),
        deployment: from.deployment.as_uuid(),
        created_at: micros(from.created_at),
    }
}

fn read(row: Model) -> Result<DefinitionRow, RepositoryError> {
    Ok(DefinitionRow {
        id: row.id,
        workspace: workspace(&row.workspace)?,
        process_key: key(row.process_key)?,
        version: count(row.version)?,
        resource: name(row.resource)?,
        digest: hash(row.digest)?,
        xml: row.xml,
        deployment: DeploymentId::new(row.deployment),
        created_at: time(row.created_at)?,
    })
}

#[async_trait]
impl Definitions for SeaOrmUnit {
    async fn insert(&mut self, definition: &DefinitionRow) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        add(&db, row(definition).into_active_model()).await?;
        db.settle(())
    }

    async fn find(&mut self, id: Uuid) -> Result<Option<DefinitionRow>, RepositoryError> {
        let db = self.reading().await?;
        let found = Entity::find_by_id(id).one(&db).await.map_err(sorted)?.map(read).transpose()?;
        db.settle(found)
    }

    async fn find_latest(
        &mut self,
        workspace: &WorkspaceId,
        key: &ProcessKey,
    ) -> Result<Option<(Uuid, u32)>, RepositoryError> {
        let db = self.reading().await?;
        let query = Entity::find()
            .select_only()
            .columns([Column::Id, Column::Version])
            .filter(Column::Workspace.eq(workspace.as_str()))
            .filter(Column::ProcessKey.eq(key.as_str()))
            .order_by(Column::Version, Order::Desc)
            .limit(1);
        let found = query.into_tuple::<(Uuid, i64)>().one(&db).await.map_err(sorted)?;
        let found = found.map(|(id, version)| Ok::<_, RepositoryError>((id, count(version)?))).transpose()?;
        db.settle(found)
    }
}

//! The embedded engine's instances.

use async_trait::async_trait;
use jiff::Timestamp;
use sea_orm::{
    IntoActiveModel, Order, QueryOrder, QuerySelect, entity::prelude::*, sea_query::LockBehavior, sea_query::LockType,
};

use super::{
    error::sorted,
    incidents, jobs, tasks,
    unit::{SeaOrmUnit, add},
    value::{key, key_if, micros, status, text, time, time_if, touched, workspace},
};
use crate::ports::{
    engine_store::{InstanceRow, Instances},
    repository::RepositoryError,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "instances")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace: String,
    pub definition: Uuid,
    pub process_key: String,
    pub business_key: Option<String>,
    pub status: String,
    pub state: String,
    pub started_at: i64,
    pub ended_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

fn row(from: &InstanceRow) -> Model {
    Model {
        id: from.id,
        workspace: from.workspace.as_str().to_owned(),
        definition: from.definition,
        process_key: from.process_key.as_str().to_owned(),
        business_key: text(from.business_key.as_ref()),
        status: from.status.as_str().to_owned(),
        state: from.state.clone(),
        started_at: micros(from.started_at),
        ended_at: from.ended_at.map(micros),
    }
}

fn read(row: Model) -> Result<InstanceRow, RepositoryError> {
    Ok(InstanceRow {
        id: row.id,
        workspace: workspace(&row.workspace)?,
        definition: row.definition,
        process_key: key(row.process_key)?,
        business_key: key_if(row.business_key)?,
        status: status(&row.status)?,
        state: row.state,
        started_at: time(row.started_at)?,
        ended_at: time_if(row.ended_at)?,
    })
}

#[async_trait]
impl Instances for SeaOrmUnit {
    async fn insert(&mut self, instance: &InstanceRow) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        add(&db, row(instance).into_active_model()).await?;
        db.settle(())
    }

    async fn find(&mut self, id: Uuid) -> Result<Option<InstanceRow>, RepositoryError> {
        let db = self.reading().await?;
        let found = Entity::find_by_id(id).one(&db).await.map_err(sorted)?.map(read).transpose()?;
        db.settle(found)
    }

    async fn lock(&mut self, id: Uuid) -> Result<Option<InstanceRow>, RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::find_by_id(id).lock_exclusive();
        let found = query.one(&db).await.map_err(sorted)?.map(read).transpose()?;
        db.settle(found)
    }

    async fn update(&mut self, instance: &InstanceRow) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::update_many()
            .col_expr(Column::Status, Expr::value(instance.status.as_str()))
            .col_expr(Column::State, Expr::value(instance.state.as_str()))
            .col_expr(Column::EndedAt, Expr::value(instance.ended_at.map(micros)))
            .filter(Column::Id.eq(instance.id));
        query.exec(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn ended_since(&mut self, since: Timestamp, limit: u32) -> Result<Vec<InstanceRow>, RepositoryError> {
        let db = self.reading().await?;
        let query = Entity::find()
            .filter(Column::EndedAt.gte(micros(since)))
            .order_by(Column::EndedAt, Order::Asc)
            .order_by(Column::Id, Order::Asc)
            .limit(u64::from(limit));
        let rows = query.all(&db).await.map_err(sorted)?;
        let ended = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        db.settle(ended)
    }

    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u32, RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::EndedAt.lt(micros(before)))
            .order_by(Column::EndedAt, Order::Asc)
            .limit(u64::from(limit))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        let old = query.into_tuple::<Uuid>().all(&db).await.map_err(sorted)?;
        if old.is_empty() {
            return db.settle(0);
        }
        jobs::forget(&db, &old).await?;
        tasks::forget(&db, &old).await?;
        incidents::forget(&db, &old).await?;
        let query = Entity::delete_many().filter(Column::Id.is_in(old));
        let swept = query.exec(&db).await.map_err(sorted)?.rows_affected;
        db.settle(touched(swept))
    }
}

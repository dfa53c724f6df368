//! The embedded engine's incidents.

use async_trait::async_trait;
use jiff::Timestamp;
use sea_orm::{
    Condition, IntoActiveModel, Order, PaginatorTrait, QueryOrder, QuerySelect, entity::prelude::*,
    sea_query::OnConflict,
};

use super::{
    error::sorted,
    jobs::is,
    unit::{Db, SeaOrmUnit},
    value::{count, micros, number, time, time_if, workspace},
};
use crate::{
    domain::engine::NativeId,
    ports::{
        engine::Incident,
        engine_store::{ElementRef, IncidentRow, Incidents},
        repository::RepositoryError,
    },
};

/// How many open incidents of an instance are listed.
const MOST: u64 = 200;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "incidents")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub instance: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub element: i64,
    pub workspace: String,
    pub kind: String,
    pub message: String,
    pub element_id: String,
    pub job: Option<String>,
    pub created_at: i64,
    pub resolved_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

fn row(from: &IncidentRow) -> Result<Model, RepositoryError> {
    Ok(Model {
        instance: from.id.instance,
        element: number(from.id.key)?,
        workspace: from.workspace.as_str().to_owned(),
        kind: from.incident.kind.clone(),
        message: from.incident.message.clone(),
        element_id: from.incident.element_id.clone(),
        job: from.incident.job.as_ref().map(|job| job.as_str().to_owned()),
        created_at: micros(from.incident.created_at),
        resolved_at: from.resolved_at.map(micros),
    })
}

fn read(row: Model) -> Result<IncidentRow, RepositoryError> {
    let id = ElementRef { instance: row.instance, key: count(row.element)? };
    let incident = Incident {
        id: id.native(),
        instance: NativeId::new(row.instance.hyphenated().to_string()),
        kind: row.kind,
        message: row.message,
        element_id: row.element_id,
        job: row.job.map(NativeId::new),
        created_at: time(row.created_at)?,
    };
    Ok(IncidentRow { id, incident, workspace: workspace(&row.workspace)?, resolved_at: time_if(row.resolved_at)? })
}

fn open_in(instance: Uuid) -> Select<Entity> {
    Entity::find().filter(Column::Instance.eq(instance)).filter(Column::ResolvedAt.is_null())
}

/// Forgets the incidents of instances.
pub(super) async fn forget(db: &Db<'_>, instances: &[Uuid]) -> Result<(), RepositoryError> {
    let query = Entity::delete_many().filter(Column::Instance.is_in(instances.iter().copied()));
    query.exec(db).await.map(|_| ()).map_err(sorted)
}

impl SeaOrmUnit {
    /// Marks the open ones among some as resolved.
    async fn resolve_those(&mut self, which: Condition, at: Timestamp) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::update_many()
            .col_expr(Column::ResolvedAt, Expr::value(micros(at)))
            .filter(which)
            .filter(Column::ResolvedAt.is_null());
        query.exec(&db).await.map_err(sorted)?;
        db.settle(())
    }
}

#[async_trait]
impl Incidents for SeaOrmUnit {
    async fn put(&mut self, incident: &IncidentRow) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let replaced = [
            Column::Workspace,
            Column::Kind,
            Column::Message,
            Column::ElementId,
            Column::Job,
            Column::CreatedAt,
            Column::ResolvedAt,
        ];
        let anew = OnConflict::columns([Column::Instance, Column::Element]).update_columns(replaced).to_owned();
        let query = Entity::insert(row(incident)?.into_active_model()).on_conflict(anew);
        query.exec_without_returning(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn find(&mut self, id: ElementRef) -> Result<Option<IncidentRow>, RepositoryError> {
        let db = self.reading().await?;
        let query = Entity::find().filter(is([Column::Instance, Column::Element], id)?);
        let found = query.one(&db).await.map_err(sorted)?.map(read).transpose()?;
        db.settle(found)
    }

    async fn resolve(&mut self, id: ElementRef, at: Timestamp) -> Result<(), RepositoryError> {
        let which = is([Column::Instance, Column::Element], id)?;
        self.resolve_those(which, at).await
    }

    async fn resolve_all(&mut self, instance: Uuid, at: Timestamp) -> Result<(), RepositoryError> {
        self.resolve_those(Condition::all().add(Column::Instance.eq(instance)), at).await
    }

    async fn open(&mut self, instance: Uuid) -> Result<Vec<IncidentRow>, RepositoryError> {
        let db = self.reading().await?;
        let query =
            open_in(instance).order_by(Column::CreatedAt, Order::Asc).order_by(Column::Element, Order::Asc).limit(MOST);
        let rows = query.all(&db).await.map_err(sorted)?;
        let open = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        db.settle(open)
    }

    async fn count_open(&mut self, instance: Uuid) -> Result<u64, RepositoryError> {
        let db = self.reading().await?;
        let open = open_in(instance).count(&db).await.map_err(sorted)?;
        db.settle(open)
    }
}

//! Executions.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use sea_orm::{
    Condition, IntoActiveModel, Iterable, Order, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{LockBehavior, LockType},
};

use super::{
    error::{corrupt, sorted},
    unit::{SeaOrmUnit, add},
    value::{count, engine, json, key_if, micros, number, status, text, time, time_if, unjson, workspace},
};
use crate::{
    adapters::persistence::position::below,
    domain::{
        engine::{EngineName, NativeId},
        execution::{Execution, ExecutionError, ExecutionStatus, ListedExecution, MAX_LISTED_BYTES, Starter},
        identity::IdentityKind,
        ids::{ExecutionId, WorkflowId},
        page::{Page, PageRequest},
    },
    ports::repository::{ExecutionFilter, Executions, ExpiredExecution, RepositoryError},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "executions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workflow: Uuid,
    pub workspace: String,
    pub status: String,
    pub business_key: Option<String>,
    pub engine: String,
    pub instance: Option<String>,
    pub input: String,
    pub result: Option<String>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub started_by: String,
    pub started_by_kind: String,
    pub events_after: i64,
    pub started_at: i64,
    pub ended_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

fn row(from: &Execution) -> Result<Model, RepositoryError> {
    Ok(Model {
        id: from.id.as_uuid(),
        workflow: from.workflow.as_uuid(),
        workspace: from.workspace.as_str().to_owned(),
        status: from.status.as_str().to_owned(),
        business_key: text(from.business_key.as_ref()),
        engine: from.engine.as_str().to_owned(),
        instance: from.instance.as_ref().map(|id| id.as_str().to_owned()),
        input: json(&from.input)?,
        result: from.result.as_ref().map(json).transpose()?,
        error_code: from.error.as_ref().map(|error| error.code.clone()),
        error_message: from.error.as_ref().map(|error| error.message.clone()),
        started_by: from.started_by.subject.clone(),
        started_by_kind: from.started_by.kind.as_str().to_owned(),
        events_after: number(from.events_after)?,
        started_at: micros(from.started_at),
        ended_at: from.ended_at.map(micros),
    })
}

fn read(row: Model) -> Result<Execution, RepositoryError> {
    let error = match (row.error_code, row.error_message) {
        (None, None) => None,
        (Some(code), Some(message)) => Some(ExecutionError { code, message }),
        _ => return Err(corrupt("error")),
    };
    let kind = IdentityKind::parse(&row.started_by_kind).ok_or_else(|| corrupt("kind of caller"))?;
    Ok(Execution {
        id: ExecutionId::new(row.id),
        workflow: WorkflowId::new(row.workflow),
        workspace: workspace(&row.workspace)?,
        status: status(&row.status)?,
        business_key: key_if(row.business_key)?,
        engine: engine(&row.engine)?,
        instance: row.instance.map(NativeId::new),
        input: unjson(&row.input)?,
        result: row.result.as_deref().map(unjson).transpose()?,
        error,
        started_by: Starter { subject: row.started_by, kind },
        events_after: count(row.events_after)?,
        started_at: time(row.started_at)?,
        ended_at: time_if(row.ended_at)?,
    })
}

/// Rows without large variables: an empty text, which is no JSON, stands for them. Neither database reads a text to tell
/// its length.
fn small() -> Select<Entity> {
    let is_large = |column: &Column| matches!(column, Column::Input | Column::Result);
    let or_empty =
        |name: &str| Expr::cust(format!("CASE WHEN octet_length({name}) > {MAX_LISTED_BYTES} THEN '' ELSE {name} END"));
    Entity::find()
        .select_only()
        .columns(Column::iter().filter(|column| !is_large(column)))
        .expr_as(or_empty("input"), "input")
        .expr_as(or_empty("result"), "result")
}

fn read_small(mut row: Model) -> Result<ListedExecution, RepositoryError> {
    let omits_input = row.input.is_empty();
    if omits_input {
        row.input.push_str("{}");
    }
    let omits_result = row.result.as_ref().is_some_and(String::is_empty);
    row.result = row.result.filter(|_| !omits_result);
    Ok(ListedExecution { execution: read(row)?, omits_input, omits_result })
}

fn fitting(filter: &ExecutionFilter) -> Condition {
    Condition::all()
        .add(Column::Workflow.eq(filter.workflow.as_uuid()))
        .add_option(filter.status.map(|status| Column::Status.eq(status.as_str())))
        .add_option(filter.business_key.as_ref().map(|key| Column::BusinessKey.eq(key.as_str())))
        .add_option(filter.started_after.map(|moment| Column::StartedAt.gt(micros(moment))))
}

#[async_trait]
impl Executions for SeaOrmUnit {
    async fn insert(&mut self, execution: &Execution) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        add(&db, row(execution)?.into_active_model()).await?;
        db.settle(())
    }

    async fn find(&mut self, id: ExecutionId) -> Result<Option<Execution>, RepositoryError> {
        let db = self.reading().await?;
        let found = Entity::find_by_id(id.as_uuid()).one(&db).await.map_err(sorted)?;
        let found = found.map(read).transpose()?;
        db.settle(found)
    }

    async fn find_by_instance(
        &mut self,
        engine: &EngineName,
        instance: &NativeId,
    ) -> Result<Option<Execution>, RepositoryError> {
        let db = self.reading().await?;
        let query =
            Entity::find().filter(Column::Instance.eq(instance.as_str())).filter(Column::Engine.eq(engine.as_str()));
        let found = query.one(&db).await.map_err(sorted)?.map(read).transpose()?;
        db.settle(found)
    }

    async fn find_by_native(&mut self, instance: &NativeId) -> Result<Vec<Execution>, RepositoryError> {
        let db = self.reading().await?;
        let query =
            Entity::find().filter(Column::Instance.eq(instance.as_str())).order_by(Column::Engine, Order::Asc).limit(2);
        let rows = query.all(&db).await.map_err(sorted)?;
        let found = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        db.settle(found)
    }

    async fn list(
        &mut self,
        filter: &ExecutionFilter,
        page: &PageRequest,
    ) -> Result<Page<ListedExecution>, RepositoryError> {
        let db = self.reading().await?;
        let Ok(below) = below::<ExecutionId>(page) else { return db.settle(Page { items: Vec::new(), next: None }) };
        let query = small()
            .filter(fitting(filter).add_option(below.map(|id| Column::Id.lt(id.as_uuid()))))
            .order_by(Column::Id, Order::Desc)
            .limit(u64::from(page.limit) + 1);
        let rows = query.all(&db).await.map_err(sorted)?;
        let items = rows.into_iter().map(read_small).collect::<Result<_, _>>()?;
        db.settle(Page::cut(items, page.limit, |last: &ListedExecution| last.execution.id.to_string()))
    }

    async fn end(&mut self, execution: &Execution) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let row = row(execution)?;
        let query = Entity::update_many()
            .col_expr(Column::Status, Expr::value(row.status))
            .col_expr(Column::Result, Expr::value(row.result))
            .col_expr(Column::ErrorCode, Expr::value(row.error_code))
            .col_expr(Column::ErrorMessage, Expr::value(row.error_message))
            .col_expr(Column::EndedAt, Expr::value(row.ended_at))
            .filter(Column::Id.eq(row.id));
        query.exec(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn any_running(&mut self, workflow: WorkflowId) -> Result<bool, RepositoryError> {
        let db = self.reading().await?;
        let query = Entity::find()
            .filter(Column::Workflow.eq(workflow.as_uuid()))
            .filter(Column::Status.eq(ExecutionStatus::Running.as_str()))
            .select_only()
            .column(Column::Id)
            .limit(1);
        let running = query.into_tuple::<Uuid>().one(&db).await.map_err(sorted)?.is_some();
        db.settle(running)
    }

    async fn lock_expired(&mut self, before: Timestamp, limit: u32) -> Result<Vec<ExpiredExecution>, RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::find()
            .select_only()
            .columns([Column::Id, Column::Workflow])
            .filter(Column::EndedAt.lt(micros(before)))
            .order_by(Column::EndedAt, Order::Asc)
            .limit(u64::from(limit))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        let rows = query.into_tuple::<(Uuid, Uuid)>().all(&db).await.map_err(sorted)?;
        let expired = rows
            .into_iter()
            .map(|(id, workflow)| ExpiredExecution { id: ExecutionId::new(id), workflow: WorkflowId::new(workflow) });
        db.settle(expired.collect())
    }

    async fn delete(&mut self, ids: &[ExecutionId]) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::delete_many().filter(Column::Id.is_in(ids.iter().map(|id| id.as_uuid())));
        query.exec(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn find_existing(&mut self, ids: &[ExecutionId]) -> Result<BTreeSet<ExecutionId>, RepositoryError> {
        let db = self.reading().await?;
        let query =
            Entity::find().select_only().column(Column::Id).filter(Column::Id.is_in(ids.iter().map(|id| id.as_uuid())));
        let found = query.into_tuple::<Uuid>().all(&db).await.map_err(sorted)?;
        db.settle(found.into_iter().map(ExecutionId::new).collect())
    }
}

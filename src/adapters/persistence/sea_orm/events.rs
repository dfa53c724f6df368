//! Events and their numbers.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use sea_orm::{
    ActiveValue::NotSet, Condition, ExprTrait, FromQueryResult, IntoActiveModel, Order, QueryOrder, QuerySelect,
    QueryTrait, Statement, Value, entity::prelude::*, sea_query::OnConflict,
};

use super::{
    error::{corrupt, sorted},
    unit::{Db, SeaOrmUnit},
    value::{count, json, micros, number, time, touched, unjson},
};
use crate::{
    domain::{
        event::{Event, EventType, NewEvent},
        ids::{EventId, WorkflowId},
    },
    ports::repository::{Events, RepositoryError},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub position: i64,
    pub id: Uuid,
    pub workflow: Uuid,
    pub sequence: Option<i64>,
    pub kind: String,
    pub subject: String,
    pub time: i64,
    pub data: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

mod channels {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "channels")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workflow: Uuid,
        pub head: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// How many rows one statement adds at most.
const ROWS: usize = 500;
/// How many of the oldest rows a sweep looks at for each that it may forget: those that it must not are few among them.
const LOOKED_AT: u64 = 4;

fn row(from: &NewEvent) -> Result<ActiveModel, RepositoryError> {
    let model = Model {
        position: 0,
        id: from.id.as_uuid(),
        workflow: from.workflow.as_uuid(),
        sequence: None,
        kind: from.kind.as_str().to_owned(),
        subject: from.subject.clone(),
        time: micros(from.time),
        data: json(&from.data)?,
    };
    Ok(ActiveModel { position: NotSet, ..model.into_active_model() })
}

fn read(row: Model) -> Result<Event, RepositoryError> {
    let event = NewEvent {
        id: EventId::new(row.id),
        workflow: WorkflowId::new(row.workflow),
        kind: EventType::parse(&row.kind).ok_or_else(|| corrupt("type of event"))?,
        subject: row.subject,
        time: time(row.time)?,
        data: unjson(&row.data)?,
    };
    Ok(Event { event, sequence: count(row.sequence.unwrap_or(0))? })
}

/// Numbers what the one writer sees, in the order of its coming. The heads are written after it.
const NUMBER_SQLITE: &str = "UPDATE events SET sequence = batch.number FROM ( \
       SELECT e.position AS position, \
              coalesce(c.head, 0) + row_number() OVER (PARTITION BY e.workflow ORDER BY e.position) AS number \
       FROM (SELECT position, workflow FROM events WHERE sequence IS NULL ORDER BY position LIMIT ?) e \
       LEFT JOIN channels c ON c.workflow = e.workflow) batch \
     WHERE events.position = batch.position \
     RETURNING events.position, id, workflow, sequence, kind, subject, time, data";

/// Takes the channels that have something to number and that nobody else has; makes those that are new. The channels are
/// found by one look-up each (a "loose index scan"). It must be a statement of its own: the next one then sees everything
/// that whoever had them before has committed.
const HOLD_POSTGRES: &str = "WITH RECURSIVE pending (workflow) AS ( \
       (SELECT workflow FROM events WHERE sequence IS NULL ORDER BY workflow LIMIT 1) \
       UNION ALL \
       SELECT (SELECT e.workflow FROM events e WHERE e.sequence IS NULL AND e.workflow > p.workflow \
               ORDER BY e.workflow LIMIT 1) \
       FROM pending p WHERE p.workflow IS NOT NULL), \
     made AS ( \
       INSERT INTO channels (workflow, head) \
       SELECT p.workflow, 0 FROM pending p WHERE p.workflow IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM channels c WHERE c.workflow = p.workflow) \
       ON CONFLICT DO NOTHING RETURNING workflow), \
     held AS ( \
       SELECT c.workflow FROM channels c \
       WHERE c.workflow IN (SELECT p.workflow FROM pending p WHERE p.workflow IS NOT NULL) FOR UPDATE SKIP LOCKED) \
     SELECT workflow FROM made UNION ALL SELECT workflow FROM held";

const NUMBER_POSTGRES: &str = "WITH batch AS ( \
       SELECT e.position, e.workflow, \
              c.head + row_number() OVER (PARTITION BY e.workflow ORDER BY e.position) AS number \
       FROM (SELECT position, workflow FROM events \
             WHERE sequence IS NULL AND workflow = ANY (CAST($1 AS uuid[])) ORDER BY position LIMIT $2) e \
       JOIN channels c ON c.workflow = e.workflow), \
     heads AS ( \
       UPDATE channels c SET head = m.head \
       FROM (SELECT workflow, max(number) AS head FROM batch GROUP BY workflow) m WHERE c.workflow = m.workflow) \
     UPDATE events SET sequence = batch.number FROM batch WHERE events.position = batch.position \
     RETURNING events.position, events.id, events.workflow, events.sequence, events.kind, events.subject, \
               events.time, events.data";

async fn statement(db: &Db<'_>, sql: &str, values: Vec<Value>) -> Result<Vec<Model>, RepositoryError> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let rows = db.query_all_raw(statement).await.map_err(sorted)?;
    rows.iter().map(|row| Model::from_query_result(row, "")).collect::<Result<_, _>>().map_err(sorted)
}

async fn number_sqlite(db: &Db<'_>, limit: u32) -> Result<Vec<Model>, RepositoryError> {
    let rows = statement(db, NUMBER_SQLITE, vec![i64::from(limit).into()]).await?;
    let mut heads = BTreeMap::new();
    for row in &rows {
        let head = heads.entry(row.workflow).or_insert(0);
        *head = std::cmp::max(*head, row.sequence.unwrap_or(0));
    }
    if !heads.is_empty() {
        let heads = heads.into_iter().map(|(workflow, head)| channels::Model { workflow, head }.into_active_model());
        let known = OnConflict::column(channels::Column::Workflow).update_column(channels::Column::Head).to_owned();
        let query = channels::Entity::insert_many(heads).on_conflict(known);
        query.exec_without_returning(db).await.map_err(sorted)?;
    }
    Ok(rows)
}

async fn number_postgres(db: &Db<'_>, limit: u32) -> Result<Vec<Model>, RepositoryError> {
    let query = Statement::from_string(db.get_database_backend(), HOLD_POSTGRES);
    let held = db.query_all_raw(query).await.map_err(sorted)?;
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let ids = held.iter().map(|row| row.try_get::<Uuid>("", "workflow").map(|id| id.to_string()));
    let ids = ids.collect::<Result<Vec<_>, _>>().map_err(sorted)?;
    let values = vec![format!("{{{}}}", ids.join(",")).into(), i64::from(limit).into()];
    statement(db, NUMBER_POSTGRES, values).await
}

#[async_trait]
impl Events for SeaOrmUnit {
    async fn append(&mut self, events: &[NewEvent]) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        for part in events.chunks(ROWS) {
            let rows = part.iter().map(row).collect::<Result<Vec<_>, _>>()?;
            Entity::insert_many(rows).exec_without_returning(&db).await.map_err(sorted)?;
        }
        db.settle(())
    }

    async fn number(&mut self, limit: u32) -> Result<Vec<Event>, RepositoryError> {
        let db = self.writing().await?;
        let numbered =
            if db.is_postgres() { number_postgres(&db, limit).await } else { number_sqlite(&db, limit).await };
        let mut rows = numbered?;
        rows.sort_unstable_by_key(|row| row.position);
        let events = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        db.settle(events)
    }

    async fn read(
        &mut self,
        workflow: WorkflowId,
        after: u64,
        limit: u32,
        subject: Option<&str>,
    ) -> Result<Vec<Event>, RepositoryError> {
        let db = self.reading().await?;
        // A number beyond all numbers has nothing after it.
        let after = number(after).unwrap_or(i64::MAX);
        let query = Entity::find()
            .filter(Column::Workflow.eq(workflow.as_uuid()))
            .filter(Column::Sequence.gt(after))
            .filter(Condition::all().add_option(subject.map(|subject| Column::Subject.eq(subject))))
            .order_by(Column::Sequence, Order::Asc)
            .limit(u64::from(limit));
        let rows = query.all(&db).await.map_err(sorted)?;
        let events = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        db.settle(events)
    }

    async fn head(&mut self, workflow: WorkflowId) -> Result<u64, RepositoryError> {
        let heads = self.heads(&[workflow]).await?;
        Ok(heads.first().map_or(0, |(_, head)| *head))
    }

    async fn heads(&mut self, workflows: &[WorkflowId]) -> Result<Vec<(WorkflowId, u64)>, RepositoryError> {
        let db = self.reading().await?;
        let ids = workflows.iter().map(|workflow| workflow.as_uuid());
        let query = channels::Entity::find().filter(channels::Column::Workflow.is_in(ids));
        let rows = query.all(&db).await.map_err(sorted)?;
        let heads = rows.into_iter().map(|row| Ok((WorkflowId::new(row.workflow), count(row.head)?)));
        let heads = heads.collect::<Result<_, RepositoryError>>()?;
        db.settle(heads)
    }

    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u32, RepositoryError> {
        let db = self.writing().await?;
        // Times follow positions closely: the oldest are at the front, and no index by time is needed.
        let front = Entity::find()
            .select_only()
            .columns([Column::Position, Column::Time, Column::Sequence])
            .order_by(Column::Position, Order::Asc)
            .limit(u64::from(limit) * LOOKED_AT);
        let old = sea_orm::sea_query::Query::select()
            .column(Column::Position)
            .from_subquery(front.into_query(), "front")
            .and_where(Column::Time.into_expr().lt(micros(before)))
            .and_where(Column::Sequence.into_expr().is_not_null())
            .limit(u64::from(limit))
            .take();
        let query = Entity::delete_many().filter(Column::Position.in_subquery(old));
        let swept = query.exec(&db).await.map_err(sorted)?.rows_affected;
        db.settle(touched(swept))
    }
}

//! Events and their numbers.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use sea_orm::{
    ActiveValue::NotSet,
    Condition, ExprTrait, FromQueryResult, IntoActiveModel, Order, QueryOrder, QuerySelect, QueryTrait, Statement,
    Value,
    entity::prelude::*,
    sea_query::{Alias, OnConflict, Query},
};

use super::{
    error::{corrupt, sorted},
    unit::{Db, SeaOrmUnit},
    value::{count, json, micros, number, time, unjson},
};
use crate::{
    domain::{
        event::{Event, EventType, NewEvent},
        ids::{EventId, WorkflowId},
        page::{MAX_PAGE_BYTES, count_within},
    },
    ports::repository::{AgedEvent, EventPage, Events, ReadLimit, RepositoryError},
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

mod deleted {
    use sea_orm::entity::prelude::*;

    /// The highest number that a channel has lost to retention.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "deleted_events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workflow: Uuid,
        pub sequence: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// How many rows one statement adds at most.
const ROWS: usize = 500;

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

/// The numbers of events and the bytes of their data, which is not read for it.
async fn sizes(db: &Db<'_>, query: Select<Entity>) -> Result<Vec<(Option<i64>, usize)>, RepositoryError> {
    let bytes = Expr::cust("CAST(octet_length(data) AS bigint)");
    let query = query.select_only().column(Column::Sequence).expr(bytes);
    let rows = query.into_tuple::<(Option<i64>, i64)>().all(db).await.map_err(sorted)?;
    Ok(rows.into_iter().map(|(sequence, bytes)| (sequence, usize::try_from(bytes).unwrap_or(usize::MAX))).collect())
}

/// Deletes numbered events, and notes in each channel up to which number it has lost some.
async fn delete(db: &Db<'_>, which: sea_orm::sea_query::Expr) -> Result<u32, RepositoryError> {
    let query = Query::delete()
        .from_table(Entity)
        .and_where(which)
        .returning(Query::returning().columns([Column::Workflow, Column::Sequence]))
        .to_owned();
    let rows = db.query_all(&query).await.map_err(sorted)?;
    let mut highest = BTreeMap::<Uuid, i64>::new();
    for row in &rows {
        let workflow = row.try_get::<Uuid>("", "workflow").map_err(sorted)?;
        let sequence = row.try_get::<i64>("", "sequence").map_err(sorted)?;
        let known = highest.entry(workflow).or_insert(0);
        *known = std::cmp::max(sequence, *known);
    }
    if !highest.is_empty() {
        // In the order of the keys, so that two replicas never wait for each other.
        let notes = highest.into_iter().map(|(workflow, sequence)| deleted::Model { workflow, sequence });
        let higher = Expr::case(
            Expr::col((Alias::new("excluded"), deleted::Column::Sequence)).gt(deleted::Column::Sequence.into_expr()),
            Expr::col((Alias::new("excluded"), deleted::Column::Sequence)),
        )
        .finally(deleted::Column::Sequence.into_expr());
        let known = OnConflict::column(deleted::Column::Workflow).value(deleted::Column::Sequence, higher).to_owned();
        let query = deleted::Entity::insert_many(notes.map(IntoActiveModel::into_active_model)).on_conflict(known);
        query.exec_without_returning(db).await.map_err(sorted)?;
    }
    Ok(u32::try_from(rows.len()).unwrap_or(u32::MAX))
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
        let waiting = Entity::find().filter(Column::Sequence.is_null()).order_by(Column::Position, Order::Asc);
        let sizes = sizes(&db, waiting.limit(u64::from(limit))).await?;
        let fitting = count_within(sizes.iter().map(|(_, bytes)| *bytes), MAX_PAGE_BYTES);
        let limit = std::cmp::max(1, u32::try_from(fitting).unwrap_or(limit));
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
        limit: ReadLimit,
        subject: Option<&str>,
    ) -> Result<EventPage, RepositoryError> {
        let db = self.reading().await?;
        // A number beyond all numbers has nothing after it.
        let after = number(after).unwrap_or(i64::MAX);
        let query = Entity::find()
            .filter(Column::Workflow.eq(workflow.as_uuid()))
            .filter(Column::Sequence.gt(after))
            .filter(Condition::all().add_option(subject.map(|subject| Column::Subject.eq(subject))))
            .order_by(Column::Sequence, Order::Asc);
        let sizes = sizes(&db, query.clone().limit(u64::from(limit.events) + 1)).await?;
        let few = usize::try_from(limit.events).unwrap_or(usize::MAX);
        let fitting = count_within(sizes.iter().take(few).map(|(_, bytes)| *bytes), limit.bytes);
        let Some((Some(last), _)) = fitting.checked_sub(1).and_then(|at| sizes.get(at)).copied() else {
            return db.settle(EventPage::default());
        };
        let rows = query.filter(Column::Sequence.lte(last)).all(&db).await.map_err(sorted)?;
        let events = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        db.settle(EventPage { events, more: sizes.len() > fitting })
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

    async fn delete_by_subject(
        &mut self,
        workflow: WorkflowId,
        subject: &str,
        limit: u32,
    ) -> Result<u32, RepositoryError> {
        let db = self.writing().await?;
        let oldest = Entity::find()
            .select_only()
            .column(Column::Position)
            .filter(Column::Workflow.eq(workflow.as_uuid()))
            .filter(Column::Subject.eq(subject))
            .filter(Column::Sequence.is_not_null())
            .order_by(Column::Sequence, Order::Asc)
            .limit(u64::from(limit));
        let deleted = delete(&db, Column::Position.in_subquery(oldest.into_query())).await?;
        db.settle(deleted)
    }

    async fn list_aged(
        &mut self,
        after: u64,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<AgedEvent>, RepositoryError> {
        let db = self.reading().await?;
        // Times follow positions closely, so no index by time is needed.
        let query = Entity::find()
            .select_only()
            .columns([Column::Position, Column::Sequence, Column::Time, Column::Subject])
            .filter(Column::Position.gt(number(after)?))
            .order_by(Column::Position, Order::Asc)
            .limit(u64::from(limit));
        let rows = query.into_tuple::<(i64, Option<i64>, i64, String)>().all(&db).await.map_err(sorted)?;
        let before = micros(before);
        let aged = rows.into_iter().take_while(|(_, sequence, time, _)| sequence.is_some() && *time < before);
        let aged = aged.map(|(position, _, _, subject)| Ok(AgedEvent { position: count(position)?, subject }));
        let aged = aged.collect::<Result<_, RepositoryError>>()?;
        db.settle(aged)
    }

    async fn delete_by_position(&mut self, positions: &[u64]) -> Result<u32, RepositoryError> {
        let db = self.writing().await?;
        let positions = positions.iter().map(|position| number(*position)).collect::<Result<Vec<_>, _>>()?;
        let numbered = Column::Position.is_in(positions).and(Column::Sequence.is_not_null());
        let deleted = delete(&db, numbered).await?;
        db.settle(deleted)
    }

    async fn deleted_to(&mut self, workflow: WorkflowId) -> Result<u64, RepositoryError> {
        let db = self.reading().await?;
        let row = deleted::Entity::find_by_id(workflow.as_uuid()).one(&db).await.map_err(sorted)?;
        let deleted_to = row.map_or(Ok(0), |row| count(row.sequence))?;
        db.settle(deleted_to)
    }
}

//! The embedded engine's timers.

use async_trait::async_trait;
use jiff::Timestamp;
use sea_orm::{
    Condition, ExprTrait, IntoActiveModel, Order, QueryOrder, QuerySelect, entity::prelude::*, sea_query::OnConflict,
};

use super::{
    error::{corrupt, sorted},
    unit::SeaOrmUnit,
    value::{count, micros, number, time},
};
use crate::ports::{
    engine_store::{Due, ElementRef, TimerRow, Timers},
    repository::RepositoryError,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "timers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub element: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub element_id: String,
    pub due: i64,
    pub schedule: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

const TIMER: &str = "timer";
const START: &str = "start";
const CONTINUE: &str = "continue";

/// What is due, as the primary key: owner, kind, element, element id.
fn named(what: &Due) -> Result<(Uuid, &'static str, i64, &str), RepositoryError> {
    Ok(match what {
        Due::Timer(element) => (element.instance, TIMER, number(element.key)?, ""),
        Due::Start { definition, element_id } => (*definition, START, 0, element_id),
        Due::Continue(instance) => (*instance, CONTINUE, 0, ""),
    })
}

fn is(what: &Due) -> Result<Condition, RepositoryError> {
    let (owner, kind, element, element_id) = named(what)?;
    Ok(Condition::all()
        .add(Column::Owner.eq(owner))
        .add(Column::Kind.eq(kind))
        .add(Column::Element.eq(element))
        .add(Column::ElementId.eq(element_id)))
}

fn read(row: Model) -> Result<TimerRow, RepositoryError> {
    let what = match row.kind.as_str() {
        TIMER => Due::Timer(ElementRef { instance: row.owner, key: count(row.element)? }),
        START => Due::Start { definition: row.owner, element_id: row.element_id },
        CONTINUE => Due::Continue(row.owner),
        _ => return Err(corrupt("timer")),
    };
    Ok(TimerRow { what, due: time(row.due)?, schedule: row.schedule })
}

#[async_trait]
impl Timers for SeaOrmUnit {
    async fn put(&mut self, timer: &TimerRow) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let (owner, kind, element, element_id) = named(&timer.what)?;
        let row = Model {
            owner,
            kind: kind.to_owned(),
            element,
            element_id: element_id.to_owned(),
            due: micros(timer.due),
            schedule: timer.schedule.clone(),
        };
        let key = [Column::Owner, Column::Kind, Column::Element, Column::ElementId];
        let replaced = OnConflict::columns(key).update_columns([Column::Due, Column::Schedule]).to_owned();
        let query = Entity::insert(row.into_active_model()).on_conflict(replaced);
        query.exec_without_returning(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn lock_due(&mut self, what: &Due, now: Timestamp) -> Result<Option<TimerRow>, RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::find().filter(is(what)?).filter(Expr::col(Column::Due).lte(db.now(now))).lock_exclusive();
        let found = query.one(&db).await.map_err(sorted)?.map(read).transpose()?;
        db.settle(found)
    }

    async fn delete(&mut self, what: &Due) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        Entity::delete_many().filter(is(what)?).exec(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn delete_starts(&mut self, definition: Uuid) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::delete_many().filter(Column::Owner.eq(definition)).filter(Column::Kind.eq(START));
        query.exec(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn due(&mut self, now: Timestamp, limit: u32) -> Result<Vec<TimerRow>, RepositoryError> {
        let db = self.reading().await?;
        let query = Entity::find()
            .filter(Expr::col(Column::Due).lte(db.now(now)))
            .order_by(Column::Due, Order::Asc)
            .limit(u64::from(limit));
        let rows = query.all(&db).await.map_err(sorted)?;
        let due = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        db.settle(due)
    }
}

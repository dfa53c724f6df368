//! The embedded engine's jobs.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use jiff::Timestamp;
use sea_orm::{
    Condition, ExprTrait, Order, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Func, LockBehavior, LockType, Query},
};

use super::{
    error::{corrupt, sorted},
    unit::{Db, SeaOrmUnit},
    value::{count, json, key, key_if, micros, number, text, time, unjson, within, workspace},
};
use crate::{
    domain::{text::Key, workspace::WorkspaceAccess},
    ports::{
        engine_store::{ElementRef, JobLock, JobRow, JobWish, Jobs, LockedJob, WorkState},
        repository::RepositoryError,
    },
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub instance: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub element: i64,
    pub workspace: String,
    pub process_key: String,
    pub business_key: Option<String>,
    pub element_id: String,
    pub topic: String,
    pub retries: i64,
    pub headers: String,
    pub state: String,
    pub worker: Option<String>,
    pub lock_token: Option<String>,
    pub locked_until: Option<i64>,
    pub available_at: i64,
    pub claimable_at: Option<i64>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

fn read(row: Model) -> Result<JobRow, RepositoryError> {
    let lock = match (row.worker, row.lock_token, row.locked_until) {
        (None, None, None) => None,
        (Some(worker), Some(token), Some(until)) => Some(JobLock { worker: key(worker)?, token, until: time(until)? }),
        _ => return Err(corrupt("lock")),
    };
    Ok(JobRow {
        id: ElementRef { instance: row.instance, key: count(row.element)? },
        workspace: workspace(&row.workspace)?,
        process_key: key(row.process_key)?,
        business_key: key_if(row.business_key)?,
        element_id: row.element_id,
        topic: key(row.topic)?,
        retries: count(row.retries)?,
        headers: unjson(&row.headers)?,
        state: WorkState::parse(&row.state).ok_or_else(|| corrupt("state"))?,
        lock,
        available_at: time(row.available_at)?,
        created_at: time(row.created_at)?,
    })
}

/// The condition that a row is the one of that id.
pub(super) fn is<C: ColumnTrait>(columns: [C; 2], id: ElementRef) -> Result<Condition, RepositoryError> {
    let [instance, element] = columns;
    Ok(Condition::all().add(instance.eq(id.instance)).add(element.eq(number(id.key)?)))
}

/// What of a job changes, as columns and their values. The times are relative to `given`.
fn changing(db: &Db<'_>, job: &JobRow, given: Timestamp) -> [(Column, Expr); 7] {
    let lock = job.lock.as_ref();
    let moment = |at: Option<Timestamp>| at.map_or_else(|| Expr::value(None::<i64>), |at| db.moment(at, given));
    let free = lock.map_or(job.available_at, |lock| lock.until.max(job.available_at));
    let claimable = (job.state == WorkState::Open && job.retries > 0).then_some(free);
    [
        (Column::Retries, Expr::value(i64::from(job.retries))),
        (Column::State, Expr::value(job.state.as_str())),
        (Column::Worker, Expr::value(lock.map(|lock| lock.worker.as_str()))),
        (Column::LockToken, Expr::value(lock.map(|lock| lock.token.as_str()))),
        (Column::LockedUntil, moment(lock.map(|lock| lock.until))),
        (Column::AvailableAt, db.moment(job.available_at, given)),
        (Column::ClaimableAt, moment(claimable)),
    ]
}

/// Forgets the jobs of instances.
pub(super) async fn forget(db: &Db<'_>, instances: &[Uuid]) -> Result<(), RepositoryError> {
    let query = Entity::delete_many().filter(Column::Instance.is_in(instances.iter().copied()));
    query.exec(db).await.map(|_| ()).map_err(sorted)
}

#[async_trait]
impl Jobs for SeaOrmUnit {
    async fn insert(&mut self, job: &JobRow) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let fixed = [
            (Column::Instance, Expr::value(job.id.instance)),
            (Column::Element, Expr::value(number(job.id.key)?)),
            (Column::Workspace, Expr::value(job.workspace.as_str())),
            (Column::ProcessKey, Expr::value(job.process_key.as_str())),
            (Column::BusinessKey, Expr::value(text(job.business_key.as_ref()))),
            (Column::ElementId, Expr::value(job.element_id.as_str())),
            (Column::Topic, Expr::value(job.topic.as_str())),
            (Column::Headers, Expr::value(json(&job.headers)?)),
            (Column::CreatedAt, Expr::value(micros(job.created_at))),
        ];
        let (columns, values): (Vec<_>, Vec<_>) = fixed.into_iter().chain(changing(&db, job, job.created_at)).unzip();
        let mut query = Query::insert();
        query.into_table(Entity).columns(columns).values(values).map_err(|_| corrupt("job"))?;
        db.execute(&query).await.map_err(sorted)?;
        db.settle(())
    }

    async fn find(&mut self, id: ElementRef) -> Result<Option<JobRow>, RepositoryError> {
        let db = self.reading().await?;
        let query = Entity::find().filter(is([Column::Instance, Column::Element], id)?);
        let found = query.one(&db).await.map_err(sorted)?.map(read).transpose()?;
        db.settle(found)
    }

    async fn lock(&mut self, id: ElementRef, now: Timestamp) -> Result<Option<LockedJob>, RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::find().filter(is([Column::Instance, Column::Element], id)?).lock_exclusive();
        let Some(row) = query.one(&db).await.map_err(sorted)? else { return db.settle(None) };
        let job = read(row)?;
        let lock_holds = match &job.lock {
            None => false,
            Some(lock) => holds(&db, lock.until, now).await?,
        };
        db.settle(Some(LockedJob { job, lock_holds }))
    }

    async fn update(&mut self, job: &JobRow, now: Timestamp) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let changed = changing(&db, job, now);
        let query = changed.into_iter().fold(Entity::update_many(), |query, (column, to)| query.col_expr(column, to));
        let query = query.filter(is([Column::Instance, Column::Element], job.id)?);
        query.exec(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn activate(&mut self, wish: &JobWish, now: Timestamp) -> Result<Vec<JobRow>, RepositoryError> {
        let db = self.writing().await?;
        let found = claimable(&db, wish, now).await?;
        if found.is_empty() {
            return db.settle(Vec::new());
        }
        let ids: Vec<_> = found.iter().map(|row| (row.instance, row.element)).collect();
        let mut locked: HashMap<_, _> =
            locked(&db, &ids, wish, now).await?.into_iter().map(|row| ((row.instance, row.element), row)).collect();
        let jobs = ids.iter().filter_map(|id| locked.remove(id)).map(read).collect::<Result<_, _>>()?;
        db.settle(jobs)
    }

    async fn any_available(
        &mut self,
        workspaces: &WorkspaceAccess,
        topics: &[Key],
        now: Timestamp,
    ) -> Result<bool, RepositoryError> {
        let db = self.reading().await?;
        for topic in topics {
            let query = claimable_of(&db, topic.as_str(), workspaces, now);
            let query = query.select_only().column(Column::Element).limit(1);
            if query.into_tuple::<i64>().one(&db).await.map_err(sorted)?.is_some() {
                return db.settle(true);
            }
        }
        db.settle(false)
    }

    async fn available_topics(&mut self, topics: &[Key], now: Timestamp) -> Result<Vec<Key>, RepositoryError> {
        let db = self.reading().await?;
        let wanted = json(&topics.iter().map(Key::as_str).collect::<Vec<_>>())?;
        let (each, wanted) = if db.is_postgres() {
            ("json_array_elements_text", Expr::value(wanted).cast_as("json"))
        } else {
            ("json_each", Expr::value(wanted))
        };
        let mut exists = Query::select();
        exists
            .expr(Expr::value(1))
            .from(Entity)
            .and_where(Expr::col((Entity, Column::Topic)).equals(("wanted", "value")))
            .and_where(Expr::col(Column::ClaimableAt).lte(db.now(now)));
        let mut query = Query::select();
        query
            .expr_as(Expr::col(("wanted", "value")), "topic")
            .from_function(Func::cust(each).arg(wanted), "wanted")
            .and_where(Expr::exists(exists));
        let rows = db.query_all(&query).await.map_err(sorted)?;
        let found = rows.iter().map(|row| row.try_get::<String>("", "topic").map_err(sorted));
        let found = found.map(|topic| Key::parse(&topic?).map_err(|_| corrupt("topic"))).collect::<Result<_, _>>()?;
        db.settle(found)
    }
}

/// Holds the jobs that the wish may have, the longest available first. One look for each topic: an index gives the few
/// first of each, where a look for all topics would sort everything that waits.
async fn claimable(db: &Db<'_>, wish: &JobWish, now: Timestamp) -> Result<Vec<Model>, RepositoryError> {
    let topics: BTreeSet<&str> = wish.topics.iter().map(Key::as_str).collect();
    let mut found = Vec::new();
    for topic in topics {
        let query = claimable_of(db, topic, &wish.within, now)
            .order_by(Column::ClaimableAt, Order::Asc)
            .order_by(Column::Instance, Order::Asc)
            .order_by(Column::Element, Order::Asc)
            .limit(u64::from(wish.max))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        found.extend(query.all(db).await.map_err(sorted)?);
    }
    found.sort_unstable_by_key(|row| (row.claimable_at, row.instance, row.element));
    found.truncate(usize::try_from(wish.max).unwrap_or(usize::MAX));
    Ok(found)
}

/// The jobs of a topic that a worker may have now.
fn claimable_of(db: &Db<'_>, topic: &str, workspaces: &WorkspaceAccess, now: Timestamp) -> Select<Entity> {
    Entity::find()
        .filter(Column::Topic.eq(topic))
        .filter(Condition::all().add_option(within(Column::Workspace, workspaces)))
        .filter(Expr::col(Column::ClaimableAt).lte(db.now(now)))
}

/// Locks jobs that this unit holds; gives them as they are now.
async fn locked(
    db: &Db<'_>,
    ids: &[(Uuid, i64)],
    wish: &JobWish,
    now: Timestamp,
) -> Result<Vec<Model>, RepositoryError> {
    let ids = ids.iter().map(|(instance, element)| (*instance, *element));
    let query = Entity::update_many()
        .col_expr(Column::Worker, Expr::value(wish.lock.worker.as_str()))
        .col_expr(Column::LockToken, Expr::value(wish.lock.token.as_str()))
        .col_expr(Column::LockedUntil, db.moment(wish.lock.until, now))
        .col_expr(Column::ClaimableAt, db.moment(wish.lock.until, now))
        .filter(Expr::tuple([Expr::col(Column::Instance), Expr::col(Column::Element)]).in_tuples(ids));
    query.exec_with_returning(db).await.map_err(sorted)
}

/// Whether a lock that ends then has not run out.
async fn holds(db: &Db<'_>, until: Timestamp, now: Timestamp) -> Result<bool, RepositoryError> {
    let mut query = Query::select();
    query.expr_as(Expr::value(micros(until)).gt(db.now(now)), "holds");
    let row = db.query_one(&query).await.map_err(sorted)?;
    let holds = row.map(|row| row.try_get("", "holds")).transpose().map_err(sorted)?;
    Ok(holds.unwrap_or(false))
}

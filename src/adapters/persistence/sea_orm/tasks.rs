//! The embedded engine's user tasks.

use async_trait::async_trait;
use sea_orm::{Condition, ExprTrait, IntoActiveModel, Order, QueryOrder, QuerySelect, QueryTrait, entity::prelude::*};

use super::{
    error::{corrupt, sorted},
    jobs::is,
    unit::{Db, SeaOrmUnit, add},
    value::{count, json, key, key_if, micros, number, text, time, time_if, unjson, within, workspace},
};
use crate::{
    domain::engine::NativeId,
    ports::{
        engine::{TaskQuery, UserTask},
        engine_store::{ElementRef, TaskRow, Tasks, WorkState, instance_uuid, task_position},
        repository::RepositoryError,
    },
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tasks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub instance: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub element: i64,
    pub workspace: String,
    pub process_key: String,
    pub business_key: Option<String>,
    pub name: String,
    pub element_id: String,
    pub assignee: Option<String>,
    pub candidate_users: String,
    pub candidate_groups: String,
    pub due: Option<i64>,
    pub follow_up: Option<i64>,
    pub priority: Option<i64>,
    pub form_key: Option<String>,
    pub state: String,
    pub place: Option<String>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

mod groups {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "task_groups")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub candidate_group: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub instance: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub element: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The position in lists; none when the task is no longer open.
fn place(row: &TaskRow) -> Option<String> {
    (row.state == WorkState::Open).then(|| task_position(row.task.created_at, &row.id.native()))
}

fn row(from: &TaskRow) -> Result<Model, RepositoryError> {
    let task = &from.task;
    let workspace = task.workspace.as_ref().ok_or_else(|| corrupt("task without workspace"))?;
    Ok(Model {
        instance: from.id.instance,
        element: number(from.id.key)?,
        workspace: workspace.as_str().to_owned(),
        process_key: task.process_key.as_str().to_owned(),
        business_key: text(task.business_key.as_ref()),
        name: task.name.clone(),
        element_id: task.element_id.clone(),
        assignee: task.assignee.clone(),
        candidate_users: json(&task.candidate_users)?,
        candidate_groups: json(&task.candidate_groups)?,
        due: task.due.map(micros),
        follow_up: task.follow_up.map(micros),
        priority: task.priority.map(i64::from),
        form_key: task.form_key.clone(),
        state: from.state.as_str().to_owned(),
        place: place(from),
        created_at: micros(task.created_at),
    })
}

fn read(row: Model) -> Result<TaskRow, RepositoryError> {
    let id = ElementRef { instance: row.instance, key: count(row.element)? };
    let task = UserTask {
        id: id.native(),
        workspace: Some(workspace(&row.workspace)?),
        instance: NativeId::new(row.instance.hyphenated().to_string()),
        process_key: key(row.process_key)?,
        business_key: key_if(row.business_key)?,
        name: row.name,
        element_id: row.element_id,
        assignee: row.assignee,
        candidate_users: unjson(&row.candidate_users)?,
        candidate_groups: unjson(&row.candidate_groups)?,
        created_at: time(row.created_at)?,
        due: time_if(row.due)?,
        follow_up: time_if(row.follow_up)?,
        priority: row.priority.map(count).transpose()?,
        form_key: row.form_key,
    };
    Ok(TaskRow { id, task, state: WorkState::parse(&row.state).ok_or_else(|| corrupt("state"))? })
}

/// The condition of a query; `None` when nothing can fit, because an id in it is none of ours.
fn fitting(query: &TaskQuery) -> Result<Option<Condition>, RepositoryError> {
    let mut all = Condition::all()
        .add(Column::Place.is_not_null())
        .add_option(within(Column::Workspace, &query.within))
        .add_option(query.element_id.as_ref().map(|element| Column::ElementId.eq(element.as_str())))
        .add_option(query.assignee.as_ref().map(|assignee| Column::Assignee.eq(assignee.as_str())));
    if let Some(instance) = &query.instance {
        let Some(instance) = instance_uuid(instance) else { return Ok(None) };
        all = all.add(Column::Instance.eq(instance));
    }
    if let Some(id) = &query.id {
        let Some(id) = ElementRef::parse(id) else { return Ok(None) };
        all = all.add(is([Column::Instance, Column::Element], id)?);
    }
    if let Some(group) = &query.candidate_group {
        let open_to = groups::Entity::find()
            .select_only()
            .columns([groups::Column::Instance, groups::Column::Element])
            .filter(groups::Column::CandidateGroup.eq(group.as_str()));
        let id = Expr::tuple([Expr::col(Column::Instance), Expr::col(Column::Element)]);
        all = all.add(id.in_subquery(open_to.into_query()));
    }
    Ok(Some(all))
}

/// Forgets the tasks of instances.
pub(super) async fn forget(db: &Db<'_>, instances: &[Uuid]) -> Result<(), RepositoryError> {
    let groups = groups::Entity::delete_many().filter(groups::Column::Instance.is_in(instances.iter().copied()));
    groups.exec(db).await.map_err(sorted)?;
    let query = Entity::delete_many().filter(Column::Instance.is_in(instances.iter().copied()));
    query.exec(db).await.map(|_| ()).map_err(sorted)
}

#[async_trait]
impl Tasks for SeaOrmUnit {
    async fn insert(&mut self, task: &TaskRow) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let row = row(task)?;
        let (instance, element) = (row.instance, row.element);
        add(&db, row.into_active_model()).await?;
        let mut open_to = if task.state == WorkState::Open { task.task.candidate_groups.clone() } else { Vec::new() };
        open_to.sort_unstable();
        open_to.dedup();
        for candidate_group in open_to {
            add(&db, groups::Model { candidate_group, instance, element }.into_active_model()).await?;
        }
        db.settle(())
    }

    async fn find(&mut self, id: ElementRef) -> Result<Option<TaskRow>, RepositoryError> {
        let db = self.reading().await?;
        let query = Entity::find().filter(is([Column::Instance, Column::Element], id)?);
        let found = query.one(&db).await.map_err(sorted)?.map(read).transpose()?;
        db.settle(found)
    }

    async fn lock(&mut self, id: ElementRef) -> Result<Option<TaskRow>, RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::find().filter(is([Column::Instance, Column::Element], id)?).lock_exclusive();
        let found = query.one(&db).await.map_err(sorted)?.map(read).transpose()?;
        db.settle(found)
    }

    async fn update(&mut self, task: &TaskRow) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::update_many()
            .col_expr(Column::State, Expr::value(task.state.as_str()))
            .col_expr(Column::Assignee, Expr::value(task.task.assignee.clone()))
            .col_expr(Column::Place, Expr::value(place(task)))
            .filter(is([Column::Instance, Column::Element], task.id)?);
        query.exec(&db).await.map_err(sorted)?;
        if task.state != WorkState::Open && !task.task.candidate_groups.is_empty() {
            let of_it = is([groups::Column::Instance, groups::Column::Element], task.id)?;
            groups::Entity::delete_many().filter(of_it).exec(&db).await.map_err(sorted)?;
        }
        db.settle(())
    }

    async fn list(
        &mut self,
        query: &TaskQuery,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<UserTask>, RepositoryError> {
        let db = self.reading().await?;
        let Some(fitting) = fitting(query)? else { return db.settle(Vec::new()) };
        let query = Entity::find()
            .filter(fitting.add_option(after.map(|position| Column::Place.lt(position))))
            .order_by(Column::Place, Order::Desc)
            .limit(u64::from(limit));
        let rows = query.all(&db).await.map_err(sorted)?;
        let tasks = rows.into_iter().map(|row| read(row).map(|row| row.task)).collect::<Result<_, _>>()?;
        db.settle(tasks)
    }
}

//! The audit.

use std::fmt::Write as _;

use async_trait::async_trait;
use sea_orm::{
    ActiveValue::NotSet,
    Condition, FromQueryResult, IntoActiveModel, Order, QueryOrder, QueryResult, QuerySelect, QueryTrait, Statement,
    Value,
    entity::prelude::*,
    sea_query::{LockBehavior, LockType},
};

use super::{
    error::{corrupt, sorted},
    unit::{Db, SeaOrmUnit},
    value::{count, hash, identity_kind, micros, number, time, within, workspace},
};
use crate::{
    adapters::persistence::position::{NumberPosition, below},
    domain::{
        audit::{AuditEntry, AuditIdentity, AuditOutcome, NewAuditEntry},
        page::{Page, PageRequest},
    },
    ports::repository::{Audit, AuditFilter, AuditHead, RepositoryError, UnchainedEntry, Unreadable},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entries")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub position: i64,
    pub sequence: Option<i64>,
    pub hash: Option<Vec<u8>>,
    pub time: i64,
    pub kind: String,
    pub issuer: Option<String>,
    pub subject: String,
    pub actor: Option<String>,
    pub action: String,
    pub target: Option<String>,
    pub workspace: Option<String>,
    pub outcome: String,
    pub code: Option<String>,
    pub ip: Option<String>,
    pub request_id: Option<String>,
    pub count: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

mod head {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_head")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        pub sequence: i64,
        pub hash: Option<Vec<u8>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The id of the head's one row.
const HEAD: i64 = 1;
/// How many rows one statement handles at most.
const ROWS: usize = 500;

fn row(from: &NewAuditEntry) -> Result<ActiveModel, RepositoryError> {
    let model = Model {
        position: 0,
        sequence: None,
        hash: None,
        time: micros(from.time),
        kind: from.identity.kind.as_str().to_owned(),
        issuer: from.identity.issuer.clone(),
        subject: from.identity.subject.clone(),
        actor: from.identity.actor.clone(),
        action: from.action.to_owned(),
        target: from.target.clone(),
        workspace: from.workspace.as_ref().map(|workspace| workspace.as_str().to_owned()),
        outcome: from.outcome.as_str().to_owned(),
        code: from.code.clone(),
        ip: from.ip.map(|ip| ip.to_string()),
        request_id: from.request_id.clone(),
        count: number(from.count)?,
    };
    Ok(ActiveModel { position: NotSet, ..model.into_active_model() })
}

fn read(row: Model) -> Result<AuditEntry, RepositoryError> {
    Ok(AuditEntry {
        sequence: count(row.sequence.unwrap_or(0))?,
        time: time(row.time)?,
        identity: AuditIdentity {
            kind: identity_kind(&row.kind)?,
            issuer: row.issuer,
            subject: row.subject,
            actor: row.actor,
        },
        action: row.action,
        target: row.target,
        workspace: row.workspace.as_deref().map(workspace).transpose()?,
        outcome: AuditOutcome::parse(&row.outcome).ok_or_else(|| corrupt("outcome"))?,
        code: row.code,
        ip: row.ip,
        request_id: row.request_id,
        count: count(row.count)?,
        hash: row.hash.map_or(Ok([0; 32]), hash)?,
    })
}

/// A chained row by itself: SQLite's columns hold whatever somebody writes into them.
fn read_back(row: &QueryResult) -> Result<Result<AuditEntry, Unreadable>, RepositoryError> {
    let sequence = count(row.try_get("", "sequence").map_err(sorted)?)?;
    let entry = Model::from_query_result(row, "").map_err(sorted).and_then(read);
    Ok(entry.map_err(|_| Unreadable { sequence }))
}

fn read_head(row: head::Model) -> Result<AuditHead, RepositoryError> {
    Ok(AuditHead { sequence: count(row.sequence)?, hash: row.hash.map_or(Ok([0; 32]), hash)? })
}

fn read_all(rows: Vec<Model>) -> Result<Vec<AuditEntry>, RepositoryError> {
    rows.into_iter().map(read).collect()
}

async fn the_head(db: &Db<'_>) -> Result<AuditHead, RepositoryError> {
    let row = head::Entity::find_by_id(HEAD).one(db).await.map_err(sorted)?;
    row.ok_or_else(|| corrupt("head of the audit")).and_then(read_head)
}

/// Gives some rows, which have none, their numbers and hashes.
async fn link(db: &Db<'_>, links: &[(i64, AuditHead)]) -> Result<(), RepositoryError> {
    let mut sql = "UPDATE audit_entries SET sequence = link.column2, hash = link.column3 FROM (VALUES ".to_owned();
    let mut values: Vec<Value> = Vec::with_capacity(links.len().saturating_mul(3));
    for (position, head) in links {
        let comma = if values.is_empty() { "" } else { ", " };
        let at = values.len();
        let written = if db.is_postgres() {
            write!(sql, "{comma}(${}, ${}, ${})", at + 1, at + 2, at + 3)
        } else {
            write!(sql, "{comma}(?, ?, ?)")
        };
        written.map_err(|_| corrupt("statement"))?;
        values.extend([(*position).into(), number(head.sequence)?.into(), head.hash.to_vec().into()]);
    }
    sql.push_str(") AS link WHERE audit_entries.position = link.column1 AND audit_entries.sequence IS NULL");
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let linked = db.execute_raw(statement).await.map_err(sorted)?.rows_affected();
    if usize::try_from(linked).ok() == Some(links.len()) { Ok(()) } else { Err(RepositoryError::Conflict) }
}

/// The condition that an entry is chained and fits.
fn fitting(filter: &AuditFilter) -> Condition {
    Condition::all()
        .add(Column::Sequence.is_not_null())
        .add_option(within(Column::Workspace, &filter.within))
        .add_option(filter.subject.as_ref().map(|subject| Column::Subject.eq(subject)))
        .add_option(filter.action.as_ref().map(|action| Column::Action.eq(action)))
        .add_option(filter.outcome.map(|outcome| Column::Outcome.eq(outcome.as_str())))
        .add_option(filter.from.map(|from| Column::Time.gte(micros(from))))
        .add_option(filter.to.map(|to| Column::Time.lt(micros(to))))
}

#[async_trait]
impl Audit for SeaOrmUnit {
    async fn append(&mut self, entries: &[NewAuditEntry]) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        for part in entries.chunks(ROWS) {
            let rows = part.iter().map(row).collect::<Result<Vec<_>, _>>()?;
            Entity::insert_many(rows).exec_without_returning(&db).await.map_err(sorted)?;
        }
        db.settle(())
    }

    async fn lock_head(&mut self) -> Result<Option<AuditHead>, RepositoryError> {
        let db = self.writing().await?;
        if !db.is_postgres() {
            // One unit at a time writes.
            let head = the_head(&db).await?;
            return db.settle(Some(head));
        }
        let free = LockBehavior::SkipLocked;
        let query = head::Entity::find_by_id(HEAD).lock_with_behavior(LockType::Update, free);
        let head = if let Some(row) = query.one(&db).await.map_err(sorted)? {
            Some(read_head(row)?)
        } else {
            // It is there, then, and another unit has it.
            the_head(&db).await?;
            None
        };
        db.settle(head)
    }

    async fn head(&mut self) -> Result<AuditHead, RepositoryError> {
        let db = self.reading().await?;
        let head = the_head(&db).await?;
        db.settle(head)
    }

    async fn unchained(&mut self, limit: u32) -> Result<Vec<UnchainedEntry>, RepositoryError> {
        let db = self.reading().await?;
        let query = Entity::find()
            .filter(Column::Sequence.is_null())
            .order_by(Column::Position, Order::Asc)
            .limit(u64::from(limit));
        let rows = query.all(&db).await.map_err(sorted)?;
        let entries = rows.into_iter().map(|row| Ok(UnchainedEntry { row: row.position, entry: read(row)? }));
        let entries = entries.collect::<Result<_, RepositoryError>>()?;
        db.settle(entries)
    }

    async fn chain(&mut self, links: &[(i64, AuditHead)]) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        for part in links.chunks(ROWS) {
            link(&db, part).await?;
        }
        if let Some((_, last)) = links.last() {
            let query = head::Entity::update_many()
                .col_expr(head::Column::Sequence, Expr::value(number(last.sequence)?))
                .col_expr(head::Column::Hash, Expr::value(last.hash.to_vec()))
                .filter(head::Column::Id.eq(HEAD));
            query.exec(&db).await.map_err(sorted)?;
        }
        db.settle(())
    }

    async fn list(&mut self, filter: &AuditFilter, page: &PageRequest) -> Result<Page<AuditEntry>, RepositoryError> {
        let db = self.reading().await?;
        let Ok(below) = below::<NumberPosition>(page) else { return db.settle(Page { items: Vec::new(), next: None }) };
        // A number beyond all numbers has everything below it.
        let below = below.map(|position| number(position.0).unwrap_or(i64::MAX));
        let query = Entity::find()
            .filter(fitting(filter))
            .filter(Condition::all().add_option(below.map(|below| Column::Sequence.lt(below))))
            .order_by(Column::Sequence, Order::Desc)
            .limit(u64::from(page.limit) + 1);
        let items = read_all(query.all(&db).await.map_err(sorted)?)?;
        db.settle(Page::cut(items, page.limit, |last| NumberPosition(last.sequence).text()))
    }

    async fn read(&mut self, after: u64, limit: u32) -> Result<Vec<Result<AuditEntry, Unreadable>>, RepositoryError> {
        let db = self.reading().await?;
        // A number beyond all numbers has nothing after it.
        let after = number(after).unwrap_or(i64::MAX);
        let query = Entity::find()
            .filter(Column::Sequence.gt(after))
            .order_by(Column::Sequence, Order::Asc)
            .limit(u64::from(limit));
        let rows = db.query_all(query.as_query()).await.map_err(sorted)?;
        let entries = rows.iter().map(read_back).collect::<Result<_, _>>()?;
        db.settle(entries)
    }
}

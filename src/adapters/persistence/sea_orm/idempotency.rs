//! Idempotency keys.

use async_trait::async_trait;
use jiff::Timestamp;
use sea_orm::{
    IntoActiveModel, Order, QueryOrder, QuerySelect, QueryTrait, Statement, entity::prelude::*, sea_query::OnConflict,
};

use super::{
    error::sorted,
    unit::SeaOrmUnit,
    value::{hash, micros, time, touched},
};
use crate::{
    domain::idempotency::{Fingerprint, IdempotencyKey, IdempotencyRecord},
    ports::repository::{IdempotencyKeys, RepositoryError},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Vec<u8>,
    pub fingerprint: Vec<u8>,
    pub subject: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

fn read(row: Model) -> Result<IdempotencyRecord, RepositoryError> {
    Ok(IdempotencyRecord {
        key: IdempotencyKey(hash(row.id)?),
        fingerprint: Fingerprint(hash(row.fingerprint)?),
        subject: row.subject,
        created_at: time(row.created_at)?,
    })
}

/// The advisory lock of a key: half of its bits, so that two keys share one only by malice.
fn lock_number(key: &IdempotencyKey) -> i64 {
    key.0.iter().take(8).fold(0, |number, byte| (number << 8) | i64::from(*byte))
}

#[async_trait]
impl IdempotencyKeys for SeaOrmUnit {
    async fn try_lock(&mut self, key: &IdempotencyKey) -> Result<bool, RepositoryError> {
        let db = self.writing().await?;
        if !db.is_postgres() {
            // One unit at a time holds every key: another one has ended before this began.
            return db.settle(true);
        }
        let sql = "SELECT pg_try_advisory_xact_lock($1) AS taken";
        let query = Statement::from_sql_and_values(db.get_database_backend(), sql, [lock_number(key).into()]);
        let row = db.query_one_raw(query).await.map_err(sorted)?;
        let taken = row.map(|row| row.try_get("", "taken")).transpose().map_err(sorted)?;
        db.settle(taken.unwrap_or(false))
    }

    async fn find(&mut self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, RepositoryError> {
        let db = self.reading().await?;
        let found = Entity::find_by_id(key.0.to_vec()).one(&db).await.map_err(sorted)?;
        let found = found.map(read).transpose()?;
        db.settle(found)
    }

    async fn insert(&mut self, record: &IdempotencyRecord) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let row = Model {
            id: record.key.0.to_vec(),
            fingerprint: record.fingerprint.0.to_vec(),
            subject: record.subject.clone(),
            created_at: micros(record.created_at),
        };
        let replaced = [Column::Fingerprint, Column::Subject, Column::CreatedAt];
        let query = Entity::insert(row.into_active_model())
            .on_conflict(OnConflict::column(Column::Id).update_columns(replaced).to_owned());
        query.exec_without_returning(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u32, RepositoryError> {
        let db = self.writing().await?;
        let old = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::CreatedAt.lt(micros(before)))
            .order_by(Column::CreatedAt, Order::Asc)
            .limit(u64::from(limit));
        let query = Entity::delete_many().filter(Column::Id.in_subquery(old.into_query()));
        let swept = query.exec(&db).await.map_err(sorted)?.rows_affected;
        db.settle(touched(swept))
    }
}

//! The embedded engine's messages that wait for a receiver.

use async_trait::async_trait;
use jiff::Timestamp;
use sea_orm::{
    ActiveValue::NotSet, Condition, ExprTrait, IntoActiveModel, Order, QueryOrder, QuerySelect, QueryTrait, Statement,
    entity::prelude::*,
};
use sha2::{Digest, Sha256};

use super::{
    error::sorted,
    unit::{Db, SeaOrmUnit, add},
    value::{json, key, key_if, micros, text, time, touched, unjson, workspace},
};
use crate::{
    domain::{text::Key, workspace::WorkspaceId},
    ports::{
        engine_store::{BufferedMessage, BufferedMessages, Subscriber, SubscriptionKind, SubscriptionRow},
        repository::RepositoryError,
    },
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "buffered_messages")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub number: i64,
    pub id: Uuid,
    pub workspace: String,
    pub name: String,
    pub correlation_key: Option<String>,
    pub business_key: Option<String>,
    pub instance: Option<Uuid>,
    pub variables: String,
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

fn row(from: &BufferedMessage) -> Result<ActiveModel, RepositoryError> {
    let model = Model {
        number: 0,
        id: from.id,
        workspace: from.workspace.as_str().to_owned(),
        name: from.name.as_str().to_owned(),
        correlation_key: text(from.correlation_key.as_ref()),
        business_key: text(from.business_key.as_ref()),
        instance: from.instance,
        variables: json(&from.variables)?,
        expires_at: micros(from.expires_at),
    };
    Ok(ActiveModel { number: NotSet, ..model.into_active_model() })
}

fn read(row: Model) -> Result<BufferedMessage, RepositoryError> {
    Ok(BufferedMessage {
        id: row.id,
        workspace: workspace(&row.workspace)?,
        name: key(row.name)?,
        correlation_key: key_if(row.correlation_key)?,
        business_key: key_if(row.business_key)?,
        instance: row.instance,
        variables: unjson(&row.variables)?,
        expires_at: time(row.expires_at)?,
    })
}

/// Keeps a message that finds nobody and a subscription that finds no message from missing each other on Postgres:
/// messages of a name are put down one at a time, and while none is, subscribers look for theirs side by side.
async fn meet(db: &Db<'_>, workspace: &WorkspaceId, name: &Key, alone: bool) -> Result<(), RepositoryError> {
    if !db.is_postgres() {
        return Ok(());
    }
    let digest = Sha256::digest(format!("message {workspace} {name}"));
    let number = digest.iter().take(8).fold(0, |number: i64, byte| (number << 8) | i64::from(*byte));
    let sql = if alone { "SELECT pg_advisory_xact_lock($1)" } else { "SELECT pg_advisory_xact_lock_shared($1)" };
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [number.into()]);
    db.execute_raw(statement).await.map(|_| ()).map_err(sorted)
}

/// The condition that a message fits a subscription.
fn fitting(subscription: &SubscriptionRow) -> Condition {
    let all = Condition::all()
        .add(Column::Workspace.eq(subscription.workspace.as_str()))
        .add(Column::Name.eq(subscription.name.as_str()));
    let by_name = Condition::all().add(Column::CorrelationKey.is_null()).add(Column::BusinessKey.is_null());
    let Subscriber::Element(element) = subscription.subscriber else {
        return all.add(Column::Instance.is_null()).add(by_name);
    };
    let own = match (&subscription.correlation_key, &subscription.business_key) {
        (Some(key), _) => Some(Column::CorrelationKey.eq(key.as_str())),
        (None, Some(key)) => Some(Column::BusinessKey.eq(key.as_str())),
        (None, None) => None,
    };
    all.add(Condition::any().add(Column::Instance.is_null()).add(Column::Instance.eq(element.instance)))
        .add(Condition::any().add(by_name).add_option(own))
}

#[async_trait]
impl BufferedMessages for SeaOrmUnit {
    async fn insert(&mut self, message: &BufferedMessage) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        meet(&db, &message.workspace, &message.name, true).await?;
        add(&db, row(message)?).await?;
        db.settle(())
    }

    async fn take(
        &mut self,
        subscription: &SubscriptionRow,
        now: Timestamp,
    ) -> Result<Option<BufferedMessage>, RepositoryError> {
        let db = self.writing().await?;
        if subscription.kind != SubscriptionKind::Message {
            return db.settle(None);
        }
        meet(&db, &subscription.workspace, &subscription.name, false).await?;
        let query = Entity::find()
            .filter(fitting(subscription))
            .filter(Expr::col(Column::ExpiresAt).gt(db.now(now)))
            .order_by(Column::Number, Order::Asc)
            .limit(1)
            .lock_exclusive();
        let Some(row) = query.one(&db).await.map_err(sorted)? else { return db.settle(None) };
        Entity::delete_by_id(row.number).exec(&db).await.map_err(sorted)?;
        let message = read(row)?;
        db.settle(Some(message))
    }

    async fn sweep(&mut self, now: Timestamp, limit: u32) -> Result<u32, RepositoryError> {
        let db = self.writing().await?;
        let over = Entity::find()
            .select_only()
            .column(Column::Number)
            .filter(Expr::col(Column::ExpiresAt).lte(db.now(now)))
            .order_by(Column::ExpiresAt, Order::Asc)
            .limit(u64::from(limit));
        let query = Entity::delete_many().filter(Column::Number.in_subquery(over.into_query()));
        let swept = query.exec(&db).await.map_err(sorted)?.rows_affected;
        db.settle(touched(swept))
    }
}

//! The embedded engine's message and signal subscriptions.

use async_trait::async_trait;
use sea_orm::{ActiveValue::NotSet, Condition, IntoActiveModel, Order, QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    error::{corrupt, sorted},
    unit::{SeaOrmUnit, add},
    value::{count, key, key_if, number, text, within, workspace},
};
use crate::ports::{
    engine_store::{ElementRef, Subscriber, SubscriptionKind, SubscriptionQuery, SubscriptionRow, Subscriptions},
    repository::RepositoryError,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subscriptions")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub number: i64,
    pub owner: Uuid,
    pub starts: bool,
    pub element: i64,
    pub start_event: String,
    pub kind: String,
    pub name: String,
    pub workspace: String,
    pub element_id: String,
    pub correlation_key: Option<String>,
    pub business_key: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

const fn word(kind: SubscriptionKind) -> &'static str {
    match kind {
        SubscriptionKind::Message => "message",
        SubscriptionKind::Signal => "signal",
    }
}

/// Who waits, as columns: owner, whether a start, element, start event.
fn named(subscriber: &Subscriber) -> Result<(Uuid, bool, i64, &str), RepositoryError> {
    Ok(match subscriber {
        Subscriber::Element(element) => (element.instance, false, number(element.key)?, ""),
        Subscriber::Start { definition, element_id } => (*definition, true, 0, element_id),
    })
}

fn row(from: &SubscriptionRow) -> Result<ActiveModel, RepositoryError> {
    let (owner, starts, element, start_event) = named(&from.subscriber)?;
    let model = Model {
        number: 0,
        owner,
        starts,
        element,
        start_event: start_event.to_owned(),
        kind: word(from.kind).to_owned(),
        name: from.name.as_str().to_owned(),
        workspace: from.workspace.as_str().to_owned(),
        element_id: from.element_id.clone(),
        correlation_key: from.correlation_key.clone(),
        business_key: text(from.business_key.as_ref()),
    };
    Ok(ActiveModel { number: NotSet, ..model.into_active_model() })
}

fn read(row: Model) -> Result<SubscriptionRow, RepositoryError> {
    let subscriber = if row.starts {
        Subscriber::Start { definition: row.owner, element_id: row.start_event }
    } else {
        Subscriber::Element(ElementRef { instance: row.owner, key: count(row.element)? })
    };
    let kind = match row.kind.as_str() {
        "message" => SubscriptionKind::Message,
        "signal" => SubscriptionKind::Signal,
        _ => return Err(corrupt("kind of subscription")),
    };
    Ok(SubscriptionRow {
        subscriber,
        kind,
        name: key(row.name)?,
        workspace: workspace(&row.workspace)?,
        element_id: row.element_id,
        correlation_key: row.correlation_key,
        business_key: key_if(row.business_key)?,
    })
}

/// The condition on the keys of waiting elements; start events have none.
fn matching(query: &SubscriptionQuery) -> Condition {
    let all = Condition::all().add_option(query.instance.map(|instance| Column::Owner.eq(instance)));
    if query.correlation_key.is_none() && query.business_key.is_none() {
        return all;
    }
    let correlated = query.correlation_key.as_ref().map(|key| Column::CorrelationKey.eq(key.as_str()));
    let business = query
        .business_key
        .as_ref()
        .map(|key| Condition::all().add(Column::CorrelationKey.is_null()).add(Column::BusinessKey.eq(key.as_str())));
    all.add(Condition::any().add_option(correlated).add_option(business))
}

#[async_trait]
impl Subscriptions for SeaOrmUnit {
    async fn insert(&mut self, subscription: &SubscriptionRow) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        add(&db, row(subscription)?).await?;
        db.settle(())
    }

    async fn delete(&mut self, subscriber: &Subscriber) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let (owner, starts, element, start_event) = named(subscriber)?;
        let query = Entity::delete_many()
            .filter(Column::Owner.eq(owner))
            .filter(Column::Starts.eq(starts))
            .filter(Column::Element.eq(element))
            .filter(Column::StartEvent.eq(start_event));
        query.exec(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn delete_starts(&mut self, definition: Uuid) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        let query = Entity::delete_many().filter(Column::Owner.eq(definition)).filter(Column::Starts.eq(true));
        query.exec(&db).await.map_err(sorted)?;
        db.settle(())
    }

    async fn find(&mut self, query: &SubscriptionQuery) -> Result<Vec<SubscriptionRow>, RepositoryError> {
        let db = self.reading().await?;
        let found = Entity::find()
            .filter(Column::Name.eq(query.name.as_str()))
            .filter(Column::Kind.eq(word(query.kind)))
            .filter(Column::Starts.eq(query.starts))
            .filter(Condition::all().add_option(within(Column::Workspace, &query.within)))
            .filter(if query.starts { Condition::all() } else { matching(query) })
            .order_by(Column::Number, Order::Asc)
            .limit(u64::from(query.limit));
        let rows = found.all(&db).await.map_err(sorted)?;
        let found = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        db.settle(found)
    }
}

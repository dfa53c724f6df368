//! Revocations, and the log of what invalidates cached verdicts.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use sea_orm::{
    Condition, ExprTrait, IntoActiveModel, Order, QueryOrder, QuerySelect, QueryTrait,
    entity::prelude::*,
    sea_query::{OnConflict, Query},
};

use super::{
    error::{corrupt, sorted},
    unit::{Db, SeaOrmUnit, add},
    value::{identity_kind, issuer, micros, remark_if, time, time_if, time_of_database, touched, user},
};
use crate::{
    adapters::persistence::position::{TimePosition, below},
    domain::{
        identity::Maker,
        ids::RevocationId,
        page::{Page, PageRequest},
        revocation::{HEARD_FOR, Notice, Revocation, Revoked},
        service_token::ServiceTokenId,
        user::UserId,
    },
    ports::repository::{LogPosition, LogRead, RepositoryError, Revocations},
};

/// How long a line of the log is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long a unit of Postgres may take to commit what it logged, in microseconds: so much is read again each time.
/// (A statement of its session is given up after 7 s, and a transaction that idles after 15 s.)
const READ_AGAIN: i64 = 30_000_000;
/// Who was away for longer is given all that hold, in microseconds: half as long as lines are kept, since those who forget
/// them go by clocks of their own.
const AWAY: i64 = 12 * 3_600 * 1_000_000;
/// How many revocations one statement reads when all are read.
const ROWS: u64 = 5_000;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "revocations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    pub issuer: String,
    pub value: String,
    pub reason: Option<String>,
    pub ban: bool,
    pub at: i64,
    pub ends_at: Option<i64>,
    pub created_by: String,
    pub created_by_kind: String,
    pub created_by_issuer: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

mod log {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "revocation_log")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub position: i64,
        pub logged_at: i64,
        pub kind: String,
        pub revocation: Option<Uuid>,
        pub subject: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod heard {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "issuer_events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub revocation: Uuid,
        pub heard_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The kinds of lines.
const REVOKED: &str = "revoked";
const LIFTED: &str = "lifted";
const SERVICE_TOKEN: &str = "service_token";
const MEMBERSHIPS: &str = "memberships";

fn row(from: &Revocation) -> Model {
    Model {
        id: from.id.as_uuid(),
        kind: from.revoked.kind().to_owned(),
        issuer: from.revoked.issuer().as_str().to_owned(),
        value: from.revoked.value().to_owned(),
        reason: from.reason.as_ref().map(|reason| reason.as_str().to_owned()),
        ban: from.ban,
        at: micros(from.at),
        ends_at: from.ends_at.map(micros),
        created_by: from.created_by.subject.clone(),
        created_by_kind: from.created_by.kind.as_str().to_owned(),
        created_by_issuer: from.created_by.issuer.clone(),
    }
}

fn read(row: Model) -> Result<Revocation, RepositoryError> {
    let revoked = match row.kind.as_str() {
        "user" => Revoked::User(user(&row.issuer, row.value)?),
        "session" => Revoked::Session { issuer: issuer(&row.issuer)?, sid: row.value },
        "token" => Revoked::Token { issuer: issuer(&row.issuer)?, jti: row.value },
        _ => return Err(corrupt("kind of revocation")),
    };
    let kind = identity_kind(&row.created_by_kind)?;
    Ok(Revocation {
        id: RevocationId::new(row.id),
        revoked,
        reason: remark_if(row.reason)?,
        ban: row.ban,
        at: time(row.at)?,
        ends_at: time_if(row.ends_at)?,
        created_by: Maker { kind, issuer: row.created_by_issuer, subject: row.created_by },
    })
}

/// Adds a line. Its time is the database's: all replicas' lines are on one clock.
async fn log(db: &Db<'_>, notice: &Notice) -> Result<(), RepositoryError> {
    let (kind, revocation, subject) = match notice {
        Notice::Revoked(revocation) => (REVOKED, Some(revocation.id.as_uuid()), None),
        Notice::Lifted(id) => (LIFTED, Some(id.as_uuid()), None),
        Notice::ServiceToken(id) => (SERVICE_TOKEN, None, Some(id.as_str().to_owned())),
        Notice::Memberships(user) => (MEMBERSHIPS, None, Some(user.to_string())),
    };
    let values = [time_of_database(db.is_postgres()), kind.into(), Expr::value(revocation), Expr::value(subject)];
    let query = Query::insert()
        .into_table(log::Entity)
        .columns([log::Column::LoggedAt, log::Column::Kind, log::Column::Revocation, log::Column::Subject])
        .values_panic(values)
        .to_owned();
    db.execute(&query).await.map(|_| ()).map_err(sorted)
}

/// Where the log stands: on Postgres the database's time, on SQLite the number of the last line; and from which position on
/// its lines are kept.
async fn extent(db: &Db<'_>) -> Result<(i64, i64), RepositoryError> {
    let query = if db.is_postgres() {
        Query::select().expr_as(time_of_database(true), "position").to_owned()
    } else {
        // The number stays when its line is forgotten.
        let last = "(SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'revocation_log')";
        let oldest = format!("(SELECT COALESCE(MIN(position), {last} + 1) FROM revocation_log)");
        Query::select().expr_as(Expr::cust(last), "position").expr_as(Expr::cust(oldest), "oldest").to_owned()
    };
    let row = db.query_one(&query).await.map_err(sorted)?.ok_or_else(|| corrupt("log"))?;
    let position: i64 = row.try_get("", "position").map_err(sorted)?;
    if db.is_postgres() {
        return Ok((position, position.saturating_sub(AWAY)));
    }
    let oldest: i64 = row.try_get("", "oldest").map_err(sorted)?;
    Ok((position, oldest.saturating_sub(1)))
}

/// All revocations that hold.
async fn all(db: &Db<'_>) -> Result<Vec<Notice>, RepositoryError> {
    let (mut notices, mut last) = (Vec::new(), None);
    loop {
        let beyond = Condition::all().add_option(last.map(|last: Uuid| Column::Id.gt(last)));
        let rows = Entity::find().filter(beyond).order_by(Column::Id, Order::Asc).limit(ROWS);
        let rows = rows.all(db).await.map_err(sorted)?;
        let Some(end) = rows.last() else { return Ok(notices) };
        last = Some(end.id);
        for row in rows {
            notices.push(Notice::Revoked(read(row)?));
        }
    }
}

/// The lines after a position, and the revocations that they are about. A unit of SQLite is numbered in the order of its
/// commit, since there is one writer; one of Postgres may commit late, and is read again until it must have.
async fn lines(db: &Db<'_>, after: i64) -> Result<Vec<Notice>, RepositoryError> {
    let newer = if db.is_postgres() {
        log::Column::LoggedAt.gte(after.saturating_sub(READ_AGAIN))
    } else {
        log::Column::Position.gt(after)
    };
    let query = log::Entity::find().filter(newer.clone()).order_by(log::Column::Position, Order::Asc);
    let lines = query.all(db).await.map_err(sorted)?;
    let mut revoked = std::collections::BTreeMap::new();
    if lines.iter().any(|line| line.kind == REVOKED) {
        let named = log::Entity::find()
            .select_only()
            .column(log::Column::Revocation)
            .filter(newer)
            .filter(log::Column::Kind.eq(REVOKED));
        let rows = Entity::find().filter(Column::Id.in_subquery(named.into_query())).all(db).await.map_err(sorted)?;
        for row in rows {
            revoked.insert(row.id, read(row)?);
        }
    }
    let notices = lines.into_iter().filter_map(|line| match line.kind.as_str() {
        // Lifted since: another line says so.
        REVOKED => line.revocation.and_then(|id| revoked.get(&id)).cloned().map(Notice::Revoked).map(Ok),
        _ => Some(notice(line)),
    });
    notices.collect()
}

fn notice(line: log::Model) -> Result<Notice, RepositoryError> {
    let unreadable = || corrupt("line of the log");
    match (line.kind.as_str(), line.revocation, line.subject) {
        (LIFTED, Some(id), _) => Ok(Notice::Lifted(RevocationId::new(id))),
        (SERVICE_TOKEN, _, Some(id)) => ServiceTokenId::parse(&id).map(Notice::ServiceToken).map_err(|_| unreadable()),
        (MEMBERSHIPS, _, Some(user)) => UserId::parse(&user).map(Notice::Memberships).map_err(|_| unreadable()),
        _ => Err(unreadable()),
    }
}

#[async_trait]
impl Revocations for SeaOrmUnit {
    async fn insert(&mut self, revocation: &Revocation) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        add(&db, row(revocation).into_active_model()).await?;
        log(&db, &Notice::Revoked(revocation.clone())).await?;
        db.settle(())
    }

    async fn find(&mut self, id: RevocationId) -> Result<Option<Revocation>, RepositoryError> {
        let db = self.reading().await?;
        let found = Entity::find_by_id(id.as_uuid()).one(&db).await.map_err(sorted)?;
        let found = found.map(read).transpose()?;
        db.settle(found)
    }

    async fn against(&mut self, target: &Revoked) -> Result<Vec<Revocation>, RepositoryError> {
        let db = self.reading().await?;
        let query = Entity::find()
            .filter(Column::Kind.eq(target.kind()))
            .filter(Column::Issuer.eq(target.issuer().as_str()))
            .filter(Column::Value.eq(target.value()));
        let rows = query.all(&db).await.map_err(sorted)?;
        let found = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        db.settle(found)
    }

    async fn hear(&mut self, event: RevocationId, at: Timestamp) -> Result<bool, RepositoryError> {
        let db = self.writing().await?;
        let query = Query::insert()
            .into_table(heard::Entity)
            .columns([heard::Column::Revocation, heard::Column::HeardAt])
            .values_panic([event.as_uuid().into(), micros(at).into()])
            .on_conflict(OnConflict::column(heard::Column::Revocation).do_nothing().to_owned())
            .to_owned();
        let first = db.execute(&query).await.map_err(sorted)?.rows_affected() > 0;
        db.settle(first)
    }

    async fn list(&mut self, page: &PageRequest) -> Result<Page<Revocation>, RepositoryError> {
        let db = self.reading().await?;
        let nothing = Page { items: Vec::new(), next: None };
        let Ok(below) = below::<TimePosition>(page) else { return db.settle(nothing) };
        let below = match below.map(|at| Ok((at.micros, at.id.parse::<RevocationId>()?))).transpose() {
            Ok(below) => below,
            Err(crate::domain::ids::InvalidId) => return db.settle(nothing),
        };
        let query = Entity::find()
            .filter(Condition::all().add_option(below.map(|(at, id)| {
                Expr::tuple([Expr::col(Column::At), Expr::col(Column::Id)])
                    .lt(Expr::tuple([Expr::val(at), Expr::val(id.as_uuid())]))
            })))
            .order_by(Column::At, Order::Desc)
            .order_by(Column::Id, Order::Desc)
            .limit(u64::from(page.limit) + 1);
        let rows = query.all(&db).await.map_err(sorted)?;
        let items = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        let position = |last: &Revocation| TimePosition::new(last.at, last.id.to_string()).text();
        db.settle(Page::cut(items, page.limit, position))
    }

    async fn lift(&mut self, id: RevocationId) -> Result<bool, RepositoryError> {
        let db = self.writing().await?;
        let there = Entity::delete_by_id(id.as_uuid()).exec(&db).await.map_err(sorted)?.rows_affected > 0;
        if there {
            log(&db, &Notice::Lifted(id)).await?;
        }
        db.settle(there)
    }

    async fn tell(&mut self, notice: &Notice) -> Result<(), RepositoryError> {
        let db = self.writing().await?;
        log(&db, notice).await?;
        db.settle(())
    }

    async fn read_log(&mut self, after: Option<LogPosition>) -> Result<LogRead, RepositoryError> {
        let db = self.reading().await?;
        // First where the log stands, then what it says: a line that comes between is read twice, and never missed.
        let (position, oldest) = extent(&db).await?;
        let after = after.map(|LogPosition(after)| after).filter(|after| *after >= oldest);
        let notices = match after {
            // A database's clock may go back, when another server takes over, say.
            Some(after) => lines(&db, std::cmp::min(after, position)).await?,
            None => all(&db).await?,
        };
        db.settle(LogRead { notices, position: LogPosition(position), whole: after.is_none() })
    }

    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u32, RepositoryError> {
        let db = self.writing().await?;
        let over = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::EndsAt.lt(micros(before)))
            .order_by(Column::EndsAt, Order::Asc)
            .limit(u64::from(limit));
        let query = Entity::delete_many().filter(Column::Id.in_subquery(over.into_query()));
        let swept = touched(query.exec(&db).await.map_err(sorted)?.rows_affected);
        let old = micros(before.saturating_sub(KEPT).unwrap_or(Timestamp::MIN));
        let lines = log::Entity::find()
            .select_only()
            .column(log::Column::Position)
            .filter(log::Column::LoggedAt.lt(old))
            .order_by(log::Column::LoggedAt, Order::Asc)
            .limit(u64::from(limit.saturating_sub(swept)));
        let query = log::Entity::delete_many().filter(log::Column::Position.in_subquery(lines.into_query()));
        let swept = swept.saturating_add(touched(query.exec(&db).await.map_err(sorted)?.rows_affected));
        let old = micros(before.saturating_sub(HEARD_FOR).unwrap_or(Timestamp::MIN));
        let events = heard::Entity::find()
            .select_only()
            .column(heard::Column::Revocation)
            .filter(heard::Column::HeardAt.lt(old))
            .order_by(heard::Column::HeardAt, Order::Asc)
            .limit(u64::from(limit.saturating_sub(swept)));
        let query = heard::Entity::delete_many().filter(heard::Column::Revocation.in_subquery(events.into_query()));
        let swept = swept.saturating_add(touched(query.exec(&db).await.map_err(sorted)?.rows_affected));
        db.settle(swept)
    }
}

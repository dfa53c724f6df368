//! Things to put into a store.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tidegate::{
    domain::{
        audit::{AuditIdentity, AuditOutcome, NewAuditEntry},
        deployment::{DeployedProcess, Deployment, Resource, digest},
        engine::{EngineName, NativeId},
        event::{EventType, NewEvent},
        execution::{Execution, ExecutionStatus, Starter},
        idempotency::{Fingerprint, IdempotencyKey, IdempotencyRecord},
        identity::{IdentityKind, Maker},
        ids::{DeploymentId, EventId, ExecutionId, RevocationId, WorkflowId},
        json::JsonObject,
        revocation::{Revocation, Revoked},
        scope::Scope,
        service_token::{HashedToken, ServiceToken, ServiceTokenId},
        text::{Key, Name, Remark},
        user::{Membership, Role, User, UserId},
        workflow::Workflow,
        workspace::{Workspace, WorkspaceAccess, WorkspaceId},
    },
    ports::{
        engine::{Incident, UserTask},
        engine_store::{
            BufferedMessage, DefinitionRow, ElementRef, IncidentRow, InstanceRow, JobLock, JobRow, JobWish, Subscriber,
            SubscriptionKind, SubscriptionRow, TaskRow, WorkState,
        },
    },
};
use uuid::Uuid;

/// What text must survive: several scripts, an emoji of four bytes, quotes, a percent sign, a backslash.
pub(super) const UNICODE: &str = "Zürich 東京 שלום 🌊 'q\" % _ \\";

/// A moment: so many seconds after some first of January, and as many microseconds.
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_microsecond((1_767_225_600 + second) * 1_000_000 + second).unwrap()
}

/// An id that sorts by its number.
pub(super) fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)
}

pub(super) fn space(slug: &str) -> WorkspaceId {
    WorkspaceId::parse(slug).unwrap()
}

pub(super) fn only<const N: usize>(slugs: [&str; N]) -> WorkspaceAccess {
    WorkspaceAccess::Only(slugs.into_iter().map(space).collect::<BTreeSet<_>>())
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(super) fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

pub(super) fn engine() -> EngineName {
    EngineName::parse("embedded").unwrap()
}

/// Numbers that binary floating point would bend.
pub(super) fn exact() -> JsonObject {
    let text = r#"{"big":9007199254740993,"least":-9223372036854775808,"long":1234567890.123456789012345678901234,
        "small":1E-7,"nested":{"list":[0.1,true,null,"\u0001 \" \\ 🌊"]},"":"empty name"}"#;
    serde_json::from_str(text).unwrap()
}

pub(super) fn object(value: serde_json::Value) -> JsonObject {
    serde_json::from_value(value).unwrap()
}

pub(super) fn workspace(slug: &str, second: i64) -> Workspace {
    Workspace { id: space(slug), name: name(UNICODE), created_at: at(second) }
}

pub(super) fn workflow(number: u128, slug: &str, called: &str) -> Workflow {
    Workflow {
        id: WorkflowId::new(id(number)),
        workspace: space(slug),
        name: name(called),
        description: None,
        engine: engine(),
        process_key: key(called),
        latest_deployment: None,
        created_at: at(1),
        updated_at: at(1),
        revision: 1,
    }
}

pub(super) fn resources() -> Vec<Resource> {
    let resource = |name: &str, content: &str| Resource { name: Name::parse(name).unwrap(), content: content.into() };
    vec![resource("b.bpmn", "<b/>"), resource("a.bpmn", UNICODE)]
}

pub(super) fn deployment(number: u128, slug: &str, workflows: &[u128]) -> Deployment {
    let process = |workflow: &u128| DeployedProcess {
        process_key: key(&format!("p{workflow}")),
        version: 3,
        workflow: WorkflowId::new(id(*workflow)),
        resource: name("b.bpmn"),
    };
    Deployment {
        id: DeploymentId::new(id(number)),
        workspace: space(slug),
        engine: engine(),
        digest: digest(&resources()),
        processes: workflows.iter().map(process).collect(),
        created_by: "ci".into(),
        created_at: at(2),
    }
}

pub(super) fn execution(number: u128, workflow: u128) -> Execution {
    Execution {
        id: ExecutionId::new(id(number)),
        workflow: WorkflowId::new(id(workflow)),
        workspace: space("demo"),
        status: ExecutionStatus::Running,
        business_key: None,
        engine: engine(),
        instance: Some(NativeId::new(id(number).to_string())),
        input: exact(),
        result: None,
        error: None,
        started_by: Starter { subject: "ci".into(), kind: IdentityKind::Service },
        events_after: 16,
        started_at: at(i64::try_from(number).unwrap()),
        ended_at: None,
    }
}

pub(super) fn event(number: u128, workflow: u128, subject: &str) -> NewEvent {
    NewEvent {
        id: EventId::new(id(number)),
        workflow: WorkflowId::new(id(workflow)),
        kind: EventType::JobCreated,
        subject: subject.into(),
        time: at(i64::try_from(number).unwrap()),
        data: exact(),
    }
}

pub(super) fn token(identifier: &str, second: i64) -> ServiceToken {
    ServiceToken {
        id: ServiceTokenId::parse(identifier).unwrap(),
        hash: HashedToken::of(identifier),
        previous: None,
        scopes: [Scope::WorkflowsRead, Scope::AdminTokensWrite].into(),
        workspaces: only(["demo"]),
        issued_at: at(second),
        expires_at: Some(at(1_000_000)),
        rotated_at: None,
        revoked: None,
        created_by: maker(IdentityKind::Bootstrap, None, "bootstrap"),
        owner: None,
        last_used_at: None,
        use_count: 0,
    }
}

pub(super) fn maker(kind: IdentityKind, issuer: Option<&str>, subject: &str) -> Maker {
    Maker { kind, issuer: issuer.map(str::to_owned), subject: subject.into() }
}

/// A person, by issuer and subject: `workos:ada`.
pub(super) fn person(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

pub(super) fn user(id: &str, second: i64) -> User {
    User {
        id: person(id),
        username: Some(UNICODE.into()),
        email: Some("ada@example.org".into()),
        created_at: at(second),
    }
}

pub(super) fn membership(id: &str, slug: &str, role: Role, second: i64) -> Membership {
    Membership { user: person(id), workspace: space(slug), role, since: at(second) }
}

pub(super) fn revocation(number: u128, second: i64, revoked: Revoked) -> Revocation {
    Revocation {
        id: RevocationId::new(id(number)),
        revoked,
        reason: Some(Remark::parse(UNICODE).unwrap()),
        ban: false,
        at: at(second),
        ends_at: Some(at(second + 86_400)),
        created_by: maker(IdentityKind::User, Some("workos"), "ada"),
    }
}

/// An entry that says everything there is to say.
pub(super) fn entry(second: i64, action: &'static str, workspace: Option<&str>) -> NewAuditEntry {
    NewAuditEntry {
        time: at(second),
        identity: AuditIdentity {
            kind: IdentityKind::User,
            issuer: Some("workos".into()),
            subject: UNICODE.into(),
            actor: Some("support".into()),
        },
        action,
        target: Some("ci".into()),
        workspace: workspace.map(space),
        outcome: AuditOutcome::Refused,
        code: Some("auth.missing_scope".into()),
        ip: Some("2001:db8::1".parse().unwrap()),
        request_id: Some("req-1".into()),
        count: 3,
    }
}

pub(super) fn idempotency(number: u8, second: i64) -> IdempotencyRecord {
    IdempotencyRecord {
        key: IdempotencyKey([number; 32]),
        fingerprint: Fingerprint([number ^ 255; 32]),
        subject: format!("subject-{number}"),
        created_at: at(second),
    }
}

pub(super) fn definition(number: u128, slug: &str, version: u32) -> DefinitionRow {
    DefinitionRow {
        id: id(number),
        workspace: space(slug),
        process_key: key("order"),
        version,
        resource: name("order.bpmn"),
        digest: [7; 32],
        xml: format!("<definitions>{UNICODE}</definitions>"),
        deployment: DeploymentId::new(id(99)),
        created_at: at(1),
    }
}

pub(super) fn instance(number: u128) -> InstanceRow {
    InstanceRow {
        id: id(number),
        workspace: space("demo"),
        definition: id(500),
        process_key: key("order"),
        business_key: Some(key(UNICODE)),
        status: ExecutionStatus::Running,
        state: serde_json::to_string(&exact()).unwrap(),
        started_at: at(1),
        ended_at: None,
    }
}

pub(super) fn element(instance: u128, key: u64) -> ElementRef {
    ElementRef { instance: id(instance), key }
}

pub(super) fn job(instance: u128, number: u64, topic: &str, second: i64) -> JobRow {
    JobRow {
        id: element(instance, number),
        workspace: space("demo"),
        process_key: key("order"),
        business_key: Some(key("A-1")),
        element_id: "charge".into(),
        topic: key(topic),
        retries: 3,
        headers: BTreeMap::from([("unit".to_owned(), UNICODE.to_owned())]),
        state: WorkState::Open,
        lock: None,
        available_at: at(second),
        created_at: at(second),
    }
}

/// A wish for jobs of a topic, to be locked for so many seconds from `now` on.
pub(super) fn wish(topic: &str, token: &str, max: u32, now: Timestamp, seconds: i64) -> JobWish {
    JobWish {
        within: WorkspaceAccess::All,
        topics: vec![key(topic)],
        lock: JobLock { worker: key("w1"), token: token.into(), until: now + SignedDuration::from_secs(seconds) },
        max,
    }
}

pub(super) fn task(instance: u128, number: u64, slug: &str, second: i64) -> TaskRow {
    let id = element(instance, number);
    let task = UserTask {
        id: id.native(),
        workspace: Some(space(slug)),
        instance: NativeId::new(self::id(instance).to_string()),
        process_key: key("order"),
        business_key: Some(key("A-1")),
        name: UNICODE.into(),
        element_id: "approve".into(),
        assignee: None,
        candidate_users: vec!["ada".into()],
        candidate_groups: vec!["sales".into(), "ops".into()],
        created_at: at(second),
        due: Some(at(second + 60)),
        follow_up: None,
        priority: Some(-7),
        form_key: Some("form".into()),
    };
    TaskRow { id, task, state: WorkState::Open }
}

pub(super) fn incident(instance: u128, number: u64, second: i64) -> IncidentRow {
    let id = element(instance, number);
    let incident = Incident {
        id: id.native(),
        instance: NativeId::new(self::id(instance).to_string()),
        kind: "job_failed".into(),
        message: UNICODE.into(),
        element_id: "charge".into(),
        job: Some(id.native()),
        created_at: at(second),
    };
    IncidentRow { id, incident, workspace: space("demo"), resolved_at: None }
}

/// Of an element that waits for the message `paid`.
pub(super) fn subscription(
    instance: u128,
    number: u64,
    correlation_key: Option<&str>,
    business_key: Option<&str>,
) -> SubscriptionRow {
    SubscriptionRow {
        subscriber: Subscriber::Element(element(instance, number)),
        kind: SubscriptionKind::Message,
        name: key("paid"),
        workspace: space("demo"),
        element_id: "wait".into(),
        correlation_key: correlation_key.map(str::to_owned),
        business_key: business_key.map(key),
    }
}

/// Of a start event that waits for the message `paid`.
pub(super) fn start_subscription(definition: u128, event: &str) -> SubscriptionRow {
    SubscriptionRow {
        subscriber: Subscriber::Start { definition: id(definition), element_id: event.into() },
        element_id: event.into(),
        ..subscription(0, 0, None, None)
    }
}

/// The message `paid`.
pub(super) fn message(number: u128, correlation_key: Option<&str>, business_key: Option<&str>) -> BufferedMessage {
    BufferedMessage {
        id: id(number),
        workspace: space("demo"),
        name: key("paid"),
        correlation_key: correlation_key.map(key),
        business_key: business_key.map(key),
        instance: None,
        variables: object(json!({"amount": 120})),
        expires_at: at(100),
    }
}

//! The gate's memory: units of work that hand out small repositories, one trait a subject.
//!
//! To add a subject: write its trait here (or, for a local engine's rows, in [`engine_store`](super::engine_store)), hand
//! it out by [`UnitOfWork`], and give it cases in `tests/conformance/repository.rs`.

use std::{collections::BTreeSet, fmt};

use async_trait::async_trait;
use jiff::Timestamp;

use super::engine_store::{BufferedMessages, Definitions, Incidents, Instances, Jobs, Subscriptions, Tasks, Timers};
use crate::domain::{
    audit::{AuditEntry, AuditOutcome, NewAuditEntry},
    deployment::{Deployment, Resource},
    engine::{EngineName, NativeId, ProcessKey},
    event::{Event, NewEvent},
    execution::{Execution, ExecutionStatus, ListedExecution},
    idempotency::{IdempotencyKey, IdempotencyRecord},
    ids::{DeploymentId, ExecutionId, RevocationId, WorkflowId},
    page::{Page, PageRequest},
    revocation::{Notice, Revocation, Revoked},
    service_token::{self, HashedToken, ServiceToken, ServiceTokenId},
    text::{Key, Name},
    user::{Membership, User, UserId},
    workflow::Workflow,
    workspace::{Workspace, WorkspaceAccess, WorkspaceId},
};

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// Something of this id or name is there already.
    #[error("it exists already")]
    Conflict,
    /// Another transaction was in the way: the whole unit of work may be run again.
    #[error("another transaction was in the way")]
    Serialization,
    /// A view was asked to change something.
    #[error("a view cannot change anything")]
    ReadOnly,
    /// The store does not answer, is locked or full; nothing was done.
    #[error("the database is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A stored value cannot be read back.
    #[error("a stored {what} cannot be read")]
    Corrupt {
        /// What sort of value.
        what: &'static str,
    },
}

/// Keeps everything.
///
/// # Contract
/// - What a unit of work changed is seen by others after [`UnitOfWork::commit`] only, all of it or nothing.
/// - A unit dropped without a commit leaves nothing behind.
/// - A commit that returned is durable.
/// - Times are kept to the microsecond, numbers in JSON exactly as they are written.
/// - No call waits for ever: a store that is locked, full, gone, or kept by others for too long is
///   [`RepositoryError::Unavailable`].
#[async_trait]
pub trait Repository: fmt::Debug + Send + Sync {
    /// Begins a unit of work.
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, RepositoryError>;

    /// A view for reading: each look sees at least what was committed before it, and waits for no writer. A change through
    /// it is [`RepositoryError::ReadOnly`].
    async fn view(&self) -> Result<Box<dyn UnitOfWork>, RepositoryError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), RepositoryError>;
}

/// One transaction.
///
/// # Contract
/// - After any error, and after a call given up in the middle, the unit is spent: drop it. Whatever is asked of it then,
///   a commit too, is [`RepositoryError::Unavailable`], and nothing of it is kept.
/// - A unit may be taken back when it lasts longer than some seconds: it waits for nobody but the store.
/// - What is told to change something that is not there changes nothing, and is no error.
/// - A page after a position that the list never gave is empty.
/// - `find_*` reads; `lock_*` reads and holds the row for this unit until it ends, so that two units that change one
///   thing wait for each other. On a view `lock_*` is [`RepositoryError::ReadOnly`].
#[async_trait]
pub trait UnitOfWork: Send + fmt::Debug {
    /// Workspaces.
    fn workspaces(&mut self) -> &mut dyn Workspaces;
    /// Workflows.
    fn workflows(&mut self) -> &mut dyn Workflows;
    /// Deployments.
    fn deployments(&mut self) -> &mut dyn Deployments;
    /// Executions.
    fn executions(&mut self) -> &mut dyn Executions;
    /// Events.
    fn events(&mut self) -> &mut dyn Events;
    /// Service tokens.
    fn tokens(&mut self) -> &mut dyn ServiceTokens;
    /// Users.
    fn users(&mut self) -> &mut dyn Users;
    /// Who belongs to which workspace.
    fn memberships(&mut self) -> &mut dyn Memberships;
    /// Revocations, and the log that replicas poll.
    fn revocations(&mut self) -> &mut dyn Revocations;
    /// The audit.
    fn audit(&mut self) -> &mut dyn Audit;
    /// Idempotency keys.
    fn idempotency(&mut self) -> &mut dyn IdempotencyKeys;
    /// The embedded engine's process definitions.
    fn definitions(&mut self) -> &mut dyn Definitions;
    /// The embedded engine's instances.
    fn instances(&mut self) -> &mut dyn Instances;
    /// The embedded engine's jobs.
    fn jobs(&mut self) -> &mut dyn Jobs;
    /// The embedded engine's user tasks.
    fn tasks(&mut self) -> &mut dyn Tasks;
    /// The embedded engine's timers.
    fn timers(&mut self) -> &mut dyn Timers;
    /// The embedded engine's message and signal subscriptions.
    fn subscriptions(&mut self) -> &mut dyn Subscriptions;
    /// The embedded engine's incidents.
    fn incidents(&mut self) -> &mut dyn Incidents;
    /// The embedded engine's messages that wait for a receiver.
    fn buffered_messages(&mut self) -> &mut dyn BufferedMessages;

    /// Makes all of it durable and seen.
    async fn commit(self: Box<Self>) -> Result<(), RepositoryError>;

    /// Undoes all of it; afterwards nothing is held any more. A unit that is only dropped is undone too, but may hold on
    /// for a moment to what it held: a unit that is run again would then stand in its own way.
    async fn rollback(self: Box<Self>);
}

/// Workspaces.
#[async_trait]
pub trait Workspaces: Send {
    /// Adds one; [`RepositoryError::Conflict`] when its id is taken.
    async fn insert(&mut self, workspace: &Workspace) -> Result<(), RepositoryError>;
    /// The workspace of that id.
    async fn find(&mut self, id: &WorkspaceId) -> Result<Option<Workspace>, RepositoryError>;
    /// The workspace of that id, held: changes of its members wait for each other.
    async fn lock(&mut self, id: &WorkspaceId) -> Result<Option<Workspace>, RepositoryError>;
    /// Those within, newest first; the position is `created_at` and id.
    async fn list(&mut self, within: &WorkspaceAccess, page: &PageRequest) -> Result<Page<Workspace>, RepositoryError>;
}

/// Which workflows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowFilter {
    /// In which workspaces.
    pub within: WorkspaceAccess,
    /// Of this name.
    pub name: Option<Name>,
}

/// Workflows. Hidden ones (deleted by their owner) are found by no method but
/// [`find_with_hidden`](Self::find_with_hidden).
#[async_trait]
pub trait Workflows: Send {
    /// Adds one; [`RepositoryError::Conflict`] when its id, its name in the workspace, or its (workspace, engine, key) is
    /// taken.
    async fn insert(&mut self, workflow: &Workflow) -> Result<(), RepositoryError>;
    /// The workflow of that id.
    async fn find(&mut self, id: WorkflowId) -> Result<Option<Workflow>, RepositoryError>;
    /// The workflow of that id, hidden or not: its events stay.
    async fn find_with_hidden(&mut self, id: WorkflowId) -> Result<Option<Workflow>, RepositoryError>;
    /// The workflow of that id, held for a change.
    async fn lock(&mut self, id: WorkflowId) -> Result<Option<Workflow>, RepositoryError>;
    /// The workflow of that name.
    async fn find_by_name(&mut self, workspace: &WorkspaceId, name: &Name)
    -> Result<Option<Workflow>, RepositoryError>;
    /// The workflows that bind a key on an engine, in any of the workspaces.
    async fn find_by_key(
        &mut self,
        within: &WorkspaceAccess,
        engine: &EngineName,
        key: &ProcessKey,
    ) -> Result<Vec<Workflow>, RepositoryError>;
    /// The workflow that binds a key on an engine, held so that it is not [hidden](Self::hide) before this unit ends. Any
    /// number of units may hold it so at once.
    async fn hold_bound(
        &mut self,
        workspace: &WorkspaceId,
        engine: &EngineName,
        key: &ProcessKey,
    ) -> Result<Option<Workflow>, RepositoryError>;
    /// Those that fit, newest first (by id).
    async fn list(&mut self, filter: &WorkflowFilter, page: &PageRequest) -> Result<Page<Workflow>, RepositoryError>;
    /// Writes a changed workflow; [`RepositoryError::Conflict`] when its new name or key is taken.
    async fn update(&mut self, workflow: &Workflow) -> Result<(), RepositoryError>;
    /// Hides one: its name and key are free again. Waits for the units that [hold](Self::hold_bound) it: what they did is
    /// seen afterwards.
    async fn hide(&mut self, id: WorkflowId, at: Timestamp) -> Result<(), RepositoryError>;
}

/// Which deployments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentFilter {
    /// In which workspaces.
    pub within: WorkspaceAccess,
    /// That touched this workflow.
    pub workflow: Option<WorkflowId>,
}

/// Deployments.
#[async_trait]
pub trait Deployments: Send {
    /// Adds one with its resources.
    async fn insert(&mut self, deployment: &Deployment, resources: &[Resource]) -> Result<(), RepositoryError>;
    /// The deployment of that id.
    async fn find(&mut self, id: DeploymentId) -> Result<Option<Deployment>, RepositoryError>;
    /// Its resources, in the order in which they came.
    async fn resources(&mut self, id: DeploymentId) -> Result<Vec<Resource>, RepositoryError>;
    /// The newest deployment of these very bytes.
    async fn find_same(
        &mut self,
        workspace: &WorkspaceId,
        engine: &EngineName,
        digest: &[u8; 32],
    ) -> Result<Option<Deployment>, RepositoryError>;
    /// Those that fit, newest first (by id).
    async fn list(
        &mut self,
        filter: &DeploymentFilter,
        page: &PageRequest,
    ) -> Result<Page<Deployment>, RepositoryError>;
}

/// Which executions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Of this workflow.
    pub workflow: WorkflowId,
    /// In this status.
    pub status: Option<ExecutionStatus>,
    /// Of this business key.
    pub business_key: Option<Key>,
    /// Begun after this moment.
    pub started_after: Option<Timestamp>,
}

/// An execution that ended so long ago that it is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpiredExecution {
    /// Its id.
    pub id: ExecutionId,
    /// The channel of its events.
    pub workflow: WorkflowId,
}

/// Executions, which are also the table of who owns which instance.
#[async_trait]
pub trait Executions: Send {
    /// Adds one; [`RepositoryError::Conflict`] when its id or its (engine, instance) is taken.
    async fn insert(&mut self, execution: &Execution) -> Result<(), RepositoryError>;
    /// The execution of that id.
    async fn find(&mut self, id: ExecutionId) -> Result<Option<Execution>, RepositoryError>;
    /// The execution of an instance.
    async fn find_by_instance(
        &mut self,
        engine: &EngineName,
        instance: &NativeId,
    ) -> Result<Option<Execution>, RepositoryError>;
    /// The executions of instances of that id on any engine: how a bare native id is resolved. At most two are given.
    async fn find_by_native(&mut self, instance: &NativeId) -> Result<Vec<Execution>, RepositoryError>;
    /// Those that fit, newest first (by id), without large variables: these are not even read.
    async fn list(
        &mut self,
        filter: &ExecutionFilter,
        page: &PageRequest,
    ) -> Result<Page<ListedExecution>, RepositoryError>;
    /// Writes how it ended: status, result, error and end.
    async fn end(&mut self, execution: &Execution) -> Result<(), RepositoryError>;
    /// Whether one of the workflow runs.
    async fn any_running(&mut self, workflow: WorkflowId) -> Result<bool, RepositoryError>;
    /// Those that ended before a moment, the longest ended first, at most `limit`. They are locked for the unit; rows that
    /// another unit has locked are skipped.
    async fn lock_expired(&mut self, before: Timestamp, limit: u32) -> Result<Vec<ExpiredExecution>, RepositoryError>;
    /// Deletes executions; ids that are not there are ignored. At most 1,000 at once.
    async fn delete(&mut self, ids: &[ExecutionId]) -> Result<(), RepositoryError>;
    /// Which of these executions are there. At most 1,000 at once.
    async fn find_existing(&mut self, ids: &[ExecutionId]) -> Result<BTreeSet<ExecutionId>, RepositoryError>;
}

/// How much of a channel is read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimit {
    /// So many events.
    pub events: u32,
    /// So many bytes of their data, as JSON.
    pub bytes: usize,
}

/// A part of a channel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventPage {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// Whether there are more behind them.
    pub more: bool,
}

/// An event that is old enough to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgedEvent {
    /// Its place in the store, across all channels.
    pub position: u64,
    /// The execution or deployment that it is about.
    pub subject: String,
}

/// Events and their numbers.
///
/// # Contract
/// - An event is unnumbered when it commits. [`number`](Self::number), in a unit of its own, gives the numbers of a channel
///   without gaps, from 1, in the order of the store's identity column; two replicas never number one channel at once
///   (a channel in another's hands is passed over).
/// - Only numbered events are read.
#[async_trait]
pub trait Events: Send {
    /// Puts events into the outbox, in this order. Their ids are the maker's to keep unique.
    async fn append(&mut self, events: &[NewEvent]) -> Result<(), RepositoryError>;
    /// Numbers at most `limit` events; gives them, each channel in its order.
    async fn number(&mut self, limit: u32) -> Result<Vec<Event>, RepositoryError>;
    /// Events of a channel after a number, oldest first; only of one execution, if it is named (the subject). At most as
    /// many, and no more bytes, as the limit says; but one event at least.
    async fn read(
        &mut self,
        workflow: WorkflowId,
        after: u64,
        limit: ReadLimit,
        subject: Option<&str>,
    ) -> Result<EventPage, RepositoryError>;
    /// The channel's highest number; 0 when it has none.
    async fn head(&mut self, workflow: WorkflowId) -> Result<u64, RepositoryError>;
    /// The heads of several channels; a channel without events may be missing.
    async fn heads(&mut self, workflows: &[WorkflowId]) -> Result<Vec<(WorkflowId, u64)>, RepositoryError>;
    /// Deletes the oldest numbered events of a subject, at most `limit`; gives how many. Heads stay.
    async fn delete_by_subject(
        &mut self,
        workflow: WorkflowId,
        subject: &str,
        limit: u32,
    ) -> Result<u32, RepositoryError>;
    /// Numbered events from before a moment, in the order of their places in the store, beginning after `after`, at most
    /// `limit`. Ends before the first event that is younger or not yet numbered.
    async fn list_aged(&mut self, after: u64, before: Timestamp, limit: u32)
    -> Result<Vec<AgedEvent>, RepositoryError>;
    /// Deletes the numbered events at these places; gives how many. At most 1,000 at once. Heads stay.
    async fn delete_by_position(&mut self, positions: &[u64]) -> Result<u32, RepositoryError>;
    /// The highest number of a channel that was deleted; 0 if none was. A reader that has read less has lost events.
    async fn deleted_to(&mut self, workflow: WorkflowId) -> Result<u64, RepositoryError>;
}

/// What to add to a token's uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUse {
    /// Which.
    pub id: ServiceTokenId,
    /// How often.
    pub count: u64,
    /// When last.
    pub last: Timestamp,
}

/// Service tokens.
#[async_trait]
pub trait ServiceTokens: Send {
    /// Adds one; [`RepositoryError::Conflict`] when its identifier is taken.
    async fn insert(&mut self, token: &ServiceToken) -> Result<(), RepositoryError>;
    /// Whether a token has this identifier, or one that differs from it in case only. A revoked or expired token keeps its
    /// own.
    async fn is_taken(&mut self, id: &ServiceTokenId) -> Result<bool, RepositoryError>;
    /// The token of that name.
    async fn find(&mut self, id: &ServiceTokenId) -> Result<Option<ServiceToken>, RepositoryError>;
    /// The token of that name, held for a change.
    async fn lock(&mut self, id: &ServiceTokenId) -> Result<Option<ServiceToken>, RepositoryError>;
    /// The token whose current or previous secret has this hash.
    async fn find_by_hash(&mut self, hash: &HashedToken) -> Result<Option<ServiceToken>, RepositoryError>;
    /// Those whose workspaces are all within, newest first; the position is `issued_at` and identifier.
    async fn list(
        &mut self,
        within: &WorkspaceAccess,
        page: &PageRequest,
    ) -> Result<Page<ServiceToken>, RepositoryError>;
    /// Writes a changed token (but not its uses).
    async fn update(&mut self, token: &ServiceToken) -> Result<(), RepositoryError>;
    /// Ends those that belong to a person, were issued up to a moment, and have not been revoked; gives them, ended. One
    /// that another unit holds is waited for.
    async fn revoke_owned(
        &mut self,
        owner: &UserId,
        until: Timestamp,
        revocation: &service_token::Revocation,
    ) -> Result<Vec<ServiceToken>, RepositoryError>;
    /// Adds to the uses of tokens; unknown ones are passed over.
    async fn record_uses(&mut self, uses: &[TokenUse]) -> Result<(), RepositoryError>;
    /// Whether a token was ever stored; a revoked or expired one counts.
    async fn any(&mut self) -> Result<bool, RepositoryError>;
}

/// Users.
#[async_trait]
pub trait Users: Send {
    /// Adds one; [`RepositoryError::Conflict`] when the gate knows them already.
    async fn insert(&mut self, user: &User) -> Result<(), RepositoryError>;
    /// The user of that id.
    async fn find(&mut self, id: &UserId) -> Result<Option<User>, RepositoryError>;
    /// Holds the user of that id, if the gate knows them: others that hold them wait for each other.
    async fn lock(&mut self, id: &UserId) -> Result<(), RepositoryError>;
    /// Writes what a user is called now: username and email.
    async fn update(&mut self, user: &User) -> Result<(), RepositoryError>;
}

/// A membership with what its user is called, if the gate has seen them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The membership.
    pub membership: Membership,
    /// The user's name.
    pub username: Option<String>,
    /// The user's mail address.
    pub email: Option<String>,
}

/// Memberships.
///
/// # Contract
/// - That somebody had a membership is never forgotten, in whatever way it went: [`ever`](Self::ever) commits with the first
///   [`put`](Self::put).
#[async_trait]
pub trait Memberships: Send {
    /// Adds one, or gives the member that there is another role (`since` stays).
    async fn put(&mut self, membership: &Membership) -> Result<(), RepositoryError>;
    /// Somebody's membership in a workspace, with what they are called.
    async fn find(&mut self, user: &UserId, workspace: &WorkspaceId) -> Result<Option<Member>, RepositoryError>;
    /// All of somebody's.
    async fn of_user(&mut self, user: &UserId) -> Result<Vec<Membership>, RepositoryError>;
    /// Whether somebody has, or had, one.
    async fn ever(&mut self, user: &UserId) -> Result<bool, RepositoryError>;
    /// How many owners a workspace has.
    async fn owners(&mut self, workspace: &WorkspaceId) -> Result<u64, RepositoryError>;
    /// The members of a workspace, newest first; the position is `since` and the user's id.
    async fn list(&mut self, workspace: &WorkspaceId, page: &PageRequest) -> Result<Page<Member>, RepositoryError>;
    /// Takes one away; says whether it was there.
    async fn remove(&mut self, user: &UserId, workspace: &WorkspaceId) -> Result<bool, RepositoryError>;
}

/// Where a reader of the log stands: opaque, the store's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition(pub i64);

/// What a look into the log gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRead {
    /// The lines, the oldest first.
    pub notices: Vec<Notice>,
    /// Where to read on.
    pub position: LogPosition,
    /// Whether these are not the lines, but all revocations that hold: others hold no longer.
    pub whole: bool,
}

/// Revocations and the log of what invalidates cached verdicts.
///
/// # Contract
/// - Whoever reads from the position that they were given last, again and again, is given every line at least once whose
///   unit committed within 30 s of writing it, in whatever order units commit: lines are given again where that needs it.
/// - Lines are kept for a day; revocations as long as they hold. Who comes back after the lines that they have missed are gone
///   is given all that hold.
#[async_trait]
pub trait Revocations: Send {
    /// Enters a revocation, and tells the log; [`RepositoryError::Conflict`] when its id is taken.
    async fn insert(&mut self, revocation: &Revocation) -> Result<(), RepositoryError>;
    /// The revocation of that id.
    async fn find(&mut self, id: RevocationId) -> Result<Option<Revocation>, RepositoryError>;
    /// Those that hold against a target.
    async fn against(&mut self, target: &Revoked) -> Result<Vec<Revocation>, RepositoryError>;
    /// Remembers that an event of an issuer's was heard, by the id of the revocation that it leads to; says whether this is
    /// the first time. Of two units at once that hear one, one is the first, and the other waits for it.
    async fn hear(&mut self, event: RevocationId, at: Timestamp) -> Result<bool, RepositoryError>;
    /// Those that hold, newest first (by `at` and id).
    async fn list(&mut self, page: &PageRequest) -> Result<Page<Revocation>, RepositoryError>;
    /// Lifts one, and tells the log; says whether it was there.
    async fn lift(&mut self, id: RevocationId) -> Result<bool, RepositoryError>;
    /// Tells the log something else: a service token or somebody's memberships changed.
    async fn tell(&mut self, notice: &Notice) -> Result<(), RepositoryError>;
    /// What the log says after a position. Without one: all revocations that hold, and where the log stands now.
    async fn read_log(&mut self, after: Option<LogPosition>) -> Result<LogRead, RepositoryError>;
    /// Forgets revocations that ended before a moment, lines of the log that are a day older, and events that were heard
    /// [so long](crate::domain::revocation::HEARD_FOR) before it, at most `limit`; says how many.
    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u32, RepositoryError>;
}

/// Which entries of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFilter {
    /// In which workspaces; [`WorkspaceAccess::All`] includes entries without one.
    pub within: WorkspaceAccess,
    /// Of this subject.
    pub subject: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// Ended so.
    pub outcome: Option<AuditOutcome>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

/// The end of the audit's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// The last number; 0 before the first.
    pub sequence: u64,
    /// The last hash; zeros before the first.
    pub hash: [u8; 32],
}

/// An entry that waits for its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnchainedEntry {
    /// Its row: the store's own.
    pub row: i64,
    /// The entry with a number and hash of zero.
    pub entry: AuditEntry,
}

/// A chained entry that is there, and cannot be read back: somebody has changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// Its number.
    pub sequence: u64,
}

/// The audit.
///
/// # Contract
/// - An entry commits with its action and has no number then. One unit at a time (that [locks](Self::lock_head) the head)
///   gives numbers and hashes, from 1 without gaps, in the order of the store's identity column.
/// - Only chained entries are read.
#[async_trait]
pub trait Audit: Send {
    /// Adds entries.
    async fn append(&mut self, entries: &[NewAuditEntry]) -> Result<(), RepositoryError>;
    /// The head, held for this unit; `None` while another unit has it.
    async fn lock_head(&mut self) -> Result<Option<AuditHead>, RepositoryError>;
    /// The head.
    async fn head(&mut self) -> Result<AuditHead, RepositoryError>;
    /// Entries that wait, the oldest first.
    async fn unchained(&mut self, limit: u32) -> Result<Vec<UnchainedEntry>, RepositoryError>;
    /// Gives rows their numbers and hashes, and moves the head to the last of them.
    async fn chain(&mut self, links: &[(i64, AuditHead)]) -> Result<(), RepositoryError>;
    /// Chained entries that fit, newest first (by number).
    async fn list(&mut self, filter: &AuditFilter, page: &PageRequest) -> Result<Page<AuditEntry>, RepositoryError>;
    /// Chained entries after a number, the oldest first: for verification and export. One that cannot be read back hides no
    /// other.
    async fn read(&mut self, after: u64, limit: u32) -> Result<Vec<Result<AuditEntry, Unreadable>>, RepositoryError>;
}

/// Idempotency keys.
#[async_trait]
pub trait IdempotencyKeys: Send {
    /// Takes the key for this unit, or says that another unit has it now. The hold ends with the unit, however that ends:
    /// by commit, drop, or death of the process.
    async fn try_lock(&mut self, key: &IdempotencyKey) -> Result<bool, RepositoryError>;
    /// What is remembered under the key, however long ago.
    async fn find(&mut self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, RepositoryError>;
    /// Remembers, in the place of what was remembered under the key before.
    async fn insert(&mut self, record: &IdempotencyRecord) -> Result<(), RepositoryError>;
    /// Forgets what was made before a moment, at most `limit`; says how many.
    async fn sweep(&mut self, before: Timestamp, limit: u32) -> Result<u32, RepositoryError>;
}

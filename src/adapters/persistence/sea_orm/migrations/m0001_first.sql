-- The first tables, for SQLite and Postgres. Placeholders in braces stand for what the two write differently
-- (see mod.rs). Times are microseconds since 1970; JSON is text, so that its numbers stay exact; what is sorted by is
-- compared byte by byte on both. There are few foreign keys: rows are swept in bounded steps, and a hot parent row must
-- not be locked by the making of a child.

CREATE TABLE workspaces (
    id {text} NOT NULL PRIMARY KEY,
    name text NOT NULL,
    created_at bigint NOT NULL
) {plain};
CREATE INDEX workspaces_newest ON workspaces (created_at, id);

CREATE TABLE workflows (
    id {uuid} NOT NULL PRIMARY KEY,
    workspace {text} NOT NULL,
    name {text} NOT NULL,
    description text,
    engine {text} NOT NULL,
    process_key {text} NOT NULL,
    deployment {uuid},
    deployment_version bigint,
    deployment_created_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    revision bigint NOT NULL,
    hidden_at bigint
) {plain};
CREATE UNIQUE INDEX workflows_name ON workflows (workspace, name) WHERE hidden_at IS NULL;
CREATE UNIQUE INDEX workflows_key ON workflows (engine, process_key, workspace) WHERE hidden_at IS NULL;
CREATE INDEX workflows_newest ON workflows (workspace, id) WHERE hidden_at IS NULL;

CREATE TABLE deployments (
    id {uuid} NOT NULL PRIMARY KEY,
    workspace {text} NOT NULL,
    engine {text} NOT NULL,
    digest {bytes} NOT NULL,
    processes text NOT NULL,
    created_by text NOT NULL,
    created_at bigint NOT NULL
) {plain};
CREATE INDEX deployments_newest ON deployments (workspace, id);
CREATE INDEX deployments_same ON deployments (workspace, engine, digest, id);

CREATE TABLE deployment_resources (
    deployment {uuid} NOT NULL REFERENCES deployments (id),
    ordinal bigint NOT NULL,
    name text NOT NULL,
    content text NOT NULL,
    PRIMARY KEY (deployment, ordinal)
) {plain};

CREATE TABLE deployment_workflows (
    workflow {uuid} NOT NULL,
    deployment {uuid} NOT NULL REFERENCES deployments (id),
    PRIMARY KEY (workflow, deployment)
) {keyed};

CREATE TABLE executions (
    id {uuid} NOT NULL PRIMARY KEY,
    workflow {uuid} NOT NULL,
    workspace {text} NOT NULL,
    status text NOT NULL,
    business_key {text},
    engine {text} NOT NULL,
    instance {text},
    input text NOT NULL,
    result text,
    error_code text,
    error_message text,
    started_by text NOT NULL,
    started_by_kind text NOT NULL,
    events_after bigint NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint
) {plain};
CREATE UNIQUE INDEX executions_instance ON executions (instance, engine) WHERE instance IS NOT NULL;
CREATE INDEX executions_newest ON executions (workflow, id);
CREATE INDEX executions_status ON executions (workflow, status, id);
CREATE INDEX executions_business_key ON executions (workflow, business_key, id) WHERE business_key IS NOT NULL;
CREATE INDEX executions_ended ON executions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE events (
    position {identity},
    id {uuid} NOT NULL,
    workflow {uuid} NOT NULL,
    sequence bigint,
    kind text NOT NULL,
    subject {text} NOT NULL,
    time bigint NOT NULL,
    data text NOT NULL
) {plain};
CREATE UNIQUE INDEX events_sequence ON events (workflow, sequence) WHERE sequence IS NOT NULL;
CREATE INDEX events_subject ON events (workflow, subject, sequence) WHERE sequence IS NOT NULL;
CREATE INDEX events_outbox ON events (position) WHERE sequence IS NULL;
{postgres}CREATE INDEX events_outbox_channels ON events (workflow, position) WHERE sequence IS NULL;

CREATE TABLE channels (
    workflow {uuid} NOT NULL PRIMARY KEY,
    head bigint NOT NULL
) {busy};

CREATE TABLE service_tokens (
    id {text} NOT NULL PRIMARY KEY,
    hash {bytes} NOT NULL,
    previous_hash {bytes},
    previous_ends_at bigint,
    scopes text NOT NULL,
    workspaces text,
    issued_at bigint NOT NULL,
    expires_at bigint,
    rotated_at bigint,
    revoked_at bigint,
    revocation_reason text,
    created_by text NOT NULL,
    last_used_at bigint,
    use_count bigint NOT NULL
) {plain};
CREATE INDEX service_tokens_hash ON service_tokens (hash);
CREATE INDEX service_tokens_previous ON service_tokens (previous_hash) WHERE previous_hash IS NOT NULL;
CREATE INDEX service_tokens_newest ON service_tokens (issued_at, id);

CREATE TABLE idempotency_keys (
    id {bytes} NOT NULL PRIMARY KEY,
    fingerprint {bytes} NOT NULL,
    subject text NOT NULL,
    created_at bigint NOT NULL
) {keyed};
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE definitions (
    id {uuid} NOT NULL PRIMARY KEY,
    workspace {text} NOT NULL,
    process_key {text} NOT NULL,
    version bigint NOT NULL,
    resource text NOT NULL,
    digest {bytes} NOT NULL,
    xml text NOT NULL,
    deployment {uuid} NOT NULL,
    created_at bigint NOT NULL
) {plain};
CREATE UNIQUE INDEX definitions_version ON definitions (workspace, process_key, version);

CREATE TABLE instances (
    id {uuid} NOT NULL PRIMARY KEY,
    workspace {text} NOT NULL,
    definition {uuid} NOT NULL,
    process_key {text} NOT NULL,
    business_key {text},
    status text NOT NULL,
    state text NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint
) {busy};
CREATE INDEX instances_ended ON instances (ended_at, id) WHERE ended_at IS NOT NULL;

-- claimable_at: when back-off and lock are over; NULL when nobody can have the job.
CREATE TABLE jobs (
    instance {uuid} NOT NULL,
    element bigint NOT NULL,
    workspace {text} NOT NULL,
    process_key {text} NOT NULL,
    business_key {text},
    element_id text NOT NULL,
    topic {text} NOT NULL,
    retries bigint NOT NULL,
    headers text NOT NULL,
    state text NOT NULL,
    worker text,
    lock_token text,
    locked_until bigint,
    available_at bigint NOT NULL,
    claimable_at bigint,
    created_at bigint NOT NULL,
    PRIMARY KEY (instance, element)
) {keyed};
CREATE INDEX jobs_claimable ON jobs (topic, workspace, claimable_at) WHERE claimable_at IS NOT NULL;
CREATE INDEX jobs_claimable_anywhere ON jobs (topic, claimable_at) WHERE claimable_at IS NOT NULL;

-- place: the position in lists, NULL when the task is no longer open.
CREATE TABLE tasks (
    instance {uuid} NOT NULL,
    element bigint NOT NULL,
    workspace {text} NOT NULL,
    process_key {text} NOT NULL,
    business_key {text},
    name text NOT NULL,
    element_id {text} NOT NULL,
    assignee {text},
    candidate_users text NOT NULL,
    candidate_groups text NOT NULL,
    due bigint,
    follow_up bigint,
    priority bigint,
    form_key text,
    state text NOT NULL,
    place {text},
    created_at bigint NOT NULL,
    PRIMARY KEY (instance, element)
) {keyed};
CREATE INDEX tasks_open ON tasks (workspace, place) WHERE place IS NOT NULL;
CREATE INDEX tasks_open_anywhere ON tasks (place) WHERE place IS NOT NULL;
CREATE INDEX tasks_assignee ON tasks (assignee, place) WHERE place IS NOT NULL AND assignee IS NOT NULL;

-- Open tasks only.
CREATE TABLE task_groups (
    candidate_group {text} NOT NULL,
    instance {uuid} NOT NULL,
    element bigint NOT NULL,
    PRIMARY KEY (candidate_group, instance, element)
) {keyed};
CREATE INDEX task_groups_task ON task_groups (instance, element);

-- owner: an instance or, for starts, a definition.
CREATE TABLE timers (
    owner {uuid} NOT NULL,
    kind text NOT NULL,
    element bigint NOT NULL,
    element_id {text} NOT NULL,
    due bigint NOT NULL,
    schedule text NOT NULL,
    PRIMARY KEY (owner, kind, element, element_id)
) {keyed};
CREATE INDEX timers_due ON timers (due);

CREATE TABLE subscriptions (
    number {identity},
    owner {uuid} NOT NULL,
    starts boolean NOT NULL,
    element bigint NOT NULL,
    start_event {text} NOT NULL,
    kind text NOT NULL,
    name {text} NOT NULL,
    workspace {text} NOT NULL,
    element_id text NOT NULL,
    correlation_key {text},
    business_key {text}
) {plain};
CREATE UNIQUE INDEX subscriptions_subscriber ON subscriptions (owner, starts, element, start_event);
CREATE INDEX subscriptions_name ON subscriptions (name, kind, starts, workspace, number);
CREATE INDEX subscriptions_correlation_key ON subscriptions (name, correlation_key)
    WHERE correlation_key IS NOT NULL;
CREATE INDEX subscriptions_business_key ON subscriptions (name, business_key)
    WHERE correlation_key IS NULL AND business_key IS NOT NULL;

CREATE TABLE incidents (
    instance {uuid} NOT NULL,
    element bigint NOT NULL,
    workspace {text} NOT NULL,
    kind text NOT NULL,
    message text NOT NULL,
    element_id text NOT NULL,
    job text,
    created_at bigint NOT NULL,
    resolved_at bigint,
    PRIMARY KEY (instance, element)
) {keyed};
CREATE INDEX incidents_open ON incidents (instance, created_at) WHERE resolved_at IS NULL;

CREATE TABLE buffered_messages (
    number {identity},
    id {uuid} NOT NULL,
    workspace {text} NOT NULL,
    name {text} NOT NULL,
    correlation_key {text},
    business_key {text},
    instance {uuid},
    variables text NOT NULL,
    expires_at bigint NOT NULL
) {plain};
CREATE UNIQUE INDEX buffered_messages_id ON buffered_messages (id);
CREATE INDEX buffered_messages_correlation_key ON buffered_messages (workspace, name, correlation_key, number);
CREATE INDEX buffered_messages_business_key ON buffered_messages (workspace, name, business_key, number);
CREATE INDEX buffered_messages_end ON buffered_messages (expires_at);

-- SQLite has no statistics unless it is told, and then prefers whichever index has more columns in a query. These say
-- which look-ups give few rows, on a store with many running instances, and are never taken anew
-- (https://sqlite.org/optoverview.html#manual_control_of_query_plans_using_sqlite_stat_tables). Each says how many rows
-- the index has, and how many share its first column, its first two, and so on.
{sqlite}ANALYZE sqlite_schema;
{sqlite}INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
{sqlite}    ('subscriptions', 'subscriptions_subscriber', '1000000 2 2 1 1'),
{sqlite}    ('subscriptions', 'subscriptions_name', '1000000 100000 100000 50000 10000 1'),
{sqlite}    ('subscriptions', 'subscriptions_correlation_key', '500000 50000 2'),
{sqlite}    ('subscriptions', 'subscriptions_business_key', '500000 50000 5'),
{sqlite}    ('buffered_messages', 'buffered_messages_id', '100000 1'),
{sqlite}    ('buffered_messages', 'buffered_messages_correlation_key', '100000 10000 5000 2 1'),
{sqlite}    ('buffered_messages', 'buffered_messages_business_key', '100000 10000 5000 1000 1'),
{sqlite}    ('buffered_messages', 'buffered_messages_end', '100000 10'),
{sqlite}    ('tasks', 'tasks', '1000000 3 1'),
{sqlite}    ('tasks', 'tasks_open', '100000 10000 1'),
{sqlite}    ('tasks', 'tasks_open_anywhere', '100000 1'),
{sqlite}    ('tasks', 'tasks_assignee', '50000 100 1'),
{sqlite}    ('task_groups', 'task_groups', '100000 1000 1 1'),
{sqlite}    ('task_groups', 'task_groups_task', '100000 2 2');

-- Who people are, what ends credentials, and the audit. See m0001_first.sql for the words in braces.

-- created_by was a subject: a reserved word names its kind, anything else a service token.
ALTER TABLE service_tokens ADD COLUMN created_by_kind text NOT NULL DEFAULT 'service';
ALTER TABLE service_tokens ADD COLUMN created_by_issuer text;
ALTER TABLE service_tokens ADD COLUMN owner_issuer {text};
ALTER TABLE service_tokens ADD COLUMN owner_subject {text};
UPDATE service_tokens SET created_by_kind = created_by WHERE created_by IN ('bootstrap', 'system', 'anonymous');

CREATE TABLE users (
    issuer {text} NOT NULL,
    subject {text} NOT NULL,
    username text,
    email text,
    created_at bigint NOT NULL,
    PRIMARY KEY (issuer, subject)
) {keyed};

-- Their users need not have been seen yet.
CREATE TABLE memberships (
    issuer {text} NOT NULL,
    subject {text} NOT NULL,
    workspace {text} NOT NULL,
    role text NOT NULL,
    since bigint NOT NULL,
    PRIMARY KEY (issuer, subject, workspace)
) {keyed};
CREATE INDEX memberships_newest ON memberships (workspace, since, issuer, subject);

-- Who has, or had, one: a row stays when the memberships go.
CREATE TABLE ever_members (
    issuer {text} NOT NULL,
    subject {text} NOT NULL,
    PRIMARY KEY (issuer, subject)
) {keyed};

CREATE TABLE revocations (
    id {uuid} NOT NULL PRIMARY KEY,
    kind text NOT NULL,
    issuer {text} NOT NULL,
    value {text} NOT NULL,
    reason text,
    ban boolean NOT NULL,
    at bigint NOT NULL,
    ends_at bigint,
    created_by text NOT NULL,
    created_by_kind text NOT NULL,
    created_by_issuer text
) {plain};
CREATE INDEX revocations_newest ON revocations (at, id);
CREATE INDEX revocations_end ON revocations (ends_at) WHERE ends_at IS NOT NULL;

-- What replicas poll. A line names what it is about (subject; of a revocation its id alone: the revocation is read beside
-- it, so that a line never says what was lifted since). logged_at is the database's time: lines of Postgres commit in
-- another order than they are numbered.
CREATE TABLE revocation_log (
    position {identity},
    logged_at bigint NOT NULL,
    kind text NOT NULL,
    revocation {uuid},
    subject text
) {plain};
CREATE INDEX revocation_log_age ON revocation_log (logged_at);

-- sequence and hash: NULL until the entry has its place in the chain.
CREATE TABLE audit_entries (
    position {identity},
    sequence bigint,
    hash {bytes},
    time bigint NOT NULL,
    kind text NOT NULL,
    issuer text,
    subject {text} NOT NULL,
    actor text,
    action {text} NOT NULL,
    target text,
    workspace {text},
    outcome text NOT NULL,
    code text,
    ip text,
    request_id text,
    count bigint NOT NULL
) {plain};
CREATE UNIQUE INDEX audit_entries_sequence ON audit_entries (sequence) WHERE sequence IS NOT NULL;
CREATE INDEX audit_entries_waiting ON audit_entries (position) WHERE sequence IS NULL;
CREATE INDEX audit_entries_workspace ON audit_entries (workspace, sequence) WHERE sequence IS NOT NULL;
CREATE INDEX audit_entries_subject ON audit_entries (subject, sequence) WHERE sequence IS NOT NULL;
CREATE INDEX audit_entries_action ON audit_entries (action, sequence) WHERE sequence IS NOT NULL;

-- One row; hash: NULL before the first entry.
CREATE TABLE audit_head (
    id bigint NOT NULL PRIMARY KEY,
    sequence bigint NOT NULL,
    hash {bytes}
) {busy};
INSERT INTO audit_head (id, sequence) VALUES (1, 0);

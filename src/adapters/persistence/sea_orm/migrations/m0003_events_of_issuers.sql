-- Which events of issuers were heard, and quicker ways to what stands against somebody. See m0001_first.sql for the words in
-- braces.

-- By the id of the revocation that the event leads to: an event that comes again counts no more, also when that was lifted.
CREATE TABLE issuer_events (
    revocation {uuid} NOT NULL PRIMARY KEY,
    heard_at bigint NOT NULL
) {keyed};
CREATE INDEX issuer_events_age ON issuer_events (heard_at);
INSERT INTO issuer_events (revocation, heard_at)
    SELECT id, at FROM revocations WHERE created_by_kind = 'system' AND created_by = 'issuer';

CREATE INDEX revocations_target ON revocations (kind, issuer, value);
CREATE INDEX service_tokens_owner ON service_tokens (owner_issuer, owner_subject) WHERE owner_issuer IS NOT NULL;

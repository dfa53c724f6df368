-- Identifiers of service tokens in lower case: `M` beside `m` would be taken for it. Tokens of before that differ in case
-- only stay; a table of its own, since they would break a unique index.
CREATE TABLE service_token_names (
    name {text} NOT NULL PRIMARY KEY
) {keyed};
INSERT INTO service_token_names (name) SELECT DISTINCT lower(id) FROM service_tokens;

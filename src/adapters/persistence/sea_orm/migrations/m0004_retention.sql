-- Up to which number a channel has lost events to retention. A table of its own: the channel's row is locked by whoever
-- numbers events.
CREATE TABLE deleted_events (
    workflow {uuid} NOT NULL PRIMARY KEY,
    sequence bigint NOT NULL
) {keyed};

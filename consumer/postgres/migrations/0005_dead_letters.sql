-- What was given up, with who saw to it; and cycles that a person cancels.

CREATE TABLE dead_letter (
    dead_letter_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream          text NOT NULL,
    entry_id        text NOT NULL,
    reason          text NOT NULL,
    fingerprint     text NOT NULL,          -- the same for the same cause, whatever its numbers and names
    deliveries      integer NOT NULL,
    dead_at         timestamptz NOT NULL,
    fields          json NOT NULL,          -- the entry's own, as they were; json and not jsonb, which refuses \u0000
    trading_day     date,                   -- of the work it asked for, where that is known
    task            text,
    part            text,
    state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed', 'dropped')),
    settled_at      timestamptz,
    settled_by      text,
    settled_reason  text,
    UNIQUE (stream, entry_id),              -- an entry that is redelivered while it is being given up is one letter
    CHECK ((state = 'open') = (settled_at IS NULL))
);
CREATE INDEX dead_letter_open ON dead_letter (dead_letter_id) WHERE state = 'open';

ALTER TABLE cycle DROP CONSTRAINT cycle_state_check;
ALTER TABLE cycle ADD CONSTRAINT cycle_state_check CHECK (state IN
    ('running', 'waiting', 'complete', 'partial', 'failed', 'superseded', 'cancelled'));
ALTER TABLE part DROP CONSTRAINT part_state_check;
ALTER TABLE part ADD CONSTRAINT part_state_check CHECK (state IN
    ('blocked', 'ready', 'running', 'retrying', 'done', 'failed', 'not_yet', 'superseded', 'cancelled'));

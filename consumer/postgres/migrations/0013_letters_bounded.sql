-- What anybody may write is refused as often as it comes, but kept in examples: the newest of each cause, and a count of
-- the rest. Letters of parts are bounded by the ledger; those that stand here already are an operator's: both stay.

ALTER TABLE dead_letter ADD COLUMN example boolean NOT NULL DEFAULT false;  -- one of many that may give way to newer ones
CREATE INDEX dead_letter_examples ON dead_letter (stream, fingerprint, dead_letter_id) WHERE state = 'open' AND example;

CREATE TABLE dead_letter_cause (
    stream       text NOT NULL,
    fingerprint  text NOT NULL,
    seen         bigint NOT NULL,      -- given up for this cause since it has open letters
    not_kept     bigint NOT NULL,      -- of these only counted
    first_at     timestamptz NOT NULL,
    last_at      timestamptz NOT NULL,
    PRIMARY KEY (stream, fingerprint)
);

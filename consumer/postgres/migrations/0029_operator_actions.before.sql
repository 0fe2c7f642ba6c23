-- What persons asked of the service or decided, by whichever way, with who and why: docs/decisions/0036-what-a-person-does-is-on-record.md
CREATE TABLE operator_action (
    action_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    acted_at    timestamptz NOT NULL,
    action      text NOT NULL,
    author      text NOT NULL,
    reason      text,
    via         text NOT NULL,               -- http, page, command line, stream
    about       text NOT NULL,               -- of what, in words
    trading_day date,
    first_day   date,                        -- of a backfill
    request     text UNIQUE,                 -- of what went through the stream: the entry, or the name it was given
    cycle_id    bigint                       -- the cycle that serves the request, once there is one
);
CREATE INDEX operator_action_by_age ON operator_action (acted_at);
CREATE INDEX operator_action_of_day ON operator_action (trading_day);

-- Answers to requests that named themselves (Idempotency-Key): asked again, they are given again and nothing is done twice.
CREATE TABLE idempotent_request (
    key_digest  text PRIMARY KEY,            -- SHA-256 of the key, which may be anything
    fingerprint text NOT NULL,               -- SHA-256 of path and body
    claimed_at  timestamptz NOT NULL,
    status      smallint,                    -- null: somebody is at it
    location    text,
    body        bytea CHECK (octet_length(body) <= 65536)
);
CREATE INDEX idempotent_request_by_age ON idempotent_request (claimed_at);

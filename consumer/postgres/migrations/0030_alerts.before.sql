-- Which deadlines were missed, and what is told of them outside: docs/decisions/0037-absence-is-noticed-from-outside.md
CREATE TABLE missed_deadline (
    trading_day  date NOT NULL,
    data_set     text NOT NULL,
    due_at       timestamptz NOT NULL,  -- the due time that was not served
    deadline     timestamptz NOT NULL,
    noticed_at   timestamptz NOT NULL,
    why          text,
    closed_at    timestamptz,           -- since when it is missed no more: null while it is
    made_good_at timestamptz,           -- when the data were there all the same; null where something else closed it
    PRIMARY KEY (trading_day, data_set, due_at)
);
CREATE INDEX missed_deadline_open ON missed_deadline (trading_day) WHERE closed_at IS NULL;
CREATE INDEX missed_deadline_by_age ON missed_deadline (noticed_at);

-- Messages to a webhook and pings: a row is to be delivered until it says that it was, or that it was given up.
CREATE TABLE alert_message (
    message_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL UNIQUE,  -- what it says: nothing is said twice
    channel      text NOT NULL,         -- webhook or ping
    kind         text NOT NULL,
    body         text NOT NULL,
    made_at      timestamptz NOT NULL,
    tries        integer NOT NULL DEFAULT 0,
    next_try_at  timestamptz NOT NULL,  -- of one that is being tried: when it is tried again if nobody says how it went
    delivered_at timestamptz,
    given_up_at  timestamptz,
    last_answer  text
);
CREATE INDEX alert_message_open ON alert_message (channel, message_id) WHERE delivered_at IS NULL AND given_up_at IS NULL;
CREATE INDEX alert_message_by_age ON alert_message (made_at);

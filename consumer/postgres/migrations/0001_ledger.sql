-- The ledger: which cycle ran, which part of it is done, what each data set covers, from which request.

CREATE TABLE cycle (
    cycle_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trading_day     date NOT NULL,
    occasion        text NOT NULL,          -- 'POST_MARKET+1h' for a rule, 'request:<stream entry>' for a person
    scheduled       boolean NOT NULL,
    due_at          timestamptz NOT NULL,   -- of a rule: transition + offset; of a request: when it was opened
    requested_by    text NOT NULL,
    tasks           text[] NOT NULL,
    force           boolean NOT NULL DEFAULT false,
    state           text NOT NULL CHECK (state IN ('running', 'waiting', 'complete', 'partial', 'failed', 'superseded')),
    pass            integer NOT NULL DEFAULT 1,
    opened_at       timestamptz NOT NULL,
    pass_started_at timestamptz NOT NULL,
    finished_at     timestamptz,
    next_pass_at    timestamptz,
    give_up_at      timestamptz NOT NULL,   -- the next session's open: from then on its own cycle takes over
    reason          text,
    missing         text[] NOT NULL DEFAULT '{}',
    warnings        text[] NOT NULL DEFAULT '{}',
    UNIQUE (trading_day, occasion)
);
-- One cycle runs at a time, in all processes together; the database itself sees to it.
CREATE UNIQUE INDEX cycle_one_running ON cycle ((true)) WHERE state = 'running';
CREATE INDEX cycle_by_day ON cycle (trading_day DESC, cycle_id DESC);

CREATE TABLE part (
    cycle_id    bigint NOT NULL REFERENCES cycle ON DELETE CASCADE,
    task        text NOT NULL,
    part        text NOT NULL,
    stage       text NOT NULL,              -- what other parts wait for, e.g. 'ohlc_daily/bars'
    needs       text[] NOT NULL DEFAULT '{}',
    state       text NOT NULL CHECK (state IN
                ('blocked', 'ready', 'running', 'retrying', 'done', 'failed', 'not_yet', 'superseded')),
    pass        integer NOT NULL,
    payload     jsonb NOT NULL DEFAULT '{}',
    fence       bigint NOT NULL DEFAULT 0,
    holder      text,
    attempt     integer NOT NULL DEFAULT 0,
    started_at  timestamptz,
    ended_at    timestamptz,
    row_count   bigint NOT NULL DEFAULT 0,
    requests    jsonb NOT NULL DEFAULT '{}',
    retryable   boolean NOT NULL DEFAULT false,
    reason      text,
    warnings    text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (cycle_id, task, part)
);
CREATE INDEX part_open ON part (cycle_id, stage) WHERE state IN ('blocked', 'ready', 'running', 'retrying');

CREATE TABLE data_load (
    load_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cycle_id    bigint NOT NULL,
    task        text NOT NULL,
    part        text NOT NULL,
    fence       bigint NOT NULL,
    source      text NOT NULL,              -- 'massive:rest', 'massive:flat_files', 'computed'
    request_id  text,                       -- the vendor's, where there is one
    fetched_at  timestamptz NOT NULL,
    row_count   bigint NOT NULL,
    rejected    jsonb NOT NULL DEFAULT '{}'
);

-- One row a data set and trading day: what was proven to be there, and when it was fetched.
CREATE TABLE coverage (
    data_set    text NOT NULL,
    trading_day date NOT NULL,
    row_count   bigint NOT NULL,
    fetched_at  timestamptz NOT NULL,
    load_id     bigint NOT NULL,
    detail      jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (data_set, trading_day)
);

-- The verdict on each session, for SQL readers; what the plan behind the key gives; and what retention has deleted.

CREATE TABLE session_condition (
    trading_day      date PRIMARY KEY,
    condition        text NOT NULL CHECK (condition IN ('available', 'pending', 'degraded', 'missing')),
    state            text NOT NULL CHECK (state IN
                     ('missing', 'partial', 'provisional', 'final', 'suspect', 'retired')),
    reason           text NOT NULL,             -- one sentence
    state_since      timestamptz NOT NULL,      -- since when it has been in this state
    last_modified_at timestamptz,               -- when its bars or slots were last fetched; null: never
    judged_at        timestamptz NOT NULL,      -- a service that is down judges nobody
    data_sets        jsonb NOT NULL             -- the same for each data set
);

-- Learned from the vendor's refusals and answers, kept until another one says otherwise; without a row it is given.
CREATE TABLE vendor_capability (
    capability text PRIMARY KEY,
    available  boolean NOT NULL,
    learned_at timestamptz NOT NULL,
    evidence   text NOT NULL,
    refused_since timestamptz           -- given until now, and refused since: believed on a later day
);

-- A session that retention has deleted: once whole, not missing, not fetched again.
ALTER TABLE coverage ADD COLUMN retired_at timestamptz;

-- First session on which a symbol is expected that a later listing brought; null: as far back as data go.
ALTER TABLE ticker_universe ADD COLUMN IF NOT EXISTS listed_from date;

-- What coverage said of slots was that they had been held against the bars, also for a day with a single row.
UPDATE coverage SET data_set = 'slot_proof' WHERE data_set = 'volume_slots';

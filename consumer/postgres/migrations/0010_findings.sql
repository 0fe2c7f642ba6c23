-- What was found against a session's data. An open finding makes the session suspect; what stands is served all the same.

CREATE TABLE session_finding (
    finding_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trading_day       date NOT NULL,
    data_set          text NOT NULL,
    kind              text NOT NULL,
    reason            text NOT NULL,              -- one sentence, with figures
    symbols           text[] NOT NULL DEFAULT '{}',  -- on which it stands or falls; none: the market as a whole
    evidence          jsonb NOT NULL DEFAULT '{}',
    contested         bytea,                      -- rows of an answer that was not taken: msgpack, zlib
    contested_at      timestamptz,                -- when that answer was fetched
    load_id           bigint NOT NULL,            -- of what stands, or of the answer that was not taken
    found_at          timestamptz NOT NULL,
    rechecked_at      timestamptz,                -- last time that it was held against independent evidence
    state             text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'cleared', 'accepted')),
    settled_at        timestamptz,
    settled_by        text,
    settled_reason    text,
    rows_replaced_at  timestamptz,                -- since when the session has other rows than those it was settled for
    CHECK ((state = 'open') = (settled_at IS NULL))
);
CREATE UNIQUE INDEX session_finding_open ON session_finding (trading_day, data_set, kind) WHERE state = 'open';
CREATE INDEX session_finding_by_day ON session_finding (trading_day, data_set);

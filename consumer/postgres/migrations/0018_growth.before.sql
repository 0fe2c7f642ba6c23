-- What a night asks is found by an index, however many nights there were: tests/cycle/test_reads_its_window.py.

CREATE INDEX cycle_open ON cycle (cycle_id) WHERE state IN ('running', 'waiting');
CREATE INDEX cycle_by_opening ON cycle (opened_at);
CREATE INDEX cycle_by_occasion ON cycle (occasion text_pattern_ops);
CREATE INDEX cycle_by_end ON cycle (finished_at);

-- When a data set last changed, and its newest row of all days.
CREATE INDEX coverage_by_fetch ON coverage (data_set, fetched_at DESC, load_id DESC) INCLUDE (trading_day);
CREATE INDEX coverage_retired ON coverage (retired_at) WHERE retired_at IS NOT NULL;
CREATE INDEX session_finding_by_change ON session_finding (greatest(found_at, settled_at));

-- Which version of a session's flat file was loaded last.
CREATE INDEX data_load_by_part ON data_load (part, load_id DESC);

CREATE INDEX stock_split_by_day ON stock_split (execution_day);

-- What the past means for each symbol's ATR as of one session: a night then reads the sessions since. Made anew from the
-- bars whenever anything that it is made of has changed: docs/decisions/0005-atr-over-all-stored-history.md.
CREATE TABLE atr_past (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    as_of          date NOT NULL,
    period         integer NOT NULL,
    unbroken_since date NOT NULL,           -- first session of the chain without a hole that led to as_of
    computed_at    timestamptz NOT NULL
);
CREATE TABLE atr_state (
    symbol  text COLLATE "C" PRIMARY KEY,
    average double precision NOT NULL,      -- the ATR; with too few bars the sum of the true ranges
    close   double precision NOT NULL,
    bars    integer NOT NULL,
    basis   text NOT NULL                   -- its splits, names and last hole up to as_of: with others it is void
);

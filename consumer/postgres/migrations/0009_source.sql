-- Whose data this database holds: written once, before the first row of data; a run of another source is refused.
CREATE TABLE data_source (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    kind       text NOT NULL CHECK (kind IN ('vendor', 'simulated', 'replay')),
    identity   text NOT NULL,               -- 'massive'; 'seed=1 tickers=11000'; digest of the replayed folder
    name       text NOT NULL,               -- of a replayed folder, for people; '' otherwise
    stamped_at timestamptz NOT NULL,
    stamped_by text NOT NULL                -- 'first load', 'data_load rows', or who adopted it
);

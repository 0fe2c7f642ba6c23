-- What each week's sample of stored data came to: how much of it the vendor gives otherwise by now.
CREATE TABLE sampled_recheck (
    week        date NOT NULL,         -- Monday of the week that the sample is of
    data_set    text NOT NULL,
    trading_day date NOT NULL,         -- the session that was fetched again
    checked_at  timestamptz NOT NULL,
    compared    bigint NOT NULL,       -- rows of it, of a session's bars all, of its slots those of the sampled symbols
    differed    bigint NOT NULL,
    load_id     bigint NOT NULL,
    PRIMARY KEY (week, data_set, trading_day)
);
CREATE INDEX sampled_recheck_by_age ON sampled_recheck (checked_at);

-- What makes the data trustworthy: rows set aside, restatements, splits held against prices, and whose a symbol was when.

CREATE TABLE set_aside (
    load_id     bigint NOT NULL,
    data_set    text NOT NULL,
    trading_day date NOT NULL,
    flaw        text NOT NULL,
    evidence    json NOT NULL               -- the row as it came; json and not jsonb, which refuses \u0000
);
CREATE INDEX set_aside_by_day ON set_aside (trading_day, data_set);

-- A row of a final session that a later fetch gave otherwise: what stood before, and what stands now.
CREATE TABLE restatement (
    data_set    text NOT NULL,
    trading_day date NOT NULL,
    symbol      text COLLATE "C" NOT NULL,
    change      text NOT NULL CHECK (change IN ('added', 'removed', 'changed')),
    before      jsonb,
    after       jsonb,
    load_id     bigint NOT NULL,            -- the load that brought what stands now
    found_at    timestamptz NOT NULL
);
CREATE INDEX restatement_by_day ON restatement (trading_day, data_set);

-- A day's splits as listed, one a ratio; which of them count is decided by the overnight price ratio.
ALTER TABLE stock_split DROP CONSTRAINT stock_split_pkey;
ALTER TABLE stock_split ADD PRIMARY KEY (symbol, execution_day, split_from, split_to);
ALTER TABLE stock_split
    ADD COLUMN verdict text NOT NULL DEFAULT 'unchecked' CHECK (verdict IN ('unchecked', 'confirmed', 'contradicted')),
    ADD COLUMN price_ratio double precision,   -- first price of the day over the last close before it, both raw
    ADD COLUMN first_listed_at timestamptz;

ALTER TABLE ticker_universe
    ADD COLUMN state text NOT NULL DEFAULT 'listed'
        CHECK (state IN ('listed', 'renamed', 'delisted', 'unlisted', 'otc', 'test')),
    ADD COLUMN issuer_since date,           -- first session of the present issuer; null: as far back as data goes
    ADD COLUMN delisted_at timestamptz,
    ADD COLUMN market_data_symbol text COLLATE "C";  -- how bars spell it, where that differs from the listing
UPDATE ticker_universe SET state = 'unlisted' WHERE NOT is_active;

-- What happened to a symbol: its company took another one (renamed), or another company took it (reissued).
CREATE TABLE ticker_change (
    symbol      text COLLATE "C" NOT NULL,
    changed_on  date NOT NULL,              -- the first session on which it was so
    kind        text NOT NULL CHECK (kind IN ('renamed', 'reissued')),
    new_symbol  text COLLATE "C",           -- of a company that was renamed: where its history is found now
    since       date,                       -- first session of that company under the old symbol; null: always
    old_figi    text,
    new_figi    text,
    found_at    timestamptz NOT NULL,
    PRIMARY KEY (symbol, changed_on, kind)
);

-- Bars by the issuer of today: a renamed company keeps its history, a reissued symbol does not inherit one.
CREATE VIEW daily_history AS
SELECT b.trading_date, coalesce(c.new_symbol, b.symbol) AS symbol, b.symbol AS traded_as,
       b.open, b.high, b.low, b.close, b.volume, b.vwap, b.trades_count, b.load_id
FROM market_data_daily AS b
LEFT JOIN ticker_change AS c
       ON c.kind = 'renamed' AND c.symbol = b.symbol AND b.trading_date < c.changed_on
      AND b.trading_date >= coalesce(c.since, '-infinity')
LEFT JOIN ticker_universe AS u ON u.symbol = b.symbol
LEFT JOIN ticker_metadata AS m ON m.symbol = b.symbol
WHERE c.symbol IS NOT NULL
   OR (b.trading_date >= coalesce(u.issuer_since, '-infinity')
       AND (u.issuer_since IS NOT NULL OR b.trading_date >= coalesce(m.list_date, '-infinity')));

CREATE VIEW slot_history AS
SELECT s.trading_date, coalesce(c.new_symbol, s.symbol) AS symbol, s.symbol AS traded_as, s.outcome, s.volumes,
       s.fetched_at, s.load_id
FROM volume_slots_daily AS s
LEFT JOIN ticker_change AS c
       ON c.kind = 'renamed' AND c.symbol = s.symbol AND s.trading_date < c.changed_on
      AND s.trading_date >= coalesce(c.since, '-infinity')
LEFT JOIN ticker_universe AS u ON u.symbol = s.symbol
WHERE c.symbol IS NOT NULL OR s.trading_date >= coalesce(u.issuer_since, '-infinity');

-- Prices multiplied, and volumes divided, by from/to of every split that counts and was executed after the bar's day.
CREATE VIEW market_data_daily_adjusted AS
SELECT h.trading_date, h.symbol, h.open * f.factor AS open, h.high * f.factor AS high, h.low * f.factor AS low,
       h.close * f.factor AS close, h.volume / f.factor AS volume, h.vwap * f.factor AS vwap, h.trades_count,
       f.factor AS price_factor, h.load_id
FROM daily_history AS h
CROSS JOIN LATERAL (
    SELECT coalesce(exp(sum(ln(s.split_from / s.split_to))), 1) AS factor FROM stock_split AS s
    WHERE s.symbol = h.symbol AND s.execution_day > h.trading_date AND s.verdict <> 'contradicted'
      AND s.execution_day <= (SELECT max(trading_day) FROM coverage WHERE data_set = 'daily_bars')
) AS f;

CREATE VIEW volume_slots_adjusted AS
SELECT h.trading_date AS date, h.symbol, slot.slot_number, slot.slot_time, slot.volume / f.factor AS volume,
       slot.volume_accumulated / f.factor AS volume_accumulated, f.factor AS price_factor
FROM slot_history AS h
CROSS JOIN LATERAL (
    SELECT coalesce(exp(sum(ln(s.split_from / s.split_to))), 1) AS factor FROM stock_split AS s
    WHERE s.symbol = h.symbol AND s.execution_day > h.trading_date AND s.verdict <> 'contradicted'
      AND s.execution_day <= (SELECT max(trading_day) FROM coverage WHERE data_set = 'daily_bars')
) AS f
CROSS JOIN LATERAL (
    SELECT (n - 1)::integer AS slot_number,
           time '04:00' + (n - 1) * interval '5 minutes' AS slot_time,
           v AS volume,
           sum(v) OVER (ORDER BY n) AS volume_accumulated
    FROM unnest(h.volumes) WITH ORDINALITY AS u (v, n)
) AS slot
WHERE slot.volume > 0;

-- A backfill is a cycle with a first day of its own: those sessions only, only their gaps, and tonight goes before it.
ALTER TABLE cycle ADD COLUMN first_day date;

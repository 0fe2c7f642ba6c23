-- Stored evidence outranks what one answer says: docs/evidence.md. History is cut by decisions that are written down.

ALTER TABLE ticker_universe
    ADD COLUMN listed_share_class_figi text,
    ADD COLUMN IF NOT EXISTS listed_from date,  -- first session expected of a symbol that a later listing brought; null: any
    ADD COLUMN missing_since date,          -- day of the first complete listing that lacked it while its bars went on
    ADD COLUMN missing_until date,          -- day of the last one
    ADD COLUMN missed_listings integer NOT NULL DEFAULT 0;  -- listings of later days than missing_since that lacked it
ALTER TABLE ticker_universe ADD CONSTRAINT bounds_listed_share_class_figi
    CHECK (length(listed_share_class_figi) <= 12 AND listed_share_class_figi ~ '^(?:[A-Za-z0-9]+)$');
UPDATE ticker_universe AS u SET listed_share_class_figi = m.share_class_figi
FROM ticker_metadata AS m WHERE m.symbol = u.symbol;

ALTER TABLE ticker_change DROP CONSTRAINT ticker_change_kind_check;
ALTER TABLE ticker_change
    ADD CONSTRAINT ticker_change_kind_check CHECK (kind IN ('renamed', 'reissued', 'corrected', 'contested', 'listed')),
    ADD COLUMN old_codes jsonb,             -- FIGIs and CIK as they were known
    ADD COLUMN new_codes jsonb,             -- and as the listing gave them
    ADD COLUMN listed_on date,              -- day of the listing that showed it: what happened lies between the two days
    ADD COLUMN evidence text,
    ADD COLUMN closed_on date;              -- of a rename: another company has the new symbol since

-- Of how many observed sessions each average is.
ALTER TABLE ticker_metadata
    ADD COLUMN avg_volume_sessions integer,
    ADD COLUMN avg_volume_sessions_10d integer,
    ADD COLUMN avg_volume_sessions_5d integer;

ALTER TABLE set_aside ADD COLUMN IF NOT EXISTS symbol text;
CREATE INDEX IF NOT EXISTS set_aside_by_symbol ON set_aside (symbol, trading_day) WHERE symbol IS NOT NULL;

-- Whose split it is, where that is not the company that has the symbol: listed under a former symbol, for example.
ALTER TABLE stock_split ADD COLUMN company text COLLATE "C";
CREATE INDEX stock_split_by_company ON stock_split ((coalesce(company, symbol)), execution_day);

-- Under which symbols, and when, the raw rows of a company stand.
CREATE VIEW company_span AS
SELECT symbol AS company, symbol AS traded_as, coalesce(issuer_since, '-infinity'::date) AS first_day,
       'infinity'::date AS last_day
FROM ticker_universe
UNION ALL
SELECT new_symbol, symbol, coalesce(since, '-infinity'::date), changed_on - 1
FROM ticker_change WHERE kind = 'renamed' AND closed_on IS NULL;

-- A list date cuts nothing by itself any more: what the bars bear out of it is in issuer_since.
CREATE OR REPLACE VIEW daily_history AS
SELECT b.trading_date, coalesce(c.new_symbol, b.symbol) AS symbol, b.symbol AS traded_as,
       b.open, b.high, b.low, b.close, b.volume, b.vwap, b.trades_count, b.load_id
FROM market_data_daily AS b
LEFT JOIN ticker_change AS c
       ON c.kind = 'renamed' AND c.closed_on IS NULL AND c.symbol = b.symbol AND b.trading_date < c.changed_on
      AND b.trading_date >= coalesce(c.since, '-infinity')
LEFT JOIN ticker_universe AS u ON u.symbol = b.symbol
WHERE c.symbol IS NOT NULL OR b.trading_date >= coalesce(u.issuer_since, '-infinity');

CREATE OR REPLACE VIEW slot_history AS
SELECT s.trading_date, coalesce(c.new_symbol, s.symbol) AS symbol, s.symbol AS traded_as, s.outcome, s.volumes,
       s.fetched_at, s.load_id
FROM volume_slots_daily AS s
LEFT JOIN ticker_change AS c
       ON c.kind = 'renamed' AND c.closed_on IS NULL AND c.symbol = s.symbol AND s.trading_date < c.changed_on
      AND s.trading_date >= coalesce(c.since, '-infinity')
LEFT JOIN ticker_universe AS u ON u.symbol = s.symbol
WHERE c.symbol IS NOT NULL OR s.trading_date >= coalesce(u.issuer_since, '-infinity');

-- A split counts once a company, day and ratio, under whichever of its symbols, and how often, it is listed.
CREATE OR REPLACE VIEW market_data_daily_adjusted AS
SELECT h.trading_date, h.symbol, h.open * f.factor AS open, h.high * f.factor AS high, h.low * f.factor AS low,
       h.close * f.factor AS close, h.volume / f.factor AS volume, h.vwap * f.factor AS vwap, h.trades_count,
       f.factor AS price_factor, h.load_id
FROM daily_history AS h
CROSS JOIN LATERAL (
    SELECT coalesce(exp(sum(one.ratio)), 1) AS factor FROM (
        SELECT min(ln(s.split_from / s.split_to)) AS ratio FROM stock_split AS s
        WHERE coalesce(s.company, s.symbol) = h.symbol AND s.execution_day > h.trading_date
          AND s.verdict <> 'contradicted'
          AND s.execution_day <= (SELECT max(trading_day) FROM coverage WHERE data_set = 'daily_bars')
        GROUP BY s.execution_day, round(ln(s.split_from / s.split_to)::numeric, 9)
    ) AS one
) AS f;

CREATE OR REPLACE VIEW volume_slots_adjusted AS
SELECT h.trading_date AS date, h.symbol, slot.slot_number, slot.slot_time, slot.volume / f.factor AS volume,
       slot.volume_accumulated / f.factor AS volume_accumulated, f.factor AS price_factor
FROM slot_history AS h
CROSS JOIN LATERAL (
    SELECT coalesce(exp(sum(one.ratio)), 1) AS factor FROM (
        SELECT min(ln(s.split_from / s.split_to)) AS ratio FROM stock_split AS s
        WHERE coalesce(s.company, s.symbol) = h.symbol AND s.execution_day > h.trading_date
          AND s.verdict <> 'contradicted'
          AND s.execution_day <= (SELECT max(trading_day) FROM coverage WHERE data_set = 'daily_bars')
        GROUP BY s.execution_day, round(ln(s.split_from / s.split_to)::numeric, 9)
    ) AS one
) AS f
CROSS JOIN LATERAL (
    SELECT (n - 1)::integer AS slot_number,
           time '04:00' + (n - 1) * interval '5 minutes' AS slot_time,
           v AS volume,
           sum(v) OVER (ORDER BY n) AS volume_accumulated
    FROM unnest(h.volumes) WITH ORDINALITY AS u (v, n)
) AS slot
WHERE slot.volume > 0;

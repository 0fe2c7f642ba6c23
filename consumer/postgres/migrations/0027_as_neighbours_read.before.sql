-- What SQL readers of the earlier service find under the names that they know, at what it cost them there.

-- They loaded adjusted prices: a new database shows them these. One that readers have read already stays as it is, until
-- READER_PRICES says otherwise.
UPDATE reader_prices SET prices = 'adjusted' WHERE NOT EXISTS (SELECT FROM schema_migration WHERE applied_at < now());

-- What neighbours put in themselves says who and what it is, and not when it came.
ALTER TABLE listed_ticker ALTER COLUMN added_at SET DEFAULT now(), ALTER COLUMN changed_at SET DEFAULT now();
ALTER TABLE ticker_profile ALTER COLUMN created_at SET DEFAULT now(), ALTER COLUMN updated_at SET DEFAULT now();

CREATE OR REPLACE FUNCTION refuse_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is a view for readers, and nothing is written to it: this service loads what it shows',
        TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING HINT = 'switch off whoever loaded it before, or name another schema for these views in READERS_SCHEMA and leave '
                     'it its own; a worker that comes here is of a release before 14: stop it, and start one of this release';
END
$$;

CREATE INDEX session_slots_by_symbol ON session_slots (symbol, trading_date DESC);

-- As before, in two halves: what stands under its own symbol is found by that symbol in an index, which a coalesce() of two
-- symbols is not.
CREATE OR REPLACE VIEW daily_history AS
SELECT b.trading_date, b.symbol, b.symbol AS traded_as, b.open, b.high, b.low, b.close, b.volume, b.vwap, b.trades_count,
       b.load_id
FROM daily_bar AS b
LEFT JOIN listed_ticker AS u ON u.symbol = b.symbol
WHERE b.trading_date >= coalesce(u.issuer_since, '-infinity')
  AND NOT EXISTS (
      SELECT FROM ticker_change AS c
      WHERE c.kind = 'renamed' AND c.closed_on IS NULL AND c.new_symbol IS NOT NULL AND c.symbol = b.symbol
        AND b.trading_date < c.changed_on AND b.trading_date >= coalesce(c.since, '-infinity'))
UNION ALL
SELECT b.trading_date, c.new_symbol, b.symbol, b.open, b.high, b.low, b.close, b.volume, b.vwap,
       b.trades_count, b.load_id
FROM ticker_change AS c
JOIN daily_bar AS b
  ON b.symbol = c.symbol AND b.trading_date < c.changed_on AND b.trading_date >= coalesce(c.since, '-infinity')
WHERE c.kind = 'renamed' AND c.closed_on IS NULL AND c.new_symbol IS NOT NULL;

CREATE OR REPLACE VIEW slot_history AS
SELECT s.trading_date, s.symbol, s.symbol AS traded_as, s.outcome, s.volumes, s.fetched_at, s.load_id, s.trades,
       s.trades_unknown
FROM session_slots AS s
LEFT JOIN listed_ticker AS u ON u.symbol = s.symbol
WHERE s.trading_date >= coalesce(u.issuer_since, '-infinity')
  AND NOT EXISTS (
      SELECT FROM ticker_change AS c
      WHERE c.kind = 'renamed' AND c.closed_on IS NULL AND c.new_symbol IS NOT NULL AND c.symbol = s.symbol
        AND s.trading_date < c.changed_on AND s.trading_date >= coalesce(c.since, '-infinity'))
UNION ALL
SELECT s.trading_date, c.new_symbol, s.symbol, s.outcome, s.volumes, s.fetched_at, s.load_id, s.trades,
       s.trades_unknown
FROM ticker_change AS c
JOIN session_slots AS s
  ON s.symbol = c.symbol AND s.trading_date < c.changed_on AND s.trading_date >= coalesce(c.since, '-infinity')
WHERE c.kind = 'renamed' AND c.closed_on IS NULL AND c.new_symbol IS NOT NULL;

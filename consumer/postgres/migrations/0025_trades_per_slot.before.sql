-- Of how many trades each slot's volume is made, as the bars say that are fetched anyway. Null elements: of that slot
-- nobody said it. Without a program that asks for it, or with a source that does not say it, the whole is null.
ALTER TABLE session_slots
    ADD COLUMN trades integer[],        -- 192, as volumes
    ADD COLUMN trades_unknown smallint; -- in how many slots with volume it was not said; null: nobody asked

-- Not valid, of rows that are there: they have none of both, and to go over years of them would stop all readers.
ALTER TABLE session_slots
    ADD CONSTRAINT bounds_trades CHECK (0 <= ALL (trades) AND 1000000000 >= ALL (trades)) NOT VALID,
    ADD CONSTRAINT slots_without_trades CHECK (trades_unknown BETWEEN 0 AND 192) NOT VALID,
    ADD CONSTRAINT trades_of_volumes
        CHECK (trades IS NULL OR cardinality(trades) = 192 AND volumes IS NOT NULL AND trades_unknown IS NOT NULL)
        NOT VALID;

CREATE OR REPLACE VIEW slot_history AS
SELECT s.trading_date, coalesce(c.new_symbol, s.symbol) AS symbol, s.symbol AS traded_as, s.outcome, s.volumes,
       s.fetched_at, s.load_id, s.trades, s.trades_unknown
FROM session_slots AS s
LEFT JOIN ticker_change AS c
       ON c.kind = 'renamed' AND c.closed_on IS NULL AND c.symbol = s.symbol AND s.trading_date < c.changed_on
      AND s.trading_date >= coalesce(c.since, '-infinity')
LEFT JOIN listed_ticker AS u ON u.symbol = s.symbol
WHERE c.symbol IS NOT NULL OR s.trading_date >= coalesce(u.issuer_since, '-infinity');

-- What a value can be, as market/bounded_fields.py says it for the readers too. What stood outside is set aside or emptied
-- first, so that no old row blocks a later update.

ALTER TABLE set_aside ADD COLUMN IF NOT EXISTS symbol text;
ALTER TABLE set_aside ADD COLUMN IF NOT EXISTS field text;  -- null: the whole row was set aside; else this field alone

-- Daily bars that cannot be are set aside with what they said. Text, where JSON has no word for a number.
WITH beyond AS (
    DELETE FROM market_data_daily AS b
    WHERE NOT (symbol ~ '^(?:[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19})$'
               AND open BETWEEN 1e-6 AND 1e7 AND high BETWEEN 1e-6 AND 1e7 AND low BETWEEN 1e-6 AND 1e7
               AND close BETWEEN 1e-6 AND 1e7 AND open BETWEEN low AND high AND close BETWEEN low AND high
               AND (volume = 0 OR volume BETWEEN 1e-6 AND 1e12))
    RETURNING *
)
INSERT INTO set_aside (load_id, data_set, trading_day, flaw, symbol, evidence)
SELECT load_id, 'daily_bars', trading_date, 'bounds', symbol,
       json_build_object('open', open::text, 'high', high::text, 'low', low::text, 'close', close::text,
                         'volume', volume::text, 'vwap', vwap::text, 'trades_count', trades_count)
FROM beyond;

WITH doubtful AS (
    SELECT trading_date, symbol, vwap, load_id FROM market_data_daily WHERE vwap IS NOT NULL AND NOT vwap BETWEEN low AND high
)
INSERT INTO set_aside (load_id, data_set, trading_day, flaw, symbol, field, evidence)
SELECT load_id, 'daily_bars', trading_date, 'outside_range', symbol, 'vw', json_build_object('vw', vwap::text)
FROM doubtful;
UPDATE market_data_daily SET vwap = NULL WHERE vwap IS NOT NULL AND NOT vwap BETWEEN low AND high;

WITH doubtful AS (
    SELECT trading_date, symbol, trades_count, load_id FROM market_data_daily WHERE NOT trades_count BETWEEN 0 AND 1e9
)
INSERT INTO set_aside (load_id, data_set, trading_day, flaw, symbol, field, evidence)
SELECT load_id, 'daily_bars', trading_date, 'bounds', symbol, 'n', json_build_object('n', trades_count)
FROM doubtful;
UPDATE market_data_daily SET trades_count = NULL WHERE NOT trades_count BETWEEN 0 AND 1e9;

ALTER TABLE market_data_daily
    ADD CONSTRAINT bounds_symbol CHECK (length(symbol) <= 20 AND symbol ~ '^(?:[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19})$'),
    ADD CONSTRAINT bounds_open CHECK (open BETWEEN 1e-6 AND 1e7),
    ADD CONSTRAINT bounds_high CHECK (high BETWEEN 1e-6 AND 1e7),
    ADD CONSTRAINT bounds_low CHECK (low BETWEEN 1e-6 AND 1e7),
    ADD CONSTRAINT bounds_close CHECK (close BETWEEN 1e-6 AND 1e7),
    ADD CONSTRAINT bounds_vwap CHECK (vwap BETWEEN 1e-6 AND 1e7),
    ADD CONSTRAINT bounds_volume CHECK (volume = 0 OR volume BETWEEN 1e-6 AND 1e12),
    ADD CONSTRAINT bounds_trades_count CHECK (trades_count BETWEEN 0 AND 1e9),
    ADD CONSTRAINT range_of_the_day CHECK (open BETWEEN low AND high AND close BETWEEN low AND high),
    ADD CONSTRAINT range_of_the_mean CHECK (vwap BETWEEN low AND high);

UPDATE data_load SET request_id = NULL WHERE NOT (length(request_id) <= 200 AND request_id ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$');
ALTER TABLE data_load
    ADD CONSTRAINT bounds_request_id CHECK (length(request_id) <= 200 AND request_id ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$');

-- The other tables: a text by its longest length and pattern, anything else by a condition. What stands outside goes into
-- set_aside; where the column may be null the field is emptied, else the row goes.
DO $$
DECLARE
    one record;
    holds text;
    whole_row boolean;
BEGIN
    FOR one IN SELECT * FROM (VALUES
        ('volume_slots_daily', 'symbol', 20, '[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19}'),
        ('volume_slots_daily', 'volumes', NULL, '0 <= ALL (volumes) AND 1e12 >= ALL (volumes)'),
        ('ticker_atr', 'symbol', 20, '[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19}'),
        ('ticker_atr', 'atr', NULL, 'atr BETWEEN 0 AND 1e10'),
        ('ticker_atr', 'atr_percent', NULL, 'atr_percent BETWEEN 0 AND 1e12'),
        ('ticker_universe', 'symbol', 20, '[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19}'),
        ('ticker_universe', 'ticker_type', 50, '[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+'),
        ('ticker_universe', 'listed_figi', 12, '[A-Za-z0-9]+'),
        ('ticker_universe', 'listed_cik', 10, '[0-9]+'),
        ('ticker_universe', 'delisted_at', NULL, 'delisted_at BETWEEN ''1792-05-17 00:00:00+00'' AND ''2200-01-01 00:00:00+00'''),
        ('ticker_metadata', 'symbol', 20, '[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19}'),
        ('ticker_metadata', 'company_name', 500, '[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+'),
        ('ticker_metadata', 'exchange', 20, '[A-Za-z0-9._-]+'),
        ('ticker_metadata', 'ticker_type', 50, '[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+'),
        ('ticker_metadata', 'industry', 500, '[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+'),
        ('ticker_metadata', 'sic_code', 4, '[0-9]+'),
        ('ticker_metadata', 'market_cap', NULL, 'market_cap BETWEEN 1e-6 AND 1e15'),
        ('ticker_metadata', 'float_shares', NULL, 'float_shares BETWEEN 0 AND 1e13'),
        ('ticker_metadata', 'float_percent', NULL, 'float_percent BETWEEN 0 AND 100'),
        ('ticker_metadata', 'shares_outstanding', NULL, 'shares_outstanding BETWEEN 1 AND 1e13'),
        ('ticker_metadata', 'shares_class', NULL, 'shares_class BETWEEN 1 AND 1e13'),
        ('ticker_metadata', 'avg_volume_30d', NULL, 'avg_volume_30d BETWEEN 0 AND 1e12'),
        ('ticker_metadata', 'avg_volume_10d', NULL, 'avg_volume_10d BETWEEN 0 AND 1e12'),
        ('ticker_metadata', 'avg_volume_5d', NULL, 'avg_volume_5d BETWEEN 0 AND 1e12'),
        ('ticker_metadata', 'avg_price_30d', NULL, 'avg_price_30d BETWEEN 1e-9 AND 1e10'),
        ('ticker_metadata', 'last_close', NULL, 'last_close BETWEEN 1e-9 AND 1e10'),
        ('ticker_metadata', 'cik', 10, '[0-9]+'),
        ('ticker_metadata', 'composite_figi', 12, '[A-Za-z0-9]+'),
        ('ticker_metadata', 'share_class_figi', 12, '[A-Za-z0-9]+'),
        ('ticker_metadata', 'float_effective_date', NULL, 'float_effective_date BETWEEN ''1970-01-01'' AND ''2200-01-01'''),
        ('ticker_metadata', 'list_date', NULL, 'list_date BETWEEN ''1792-05-17'' AND ''2200-01-01'''),
        ('stock_split', 'symbol', 20, '[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19}'),
        ('stock_split', 'execution_day', NULL, 'execution_day BETWEEN ''1970-01-01'' AND ''2200-01-01'''),
        ('stock_split', 'split_from', NULL, 'split_from BETWEEN 1e-6 AND 1e6'),
        ('stock_split', 'split_to', NULL, 'split_to BETWEEN 1e-6 AND 1e6'),
        ('stock_split', 'kind', 50, '[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+'),
        ('stock_split', 'price_ratio', NULL, 'price_ratio BETWEEN 1e-13 AND 1e13')
    ) AS b (tab, col, longest, rule)
    LOOP
        holds := CASE WHEN one.longest IS NULL THEN one.rule
                      ELSE format('length(%1$I) <= %2$s AND %1$I ~ %3$L', one.col, one.longest, '^(?:' || one.rule || ')$') END;
        -- A row of slots without its volumes says nothing.
        whole_row := one.col = 'volumes' OR (
            SELECT attnotnull FROM pg_attribute WHERE attrelid = one.tab::regclass AND attname = one.col);
        EXECUTE format(
            'INSERT INTO set_aside (load_id, data_set, trading_day, flaw, symbol, field, evidence) '
            'SELECT 0, %1$L, %2$s, ''bounds'', left(symbol, 20), %3$L, json_build_object(%4$L, left(%4$I::text, 200)) '
            'FROM %5$I WHERE %4$I IS NOT NULL AND NOT (%6$s)',
            CASE one.tab WHEN 'volume_slots_daily' THEN 'volume_slots' WHEN 'ticker_atr' THEN 'atr'
                WHEN 'ticker_universe' THEN 'universe' WHEN 'ticker_metadata' THEN 'details' ELSE 'splits' END,
            CASE one.tab WHEN 'ticker_universe' THEN 'last_seen' WHEN 'ticker_metadata' THEN 'updated_at::date'
                WHEN 'stock_split' THEN 'execution_day' ELSE 'trading_date' END,
            CASE WHEN NOT whole_row THEN one.col END, one.col, one.tab, holds);
        EXECUTE format(
            CASE WHEN whole_row THEN 'DELETE FROM %1$I WHERE %2$I IS NOT NULL AND NOT (%3$s)'
                 ELSE 'UPDATE %1$I SET %2$I = NULL WHERE %2$I IS NOT NULL AND NOT (%3$s)' END, one.tab, one.col, holds);
        EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I CHECK (%s)', one.tab, 'bounds_' || one.col, holds);
    END LOOP;
END
$$;

ALTER TABLE stock_split ADD CONSTRAINT ratio_of_the_split CHECK (split_from / split_to BETWEEN 1e-6 AND 1e6);

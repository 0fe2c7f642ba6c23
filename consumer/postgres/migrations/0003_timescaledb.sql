-- Where the TimescaleDB extension is installed, the bars become hypertables; plain PostgreSQL keeps plain tables.

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM create_hypertable('market_data_daily', by_range('trading_date', interval '1 month'),
                                  if_not_exists => true, migrate_data => true);
        PERFORM create_hypertable('volume_slots_daily', by_range('trading_date', interval '7 days'),
                                  if_not_exists => true, migrate_data => true);
    END IF;
END
$$;

-- Our tables stand in a schema of our own and have names of our own; the names that SQL readers know become views in
-- theirs (consumer/postgres/readers.py). No row is written: moving and renaming change the catalogue alone.
-- Serves programs from 14 on.

-- Keys, indexes and checks keep their names: TimescaleDB keeps names of its own for each chunk of them.
ALTER TABLE market_data_daily RENAME TO daily_bar;
ALTER TABLE volume_slots_daily RENAME TO session_slots;
ALTER TABLE ticker_universe RENAME TO listed_ticker;
ALTER TABLE ticker_metadata RENAME TO ticker_profile;

-- What of the readers' views is ours, as it was last made: a name that is not here is somebody else's.
CREATE TABLE reader_view (
    name       text PRIMARY KEY,
    definition text NOT NULL
);
INSERT INTO reader_view VALUES ('volume_slots', ''), ('market_data_daily_adjusted', ''), ('volume_slots_adjusted', '');

DO $$
DECLARE
    of_readers text;
BEGIN
    FOR of_readers IN SELECT name FROM reader_view LOOP
        EXECUTE format('ALTER VIEW %I SET SCHEMA %I', of_readers, current_setting('maintenance.readers_in'));
    END LOOP;
END
$$;

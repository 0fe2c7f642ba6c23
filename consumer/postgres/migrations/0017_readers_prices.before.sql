-- Whether the names that SQL readers know show prices as they were traded, or adjusted for splits: one word for all
-- processes. And who writes to a view of theirs is told, first of all a worker of a release before 14 that comes back.

CREATE TABLE reader_prices (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    prices   text NOT NULL CHECK (prices IN ('raw', 'adjusted'))
);
INSERT INTO reader_prices (prices) VALUES ('raw');

CREATE FUNCTION refuse_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is a view for readers, and nothing is written to it', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING HINT = 'a worker that comes here is of a release before 14: stop it, and start one of this release';
END
$$;

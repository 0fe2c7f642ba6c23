-- Which program's tables these are, and the oldest program that they still serve: neighbouring releases work side by side.

CREATE TABLE schema_version (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version       integer NOT NULL,    -- of the newest program that has brought the tables up to date
    oldest_served integer NOT NULL,    -- programs below it refuse to start, and stop where they run
    CHECK (oldest_served <= version)
);
INSERT INTO schema_version (version, oldest_served) VALUES (15, 14);

-- What the retention deletes it finds by its age, and not by going over all there is.
CREATE INDEX data_load_by_age ON data_load (fetched_at);
CREATE INDEX restatement_by_age ON restatement (found_at);
CREATE INDEX set_aside_by_age ON set_aside (trading_day);
CREATE INDEX dead_letter_by_age ON dead_letter (dead_at);
CREATE INDEX session_finding_by_age ON session_finding (settled_at) WHERE settled_at IS NOT NULL;

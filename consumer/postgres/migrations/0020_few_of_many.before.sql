-- The few rows that a night asks for among the many that stand beside them, so that it need not go over those:
-- what did not trade among slot rows of more than a thousand bytes, and what was not brought among a session's parts.
CREATE INDEX session_slots_untraded ON session_slots (trading_date, symbol) WHERE outcome <> 'traded';
CREATE INDEX part_troubled ON part (cycle_id) WHERE reason IS NOT NULL AND state IN ('failed', 'not_yet', 'retrying');

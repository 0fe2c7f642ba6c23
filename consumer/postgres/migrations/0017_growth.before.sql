-- What a night asks is found by an index, however many nights there were: tests/cycle/test_reads_its_window.py.

CREATE INDEX cycle_open ON cycle (cycle_id) WHERE state IN ('running', 'waiting');
CREATE INDEX cycle_by_opening ON cycle (opened_at);
CREATE INDEX cycle_by_occasion ON cycle (occasion text_pattern_ops);
CREATE INDEX cycle_by_end ON cycle (finished_at);

-- When a data set last changed, and its newest row of all days.
CREATE INDEX coverage_by_fetch ON coverage (data_set, fetched_at DESC, load_id DESC) INCLUDE (trading_day);
CREATE INDEX coverage_retired ON coverage (retired_at) WHERE retired_at IS NOT NULL;
CREATE INDEX session_finding_by_change ON session_finding (greatest(found_at, settled_at));

-- Which version of a session's flat file was loaded last.
CREATE INDEX data_load_by_part ON data_load (part, load_id DESC);

CREATE INDEX stock_split_by_day ON stock_split (execution_day);

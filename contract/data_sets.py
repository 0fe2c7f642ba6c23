"""Names the data sets of the ledger, as status, coverage and SQL readers know them: one word a thing, spelled once.

What each of them is, stands in its declaration (consumer/data_sets). A data set that no other code refers to needs no
line here: its declaration alone names it.
"""

from __future__ import annotations

DAILY_BARS = "daily_bars"
SPLITS = "splits"
SPLIT_CHECK = "split_check"
DIVIDENDS = "dividends"
DIVIDEND_CHECK = "dividend_check"
PLAUSIBILITY = "plausibility"  # held against the sessions around it
TAKEN = "taken_answers"  # recorded when an answer that had been kept aside was taken after all
ATR = "atr"
VOLUME_SLOTS = "volume_slots"  # its rows say themselves what there is; coverage has it only of retired sessions
SLOT_TRADES = "slot_trades"  # comes in the same answers as the slots, and stands in their rows
SLOT_PROOF = "slot_proof"  # the slots of a session, whole or not, were held against its bars
UNIVERSE = "universe"
BOUNDARIES = "boundaries"  # recorded when a person says where a series begins anew, or takes that back
IDENTITY = "identity"  # recorded when a listing shows a renamed company or a reissued symbol
TICKER_HISTORY = "ticker_history"  # recorded when a listing was held against the history
FLOATS = "floats"
DETAILS = "details"
DERIVED = "derived"
CALENDAR_CHECK = "calendar_check"
SAMPLE = "sample"  # of what is stored, fetched again and compared
RETENTION = "retention"  # applied last on that day

CACHE_METADATA = "cache:metadata"
CACHE_ATR = "cache:atr"
# The RVOL averages are most of what is written: four parts, so that several workers share them.
RVOL_PARTITIONS = 4
CACHE_RVOL = tuple(f"cache:rvol:{partition}" for partition in range(RVOL_PARTITIONS))
CACHE_TRADES = tuple(f"cache:trades:{partition}" for partition in range(RVOL_PARTITIONS))
CACHE_RVOL_SESSIONS = "cache:rvol_sessions"
CACHE_UNIVERSE = "cache:universe"
CACHE_AVERAGE_VOLUMES = "cache:average_volumes"

CACHES_ALL = "caches"  # all of them together, as a verdict names them

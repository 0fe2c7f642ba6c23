"""Names the data sets of the ledger, as status, coverage and SQL readers know them: one word a thing, spelled once.

What each of them is, stands in its declaration (consumer/data_sets). A data set that no other code refers to needs no
line here: its declaration alone names it.
"""

from __future__ import annotations

DAILY_BARS = "daily_bars"
SPLITS = "splits"
SPLIT_CHECK = "split_check"
PLAUSIBILITY = "plausibility"  # held against the sessions around it
TAKEN = "taken_answers"  # recorded when an answer that had been kept aside was taken after all
ATR = "atr"
VOLUME_SLOTS = "volume_slots"  # its rows say themselves what there is; coverage has it only of retired sessions
SLOT_PROOF = "slot_proof"  # the slots of a session, whole or not, were held against its bars
UNIVERSE = "universe"
IDENTITY = "identity"  # recorded when a listing shows a renamed company or a reissued symbol
FLOATS = "floats"
DETAILS = "details"
DERIVED = "derived"
CALENDAR_CHECK = "calendar_check"

CACHE_METADATA = "cache:metadata"
CACHE_ATR = "cache:atr"
# The RVOL averages are most of what is written: four parts, so that several workers share them.
RVOL_PARTITIONS = 4
CACHE_RVOL = tuple(f"cache:rvol:{partition}" for partition in range(RVOL_PARTITIONS))
CACHE_RVOL_SESSIONS = "cache:rvol_sessions"
CACHE_UNIVERSE = "cache:universe"
CACHE_AVERAGE_VOLUMES = "cache:average_volumes"

# Each cache and what it is made of: older than one of these, it is stale.
CACHE_INPUTS: dict[str, tuple[str, ...]] = {
    CACHE_METADATA: (UNIVERSE, FLOATS, DETAILS, DERIVED),
    CACHE_ATR: (ATR,),
    **dict.fromkeys(CACHE_RVOL, (SLOT_PROOF, SPLITS, SPLIT_CHECK, IDENTITY, DETAILS)),
    CACHE_RVOL_SESSIONS: (SLOT_PROOF, IDENTITY, DETAILS),
    CACHE_UNIVERSE: (UNIVERSE, IDENTITY),
    CACHE_AVERAGE_VOLUMES: (DERIVED,),
}
CACHES = tuple(CACHE_INPUTS)
CACHES_ALL = "caches"  # all of them together, as a verdict names them
# Without these of the day itself a cache stays as it was: it carries the day's date, or readers take it for the day's.
CACHE_REQUIRES: dict[str, tuple[str, ...]] = {
    CACHE_ATR: (ATR,),
    **dict.fromkeys((*CACHE_RVOL, CACHE_RVOL_SESSIONS), (SLOT_PROOF,)),
    CACHE_AVERAGE_VOLUMES: (DERIVED,),
}

STAGE_BARS = "ohlc_daily/bars"
STAGE_SPLITS = "ohlc_daily/splits"
STAGE_PLAUSIBLE = "ohlc_daily/plausible"
STAGE_RECHECK = "ohlc_daily/recheck"
STAGE_SPLIT_CHECK = "ohlc_daily/split_check"
STAGE_ATR = "ohlc_daily/atr"
STAGE_UNIVERSE = "metadata_enrich/universe"
STAGE_FLOATS = "metadata_enrich/floats"
STAGE_CALENDAR = "metadata_enrich/calendar"
STAGE_PLAN_DETAILS = "metadata_enrich/plan"
STAGE_DETAILS = "metadata_enrich/details"
STAGE_DERIVED = "metadata_enrich/derived"
STAGE_PLAN_SLOTS = "volume_slots/plan"
STAGE_SLOTS = "volume_slots/slots"
STAGE_PROVE = "volume_slots/prove"
STAGE_CACHE = "redis_sync/cache"
STAGE_FINISH = "cycle/finish"

# The kinds of parts that bring a data set, as "task/kind": whose reason explains what is missing.
PARTS_OF: dict[str, tuple[str, ...]] = {
    DAILY_BARS: ("ohlc_daily/bars",),
    SPLITS: ("ohlc_daily/splits",),
    ATR: ("ohlc_daily/atr",),
    VOLUME_SLOTS: ("volume_slots/batch", "volume_slots/file", "volume_slots/plan"),
    UNIVERSE: ("metadata_enrich/universe",),
    FLOATS: ("metadata_enrich/floats",),
    DETAILS: ("metadata_enrich/details", "metadata_enrich/plan"),
    DERIVED: ("metadata_enrich/derived",),
    CACHES_ALL: tuple(f"redis_sync/{cache.removeprefix('cache:').partition(':')[0]}" for cache in CACHES),
}

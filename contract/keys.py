"""Names every stream, key and consumer group, and how long each of them is kept.

The only place where such a name is spelled; streams.md holds the same tables for people, and
tests/contract compares the two both ways. No key carries a hash tag: one Redis primary holds them all.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream and its bounds; `kept` is an approximate MAXLEN, None = never trimmed by length."""

    name: str
    group: str | None = None
    kept: int | None = None


class RedisType(StrEnum):
    STRING = "string"
    HASH = "hash"
    SET = "set"
    LIST = "list"
    ZSET = "zset"
    STREAM = "stream"
    ANY = "any"


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key, or a family of keys where the pattern has a {placeholder}.

    ttl None = it stays, unless it is short-lived: then its script makes it expire when it has lost its use.
    """

    pattern: str
    holds: RedisType
    ttl: dt.timedelta | None = None
    short_lived: bool = False


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel of publish and subscribe: who does not listen at that moment never hears it."""

    name: str


GROUP = "maintenance"

# Two years of transitions (four a session). The producer falls back to the newest one when its own
# state is lost, and readers that come late start from here.
SESSIONS = Stream(name="market:session", group=GROUP, kept=2_000)
# Entries are deleted when they are acknowledged, so XLEN is the work left. Trimming by length would
# drop work that nobody has done yet.
TASKS = Stream(name="maintenance:tasks", group=GROUP)
DEAD = Stream(name="maintenance:dead", kept=10_000)
EVENTS = Stream(name="maintenance:events", kept=10_000)

STREAMS = (SESSIONS, TASKS, DEAD, EVENTS)

# Longer than any closure of the market so far plus a week of our own downtime: a TTL here is garbage
# collection. Freshness is the as-of date inside the values.
CACHE_TTL = dt.timedelta(days=14)
STATUS_TTL = dt.timedelta(days=30)

SESSION_PUBLISHED = Key(pattern="market:session:published", holds=RedisType.STRING)

# What neighbours read of the market's phase, where PUBLISH_SESSIONS is on.
MARKET_PHASE = Key(pattern="market:session:current", holds=RedisType.STRING)
MARKET_STATUS = Key(pattern="market:session:status", holds=RedisType.STRING)
MARKET_DAY = Key(pattern="market:session:day", holds=RedisType.STRING)
MARKET_HOLIDAY = Key(pattern="market:holiday:{day}:{exchange}", holds=RedisType.STRING, ttl=dt.timedelta(days=30))

LATER = Key(pattern="maintenance:later", holds=RedisType.ZSET)
LATER_MESSAGES = Key(pattern="maintenance:later:messages", holds=RedisType.HASH)
QUEUED = Key(pattern="maintenance:queued", holds=RedisType.HASH)
FENCE = Key(pattern="maintenance:fence", holds=RedisType.STRING)
HEARD = Key(pattern="maintenance:heard", holds=RedisType.STRING)
LOOKED = Key(pattern="maintenance:looked", holds=RedisType.ZSET, short_lived=True)
SOURCE = Key(pattern="maintenance:source", holds=RedisType.STRING)
COUNTED = Key(pattern="maintenance:counted", holds=RedisType.HASH)
CACHES = Key(pattern="maintenance:caches", holds=RedisType.HASH)
SILENT = Key(pattern="maintenance:silent", holds=RedisType.STRING, ttl=dt.timedelta(minutes=1))
FINGERPRINTS = Key(pattern="maintenance:fingerprints:{cache}", holds=RedisType.HASH)
WATCHING = Key(pattern="maintenance:watching", holds=RedisType.STRING, short_lived=True)
WATCH = Key(pattern="maintenance:watch", holds=RedisType.HASH)
CACHED = Key(pattern="maintenance:cached:{cache}", holds=RedisType.SET)
BUILDING = Key(pattern="maintenance:building:{fence}:{key}", holds=RedisType.ANY, short_lived=True)
MENDING = Key(pattern="maintenance:mending:{stream}", holds=RedisType.STREAM, short_lived=True)
SET_ASIDE = Key(pattern="maintenance:set_aside:{key}", holds=RedisType.ANY, ttl=CACHE_TTL)
BUDGET_PAUSE = Key(pattern="maintenance:budget:{api_key_digest}:pause", holds=RedisType.STRING, short_lived=True)
BUDGET_WINDOW = Key(pattern="maintenance:budget:{api_key_digest}:{window}", holds=RedisType.LIST, short_lived=True)

STATUS = Key(pattern="maintenance:status:{trading_day}", holds=RedisType.STRING, ttl=STATUS_TTL)
LAST_RUN = Key(pattern="maintenance:last_run", holds=RedisType.STRING)
LAST_FINAL = Key(pattern="maintenance:last_final", holds=RedisType.STRING)
EXECUTED = Key(pattern="maintenance:executed:{trading_day}", holds=RedisType.STRING, ttl=dt.timedelta(days=7))
TOLD = Key(pattern="maintenance:told", holds=RedisType.HASH)
NEW_DAY_TOLD = Key(pattern="maintenance:new_day", holds=RedisType.STRING)

TICKER_METADATA = Key(pattern="metadata:ticker:{symbol}", holds=RedisType.STRING, ttl=CACHE_TTL)
ATR_DAILY = Key(pattern="atr:daily", holds=RedisType.HASH, ttl=CACHE_TTL)
RVOL_AVERAGES = Key(pattern="rvol:hist:avg:{symbol}:5", holds=RedisType.HASH, ttl=CACHE_TTL)
RVOL_SESSIONS = Key(pattern="rvol:hist:sessions:5", holds=RedisType.HASH, ttl=CACHE_TTL)
TRADES_BASELINE = Key(pattern="trades:baseline:{symbol}:5", holds=RedisType.HASH, ttl=CACHE_TTL)
TICKER_UNIVERSE = Key(pattern="ticker:universe", holds=RedisType.SET)
AVERAGE_VOLUMES = Key(pattern="ticker:avg_volume:{symbol}", holds=RedisType.STRING, ttl=CACHE_TTL)

KEYS = (
    SESSION_PUBLISHED,
    MARKET_PHASE,
    MARKET_STATUS,
    MARKET_DAY,
    MARKET_HOLIDAY,
    LATER,
    LATER_MESSAGES,
    QUEUED,
    FENCE,
    HEARD,
    LOOKED,
    SOURCE,
    COUNTED,
    CACHES,
    SILENT,
    FINGERPRINTS,
    WATCHING,
    WATCH,
    CACHED,
    BUILDING,
    MENDING,
    SET_ASIDE,
    BUDGET_PAUSE,
    BUDGET_WINDOW,
    STATUS,
    LAST_RUN,
    LAST_FINAL,
    EXECUTED,
    TOLD,
    NEW_DAY_TOLD,
    TICKER_METADATA,
    ATR_DAILY,
    RVOL_AVERAGES,
    RVOL_SESSIONS,
    TRADES_BASELINE,
    TICKER_UNIVERSE,
    AVERAGE_VOLUMES,
)

SESSION_CHANGED = Channel(name="events:session:changed")
DAY_CHANGED = Channel(name="events:day:changed")
COMPLETED = Channel(name="maintenance:completed")
NEW_DAY = Channel(name="trading:new_day")


def status_key(trading_day: dt.date) -> str:
    return STATUS.pattern.format(trading_day=trading_day.isoformat())

"""Says what the routes answer, as GET /openapi.json tells it: of those that are put together from documents of others.

Names that a caller must not rely on are none: what stands here stays.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from consumer.tasks.metadata_document import MetadataDocument
from consumer.web.health import Check
from consumer.web.monitor import Status
from contract import reports


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """The event loop turns."""

    alive: bool = True


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the service stands on is there."""

    ready: bool = True
    checks: dict[str, Check] = {}


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether both servers answer, in the words of the earlier service and in ours."""

    status: str
    service: str
    timestamp: dt.datetime
    last_maintenance: str | None
    scheduler_running: bool
    redis: str
    healthy: bool
    checks: dict[str, Check]
    timescaledb: str | None = None
    database: str | None = None
    event_bus: str | None = None
    postgresql: Check | None = None
    streams: Check | None = None
    error: str | None = None


class StatusAnswer(Status, msgspec.Struct, frozen=True, kw_only=True):
    """`maintenance status --json`, and beside it the fields of the earlier service."""

    status: str
    last_maintenance: dt.date | None
    details: reports.DayStatus | None
    message: str | None = None


class NextDue(msgspec.Struct, frozen=True, kw_only=True):
    """When the next cycle is due, and by which rule; null after the calendar's end."""

    at: dt.datetime | None
    in_seconds: int | None
    trading_day: dt.date | None
    rule: str | None
    reason: str


class NextMaintenance(msgspec.Struct, frozen=True, kw_only=True):
    """The same as the earlier service said it."""

    next_run_et: str | None
    time_until: str | None
    running: bool


class NextRun(msgspec.Struct, frozen=True, kw_only=True):
    """When the next cycle is due, in the earlier service's words and in ours."""

    current_time_et: str
    maintenance: NextMaintenance
    next_due: NextDue


class Ignored(msgspec.Struct, frozen=True, kw_only=True):
    """That no cache was cleared."""

    status: str
    keys_deleted: int
    patterns_processed: int
    note: str


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """The documents of several symbols; *not_found* of those that were named, *next* the path of the following page."""

    symbols: list[str]
    count: int
    results: dict[str, MetadataDocument]
    not_found: list[str] = []
    next: str | None = None


class SlotAverage(msgspec.Struct, frozen=True, kw_only=True):
    """A mean accumulated volume, of the *sessions* of *days* that were observed."""

    symbol: str
    slot: int
    avg: int | None
    days: int
    sessions: int
    as_of: dt.date


class Averages(msgspec.Struct, frozen=True, kw_only=True):
    """Mean accumulated volumes by slot."""

    symbol: str
    days: int
    slots: int
    sessions: int
    as_of: dt.date
    averages: dict[str, int]


class TradesBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """What is usual of a day's number of trades, and of each slot's."""

    symbol: str
    days: int
    days_count: int
    avg_trades: float | None
    std_trades: float | None
    as_of: dt.date
    slots: dict[str, object]


class Atr(msgspec.Struct, frozen=True, kw_only=True):
    """ATR(14) of the session *updated*."""

    symbol: str
    atr: float | None
    atr_percent: float | None
    updated: dt.date
    bars: int | None


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A session's bar; null where two splits contradict each other."""

    date: dt.date
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    vwap: float | None
    volume: float | None
    trades_count: int | None
    price_factor: float | None


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """A page of bars, ascending."""

    symbol: str
    adjusted: bool
    as_of: dt.date
    count: int
    results: list[Bar]
    not_stored: list[dt.date]
    next: str | None


class SessionOfSlots(msgspec.Struct, frozen=True, kw_only=True):
    """A session's 192 slots."""

    date: dt.date
    unobserved_from: int
    outcome: str
    price_factor: float | None
    volumes: list[float | None] | None
    accumulated: list[float | None] | None
    trades: list[int | None] | None


class Slots(msgspec.Struct, frozen=True, kw_only=True):
    """Some sessions' slots, ascending."""

    symbol: str
    adjusted: bool
    as_of: dt.date
    count: int
    results: list[SessionOfSlots]


class ListedSymbols(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the listed symbols, in order."""

    count: int
    limit: int
    symbols: list[str]
    total: int
    next: str | None


class UniverseStats(msgspec.Struct, frozen=True, kw_only=True):
    """How many symbols there are."""

    redis_count: int | None
    timescaledb_active: int
    timescaledb_total: int
    last_update: dt.datetime | None
    last_warmup: dt.datetime | None
    last_universe_update: dt.datetime | None


class Warmup(msgspec.Struct, frozen=True, kw_only=True):
    """When the caches were written last, in the words of "historical"."""

    last_execution: dt.datetime | None
    status: str
    in_progress: bool


class ReadStats(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the reads of the process that answers."""

    tickers_loaded: int
    cache_hits: int
    cache_misses: int
    cache_hit_rate: float
    api_calls: int
    errors: int
    uptime_seconds: int
    universe_size: int
    warmup: Warmup

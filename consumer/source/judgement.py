"""Decides whether a run may write where it has been pointed: pure, over what stands in both servers.

A stamp decides. Without one, a database is taken for what its loads say, and a Redis with caches in it may be the
neighbours': a simulated market keeps off it. Whatever is refused names both sources and the cure.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import msgspec

from contract import keys
from market.data_source import VENDOR, DataSource, SourceKind, source_of_mark
from simulated_market.answer import request_id_of

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.source_stamp import LoadsHeld
    from consumer.redis_cache.source_stamp import RedisHeld


class SourceRefused(Exception):
    """This run's source is not the one whose data is there. Nothing was written; the text holds the cure."""


class Unstamped(Enum):
    """What a database without a stamp holds, as far as its loads tell."""

    EMPTY = "nothing"
    VENDOR = "the vendor's data"
    SIMULATED = "data of a simulated market"
    REPLAYED = "data of a replay"
    MIXED = "the vendor's data and a simulated market's, mixed"
    UNTOLD = "data of which nothing says where it comes from"


_OF_THE_VENDOR = "set MASSIVE_API_KEY and leave MARKET_DATA_FOLDER, --simulated and --replay out"
_TOLD = {
    Unstamped.VENDOR: (SourceKind.VENDOR, _OF_THE_VENDOR),
    Unstamped.SIMULATED: (SourceKind.SIMULATED, "start with --simulated"),
    Unstamped.REPLAYED: (SourceKind.REPLAY, "start with --replay and the folder that it was"),
}

Held: TypeAlias = "DataSource | Unstamped"

POSTGRES, REDIS = "PostgreSQL (DATABASE_URL)", "Redis (REDIS_URL)"
ANOTHER = {
    POSTGRES: "name another, empty database in DATABASE_URL, or leave it out for an embedded one",
    REDIS: "name another Redis in REDIS_URL (another database number will do, such as …:6379/1), or leave it out for "
    "an embedded one",
}
ADOPT = "`maintenance adopt --source vendor|simulated|replay` says whose it is"


def grouped_daily_target(day: dt.date) -> str:
    """The path and query by which every release has asked for a session's bars."""
    return f"/v2/aggs/grouped/locale/us/market/stocks/{day.isoformat()}?adjusted=false"


def told_by(loads: LoadsHeld) -> Unstamped:
    """What request ids tell: the simulated market's follow from the question, the vendor's are never the same twice."""
    if not loads.loads:
        return Unstamped.EMPTY
    kinds = Counter(request_id == request_id_of(grouped_daily_target(day)) for day, request_id in loads.request_ids)
    match kinds[True], kinds[False]:
        case 0, 0:
            return Unstamped.UNTOLD
        case 0, _:
            return Unstamped.VENDOR
        case _, 0:
            return Unstamped.REPLAYED if loads.replayed else Unstamped.SIMULATED
        case _:
            return Unstamped.MIXED


def refuse_postgres(ours: DataSource, held: Held) -> None:
    """Raise SourceRefused unless *ours* may be loaded into a database that holds *held*."""
    match held:
        case DataSource():
            if not ours.is_same(held):
                raise SourceRefused(_other_source(POSTGRES, held, ours))
        case Unstamped.EMPTY:
            return
        case Unstamped.VENDOR | Unstamped.SIMULATED | Unstamped.REPLAYED:
            kind, kept = _TOLD[held]
            # A database from before the stamps was never filled from a folder: its vendor is the one there was.
            if ours.kind is not kind or (kind is SourceKind.VENDOR and not ours.is_same(VENDOR)):
                raise SourceRefused(_refusal(POSTGRES, held.value, ours, f"to go on with that data {kept}"))
        case Unstamped.MIXED | Unstamped.UNTOLD:
            raise SourceRefused(_refusal(POSTGRES, held.value, ours, ADOPT))


def refuse_another_simulated(ours: DataSource) -> NoReturn:
    """Raise SourceRefused for a database of a simulated market that is not *ours*, which nothing names."""
    held = f"{Unstamped.SIMULATED.value} of another seed or size"
    kept = f"start with its SIMULATED_SEED and --tickers, or {ADOPT}"
    raise SourceRefused(_refusal(POSTGRES, held, ours, f"to go on with that data {kept}"))


def refuse_redis(ours: DataSource, redis: RedisHeld, *, cache_tokens: dict[str, int]) -> None:
    """Raise SourceRefused unless *ours* may be written into that Redis; *cache_tokens* are the ledger's."""
    if redis.stamp is not None:
        held = source_of_mark(redis.stamp)
        if held is None:
            words = f"{REDIS} has {redis.stamp[:80]!r} in {keys.SOURCE.pattern}, which names no source"
            raise SourceRefused(f"{words}: nothing was written. Cure: {ADOPT}, or {ANOTHER[REDIS]}")
        if not ours.is_same(held):
            raise SourceRefused(_other_source(REDIS, held, ours))
        return
    if redis.cached is None or ours.kind is SourceKind.VENDOR or _are_the_ledgers(redis.marks, cache_tokens):
        return
    caches = f"caches ({redis.cached}) that may be other services'"
    raise SourceRefused(_refusal(REDIS, caches, ours, f"if they are this market's, {ADOPT}"))


class _Mark(msgspec.Struct, frozen=True):
    """What Redis says of a cache: the token of the write that it holds."""

    fence: int


def _are_the_ledgers(marks: dict[str, str], tokens: dict[str, int]) -> bool:
    """Whether these caches are those which the ledger has written, all of them."""
    try:
        found = {name: msgspec.json.decode(marks[name], type=_Mark).fence for name in tokens}
    except (KeyError, msgspec.DecodeError):
        return False
    return bool(tokens) and found == tokens


def _other_source(server: str, held: DataSource, ours: DataSource) -> str:
    return _refusal(server, f"data of {held.words}", ours, f"to go on with that data {how_to_run(held)}")


def _refusal(server: str, held: str, ours: DataSource, kept: str) -> str:
    return (
        f"{server} holds {held}, and this run loads from {ours.words}: nothing was written. Cure: {kept}; else "
        + (ANOTHER[server])
    )


def how_to_run(source: DataSource) -> str:
    """What to set so that a run is of *source*."""
    match source.kind:
        case SourceKind.VENDOR:
            if source.folder is not None:
                return f"set MARKET_DATA_FOLDER={source.folder} and leave MASSIVE_API_KEY, --simulated and --replay out"
            return _OF_THE_VENDOR if source.is_same(VENDOR) else f"name {source.words} in the settings, and no other"
        case SourceKind.SIMULATED:
            numbers = source.numbers
            return f"start with SIMULATED_SEED={numbers['seed']} and --simulated --tickers {numbers['tickers']}"
        case SourceKind.REPLAY:
            return f"start with --replay and the folder{f' {source.name}' if source.name else ''} as it was"

"""Plays the neighbours: what each reads of ours, in which order, and what it does on a miss; in words of our own.

Written from what their real code was seen to do beside this service in November 2026. They ask Redis and the views for
SQL readers, and nothing else of ours.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool

SLOTS = [str(slot) for slot in range(192)]
EIGHT_HOURS = 8 * 3_600
DAYS = 5
SECTORS = {
    "Technology", "Healthcare", "Financial Services", "Consumer Cyclical", "Consumer Defensive", "Energy", "Utilities",
    "Real Estate", "Industrials", "Basic Materials", "Communication Services",
}  # fmt: skip


class Historical:
    """Answers a miss by writing the whole hash anew: means of raw volumes over the last days that have rows at all."""

    def __init__(self, redis: Redis, pool: Pool) -> None:
        self._redis, self._pool = redis, pool
        self.rewritten: list[str] = []

    async def rewrite(self, symbol: str) -> dict[str, str]:
        rows = await self._pool.fetch(
            "SELECT date, slot_number, volume FROM public.volume_slots WHERE symbol = $1 ORDER BY date, slot_number",
            symbol,
        )
        by_day: dict[dt.date, dict[int, float]] = defaultdict(dict)
        for row in rows:
            by_day[row["date"]][row["slot_number"]] = float(row["volume"])
        sums: dict[int, list[float]] = defaultdict(list)
        for day in sorted(by_day)[-DAYS:]:
            total = 0.0
            for slot in range(192):
                if slot in by_day[day]:
                    total += by_day[day][slot]
                    sums[slot].append(total)
        averages = {str(slot): str(int(sum(one) / len(one))) for slot, one in sums.items()}
        if averages:
            key = f"rvol:hist:avg:{symbol}:5"
            self.rewritten.append(key)
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.delete(key)
                pipe.hset(key, mapping=averages)
                pipe.expire(key, EIGHT_HOURS)
                await pipe.execute()
        return averages


class RvolReader:
    """Asks for every slot of a symbol; a field that is not there is a miss, and 'historical' is asked."""

    def __init__(self, redis: Redis, historical: Historical) -> None:
        self._redis, self._historical = redis, historical
        self.misses = 0

    async def averages(self, symbol: str) -> dict[str, int]:
        found: Any = await self._redis.hmget(f"rvol:hist:avg:{symbol.upper()}:5", SLOTS)  # type: ignore[misc]
        answer = dict(zip(SLOTS, found, strict=True))
        if None in found:
            self.misses += found.count(None)
            answer |= await self._historical.rewrite(symbol.upper())
        return {slot: int(text) for slot, text in answer.items() if text is not None}


@dataclass
class TickerMetadata:
    """What scanner and heat map keep of a document: with the field names of the older and of the newer ones."""

    symbol: str
    market_cap: int | None = None
    free_float: int | None = None
    free_float_percent: float | None = None
    float_shares: int | None = None
    type: str | None = None
    sector: str | None = None
    industry: str | None = None
    avg_volume_3m: int | None = None
    market: str | None = None
    locale: str | None = None
    currency_name: str | None = None
    round_lot: int | None = None
    description: str | None = None
    homepage_url: str | None = None
    phone_number: str | None = None
    address: dict[str, str] | None = None
    total_employees: int | None = None
    logo_url: str | None = None
    icon_url: str | None = None
    ticker_root: str | None = None
    ticker_suffix: str | None = None
    delisted_utc: str | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)


class MetadataReader:
    """Reads documents in one MGET and takes each into its model."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def read(self, symbols: Iterable[str]) -> dict[str, TickerMetadata]:
        wanted = list(symbols)
        texts = await self._redis.mget([f"metadata:ticker:{symbol}" for symbol in wanted])
        return {symbol: _model(json.loads(text)) for symbol, text in zip(wanted, texts, strict=True) if text}


def _model(document: dict[str, Any]) -> TickerMetadata:
    known = {name: document[name] for name in TickerMetadata.__dataclass_fields__ if name in document}
    return TickerMetadata(**known, rest={name: one for name, one in document.items() if name not in known})


class AtrReader:
    """Reads a batch of symbols in one HMGET; what is no JSON with a number is none."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def read(self, symbols: Iterable[str]) -> dict[str, float]:
        wanted = list(symbols)
        texts: Any = await self._redis.hmget("atr:daily", wanted)  # type: ignore[misc]
        return {symbol: json.loads(text)["atr"] for symbol, text in zip(wanted, texts, strict=True) if text}


class TradesReader:
    """Reads what is usual of a symbol's trades, of the day and of a slot; None where it is not told."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def of_day(self, symbol: str) -> tuple[float, float] | None:
        found: Any = await self._redis.hmget(f"trades:baseline:{symbol}:5", ["avg", "std"])  # type: ignore[misc]
        return None if None in found else (float(found[0]), float(found[1]))

    async def of_slot(self, symbol: str, slot: int) -> float | None:
        text: Any = await self._redis.hget(f"trades:baseline:{symbol}:5", str(slot))  # type: ignore[misc]
        return None if text is None else json.loads(text).get("avg")


class MidnightDeleter:
    """Deletes all averages of relative volume when New York's day changes."""

    def __init__(self, redis: Redis, now: dt.datetime) -> None:
        self._redis = redis
        self._day = now.astimezone(NEW_YORK).date()

    async def at(self, now: dt.datetime) -> int:
        if (day := now.astimezone(NEW_YORK).date()) == self._day:
            return 0
        self._day = day
        gone = [key async for key in self._redis.scan_iter(match="rvol:hist:avg:*", count=1000)]
        return int(await self._redis.delete(*gone)) if gone else 0

"""The routes that read: metadata, universe, usual volumes, bars, slots and ATR, from PostgreSQL through kept answers.

Each answer has an ETag and says as of which session it is, and what that session's data are, in two headers.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import ETag, web
from redis.exceptions import RedisError

from consumer.web import asked as words
from consumer.web import figures, reference, series
from consumer.web.asked import read_query, symbol_in, symbols_in
from consumer.web.problems import json_answer
from consumer.web.routes import Route
from consumer.web.symbols import answer_of
from contract import keys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from consumer.postgres.pool import Connection
    from consumer.web.monitor import Monitor
    from consumer.web.reads import Answer, Reads

_FRESH, _RECENT = dt.timedelta(hours=12), dt.timedelta(hours=24)
_PROBLEM = "application/problem+json"


class ReadingHandlers:
    """One method a route."""

    def __init__(self, monitor: Monitor, reads: Reads) -> None:
        self._monitor = monitor
        self._calendar = monitor.calendar
        self._reads = reads
        self._began_at = monitor.now()

    def routes(self) -> list[Route]:
        """Those without a symbol in the path stand first."""
        return [
            Route("GET", "/api/metadata/bulk", self.bulk_metadata, words.BulkAsked),
            Route("GET", "/api/metadata/{symbol}", self.metadata),
            Route("GET", "/api/rvol/hist-avg", self.slot_average, words.SlotAverageAsked),
            Route("GET", "/api/rvol/hist-avg/bulk", self.averages, words.AveragesAsked),
            Route("GET", "/api/trades/baseline/bulk", self.trades, words.TradesAsked),
            Route("GET", "/api/universe/stats", self.universe_stats),
            Route("GET", "/api/universe/symbols", self.symbols, words.SymbolsAsked),
            Route("GET", "/api/stats", self.stats),
            Route("GET", "/api/bars/{symbol}", self.bars, words.BarsAsked),
            Route("GET", "/api/slots/{symbol}", self.slots, words.SlotsAsked),
            Route("GET", "/api/atr/{symbol}", self.atr),
        ]

    async def metadata(self, request: web.Request) -> web.Response:
        return await self._of_symbol(request, request.match_info["symbol"], None, reference.metadata)

    async def bulk_metadata(self, request: web.Request) -> web.Response:
        """Of the symbols that are named, or of all that are listed."""
        asked = read_query(request, words.BulkAsked)
        asked = msgspec.structs.replace(asked, limit=min(asked.limit, words.MOST_LISTED))
        if asked.symbols is None:
            return await self._answer(request, asked, lambda c: reference.all_metadata(c, asked))
        named = symbols_in(asked.symbols)
        return await self._answer(request, named, lambda c: reference.bulk_metadata(c, named))

    async def symbols(self, request: web.Request) -> web.Response:
        asked = read_query(request, words.SymbolsAsked)
        asked = msgspec.structs.replace(asked, limit=min(asked.limit, words.MOST_LISTED))
        return await self._answer(request, asked, lambda c: reference.symbols(c, asked))

    async def slot_average(self, request: web.Request) -> web.Response:
        asked = read_query(request, words.SlotAverageAsked)
        return await self._of_symbol(
            request, asked.symbol, asked, lambda c, symbol: figures.slot_average(c, symbol, asked, self._calendar)
        )

    async def averages(self, request: web.Request) -> web.Response:
        asked = read_query(request, words.AveragesAsked)
        return await self._of_symbol(
            request, asked.symbol, asked, lambda c, symbol: figures.averages(c, symbol, asked, self._calendar)
        )

    async def trades(self, request: web.Request) -> web.Response:
        asked = read_query(request, words.TradesAsked)
        return await self._of_symbol(
            request, asked.symbol, asked, lambda c, symbol: figures.trades(c, symbol, asked, self._calendar)
        )

    async def atr(self, request: web.Request) -> web.Response:
        return await self._of_symbol(request, request.match_info["symbol"], None, figures.atr)

    async def bars(self, request: web.Request) -> web.Response:
        asked = read_query(request, words.BarsAsked)
        return await self._of_symbol(
            request,
            request.match_info["symbol"],
            asked,
            lambda c, symbol: series.bars(c, symbol, asked, self._calendar),
        )

    async def slots(self, request: web.Request) -> web.Response:
        asked = read_query(request, words.SlotsAsked)
        return await self._of_symbol(
            request,
            request.match_info["symbol"],
            asked,
            lambda c, symbol: series.slots(c, symbol, asked, self._calendar),
        )

    async def universe_stats(self, request: web.Request) -> web.Response:
        """How many symbols Redis and PostgreSQL have; of Redis null where it does not answer."""
        counts = await self._counts()
        told = ("timescaledb_active", "timescaledb_total", "last_update", "last_warmup", "last_universe_update")
        return json_answer({"redis_count": await self._in_redis(), **{name: counts[name] for name in told}})

    async def stats(self, request: web.Request) -> web.Response:
        """What became of the reads of this process, and when the caches were written last."""
        counts, told = await self._counts(), self._reads.counts
        asked = told.hits + told.misses
        now = self._monitor.now()
        return json_answer(
            {
                "tickers_loaded": counts["tickers_loaded"],
                "cache_hits": told.hits,
                "cache_misses": told.misses,
                "cache_hit_rate": told.hits / asked if asked else 0,
                "api_calls": 0,  # of reads: they ask no vendor
                "errors": told.refused,
                "uptime_seconds": int((now - self._began_at).total_seconds()),
                "universe_size": counts["timescaledb_active"],
                "warmup": _warmup(counts, now),
            }
        )

    async def _counts(self) -> dict[str, Any]:
        answer = await self._reads.read(reference.universe_counts)
        return dict(msgspec.json.decode(answer.body))

    async def _in_redis(self) -> int | None:
        try:
            return int(await self._monitor.redis.scard(keys.TICKER_UNIVERSE.pattern))
        except RedisError:
            return None

    async def _of_symbol(
        self,
        request: web.Request,
        written: str,
        asked: object,
        build: Callable[[Connection, str], Awaitable[Answer]],
    ) -> web.Response:
        symbol = symbol_in(written)
        return await self._answer(request, (symbol, asked), lambda connection: answer_of(connection, symbol, build))

    async def _answer(
        self, request: web.Request, asked: object, make: Callable[[Connection], Awaitable[Answer]]
    ) -> web.Response:
        """The kept answer, or 304 where the caller has it; 404 is a problem document."""
        resource = request.match_info.route.resource
        assert resource is not None, "only routes are answered"
        key = f"{resource.canonical} {msgspec.json.encode(asked).decode()}"
        answer = await self._reads.answer(key, make)
        headers = _headers(answer)
        if answer.status == 200 and _has(request, answer.etag):
            return web.Response(status=304, headers=headers)
        kind = "application/json" if answer.status == 200 else _PROBLEM
        return web.Response(body=answer.body, status=answer.status, headers=headers, content_type=kind)


def _warmup(counts: dict[str, Any], now: dt.datetime) -> dict[str, object]:
    """When the caches were written last, in the words of "historical"."""
    last = counts["last_warmup"]
    age = None if last is None else now - dt.datetime.fromisoformat(last)
    state = "unknown" if age is None else "fresh" if age < _FRESH else "recent" if age < _RECENT else "stale"
    return {"last_execution": last, "status": state, "in_progress": counts["in_progress"]}


def _headers(answer: Answer) -> dict[str, str]:
    headers = {"Cache-Control": "no-cache"}
    if answer.status == 200:
        headers["ETag"] = f'"{answer.etag}"'
    if answer.stands is not None:
        headers["Maintenance-As-Of"] = answer.stands.day.isoformat()
        headers["Maintenance-Verdict"] = answer.stands.state or "unknown"
    return headers


def _has(request: web.Request, etag: str) -> bool:
    """Whether the caller says that he has this answer, or any."""
    known: tuple[ETag, ...] = request.if_none_match or ()
    return any(one.value in (etag, "*") for one in known)

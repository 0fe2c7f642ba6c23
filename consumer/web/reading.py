"""The routes that read: metadata, universe, usual volumes, bars, slots and ATR, from PostgreSQL through kept answers.

Each answer has an ETag and says as of which session it is, and what that session's data are, in two headers.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web
from redis.exceptions import RedisError

from consumer.tasks.metadata_document import MetadataDocument
from consumer.web import answers, figures, reference, series
from consumer.web.asked import (
    MOST_LISTED,
    AveragesAsked,
    BarsAsked,
    BulkAsked,
    Nothing,
    SlotAverageAsked,
    SlotsAsked,
    SymbolsAsked,
    TradesAsked,
    read_query,
    symbol_in,
    symbols_in,
)
from consumer.web.etags import is_known
from consumer.web.problems import json_answer
from consumer.web.reads import Question
from consumer.web.routes import Route
from consumer.web.symbols import unknown
from contract import data_sets, keys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from consumer.postgres.pool import Connection
    from consumer.web.known import Known
    from consumer.web.monitor import Monitor
    from consumer.web.reads import Answer, Make, Reads
    from consumer.web.routes import Answering

_FRESH, _RECENT = dt.timedelta(hours=12), dt.timedelta(hours=24)
_PROBLEM = "application/problem+json"
# What answers are made from: a load of one of these makes another answer.
_LISTED = (data_sets.UNIVERSE, data_sets.IDENTITY)
_REFERENCE = (*_LISTED, data_sets.DERIVED, data_sets.CACHE_METADATA)
_ADJUSTED = (*_LISTED, data_sets.SPLITS, data_sets.SPLIT_CHECK, data_sets.DAILY_BARS, data_sets.TAKEN)
_BARS = _ADJUSTED
_SLOTS = (*_ADJUSTED, data_sets.SLOT_PROOF)
_VOLUMES = (*_LISTED, data_sets.BOUNDARIES, *data_sets.CACHE_RVOL)
_TRADES = (*_LISTED, data_sets.BOUNDARIES, *data_sets.CACHE_TRADES)


class ReadingHandlers:
    """One method a route."""

    def __init__(self, monitor: Monitor, reads: Reads) -> None:
        self._monitor = monitor
        self._reads = reads
        self._began_at = monitor.now()

    def routes(self) -> list[Route]:
        """Those without a symbol in the path stand first."""
        return [
            _read("/api/metadata/bulk", self.bulk_metadata, answers.Metadata, BulkAsked),
            _read("/api/metadata/{symbol}", self.metadata, MetadataDocument),
            _read("/api/rvol/hist-avg", self.slot_average, answers.SlotAverage, SlotAverageAsked),
            _read("/api/rvol/hist-avg/bulk", self.averages, answers.Averages, AveragesAsked),
            _read("/api/trades/baseline/bulk", self.trades, answers.TradesBaseline, TradesAsked),
            Route("GET", "/api/universe/stats", self.universe_stats, answer=answers.UniverseStats),
            _read("/api/universe/symbols", self.symbols, answers.ListedSymbols, SymbolsAsked),
            Route("GET", "/api/stats", self.stats, answer=answers.ReadStats),
            _read("/api/bars/{symbol}", self.bars, answers.Bars, BarsAsked),
            _read("/api/slots/{symbol}", self.slots, answers.Slots, SlotsAsked),
            _read("/api/atr/{symbol}", self.atr, answers.Atr),
        ]

    async def metadata(self, request: web.Request) -> web.Response:
        """What is known of a symbol, as the cache has it."""
        return await self._of_symbol(request, _REFERENCE, Nothing(), reference.metadata)

    async def bulk_metadata(self, request: web.Request) -> web.Response:
        """Of the symbols that are named, or of all that are listed."""
        asked = read_query(request, BulkAsked)
        asked = msgspec.structs.replace(asked, limit=min(asked.limit, MOST_LISTED))
        if asked.symbols is None:
            return await self._answer(request, _REFERENCE, asked, lambda c, k: reference.all_metadata(c, k, asked))
        named = symbols_in(asked.symbols)
        return await self._answer(request, _REFERENCE, named, lambda c, k: reference.bulk_metadata(c, k, named))

    async def symbols(self, request: web.Request) -> web.Response:
        """Who is listed, in order."""
        asked = read_query(request, SymbolsAsked)
        asked = msgspec.structs.replace(asked, limit=min(asked.limit, MOST_LISTED))
        return await self._answer(request, _LISTED, asked, lambda c, k: reference.symbols(c, k, asked))

    async def slot_average(self, request: web.Request) -> web.Response:
        """A mean accumulated volume up to one slot."""
        asked = read_query(request, SlotAverageAsked)
        return await self._of_symbol(request, _VOLUMES, asked, lambda c, k, s: figures.slot_average(c, k, s, asked))

    async def averages(self, request: web.Request) -> web.Response:
        """The mean accumulated volumes of all slots."""
        asked = read_query(request, AveragesAsked)
        return await self._of_symbol(request, _VOLUMES, asked, lambda c, k, s: figures.averages(c, k, s, asked))

    async def trades(self, request: web.Request) -> web.Response:
        """What is usual of a day's number of trades."""
        asked = read_query(request, TradesAsked)
        return await self._of_symbol(request, _TRADES, asked, lambda c, k, s: figures.trades(c, k, s, asked))

    async def atr(self, request: web.Request) -> web.Response:
        """ATR(14) of a symbol."""
        return await self._of_symbol(request, (*_LISTED, data_sets.ATR), Nothing(), figures.atr)

    async def bars(self, request: web.Request) -> web.Response:
        """The daily bars of a symbol."""
        asked = read_query(request, BarsAsked)
        return await self._of_symbol(request, _BARS, asked, lambda c, k, s: series.bars(c, k, s, asked))

    async def slots(self, request: web.Request) -> web.Response:
        """The five-minute slots of a symbol."""
        asked = read_query(request, SlotsAsked)
        return await self._of_symbol(request, _SLOTS, asked, lambda c, k, s: series.slots(c, k, s, asked))

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
        made_from: tuple[str, ...],
        asked: msgspec.Struct,
        build: Callable[[Connection, Known, str], Awaitable[Answer]],
    ) -> web.Response:
        """What *build* makes of the symbol that is meant, or 404 with the nearest ones."""
        written = symbol_in(str(request.match_info.get("symbol", getattr(asked, "symbol", ""))))

        async def make(connection: Connection, known: Known) -> Answer:
            symbol = known.symbols.meant_by(written)
            return await unknown(written, known.symbols) if symbol is None else await build(connection, known, symbol)

        return await self._answer(request, made_from, (written, asked), make)

    async def _answer(
        self, request: web.Request, made_from: tuple[str, ...], asked: object, make: Make
    ) -> web.Response:
        """The kept answer, or 304 where the caller has it; 404 is a problem document."""
        resource = request.match_info.route.resource
        assert resource is not None, "only routes are answered"
        key = f"{resource.canonical} {msgspec.json.encode(asked).decode()}"
        answer = await self._reads.answer(Question(key=key, made_from=made_from, make=make))
        headers = _headers(answer)
        if answer.status == 200 and is_known(request, answer.etag):
            return web.Response(status=304, headers=headers)
        kind = "application/json" if answer.status == 200 else _PROBLEM
        return web.Response(body=answer.body, status=answer.status, headers=headers, content_type=kind)


def _read(
    path: str, answering: Answering, answer: type[msgspec.Struct], asked: type[msgspec.Struct] = Nothing
) -> Route:
    return Route("GET", path, answering, asked, answer=answer, tagged=True)


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

"""Makes the answers about symbols: metadata as the cache `metadata:ticker:{symbol}` has them, and who is listed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from consumer.postgres import cycles, symbol_reads
from consumer.tasks.cache_rows import metadata_text, texts_of
from consumer.tasks.metadata_document import OF_PROFILE
from consumer.web.reads import Answer
from consumer.web.symbols import missing
from contract import data_sets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection
    from consumer.web.asked import BulkAsked, SymbolsAsked

_PROFILES = f"SELECT {', '.join(f'm.{name}' for name in OF_PROFILE)} FROM ticker_profile AS m"
_AT_ONCE = 500  # rows that are said in the event loop; more are said beside it


async def metadata(connection: Connection, symbol: str) -> Answer:
    """The document of one symbol, listed or not any more."""
    texts = await _texts(connection, "WHERE m.symbol = ANY ($1)", [symbol])
    if symbol not in texts:
        return missing(f"nothing is known of {symbol} yet: its details come with a night; GET /status says when")
    return Answer(body=texts[symbol].encode(), stands=await symbol_reads.stands_of(connection, data_sets.DERIVED))


async def bulk_metadata(connection: Connection, symbols: Sequence[str]) -> Answer:
    """The documents of *symbols*, each as it is written or else in capitals; who is not known is named."""
    wanted = sorted({one for name in symbols for one in (name, name.upper())})
    texts = await _texts(connection, "WHERE m.symbol = ANY ($1)", wanted)
    meant = [name if name in texts else name.upper() for name in symbols]
    found = {name: texts[name] for name in meant if name in texts}
    return await _bulk(connection, meant, found, {"not_found": [name for name in meant if name not in texts]})


async def all_metadata(connection: Connection, asked: BulkAsked) -> Answer:
    """The documents of the listed symbols, in order of their symbols, `limit` of them after `after`."""
    texts = await _texts(
        connection,
        "JOIN listed_ticker AS u USING (symbol) WHERE u.is_active AND ($1::text IS NULL OR m.symbol > $1) "
        'ORDER BY m.symbol COLLATE "C" LIMIT $2',
        asked.after,
        asked.limit + 1,
    )
    found = dict(list(texts.items())[: asked.limit])
    return await _bulk(connection, list(found), found, {"next": _next("/api/metadata/bulk", texts, asked)})


async def symbols(connection: Connection, asked: SymbolsAsked) -> Answer:
    """The listed symbols in order, `limit` of them after `after`."""
    listed = await symbol_reads.listed_symbols(connection)
    left = [one for one in listed if asked.after is None or one > asked.after]
    document = {
        "count": len(left[: asked.limit]),
        "limit": asked.limit,
        "symbols": left[: asked.limit],
        "total": len(listed),
        "next": _next("/api/universe/symbols", left, asked),
    }
    return await _answer(connection, document, data_sets.UNIVERSE)


async def universe_counts(connection: Connection) -> Answer:
    """How many symbols there are in PostgreSQL, when they were looked at last, and whether somebody does now."""
    counts = await symbol_reads.symbol_counts(connection)
    universe = await symbol_reads.stands_of(connection, data_sets.UNIVERSE)
    caches = await symbol_reads.stands_of(connection, data_sets.CACHE_METADATA)
    document = {
        "timescaledb_active": counts["active"],
        "timescaledb_total": counts["total"],
        "tickers_loaded": counts["profiles"],
        "last_update": counts["last_seen"],
        "last_warmup": None if caches is None else caches.fetched_at,
        "last_universe_update": None if universe is None else universe.fetched_at,
        "in_progress": bool(await cycles.unended_cycles(connection)),
    }
    return await _answer(connection, document, data_sets.UNIVERSE)


async def _answer(connection: Connection, document: object, data_set: str) -> Answer:
    stands = await symbol_reads.stands_of(connection, data_set)
    return Answer(body=msgspec.json.encode(document), stands=stands)


async def _texts(connection: Connection, condition: str, *arguments: object) -> dict[str, str]:
    """JSON by symbol; a row that cannot be said is left out, as it is of the cache."""
    rows = await connection.fetch(f"{_PROFILES} {condition}", *arguments)
    if len(rows) <= _AT_ONCE:
        return texts_of(map(dict, rows), metadata_text).by_symbol
    return (await asyncio.to_thread(texts_of, map(dict, rows), metadata_text)).by_symbol


async def _bulk(
    connection: Connection, named: Sequence[str], texts: dict[str, str], beside: dict[str, object]
) -> Answer:
    """The documents are JSON already, and are not read and written again."""
    head = msgspec.json.encode({"symbols": named, "count": len(texts), **beside})
    members = ",".join(f"{msgspec.json.encode(name).decode()}:{text}" for name, text in texts.items())
    body = b"".join((head[:-1], b',"results":{', members.encode(), b"}}"))
    return Answer(body=body, stands=await symbol_reads.stands_of(connection, data_sets.DERIVED))


def _next(path: str, found: Sequence[str] | dict[str, str], asked: BulkAsked | SymbolsAsked) -> str | None:
    """The address of the page after this one; None where nothing is left."""
    if len(found) <= asked.limit:
        return None
    return f"{path}?{urlencode({'limit': asked.limit, 'after': list(found)[asked.limit - 1]})}"

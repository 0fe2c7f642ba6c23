"""Makes the answers about symbols: metadata as the cache `metadata:ticker:{symbol}` has them, and who is listed."""

from __future__ import annotations

import asyncio
import bisect
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
    from consumer.web.known import Known

_PROFILES = f"SELECT {', '.join(f'm.{name}' for name in OF_PROFILE)} FROM ticker_profile AS m"
_AT_ONCE = 500  # rows that are said in the event loop; more are said beside it


async def metadata(connection: Connection, known: Known, symbol: str) -> Answer:
    """The document of one symbol, listed or not any more."""
    texts = await _texts(connection, "WHERE m.symbol = ANY ($1)", [symbol])
    if symbol not in texts:
        return missing(f"nothing is known of {symbol} yet: its details come with a night; GET /status says when")
    return Answer(body=texts[symbol].encode(), stands=known.as_of(data_sets.DERIVED))


async def bulk_metadata(connection: Connection, known: Known, symbols: Sequence[str]) -> Answer:
    """The documents of *symbols*, whoever is meant by each; who is not known is named."""
    meant = list(dict.fromkeys(known.symbols.meant_by(name) or name.upper() for name in symbols))
    texts = await _texts(connection, "WHERE m.symbol = ANY ($1)", meant)
    found = {name: texts[name] for name in meant if name in texts}
    return _bulk(known, meant, found, {"not_found": [name for name in meant if name not in texts]})


async def all_metadata(connection: Connection, known: Known, asked: BulkAsked) -> Answer:
    """The documents of the listed symbols, in order of their symbols, `limit` of them after `after`."""
    texts = await _texts(
        connection,
        "JOIN listed_ticker AS u USING (symbol) WHERE u.is_active AND ($1::text IS NULL OR m.symbol > $1) "
        'ORDER BY m.symbol COLLATE "C" LIMIT $2',
        asked.after,
        asked.limit + 1,
    )
    found = dict(list(texts.items())[: asked.limit])
    return _bulk(known, list(found), found, {"next": _next("/api/metadata/bulk", texts, asked)})


async def symbols(connection: Connection, known: Known, asked: SymbolsAsked) -> Answer:
    """The listed symbols in order, `limit` of them after `after`."""
    listed = known.symbols.listed
    left = listed if asked.after is None else listed[bisect.bisect_right(listed, asked.after) :]
    document = {
        "count": len(left[: asked.limit]),
        "limit": asked.limit,
        "symbols": left[: asked.limit],
        "total": len(listed),
        "next": _next("/api/universe/symbols", left, asked),
    }
    return Answer(body=msgspec.json.encode(document), stands=known.as_of(data_sets.UNIVERSE))


async def universe_counts(connection: Connection, known: Known) -> Answer:
    """How many symbols there are in PostgreSQL, when they were looked at last, and whether somebody does now."""
    counts = await symbol_reads.symbol_counts(connection)
    universe, caches = known.as_of(data_sets.UNIVERSE), known.as_of(data_sets.CACHE_METADATA)
    document = {
        "timescaledb_active": counts["active"],
        "timescaledb_total": counts["total"],
        "tickers_loaded": counts["profiles"],
        "last_update": counts["last_seen"],
        "last_warmup": None if caches is None else caches.fetched_at,
        "last_universe_update": None if universe is None else universe.fetched_at,
        "in_progress": bool(await cycles.unended_cycles(connection)),
    }
    return Answer(body=msgspec.json.encode(document), stands=universe)


async def _texts(connection: Connection, condition: str, *arguments: object) -> dict[str, str]:
    """JSON by symbol; a row that cannot be said is left out, as it is of the cache."""
    rows = await connection.fetch(f"{_PROFILES} {condition}", *arguments)
    if len(rows) <= _AT_ONCE:
        return texts_of(map(dict, rows), metadata_text).by_symbol
    return (await asyncio.to_thread(texts_of, map(dict, rows), metadata_text)).by_symbol


def _bulk(known: Known, named: Sequence[str], texts: dict[str, str], beside: dict[str, object]) -> Answer:
    """The documents are JSON already, and are not read and written again."""
    head = msgspec.json.encode({"symbols": named, "count": len(texts), **beside})
    members = ",".join(f"{msgspec.json.encode(name).decode()}:{text}" for name, text in texts.items())
    body = b"".join((head[:-1], b',"results":{', members.encode(), b"}}"))
    return Answer(body=body, stands=known.as_of(data_sets.DERIVED))


def _next(path: str, found: Sequence[str] | dict[str, str], asked: BulkAsked | SymbolsAsked) -> str | None:
    """The address of the page after this one; None where nothing is left."""
    if len(found) <= asked.limit:
        return None
    return f"{path}?{urlencode({'limit': asked.limit, 'after': list(found)[asked.limit - 1]})}"

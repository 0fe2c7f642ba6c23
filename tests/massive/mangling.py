"""Mangles answers of the vendor, decodes what comes out, and judges every row that survives by rules of its own.

The judge shares nothing with the decoders: a row is sound when a person who knows the market would call it so.
"""

from __future__ import annotations

import copy
import datetime as dt
import json
import math
import re
from random import Random
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from consumer.massive import client
from consumer.massive.answers import Answer, read_page
from consumer.massive.daily_rows import sound_rows
from consumer.massive.errors import MassiveError
from consumer.massive.range_bars import gather_bars, window_of
from consumer.massive.reference_rows import newest_listing, sound_floats, sound_splits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NEW_YORK = ZoneInfo("America/New_York")
DAY = dt.date(2026, 7, 15)
SINCE, UNTIL = dt.date(2026, 6, 1), dt.date(2026, 7, 22)
CLOSE_MS = int(dt.datetime(2026, 7, 15, 16, tzinfo=NEW_YORK).timestamp()) * 1000
SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19}")
POISON = (
    None, True, "", "NaN", "-1", [], {}, 0, -1, 1e308, 2**63, 2**70, -(2**64), 1e-320, "\x00ZZ", "é" * 40, [[[[]]]],
    1e12, 9.0,
)  # fmt: skip
RAW_POISON = (b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-0", b"01", b"1" * 400, b"[" * 600, b"\xff\xfe", b"\x00")


def bar(symbol: str, **other: Any) -> dict[str, Any]:
    return {
        "T": symbol,
        "o": 10.0,
        "h": 11.0,
        "l": 9.5,
        "c": 10.5,
        "v": 1234.5,
        "vw": 10.2,
        "n": 7,
        "t": CLOSE_MS,
        **other,
    }


def envelope(results: Any, **other: Any) -> dict[str, Any]:
    body = {"status": "OK", "request_id": "r1", "adjusted": False, "results": results, **other}
    if isinstance(results, list):
        body |= {"resultsCount": len(results), "count": len(results)}
    return body


BODIES: dict[str, dict[str, Any]] = {
    "daily": envelope([bar("AAPL"), bar("BACpB"), bar("BRK.A", o=7e5, h=7e5, l=7e5, c=7e5)]),
    "range": envelope([{"t": CLOSE_MS - 300_000 * n, "v": 10.0 + n} for n in range(6)][::-1], ticker="AAPL"),
    "tickers": envelope([
        {"ticker": "AAPL", "name": "Apple", "market": "stocks", "active": True, "type": "CS", "composite_figi": "F1"},
        {"ticker": "BACpB", "name": "Bank", "market": "stocks", "active": True, "type": "PFD"},
    ]),
    "details": envelope({"ticker": "AAPL", "name": "Apple", "weighted_shares_outstanding": 16_334_371_000,
                         "sic_code": "3571", "list_date": "1980-12-12", "market_cap": 2.7e12}),
    "floats": envelope([{"ticker": "AAPL", "effective_date": "2026-07-01", "free_float": 15_000_000_000,
                         "free_float_percent": 99.1}]),
    "splits": envelope([{"id": "1", "ticker": "AAPL", "execution_date": "2026-07-10", "split_from": 1, "split_to": 4,
                         "adjustment_type": "forward_split"}]),
}  # fmt: skip


def decode(kind: str, body: bytes) -> list[Any]:
    """What of *body* would be used. Raises MassiveError where all of it is refused."""
    answer = Answer(path=f"/{kind}", status=200, body=body)
    if kind == "daily":
        return sound_rows(read_page(answer, client._DAILY).rows, DAY)[0]
    if kind == "range":
        bars = gather_bars([read_page(answer, client._RANGE)], window_of("AAPL", DAY, DAY))
        return list(zip(bars.timestamps_ms.tolist(), bars.volumes.tolist(), strict=True))
    if kind == "tickers":
        return newest_listing([read_page(answer, client._TICKERS)]).rows
    if kind == "details":
        return read_page(answer, client._DETAILS).rows
    if kind == "floats":
        return sound_floats([read_page(answer, client._FLOATS)])
    return sound_splits([read_page(answer, client._SPLITS)], SINCE, UNTIL)


def problem(kind: str, rows: list[Any]) -> str | None:
    """Why one of *rows* must not be used; None where all are sound."""
    for row in rows:
        if (flaw := JUDGES[kind](row)) is not None:
            return f"{flaw}: {row!r}"
    return None


def _daily(row: Any) -> str | None:
    prices = (row.o, row.h, row.l, row.c)
    if SYMBOL.fullmatch(row.T) is None:
        return "symbol"
    if not all(isinstance(price, float) and 0 < price <= 1e7 for price in prices) or row.h < row.l:
        return "price"
    if not (row.v >= 0 and math.isfinite(row.v)):
        return "volume"
    return None if dt.datetime.fromtimestamp(row.t / 1000, NEW_YORK).date() == DAY else "day"


def _range(row: tuple[int, float]) -> str | None:
    at = dt.datetime.fromtimestamp(row[0] / 1000, NEW_YORK)
    if at.date() != DAY or not 4 <= at.hour < 20:
        return "day"
    return None if row[1] >= 0 and math.isfinite(row[1]) else "volume"


def _ticker(row: Any) -> str | None:
    texts = [row.name, row.type, row.composite_figi, row.cik, row.primary_exchange]
    if any(text is not None and "\x00" in text for text in texts):
        return "NUL"  # PostgreSQL stores none
    return None if SYMBOL.fullmatch(row.ticker) else "symbol"


def _details(row: Any) -> str | None:
    return None if isinstance(row.ticker, str) and "\x00" not in (row.name or "") else "text"


def _float(row: Any) -> str | None:
    return (
        None
        if SYMBOL.fullmatch(row.ticker) and (row.free_float is None or isinstance(row.free_float, int))
        else "float"
    )


def _split(row: Any) -> str | None:
    if SYMBOL.fullmatch(row.ticker) is None or not SINCE <= row.execution_date <= UNTIL:
        return "symbol or day"
    ratio = row.split_from / row.split_to if row.split_to else math.nan
    return None if row.split_from > 0 and row.split_to > 0 and math.isfinite(ratio) and ratio > 0 else "ratio"


JUDGES: dict[str, Callable[[Any], str | None]] = {
    "daily": _daily, "range": _range, "tickers": _ticker, "details": _details, "floats": _float, "splits": _split,
}  # fmt: skip


def mangled(random: Random) -> Iterator[tuple[str, bytes]]:
    """Endless bodies, each spoiled once to four times; the same for the same *random*."""
    kinds = sorted(BODIES)
    while True:
        kind = random.choice(kinds)
        value = json.loads(json.dumps(BODIES[kind]))
        for _ in range(random.randint(0, 2)):
            _spoil_value(value, random)
        body = json.dumps(value).encode("utf-8", "surrogatepass")
        for _ in range(random.randint(0, 2)):
            body = _spoil_bytes(body, random)
        yield kind, body


def _spoil_value(value: Any, random: Random) -> None:
    """Replace, drop or double one value somewhere in the tree."""
    place = value
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = random.choice(keys)
        below = place[key]
        if isinstance(below, dict | list) and below and random.random() < 0.8:
            place = below
            continue
        action = random.randrange(4)
        if action == 0:
            del place[key]
        elif action == 1 and isinstance(place, list):
            place.insert(random.choice(keys), copy.deepcopy(below))
        else:
            place[key] = copy.deepcopy(random.choice(POISON))
        return


def _spoil_bytes(body: bytes, random: Random) -> bytes:
    at = random.randrange(len(body) + 1)
    match random.randrange(6):
        case 0:
            return body[:at]
        case 1:
            return body[:at] + bytes([random.randrange(256)]) + body[at + 1 :]
        case 2:
            return body[:at] + body[at // 2 : at] + body[at:]
        case 3:
            numbers = list(re.finditer(rb"(?<=[:\[, ])-?[0-9][0-9.eE+-]*", body))
            if not numbers:
                return body
            number = random.choice(numbers)
            return body[: number.start()] + random.choice(RAW_POISON) + body[number.end() :]
        case 4:
            return body[:at] + random.choice(RAW_POISON) + body[at:]
        case _:
            return body[at:]


def run(bodies: int, seed: int) -> dict[str, int]:
    """Decode *bodies* mangled answers; AssertionError with the body where one crashes or a wrong row survives."""
    counts = {"bodies": 0, "refused": 0, "answers": 0, "rows": 0}
    source = mangled(Random(seed))
    for _ in range(bodies):
        kind, body = next(source)
        counts["bodies"] += 1
        try:
            rows = decode(kind, body)
        except MassiveError:
            counts["refused"] += 1
            continue
        except Exception as error:
            raise AssertionError(f"{kind}: {type(error).__name__}: {error} on {body[:2000]!r}") from error
        if (wrong := problem(kind, rows)) is not None:
            raise AssertionError(f"{kind}: wrong row, {wrong} from {body[:2000]!r}")
        counts["answers"] += 1
        counts["rows"] += len(rows)
    return counts

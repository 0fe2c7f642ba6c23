"""Mangles answers of the vendor, decodes what comes out, and has every row that survives judged (judges.py)."""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
from random import Random
from typing import TYPE_CHECKING, Any

from consumer.massive import client
from consumer.massive.answers import Answer, read_page
from consumer.massive.envelope import rows_of
from consumer.massive.range_bars import gather_bars, window_of
from consumer.postgres.evidence import evidence_json
from consumer.vendor.daily_rows import sound_rows
from consumer.vendor.errors import VendorError
from consumer.vendor.reference_rows import (
    newest_listing,
    sound_closures,
    sound_details,
    sound_dividends,
    sound_floats,
    sound_splits,
)
from consumer.vendor.sieve import Sieve
from tests.massive.judges import DAY, NEW_YORK, SINCE, UNTIL, problem

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOSE_MS = int(dt.datetime(2026, 7, 15, 16, tzinfo=NEW_YORK).timestamp()) * 1000
POISON = (
    None, True, False, "", "NaN", "-1", [], {}, 0, -1, -7, 500, 3_000_000_000, 1e12, 9.0, 1e30, 1e308, 1e-320, 5e-324,
    2**31 - 1, 2**31, 2**53, 2**63, 2**70, -(2**64), "\x00ZZ", "\ud800", "\U0001f600", "é" * 40, "x" * 3_000, [[[[]]]],
    "0001-01-01", "1969-12-31", "2099-01-01", "9999-12-31", "2026-02-30", "2099-01-01T00:00:00Z", float("nan"),
    float("inf"), float("-inf"),
)  # fmt: skip
RAW_POISON = (
    b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-0", b"01", b"1" * 400, b"9" * 5_000, b"[" * 600, b"\xff\xfe",
    b'"\xff"', b"\xed\xa0\x80", b"},{", b"1e-320", b"\x00",
)  # fmt: skip


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


BODIES: dict[str, Any] = {
    "daily": envelope([bar("AAPL"), bar("BACpB"), bar("BRK.A", o=7e5, h=7e5, l=7e5, c=7e5)]),
    "range": envelope([{"t": CLOSE_MS - 300_000 * n, "v": 10.0 + n} for n in range(6)][::-1], ticker="AAPL"),
    "tickers": envelope([
        {"ticker": "AAPL", "name": "Apple", "market": "stocks", "active": True, "type": "CS", "cik": "0000320193",
         "composite_figi": "BBG000B9XRY4", "last_updated_utc": "2026-07-14T05:00:00Z", "primary_exchange": "XNAS",
         "delisted_utc": "2026-07-01T04:00:00Z"},
        {"ticker": "BACpB", "name": "Bank", "market": "stocks", "active": True, "type": "PFD"},
    ]),
    "details": envelope({"ticker": "AAPL", "name": "Apple", "weighted_shares_outstanding": 16_334_371_000,
                         "sic_code": "3571", "list_date": "1980-12-12", "market_cap": 2.7e12}),
    "floats": envelope([{"ticker": "AAPL", "effective_date": "2026-07-01", "free_float": 15_000_000_000,
                         "free_float_percent": 99.1}]),
    "splits": envelope([{"id": "1", "ticker": "AAPL", "execution_date": "2026-07-10", "split_from": 1, "split_to": 4,
                         "adjustment_type": "forward_split"}]),
    "dividends": envelope([{"id": "D1", "ticker": "AAPL", "ex_dividend_date": "2026-07-10", "cash_amount": 0.26,
                            "currency": "USD", "declaration_date": "2026-07-01", "record_date": "2026-07-13",
                            "pay_date": "2026-07-16", "frequency": 4, "distribution_type": "recurring"}]),
    "closures": [{"date": "2026-11-26", "exchange": "NYSE", "name": "Thanksgiving", "status": "closed"},
                 {"date": "2026-11-27", "exchange": "NYSE", "status": "early-close", "close": "2026-11-27T18:00:00Z"}],
}  # fmt: skip


def decode(kind: str, body: bytes) -> list[Any]:
    """What of *body* would be used. Raises VendorError where all of it is refused."""
    answer = Answer(path=f"/{kind}", status=200, body=body)
    sieve = Sieve(DAY)
    match kind:
        case "daily":
            page = read_page(answer, client._DAILY)
            sieve.take(page.set_aside)
            rows = sound_rows(page.rows, DAY, sieve)
        case "range":
            bars = gather_bars([read_page(answer, client._RANGE)], window_of("AAPL", DAY, DAY))
            rows = list(zip(bars.timestamps_ms.tolist(), bars.volumes.tolist(), strict=True))
            sieve.absorb(bars.rejected, bars.set_aside)
        case "tickers":
            rows = newest_listing(rows_of([read_page(answer, client._TICKERS)], sieve), sieve).rows
        case "details":
            rows = sound_details(rows_of([read_page(answer, client._DETAILS)], sieve), sieve)
        case "floats":
            rows = sound_floats(rows_of([read_page(answer, client._FLOATS)], sieve), sieve)
        case "closures":
            rows = sound_closures(rows_of([read_page(answer, client._CLOSURES)], sieve), sieve)
        case "dividends":
            rows = sound_dividends(rows_of([read_page(answer, client._DIVIDENDS)], sieve), SINCE, UNTIL, sieve)
        case _:
            rows = sound_splits(rows_of([read_page(answer, client._SPLITS)], sieve), SINCE, UNTIL, sieve)
    for lost in sieve.set_aside:
        json.loads(evidence_json(lost.evidence))  # what was set aside can be kept
    assert sieve.rejected.total() == len(sieve.set_aside)
    return rows


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
        except VendorError:
            counts["refused"] += 1
            continue
        except Exception as error:
            raise AssertionError(f"{kind}: {type(error).__name__}: {error} on {body[:300]!r}…") from error
        if (wrong := problem(kind, rows)) is not None:
            raise AssertionError(f"{kind}: wrong row, {wrong} from {body[:2000]!r}")
        counts["answers"] += 1
        counts["rows"] += len(rows)
    return counts

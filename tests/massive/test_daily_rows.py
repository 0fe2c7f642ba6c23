"""Which daily bars are kept."""

import datetime as dt
import math
import time
from typing import Any

import msgspec
import pytest

from consumer.massive.envelope import Envelope, PageReader
from consumer.vendor.daily_rows import sound_rows
from consumer.vendor.rows import DailyRow, Flaw
from consumer.vendor.sieve import Sieve

DAY = dt.date(2020, 10, 14)
CLOSE_MS = 1602705600000  # 2020-10-14T20:00Z, how the vendor stamps that day


def bar(**fields: Any) -> DailyRow:
    whole = {"T": "A", "o": 1.5, "h": 2.0, "l": 1.0, "c": 1.5, "v": 10.5, "t": CLOSE_MS, **fields}
    return DailyRow(**whole)


def sifted(bars: list[DailyRow]) -> tuple[list[DailyRow], dict[str, int]]:
    sieve = Sieve(DAY)
    return sound_rows(bars, DAY, sieve), dict(sieve.rejected)


def test_sound_bars_of_any_legal_symbol_are_kept() -> None:
    bars = [bar(T=symbol) for symbol in ("BRK.A", "BACpB", "KIMpL", "X.WS", "AAPL")]
    assert sifted(bars) == (bars, {})


@pytest.mark.parametrize(
    ("fields", "flaw"),
    [
        ({"T": "\0AAPL"}, Flaw.SYMBOL),
        ({"T": ""}, Flaw.SYMBOL),
        ({"T": "A B"}, Flaw.SYMBOL),
        ({"h": 1e12}, Flaw.PRICE),
        ({"l": -1.0}, Flaw.PRICE),
        ({"o": 0.0}, Flaw.PRICE),
        ({"c": math.nan}, Flaw.PRICE),
        ({"h": math.inf}, Flaw.PRICE),
        ({"h": 1.0, "l": 2.0}, Flaw.HIGH_BELOW_LOW),
        ({"v": -1.0}, Flaw.VOLUME),
        ({"v": math.nan}, Flaw.VOLUME),
        ({"v": math.inf}, Flaw.VOLUME),
        ({"t": CLOSE_MS + 86_400_000}, Flaw.FOREIGN_DAY),
        ({"t": CLOSE_MS - 86_400_000}, Flaw.FOREIGN_DAY),
    ],
)
def test_garbage_is_set_aside_under_its_reason(fields: dict[str, Any], flaw: Flaw) -> None:
    good = bar(T="GOOD")
    assert sifted([bar(**fields), good]) == ([good], {flaw: 1})


@pytest.mark.parametrize(
    ("moment", "is_of_the_day"),
    [
        (dt.datetime(2020, 10, 14, 4, tzinfo=dt.UTC), True),  # midnight in New York
        (dt.datetime(2020, 10, 15, 3, 59, 59, tzinfo=dt.UTC), True),
        (dt.datetime(2020, 10, 15, 4, tzinfo=dt.UTC), False),
        (dt.datetime(2020, 10, 14, 3, 59, 59, tzinfo=dt.UTC), False),
    ],
)
def test_the_day_of_a_bar_is_the_new_york_day(moment: dt.datetime, is_of_the_day: bool) -> None:
    rows, _ = sifted([bar(t=int(moment.timestamp() * 1000))])
    assert bool(rows) is is_of_the_day


def test_of_a_ticker_sent_twice_the_larger_volume_stays_and_case_makes_two_tickers() -> None:
    small, large, other = bar(T="BACpB", v=5.0), bar(T="BACpB", v=7.0), bar(T="BACPB", v=1.0)
    assert sifted([small, large, other]) == ([large, other], {Flaw.DUPLICATE: 1})
    assert sifted([large, small, other]) == ([large, other], {Flaw.DUPLICATE: 1})


def test_a_whole_market_is_read_and_checked_in_the_blink_of_an_eye() -> None:
    rows = [
        {
            "T": f"T{i}",
            "v": 38649398.679189,
            "vw": 12.34,
            "o": 12.1,
            "c": 12.2,
            "h": 12.9,
            "l": 12.0,
            "t": CLOSE_MS,
            "n": 9,
        }
        for i in range(11_000)
    ]
    body = msgspec.json.encode({"status": "OK", "results": rows})
    reader = PageReader(DailyRow, msgspec.json.Decoder(Envelope[list[DailyRow]]).decode)
    spent = []
    for _ in range(5):
        started = time.process_time()
        kept, _ = sifted(reader.read(body).rows)
        spent.append(time.process_time() - started)
    assert len(kept) == 11_000
    print(f"grouped 11,000 rows: {min(spent) * 1000:.1f} ms CPU")
    # Aim: 30 ms. The bound is loose because the machine is shared; a quadratic check would still fail it.
    assert min(spent) < 0.120

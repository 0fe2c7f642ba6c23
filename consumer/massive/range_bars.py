"""Turns pages of intraday bars into three arrays: when, how much, and in how many trades.

Every start stands once and in order.  Bars of other days, bad volumes and repeated starts are set aside: the vendor has
sent all three under load.  A count of trades that cannot be costs itself alone.  Pure.
"""

import datetime as dt
from collections.abc import Sequence
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumer.massive.envelope import Page
from consumer.massive.wire_rows import RangeRow
from consumer.vendor.daily_rows import instant_ms
from consumer.vendor.errors import BadAnswer
from consumer.vendor.rows import Flaw, RangeBars
from consumer.vendor.sieve import Sieve
from market.bounded_fields import TRADES, VOLUME
from market.session import EXTENDED_CLOSE, EXTENDED_OPEN
from market.volume_slots import UNKNOWN_TRADES

Row = TypeVar("Row", bound=msgspec.Struct)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The asked ticker and days, and the instants its bars must start in, the end not included."""

    symbol: str
    first_day: dt.date
    last_day: dt.date
    start_ms: int
    end_ms: int


def window_of(symbol: str, first_day: dt.date, last_day: dt.date) -> Window:
    """From 04:00 of the first to 20:00 of the last day, in New York."""
    return Window(
        symbol=symbol,
        first_day=first_day,
        last_day=last_day,
        start_ms=instant_ms(first_day, EXTENDED_OPEN),
        end_ms=instant_ms(last_day, EXTENDED_CLOSE),
    )


def gather_bars(pages: Sequence[Page[RangeRow]], window: Window) -> RangeBars:
    """The bars of all pages of one question."""
    sieve = Sieve(window.last_day)
    for page in pages:
        require_own_ticker(page, window.symbol)
        sieve.take(msgspec.structs.replace(lost, symbol=window.symbol) for lost in page.set_aside)
    rows = [row for page in pages for row in page.rows]
    starts = np.fromiter((row.t for row in rows), np.int64, len(rows))
    volumes = np.fromiter((row.v for row in rows), np.float64, len(rows))
    _require_own_days(starts, window)

    inside = (starts >= window.start_ms) & (starts < window.end_ms)
    sound = ((volumes >= VOLUME.least) & (volumes <= VOLUME.most)) | (volumes == 0.0)
    kept = inside & sound
    _drop(rows, ~inside, Flaw.FOREIGN_DAY, sieve, window)
    _drop(rows, inside & ~sound, Flaw.VOLUME, sieve, window)
    bars = _each_start_once(starts[kept], volumes[kept], _counts(rows, kept, sieve, window)[kept])
    for _ in range(int(np.count_nonzero(kept)) - len(bars[0])):
        sieve.drop_row(Flaw.DUPLICATE, None, window.symbol)
    return RangeBars(
        timestamps_ms=bars[0],
        volumes=bars[1],
        trades=bars[2],
        request_ids=tuple(page.envelope.request_id for page in pages if page.envelope.request_id is not None),
        pages=len(pages),
        foreign=len(rows) - int(np.count_nonzero(inside)),
        rejected=dict(sieve.rejected),
        set_aside=tuple(sieve.set_aside),
    )


def _drop(rows: Sequence[RangeRow], which: NDArray[np.bool_], flaw: Flaw, sieve: Sieve, window: Window) -> None:
    for place in np.flatnonzero(which).tolist():
        sieve.drop_row(flaw, rows[place], window.symbol)


def _counts(rows: Sequence[RangeRow], kept: NDArray[np.bool_], sieve: Sieve, window: Window) -> NDArray[np.int64]:
    """The trades of each bar; those that cannot be are unknown, and noted of the bars that are *kept*."""
    trades = np.fromiter((UNKNOWN_TRADES if row.n is None else row.n for row in rows), np.int64, len(rows))
    beyond = (trades < TRADES.least) | (trades > TRADES.most)
    for place in np.flatnonzero(beyond & kept).tolist():
        if rows[place].n is not None:
            sieve.drop_field(Flaw.BOUNDS, "n", rows[place].n, window.symbol)
    trades[beyond] = UNKNOWN_TRADES
    return trades


def require_own_ticker(page: Page[Row], symbol: str) -> None:
    """Raise BadAnswer where the bars are another ticker's."""
    if page.rows and page.envelope.ticker != symbol:
        raise BadAnswer(
            f"Asked for bars of {symbol}, got those of {str(page.envelope.ticker)[:20]!r}",
            request_id=page.envelope.request_id,
        )


def _require_own_days(starts: NDArray[np.int64], window: Window) -> None:
    """Single foreign bars are set aside; an answer of nothing else belongs to another question."""
    midnight_ms = instant_ms(window.first_day, dt.time())
    next_midnight_ms = instant_ms(window.last_day + dt.timedelta(days=1), dt.time())
    if len(starts) and not np.any((starts >= midnight_ms) & (starts < next_midnight_ms)):
        raise BadAnswer(f"Not one of {len(starts)} bars of {window.symbol} lies on the days asked for")


def _each_start_once(
    starts: NDArray[np.int64], volumes: NDArray[np.float64], trades: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """The larger volume of each start, and the larger count."""
    if np.all(starts[1:] > starts[:-1]):
        return starts, volumes, trades
    order = np.argsort(starts, kind="stable")
    starts = starts[order]
    firsts = np.flatnonzero(np.append(True, starts[1:] != starts[:-1]))
    return starts[firsts], np.maximum.reduceat(volumes[order], firsts), np.maximum.reduceat(trades[order], firsts)

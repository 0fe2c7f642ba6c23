"""Draws a series of bars, and lines of volume, in plain text.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.symbol_view import Bar, Mark

HEIGHT = 12
LETTERS = {"split": "S", "dividend": "D", "boundary": "B"}
#: Where more than one thing happened on a day: what says most.
_SAYS_MOST = ("boundary", "split", "dividend")


def bars_chart(bars: Sequence[Bar], marks: Sequence[Mark], *, width: int) -> list[str]:
    """Return the newest bars that *width* columns hold, oldest first: a column a session, on today's basis.

    `|` goes from low to high, `o` is the close; below, S a split, D a dividend, B a boundary that counts.
    """
    found = [one for one in bars if None not in (one.low, one.high, one.close)][-max(width - 12, 10) :]
    if not found:
        return ["no bars"]
    lows, highs, closes = (_prices(found, name) for name in ("low", "high", "close"))
    least, most = min(lows), max(highs)
    step = (most - least) / (HEIGHT - 1) or 1.0
    rows = [[" "] * len(found) for _ in range(HEIGHT)]
    for column, (low, high, close) in enumerate(zip(lows, highs, closes, strict=True)):
        for level in range(round((low - least) / step), round((high - least) / step) + 1):
            rows[level][column] = "|"
        rows[round((close - least) / step)][column] = "o"
    labels = {level: least + step * level for level in (0, HEIGHT // 2, HEIGHT - 1)}
    lines = [f"{_price(labels.get(level)):>10}  {''.join(rows[level])}".rstrip() for level in reversed(range(HEIGHT))]
    return [*lines, *_below(found, marks)]


def _prices(bars: Sequence[Bar], name: str) -> list[float]:
    return [(getattr(one, name) or 0.0) * one.factor for one in bars]


def _price(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _below(bars: Sequence[Bar], marks: Sequence[Mark]) -> list[str]:
    counted = {(one.day, one.kind) for one in marks if one.counts}
    happened = [next((LETTERS[kind] for kind in _SAYS_MOST if (bar.trading_day, kind) in counted), " ") for bar in bars]
    first, last = str(bars[0].trading_day), str(bars[-1].trading_day)
    gap = max(len(bars) - len(first) - len(last), 1)
    events = "".join(happened).rstrip()
    return [*([" " * 12 + events] if events else []), " " * 12 + first + " " * gap + last]


def bar_of(share: float, *, width: int = 30) -> str:
    """Return a bar that is *share* of *width* long, at most twice as long."""
    return "#" * round(max(0.0, min(share, 2.0)) * width)

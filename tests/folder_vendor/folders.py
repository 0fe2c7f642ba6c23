"""Fills a folder with tables of five symbols whose figures are known without computing: see WORLD."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A share that trades alike every day: ATR is its daily range, every average its volume."""

    close: float
    range: float
    volume: int


WORLD = {
    "AAPL": Share(close=200.0, range=4.0, volume=30_000),
    "MSFT": Share(close=400.0, range=6.0, volume=20_000),
    "NVDA": Share(close=100.0, range=5.0, volume=50_000),
    "SPLT": Share(close=50.0, range=2.0, volume=10_000),  # twice that until it splits two for one
    "XOM": Share(close=120.0, range=1.0, volume=15_000),
}
SPLITS = "SPLT"
# Of a day's volume a third in the first slot of regular trading, the rest in its last.
OPENING, CLOSING = 66, 143


def fill(folder: Path, sessions: Sequence[dt.date], *, split_on: dt.date, minutes: int = 5) -> None:
    """Write the tables of *sessions*; *minutes*: of how many of the last ones there are minutes too."""
    for name in ("daily", "minutes") if minutes else ("daily",):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for day in sessions:
        write_day(folder, day, split_on=split_on)
    for day in sessions[-minutes:] if minutes else ():
        rows = [f"{symbol},09:31:00,{one.volume // 3}\n{symbol},15:59:00,{one.volume - one.volume // 3}\n"
                for symbol, one in WORLD.items()]  # fmt: skip
        (folder / f"minutes/{day}.csv").write_text("symbol,time,volume\n" + "".join(rows), encoding="utf-8")
    tickers = [f"{symbol},{symbol} Inc,CS,XNAS,3571,1000000\n" for symbol in WORLD]
    (folder / "tickers.csv").write_text("symbol,name,type,exchange,sic,shares\n" + "".join(tickers), encoding="utf-8")
    (folder / "splits.csv").write_text(f"symbol,date,from,to\n{SPLITS},{split_on},1,2\n", encoding="utf-8")
    (folder / "dividends.csv").write_text(
        f"symbol,ex_date,amount,type,frequency,declared,record,paid\n"
        f"XOM,{split_on},0.26,recurring,4,2025-10-20,2025-11-12,2025-11-20\n",
        encoding="utf-8",
    )


def write_day(folder: Path, day: dt.date, *, split_on: dt.date) -> None:
    """Write one session's bars."""
    lines = ["symbol,open,high,low,close,volume"]
    for symbol, one in WORLD.items():
        times = 2 if symbol == SPLITS and day < split_on else 1
        high, low = (one.close + one.range / 2) * times, (one.close - one.range / 2) * times
        lines.append(f"{symbol},{one.close * times},{high},{low},{one.close * times},{one.volume / times}")
    (folder / f"daily/{day}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

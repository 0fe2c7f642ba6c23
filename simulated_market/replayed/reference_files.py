"""Reads what a replayed folder brings of reference data, beside its flat files and in the vendor's shapes.

    splits.json            rows of /stocks/v1/splits
    dividends.json         rows of /stocks/v1/dividends
    tickers.json           rows of /v3/reference/tickers; one with "active": false is a delisted ticker
    ticker_details.json    `results` of /v3/reference/tickers/{ticker}, a list of them
    floats.json            rows of /stocks/vX/float

Each is optional. What the folder does not have is unknown: nothing is made up here. A ticker that only its day files
name is known by its symbol, and by having traded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from market.small_files import FileTooLarge, read_small
from simulated_market.wire_rows import DividendRow, FloatRow, SplitRow, TickerDetails, TickerRow

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Row = TypeVar("Row", bound=msgspec.Struct)

SPLITS, DIVIDENDS, TICKERS = "splits.json", "dividends.json", "tickers.json"
DETAILS, FLOATS = "ticker_details.json", "floats.json"
MOST_BYTES = 256 << 20  # fifty times the whole market's details
REFERENCE_FILES = (SPLITS, DIVIDENDS, TICKERS, DETAILS, FLOATS)


class BadReferenceFile(Exception):
    """A file beside the flat files is not in the vendor's shape; the text names file and place."""


def read_splits(folder: Path) -> list[SplitRow]:
    """The splits, oldest first."""
    return sorted(_read(folder / SPLITS, SplitRow), key=lambda row: (row.execution_date, row.ticker))


def read_dividends(folder: Path) -> list[DividendRow]:
    """The cash dividends, oldest first."""
    return sorted(_read(folder / DIVIDENDS, DividendRow), key=lambda row: (row.ex_dividend_date, row.ticker))


def read_tickers_file(folder: Path) -> dict[str, TickerRow]:
    """The listing by symbol."""
    return {row.ticker: row for row in _read(folder / TICKERS, TickerRow)}


def read_details(folder: Path) -> dict[str, TickerDetails]:
    """The details by symbol."""
    return {row.ticker: row for row in _read(folder / DETAILS, TickerDetails)}


def read_floats(folder: Path) -> list[FloatRow]:
    """The floats in the order of their symbols."""
    return sorted(_read(folder / FLOATS, FloatRow), key=lambda row: row.ticker)


def listed(traded: Iterable[str], rows: dict[str, TickerRow]) -> tuple[list[TickerRow], list[TickerRow]]:
    """Active and delisted tickers in the order of their symbols: what the folder lists, and what it shows to trade."""
    bare = {symbol: _bare(symbol) for symbol in traded}
    known = [row for _, row in sorted((bare | rows).items())]
    return [row for row in known if row.active], [row for row in known if not row.active]


def _bare(symbol: str) -> TickerRow:
    """A ticker of which nothing is known but that it traded: US stocks in dollars, as all of these files are."""
    return TickerRow(ticker=symbol, market="stocks", locale="us", active=True, currency_name="usd")


def _read(path: Path, kind: type[Row]) -> list[Row]:
    if not path.exists():
        return []
    try:
        return msgspec.json.decode(read_small(path, most=MOST_BYTES), type=list[kind])  # type: ignore[valid-type]
    except (msgspec.DecodeError, FileTooLarge) as error:
        raise BadReferenceFile(f"{path}: {error}") from error

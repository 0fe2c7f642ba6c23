"""Reads one flat file into volume slots (shares and trades) or daily bars, with polars.

Imported only through `flat_files`.  Rows that cannot be used are counted by flaw; a file that is cut, corrupt or of
another day is a `BadAnswer` as a whole, since the vendor replaces published files.
"""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from consumer.massive.flat_file_check import check_flat_file
from consumer.vendor.daily_rows import sound_rows
from consumer.vendor.errors import BadAnswer, NotYetPublished
from consumer.vendor.rows import DailyRow, Flaw, GroupedDaily, MinuteSlots
from consumer.vendor.sieve import Sieve
from market.bounded_fields import TRADES, VOLUME
from market.session import TradingSession
from market.symbols import is_well_formed
from market.volume_slots import SLOT_MINUTES, SLOTS_PER_DAY, UNKNOWN_TRADES, slot_start_ms

# What stands in place of a slot where a row has none.
_NO_SLOT = {Flaw.UNDECODABLE: -1, Flaw.VOLUME: -2, Flaw.OUTSIDE_GRID: -3}

_Value = TypeVar("_Value", bound=np.generic)

_NUMBERS = ("volume", "open", "close", "high", "low")
_WHOLE_NUMBERS = ("window_start", "transactions")


def read_minute_slots(path: Path, session: TradingSession) -> MinuteSlots:
    """The file's minutes summed into slots."""
    sums = _collected(path, lambda rows: _slot_sums(rows, slot_start_ms(session)))
    sieve = Sieve(session.day)
    for flaw, code in _NO_SLOT.items():
        _drop(sums.filter(pl.col("slot") == code), flaw, sieve)
    inside = sums.filter(pl.col("slot") >= 0)
    if sums.height and not inside.height:
        raise BadAnswer(f"{path.name} holds not one bar of its day's session")
    malformed = [symbol for symbol in inside["ticker"].unique().to_list() if not is_well_formed(symbol)]
    _drop(inside.filter(pl.col("ticker").is_in(malformed)), Flaw.SYMBOL, sieve)
    inside = inside.filter(~pl.col("ticker").is_in(malformed))
    sieve.absorb({Flaw.DUPLICATE: _row_count(inside) - int(inside["minutes"].sum())}, ())
    # A slot can be too large though none of its minutes is.
    _drop(inside.filter(pl.col("volume") > VOLUME.most), Flaw.VOLUME, sieve)
    inside = inside.filter(pl.col("volume") <= VOLUME.most)
    _note_uncounted(inside.filter(pl.col("uncounted") > 0), sieve)
    symbols = inside["ticker"].unique().sort().to_list()
    return MinuteSlots(
        symbols=symbols,
        volumes=_as_table(inside, symbols, inside["volume"].to_numpy()),
        trades=_as_table(inside, symbols, inside["trades"].to_numpy()),
        rejected=+sieve.rejected,
        set_aside=tuple(sieve.set_aside),
    )


def _drop(sums: pl.DataFrame, flaw: Flaw, sieve: Sieve) -> None:
    """Note the minutes that are not taken, an entry a symbol."""
    by_symbol = sums.group_by("ticker").agg(pl.col("rows").sum()).sort("ticker").iter_rows()
    for symbol, rows in by_symbol:
        sieve.absorb({flaw: rows - 1}, ())
        sieve.drop_row(flaw, {"ticker": symbol, "minutes": rows}, symbol)


def _note_uncounted(sums: pl.DataFrame, sieve: Sieve) -> None:
    """Note the counts of trades that are none, an entry a symbol: their minutes are taken without them."""
    by_symbol = sums.group_by("ticker").agg(pl.col("uncounted").sum()).sort("ticker").iter_rows()
    for symbol, minutes in by_symbol:
        sieve.absorb({"field transactions": minutes - 1}, ())
        sieve.drop_field(Flaw.BOUNDS, "transactions", {"minutes": minutes}, symbol)


def read_day_bars(path: Path, day: dt.date) -> GroupedDaily:
    """The file's bars, held to the same rules as the REST answer of that day."""
    columns = ["ticker", *_NUMBERS, "window_start", "transactions"]
    table = _collected(path, lambda rows: rows.select(columns))
    whole = table.drop_nulls(columns[:-1])
    bars = [
        DailyRow(T=ticker, v=volume, o=open_, c=close, h=high, l=low, t=window_start // 1_000_000, n=transactions)
        for ticker, volume, open_, close, high, low, window_start, transactions in whole.iter_rows()
    ]
    sieve = Sieve(day)
    for row in table.filter(pl.any_horizontal(pl.col(columns[:-1]).is_null())).iter_rows(named=True):
        sieve.drop_row(Flaw.UNDECODABLE, row, row["ticker"])
    for row in whole.filter(pl.col("transactions").is_null()).iter_rows(named=True):
        sieve.drop_field(Flaw.UNDECODABLE, "transactions", None, row["ticker"])
    rows = sound_rows(bars, day, sieve)
    if table.height and not rows:
        raise BadAnswer(f"{path.name} holds not one sound bar of its day")
    return GroupedDaily(day=day, rows=rows, rejected=+sieve.rejected, set_aside=tuple(sieve.set_aside))


def _rows_of(path: Path) -> pl.LazyFrame:
    """The file's rows by column name; what is no number is null."""
    return pl.scan_csv(
        path,
        infer_schema=False,
        # Categorical: eleven thousand symbols in a million rows take a quarter less memory than as texts.
        schema_overrides={
            "ticker": pl.Categorical(),
            **dict.fromkeys(_NUMBERS, pl.Float64),
            **dict.fromkeys(_WHOLE_NUMBERS, pl.Int64),
        },
        ignore_errors=True,
        # The vendor quotes nothing; one stray quotation mark would swallow the rows up to the next.
        quote_char=None,
        truncate_ragged_lines=True,
        # A byte that is no text costs its row; strictly read, in any column of text it costs the file.
        encoding="utf8-lossy",
        glob=False,
    )


def _slot_sums(rows: pl.LazyFrame, start_ms: int) -> pl.LazyFrame:
    """Volume, trades, minutes and rows for each ticker and slot, or the code of what a row is without one."""
    volume, window_start = pl.col("volume"), pl.col("window_start")
    minute = (window_start // 1_000_000 - start_ms) // 60_000
    minute_or_flaw = (
        pl.when(pl.any_horizontal(pl.col("ticker", "volume", "window_start").is_null()))
        .then(_NO_SLOT[Flaw.UNDECODABLE] * SLOT_MINUTES)
        .when(~minute.is_between(0, SLOTS_PER_DAY * SLOT_MINUTES - 1))
        .then(_NO_SLOT[Flaw.OUTSIDE_GRID] * SLOT_MINUTES)
        .when(~(volume.is_between(VOLUME.least, VOLUME.most) | (volume == 0.0)))
        .then(_NO_SLOT[Flaw.VOLUME] * SLOT_MINUTES)
        .otherwise(minute)
        .cast(pl.Int32)
    )
    # By minute first: a minute that stands twice must not count twice.
    by_minute = (
        rows.select("ticker", "volume", minute_or_flaw.alias("minute"), *_counts(rows))
        .group_by("ticker", "minute")
        .agg(volume.max(), pl.col("trades").max(), pl.col("uncounted").sum(), pl.len().alias("rows"))
    )
    return by_minute.group_by("ticker", (pl.col("minute") // SLOT_MINUTES).alias("slot")).agg(
        volume.sum(), _trades_of_slot(), pl.col("uncounted").sum(), pl.len().alias("minutes"), pl.col("rows").sum()
    )


def _counts(rows: pl.LazyFrame) -> tuple[pl.Expr, pl.Expr]:
    """Of how many trades a minute is, null where it does not say; and whether what it says is no count."""
    if "transactions" not in rows.collect_schema().names():
        return pl.lit(None, pl.Int64).alias("trades"), pl.lit(value=False).alias("uncounted")
    said = pl.col("transactions")
    can_be = said.is_between(int(TRADES.least), int(TRADES.most)).fill_null(value=False)
    return pl.when(can_be).then(said).alias("trades"), (~can_be).alias("uncounted")


def _trades_of_slot() -> pl.Expr:
    """By the rules of market/volume_slots.sum_trades."""
    trades = pl.col("trades")
    silent = ((pl.col("volume") > 0) & (trades.fill_null(0) <= 0)).any()
    known = ~silent & (trades.sum() <= int(TRADES.most))
    return pl.when(known).then(trades.sum()).otherwise(UNKNOWN_TRADES).alias("trades")


def _collected(path: Path, query: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
    """The answer of *query* on the file's rows."""
    try:
        check_flat_file(path)
        rows = query(_rows_of(path)).with_columns(pl.col("ticker").cast(pl.String))
        return rows.collect(engine="streaming")
    except FileNotFoundError as error:
        raise NotYetPublished(f"There is no flat file {path.name} in {path.parent} yet") from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadAnswer(f"The flat file {path.name} cannot be read: {str(error)[:200]}") from error


def _row_count(sums: pl.DataFrame) -> int:
    return int(sums["rows"].sum())


def _as_table(sums: pl.DataFrame, symbols: list[str], values: NDArray[_Value]) -> NDArray[_Value]:
    table = np.zeros((len(symbols), SLOTS_PER_DAY), dtype=values.dtype)
    if symbols:
        row_of_symbol = sums["ticker"].cast(pl.Enum(symbols)).to_physical().to_numpy()
        table[row_of_symbol, sums["slot"].to_numpy()] = values
    return table

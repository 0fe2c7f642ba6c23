"""Holds what every answer needs and few loads change: as of when data sets stand, who is listed, splits and cuts.

Read again where a data set that it is made from was loaded since; by the look that sees that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import boundaries, symbol_reads
from consumer.postgres import splits as splits_table
from consumer.postgres.symbol_reads import Stands
from contract import data_sets
from market.splits import Split
from market.trading_calendar import TradingCalendar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Pool

_CACHES = (*data_sets.CACHE_RVOL, *data_sets.CACHE_TRADES)
#: What answers are made from, or changes them.
LOOKED_AT = (
    data_sets.DAILY_BARS,
    data_sets.SLOT_PROOF,
    data_sets.UNIVERSE,
    data_sets.DERIVED,
    data_sets.ATR,
    data_sets.SPLITS,
    data_sets.SPLIT_CHECK,
    data_sets.IDENTITY,
    data_sets.BOUNDARIES,
    data_sets.TAKEN,
    data_sets.CACHE_METADATA,
    *_CACHES,
)
_SYMBOLS = (data_sets.UNIVERSE, data_sets.IDENTITY)
_CORPORATE = (
    data_sets.SPLITS,
    data_sets.SPLIT_CHECK,
    data_sets.IDENTITY,
    data_sets.BOUNDARIES,
    data_sets.DAILY_BARS,
    *_CACHES,
)


class Symbols(msgspec.Struct, frozen=True, kw_only=True):
    """Who is *listed*, in order; *known* are those that are gone as well; *spelled* says whom bars' spelling means."""

    listed: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    spelled: Mapping[str, str] = {}

    def meant_by(self, written: str) -> str | None:
        """The symbol as it is written, or in capitals, or as bars spell it; None where it is nobody's.

        Symbols are case-sensitive (BACpB is not BACPB): as it is written it counts first.
        """
        for one in (written, written.upper()):
            if one in self.known:
                return one
        return self.spelled.get(written) or self.spelled.get(written.upper())


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What stands, by data set, and what is the same for all symbols' answers."""

    calendar: TradingCalendar
    stands: Mapping[str, Stands] = {}
    symbols: Symbols = Symbols()
    splits: Mapping[str, list[Split]] = {}
    cuts: Mapping[str, dt.date] = {}

    def version(self, made_from: Sequence[str]) -> str:
        """Another one with each load of those data sets, and each verdict on the session as of which they stand."""
        return "/".join(str(self.stands.get(name)) for name in made_from)

    def as_of(self, *names: str) -> Stands | None:
        """What the first of *names* says that stands at all."""
        return next((self.stands[name] for name in names if name in self.stands), None)

    def splits_of(self, symbol: str, *, after: dt.date, up_to: dt.date) -> list[Split]:
        """The splits of one company that count and were executed between these days."""
        return [split for split in self.splits.get(symbol, ()) if after < split.execution_day <= up_to]


async def look(pool: Pool, before: Known) -> Known:
    """Return what stands now; of *before* what has not changed since."""
    stands = await symbol_reads.what_stands(pool, LOOKED_AT)
    now = msgspec.structs.replace(before, stands=stands)
    if now.version(_SYMBOLS) != before.version(_SYMBOLS):
        now = msgspec.structs.replace(now, symbols=await _symbols(pool))
    newest = now.as_of(data_sets.DAILY_BARS)
    if newest is None or now.version(_CORPORATE) == before.version(_CORPORATE):
        return now
    splits = await splits_table.read_splits(pool, after=now.calendar.FIRST_DAY, up_to=newest.day)
    # What begins after the session as of which the figures are cuts those to come.
    as_of = min((stands[name].day for name in _CACHES if name in stands), default=newest.day)
    return msgspec.structs.replace(now, splits=splits, cuts=await boundaries.cuts(pool, up_to=as_of))


async def _symbols(pool: Pool) -> Symbols:
    rows = await symbol_reads.known_symbols(pool)
    return Symbols(
        listed=tuple(symbol for symbol, listed, _ in rows if listed),
        known=frozenset(symbol for symbol, _, _ in rows),
        spelled={spelled: symbol for symbol, listed, spelled in rows if listed and spelled is not None},
    )

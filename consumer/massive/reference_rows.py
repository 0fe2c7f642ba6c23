"""Separates sound reference rows (listing, floats, splits) from duplicates and garbage.

What was set aside is counted and logged.  Pure but for the log.
"""

import datetime as dt
import math
from collections import Counter
from collections.abc import Sequence

from loguru import logger

from consumer.massive.envelope import Page
from consumer.massive.rows import Flaw, FloatRow, Rejected, SplitRow, TickerListing, TickerRow
from market.symbols import is_well_formed

# No company gives more than thousands of shares for one; beyond, a ratio is a slip or noise.
_FEWEST_SHARES, _MOST_SHARES = 1e-6, 1e6


def newest_listing(pages: Sequence[Page[TickerRow]]) -> TickerListing:
    """One row a ticker; of duplicates the one updated last, with the others beside it."""
    kept: dict[str, TickerRow] = {}
    others: list[TickerRow] = []
    rejected = _undecodable(pages)
    for row in (row for page in pages for row in page.rows):
        if not is_well_formed(row.ticker):
            rejected[Flaw.SYMBOL] += 1
            continue
        known = kept.get(row.ticker)
        if known is not None:
            rejected[Flaw.DUPLICATE] += 1
        if known is None:
            kept[row.ticker] = row
            continue
        older, newer = sorted((known, row), key=lambda each: each.last_updated_utc or "")
        # Of two that are equally old the first one stays.
        kept[row.ticker], other = (newer, older) if older.last_updated_utc != newer.last_updated_utc else (known, row)
        others.append(other)
    return TickerListing(rows=list(kept.values()), pages=len(pages), others=tuple(others), rejected=+rejected)


def sound_floats(pages: Sequence[Page[FloatRow]]) -> list[FloatRow]:
    """One row a ticker; of duplicates the one with the latest effective date."""
    kept: dict[str, FloatRow] = {}
    rejected = _undecodable(pages)
    for row in (row for page in pages for row in page.rows):
        if not is_well_formed(row.ticker):
            rejected[Flaw.SYMBOL] += 1
            continue
        known = kept.get(row.ticker)
        if known is not None:
            rejected[Flaw.DUPLICATE] += 1
        if known is None or (row.effective_date or dt.date.min) > (known.effective_date or dt.date.min):
            kept[row.ticker] = row
    _report("float", +rejected)
    return list(kept.values())


def sound_splits(pages: Sequence[Page[SplitRow]], since: dt.date, until: dt.date) -> list[SplitRow]:
    """One split a ticker, day and ratio: the vendor repeats some, also as 1:7 and 10:70, and a factor counts once.

    Different ratios on one day are all kept: which of them is true, the prices say (market/split_check.py).
    """
    kept: dict[tuple[str, dt.date, float], SplitRow] = {}
    rejected = _undecodable(pages)
    for row in (row for page in pages for row in page.rows):
        flaw = _split_flaw(row, since, until)
        key = (row.ticker, row.execution_date, 0.0 if flaw else round(math.log(row.split_from / row.split_to), 9))
        if flaw is None and key in kept:
            flaw = Flaw.DUPLICATE
        if flaw is not None:
            rejected[flaw] += 1
            continue
        kept[key] = row
    _report("split", +rejected)
    return list(kept.values())


def _split_flaw(row: SplitRow, since: dt.date, until: dt.date) -> Flaw | None:
    if not is_well_formed(row.ticker):
        return Flaw.SYMBOL
    if not since <= row.execution_date <= until:
        return Flaw.FOREIGN_DAY
    shares = (row.split_from, row.split_to)
    if not all(_FEWEST_SHARES <= count <= _MOST_SHARES for count in shares):
        return Flaw.RATIO
    return None


def _undecodable(
    pages: Sequence[Page[TickerRow]] | Sequence[Page[FloatRow]] | Sequence[Page[SplitRow]],
) -> Counter[Flaw]:
    return Counter({Flaw.UNDECODABLE: sum(page.undecodable for page in pages)})


def _report(kind: str, rejected: Rejected) -> None:
    if rejected:
        counts = {str(flaw): count for flaw, count in rejected.items()}
        logger.bind(kind=kind, rejected=counts).warning("Rows of the vendor were set aside")

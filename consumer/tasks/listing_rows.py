"""Sorts the rows of a listing: what is maintained, what is not, and where one field is outweighed by what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import identity, trading_evidence
from consumer.vendor.rows import TickerRow
from market.companies import agreement
from market.listing import Place, Row, Stored, is_doubtful, place

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.absence import Kept
    from consumer.tasks.part import PartContext
    from consumer.vendor.rows import TickerListing

_NAMED = 5


class SortedOut(msgspec.Struct, frozen=True, kw_only=True):
    """Where the rows of a listing belong, and what was contradicted."""

    listed: list[TickerRow]
    tests: list[str]
    over_the_counter: list[str]
    warnings: list[str]


async def sort_out(ctx: PartContext, listing: TickerListing) -> SortedOut:
    """Place every row; where one field speaks against a symbol, what is stored of it has a say."""
    rows, doubled = await _of_the_known_companies(ctx, listing)
    read = {row.ticker: _row_to_place(row) for row in rows}
    doubtful = [symbol for symbol, row in read.items() if is_doubtful(row)]
    stored = await trading_evidence.read_stored(ctx.services.pool, doubtful)
    found: dict[Place, list[TickerRow]] = {each: [] for each in Place}
    against: dict[str, list[str]] = {}
    for row in rows:
        where, contradicted = place(read[row.ticker], stored.get(row.ticker, Stored()))
        found[where].append(row)
        if contradicted:
            against.setdefault(contradicted, []).append(row.ticker)
    return SortedOut(
        listed=found[Place.LISTED],
        tests=[row.ticker for row in found[Place.TEST]],
        over_the_counter=[row.ticker for row in found[Place.OVER_THE_COUNTER]],
        warnings=[
            *doubled,
            *(
                f"universe: {len(those)} symbols are listed with {field} and trade, so they are kept: {named(those)}"
                for field, those in against.items()
            ),
        ],
    )


async def _of_the_known_companies(ctx: PartContext, listing: TickerListing) -> tuple[list[TickerRow], list[str]]:
    """Of a ticker that is listed twice, as two companies, the row of the one that is known; and which those are."""
    others: dict[str, list[TickerRow]] = {}
    for row in listing.others:
        others.setdefault(row.ticker, []).append(row)
    known = await identity.known_codes(ctx.services.pool, list(others))
    chosen, doubled = [], []
    for row in listing.rows:
        mine = known.get(row.ticker)
        better = next((r for r in others.get(row.ticker, []) if mine and agreement(mine, identity.listed(r))[0]), None)
        if mine is None or better is None or not agreement(mine, identity.listed(row))[1]:
            chosen.append(row)
        else:
            chosen.append(better)
            doubled.append(row.ticker)
    if not doubled:
        return chosen, []
    said = f"universe: {len(doubled)} symbols are listed twice, with other codes, and the row that is known is taken"
    return chosen, [f"{said}: {named(doubled)}"]


def _row_to_place(row: TickerRow) -> Row:
    return Row(
        symbol=row.ticker,
        name=row.name,
        type=row.type,
        market=row.market,
        active=row.active,
        has_code=bool(row.composite_figi or row.share_class_figi or row.cik),
    )


def kept_warning(day: dt.date, kept: Sequence[Kept]) -> list[str]:
    """One line, however many: a listing can come short by thousands."""
    if not kept:
        return []
    symbols, traded_on = [one.symbol for one in kept], max(one.traded_on for one in kept)
    missing = f"universe: {len(kept)} symbols are missing in the listing of {day}"
    return [f"{missing}, kept: traded on {traded_on}: {named(symbols)}"]


def named(symbols: Sequence[str]) -> str:
    """Name the first few."""
    return ", ".join(symbols[:_NAMED]) + (" and others" if len(symbols) > _NAMED else "")

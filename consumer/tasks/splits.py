"""The splits: listed by the vendor in one request, held against the overnight prices before they count.

A split that counts changes ATR, RVOL, averages and market cap in the same cycle: factors are applied to raw rows when
they are read, so nothing is fetched again. One that the prices contradict is kept, shown, and not applied.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from consumer.postgres import boundaries, coverage, ledger, split_prices, splits, ticker_history
from consumer.tasks.identity_check import check_identities
from consumer.tasks.missing_splits import NEAR, SplitList, weigh_missing
from consumer.tasks.part import Came
from consumer.tasks.set_aside import rejected_warnings
from consumer.vendor.errors import BadAnswer
from contract import data_sets
from market.split_check import Claim, Proof, is_same_ratio, looks_like_a_split, proofs_of, strength
from market.splits import Split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.postgres.split_prices import ListedSplits
    from consumer.tasks.part import PartContext, Write
    from consumer.vendor.rows import SplitRow
    from market.split_check import OvernightPrices

AHEAD = dt.timedelta(days=7)
# From this many stored splits on, a list with far fewer was cut; below, they may all have been taken back.
ENOUGH_SPLITS = 10
SMALLEST_SHARE = 0.7
_JUMP = 1.9
_NAMED = 5


async def load_splits(ctx: PartContext) -> Write:
    """The splits of all stored sessions and of the week ahead. No split at all is a possible answer.

    One that the vendor lists no more goes here too, unless the price shows it: a split moved to another day would be
    applied twice.
    """
    since = dt.date.fromisoformat(ctx.payload["since"])
    fetched_at = ctx.services.now()
    until = max(ctx.day, ctx.services.calendar.last_completed(fetched_at)) + AHEAD
    sieve = ctx.sieve()
    rows = await ctx.services.vendor.list_splits(since, until, sieve=sieve)
    listed = SplitList(rows=[_split(row) for row in rows], set_aside=sieve.set_aside, since=since, until=until)
    present = await ctx.present_day(fetched_at)

    async def write(connection: Connection) -> PartReport:
        await _refuse_a_cut(connection, listed)
        came = Came(at=fetched_at, rows=len(listed.rows), sieve=sieve)
        loaded = await ctx.note_answer(connection, data_sets.SPLITS, present, came)
        await splits.upsert_splits(connection, listed.rows, load_id=loaded.load_id, now=fetched_at)
        told = await _withdraw(connection, listed, ctx.day)
        detail = {"since": since.isoformat()}
        await coverage.record_coverage(connection, data_sets.SPLITS, present, loaded, detail=detail)
        return ledger.PartReport(rows=len(rows), warnings=(*rejected_warnings("splits", sieve.rejected), *told))

    return write


async def _refuse_a_cut(connection: Connection, listed: SplitList) -> None:
    stored = await splits.count_splits(connection, since=listed.since, until=listed.until)
    if stored >= ENOUGH_SPLITS and len(listed.rows) < SMALLEST_SHARE * stored:
        asked = f"{listed.since}..{listed.until}"
        raise BadAnswer(f"{len(listed.rows)} splits for {asked} where {stored} are stored: nothing changed")


async def _withdraw(connection: Connection, listed: SplitList, day: dt.date) -> list[str]:
    """Take back what is listed no more, unless something speaks for it; say of each what became of it."""
    kept = await weigh_missing(connection, listed, day=day)
    standing = [*listed.rows, *(one.split for one in kept)]
    withdrawn = await splits.withdraw_splits(connection, standing, since=listed.since, until=listed.until)
    told = [str(one) for one in kept if one.reason]
    return told + [f"splits: {symbol} {day} is listed no more and was taken back" for symbol, day in withdrawn]


def _split(row: SplitRow) -> Split:
    return Split(
        symbol=row.ticker,
        execution_day=row.execution_date,
        split_from=row.split_from,
        split_to=row.split_to,
        kind=row.adjustment_type or "split",
    )


async def check_splits(ctx: PartContext) -> Write:
    """Say of every listed split whose it is and whether it counts, and which symbols jumped as if they had split.

    All of it in the one transaction: whose a symbol is, is settled first, and prices are read by that.
    """
    checked_at = ctx.services.now()
    present = await ctx.present_day(checked_at)
    before = ctx.services.calendar.previous_trading_day(ctx.day)

    async def write(connection: Connection) -> PartReport:
        loaded = await ctx.note_load(connection, at=checked_at, rows=0)
        decided = await check_identities(connection, day=present, loaded=loaded, next_session=ctx.next_session)
        await splits.assign_companies(connection)
        listed = await split_prices.read_listed(connection, up_to=ctx.day)
        judged, contradicted = judge(listed)
        await splits.store_proofs(connection, judged)
        await splits.store_owners(connection, owners(listed))
        jumps = await split_prices.read_jumps(connection, ctx.day, before, factor=_JUMP)
        suspicious = [symbol for symbol, prices in jumps if looks_like_a_split(prices) is not None]
        proposed = [(symbol, jump_in_words(prices, before)) for symbol, prices in jumps]
        await boundaries.propose(connection, ctx.day, proposed, now=checked_at)
        detail = {"contradicted": len(contradicted), "suspicious": suspicious}
        counted = loaded.counting(len(judged))
        await coverage.record_coverage(connection, data_sets.SPLIT_CHECK, ctx.day, counted, detail=detail)
        await ticker_history.keep_history(connection, ctx.evening(present, checked_at), loaded.load_id)
        return ledger.PartReport(rows=len(judged), warnings=(*decided, *contradicted, *_jump_warning(suspicious)))

    return write


def judge(listed: Sequence[ListedSplits]) -> tuple[list[tuple[Split, Proof, float | None]], list[str]]:
    """Return (split, proof, price ratio) of all, by their owners' prices, and a line for each that does not count."""
    owned = {(split.symbol, split.execution_day): company for split, company in owners(listed)}
    judged: list[tuple[Split, Proof, float | None]] = []
    lines: list[str] = []
    for group in listed:
        own = [one for one in group.splits if owned[one.symbol, one.execution_day] == group.company]
        if not own:
            continue
        ratio = None if group.prices is None else group.prices.ratios[0]
        for split, proof in zip(own, proofs_of(own, group.prices), strict=True):
            judged.append((split, proof, ratio))
            if proof is Proof.CONTRADICTED:
                lines.append(_contradiction(split, ratio))
    return _once(judged), lines


def _once(judged: list[tuple[Split, Proof, float | None]]) -> list[tuple[Split, Proof, float | None]]:
    """A split that the price shows is no second one where a list has it, unproven, on a day nearby."""
    shown = [split for split, proof, _ in judged if proof is Proof.CONFIRMED]
    found = []
    for split, proof, ratio in judged:
        near = [one for one in shown if one.symbol == split.symbol and one.execution_day != split.execution_day]
        near = [one for one in near if abs(one.execution_day - split.execution_day) <= NEAR]
        again = proof is Proof.UNCHECKED and any(is_same_ratio(one, split) for one in near)
        found.append((split, Proof.CONTRADICTED if again else proof, ratio))
    return found


def owners(listed: Sequence[ListedSplits]) -> list[tuple[Split, str]]:
    """Say whose every split is; where its symbol has changed hands, the company whose price shows it has it."""
    claims: dict[tuple[str, dt.date], dict[str, Claim]] = {}
    split_of: dict[tuple[str, dt.date], Split] = {}
    for group in listed:
        judged = zip(group.splits, group.by_symbol, proofs_of(group.splits, group.prices), strict=True)
        for split, by_symbol, proof in judged:
            key = (split.symbol, split.execution_day)
            split_of[key] = split
            claim = Claim(company=group.company, by_symbol=by_symbol, proof=proof)
            best = claims.setdefault(key, {}).setdefault(group.company, claim)
            claims[key][group.company] = min(best, claim, key=strength)
    return [(split_of[key], min(found.values(), key=strength).company) for key, found in claims.items()]


def jump_in_words(prices: OvernightPrices, before: dt.date) -> str:
    """What a price did over night, as the evidence of a proposed boundary."""
    ratio = prices.ratios[0]
    return (
        f"opened at {prices.open_after:.6g}, {ratio:.3g} times the close of {before}, {prices.close_before:.6g}, "
        "and no split is listed"
    )


def _contradiction(split: Split, ratio: float | None) -> str:
    said = f"splits: {split.symbol} {split.execution_day} {split.split_from:g} for {split.split_to:g} is not applied: "
    if ratio is None:
        return said + "it is listed with other ratios too, and no price around that morning tells which is true"
    return said + f"the price went to {ratio:.3g} of the close before, not to {split.split_from / split.split_to:.3g}"


def _jump_warning(symbols: list[str]) -> list[str]:
    if not symbols:
        return []
    named = ", ".join(symbols[:_NAMED]) + (" and others" if len(symbols) > _NAMED else "")
    return [f"splits: {len(symbols)} prices jumped over night as splits do, and none is listed: {named}"]

"""Holds sessions against their neighbours as a market and says what cannot be.

Every bound lies far beyond what has happened: circuit breakers stop a market at -20 %, an expiry trades two or three
times the usual volume, a half day a third of it.  A session is measured by the two nearest on either side that are not
suspect themselves; of several that disagree, the one that disagrees with most is suspect first.  Below MINIMUM common
symbols nothing is judged: fourteen tickers are no market.  Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from market.bar_shapes import MINIMUM, flat, opens_off, ranges_off, without_volume
from market.findings import Finding, Kind
from market.market_table import SAMPLE, Market, Pair, Table
from market.repeated_sessions import repeated
from market.session_bars import CLOSE, Flags, Floats
from market.swapped_symbols import swapped_pairs
from market.volume_totals import volume_finding

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Sequence

LOWEST_RATIO, HIGHEST_RATIO = 0.70, 1.40  # of one session to the next, the median
DOUBLED = 2.0
MOST_DOUBLED, MOST_DOUBLED_OF_AN_EXCHANGE = 0.03, 0.10
FEWEST_DOUBLED = 20
MOST_DENIED, FEWEST_DENIED = 0.01, 20
LEAST_OF_AN_EXCHANGE = 0.50

TIED = 0.5
CERTAIN = 2.0  # a finding that needs no neighbour outranks any that does


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A finding, and how strongly the session disagrees with its neighbours by it."""

    finding: Finding
    strength: float


def judge(market: Market, days: Collection[dt.date]) -> dict[dt.date, list[Finding]]:
    """Return the findings against each of *days*, one a kind at most; a day without any is not in it."""
    table = Table(market)
    suspects: dict[dt.date, list[Finding]] = {}
    left = set(days)
    while True:
        excluded = market.suspect | suspects.keys()
        seen = {day: found for day in sorted(left) if (found := _against(table, day, excluded))}
        if not seen:
            return suspects
        strengths = {day: max(one.strength for one in found) for day, found in seen.items()}
        worst = max(strengths.values())
        for day, strength in strengths.items():
            if strength == worst:
                suspects[day] = [one.finding for one in seen[day]]
                left.discard(day)


def denied_volume(symbols: Sequence[str], traded: int) -> Finding | None:
    """Say whether bars without volume are too many: *symbols* traded by their slots, of *traded* in all."""
    if traded < MINIMUM or len(symbols) < FEWEST_DENIED or len(symbols) <= MOST_DENIED * traded:
        return None
    return Finding(
        kind=Kind.SLOTS,
        reason=f"{len(symbols)} of {traded} symbols have no volume by their bars, and some by their slots",
        symbols=tuple(symbols[:SAMPLE]),
        evidence={"rows": traded, "denied": len(symbols)},
    )


def _against(table: Table, day: dt.date, excluded: Collection[dt.date]) -> list[_Seen]:
    """Everything found against one session: for the market, else for exchanges, one finding a kind."""
    figures = table.figures[day]
    there = np.isfinite(figures[:, CLOSE])
    if np.count_nonzero(there) < MINIMUM:
        return []
    pairs = [pair for pair in table.pairs(day, excluded) if np.count_nonzero(pair.common) >= MINIMUM]
    copies = [pair for pair in table.copies(day, excluded) if np.count_nonzero(pair.common) >= MINIMUM]
    beside = _Beside(figures=figures, pairs=pairs, copies=copies)
    found = list(_in_scope(table, beside, there, ""))
    by_exchange: dict[Kind, list[_Seen]] = {}
    for name, members in table.exchanges.items():
        if np.count_nonzero(members) >= MINIMUM:
            for seen in (*_in_scope(table, beside, members, name), *_gone(table, pairs, members, name)):
                by_exchange.setdefault(seen.finding.kind, []).append(seen)
    kinds = {seen.finding.kind for seen in found}
    found += [_merged(several) for kind, several in by_exchange.items() if kind not in kinds]
    kinds |= by_exchange.keys()
    volume = volume_finding(table.market.totals, day, excluded, minimum=MINIMUM)
    if volume is not None and Kind.NO_VOLUME not in kinds:
        found.append(_Seen(finding=volume, strength=1.0))
    if (swapped := _swapped(table, pairs)) is not None:
        found.append(swapped)
    return found


def _merged(several: list[_Seen]) -> _Seen:
    first = several[0]
    return _Seen(
        finding=msgspec.structs.replace(
            first.finding,
            reason="; ".join(seen.finding.reason for seen in several),
            symbols=tuple(symbol for seen in several for symbol in seen.finding.symbols)[: 2 * SAMPLE],
            evidence=first.finding.evidence | {"exchanges": [seen.finding.evidence["exchange"] for seen in several]},
        ),
        strength=max(seen.strength for seen in several),
    )


class _Beside(NamedTuple):
    """A session's own figures, its neighbours, and the sessions that it may be a copy of."""

    figures: Floats
    pairs: list[Pair]
    copies: list[Pair]


def _in_scope(table: Table, beside: _Beside, members: Flags, exchange: str) -> Iterable[_Seen]:
    """What is found among *members*: the whole market (no *exchange*), or the symbols of one exchange."""
    figures, pairs, copies = beside
    there = members & np.isfinite(figures[:, CLOSE])
    if np.count_nonzero(there) < MINIMUM:
        return
    named = () if not exchange else table.most_traded(members, pairs[0].other if pairs else figures)
    where = f"{exchange}: " if exchange else ""
    for found in (without_volume(figures[there]), flat(figures[there])):
        if found is not None:
            yield _Seen(finding=_placed(found, where, exchange, named), strength=CERTAIN)
    for pair in _scoped(copies, members):
        if (found := repeated(pair, bool(exchange))) is not None:
            # Of two with the same prices either may be the wrong one: both are as suspect.
            yield _Seen(finding=_placed(found, where, exchange, named), strength=TIED)
            break
    scoped = _scoped(pairs, members)
    for check in (_off_by_a_factor, _scattered, ranges_off, opens_off):
        hits = [found for pair in scoped if (found := check(pair, bool(exchange))) is not None]
        if hits and len(hits) >= len(scoped) / 2:
            yield _Seen(finding=_placed(hits[0], where, exchange, named), strength=len(hits) / len(scoped))


def _scoped(pairs: Iterable[Pair], members: Flags) -> list[Pair]:
    scoped = [msgspec.structs.replace(pair, common=pair.common & members) for pair in pairs]
    return [pair for pair in scoped if np.count_nonzero(pair.common) >= MINIMUM]


def _placed(finding: Finding, where: str, exchange: str, named: tuple[str, ...]) -> Finding:
    evidence = finding.evidence | ({"exchange": exchange} if exchange else {})
    symbols = finding.symbols or named
    return msgspec.structs.replace(finding, reason=where + finding.reason, symbols=symbols, evidence=evidence)


def _off_by_a_factor(pair: Pair, _of_an_exchange: bool) -> Finding | None:
    ratio = float(np.exp(np.median(pair.log_ratios)))
    forward = ratio if pair.apart > 0 else 1 / ratio
    apart = abs(pair.apart)
    if LOWEST_RATIO**apart <= forward <= HIGHEST_RATIO**apart:
        return None
    return Finding(
        kind=Kind.PRICES,
        reason=f"the median close is {ratio:.3g} times that of {pair.neighbour}",
        evidence={"compared_with": str(pair.neighbour), "rows": int(pair.common.sum()), "median_ratio": ratio},
    )


def _scattered(pair: Pair, of_an_exchange: bool) -> Finding | None:
    ratios = pair.log_ratios
    jumped = np.abs(ratios - np.median(ratios)) > np.log(DOUBLED) * abs(pair.apart)
    count, rows = int(np.count_nonzero(jumped)), len(jumped)
    most = MOST_DOUBLED_OF_AN_EXCHANGE if of_an_exchange else MOST_DOUBLED
    if count < FEWEST_DOUBLED or count <= most * rows:
        return None
    return Finding(
        kind=Kind.SCATTERED,
        reason=f"{count} of {rows} closes moved from {pair.neighbour} by a factor of two or more against the others",
        evidence={"compared_with": str(pair.neighbour), "rows": rows, "jumped": count},
    )


def _gone(table: Table, pairs: list[Pair], members: Flags, exchange: str) -> Iterable[_Seen]:
    """Whether most symbols of the exchange that a neighbour has are not there."""
    hits, held = [], 0
    for pair in pairs:
        before = members & np.isfinite(pair.other[:, CLOSE])
        count = int(np.count_nonzero(before))
        if count < MINIMUM:
            continue
        held += 1
        left = int(np.count_nonzero(before & np.isfinite(pair.own[:, CLOSE])))
        if left < LEAST_OF_AN_EXCHANGE * count:
            reason = f"{exchange}: {left} of the {count} symbols that {pair.neighbour} has"
            evidence = {"exchange": exchange, "compared_with": str(pair.neighbour), "rows": count, "left": left}
            missing = table.most_traded(before & ~np.isfinite(pair.own[:, CLOSE]), pair.other)
            hits.append(Finding(kind=Kind.EXCHANGE, reason=reason, symbols=missing, evidence=evidence))
    if hits and len(hits) >= held / 2:
        yield _Seen(finding=hits[0], strength=len(hits) / held)


def _swapped(table: Table, pairs: list[Pair]) -> _Seen | None:
    """Pairs that changed places since the nearest session before; those after it stand in where there is none."""
    hits = []
    for pair in pairs:
        places = np.flatnonzero(pair.common)
        found = swapped_pairs(pair.own[places], pair.other[places])
        hits.append([(table.symbols[places[a]], table.symbols[places[b]]) for a, b in found])
    if not hits or not hits[0]:
        return None
    agreeing = sum(bool(set(hit) & set(hits[0])) for hit in hits)
    if agreeing * 2 < len(hits):
        return None
    named = ", ".join(f"{a} and {b}" for a, b in hits[0][:3])
    finding = Finding(
        kind=Kind.SWAPPED,
        reason=f"each has the other's prices and volume of {pairs[0].neighbour}: {named}",
        symbols=tuple(symbol for both in hits[0] for symbol in both)[:SAMPLE],
        evidence={"compared_with": str(pairs[0].neighbour), "pairs": len(hits[0])},
    )
    return _Seen(finding=finding, strength=agreeing / len(hits))

"""Takes an answer but for single rows: those beyond belief stay as they stand until they are said again, or settled.

Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres.findings import Contested
from consumer.tasks.answers import Cleared, Take, bars_of, ids_of, independent, was_denied
from market.contradiction import alike_symbols
from market.findings import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from consumer.postgres.findings import KeptFinding
    from consumer.tasks.answers import Answer, Standing
    from consumer.vendor.rows import DailyRow
    from market.session_bars import SessionBars


def taken_with(
    standing: Standing,
    answer: Answer,
    beyond_belief: Sequence[str],
    cleared: tuple[Cleared, ...],
    pairs: Collection[str],
) -> Take:
    """Take the answer, but keep the rows that it gives beyond belief; of *pairs* the neighbours say that they are."""
    opened = standing.open(Kind.ROWS)
    twice = _said_before(standing, answer, [one for one in beyond_belief if one not in pairs], opened)
    refused = _refused_before(standing, answer, beyond_belief)
    left = [symbol for symbol in beyond_belief if symbol not in twice]
    news = [symbol for symbol in left if symbol not in refused]
    if opened and not news:
        taken = "it says the same again" if twice else "it agrees with what stands"
        cleared = (*cleared, Cleared(ids=ids_of(opened), reason=f"the next answer came: {taken}"))
    if not news:
        return Take(cleared=cleared, keep=frozenset(left))
    aside = rows_aside(answer.rows, news)
    if opened and _is_known(standing, opened[0], aside, news):
        return Take(cleared=cleared, keep=frozenset(left))
    return Take(cleared=cleared, keep=frozenset(left), finding=_rows_finding(standing, aside, news), aside=aside)


def rows_aside(rows: Iterable[DailyRow], symbols: Sequence[str]) -> Contested:
    """The rows of *symbols*, and those of them that have none."""
    own = [row for row in rows if row.T in set(symbols)]
    return Contested(rows=own, gone=sorted(set(symbols) - {row.T for row in own}))


def _said_before(
    standing: Standing, answer: Answer, symbols: Sequence[str], opened: Sequence[KeptFinding]
) -> frozenset[str]:
    """Those of *symbols* that an earlier answer, independent of this one, gave as this one does."""
    said: frozenset[str] = frozenset()
    for kept in opened:
        if independent(answer, kept) and not was_denied(kept, fewest=1.0):
            said |= same_rows(standing.aside[kept.finding_id], answer.bars, symbols)
    return said


def _refused_before(standing: Standing, answer: Answer, symbols: Sequence[str]) -> frozenset[str]:
    refused: frozenset[str] = frozenset()
    for known in standing.accepted(Kind.ROWS):
        refused |= same_rows(known, answer.bars, symbols)
    return refused


def same_rows(known: Contested, bars: SessionBars, symbols: Sequence[str]) -> frozenset[str]:
    """Those of *symbols* for which *known* and *bars* say the same, that there is no row too."""
    alike = alike_symbols(bars_of(known.rows).only(symbols), bars.only(symbols), same_volume=True)
    gone = set(known.gone) & set(symbols) - set(bars.symbols)
    return alike | gone


def _is_known(standing: Standing, kept: KeptFinding, aside: Contested, symbols: Sequence[str]) -> bool:
    """Whether all of this is aside already: then the answer of before stays, with the time at which it came."""
    known = standing.aside[kept.finding_id]
    named = {row.T for row in known.rows} | set(known.gone)
    return named == set(symbols) and same_rows(known, bars_of(aside.rows), symbols) == set(symbols)


def _rows_finding(standing: Standing, aside: Contested, symbols: Sequence[str]) -> Finding:
    before = standing.bars.only(symbols)
    rows = dict(zip(before.symbols, before.figures.tolist(), strict=True))
    after = {row.T: [row.o, row.h, row.l, row.c, row.v] for row in aside.rows}
    told = ", ".join(symbols[:5]) + (" and others" if len(symbols) > 5 else "")
    return Finding(
        kind=Kind.ROWS,
        reason=f"an answer gives {len(symbols)} rows beyond belief, and those that stand were kept: {told}",
        symbols=tuple(symbols),
        evidence={
            "rows": {symbol: {"before": rows.get(symbol), "after": after.get(symbol)} for symbol in symbols[:50]}
        },
    )

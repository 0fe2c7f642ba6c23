"""Makes what stands of a session and answers about it, for the tests of weighing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from consumer.postgres.findings import Contested, KeptFinding, State
from consumer.tasks.answers import INDEPENDENT_AFTER, Answer, Leave, Refuse, Standing, Take, bars_of
from consumer.vendor.rows import DailyRow
from contract import data_sets
from market.findings import Finding, Kind

DAY = dt.date(2025, 11, 11)
STOOD_AT = dt.datetime(2025, 11, 12, 1, 30, tzinfo=dt.UTC)
SOON, LATER = STOOD_AT + dt.timedelta(minutes=5), STOOD_AT + INDEPENDENT_AFTER


def market(**changed: tuple[float, float] | None) -> list[DailyRow]:
    """Three hundred rows at 10.00 with 50,000 shares; *changed*: (close, volume) of some, None: no row."""
    rows = {f"S{number:03}": (10.0, 50_000.0) for number in range(300)} | changed
    return [
        DailyRow(T=symbol, o=row[0], h=row[0] * 1.01, l=row[0] * 0.99, c=row[0], v=row[1], t=0)
        for symbol, row in sorted(rows.items())
        if row is not None
    ]


def finding(kind: Kind, number: int = 1, state: State = State.OPEN, **evidence: Any) -> KeptFinding:
    return KeptFinding(
        finding_id=number, trading_day=DAY, data_set=data_sets.DAILY_BARS, kind=kind, reason="", symbols=[],
        evidence=evidence, contested_at=STOOD_AT, load_id=1, found_at=STOOD_AT, rechecked_at=None, state=state,
        settled_at=None, settled_by=None, settled_reason=None,
    )  # fmt: skip


def recheck(*, compared: int, other: float) -> dict[str, Any]:
    return {"source": "massive:custom_bars", "compared": compared, "agree_with_the_other": other}


def standing(*found: KeptFinding, final: bool = True, aside: list[DailyRow] | None = None, **known: Any) -> Standing:
    kept = {} if aside is None else {one.finding_id: Contested(rows=aside, **known) for one in found}
    return Standing(bars=bars_of(market()), final=final, fetched_at=STOOD_AT, findings=found, aside=kept)


def answer(rows: list[DailyRow], *found: Kind, at: dt.datetime = LATER, **known: Any) -> Answer:
    against = [Finding(kind=kind, reason=str(kind), symbols=known.pop("symbols", ())) for kind in found]
    return Answer(rows=rows, bars=bars_of(rows), found=against, fetched_at=at, **known)


def judged(rows: list[DailyRow], *found: Finding, **known: Any) -> Answer:
    return msgspec.structs.replace(answer(rows), found=list(found), **known)


def times(factor: float) -> list[DailyRow]:
    return [
        msgspec.structs.replace(row, o=row.o * factor, h=row.h * factor, l=row.l * factor, c=row.c * factor)
        for row in market()
    ]


def about(one: KeptFinding, *symbols: str) -> KeptFinding:
    return msgspec.structs.replace(one, symbols=list(symbols))


def settles(fate: Take | Refuse | Leave) -> list[int]:
    return [] if not isinstance(fate, Take) else [one for cleared in fate.cleared for one in cleared.ids]


def changed(column: str, factor: float, of: int = 300) -> list[DailyRow]:
    rows = [msgspec.structs.replace(row, vw=row.c) for row in market()]
    return [
        msgspec.structs.replace(row, **{column: getattr(row, column) * factor if number < of else getattr(row, column)})
        for number, row in enumerate(rows)
    ]

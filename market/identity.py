"""Decides whose a symbol is: its company's still, a renamed company's, or another's that took it.

Pure: what is known, a complete listing and what the bars say go in, changes come out. A code in a listing (composite
FIGI, share-class FIGI, CIK) is one field of one answer: it cuts a history only where several agree that the company is
another, or where the bars break too. What one field alone says is `contested`: told, kept, and nothing is cut by it.
The rules as a table, each with its test: docs/evidence.md.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from market.companies import CODES, FIGIS, Change, Kind, Known, Listed, Question, Trading, agreement, continues

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Mapping

    NextSession = Callable[[dt.date], dt.date]

#: Of these a trust or bank has many under one CIK: that two share it says nothing of whether they are one security.
_ONE_CIK_FOR_MANY = frozenset({"ETF", "ETN", "ETV", "ETS", "FUND", "SP", "PFD", "ADRP", "WARRANT", "UNIT", "RIGHT"})
_ENOUGH_FIELDS = 2


def questions(
    known: Mapping[str, Known], listing: Mapping[str, Listed], *, day: dt.date, next_session: NextSession
) -> list[Question]:
    """What has to be decided; a change is dated to the first session after the symbol was last seen as it was."""

    def ask(old: Known, new: Listed, *, by_cik: bool = False) -> Question:
        changed_on = day if old.last_seen >= day else min(next_session(old.last_seen), day)
        return Question(known=old, listed=new, changed_on=changed_on, by_cik=by_cik)

    found = [
        ask(old, listing[symbol])
        for symbol, old in sorted(known.items())
        if symbol in listing and agreement(old, listing[symbol])[1]
    ]
    moved = [ask(old, new) for old, new in _moved_by_figi(known, listing)]
    matched = {q.known.symbol for q in moved} | {q.listed.symbol for q in moved}
    moved += [ask(old, new, by_cik=True) for old, new in _moved_by_cik(known, listing, matched)]
    return found + sorted(moved, key=lambda question: question.known.symbol)


def _moved_by_figi(known: Mapping[str, Known], listing: Mapping[str, Listed]) -> Iterator[tuple[Known, Listed]]:
    """Companies whose FIGI stands under one other symbol of the listing, and not under their own any more."""
    holders: dict[str, set[str]] = defaultdict(set)
    for new in listing.values():
        for code in FIGIS:
            if figi := getattr(new, code):
                holders[figi].add(new.symbol)
    for old in known.values():
        if old.state == "renamed" or _is_still_there(old, listing.get(old.symbol)):
            continue
        others = set().union(*(holders.get(getattr(old, code) or "", set()) for code in FIGIS)) - {old.symbol}
        # Who had this FIGI before is no newcomer: the vendor has it twice.
        others = {o for o in others if not (o in known and known[o].active and agreement(known[o], old, FIGIS)[0])}
        if len(others) == 1:
            yield old, listing[others.pop()]


def _is_still_there(old: Known, now: Listed | None) -> bool:
    if now is None:
        return False
    agree, differ = agreement(old, now, FIGIS)
    return agree > 0 or differ == 0


def _moved_by_cik(
    known: Mapping[str, Known], listing: Mapping[str, Listed], matched: set[str]
) -> Iterator[tuple[Known, Listed]]:
    """Without a FIGI to tell: the one symbol that vanished and the one that came with the same CIK and type."""
    vanished: dict[tuple[str, str | None], list[Known]] = defaultdict(list)
    came: dict[tuple[str, str | None], list[Listed]] = defaultdict(list)
    for old in known.values():
        if old.active and old.cik and old.symbol not in listing and old.symbol not in matched:
            vanished[old.cik, old.type].append(old)
    for new in listing.values():
        is_new = new.symbol not in known or not known[new.symbol].active
        if is_new and new.cik and new.symbol not in matched:
            came[new.cik, new.type].append(new)
    for pair, olds in vanished.items():
        news = came.get(pair, [])
        if len(olds) == len(news) == 1 and not agreement(olds[0], news[0], FIGIS)[1]:
            old, new = olds[0], news[0]
            if old.type not in _ONE_CIK_FOR_MANY or (old.name is not None and old.name == new.name):
                yield old, new


def decide(
    asked: Iterable[Question],
    known: Mapping[str, Known],
    trading: Mapping[tuple[str, dt.date], Trading],
    *,
    next_session: NextSession,
) -> list[Change]:
    """Answer every question; *trading* has the bars of each of its symbols around its day. Reissues come first."""
    asked = list(asked)
    renames = [_rename(q, known, trading, next_session) for q in asked if q.is_rename]
    left = {change.symbol for change in renames if change.kind is Kind.RENAMED}
    taken = {change.new_symbol: change for change in renames if change.kind is Kind.RENAMED}
    held = []
    for question in asked:
        symbol = question.known.symbol
        if not question.is_rename:
            moved = symbol in left or symbol in taken
            held.append(_holder(question, trading[symbol, question.changed_on], moved=moved))
    return held + renames


def _rename(
    question: Question,
    known: Mapping[str, Known],
    trading: Mapping[tuple[str, dt.date], Trading],
    next_session: NextSession,
) -> Change:
    old, new, changed_on = question.known, question.listed, question.changed_on
    before, since = trading[old.symbol, changed_on], trading[new.symbol, changed_on]
    if before.last is not None and before.last >= changed_on:
        changed_on = next_session(before.last)  # it traded under the old symbol for longer than the listing says
    doubt = _doubt(question, known.get(new.symbol), before, since)
    return Change(
        symbol=old.symbol, kind=Kind.CONTESTED if doubt else Kind.RENAMED, changed_on=changed_on,
        new_symbol=new.symbol, since=old.since, old=old, new=new,
        evidence=doubt or ("CIK and type" if question.by_cik else "FIGI"),
    )  # fmt: skip


def _doubt(question: Question, holder: Known | None, before: Trading, since: Trading) -> str:
    """Why the bars deny that one company went from the one symbol to the other; empty where they do not."""
    old, new = question.known.symbol, question.listed.symbol
    if holder is not None and holder.active and since.last is not None:
        agree, differ = agreement(holder, question.listed)
        if agree or not differ:
            return f"{new} is listed with its code, and has a history of its own"
    if before.last is not None and since.first_from is not None and since.first_from <= before.last:
        return f"{new} is listed with its code, and both trade"
    if question.by_cik and not continues(before.close_before, since.open_from, since.factor):
        return f"{new} is listed with its CIK and type, and the price of {old} does not continue there"
    return ""


def _holder(question: Question, trading: Trading, *, moved: bool) -> Change:
    """Whether the symbol is its company's still."""
    old, new = question.known, question.listed
    agree, differ = agreement(old, new)
    told = _told(old, new)
    if moved:
        kind, why = Kind.REISSUED, f"{told}; a company that was known stands under another symbol"
    elif agree:
        kind, why = Kind.CORRECTED, told
    elif differ >= _ENOUGH_FIELDS:
        kind, why = Kind.REISSUED, told
    elif settled := settle(old, new, trading, changed_on=question.changed_on, since=old.since):
        return settled
    else:
        kind, why = Kind.CONTESTED, f"{told} is all that says so, and it traded on"
    return Change(
        symbol=old.symbol, kind=kind, changed_on=question.changed_on, since=old.since, old=old, new=new, evidence=why
    )


def settle(old: Listed, new: Listed, trading: Trading, *, changed_on: dt.date, since: dt.date | None) -> Change | None:
    """Decide by the bars what one code leaves open; None while there are none of the day or since."""
    if not trading.quiet and trading.first_from is None:
        return None
    kind, why = (Kind.REISSUED, "the bars break") if trading.breaks else (Kind.CORRECTED, "the bars go on")
    if trading.is_unknown and agreement(old, new, ("share_class_figi",))[1]:
        kind, why = Kind.CORRECTED, "no bars to tell, and a share class alone makes no company"
    return Change(
        symbol=old.symbol, kind=kind, changed_on=changed_on, since=since, old=old, new=new,
        evidence=f"{_told(old, new)}; {why}",
    )  # fmt: skip


def _told(old: Listed, new: Listed) -> str:
    pairs = [(code, getattr(old, code), getattr(new, code)) for code in CODES]
    told = [f"{code} {before} -> {now}" for code, before, now in pairs if before and now and before != now]
    return "; ".join(told)

"""Decides whose a symbol is: its company's still, a renamed company's, or another's that took it.

Pure: what is known, a complete listing and what the bars say go in, changes come out. A code in a listing (composite
FIGI, share-class FIGI, CIK) is one field of one answer: it cuts a history only where several agree that the company is
another, or where the bars break too. What one field alone says is `contested`: told, kept, and nothing is cut by it.
The rules as a table, each with its test: docs/evidence.md.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from market.companies import CODES, FIGIS, Change, Kind, Known, Listed, Question, Trading, agreement
from market.renames import PENDING, Outcome, involved, rule

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from market.renames import Bars, Ruling

    NextSession = Callable[[dt.date], dt.date]

#: Of these a trust or bank has many under one CIK: that two share it says nothing of whether they are one security.
_ONE_CIK_FOR_MANY = frozenset({"ETF", "ETN", "ETV", "ETS", "FUND", "SP", "PFD", "ADRP", "WARRANT", "UNIT", "RIGHT"})
_ENOUGH_FIELDS = 2


def questions(
    known: Mapping[str, Known],
    listing: Mapping[str, Listed],
    *,
    day: dt.date,
    next_session: NextSession,
    left_open: Collection[tuple[str, str]] = (),
) -> list[Question]:
    """What has to be decided; a change is dated to the first session after the symbol was last seen as it was.

    *left_open* are the renames, from symbol to symbol, that an earlier listing showed and no bars have decided: the new
    symbol is known by now, and a newcomer all the same.
    """

    def ask(old: Known, new: Listed) -> Question:
        changed_on = day if old.last_seen >= day else min(next_session(old.last_seen), day)
        return Question(known=old, listed=new, changed_on=changed_on)

    found = [
        ask(old, listing[symbol])
        for symbol, old in sorted(known.items())
        if symbol in listing and agreement(old, listing[symbol])[1]
    ]
    moved = [ask(old, new) for old, new in _moved_by_figi(known, listing, left_open)]
    matched = {q.known.symbol for q in moved} | {q.listed.symbol for q in moved}
    moved += [ask(old, new) for old, new in _moved_by_cik(known, listing, matched, left_open)]
    return found + sorted(moved, key=lambda question: question.known.symbol)


def _moved_by_figi(
    known: Mapping[str, Known], listing: Mapping[str, Listed], left_open: Collection[tuple[str, str]]
) -> Iterator[tuple[Known, Listed]]:
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
        others = {
            o
            for o in others
            if (old.symbol, o) in left_open
            or o not in known
            or not known[o].active
            or not agreement(known[o], old, FIGIS)[0]
        }
        if len(others) == 1:
            yield old, listing[others.pop()]


def _is_still_there(old: Known, now: Listed | None) -> bool:
    if now is None:
        return False
    agree, differ = agreement(old, now, FIGIS)
    return agree > 0 or differ == 0


def _moved_by_cik(
    known: Mapping[str, Known],
    listing: Mapping[str, Listed],
    matched: set[str],
    left_open: Collection[tuple[str, str]],
) -> Iterator[tuple[Known, Listed]]:
    """Without a FIGI to tell: the one symbol that vanished and the one that came with the same CIK and type."""
    vanished: dict[tuple[str, str | None], list[Known]] = defaultdict(list)
    came: dict[tuple[str, str | None], list[Listed]] = defaultdict(list)
    going, coming = ({pair[side] for pair in left_open} for side in (0, 1))
    for old in known.values():
        is_here = old.active or (old.symbol in going and old.state != "renamed")
        if is_here and old.cik and old.symbol not in listing and old.symbol not in matched:
            vanished[old.cik, old.type].append(old)
    for new in listing.values():
        is_new = new.symbol not in known or not known[new.symbol].active or new.symbol in coming
        if is_new and new.cik and new.symbol not in matched:
            came[new.cik, new.type].append(new)
    for pair, olds in vanished.items():
        news = came.get(pair, [])
        if len(olds) == len(news) == 1 and not agreement(olds[0], news[0], FIGIS)[1]:
            old, new = olds[0], news[0]
            if old.type not in _ONE_CIK_FOR_MANY or (old.name is not None and old.name == new.name):
                yield old, new


def decide(asked: Sequence[Question], bars: Bars) -> list[Change]:
    """Answer every question by *bars*, as far as they tell. Reissues come first."""
    rulings = rule(asked, bars)
    held, renames = [], []
    for question in asked:
        if question.is_rename:
            renames.append(_rename(question, rulings[question.known.symbol]))
        else:
            own = [rulings[symbol] for symbol in involved(question, asked)]
            held.append(_holder(question, bars.trading[question.known.symbol, question.changed_on], own))
    return held + renames


def _rename(question: Question, ruling: Ruling) -> Change:
    return Change(
        symbol=question.known.symbol,
        changed_on=ruling.changed_on,
        new_symbol=question.listed.symbol,
        kind=Kind.RENAMED if ruling.outcome is Outcome.CONFIRMED else Kind.CONTESTED,
        since=question.known.since,
        old=question.known,
        new=question.listed,
        evidence=ruling.evidence,
    )


def _holder(question: Question, trading: Trading, renames: Sequence[Ruling]) -> Change:
    """Whether the symbol is its company's still; *renames* would give it to another company, or its company away."""
    old, new, changed_on = question.known, question.listed, question.changed_on
    agree, differ = agreement(old, new)
    said = _in_words(old, new)
    if moved := next((one for one in renames if one.outcome is Outcome.CONFIRMED), None):
        kind, changed_on = Kind.REISSUED, moved.changed_on
        why = f"{said}; a company that was known stands under another symbol"
    elif any(one.outcome is Outcome.OPEN for one in renames):
        kind, why = Kind.CONTESTED, PENDING
    elif renames and not trading.breaks:
        kind, why = Kind.CONTESTED, f"{said} stands under another symbol too, and it traded on"
    elif agree:
        kind, why = Kind.CORRECTED, said
    elif differ >= _ENOUGH_FIELDS:
        kind, why = Kind.REISSUED, said
    elif settled := settle(old, new, trading, changed_on=changed_on, since=old.since):
        return settled
    else:
        lacking = "no price since tells" if trading.quiet else "it traded on"
        kind, why = Kind.CONTESTED, f"{said} is all that says so, and {lacking}"
    return Change(symbol=old.symbol, kind=kind, changed_on=changed_on, since=old.since, old=old, new=new, evidence=why)


def settle(old: Listed, new: Listed, trading: Trading, *, changed_on: dt.date, since: dt.date | None) -> Change | None:
    """Decide by the bars what one code leaves open; None while there is a history, and no price since to tell."""
    if trading.close_before is not None and trading.first_from is None:
        return None
    kind, why = (Kind.REISSUED, "the bars break") if trading.breaks else (Kind.CORRECTED, "the bars go on")
    if trading.is_unknown and agreement(old, new, ("share_class_figi",))[1]:
        kind, why = Kind.CORRECTED, "no bars to tell, and a share class alone makes no company"
    return Change(
        symbol=old.symbol,
        kind=kind,
        changed_on=changed_on,
        since=since,
        old=old,
        new=new,
        evidence=f"{_in_words(old, new)}; {why}",
    )


def _in_words(old: Listed, new: Listed) -> str:
    pairs = [(code, getattr(old, code), getattr(new, code)) for code in CODES]
    said = [f"{code} {before} -> {now}" for code, before, now in pairs if before and now and before != now]
    return "; ".join(said)

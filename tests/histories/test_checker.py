"""Each rule passes what is right and names what is wrong, alone; the checker knows nothing of the product."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.histories.checker import RULES, Terms, breaches
from tests.histories.good import DAY, gone, good_history, published, turned
from tests.histories.records import (
    Asked,
    Begun,
    Buried,
    CycleTurned,
    FindingTurned,
    Gone,
    Held,
    PartTurned,
    Published,
    Record,
    Written,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.histories.records import History

AMID = Terms(at_rest=False)


def rules_broken(history: History, terms: Terms = Terms()) -> set[str]:  # noqa: B008
    return {breach.rule for breach in breaches(history, terms)}


def added(*records: Record) -> History:
    return sorted([*good_history(), *records], key=lambda record: record.at)


def without(kind: type[Record], **facts: object) -> History:
    """The good history but for the records of *kind* with these facts."""
    return [
        record for record in good_history()
        if not (isinstance(record, kind) and all(getattr(record, name) == fact for name, fact in facts.items()))
    ]  # fmt: skip


BAD: dict[str, tuple[str, History]] = {
    "a second commit": ("a part commits once in a pass", added(turned(14.5, "bars", "done"))),
    "a token drawn again": ("fences only grow", added(Begun(at=12, cycle=1, part="bars", fence=2, by="w3"))),
    "an older token takes the part": (
        "fences only grow", added(Begun(at=12, cycle=1, part="bars", fence=1, by="w1"))
    ),
    "whoever was followed writes": (
        "rows are written under the newest fence", added(Written(at=13, cycle=1, part="bars", fence=1, rows=3))
    ),
    "rows of what was never begun": (
        "rows are written under the newest fence", without(Begun, part="bars")
    ),
    "a part that has ended runs again": (
        "what has ended stays ended", added(turned(15, "bars", "ready"), turned(16, "bars", "failed"))
    ),
    "a part is left open": ("everything comes to its end", without(PartTurned, part="finish", state="done")),
    "a cycle is left running": ("everything comes to its end", without(CycleTurned, state="complete")),
    "somebody else's message": (
        "only its holder ends a message", added(Gone(at=12, entry="1-5", by="w1", holder="w2", leads=True))
    ),
    "acknowledged before the commit": (
        "a message goes after its part has ended", added(gone(13.5, "1-4", part="bars", by="w2"))
    ),
    "a request is forgotten": (
        "a request goes after it was served or refused", added(Asked(at=1, entry="1-6", day="elsewhen"), gone(2, "1-6"))
    ),
    "a refusal without a dead letter": (
        "a request goes after it was served or refused", without(Buried)
    ),
    "a request is never ended": ("every request comes to an end", added(Asked(at=4, entry="1-7", day=None))),
    "a request has two ends": ("every request comes to an end", added(gone(12, "1-0"))),
    "a verdict before its rows": ("a verdict never precedes its rows", added(published(13, "provisional", rows=3))),
    "a verdict of more than its rows": ("a verdict never precedes its rows", added(published(16.5, "final", rows=4))),
    "clean beside a finding": (
        "a verdict never stays whole after a finding", added(published(18.7, "final", rows=3, as_of=17.5))
    ),
    "clean after a finding, for good": (
        "a verdict never stays whole after a finding", added(FindingTurned(at=30, number=2, day=DAY, is_open=True))
    ),
    "an older verdict stays": (
        "a verdict is not left older than one before it", added(published(30, "suspect", rows=3, as_of=20))
    ),
}  # fmt: skip


def test_a_history_in_which_all_goes_well_has_no_breach() -> None:
    assert rules_broken(good_history()) == set()
    for length in range(len(good_history())):
        assert rules_broken(good_history()[:length], AMID) == set(), "nor has any beginning of it"


@pytest.mark.parametrize("name", BAD)
def test_each_rule_names_what_breaks_it_and_nothing_else_does(name: str) -> None:
    rule, history = BAD[name]

    found = breaches(history, Terms())

    assert {breach.rule for breach in found} == {rule}
    assert all(breach.shown for breach in found), "with the records that show it"
    assert all(len(line) for breach in found for line in breach.lines())


def test_every_rule_has_a_history_that_breaks_it() -> None:
    assert {rule for rule, _ in BAD.values()} == set(RULES)


def test_a_verdict_may_be_behind_for_as_long_as_the_bound_and_no_longer() -> None:
    found = [*good_history(), FindingTurned(at=30, number=2, day=DAY, is_open=True)]
    late = [*found, published(39, "suspect", rows=3)]

    assert rules_broken(late, Terms(bound=10)) == set()
    assert rules_broken(late, Terms(bound=8)) == {"a verdict never stays whole after a finding"}
    assert rules_broken(found, Terms(at_rest=False, bound=8)) == set(), "the time is not over yet"


def test_a_verdict_that_went_with_redis_may_come_back() -> None:
    assert rules_broken([*good_history(), published(30, None), published(31, "suspect", as_of=29)]) == set()


# What a random hand does to the good history, the records that it may do it to, and the rules that have to notice.
HANDS: dict[str, tuple[type[Record], Callable[[History, int], History], set[str]]] = {
    "a message goes at its part's first token": (
        Begun,
        lambda h, i: [*h[: i + 1], gone(h[i].at, "9-9", part=h[i].part), *h[i + 1 :]],  # type: ignore[attr-defined]
        {"a message goes after its part has ended"},
    ),
    "rows come a token late": (
        Written,
        lambda h, i: [*h[:i], msgspec.structs.replace(h[i], fence=h[i].fence - 1), *h[i + 1 :]],  # type: ignore[attr-defined]
        {"rows are written under the newest fence"},
    ),
    "a token is drawn twice": (
        Begun, lambda h, i: [*h[: i + 1], h[i], *h[i + 1 :]], {"fences only grow"},
    ),
    "the rows of a verdict are not there": (
        Held, lambda h, i: [*h[:i], *h[i + 1 :]], {"a verdict never precedes its rows"},
    ),
    "a verdict comes before everything": (
        Published,
        lambda h, i: [msgspec.structs.replace(h[i], at=0, as_of=0, state="final", claims={"bars": 1}), *h],
        {"a verdict never precedes its rows"},
    ),
    "somebody else ends a message": (
        Gone,
        lambda h, i: [*h[:i], msgspec.structs.replace(h[i], holder="somebody else"), *h[i + 1 :]],
        {"only its holder ends a message"},
    ),
    "a part is done once more": (
        PartTurned,
        lambda h, i: [*h, *([turned(99, h[i].part, "done")] * 2)],  # type: ignore[attr-defined]
        {"a part commits once in a pass"},
    ),
    "a finding is never settled": (
        FindingTurned,
        lambda h, i: [r for r in h if not isinstance(r, FindingTurned) or r.is_open],
        {"a verdict never stays whole after a finding"},
    ),
}  # fmt: skip


@given(st.data(), st.sampled_from(sorted(HANDS)))
def test_whatever_hand_breaks_a_rule_wherever_is_caught(data: st.DataObject, name: str) -> None:
    kind, break_it, rules = HANDS[name]
    history = good_history()
    index = data.draw(st.sampled_from([i for i, record in enumerate(history) if isinstance(record, kind)]))

    assert rules <= rules_broken(break_it(history, index))


def test_the_checker_imports_nothing_of_what_it_judges() -> None:
    for path in Path(__file__).parent.glob("*.py"):
        imported = {
            name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            for name in (
                [node.module or ""] if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            )
        }  # fmt: skip
        ours = {
            name for name in imported if name.split(".")[0] in ("consumer", "producers", "market", "bench", "tests")
        }
        assert all(name.startswith("tests.histories") for name in ours), f"{path.name}: {ours}"

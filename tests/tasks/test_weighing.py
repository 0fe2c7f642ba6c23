"""Holds the weighing of answers to: what stands outranks one, and repetition proves nothing that is denied."""

from __future__ import annotations

import msgspec
import pytest

from consumer.postgres.findings import Contested, State
from consumer.tasks.answers import Leave, Refuse, Take, bars_of
from consumer.tasks.weighing import weigh
from market.contradiction import BEYOND_BELIEF_PRICE, denied
from market.findings import Finding, Kind
from tests.tasks.weighed_answers import (
    SOON,
    STOOD_AT,
    answer,
    changed,
    finding,
    judged,
    market,
    recheck,
    settles,
    standing,
    times,
)


def test_an_ordinary_restatement_is_taken() -> None:
    restated = market(S001=(10.9, 50_000.0), S002=(10.0, 100_000.0), S003=(10.0, 25_000.0))
    assert weigh(standing(), answer(restated)) == Take()


@pytest.mark.parametrize("row", [(12.0, 50_000.0), (8.0, 50_000.0), (10.0, 120_000.0), (10.0, 0.0), None])
def test_a_row_beyond_belief_is_kept_as_it_stands_and_the_other_put_aside(row: tuple[float, float] | None) -> None:
    fate = weigh(standing(), answer(market(S001=row)))
    assert isinstance(fate, Take)
    assert (fate.keep, fate.finding and fate.finding.kind) == ({"S001"}, Kind.ROWS)
    assert fate.aside == Contested(
        rows=[one for one in market(S001=row) if one.T == "S001"], gone=[] if row is not None else ["S001"]
    )


def test_while_a_session_goes_on_its_volumes_grow_and_single_prices_move() -> None:
    fate = weigh(standing(final=False), answer(market(S001=(12.0, 900_000.0), S002=None)))
    assert fate == Take()


def test_rows_of_little_volume_say_little() -> None:
    stood = bars_of(market(S001=(10.0, 4_000.0)))
    assert denied(stood, bars_of(market(S001=(10.0, 9_000.0))), final=True).symbols == ()
    assert denied(stood, bars_of(market(S001=(10.0 * BEYOND_BELIEF_PRICE**2, 4_000.0))), final=True).symbols == (
        "S001",
    )


def test_an_answer_that_denies_the_market_is_refused_and_kept() -> None:
    fate = weigh(standing(), answer(times(3.0)))
    assert isinstance(fate, Refuse)
    assert (fate.reason, fate.finding and fate.finding.kind) == (
        "an answer gives 300 of 300 rows beyond belief", Kind.CONTRADICTED,
    )  # fmt: skip


@pytest.mark.parametrize("row", [(10.1, 50_000.0), (10.0, 80_000.0)])
def test_a_final_session_of_which_one_row_in_twenty_is_restated_at_once_is_another_answer(
    row: tuple[float, float],
) -> None:
    some = market(**{f"S{number:03}": row for number in range(20)})
    fate = weigh(standing(), answer(some))
    assert isinstance(fate, Refuse)
    assert fate.reason == "an answer gives 20 of 300 rows otherwise than they stand"
    assert isinstance(weigh(standing(final=False), answer(some)), Take), "while the session goes on it is news"


@pytest.mark.parametrize(("column", "factor"), [("o", 1.2), ("h", 10.0), ("l", 0.1), ("c", 1.2), ("vw", 1.2)])
def test_every_price_is_weighed(column: str, factor: float) -> None:
    stands = msgspec.structs.replace(standing(), bars=bars_of(changed("c", 1.0)))
    assert isinstance(weigh(stands, answer(changed(column, factor))), Refuse)
    one = weigh(stands, answer(changed(column, factor, of=1)))
    assert isinstance(one, Take)
    assert one.keep == {"S000"}
    assert weigh(stands, answer(changed("vw", 1.009))) == Take(), "averages follow late reports of single trades"


@pytest.mark.parametrize(("column", "factor"), [("o", 1.2), ("h", 0.8), ("l", 1.2)])
def test_while_a_session_goes_on_opens_stay_highs_rise_and_lows_fall(column: str, factor: float) -> None:
    stands = standing(final=False)
    assert isinstance(weigh(stands, answer(changed(column, factor))), Refuse)
    for onward in (changed("h", 1.3), changed("l", 0.7)):
        fate = weigh(stands, answer(onward))
        assert isinstance(fate, Take)
        assert fate.keep == frozenset()


def test_highs_that_neighbours_deny_do_not_agree_with_those_that_stand() -> None:
    assert isinstance(weigh(standing(final=False), answer(changed("h", 10.0), Kind.RANGES)), Refuse)


def test_an_answer_with_findings_is_refused_where_what_stands_has_none() -> None:
    fate = weigh(standing(final=False), answer(times(1.05), Kind.REPEATED))
    assert isinstance(fate, Refuse)
    assert fate.reason == "an answer is not plausible: repeated_prices"


def test_what_was_settled_for_these_rows_is_no_objection() -> None:
    settled = finding(Kind.PRICES, state=State.CLEARED, median_ratio=0.6)
    again, other = (Finding(kind=Kind.PRICES, reason="", evidence={"median_ratio": ratio}) for ratio in (0.63, 100.0))
    fate = weigh(standing(settled, final=False), judged(times(1.05), again))
    assert isinstance(fate, Take)
    assert fate.other_rows, "other rows stand now: what was settled for those of before speaks for them no more"
    assert isinstance(weigh(standing(settled, final=False), judged(times(1.05), other)), Refuse)
    assert weigh(standing(settled, final=False), answer(market(), at=SOON)) == Take(), "the same rows"


def test_the_same_answer_within_the_hour_is_one_answer_and_an_hour_later_two() -> None:
    contested = finding(Kind.CONTRADICTED)
    stands = standing(contested, aside=times(3.0))
    assert weigh(stands, answer(times(3.0), at=SOON)) == Refuse(reason="an answer gives 300 of 300 rows beyond belief")
    fate = weigh(stands, answer(times(3.0)))
    assert isinstance(fate, Take)
    assert (settles(fate), fate.other_rows) == ([1], True)
    other = weigh(stands, answer(times(7.0)))
    assert isinstance(other, Refuse)
    assert other.finding is not None, "another answer again"


def test_the_next_answer_that_agrees_with_what_stands_clears_the_contested_one() -> None:
    stands = standing(finding(Kind.CONTRADICTED), aside=times(3.0))
    assert settles(weigh(stands, answer(market(), at=SOON))) == [1]
    a_few = market(**{f"S{number:03}": (10.05, 50_000.0) for number in range(14)})
    assert settles(weigh(stands, answer(a_few))) == [1]


def test_a_suspect_session_is_replaced_by_an_answer_without_findings() -> None:
    fate = weigh(standing(finding(Kind.PRICES)), answer(times(0.01)))
    assert isinstance(fate, Take)
    assert (settles(fate), fate.other_rows, fate.keep) == ([1], True, frozenset())


def test_a_suspect_session_stays_suspect_however_often_the_same_answer_comes() -> None:
    stands = standing(finding(Kind.PRICES))
    assert settles(weigh(stands, answer(market(), Kind.PRICES, at=SOON))) == []
    assert settles(weigh(stands, answer(market(), Kind.PRICES))) == []
    assert settles(weigh(stands, answer(market()))) == [1], "its neighbours say nothing against it any more"


def test_an_answer_that_its_neighbours_deny_is_not_taken_by_repetition() -> None:
    for final in (True, False):
        stands = standing(finding(Kind.CONTRADICTED), final=final, aside=times(3.0))
        assert weigh(stands, answer(times(3.0), Kind.PRICES)) == Refuse(
            reason="an answer gives 300 of 300 rows beyond belief: prices_off"
        )
        assert isinstance(weigh(stands, answer(times(3.0), Kind.SWAPPED, symbols=("S001", "S002"))), Refuse)


@pytest.mark.parametrize("state", [State.OPEN, State.CLEARED])
def test_an_answer_that_another_way_of_asking_denied_is_not_taken_by_repetition(state: State) -> None:
    denied_before = finding(Kind.CONTRADICTED, state=state, recheck=recheck(compared=30, other=0.9))
    kept = finding(Kind.CONTRADICTED, 2)
    stands = standing(denied_before, kept, aside=times(3.0))
    assert weigh(stands, answer(times(3.0))) == Refuse(reason="an answer gives 300 of 300 rows beyond belief")
    asked_in_vain = finding(Kind.CONTRADICTED, recheck=recheck(compared=0, other=0.0))
    assert isinstance(weigh(standing(asked_in_vain, aside=times(3.0)), answer(times(3.0))), Take)


def test_an_answer_that_was_just_denied_opens_no_finding_again_within_the_hour_and_does_after_it() -> None:
    cleared = finding(Kind.CONTRADICTED, state=State.CLEARED, recheck=recheck(compared=30, other=0.0))
    cleared = msgspec.structs.replace(cleared, rechecked_at=STOOD_AT)
    soon = weigh(standing(cleared, aside=times(3.0)), answer(times(3.0), at=SOON))
    later = weigh(standing(cleared, aside=times(3.0)), answer(times(3.0)))
    assert isinstance(soon, Refuse)
    assert isinstance(later, Refuse)
    assert (soon.finding, later.finding is not None) == (None, True)


def test_a_right_answer_is_refused_for_an_hour_at_most_where_a_wrong_one_was_taken_by_a_person() -> None:
    taken = finding(Kind.CONTRADICTED, state=State.ACCEPTED)
    wrong, right = bars_of(times(3.0)), market()
    stands = msgspec.structs.replace(standing(taken, aside=times(3.0)), bars=wrong)
    assert isinstance(weigh(stands, answer(right)), Refuse)
    again = msgspec.structs.replace(
        stands, findings=[taken, finding(Kind.CONTRADICTED, 2)], aside=stands.aside | {2: Contested(rows=right)}
    )
    assert isinstance(weigh(again, answer(right)), Take)


def test_of_two_implausible_answers_the_first_stands() -> None:
    assert isinstance(weigh(standing(finding(Kind.PRICES)), answer(times(3.0), Kind.PRICES)), Refuse)


def test_an_answer_that_a_person_refused_changes_nothing_however_often_it_comes() -> None:
    accepted = finding(Kind.CONTRADICTED, state=State.ACCEPTED)
    assert weigh(standing(accepted, aside=times(3.0)), answer(times(3.0))) == Leave()
    assert isinstance(weigh(standing(accepted, aside=times(3.0)), answer(times(7.0))), Refuse)

"""Holds the weighing of rows to: a finding frees what it is about, single rows wait, and a bad row costs no other."""

from __future__ import annotations

import msgspec

from consumer.postgres.findings import State
from consumer.tasks.answers import Lost, Refuse, Take, bars_of
from consumer.tasks.weighing import weigh
from market.findings import Kind
from tests.tasks.weighed_answers import SOON, about, answer, finding, judged, market, recheck, settles, standing, times


def test_a_row_that_two_answers_give_is_taken_and_one_that_agrees_again_stays() -> None:
    rows = market(S001=(12.0, 50_000.0))
    stands = standing(finding(Kind.ROWS), aside=[one for one in rows if one.T == "S001"])
    assert weigh(stands, answer(rows, at=SOON)) == Take(keep=frozenset({"S001"}))
    taken = weigh(stands, answer(rows))
    assert isinstance(taken, Take)
    assert (settles(taken), taken.keep) == ([1], frozenset())
    stayed = weigh(stands, answer(market()))
    assert isinstance(stayed, Take)
    assert (settles(stayed), stayed.keep) == ([1], frozenset())


def test_rows_that_their_neighbours_or_another_way_of_asking_denied_are_not_taken_by_repetition() -> None:
    rows = market(S001=(12.0, 50_000.0), S002=(3.0, 50_000.0))
    aside = [one for one in rows if one.T in ("S001", "S002")]
    swapped = weigh(standing(finding(Kind.ROWS), aside=aside), answer(rows, Kind.SWAPPED, symbols=("S001", "S002")))
    asked = weigh(standing(finding(Kind.ROWS, recheck=recheck(compared=2, other=0.5)), aside=aside), answer(rows))
    for fate in (swapped, asked):
        assert fate == Take(keep=frozenset({"S001", "S002"})), "the finding stays open"


def test_a_row_that_is_gone_twice_is_gone() -> None:
    stands = standing(finding(Kind.ROWS), aside=[], gone=["S001"])
    fate = weigh(stands, answer(market(S001=None)))
    assert isinstance(fate, Take)
    assert (settles(fate), fate.keep) == ([1], frozenset())


def test_a_refused_row_stays_refused() -> None:
    rows = market(S001=(12.0, 50_000.0))
    accepted = finding(Kind.ROWS, state=State.ACCEPTED)
    stands = standing(accepted, aside=[one for one in rows if one.T == "S001"])
    assert weigh(stands, answer(rows)) == Take(keep=frozenset({"S001"}))


def test_a_short_answer_that_a_person_forced_may_lack_rows() -> None:
    rows = market(**{f"S{number:03}": None for number in range(100)})
    assert isinstance(weigh(standing(), answer(rows)), Refuse)
    assert weigh(standing(), answer(rows, may_lack=True)) == Take()


def test_two_symbols_swapped_over_provisional_bars_cost_these_two() -> None:
    rows = market(S001=(30.0, 50_000.0), S002=(3.0, 50_000.0))
    fate = weigh(standing(final=False), answer(rows, Kind.SWAPPED, symbols=("S001", "S002")))
    assert isinstance(fate, Take)
    assert fate.keep == {"S001", "S002"}


def test_an_open_finding_about_two_symbols_lets_these_two_be_replaced_unweighed_and_no_other() -> None:
    swapped = about(finding(Kind.SWAPPED), "S001", "S002")
    two = {"S001": (30.0, 50_000.0), "S002": (3.0, 90_000.0)}
    fate = weigh(standing(swapped), answer(market(**two)))
    assert isinstance(fate, Take)
    assert (settles(fate), fate.keep, fate.other_rows) == ([1], frozenset(), True)
    third = weigh(standing(swapped), answer(market(**two, S003=(30.0, 50_000.0))))
    assert isinstance(third, Take)
    assert (settles(third), third.keep) == ([1], {"S003"})
    fivefold = market(**{f"S{number:03}": (10.0, 250_000.0) for number in range(300)})
    for wrong in (times(1.35), fivefold):
        assert isinstance(weigh(standing(swapped), answer(wrong)), Refuse)
    gone = weigh(standing(swapped), answer(market(S001=None)))
    assert isinstance(gone, Take)
    assert (settles(gone), gone.keep) == ([], {"S001"}), "an answer without them says nothing of them"


def test_another_swapped_pair_is_another_finding() -> None:
    settled = about(finding(Kind.SWAPPED, state=State.CLEARED), "S001", "S002")
    rows = market(S003=(30.0, 50_000.0), S004=(3.0, 50_000.0))
    fate = weigh(standing(settled, final=False), answer(rows, Kind.SWAPPED, symbols=("S003", "S004")))
    assert isinstance(fate, Take)
    assert fate.keep == {"S003", "S004"}


def test_an_open_finding_about_an_exchange_frees_the_rows_of_that_exchange() -> None:
    exchange_of = {f"S{number:03}": "XNAS" if number < 150 else "XNYS" for number in range(300)}
    stands = standing(finding(Kind.PRICES, exchange="XNAS", median_ratio=3.0))
    a_third = [
        msgspec.structs.replace(row, o=row.o / 3, h=row.h / 3, l=row.l / 3, c=row.c / 3) if number < 150 else row
        for number, row in enumerate(market())
    ]
    fate = weigh(stands, judged(a_third, exchange_of=exchange_of))
    assert isinstance(fate, Take)
    assert settles(fate) == [1]
    assert isinstance(weigh(stands, judged(times(1 / 3), exchange_of=exchange_of)), Refuse)


def test_a_row_that_was_set_aside_costs_no_row_that_stands() -> None:
    thin = msgspec.structs.replace(standing(), bars=bars_of(market(S001=(10.0, 90.0), S002=(10.0, 90.0))))
    rows = market(S001=None, S002=None)
    assert weigh(thin, answer(rows, lost=Lost(symbols=frozenset({"S001"})))) == Take(keep=frozenset({"S001"}))
    assert weigh(thin, answer(rows, lost=Lost(nameless=True))) == Take(keep=frozenset({"S001", "S002"}))
    assert weigh(thin, answer(rows)) == Take(), "the vendor has no such rows any more"
    provisional = msgspec.structs.replace(thin, final=False)
    assert weigh(provisional, answer(rows, lost=Lost(nameless=True))) == Take(), "half a day is no session"


def test_a_final_session_of_which_one_row_in_twenty_is_gone_at_once_is_another_answer() -> None:
    thin = {f"S{number:03}": (10.0, 90.0) for number in range(20)}
    stands = msgspec.structs.replace(standing(), bars=bars_of(market(**thin)))
    fate = weigh(stands, answer(market(**dict.fromkeys(thin))))
    assert isinstance(fate, Refuse)
    assert fate.reason == "an answer gives 20 of 300 rows otherwise than they stand"

"""A failure is classified once, where it arises; what follows from it is a question to its class."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any, NoReturn

import asyncpg
import pytest

from consumer.cycle.failure_classes import LocalTrouble, VendorAway, class_of, policy_of
from consumer.cycle.runner import CycleRunner
from consumer.delivery.errors import DeadlinePassed, LeaseLost, PoisonedEntry
from consumer.fence import FenceLost
from consumer.massive.circuit_breaker import CircuitOpen
from consumer.massive.envelope import Undecodable
from consumer.tasks.part import InputMissing
from consumer.vendor import errors
from contract.failures import FailureClass
from market.calendar_errors import NotATradingDay


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (errors.RateLimited("429", retry_after=dt.timedelta(seconds=1)), FailureClass.RATE_LIMITED),
        (errors.AnswerTooLarge("2 GB"), FailureClass.WRONG_ANSWER),
        (errors.OutsidePlanTimeframe("too old"), FailureClass.NOT_IN_PLAN),
        (errors.FlatFilesNotInstalled("polars"), FailureClass.FILES_UNUSABLE),
        (errors.EndpointNotFound("no such path"), FailureClass.BAD_REQUEST),
        (Undecodable("<html>"), FailureClass.UNAVAILABLE),
        (CircuitOpen("left alone"), FailureClass.UNAVAILABLE),
        (VendorAway("3 parts"), FailureClass.VENDOR_AWAY),
        (InputMissing("no universe"), FailureClass.INPUT_MISSING),
        (NotATradingDay(dt.date(2026, 1, 1), "New Year"), FailureClass.CALENDAR),
        (LocalTrouble("/data: full"), FailureClass.THIS_MACHINE),
        (asyncpg.DeadlockDetectedError("two"), FailureClass.SERVER_AWAY),
        (ConnectionRefusedError(111, "refused"), FailureClass.SERVER_AWAY),
        (DeadlinePassed("30 m"), FailureClass.DEADLINE),
        (PoisonedEntry("five times"), FailureClass.REJECTED),
        (ZeroDivisionError("division"), FailureClass.UNKNOWN),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_failure_has_one_class(failure: Exception, expected: FailureClass) -> None:
    assert class_of(failure) is expected


def test_every_error_of_a_vendor_says_its_class_and_every_class_is_treated_somehow() -> None:
    def all_below(kind: type[errors.VendorError]) -> set[type[errors.VendorError]]:
        return {kind}.union(*(all_below(one) for one in kind.__subclasses__()))

    unclassified = all_below(errors.VendorError) - {errors.VendorError}
    assert {kind.__name__ for kind in unclassified if kind.failure_class is FailureClass.UNKNOWN} == set()

    class Failed(errors.VendorError):
        pass

    for one in FailureClass:
        Failed.failure_class = one
        policy_of(Failed("anything"))


def test_a_wrong_answer_is_asked_for_again_and_is_no_word_on_the_vendors_absence() -> None:
    assert FailureClass.WRONG_ANSWER.is_asked_again
    assert not FailureClass.WRONG_ANSWER.means_the_vendor_is_away
    assert FailureClass.RATE_LIMITED.means_the_vendor_is_away
    assert not FailureClass.KEY_REFUSED.is_asked_again


async def test_a_fence_that_a_store_refuses_is_a_lost_lease_to_delivery_wherever_it_comes_up() -> None:
    class Followed(CycleRunner):
        async def _run(self, delivery: object) -> NoReturn:
            raise FenceLost("a newer delivery has begun")

    class Recorder:
        async def record(self, *_: object) -> NoReturn:
            raise FenceLost("a newer delivery has ended it")

    runner: Any = Followed.__new__(Followed)
    runner._failures, runner._requests = Recorder(), {}
    delivery: Any = SimpleNamespace(entry=SimpleNamespace(entry_id="1-0"))
    with pytest.raises(LeaseLost, match="a newer delivery has begun"):
        await runner.run(delivery)
    with pytest.raises(LeaseLost, match="a newer delivery has ended it"):
        await runner.record(delivery, None, None)

"""What happens to a delivery once its work has stopped, for every way of stopping."""

from __future__ import annotations

import asyncio
import datetime as dt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.delivery.errors import (
    Busy,
    DataRejected,
    DeadlinePassed,
    DeliveryError,
    LeaseLost,
    PoisonedEntry,
    ShutdownRequested,
    StrayCancellation,
)
from consumer.delivery.settle import (
    BACKOFF_MOST,
    Ending,
    Policy,
    Settlement,
    Tries,
    backoff,
    describe,
    outcome_of,
    settle,
)

A_SECOND = dt.timedelta(seconds=1)
ANY_POLICY = st.sampled_from(Policy)


def settled(failure: BaseException | None, *, attempt: int = 1, policy: Policy = Policy.RETRY) -> Settlement:
    return settle(failure, Tries(attempt=attempt, most=3), classify=lambda _: policy, random=Random(1))


@pytest.mark.parametrize(
    ("failure", "ending"),
    [
        (None, Ending.ACKNOWLEDGE),
        (LeaseLost("taken"), Ending.ABANDON),
        (ShutdownRequested(), Ending.RELEASE),
        (Busy("in turn", delay=A_SECOND), Ending.RETRY_LATER),
        (DataRejected("write trading_day"), Ending.DEAD_LETTER),
        (PoisonedEntry("7 deliveries"), Ending.DEAD_LETTER),
        (DeadlinePassed("no end"), Ending.RETRY_LATER),
        (StrayCancellation("odd"), Ending.RETRY_LATER),
        (ValueError("a defect"), Ending.RETRY_LATER),
    ],
)
def test_each_way_of_stopping_has_one_verdict(failure: BaseException | None, ending: Ending) -> None:
    assert settled(failure).ending is ending


@pytest.mark.parametrize(
    ("policy", "ending", "counted"),
    [
        (Policy.RETRY, Ending.RETRY_LATER, True),
        (Policy.RETRY_FREELY, Ending.RETRY_LATER, False),
        (Policy.RETRY_THEN_END, Ending.RETRY_LATER, True),
        (Policy.END, Ending.ACKNOWLEDGE, True),
        (Policy.REJECT, Ending.DEAD_LETTER, True),
    ],
)
def test_the_policy_of_a_failure_decides_its_first_attempt(policy: Policy, ending: Ending, counted: bool) -> None:
    settlement = settled(OSError("away"), policy=policy)

    assert (settlement.ending, settlement.counted) == (ending, counted)


@given(attempt=st.integers(1, 1000), policy=ANY_POLICY)
def test_only_what_is_retried_freely_outlives_the_last_attempt(attempt: int, policy: Policy) -> None:
    settlement = settled(OSError("away"), attempt=attempt, policy=policy)

    retried = settlement.ending is Ending.RETRY_LATER
    limited = policy in (Policy.RETRY, Policy.RETRY_THEN_END)
    assert retried == (policy is Policy.RETRY_FREELY or (limited and attempt < 3))


@given(attempt=st.integers(1, 1000), policy=ANY_POLICY, what=st.sampled_from([LeaseLost, ShutdownRequested]))
def test_losing_the_lease_or_stopping_never_ends_the_work(
    attempt: int, policy: Policy, what: type[DeliveryError]
) -> None:
    ending = settled(what("now"), attempt=attempt, policy=policy).ending

    assert ending in (Ending.ABANDON, Ending.RELEASE)


def test_waiting_its_turn_is_not_an_attempt() -> None:
    settlement = settled(Busy("cycle 7 is running", delay=A_SECOND), attempt=99)

    assert settlement == Settlement(
        ending=Ending.RETRY_LATER, reason="cycle 7 is running", delay=A_SECOND, counted=False
    )


@given(attempt=st.integers(1, 10**6), seed=st.integers())
def test_backoff_stays_within_its_growing_ceiling(attempt: int, seed: int) -> None:
    delay = backoff(attempt, Random(seed))

    assert dt.timedelta(0) <= delay <= min(BACKOFF_MOST, A_SECOND * 2 ** min(attempt, 5))


def test_backoff_uses_the_whole_range_so_that_failures_do_not_return_together() -> None:
    random = Random(1)
    delays = [backoff(3, random).total_seconds() for _ in range(1000)]

    assert min(delays) < 0.1
    assert max(delays) > 7.9
    assert 3.5 < sum(delays) / len(delays) < 4.5


def test_a_reason_is_one_line_of_bounded_length() -> None:
    assert describe(ValueError("two\n  lines")) == "ValueError: two lines"
    assert describe(ValueError()) == "ValueError"
    assert len(describe(ValueError("x" * 10_000))) < 600


async def _die_of(failure: BaseException) -> list[str]:
    raise failure


async def _outcome(failure: BaseException, told: DeliveryError | None = None) -> BaseException | None:
    work = asyncio.create_task(_die_of(failure))
    await asyncio.wait({work})
    return outcome_of(work, told)[1]


async def test_work_that_was_told_to_stop_died_of_that_whatever_it_raised() -> None:
    told = ShutdownRequested()

    assert await _outcome(ConnectionError("reset while cancelling"), told) is told
    assert await _outcome(asyncio.CancelledError(), told) is told


async def test_a_cancellation_that_nobody_asked_for_is_a_failure_of_the_work() -> None:
    assert isinstance(await _outcome(asyncio.CancelledError()), StrayCancellation)


async def test_a_failure_that_a_task_group_wrapped_is_judged_by_itself() -> None:
    failure = DataRejected("write trading_day")

    assert await _outcome(ExceptionGroup("one", [ExceptionGroup("inner", [failure])])) is failure
    several = ExceptionGroup("two", [failure, ValueError()])
    assert await _outcome(several) is several


async def test_work_that_committed_although_it_was_told_to_stop_is_committed() -> None:
    async def commit() -> list[str]:
        return ["successor"]

    work = asyncio.create_task(commit())
    await asyncio.wait({work})

    assert outcome_of(work, ShutdownRequested()) == (["successor"], None)


class AskedToWait(Exception):
    """A refusal that says how long to keep away, as a vendor's 429 does."""

    retry_after = dt.timedelta(minutes=2)


def test_a_refusal_that_names_its_wait_is_not_tried_before() -> None:
    assert settled(AskedToWait()).delay == AskedToWait.retry_after
    assert settled(AskedToWait(), policy=Policy.RETRY_FREELY).delay == AskedToWait.retry_after


def test_what_another_time_may_bring_is_acknowledged_after_its_last_attempt_and_no_dead_letter() -> None:
    last = settled(ValueError("away"), attempt=3, policy=Policy.RETRY_THEN_END)
    assert (last.ending, last.reason) == (Ending.ACKNOWLEDGE, "3 attempts, the last: ValueError: away")


def test_a_nul_in_a_failure_does_not_reach_a_text_column() -> None:
    assert settled(DataRejected("task 'a\0b'")).reason == "task 'a\\x00b'"
    assert "\0" not in describe(ValueError("a\0b"))

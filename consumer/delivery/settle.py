"""Decides what happens to a delivery once its work has stopped.

Pure: failures in, an ending out; `worker` performs it. The policy of a failure type is given by the caller
(`classify`), so that this package knows nothing of vendors or databases.
"""

from __future__ import annotations

import datetime as dt
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

import msgspec

from consumer.delivery.errors import (
    Busy,
    DataRejected,
    LeaseLost,
    LeaseUncertain,
    ShutdownRequested,
    StrayCancellation,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from random import Random

    from consumer.delivery.errors import DeliveryError

T = TypeVar("T")

BACKOFF_FIRST = dt.timedelta(seconds=1)
BACKOFF_MOST = dt.timedelta(seconds=30)


class Ending(Enum):
    """What is written to Redis for a delivery."""

    ACKNOWLEDGE = "ack"
    RETRY_LATER = "retry"
    DEAD_LETTER = "dead"
    RELEASE = "release"
    ABANDON = "abandon"


class Policy(Enum):
    """How a failure of the work itself is treated."""

    RETRY = "retry"  # counted; dead letter after the last attempt
    RETRY_THEN_END = "retry_then_end"  # counted; after the last attempt the ledger records it, to be tried another time
    RETRY_FREELY = "retry_freely"  # our own infrastructure is away: not the work's fault, not counted
    END = "end"  # an outcome the ledger records (not yet published, key refused): acknowledge
    REJECT = "reject"  # dead letter at once


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """The ending, its reason in plain words, and for a retry the delay and whether it counts.

    *waits*: how often in a row the work was tried again without counting, because what it needs was away. *at*: when
    the work stopped, where it failed: a dead letter has the same time wherever it is kept.
    """

    ending: Ending
    reason: str = ""
    delay: dt.timedelta = dt.timedelta(0)
    counted: bool = True
    waits: int = 0
    at: dt.datetime | None = None


class Tries(msgspec.Struct, frozen=True, kw_only=True):
    """How often the work was tried: *attempt* is the number of this one, from 1, of *most*.

    *waits* counts the tries of this attempt that ended because our own servers were away: they lengthen the pause.
    """

    attempt: int
    most: int
    waits: int = 0


def backoff(tries: int, random: Random) -> dt.timedelta:
    """Full jitter: uniform in 0 … min(30 s, 1 s x 2^tries), so that failures of one cause do not return together."""
    ceiling = min(BACKOFF_MOST.total_seconds(), BACKOFF_FIRST.total_seconds() * 2.0 ** min(tries, 10))
    return dt.timedelta(seconds=ceiling * random.random())


def outcome_of(work: asyncio.Task[list[T]], told: DeliveryError | None) -> tuple[list[T], BaseException | None]:
    """Return what *work*, which has ended, gave, or the failure that ended it.

    *told* is why it was told to stop, if it was: whatever it then died of, it died of that. Work that committed
    nevertheless is committed.
    """
    if work.cancelled():
        return [], told or StrayCancellation("something that the work awaited was cancelled")
    failure = work.exception()
    if failure is None:
        return work.result(), None
    while isinstance(failure, BaseExceptionGroup) and len(failure.exceptions) == 1:
        failure = failure.exceptions[0]  # a TaskGroup's wrapping says nothing
    return [], told or failure


def describe(failure: BaseException) -> str:
    """One readable line of a failure: its type and its words."""
    words = in_words(failure)[:500]
    return f"{type(failure).__name__}: {words}" if words else type(failure).__name__


def in_words(failure: BaseException) -> str:
    """The words of a failure on one line, without the NUL that no text column takes."""
    return " ".join(str(failure).split()).replace("\0", "\\x00")


def settle(
    failure: BaseException | None, tries: Tries, *, classify: Callable[[BaseException], Policy], random: Random
) -> Settlement:
    """Return what to do after *failure* (None: the work is committed).

    A failure whose `retry_after` (a timedelta) says how long its cause wants to be left alone is not tried before.
    """
    match failure:
        case None:
            return Settlement(ending=Ending.ACKNOWLEDGE)
        case LeaseUncertain():
            return Settlement(ending=Ending.RELEASE, reason=describe(failure))
        case LeaseLost():
            return Settlement(ending=Ending.ABANDON, reason=describe(failure))
        case ShutdownRequested():
            return Settlement(ending=Ending.RELEASE, reason="this consumer is shutting down")
        case Busy():
            return Settlement(ending=Ending.RETRY_LATER, reason=in_words(failure), delay=failure.delay, counted=False)
        case DataRejected():
            return Settlement(ending=Ending.DEAD_LETTER, reason=in_words(failure))
        case _ if (policy := classify(failure)) is Policy.RETRY_FREELY:
            return Settlement(
                ending=Ending.RETRY_LATER,
                reason=describe(failure),
                delay=_pause(failure, tries.attempt + tries.waits, random),
                counted=False,
                waits=tries.waits + 1,
            )
        case _:
            return _after_failure(failure, policy, tries, random)


def _pause(failure: BaseException, tries: int, random: Random) -> dt.timedelta:
    return max(backoff(tries, random), getattr(failure, "retry_after", None) or dt.timedelta(0))


def _after_failure(failure: BaseException, policy: Policy, tries: Tries, random: Random) -> Settlement:
    reason = describe(failure)
    match policy:
        case Policy.END:
            return Settlement(ending=Ending.ACKNOWLEDGE, reason=reason)
        case Policy.REJECT:
            return Settlement(ending=Ending.DEAD_LETTER, reason=reason)
        case Policy.RETRY if tries.attempt >= tries.most:
            return Settlement(ending=Ending.DEAD_LETTER, reason=f"{tries.attempt} attempts, the last: {reason}")
        case Policy.RETRY_THEN_END if tries.attempt >= tries.most:
            return Settlement(ending=Ending.ACKNOWLEDGE, reason=f"{tries.attempt} attempts, the last: {reason}")
        case _:
            return Settlement(ending=Ending.RETRY_LATER, reason=reason, delay=_pause(failure, tries.attempt, random))

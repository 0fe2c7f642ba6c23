"""Gives every failure of a part its class, and each class its treatment: the only place that decides either.

A vendor's errors carry their class from where they arose. docs/delivery.md has the treatment as a table, in words.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from consumer import this_machine
from consumer.delivery.errors import DataRejected, DeadlinePassed, LeaseLost
from consumer.delivery.settle import Policy
from consumer.fence import FenceLost
from consumer.postgres.pool import CONNECTION_ERRORS, CONTENTION_ERRORS
from consumer.tasks.part import InputMissing
from consumer.vendor.errors import VendorError
from contract.failures import FailureClass
from market.calendar_errors import CalendarError

if TYPE_CHECKING:
    from collections.abc import Iterator

_POLICIES = {
    FailureClass.NOT_YET: Policy.END,
    FailureClass.NOT_IN_PLAN: Policy.END,
    FailureClass.KEY_REFUSED: Policy.END,
    FailureClass.FILES_UNUSABLE: Policy.END,
    FailureClass.INPUT_MISSING: Policy.END,
    FailureClass.VENDOR_AWAY: Policy.END,
    FailureClass.BAD_REQUEST: Policy.REJECT,
    FailureClass.CALENDAR: Policy.REJECT,
    FailureClass.REJECTED: Policy.REJECT,
    # The cycle waits, and its next pass asks again: nobody has to see to it.
    FailureClass.RATE_LIMITED: Policy.RETRY_THEN_END,
    FailureClass.UNAVAILABLE: Policy.RETRY_THEN_END,
    FailureClass.BUDGET_UNAVAILABLE: Policy.RETRY_THEN_END,
    FailureClass.OUT_OF_TIME: Policy.RETRY_THEN_END,
    FailureClass.WRONG_ANSWER: Policy.RETRY_THEN_END,
    # Once it is cured the next cycle finds what lacks.
    FailureClass.THIS_MACHINE: Policy.RETRY_THEN_END,
    FailureClass.SERVER_AWAY: Policy.RETRY_FREELY,
    FailureClass.UNKNOWN_SYMBOL: Policy.RETRY,
    FailureClass.DEADLINE: Policy.RETRY,
    FailureClass.UNKNOWN: Policy.RETRY,
}


class VendorAway(Exception):
    """Other parts of this pass gave up on the vendor already: this one ends without asking."""


class LocalTrouble(Exception):
    """A file, a disk or a limit of this machine; the text names it and the cure. No server is away."""


def class_of(failure: BaseException) -> FailureClass:
    """Return what *failure* is; what nobody knows is UNKNOWN."""
    match failure:
        case VendorError():
            return failure.failure_class
        case VendorAway():
            return FailureClass.VENDOR_AWAY
        case InputMissing():
            return FailureClass.INPUT_MISSING
        case CalendarError():
            return FailureClass.CALENDAR
        case DataRejected():
            return FailureClass.REJECTED
        case DeadlinePassed():
            return FailureClass.DEADLINE
        case _ if isinstance(failure, LocalTrouble) or this_machine.is_of_this_machine(failure):
            return FailureClass.THIS_MACHINE
        case _ if isinstance(failure, (*CONNECTION_ERRORS, *CONTENTION_ERRORS, RedisError, OSError)):
            return FailureClass.SERVER_AWAY  # an OSError that is none of this machine's own
        case _:
            return FailureClass.UNKNOWN


def policy_of(failure: BaseException) -> Policy:
    """Return how *failure* is treated."""
    return _POLICIES[class_of(failure)]


@contextlib.contextmanager
def local_trouble_named() -> Iterator[None]:
    """Tell an error of this machine from a server's absence, which is waited for without end."""
    try:
        yield
    except OSError as error:
        if not this_machine.is_of_this_machine(error):
            raise
        raise LocalTrouble(this_machine.in_words(error)) from error


@contextlib.contextmanager
def lease_lost_named() -> Iterator[None]:
    """Tell delivery that a store has refused the fence: this entry is somebody else's now, and nothing is settled."""
    try:
        yield
    except FenceLost as error:
        raise LeaseLost(str(error)) from error

"""Names the classes of failure, once each: what stopped a part travels as its class, never as a text to be parsed.

A class is given where the failure arises (consumer/vendor/errors.py, consumer/cycle/failure_classes.py) and kept in the
ledger; what follows from it is said here and there, by class.
"""

from __future__ import annotations

from enum import StrEnum


class FailureClass(StrEnum):
    """Why a part did not come to its end."""

    NOT_YET = "not_yet"  # the data will exist later; no failure of anybody's
    RATE_LIMITED = "rate_limited"  # the vendor counts more requests than the plan allows
    UNAVAILABLE = "unavailable"  # the vendor gave no answer
    BUDGET_UNAVAILABLE = "budget_unavailable"  # the shared request budget could not be asked: nothing was sent
    OUT_OF_TIME = "out_of_time"  # the part asked for as long as it may
    WRONG_ANSWER = "wrong_answer"  # readable, and not what was asked for
    NOT_IN_PLAN = "not_in_plan"  # the vendor has it and does not give it, or has no such thing
    UNKNOWN_SYMBOL = "unknown_symbol"
    KEY_REFUSED = "key_refused"
    FILES_UNUSABLE = "files_unusable"  # a person must see to it
    BAD_REQUEST = "bad_request"  # our defect, or an address that is not the vendor's
    VENDOR_AWAY = "vendor_away"  # not asked: other parts of the pass had found out already
    INPUT_MISSING = "input_missing"  # what is computed from is not there
    CALENDAR = "calendar"  # the trading calendar refuses to answer
    THIS_MACHINE = "this_machine"  # a file, a disk or a limit here
    SERVER_AWAY = "server_away"  # Redis or PostgreSQL
    DEADLINE = "deadline"  # the part did not end within its time
    REJECTED = "rejected"  # the message, or how often it was handed out
    UNKNOWN = "unknown"  # of nobody's making that we know: a defect until it is understood

    @property
    def is_asked_again(self) -> bool:
        """Whether another pass of the same cycle may bring what this one did not."""
        return self in _ASKED_AGAIN

    @property
    def means_the_vendor_is_away(self) -> bool:
        """Whether others would meet the same: a wrong or short answer to one question tells nothing of the next."""
        return self in _VENDOR_AWAY


_VENDOR_AWAY = frozenset(
    {
        FailureClass.RATE_LIMITED,
        FailureClass.UNAVAILABLE,
        FailureClass.BUDGET_UNAVAILABLE,
        FailureClass.OUT_OF_TIME,
        FailureClass.VENDOR_AWAY,
    }
)
_ASKED_AGAIN = _VENDOR_AWAY | {FailureClass.WRONG_ANSWER}

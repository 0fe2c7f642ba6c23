"""Names what can go wrong at a vendor, by what should happen next.

    VendorError
    ├── ProviderUnavailable        ask again later: 5xx, timeouts, lost connections, HTML, bodies that do not decode
    │   ├── RateLimited            still refused after waiting; retry_after says how long the vendor wants
    │   ├── BudgetUnavailable      Redis, which holds the shared request budget, does not answer: nothing was sent
    │   ├── OutOfTime              the part asked for as long as it may; what it has is committed, the rest asked again
    │   └── BadAnswer              a tidy answer to another question: broken pagination, foreign ticker, cut rows
    │       └── AnswerTooLarge     more than the endpoint can honestly bring; it was not read to its end
    ├── NotYetPublished            the data will exist later; not a failure
    ├── NotEntitled                the plan does not include it; record as capability, do not retry
    │   └── OutsidePlanTimeframe   the plan has the endpoint, but not that day (too old, or in the future)
    ├── TickerNotFound             record the negative result, re-ask rarely
    ├── KeyRejected                fatal: every request with this key will fail
    ├── FlatFilesUnusable          the bucket or folder does not let us in, or is none: asked for by REST instead
    │   └── FlatFilesNotInstalled  until the extra is installed
    └── BadRequest                 fatal: our bug, or a base URL that is not the vendor's
        └── EndpointNotFound       the server knows no such path

Each carries its class, which the ledger keeps. No message ever contains an API key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from contract.failures import FailureClass

if TYPE_CHECKING:
    import datetime as dt


class VendorError(Exception):
    """Something about the vendor."""

    failure_class: ClassVar[FailureClass] = FailureClass.UNKNOWN

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        super().__init__(message if request_id is None else f"{message} (request {request_id})")
        self.request_id = request_id


class ProviderUnavailable(VendorError):
    """The vendor could not answer now; the same request may succeed later."""

    failure_class: ClassVar[FailureClass] = FailureClass.UNAVAILABLE


class RateLimited(ProviderUnavailable):
    """The vendor counts more requests than the plan allows."""

    failure_class: ClassVar[FailureClass] = FailureClass.RATE_LIMITED

    def __init__(self, message: str, *, retry_after: dt.timedelta | None = None, request_id: str | None = None) -> None:
        super().__init__(message, request_id=request_id)
        self.retry_after = retry_after


class BudgetUnavailable(ProviderUnavailable):
    """The shared request budget cannot be asked, so the request was not sent."""

    failure_class: ClassVar[FailureClass] = FailureClass.BUDGET_UNAVAILABLE


class OutOfTime(ProviderUnavailable):
    """The part that asks has no time left for this question; it is asked when the part goes on."""

    failure_class: ClassVar[FailureClass] = FailureClass.OUT_OF_TIME


class BadAnswer(ProviderUnavailable):
    """The answer is readable and wrong; nothing of it may be stored."""

    failure_class: ClassVar[FailureClass] = FailureClass.WRONG_ANSWER


class AnswerTooLarge(BadAnswer):
    """The answer goes on beyond what its endpoint can honestly bring; reading stopped there."""


class NotYetPublished(VendorError):
    """The data of that day does not exist yet."""

    failure_class: ClassVar[FailureClass] = FailureClass.NOT_YET


class NotEntitled(VendorError):
    """The plan behind the key does not include this data."""

    failure_class: ClassVar[FailureClass] = FailureClass.NOT_IN_PLAN


class OutsidePlanTimeframe(NotEntitled):
    """The plan does not reach to that day."""


class TickerNotFound(VendorError):
    """The vendor knows no such ticker."""

    failure_class: ClassVar[FailureClass] = FailureClass.UNKNOWN_SYMBOL


class KeyRejected(VendorError):
    """The vendor does not accept the API key."""

    failure_class: ClassVar[FailureClass] = FailureClass.KEY_REFUSED


class FlatFilesUnusable(VendorError):
    """A person must change something before flat files can be read; the API has what they have."""

    failure_class: ClassVar[FailureClass] = FailureClass.FILES_UNUSABLE


class FlatFilesNotInstalled(FlatFilesUnusable):
    """The extra that reads flat files is missing."""


class BadRequest(VendorError):
    """The vendor does not understand the request."""

    failure_class: ClassVar[FailureClass] = FailureClass.BAD_REQUEST


class EndpointNotFound(BadRequest):
    """The server at the base URL has no such path."""

"""Turns a fault into the reply that stands in for the answer: refusals, gateway pages, cut connections.

Faults that let the answer through and spoil it are in distortions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulated_market import vendor_errors
from simulated_market.answer import Answer, Call, encoded
from simulated_market.faults.fault_set import Fault, FaultKind
from simulated_market.reply import Drop, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulated_market.vendor_errors import VendorError

_VENDOR_ERRORS: dict[FaultKind, Callable[[], VendorError]] = {
    FaultKind.NOT_YET: vendor_errors.not_yet_published,
    FaultKind.NOT_ENTITLED: vendor_errors.not_entitled,
    FaultKind.OUTSIDE_TIMEFRAME: vendor_errors.outside_timeframe,
    FaultKind.UNKNOWN_KEY: vendor_errors.unknown_key,
    FaultKind.NOT_FOUND: vendor_errors.not_found,
    FaultKind.BAD_CURSOR: vendor_errors.bad_cursor,
}


def refusal(fault: Fault, call: Call) -> Reply | Drop | None:
    """The reply in place of the answer; None if the fault lets the answer through."""
    if (make := _VENDOR_ERRORS.get(fault.kind)) is not None:
        return vendor_reply(make(), call)
    match fault.kind:
        case FaultKind.RATE_LIMITED | FaultKind.CALLS_PER_MINUTE:
            return _rate_limited(fault, call)
        case FaultKind.SERVER_ERROR:
            return _page(fault.status, fault.status)
        case FaultKind.HTML_OK:
            return _page(200, 502)
        case FaultKind.NOT_AUTHORIZED_OK:
            return _not_authorized(call)
        case FaultKind.DROP:
            return Drop()
        case _:
            return None


def vendor_reply(error: VendorError, call: Call) -> Reply:
    """The vendor's own words for a refusal."""
    return Reply(http_status=error.http_status, body=error.body(call.request_id))


def _rate_limited(fault: Fault, call: Call) -> Reply:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    body = b"" if fault.empty_body else vendor_errors.rate_limited().body(call.request_id)
    return Reply(http_status=429, body=body, headers=headers)


def _page(http_status: int, told: int) -> Reply:
    return Reply(http_status=http_status, body=vendor_errors.nginx_page(told).encode(), content_type="text/html")


def _not_authorized(call: Call) -> Reply:
    message = str(vendor_errors.not_entitled())
    answer = Answer(envelope={"message": message}, status="NOT_AUTHORIZED")
    return Reply(http_status=200, body=encoded(answer, call))

"""Decides what an HTTP answer of the vendor means: a page of rows, or a typed error.

Pure.  The HTTP status alone does not decide: a 403 can be the plan, the day or the hour, told apart by its message, and
a 200 can carry a refusal in its body.  The vendor says `error` or `message`, or nothing at all.
"""

import datetime as dt
import re
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypeVar

import msgspec

from consumer.massive.envelope import BareReader, Page, PageReader, Undecodable, describe
from consumer.massive.lenient_json import NoJson, read_object
from consumer.vendor.errors import (
    BadRequest,
    EndpointNotFound,
    KeyRejected,
    NotEntitled,
    NotYetPublished,
    OutsidePlanTimeframe,
    ProviderUnavailable,
    RateLimited,
    TickerNotFound,
    VendorError,
)
from market.bounded_fields import REQUEST_ID
from market.bounds import is_within

Row = TypeVar("Row", bound=msgspec.Struct)

# A vendor that asks for hours is better asked again: the plan may have been changed meanwhile.
LONGEST_RETRY_AFTER = dt.timedelta(minutes=10)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came over HTTP; `path` is for messages only."""

    path: str
    status: int
    body: bytes
    unread: str | None = None  # of a refusal: why its body was not read to the end
    retry_after: dt.timedelta | None = None
    market: str | None = None  # which simulated market answered; None where none says so


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a body says about a failure; `readable` is false where it is no JSON object."""

    readable: bool
    status: str = ""
    text: str = ""
    request_id: str | None = None


def read_page(answer: Answer, reader: PageReader[Row] | BareReader[Row]) -> Page[Row]:
    """The page in *answer*, or the error that it means."""
    if answer.status != HTTPStatus.OK:
        raise refusal(answer, _problem_of(answer))
    try:
        page = reader.read(answer.body)
    except Undecodable as error:
        raise Undecodable(f"{error} (GET {answer.path})") from error
    envelope = page.envelope
    if (envelope.status or "").upper() in ("ERROR", "NOT_AUTHORIZED", "NOT_FOUND"):
        raise refusal(answer, _problem(answer.body))
    return msgspec.structs.replace(page, size=len(answer.body))


def error_in(answer: Answer) -> VendorError | None:
    """The error that *answer* means, whatever its rows are; None where it is an answer."""
    problem = _problem_of(answer)
    refuses = problem.readable and problem.status in ("ERROR", "NOT_AUTHORIZED", "NOT_FOUND")
    if answer.status != HTTPStatus.OK or refuses:
        return refusal(answer, problem)
    return None if problem.readable or answer.body.lstrip().startswith(b"[") else ProviderUnavailable(problem.text)


def refusal(answer: Answer, problem: Problem) -> VendorError:
    """The error that a failed answer means."""
    said = f"{answer.path} answered {answer.status}: {problem.text}"
    match _effective_status(answer.status, problem):
        case HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimited(said, retry_after=answer.retry_after, request_id=problem.request_id)
        case HTTPStatus.UNAUTHORIZED:
            return KeyRejected(f"{said}. Check MASSIVE_API_KEY", request_id=problem.request_id)
        case HTTPStatus.FORBIDDEN:
            return _forbidden(said, problem)
        case HTTPStatus.NOT_FOUND if problem.readable or not (answer.body or answer.unread):
            return TickerNotFound(said, request_id=problem.request_id)
        case HTTPStatus.NOT_FOUND if answer.unread or answer.body.isspace():
            return ProviderUnavailable(said)  # neither a refusal in the vendor's words nor a page that tells of a path
        case HTTPStatus.NOT_FOUND:
            return EndpointNotFound(f"{said}. Check MASSIVE_BASE_URL")
        case status if 300 <= status < 400:
            # Not followed: the key would go to a host that nobody configured.
            return ProviderUnavailable(f"{said}. It redirects elsewhere; check MASSIVE_BASE_URL")
        case HTTPStatus.REQUEST_TIMEOUT | HTTPStatus.TOO_EARLY | 499:
            return ProviderUnavailable(said, request_id=problem.request_id)
        case status if 400 <= status < 500:
            return BadRequest(said, request_id=problem.request_id)
        case _:
            return ProviderUnavailable(said, request_id=problem.request_id)


def parse_retry_after(value: str | None, *, now: dt.datetime) -> dt.timedelta | None:
    """The wait a Retry-After header asks for: seconds or an HTTP date; None where it says nothing usable."""
    if value is None:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text := value.strip()):  # what float() takes besides is no number of seconds
        seconds = float(text)
    else:
        try:
            at = parsedate_to_datetime(value)
            seconds = ((at if at.tzinfo else at.replace(tzinfo=dt.UTC)) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    if seconds <= 0:
        return None
    return dt.timedelta(seconds=min(seconds, LONGEST_RETRY_AFTER.total_seconds()))


def _problem_of(answer: Answer) -> Problem:
    if answer.unread is not None:
        return Problem(readable=False, text=f"its body was left unread: {answer.unread}")
    return _problem(answer.body)


def _problem(body: bytes) -> Problem:
    try:
        fields = read_object(body)
    except NoJson:
        return Problem(readable=False, text=describe(body))
    said = fields.get("error") or fields.get("message") or "no reason given"
    request_id = fields.get("request_id")
    return Problem(
        readable=True,
        status=str(fields.get("status") or "").upper(),
        text=_one_line(str(said)[:300]),
        request_id=request_id if isinstance(request_id, str) and _is_id(request_id) else None,
    )


def _one_line(text: str) -> str:
    """The text as logs and tables can keep it: without NUL, control characters and halves of surrogate pairs."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _is_id(text: str) -> bool:
    return is_within(REQUEST_ID, text, dt.date.max)


def _effective_status(status: int, problem: Problem) -> int:
    """The HTTP status, or the one it should have been where the body knows better."""
    text = problem.text.lower()
    if problem.readable and "api key" in text and "entitled" not in text and status in (200, 400, 403):
        return HTTPStatus.UNAUTHORIZED
    if status != HTTPStatus.OK:
        return status
    if "maximum requests" in text:
        return HTTPStatus.TOO_MANY_REQUESTS
    match problem.status:
        case "NOT_AUTHORIZED":
            return HTTPStatus.FORBIDDEN
        case "NOT_FOUND":
            return HTTPStatus.NOT_FOUND
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR


def _forbidden(said: str, problem: Problem) -> VendorError:
    text = problem.text.lower()
    if not problem.readable:
        # A proxy or firewall speaks here, not the plan: nothing may be recorded as a capability.
        return ProviderUnavailable(said)
    if "before end of day" in text:
        return NotYetPublished(said, request_id=problem.request_id)
    if "timeframe" in text:
        return OutsidePlanTimeframe(said, request_id=problem.request_id)
    return NotEntitled(said, request_id=problem.request_id)

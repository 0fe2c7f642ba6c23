"""Names the kinds of problems that the API answers with: what each means, and where the runbook has more.

`type` of a problem document is `/problems/{name}`, which answers what stands here.
"""

from __future__ import annotations

import http.client

import msgspec

RUNBOOK = "docs/runbook.md"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind; *meaning* is for people, *runbook* a heading of docs/runbook.md."""

    name: str
    status: int
    title: str
    meaning: str
    runbook: str | None = None

    @property
    def type(self) -> str:
        return f"/problems/{self.name}"


def _kind(name: str, status: int, title: str, meaning: str, *, runbook: str | None = None) -> Kind:
    return Kind(name=name, status=status, title=title, meaning=meaning, runbook=runbook)


NOT_UNDERSTOOD = _kind(
    "not-understood", 400, "The request is not understood", "a parameter, a field or the path is none that there is"
)
TOKEN_WANTED = _kind("token-wanted", 401, "A token is wanted", "send Authorization: Bearer and a token of the settings")
OTHER_SITE = _kind(
    "other-site", 403, "A page of another site asked", "what changes something is not taken from other sites' pages"
)
READ_ONLY = _kind("read-only", 403, "This token may read only", "work is asked for with MAINTENANCE_API_TOKEN")
NOT_THERE = _kind("not-there", 404, "There is no such thing", "no such path, symbol, session or run")
OTHER_METHOD = _kind("other-method", 405, "Another method is wanted", "`Allow` has those that there are")
UNDER_WAY = _kind(
    "under-way", 409, "The same request is under way", "its Idempotency-Key is being answered: ask again in a moment"
)
OTHER_BY_NOW = _kind("other-by-now", 409, "It would be another by now", "look again, and ask for what stands there now")
TOO_LONG = _kind("too-long", 413, "The body is too long", "64 KiB are read")
NO_JSON = _kind("no-json", 415, "The body is no JSON", "send application/json")
EXPECTS = _kind("expects-unknown", 417, "Something unknown is expected", "`Expect` may say 100-continue")
OTHER_NAME = _kind(
    "other-name", 421, "This service has another name", "HTTP_ALLOWED_HOSTS has the names by which it may be asked"
)
CANNOT_BE = _kind("cannot-be-done", 422, "That cannot be done", "it is understood, and there is no such work")
KEY_OF_ANOTHER = _kind(
    "key-of-another", 422, "The key is another request's", "an Idempotency-Key belongs to one path and one body"
)
FAULT = _kind(
    "fault", 500, "A fault of the service", "its log has the traceback", runbook=f"{RUNBOOK}#http-request-failed"
)
AWAY = _kind(
    "server-away",
    503,
    "Redis or PostgreSQL does not answer",
    "the service waits for it",
    runbook=f"{RUNBOOK}#postgres-away",
)
TOO_BUSY = _kind("too-busy", 503, "More is asked than is answered in time", "`Retry-After` says when to ask again")
NOT_READY = _kind(
    "not-ready",
    503,
    "The service is not ready",
    "`checks` says which of what it stands on is away or has stopped",
    runbook=f"{RUNBOOK}#not-ready",
)
NO_CALENDAR = _kind(
    "calendar-ends",
    503,
    "The trading calendar ends",
    "the clock is outside it",
    runbook=f"{RUNBOOK}#calendar-ends",
)

KINDS = {
    one.name: one
    for one in (
        NOT_UNDERSTOOD,
        TOKEN_WANTED,
        OTHER_SITE,
        READ_ONLY,
        NOT_THERE,
        OTHER_METHOD,
        UNDER_WAY,
        OTHER_BY_NOW,
        TOO_LONG,
        NO_JSON,
        EXPECTS,
        OTHER_NAME,
        CANNOT_BE,
        KEY_OF_ANOTHER,
        FAULT,
        AWAY,
        TOO_BUSY,
        NOT_READY,
        NO_CALENDAR,
    )
}
#: What a status means where nothing more is said: the first kind that has it.
_BY_STATUS: dict[int, Kind] = {}
for _one in KINDS.values():
    _BY_STATUS.setdefault(_one.status, _one)


def kind_of_status(status: int) -> Kind:
    """The kind of a refusal of which only the status is known; one that is not ours means what HTTP says of it."""
    known = _BY_STATUS.get(status)
    if known is not None:
        return known
    title = http.client.responses.get(status, "Refused")
    return Kind(name="refused", status=status, title=title, meaning=title)

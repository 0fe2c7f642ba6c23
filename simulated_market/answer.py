"""Holds a request as the endpoints see it, and an answer before it becomes bytes.

Faults change answers between these two moments, so no endpoint knows of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request: the endpoint's name, the parts of its path, and its parameters with the cursor read."""

    endpoint: str
    path: str
    path_and_query: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    origin: str
    """Scheme and host the client used; a next_url names it again."""

    @property
    def request_id(self) -> str:
        """The same for the same request, so that the same question gives the same bytes."""
        return request_id_of(self.path_and_query)


def request_id_of(path_and_query: str) -> str:
    """What an answer's `request_id` is here; the vendor's are never the same twice, which tells the two apart."""
    return hashlib.blake2b(path_and_query.encode(), digest_size=16).hexdigest()


class Answer(msgspec.Struct, kw_only=True):
    """A 200 on its way out; `results` None leaves the field out, as the vendor does on days without data."""

    envelope: dict[str, Any] = msgspec.field(default_factory=dict)
    results: Sequence[Any] | msgspec.Struct | None = None
    counted: tuple[str, ...] = ()
    """Names of the envelope's fields that give the number of results."""
    following: str | None = None
    """Path and query of the next page."""
    next_url: str | None = None
    """The whole address of the next page, where a fault has written it."""
    status: str = "OK"
    bare: Any = None
    """Sent as it is, without an envelope."""


def encoded(answer: Answer, call: Call) -> bytes:
    """The answer's JSON."""
    if answer.bare is not None:
        return _ENCODER.encode(answer.bare)
    body = dict(answer.envelope)
    number = len(answer.results) if isinstance(answer.results, Sequence) else 0
    body.update(dict.fromkeys(answer.counted, number))
    if answer.results is not None:
        body["results"] = answer.results
    body["status"] = answer.status
    body["request_id"] = call.request_id
    next_url = answer.next_url or (answer.following and f"{call.origin}{answer.following}")
    if next_url:
        body["next_url"] = next_url
    return _ENCODER.encode(body)

"""Holds what goes over the wire in place of an ordinary answer."""

from __future__ import annotations

import msgspec


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A complete HTTP answer, whoever decided on it."""

    http_status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = msgspec.field(default_factory=dict)


class Drop(msgspec.Struct, frozen=True):
    """No answer: the connection is cut."""

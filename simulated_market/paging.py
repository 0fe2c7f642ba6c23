"""Cuts listings into pages, and makes the cursor that leads to the next one.

A cursor carries the whole first request, so the pages after it need nothing else but a key.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from simulated_market.vendor_errors import bad_cursor, bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulated_market.answer import Call
    from simulated_market.assumptions import Assumptions

_PLACE = "ap"
_PRIVATE = frozenset({"apiKey", "cursor", _PLACE})


def effective_query(query: Mapping[str, str]) -> dict[str, str]:
    """The request's own parameters over those its cursor carries."""
    own = {name: value for name, value in query.items() if name != "cursor"}
    cursor = query.get("cursor")
    return own if cursor is None else {**_read(cursor), **own}


def limit_of(query: Mapping[str, str], *, default: int, most: int) -> int:
    """The number of rows asked for; more than the most allowed is an error, as it is with the vendor."""
    text = query.get("limit", "")
    limit = int(text) if text.isdecimal() else default if not text else 0
    if not 1 <= limit <= most:
        raise bad_request(f"The limit parameter '{text}' must be a number from 1 to {most}")
    return limit


class Pages:
    """Cuts pages as the vendor is assumed to."""

    def __init__(self, assumptions: Assumptions) -> None:
        self._assumed = assumptions

    def one(self, rows: Sequence[Any], call: Call, *, default: int, most: int) -> tuple[Sequence[Any], str | None]:
        """One page of the rows, and the path and query of the next if there is one."""
        limit = limit_of(call.query, default=default, most=most)
        if self._assumed.most_rows is not None:
            limit = min(limit, self._assumed.most_rows)
        if not self._assumed.sorts:
            rows = [*rows[1::2], *rows[::2]]
        place = call.query.get(_PLACE, "0")
        if not place.isdecimal():
            raise bad_cursor()
        end = int(place) + limit
        following = None if end >= len(rows) else f"{call.path}?cursor={cursor_for(call.query, place=end)}"
        return rows[int(place) : end], following


def cursor_for(query: Mapping[str, str], *, place: int | None = None) -> str:
    """The request as one opaque word, never with the key in it."""
    kept = [(name, value) for name, value in query.items() if name not in _PRIVATE]
    if place is not None:
        kept.append((_PLACE, str(place)))
    return base64.urlsafe_b64encode(urlencode(kept).encode()).decode().rstrip("=")


def _read(cursor: str) -> dict[str, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        return dict(parse_qsl(text, strict_parsing=bool(text), keep_blank_values=True))
    except (binascii.Error, ValueError) as error:
        raise bad_cursor() from error

"""Says what is not there: which symbols are nearest to one that nobody has."""

from __future__ import annotations

import asyncio
import difflib
from typing import TYPE_CHECKING

from consumer.web.problems import problem_body
from consumer.web.reads import Answer
from contract.flat_fields import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.web.known import Symbols

_NAMED = 3
_ALIKE = 0.5


async def unknown(written: str, symbols: Symbols) -> Answer:
    """The answer where *written* is nobody's symbol: 404 with the nearest ones."""
    found = await asyncio.to_thread(nearest, written, symbols.listed)
    cure = f"did you mean {' or '.join(found)}?" if found else "GET /api/universe/symbols lists those that are"
    return missing(f"Ticker {quote(written)} not found: {cure}")


def missing(detail: str) -> Answer:
    """The answer of what is not there: 404, a problem document, kept like any other answer."""
    return Answer(body=problem_body(404, detail), status=404)


def nearest(written: str, listed: Sequence[str]) -> list[str]:
    """Return up to three of *listed* that look most like *written*; capitals and small letters are alike here."""
    wanted = written.upper()
    # With the same first letter, or with the same last one and nearly as long: not each of 11,000 is compared.
    near = [one for one in listed if one[0] == wanted[0] or (abs(len(one) - len(wanted)) < 2 and one[-1] == wanted[-1])]
    by_capitals: dict[str, str] = {}
    for one in near:
        by_capitals.setdefault(one.upper(), one)
    return [by_capitals[one] for one in difflib.get_close_matches(wanted, by_capitals, n=_NAMED, cutoff=_ALIKE)]

"""Says what each reading route may be asked for, and reads it from a query: what a route does not know is refused."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Annotated, TypeVar, get_args

import msgspec
from msgspec import Meta

from consumer.web.bodies import BadRequest
from contract.flat_fields import quote
from market.symbols import WELL_FORMED

if TYPE_CHECKING:
    from aiohttp import web

#: As many symbols of usual length as the longest line of a request holds.
MOST_SYMBOLS = 1_000
MOST_LISTED = 20_000
MOST_SESSIONS = 1_000
MOST_ID = 2**63 - 1
LAST_SLOT_ASKED = 250  # of readers of "historical"; beyond the day's last slot nothing is added

T = TypeVar("T", bound=msgspec.Struct)
_is_symbol = re.compile(WELL_FORMED).fullmatch

#: A day in the one spelling that cannot be taken for another.
Day = Annotated[dt.date, Meta(description="YYYY-MM-DD")]


class Nothing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A route that takes no parameters."""


class BulkAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose metadata: *symbols* with commas between, or else of all that are listed, *after* one of them."""

    symbols: str | None = None
    limit: Annotated[int, Meta(ge=1)] = MOST_LISTED
    after: str | None = None


class SymbolsAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many listed symbols, in order, *after* one of them."""

    limit: Annotated[int, Meta(ge=1)] = 1_000
    after: str | None = None


class SlotAverageAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose mean accumulated volume up to which slot, over how many sessions."""

    symbol: str
    slot: Annotated[int, Meta(ge=0, le=LAST_SLOT_ASKED)]
    days: Annotated[int, Meta(ge=1, le=60)] = 5


class AveragesAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose mean accumulated volumes, over how many sessions, up to which slot."""

    symbol: str
    days: Annotated[int, Meta(ge=1, le=60)] = 5
    max_slot: Annotated[int, Meta(ge=1, le=LAST_SLOT_ASKED)] = LAST_SLOT_ASKED


class TradesAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose usual number of trades, over how many sessions."""

    symbol: str
    days: Annotated[int, Meta(ge=1, le=60)] = 5


class BarsAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"first": "from"}):
    """Which sessions of a symbol; without *first* the newest ones."""

    first: Day | None = None
    to: Day | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_SESSIONS)] = 250
    adjusted: bool = True


class SlotsAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which sessions of a symbol: *days* of them up to *day*, which is the newest one where it is not said."""

    day: Day | None = None
    days: Annotated[int, Meta(ge=1, le=20)] = 1
    adjusted: bool = True


class SpanAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"first": "from"}):
    """Which sessions: without *first* from where each data set is kept, without *to* up to the last completed one."""

    first: Day | None = None
    to: Day | None = None


class LettersAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many dead letters, and whether the *settled* ones too."""

    settled: bool = False
    limit: Annotated[int, Meta(ge=1, le=MOST_SESSIONS)] = 200


class ActionsAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many actions, *before* one of them."""

    limit: Annotated[int, Meta(ge=1, le=MOST_SESSIONS)] = 100
    before: Annotated[int, Meta(ge=1, le=MOST_ID)] | None = None


def names_of(asked: type[msgspec.Struct]) -> tuple[str, ...]:
    """The parameters as a query spells them."""
    return tuple(field.encode_name for field in msgspec.structs.fields(asked))


def read_query(request: web.Request, asked: type[T]) -> T:
    """Return what the query of *request* asks for. Raises BadRequest."""
    for name in request.query:
        if len(request.query.getall(name)) > 1:
            raise BadRequest(f"{quote(name)} stands there {len(request.query.getall(name))} times: keep one")
    _refuse_null(request, asked)
    try:
        return msgspec.convert(dict(request.query), asked, strict=False)
    except ValueError as error:  # msgspec's own is one
        takes = ", ".join(names_of(asked)) or "no query parameters"
        raise BadRequest(f"the query is not understood: {error}; {request.path} takes {takes}") from error


def _refuse_null(request: web.Request, asked: type[msgspec.Struct]) -> None:
    """In a query there is no null, and "null" is read as one; it is a text like any other where texts are taken."""
    texts = {field.encode_name for field in msgspec.structs.fields(asked) if str in (field.type, *get_args(field.type))}
    for name, text in request.query.items():
        if name not in texts and text.lower() == "null":
            raise BadRequest(f"{quote(name)} is {quote(text)}: leave it out")


def symbol_in(text: str) -> str:
    """Return *text*, which looks like a symbol. Raises BadRequest."""
    if _is_symbol(text) is None:
        raise BadRequest(f"{quote(text)} is no symbol: write one such as AAPL, BRK.B or BACpB")
    return text


def symbols_in(text: str) -> tuple[str, ...]:
    """Return the symbols of a list with commas between, each once. Raises BadRequest."""
    found = tuple(dict.fromkeys(symbol_in(one.strip()) for one in text.split(",") if one.strip()))
    if not found:
        raise BadRequest("symbols names none: write symbols=AAPL,MSFT, or leave it out for all that are listed")
    if len(found) > MOST_SYMBOLS:
        raise BadRequest(
            f"symbols names {len(found)}, and {MOST_SYMBOLS} are read at a time: ask for fewer, or leave it out for "
            "all that are listed"
        )
    return found

"""Holds decoded rows against the table of bounds, and keeps what they lose with the reason.

A row without a sound required field is set aside; an optional field that is beyond its bounds is left out and set aside
alone. All are counted; the first MOST_EVIDENCE keep what came, and MOST_NAMED are named. One sieve serves one load.
"""

import datetime as dt
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import TypeVar

import msgspec

from consumer.vendor.questions import Question
from consumer.vendor.rows import Flaw, Rejected, SetAside
from market.bounded_fields import ENDPOINTS
from market.bounds import Check, check_of
from market.symbols import is_well_formed

Row = TypeVar("Row", bound=msgspec.Struct)

# A whole market of rows; more is a flood, of which the count tells enough.
MOST_NAMED = 20_000
# Of a flood of garbage the first rows show what it is.
MOST_EVIDENCE = 200

_ROW_FLAWS: Mapping[str, Flaw] = {
    "T": Flaw.SYMBOL,
    "ticker": Flaw.SYMBOL,
    "o": Flaw.PRICE,
    "h": Flaw.PRICE,
    "l": Flaw.PRICE,
    "c": Flaw.PRICE,
    "v": Flaw.VOLUME,
    "t": Flaw.FOREIGN_DAY,
    "execution_date": Flaw.FOREIGN_DAY,
    "split_from": Flaw.RATIO,
    "split_to": Flaw.RATIO,
    "ex_dividend_date": Flaw.FOREIGN_DAY,
    "cash_amount": Flaw.AMOUNT,
}


class Sieve:
    """What was lost of the answers to the questions of one load, asked on a day."""

    def __init__(self, asked_on: dt.date) -> None:
        self.asked_on = asked_on
        self.rejected: Counter[str] = Counter()
        self.set_aside: list[SetAside] = []
        self._noted: Counter[str] = Counter()

    @classmethod
    def of_any_day(cls) -> "Sieve":
        """A sieve for what has no dates."""
        return cls(dt.date.max)

    def drop_row(self, flaw: Flaw, evidence: object, symbol: object = None) -> None:
        """Note a row that is not taken."""
        lost = SetAside(flaw=flaw, symbol=_symbol(symbol), evidence=evidence)
        self._note(_reason(lost), lost)

    def drop_field(self, flaw: Flaw, field: str, value: object, symbol: object = None) -> None:
        """Note a value that is left out of a row that is taken."""
        lost = SetAside(flaw=flaw, symbol=_symbol(symbol), field=field, evidence={field: value})
        self._note(_reason(lost), lost)

    def take(self, lost: Iterable[SetAside]) -> None:
        """Note what was lost before it came here: what could not be read at all."""
        for one in lost:
            self._note(_reason(one), msgspec.structs.replace(one, symbol=_symbol(one.symbol)))

    def absorb(self, rejected: Rejected, set_aside: Iterable[SetAside]) -> None:
        """Add what another sieve has noted: one load is several questions."""
        self.rejected.update(rejected)
        for one in set_aside:
            self._keep(one)

    def _note(self, reason: str, lost: SetAside) -> None:
        self.rejected[reason] += 1
        self._keep(lost)

    def _keep(self, lost: SetAside) -> None:
        # Counted apart: a flood of fields must not leave rows unnamed.
        kind = "rows" if lost.field is None else "fields"
        self._noted[kind] += 1
        if self._noted[kind] > MOST_NAMED:
            return
        if self._noted[kind] > MOST_EVIDENCE:
            lost = msgspec.structs.replace(lost, evidence=None)
        elif isinstance(lost.evidence, msgspec.Struct):
            lost = msgspec.structs.replace(lost, evidence=msgspec.structs.asdict(lost.evidence))
        self.set_aside.append(lost)


class FieldChecks:
    """The bounds of one endpoint's fields, ready to be held against rows of one type."""

    def __init__(
        self, endpoint: Question | str, row_type: type[msgspec.Struct], *, without: Container[str] = ()
    ) -> None:
        attributes = {field.encode_name: field.name for field in msgspec.structs.fields(row_type)}
        self._checks: tuple[tuple[str, str, Check, bool], ...] = tuple(
            (name, attributes[name], check_of(field.bound), field.required)
            for name, field in ENDPOINTS[str(endpoint)].items()
            if name not in without
        )

    def sound(self, row: Row, sieve: Sieve, *, of: str | None = None) -> Row | None:
        """Return *row* without its fields beyond the bounds; None where a required one is.

        *of*: whose row it is, where it does not say so itself.
        """
        asked_on = sieve.asked_on
        beyond: dict[str, str] = {}
        for name, attribute, check, required in self._checks:
            value = getattr(row, attribute)
            if value is not None and not check(value, asked_on):
                if required:
                    sieve.drop_row(_ROW_FLAWS.get(name, Flaw.BOUNDS), row, _symbol_of(row))
                    return None
                beyond[attribute] = name
        if not beyond:
            return row
        for attribute, name in beyond.items():
            sieve.drop_field(Flaw.BOUNDS, name, getattr(row, attribute), of or _symbol_of(row))
        return msgspec.structs.replace(row, **dict.fromkeys(beyond))


def _reason(lost: SetAside) -> str:
    return str(lost.flaw) if lost.field is None else f"field {lost.field}"


def _symbol_of(row: msgspec.Struct) -> object:
    return getattr(row, "ticker", None)


def _symbol(value: object) -> str | None:
    """The symbol if it is one: what is none is seen in the evidence."""
    return value if isinstance(value, str) and is_well_formed(value) else None

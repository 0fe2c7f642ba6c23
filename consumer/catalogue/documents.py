"""Writes what of docs/data-dictionary.md follows from the declarations: `python -m consumer.catalogue.documents`.

It stands between two marks; what a person wrote around them stays. A test holds the page to what stands here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from consumer.catalogue.registry import DATA_SETS, TABLES
from consumer.catalogue.retention import may_be_kept
from consumer.data_sets.tables import Kept
from market.bounds import Day, Instant, Number, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.data_sets.declaration import DataSet
    from consumer.data_sets.tables import Column, Table
    from market.bounds import Bound

PAGE = Path("docs/data-dictionary.md")


def page_with(text: str) -> str:
    """Return the page *text* with its derived parts as the declarations have them."""
    for name, part in {"data sets": data_sets(), "tables": tables()}.items():
        begin, end = f"<!-- derived: {name} -->\n", f"<!-- end: {name} -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{part}\n{end}{rest.partition(end)[2]}"
    return text


def data_sets() -> str:
    """A row a data set: what it is, of what there is one, what it is made from, what it asks, where it stands."""
    rows = [
        (
            f"`{one.name}`",
            f"`{one.task.value}`",
            one.meaning,
            one.covers.value,
            _names((*one.made_from,)),
            _names(tuple(dict.fromkeys(kind.asks.value for kind in one.kinds if kind.asks is not None))),
            _names(tuple(table.name for table in one.tables)),
            _names(tuple(cache.name for cache in one.caches)),
        )
        for one in sorted(DATA_SETS, key=lambda one: (one.task.value, one.name))
    ]
    head = ("data set", "task", "meaning", "one for", "made from", "asks", "tables", "caches")
    retained = ", ".join(f"`{name}`" for name in may_be_kept())
    return f"{_table(head, rows)}\n\nA retention (`RETENTION`) can be set for {retained}; all else is kept for ever."


def tables() -> str:
    """A heading and a table of columns for each table of ours."""
    owner = {table.name: one for one in DATA_SETS for table in one.tables}
    return "\n\n".join(_columns(table, owner.get(name)) for name, table in TABLES.items())


def _columns(table: Table, owner: DataSet | None) -> str:
    whose = "of the ledger" if owner is None else f"of `{owner.name}`"
    kept = "kept for ever, unless a retention is set" if table.kept is Kept.MARKET_DATA else f"kept {table.kept.value}"
    rows = [(f"`{name}`", one.type, _bound(one), one.meaning) for name, one in table.columns.items()]
    return f"### {table.name}\n\nA table {whose}, {kept}.\n\n{_table(('column', 'type', 'values', 'meaning'), rows)}"


def _bound(column: Column) -> str:
    return "" if column.bound is None else bound_words(column.bound)


def bound_words(bound: Bound) -> str:
    """What values can be, in few words."""
    match bound:
        case Number():
            zero = "0 or " if bound.or_zero else ""
            whole = ", whole" if bound.whole else ""
            return f"{zero}{bound.least:g} to {bound.most:g} {bound.unit}{whole}"
        case Text():
            return f"up to {bound.longest} characters"
        case Day() | Instant():
            return f"from {bound.first}"
        case _:
            return ""


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    if not PAGE.is_file():
        sys.exit(f"{PAGE} is not here: run this in the folder of the project")
    PAGE.write_text(page_with(PAGE.read_text("utf-8")), encoding="utf-8")

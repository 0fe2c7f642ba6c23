"""Says what can be exported, and under which path, as the declarations of the data sets have it.  Pure.

A table of market data with a day column is a file a session; a table of what is listed at present, of a data set that
is asked for, is one file. A history of what was listed is none: its rows end at infinity, which Parquet does not have.
A data set that is added is found here by its declaration alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.registry import DATA_SETS
from consumer.data_sets.declaration import Covers, DataSet
from consumer.data_sets.tables import Kept, Table
from consumer.postgres.copy_columns import element_of

if TYPE_CHECKING:
    import datetime as dt

FILE = "part.parquet"
#: Of such sets the present rows are reference data: who is listed, what is known of each, which splits there were.
_REFERENCE = (Covers.PRESENT, Covers.SYMBOL)


class UnknownDataSet(ValueError):
    """No data set of that name can be exported; the text names those that can."""


class Exportable(msgspec.Struct, frozen=True, kw_only=True):
    """One table of a data set; *folder* is the data set's name, of a further table of the same set the table's."""

    data_set: DataSet
    table: Table
    folder: str

    @property
    def by_session(self) -> bool:
        return self.table.day_column is not None

    @property
    def types(self) -> dict[str, str]:
        """PostgreSQL's type by column."""
        return {name: column.type for name, column in self.table.columns.items()}

    @property
    def order(self) -> tuple[str, ...]:
        """By what rows are sorted: the symbol first, then whatever else tells two of them apart."""
        others = [name for name, type_ in self.types.items() if element_of(type_) is None and "json" not in type_]
        return tuple(sorted(others, key=lambda name: name != "symbol"))

    def key(self, day: dt.date | None) -> str:
        """The file's path below the export's own."""
        return f"{self.folder}/{FILE}" if day is None else f"{self.folder}/{self.table.day_column}={day}/{FILE}"


def exportable() -> tuple[Exportable, ...]:
    """Every table that can be exported, in the catalogue's order."""
    return tuple(one for data_set in DATA_SETS for one in _of(data_set))


def _of(data_set: DataSet) -> list[Exportable]:
    kept = [table for table in data_set.tables if _is_of_sessions(data_set, table) or _is_reference(data_set, table)]
    return [
        Exportable(data_set=data_set, table=table, folder=table.name if number else data_set.name)
        for number, table in enumerate(kept)
    ]


def _is_of_sessions(data_set: DataSet, table: Table) -> bool:
    return table.kept is Kept.MARKET_DATA and table.day_column is not None and data_set.covers is not Covers.NOTE


def _is_reference(data_set: DataSet, table: Table) -> bool:
    return table.kept is Kept.PRESENT and data_set.covers in _REFERENCE


def wanted(names: tuple[str, ...]) -> tuple[Exportable, ...]:
    """Those of the data sets *names*, all where none is named. Raises UnknownDataSet."""
    every = exportable()
    known = tuple(dict.fromkeys(one.data_set.name for one in every))
    for name in names:
        if name not in known:
            raise UnknownDataSet(f"--data-set {name}: nothing of that name can be exported: one of {', '.join(known)}")
    return tuple(one for one in every if not names or one.data_set.name in names)

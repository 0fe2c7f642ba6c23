"""Reads one table of the folder into typed rows: CSV with a header, or Parquet of the same columns.

What is wrong in it is told with file and line, and nothing of the table is taken: whoever fills the folder can mend it.
"""

from __future__ import annotations

import csv
import importlib
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from consumer.vendor.errors import AnswerTooLarge, BadAnswer, FlatFilesNotInstalled, ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Row = TypeVar("Row", bound=msgspec.Struct)

MINUTES = "minutes"
MOST_BYTES = 256 << 20  # the minutes of 11,000 symbols are 60 MB as CSV
_SUFFIXES = (".csv", ".parquet")


def has_minutes(folder: Path) -> bool:
    """Whether the folder has tables of minutes at all."""
    return (folder / MINUTES).is_dir()


def find(folder: Path, name: str) -> Path | None:
    """The table *name* (without its ending), None where there is none. A folder that is away is no empty one."""
    if not folder.is_dir():
        raise ProviderUnavailable(f"the folder {folder} is not there: mount it, or correct MARKET_DATA_FOLDER")
    return next((path for suffix in _SUFFIXES if (path := folder / f"{name}{suffix}").is_file()), None)


def version(path: Path) -> str:
    """Which table this is: another one once somebody has replaced it."""
    seen = path.stat()
    return f"{seen.st_mtime_ns}-{seen.st_size}"


def read(path: Path, row_type: type[Row]) -> list[Row]:
    """Every row of the table; an empty cell is a value that is not there. Raises BadAnswer that names file and line."""
    if (size := path.stat().st_size) > MOST_BYTES:
        raise AnswerTooLarge(f"{path} has {size} bytes; {MOST_BYTES} are the most that are read: split or mend it")
    rows = []
    for line, cells in _parquet(path) if path.suffix == ".parquet" else _csv(path):
        try:
            rows.append(msgspec.convert(cells, row_type, strict=False))
        except msgspec.ValidationError as error:
            raise BadAnswer(f"{path}, line {line}: {error}") from error
    return rows


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as text:  # Excel writes a mark before the first name
        reader, begun = csv.DictReader(text, restkey=""), 2
        try:
            for cells in reader:
                if "" in cells:
                    raise BadAnswer(f"{path}, line {begun}: more cells than the header has names")
                yield begun, {name: cell for name, cell in cells.items() if cell}
                begun = (
                    reader.line_num + 1
                )  # a stray quotation mark takes the next lines with it: where it stands counts
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadAnswer(f"{path}, after line {reader.line_num}: {error}") from error


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        polars = importlib.import_module("polars")
    except ModuleNotFoundError as error:
        raise FlatFilesNotInstalled("Parquet needs polars: pip install 'data-maintenance[flat-files]'") from error
    try:
        table = polars.read_parquet(path)
    except polars.exceptions.PolarsError as error:
        raise BadAnswer(f"{path} cannot be read: {str(error)[:200]}") from error
    for number, cells in enumerate(table.iter_rows(named=True), start=1):
        yield number, {name: cell for name, cell in cells.items() if cell is not None}

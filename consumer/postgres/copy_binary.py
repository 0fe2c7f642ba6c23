"""Reads and writes PostgreSQL's binary COPY format with numpy, without a Python object per value.

Format: "Binary Format" in the PostgreSQL manual's page on COPY. Rows of fixed size (no nulls, texts of one width) are
read as one structured array; arrays of numbers are written as one byte block.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from consumer.postgres.pool import Connection

HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
FLOAT8_OID = 701
INT4_OID = 23
DATE = "date"
FLOAT8 = "float8"
INT4 = "int4"
SYMBOL = "symbol"  # as PADDED_SYMBOL makes it
#: A symbol has at most 20 characters, all ASCII, by a check of its table: of one width, rows are read without parsing.
PADDED_SYMBOL = "rpad(symbol, 20)"
_EPOCH = np.datetime64("2000-01-01", "D")
_WIDTHS = {DATE: (4, ">i4"), FLOAT8: (8, ">f8"), INT4: (4, ">i4"), SYMBOL: (20, "S20")}
_ARRAY_HEADER = 20  # dimensions, null flag, element type, length, lower bound
_SIZES = {"days": 4, "symbols": 20, "codes": 4}
_KEY = np.dtype(
    {
        "names": ["count", "days", "day", "symbols", "symbol", "codes", "code", "array"],
        "formats": [">i2", ">i4", ">i4", ">i4", "S20", ">i4", ">i4", ">i4"],
    }
)


async def copy_out(connection: Connection, query: str, *arguments: object) -> bytes:
    """Return the rows of *query* in binary COPY format, header and trailer removed."""
    chunks: list[bytes] = []

    async def collect(chunk: bytes) -> None:
        chunks.append(bytes(chunk))

    await connection.copy_from_query(query, *arguments, output=collect, format="binary")
    return b"".join(chunks)[len(HEADER) : -len(TRAILER)]


def fixed_rows(body: bytes, columns: Sequence[str]) -> list[NDArray[np.generic]]:
    """Return one array a column (datetime64[D], float64, int64, or bytes padded with blanks), none of them null.

    *columns* names each column's type.
    """
    fields: list[tuple[str, str]] = [("count", ">i2")]
    for number, kind in enumerate(columns):
        fields += [(f"length{number}", ">i4"), (f"value{number}", _WIDTHS[kind][1])]
    rows = np.frombuffer(body, dtype=np.dtype(fields))
    for number, kind in enumerate(columns):
        if len(rows) and not (rows[f"length{number}"] == _WIDTHS[kind][0]).all():
            raise ValueError(f"column {number} is not a non-null {kind}")
    return [_native(rows[f"value{number}"], kind) for number, kind in enumerate(columns)]


def _native(values: NDArray[np.generic], kind: str) -> NDArray[np.generic]:
    if kind == DATE:
        return _EPOCH + values.astype("timedelta64[D]")
    if kind == SYMBOL:
        return values
    if kind == INT4:
        return values.astype(np.int64)
    return values.astype(np.float64)


def keyed_array_rows(body: bytes, length: int, kind: str) -> tuple[list[tuple[dt.date, str, int]], NDArray[np.generic]]:
    """Read rows of a date, a symbol (PADDED_SYMBOL), an int4, and a *kind*[] of *length* values without nulls, or null.

    Return the first three of each row, those with an array first, and float64 or int64 [rows with an array, length].
    """
    element = np.dtype([("size", ">i4"), ("value", _WIDTHS[kind][1])])
    wanted = _ARRAY_HEADER + length * element.itemsize
    with_array, without, arrays = [], [], []
    at = 0
    while at < len(body):
        starts = at + _KEY.itemsize
        size = int.from_bytes(body[starts - 4 : starts], "big", signed=True)
        if size == wanted:
            with_array.append(body[at:starts])
            arrays.append(body[starts + _ARRAY_HEADER : starts + size])
        elif size == -1:
            without.append(body[at:starts])
        else:
            raise ValueError(f"an array is not {length} {kind} values")
        at = starts + max(size, 0)
    values = np.frombuffer(b"".join(arrays), dtype=element).reshape(-1, length)
    return _keys(b"".join([*with_array, *without])), _native(values["value"], kind)


def _keys(heads: bytes) -> list[tuple[dt.date, str, int]]:
    rows = np.frombuffer(heads, dtype=_KEY)
    if not all((rows[name] == size).all() for name, size in _SIZES.items()):
        raise ValueError("a row is not a date, a padded symbol, an int4 and an array")
    days: list[dt.date] = _native(rows["day"], DATE).tolist()
    symbols = [symbol.decode().rstrip() for symbol in rows["symbol"].tolist()]
    return list(zip(days, symbols, rows["code"].tolist(), strict=True))


def encode_float_arrays(values: NDArray[np.float64]) -> list[bytes]:
    """Return each row of float64[rows, length] as a binary float8[] field, its size in front."""
    rows, length = values.shape
    elements = np.empty((rows, length), dtype=np.dtype([("size", ">i4"), ("value", ">f8")]))
    elements["size"] = 8
    elements["value"] = values
    size = _ARRAY_HEADER + length * 12
    head = struct.pack(">iiiIii", size, 1, 0, FLOAT8_OID, length, 1)
    body = elements.tobytes()
    width = length * 12
    return [head + body[at : at + width] for at in range(0, rows * width, width)]


def encode_count_arrays(values: NDArray[np.int64]) -> list[bytes]:
    """Return each row of int64[rows, length] as a binary int4[] field, its size in front; below zero is null."""
    rows, length = values.shape
    unknown = values < 0
    elements = np.empty((rows, length), dtype=np.dtype([("size", ">i4"), ("value", ">i4")]))
    elements["size"] = np.where(unknown, -1, 4)
    elements["value"] = values
    octets = elements.view(np.uint8).reshape(rows, length, 8)
    written = np.ones(octets.shape, dtype=bool)
    written[:, :, 4:] = ~unknown[:, :, None]  # a null has a size and no value
    fields = []
    for at in range(rows):
        has_nulls = bool(unknown[at].any())
        body = octets[at][written[at]].tobytes() if has_nulls else octets[at].tobytes()
        fields.append(struct.pack(">iiiIii", _ARRAY_HEADER + len(body), 1, has_nulls, INT4_OID, length, 1) + body)
    return fields

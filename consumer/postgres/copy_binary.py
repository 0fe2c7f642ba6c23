"""Reads and writes PostgreSQL's binary COPY format with numpy, without a Python object per value.

Format: "Binary Format" in the PostgreSQL manual's page on COPY. Rows of fixed size (no nulls, texts of one width) are
read as one structured array; arrays of numbers are written as one byte block.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
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


def float_array_rows(body: bytes, length: int) -> NDArray[np.float64]:
    """Return float64[rows, length] of rows whose one column is a float8[] of *length* values without nulls."""
    return _array_rows(body, length, FLOAT8).astype(np.float64)


def int_array_rows(body: bytes, length: int) -> NDArray[np.int64]:
    """Return int64[rows, length] of rows whose one column is an int4[] of *length* values without nulls."""
    return _array_rows(body, length, INT4).astype(np.int64)


def _array_rows(body: bytes, length: int, kind: str) -> NDArray[np.generic]:
    element = np.dtype([("size", ">i4"), ("value", _WIDTHS[kind][1])])
    row = np.dtype([("count", ">i2"), ("bytes", ">i4"), ("head", "V20"), ("elements", element, (length,))])
    rows = np.frombuffer(body, dtype=row)
    expected = _ARRAY_HEADER + length * element.itemsize
    if len(rows) and not (rows["bytes"] == expected).all():
        raise ValueError(f"an array is not {length} {kind} values")
    values: NDArray[np.generic] = rows["elements"]["value"]
    return values


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

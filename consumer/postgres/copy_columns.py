"""Reads PostgreSQL's binary COPY column by column, also with nulls, texts and arrays, a batch of rows at a time.

Rows vary in length, so where each field begins is found one by one; their values are taken together, by numpy. What has
no fixed width or no text of its own on the wire is asked for as text (`expression`), so that no type is left out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from consumer.postgres.copy_binary import HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from consumer.postgres.pool import Connection

#: PostgreSQL's type and how its values stand on the wire; days and microseconds are counted from 2000.
ON_THE_WIRE = {
    "boolean": "?",
    "smallint": ">i2",
    "integer": ">i4",
    "bigint": ">i8",
    "real": ">f4",
    "double precision": ">f8",
    "date": ">i4",
    "timestamp with time zone": ">i8",
}
BATCH_BYTES = 4 << 20
#: Symbols have some five lengths, a column or two may be null: more are looked through in vain.
MOST_LAYOUTS = 12
_ARRAY = "[]"
_SHORT, _INT = struct.Struct(">h").unpack_from, struct.Struct(">i").unpack_from
_HEAD = struct.Struct(">iii")  # of an array: dimensions, whether it has nulls, element type
_ONE_DIMENSION = 20  # bytes before the first element


class Unreadable(Exception):
    """A row holds what has no place in a column; the text says which."""


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Values of one width; what stands where *nulls* is true means nothing."""

    nulls: NDArray[np.bool_]
    values: NDArray[np.generic]


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Texts, or None."""

    texts: list[str | None]


@dataclass(frozen=True, kw_only=True)
class Lists:
    """Arrays of one dimension: *lengths*, -1 for a null, and the elements of all of them."""

    lengths: NDArray[np.int64]
    elements: Plain | Texts


Values: TypeAlias = "Plain | Texts | Lists"


def element_of(type_: str) -> str | None:
    """The element's type where *type_* is an array's."""
    return type_.removesuffix(_ARRAY) if type_.endswith(_ARRAY) else None


def expression(name: str, type_: str) -> str:
    """What a query selects, so that `read_columns` can read it."""
    element = element_of(type_)
    if (element or type_) in ON_THE_WIRE or (element or type_) == "text":
        return f'"{name}"'
    return f'"{name}"::text{_ARRAY if element else ""}'


async def read_columns(
    connection: Connection, query: str, *arguments: object, types: Sequence[str], take: Callable[[list[Values]], None]
) -> None:
    """Give *take* the rows of *query* in batches of a few megabytes, a value a column. Raises Unreadable."""
    reader = _Reader(types, take)
    await connection.copy_from_query(query, *arguments, output=reader.feed, format="binary")
    reader.end()


class _Reader:
    def __init__(self, types: Sequence[str], take: Callable[[list[Values]], None]) -> None:
        self._types = types
        self._take = take
        self._chunks: list[bytes] = []
        self._held = 0
        self._begun = False
        self._unreadable: Unreadable | None = None

    async def feed(self, chunk: bytes) -> None:
        """Told at the end: an error in the middle of a copy would end the caller's transaction with it."""
        if self._unreadable is not None:
            return
        self._chunks.append(bytes(chunk))
        self._held += len(chunk)
        if self._held >= BATCH_BYTES:
            self._read()

    def end(self) -> None:
        if self._unreadable is None:
            self._read()
        if self._unreadable is not None:
            raise self._unreadable
        if b"".join(self._chunks) != struct.pack(">h", -1):
            raise Unreadable("the copy ended in the middle of a row")

    def _read(self) -> None:
        try:
            self._decode()
        except Unreadable as error:
            self._unreadable = error

    def _decode(self) -> None:
        body = b"".join(self._chunks)
        if not self._begun:
            if len(body) < len(HEADER):
                return
            body, self._begun = body[len(HEADER) :], True
        starts, sizes, end = _fields(body, len(self._types))
        if len(starts):
            self._take([_values(body, starts[:, n], sizes[:, n], one) for n, one in enumerate(self._types)])
        self._chunks, self._held = [body[end:]], len(body) - end


class _Layout:
    """Fields of certain sizes: a row that has them is told by one look, and most rows have those of another one."""

    __slots__ = ("expected", "length", "number", "starts", "unpack")

    def __init__(self, sizes: tuple[int, ...], number: int) -> None:
        self.number = number
        lengths = [max(size, 0) for size in sizes]
        head = struct.Struct(">h" + "".join(f"i{length}x" for length in lengths))
        self.unpack = head.unpack_from
        self.length = head.size
        self.expected = (len(sizes), *sizes)
        self.starts = np.cumsum([6, *(length + 4 for length in lengths[:-1])])  # after the row's count and its own size


def _fields(body: bytes, columns: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Where each field of each whole row begins, its size (-1: null), and where the rest begins."""
    every: list[_Layout] = []  # by number
    known: list[_Layout] = []  # of the latest rows, the newest first
    rows: list[int] = []
    numbers: list[int] = []
    at, last = 0, len(body)
    while True:
        for place in range(len(known)):
            layout = known[place]
            if at + layout.length <= last and layout.unpack(body, at) == layout.expected:
                if place:
                    known.insert(0, known.pop(place))
                break
        else:
            sizes = _sizes(body, at, columns)
            if sizes is None:
                break
            layout = _Layout(sizes, len(every))
            every.append(layout)
            known = [layout, *known[: MOST_LAYOUTS - 1]]
        rows.append(at)
        numbers.append(layout.number)
        at += layout.length
    if not rows:
        return np.empty((0, columns), np.int64), np.empty((0, columns), np.int64), at
    starts = np.array([one.starts for one in every])[numbers] + np.array(rows)[:, None]
    return starts, np.array([one.expected[1:] for one in every])[numbers], at


def _sizes(body: bytes, at: int, columns: int) -> tuple[int, ...] | None:
    """The sizes of the fields of the row that begins at *at*; None where it is not whole, or the end."""
    sizes = []
    try:
        (count,) = _SHORT(body, at)
        if count not in (columns, -1):
            raise Unreadable(f"a row has {count} fields, not {columns}")
        at += 2
        for _ in range(max(count, 0)):
            (size,) = _INT(body, at)
            sizes.append(size)
            at += 4 + max(size, 0)
    except struct.error:
        return None  # the rest of the row is still to come
    return tuple(sizes) if sizes and at <= len(body) else None


def _values(body: bytes, starts: NDArray[np.int64], sizes: NDArray[np.int64], type_: str) -> Values:
    if (element := element_of(type_)) is not None:
        return _lists(body, starts, sizes, element)
    return _scalars(body, starts, sizes, type_)


def _scalars(body: bytes, starts: NDArray[np.int64], sizes: NDArray[np.int64], type_: str) -> Plain | Texts:
    wire = ON_THE_WIRE.get(type_)
    if wire is None:
        pairs = zip(starts.tolist(), sizes.tolist(), strict=True)
        return Texts(texts=[None if size < 0 else body[at : at + size].decode() for at, size in pairs])
    width, nulls = np.dtype(wire).itemsize, sizes < 0
    if not (sizes[~nulls] == width).all():
        raise Unreadable(f"a value of type {type_} has not {width} bytes")
    values = np.zeros(len(sizes), np.dtype(wire))
    bytes_at = starts[~nulls, None] + np.arange(width)
    values[~nulls] = np.frombuffer(body, np.uint8)[bytes_at].reshape(-1).view(wire)
    return Plain(nulls=nulls, values=values.astype(values.dtype.newbyteorder("=")))


def _lists(body: bytes, starts: NDArray[np.int64], sizes: NDArray[np.int64], element: str) -> Lists:
    lengths = np.full(len(starts), -1, np.int64)
    elements: list[tuple[int, int]] = []  # where the elements of each array begin and end
    has_nulls = False
    for row, (at, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True)):
        if size < 0:
            continue
        dimensions, nulls, _ = _HEAD.unpack_from(body, at)
        if dimensions > 1:
            raise Unreadable(f"an array of {element} has {dimensions} dimensions")
        lengths[row] = _INT(body, at + _HEAD.size)[0] if dimensions else 0
        has_nulls |= bool(nulls)
        if dimensions:
            elements.append((at + _ONE_DIMENSION, at + size))
    joined = b"".join(body[at:end] for at, end in elements)
    wire = ON_THE_WIRE.get(element)
    if wire is not None and not has_nulls:
        width = np.dtype(wire).itemsize
        pairs = np.frombuffer(joined, np.dtype([("size", ">i4"), ("value", wire)]))
        if not (pairs["size"] == width).all():
            raise Unreadable(f"an element of type {element} has not {width} bytes")
        values = pairs["value"].astype(np.dtype(wire).newbyteorder("="))
        return Lists(lengths=lengths, elements=Plain(nulls=np.zeros(len(values), np.bool_), values=values))
    return Lists(lengths=lengths, elements=_scalars(joined, *_elements(joined), element))


def _elements(joined: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    starts, sizes, at = [], [], 0
    while at < len(joined):
        size = _INT(joined, at)[0]
        at += 4
        starts.append(at)
        sizes.append(size)
        at += max(size, 0)
    return np.array(starts, np.int64), np.array(sizes, np.int64)

"""Reads PostgreSQL's binary COPY column by column, also with nulls, texts and arrays, a batch of rows at a time.

Rows vary in length, so where each field begins is found one by one; their values are taken together, by numpy. What has
no fixed width or no text of its own on the wire is asked for as text (`expression`), so that no type is left out.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from consumer.postgres.copy_binary import HEADER, TRAILER

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
_END_OF_TEXT = b"\0"


class Unreadable(Exception):
    """A row holds what has no place in a column; the text says which."""


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Values of one width; what stands where *nulls* is true means nothing."""

    nulls: NDArray[np.bool_]
    values: NDArray[np.generic]


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Texts, each but the last with a NUL after it, which no text of PostgreSQL has; nothing where *nulls* is true."""

    nulls: NDArray[np.bool_]
    joined: bytes


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
    """What a query selects, so that `take_columns` can read it."""
    element = element_of(type_)
    if (element or type_) in ON_THE_WIRE or (element or type_) == "text":
        return f'"{name}"'
    return f'"{name}"::text{_ARRAY if element else ""}'


async def copied(connection: Connection, query: str, *arguments: object) -> deque[bytes]:
    """Return the rows of *query* as they come, in pieces, for `take_columns`: nothing here holds the server up."""
    pieces: deque[bytes] = deque()

    async def keep(piece: bytes) -> None:
        pieces.append(bytes(piece))

    await connection.copy_from_query(query, *arguments, output=keep, format="binary")
    return pieces


def take_columns(pieces: deque[bytes], types: Sequence[str], take: Callable[[list[Values]], None]) -> None:
    """Give *take* the rows of *pieces* in batches of a few megabytes, a value a column; empties *pieces*.

    Asks nothing of the connection, so that another thread may do it. Raises Unreadable.
    """
    rest, begun = b"", False
    while pieces:
        body = _next_batch(rest, pieces)
        if not begun and len(body) >= len(HEADER):
            body, begun = body[len(HEADER) :], True
        starts, sizes, end = _fields(body, len(types)) if begun else _no_fields(len(types), 0)
        if len(starts):
            take([_values(body, starts[:, n], sizes[:, n], one) for n, one in enumerate(types)])
        rest = body[end:]
    if rest != TRAILER:
        raise Unreadable("the copy ended in the middle of a row")


def _next_batch(rest: bytes, pieces: deque[bytes]) -> bytes:
    batch, held = [rest], 0
    while pieces and held < BATCH_BYTES:
        batch.append(pieces.popleft())  # so that what is decoded is not held twice
        held += len(batch[-1])
    return b"".join(batch)


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
        return _no_fields(columns, at)
    starts = np.array([one.starts for one in every])[numbers] + np.array(rows)[:, None]
    return starts, np.array([one.expected[1:] for one in every])[numbers], at


def _no_fields(columns: int, at: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    return np.empty((0, columns), np.int64), np.empty((0, columns), np.int64), at


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
    wire, nulls = ON_THE_WIRE.get(type_), sizes < 0
    if wire is None:
        return Texts(nulls=nulls, joined=_END_OF_TEXT.join(_cut(body, starts, sizes)))
    width = np.dtype(wire).itemsize
    if (sizes[~nulls] != width).any():
        raise Unreadable(f"a value of type {type_} has not {width} bytes")
    values = np.zeros(len(sizes), np.dtype(wire).newbyteorder("="))
    if not nulls.all():
        # Every place of the body taken for the beginning of a value: an index a value, and not one a byte of it.
        anywhere = np.ndarray((len(body) - width + 1,), wire, buffer=body, strides=(1,))
        values[~nulls] = anywhere[starts[~nulls]]
    return Plain(nulls=nulls, values=values)


def _cut(body: bytes, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> list[bytes]:
    ends = starts + np.maximum(sizes, 0)
    return [body[at:end] for at, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def _lists(body: bytes, starts: NDArray[np.int64], sizes: NDArray[np.int64], element: str) -> Lists:
    there = sizes >= 0
    whole = _cut(body, starts[there], sizes[there])
    alike = _alike(b"".join(whole), sizes[there], element)
    found, elements = _one_by_one(whole, element) if alike is None else alike
    lengths = np.full(len(starts), -1, np.int64)
    lengths[there] = found
    return Lists(lengths=lengths, elements=elements)


def _alike(joined: bytes, sizes: NDArray[np.int64], element: str) -> tuple[NDArray[np.int64], Plain] | None:
    """The lengths and elements of arrays that are all of one length and without nulls, as those of slots; or None."""
    wire = ON_THE_WIRE.get(element)
    if wire is None or not len(sizes) or not (sizes == sizes[0]).all():
        return None
    one = np.dtype([("size", ">i4"), ("value", wire)])
    length = (int(sizes[0]) - _ONE_DIMENSION) // one.itemsize
    if length < 1 or _ONE_DIMENSION + length * one.itemsize != sizes[0]:
        return None
    arrays = np.frombuffer(joined, [("head", ">i4", 5), ("elements", one, length)])
    dimensions, nulls, _, lengths, _ = arrays["head"].T
    values = arrays["elements"]
    if (dimensions != 1).any() or nulls.any() or (lengths != length).any():
        return None
    if (values["size"] != np.dtype(wire).itemsize).any():
        return None
    native = values["value"].astype(np.dtype(wire).newbyteorder("=")).reshape(-1)
    return lengths.astype(np.int64), Plain(nulls=np.zeros(len(native), np.bool_), values=native)


def _one_by_one(whole: list[bytes], element: str) -> tuple[list[int], Plain | Texts]:
    lengths = []
    for array in whole:
        dimensions, _, _ = _HEAD.unpack_from(array)
        if dimensions > 1:
            raise Unreadable(f"an array of {element} has {dimensions} dimensions")
        lengths.append(_INT(array, _HEAD.size)[0] if dimensions else 0)
    joined = b"".join(array[_ONE_DIMENSION:] for array in whole)  # an empty one ends before
    return lengths, _scalars(joined, *_elements(joined), element)


def _elements(joined: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    starts, sizes, at = [], [], 0
    while at < len(joined):
        size = _INT(joined, at)[0]
        at += 4
        starts.append(at)
        sizes.append(size)
        at += max(size, 0)
    return np.array(starts, np.int64), np.array(sizes, np.int64)

"""Makes polars frames of what PostgreSQL gave, with the declared types, and tells their content by a digest.

Imported only where polars is installed.  No value is changed on the way: what Parquet has no like of (infinite days and
instants) is refused, and not written as something else.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from consumer.postgres.copy_columns import Lists, Plain, Texts, Unreadable, element_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from consumer.postgres.copy_columns import Values

_TYPES: dict[str, Any] = {
    "boolean": pl.Boolean(),
    "smallint": pl.Int16(),
    "integer": pl.Int32(),
    "bigint": pl.Int64(),
    "real": pl.Float32(),
    "double precision": pl.Float64(),
    "date": pl.Date(),
    "timestamp with time zone": pl.Datetime("us", "UTC"),
}
#: PostgreSQL counts from 2000, polars from 1970.
_SINCE_1970 = {"date": 10_957, "timestamp with time zone": 946_684_800_000_000}


def schema(types: Mapping[str, str]) -> dict[str, Any]:
    """polars' type of each column; what has none of its own is text."""
    return {name: _polars_type(one) for name, one in types.items()}


def _polars_type(type_: str) -> Any:
    element = element_of(type_)
    return _TYPES.get(type_, pl.String()) if element is None else pl.List(_polars_type(element))


class Rows:
    """Collects the batches of one read into a frame."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = types
        self._batches = [pl.DataFrame(schema=schema(types))]

    def take(self, batch: Sequence[Values]) -> None:
        """Add a batch, a value a column. Raises Unreadable."""
        named = zip(self._types.items(), batch, strict=True)
        self._batches.append(pl.DataFrame([_series(name, type_, values) for (name, type_), values in named]))

    def frame(self) -> pl.DataFrame:
        return pl.concat(self._batches, rechunk=True)


def _series(name: str, type_: str, values: Values) -> pl.Series:
    match values:
        case Lists():
            element = element_of(type_)
            assert element is not None, "only arrays are read as lists"
            return _list_series(name, _series(name, element, values.elements), values.lengths)
        case Texts():
            return _text_series(name, values)
        case Plain():
            return _plain_series(name, type_, values)


def _plain_series(name: str, type_: str, plain: Plain) -> pl.Series:
    values: Any = plain.values
    if (since := _SINCE_1970.get(type_)) is not None:
        limits = np.iinfo(values.dtype)
        there = values[~plain.nulls]
        if ((there == limits.min) | (there > limits.max - since)).any():
            raise Unreadable(f"{name} holds an infinite {type_}, which Parquet has no value for")
        values = np.where(plain.nulls, values.dtype.type(0), values) + values.dtype.type(since)
    return _with_nulls(pl.Series(name, values).cast(_TYPES[type_]), plain.nulls)


def _text_series(name: str, texts: Texts) -> pl.Series:
    if not len(texts.nulls):
        return pl.Series(name, [], pl.String())
    split = pl.Series(name, [texts.joined.decode()]).str.split("\0").explode()
    return _with_nulls(split, texts.nulls)


def _with_nulls(series: pl.Series, nulls: NDArray[np.bool_]) -> pl.Series:
    if not nulls.any():
        return series
    none = pl.Series(series.name, [None], dtype=series.dtype)
    return series.zip_with(pl.Series(~nulls), none.new_from_index(0, len(series)))


def _list_series(name: str, elements: pl.Series, lengths: NDArray[np.int64]) -> pl.Series:
    """Lists of one length, as those of slots, stand as they are; others are grouped, which costs more."""
    there = lengths >= 0
    found = np.unique(lengths[there])
    if len(found) > 1 or 0 in found:
        return _lists_of_many_lengths(name, elements, lengths)
    if not len(found):
        return pl.Series(name, [None], dtype=pl.List(elements.dtype)).new_from_index(0, len(lengths))
    lists = elements.reshape((-1, int(found[0]))).arr.to_list().alias(name)
    if there.all():
        return lists
    places = _with_nulls(pl.Series(np.cumsum(there) - 1).clip(0), ~there)
    return pl.DataFrame(lists).select(pl.col(name).gather(pl.lit(places))).to_series()


def _lists_of_many_lengths(name: str, elements: pl.Series, lengths: NDArray[np.int64]) -> pl.Series:
    rows = pl.DataFrame({"row": np.arange(len(lengths)), "length": lengths})
    of_row = pl.Series("row", np.repeat(np.arange(len(lengths)), np.maximum(lengths, 0)))
    lists = pl.DataFrame([of_row.set_sorted(), elements.alias("list")]).group_by("row", maintain_order=True).agg("list")
    empty = pl.lit([], dtype=pl.List(elements.dtype))
    joined = rows.join(lists, on="row", how="left", maintain_order="left")
    none = pl.lit(None, dtype=pl.List(elements.dtype))
    value = pl.when(pl.col("length") < 0).then(none).when(pl.col("length") == 0).then(empty).otherwise(pl.col("list"))
    return joined.select(value.alias(name)).to_series()


def digest(frame: pl.DataFrame) -> str:
    """SHA-256 over the columns in their order: bit for bit, and whichever program has read them.

    Of a column of one width: a byte a value, 1 where it is null, then the values, little-endian, zero where null (days
    and microseconds since 1970). Of texts: the lengths in bytes as int32, -1 where null, then the UTF-8 bytes. Of
    lists: the lengths as int32, -1 where null, then the elements of all of them as a column of their own.
    """
    sum_ = hashlib.sha256()
    for series in frame:
        for part in _bytes_of(series):
            sum_.update(part)
    return sum_.hexdigest()


def _bytes_of(series: pl.Series) -> Iterator[bytes | memoryview]:
    if isinstance(series.dtype, pl.List):
        yield series.list.len().cast(pl.Int32).fill_null(-1).to_numpy().astype("<i4").tobytes()
        yield from _bytes_of(series.filter(series.list.len() > 0).explode())
    elif series.dtype == pl.String:
        yield series.str.len_bytes().cast(pl.Int32).fill_null(-1).to_numpy().astype("<i4").tobytes()
        yield str(series.str.join().item() or "").encode()
    else:
        physical = series.to_physical()
        if series.null_count():
            yield series.is_null().to_numpy().astype(np.uint8).tobytes()
            physical = physical.fill_null(False if physical.dtype == pl.Boolean else 0)
        else:
            yield bytes(len(series))
        values = physical.to_numpy()
        yield np.ascontiguousarray(values, values.dtype.newbyteorder("<")).data  # not copied: it is most of it

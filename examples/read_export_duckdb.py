"""Reads what `maintenance export` has written with DuckDB, and checks it: every row, of every file.

    python examples/read_export_duckdb.py DIR [SYMBOL]

Each file says of what it is under the key `maintenance` of its metadata, with a SHA-256 of its rows that anybody can
compute again (docs/export.md). Exits 1 where a file holds others. Needs duckdb and numpy, nothing of ours.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How a value of a type of one width becomes the number that is hashed; other types are numbers already.
NUMBER = {
    "BOOLEAN": ("coalesce({0}, false)", "u1"),
    "SMALLINT": ("coalesce({0}, 0)", "<i2"),
    "INTEGER": ("coalesce({0}, 0)", "<i4"),
    "BIGINT": ("coalesce({0}, 0)", "<i8"),
    "FLOAT": ("coalesce({0}, 0)", "<f4"),
    "DOUBLE": ("coalesce({0}, 0)", "<f8"),
    "DATE": ("coalesce({0} - DATE '1970-01-01', 0)", "<i4"),
    "TIMESTAMP WITH TIME ZONE": ("coalesce(epoch_us({0}), 0)", "<i8"),
}


def column(connection: Any, query: str, dtype: str) -> bytes:
    """The one column of *query*, as bytes."""
    values = connection.execute(query).fetchnumpy().popitem()[1]
    return np.ma.getdata(values).astype(dtype).tobytes()


def bytes_of(connection: Any, rows: str, name: str, type_: str) -> Iterator[bytes]:
    """The bytes of the column *name* of *rows*, as docs/export.md says."""
    if type_.endswith("[]"):
        yield column(connection, f"SELECT coalesce(len({name}), -1) AS n FROM {rows}", "<i4")
        yield from bytes_of(connection, f"(SELECT unnest({name}) AS element FROM {rows})", "element", type_[:-2])
    elif type_ == "VARCHAR":
        yield column(connection, f"SELECT coalesce(strlen({name}), -1) AS n FROM {rows}", "<i4")
        texts = connection.execute(f"SELECT {name} FROM {rows} WHERE {name} IS NOT NULL").fetchall()
        yield "".join(text for (text,) in texts).encode()
    else:
        number, dtype = NUMBER[type_]
        yield column(connection, f"SELECT {name} IS NULL AS n FROM {rows}", "u1")
        yield column(connection, f"SELECT {number.format(name)} AS n FROM {rows}", dtype)


def said_by(connection: Any, file: Path) -> dict[str, Any]:
    """What *file* says of itself."""
    (text,) = connection.execute(
        f"SELECT decode(value) FROM parquet_kv_metadata('{file}') WHERE decode(key) = 'maintenance'"
    ).fetchone()
    return dict(json.loads(text))


def is_as_it_says(connection: Any, file: Path) -> bool:
    """Whether the rows of *file* are those that it says."""
    about, rows = said_by(connection, file), f"read_parquet('{file}', hive_partitioning = false)"
    columns = connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {rows})").fetchall()
    digest = hashlib.sha256()
    for name, type_ in columns:
        for part in bytes_of(connection, rows, f'"{name}"', type_):
            digest.update(part)
    count = connection.execute(f"SELECT count(*) FROM {rows}").fetchone()[0]
    return bool((count, digest.hexdigest()) == (about["rows"], about["sha256"]))


def show(connection: Any, folder: Path, symbol: str) -> None:
    """What a reader may want: how sound each session is, a symbol's bars, and its volume at the open."""
    for file in sorted(folder.glob("daily_bars/*/part.parquet")):
        about = said_by(connection, file)
        print(about["trading_day"], about["state"], f"{about['rows']:,} bars")
    bars = f"read_parquet('{folder}/daily_bars/*/*.parquet', hive_partitioning = true)"
    query = f"SELECT trading_date, close, volume FROM {bars} WHERE symbol = ? ORDER BY trading_date"
    print(*connection.execute(query, [symbol]).fetchall(), sep="\n")
    slots = f"read_parquet('{folder}/volume_slots/*/*.parquet', hive_partitioning = true)"
    # SQL counts from 1: slot 66 begins at 09:30.
    query = f"SELECT trading_date, outcome, volumes[67] FROM {slots} WHERE symbol = ? ORDER BY trading_date"
    print(*connection.execute(query, [symbol]).fetchall(), sep="\n")


def main() -> int:
    folder, symbol = Path(sys.argv[1]), (sys.argv[2:] or ["AAPL"])[0]
    with duckdb.connect() as connection:
        show(connection, folder, symbol)
        files = sorted(folder.rglob("*.parquet"))
        wrong = [file for file in files if not is_as_it_says(connection, file)]
    for file in wrong:
        print(f"{file} holds other rows than it says")
    print(f"{len(files) - len(wrong)} of {len(files)} files hold what they say")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main())

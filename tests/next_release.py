"""Makes of the packages a synthetic next release: the same program, with a change to the tables in two halves."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from consumer.postgres import packaged
from consumer.postgres.packaged import Migration

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

PACKAGES = ("market", "contract", "process", "producers", "simulated_market", "consumer")
NEXT = packaged.version() + 1
#: Every table whose rows are read into something of the program's.
TABLES = (
    "cycle",
    "part",
    "coverage",
    "data_load",
    "daily_bar",
    "session_slots",
    "listed_ticker",
    "listed_ticker_history",
    "ticker_profile",
    "ticker_profile_history",
    "ticker_atr",
    "ticker_change",
    "stock_split",
    "set_aside",
    "restatement",
    "session_condition",
    "session_finding",
    "dead_letter",
    "dead_letter_cause",
    "vendor_capability",
    "data_source",
    "schema_version",
)
BEFORE = Migration(
    name=f"{NEXT:04}_next.before.sql",
    sql="\n".join(f"ALTER TABLE {table} ADD COLUMN of_next text;" for table in TABLES),
)
AFTER = Migration(
    name=f"{NEXT:04}_next.after.sql",
    # In the place of a column that only older programs read: this next release is the same program.
    sql=f"-- Serves programs from {NEXT} on.\nALTER TABLE vendor_capability DROP COLUMN of_next;",
)


@contextlib.contextmanager
def next_release(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be the program of the next release until the block ends."""
    ours = packaged.migrations()
    with monkeypatch.context() as patched:
        patched.setattr(packaged, "migrations", lambda: [*ours, BEFORE, AFTER])
        yield


def copy_next_release(into: Path, *, after: bool = False) -> Path:
    """Return a folder that is the root of the next release's packages; without the half *after*, unless asked for."""
    root = Path(__file__).parents[1]
    for package in PACKAGES:
        shutil.copytree(root / package, into / package, ignore=shutil.ignore_patterns("__pycache__"))
    for migration in (BEFORE, AFTER) if after else (BEFORE,):
        (into / "consumer" / "postgres" / "migrations" / migration.name).write_text(migration.sql, "utf-8")
    return into

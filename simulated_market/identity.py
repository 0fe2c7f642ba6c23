"""Says which market this is, so that nobody takes its data for the vendor's.

Every answer carries the mark in a header; `/_simulator/identity` gives the same with the name for people. A replayed
folder is known by the names and sizes of the files that are served from it, wherever it lies.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from market.data_source import replay_source, simulated_source
from simulated_market.replayed.flat_file import days_on_file
from simulated_market.replayed.reference_files import REFERENCE_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from market.data_source import DataSource
    from simulated_market.options import SimulatorOptions

SOURCE_HEADER = "X-Simulated-Market"
IDENTITY_PATH = "/_simulator/identity"
_DIGEST_BYTES = 16


def source_of(options: SimulatorOptions) -> DataSource:
    """The source that a market with *options* is."""
    if options.replay is not None:
        return source_of_folder(options.replay)
    return simulated_source(seed=options.seed, tickers=options.tickers, dividends=options.dividends)


def source_of_folder(folder: Path) -> DataSource:
    """The source that a replay of *folder* is."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for name, size in sorted(_served_files(folder)):
        digest.update(f"{name}\0{size}\n".encode())
    return replay_source(digest=digest.hexdigest(), name=folder.resolve().name)


def _served_files(folder: Path) -> Iterator[tuple[str, int]]:
    for data_set in ("day_aggs_v1", "minute_aggs_v1"):
        for day, path in days_on_file(folder, data_set):
            yield f"{data_set}/{day}", path.stat().st_size
    for name in REFERENCE_FILES:
        if (path := folder / name).is_file():
            yield name, path.stat().st_size

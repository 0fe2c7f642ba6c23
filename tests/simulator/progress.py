"""Keeps what came of a long range of seeds in a file, so that it goes on where it was interrupted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from tests.simulator.demands import SHARES, demanded_from

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.simulator.ground import Outcome


class OtherRange(Exception):
    """The file is about other seeds; the text says which."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A seed that failed, and how."""

    seed: int
    violation: str


class Progress(msgspec.Struct, kw_only=True):
    """The seeds *first* … *first + seeds - 1* on one server, of which *played* have been played."""

    server: str
    first: int
    seeds: int
    version: str = ""
    played: int = 0
    took_s: float = 0.0
    figures: dict[str, int] = {}
    failed: list[Failure] = []

    @property
    def left(self) -> range:
        return range(self.first + self.played, self.first + self.seeds)

    def add(self, outcome: Outcome, *, took_s: float) -> None:
        self.played += 1
        self.took_s += took_s
        self.figures = dict(Counter(self.figures) + outcome.figures)
        if outcome.violation is not None:
            self.failed.append(Failure(seed=outcome.seed, violation=outcome.violation))

    def never(self) -> list[str]:
        """The faults and ways that so many seeds had to come to and did not."""
        return [what for what in SHARES if not self.figures.get(what) and self.played >= demanded_from(what)]

    def not_yet(self) -> list[str]:
        """Those that so many seeds may well miss, with the number from which on they are demanded."""
        lacking = [what for what in SHARES if not self.figures.get(what) and self.played < demanded_from(what)]
        return [f"{what} (demanded of {demanded_from(what)})" for what in lacking]

    @property
    def is_good(self) -> bool:
        return not self.failed and not self.never()

    def text(self) -> str:
        """What was played, what was reached how often, and what never."""
        figures = sorted((what, count) for what, count in self.figures.items() if what != "seeds")
        lines = [
            f"{self.version or self.server}: {self.played} of {self.seeds} seeds from {self.first} on, "
            f"{len(self.failed)} failed, {self.took_s:.1f} s",
            "  " + ", ".join(f"{count} {what}" for what, count in figures),
            f"  never, and it is time: {', '.join(self.never()) or 'nothing'}",
            f"  not yet: {', '.join(self.not_yet()) or 'nothing'}",
        ]
        if self.failed:
            lines.append(f"  failed: {', '.join(str(one.seed) for one in self.failed[:50])}")
        return "\n".join(lines)


def resume(path: Path | None, *, server: str, first: int, seeds: int) -> Progress:
    """Return how far these seeds have come. Raises OtherRange when *path* is about others."""
    if path is None or not path.exists():
        return Progress(server=server, first=first, seeds=seeds)
    known = msgspec.json.decode(path.read_bytes(), type=Progress)
    if (known.server, known.first) != (server, first) or known.seeds > seeds:
        raise OtherRange(f"{path} is about {known.seeds} seeds from {known.first} on, on {known.server}")
    known.seeds = seeds
    return known


def keep(path: Path | None, progress: Progress) -> None:
    """Write it down; a reader finds the old state or the new one."""
    if path is not None:
        beside = path.with_suffix(path.suffix + ".new")
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(progress)))
        beside.replace(path)


def sum_of(paths: Iterable[Path]) -> tuple[str, bool]:
    """The figures of several files together, server by server; and whether all of them is good."""
    known = [msgspec.json.decode(path.read_bytes(), type=Progress) for path in paths]
    texts = [one.text() for one in sorted(known, key=lambda one: (one.server, one.first))]
    total = Progress(server="together", first=min(one.first for one in known), seeds=sum(one.seeds for one in known))
    for one in known:
        total.played += one.played
        total.took_s += one.took_s
        total.figures = dict(Counter(total.figures) + Counter(one.figures))
        total.failed += one.failed
    return "\n".join([*texts, total.text()]), total.is_good

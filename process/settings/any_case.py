"""Reads the names of variables in any case, as the service that this one replaces did and container files write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """The environment with the names that are ours in capitals, and where two spellings of one differ."""

    environment: dict[str, str]
    problems: list[str]


def in_any_case(environment: Mapping[str, str], is_ours: Callable[[str], bool]) -> Folded:
    """Return *environment* with each name for which *is_ours* holds in capitals; blank values give way."""
    folded: dict[str, str] = {}
    first: dict[str, str] = {}
    problems = []
    for name, value in environment.items():
        capital = name.upper()
        if not is_ours(capital):
            folded[name] = value
            continue
        known = folded.get(capital, "").strip()
        if not known or not value.strip():
            folded[capital], first[capital] = (value, name) if not known else (folded[capital], first[capital])
        elif known != value.strip():
            problems.append(f"{first[capital]} and {name} are both set, and differ: leave one of them out")
    return Folded(environment=folded, problems=problems)

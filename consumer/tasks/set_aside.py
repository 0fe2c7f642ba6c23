"""Says what an answer lost on its way: how many rows and values were set aside, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.vendor.rows import Flaw

if TYPE_CHECKING:
    from collections.abc import Mapping


def rejected_warnings(what: str, rejected: Mapping[str, int]) -> tuple[str, ...]:
    """Say how many rows and values were set aside and why; nothing when there were none."""
    rejected = {flaw: count for flaw, count in rejected.items() if flaw != Flaw.TEST_ISSUE}  # they come every day
    if not rejected:
        return ()
    return (f"{what}: " + ", ".join(_told(reason, count) for reason, count in sorted(rejected.items())),)


def _told(reason: str, count: int) -> str:
    if reason.startswith("field "):
        return f"{count} values of {reason.removeprefix('field ')} left out"
    return f"{count} rows set aside ({reason})"

"""Takes from the settings, or from what the tasks were given of them, what a session is measured by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.options import task_options
from consumer.settings import brings_slot_files
from consumer.verdict.ruler import Expectations

if TYPE_CHECKING:
    from consumer.settings import Settings
    from consumer.tasks.terms import TaskOptions
    from market.schedule import Schedule


def expectations_of(options: TaskOptions, schedule: Schedule, *, slot_files: bool) -> Expectations:
    """Return what a verdict needs; *slot_files*: flat files are configured."""
    return Expectations(
        schedule=schedule,
        ohlc_sessions=options.ohlc_sessions,
        slot_sessions=options.slot_sessions,
        restate_sessions=options.restate_sessions,
        details_refresh_days=options.details_refresh_days,
        deadline=options.deadline,
        requests_per_second=options.requests_per_second,
        slot_files=slot_files,
    )


def expectations_set(settings: Settings, schedule: Schedule) -> Expectations:
    """Return what the operator has settled."""
    return expectations_of(task_options(settings), schedule, slot_files=brings_slot_files(settings))

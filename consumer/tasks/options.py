"""Takes from the settings what the tasks need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.massive.flat_file_store import open_store
from consumer.tasks.part import TaskOptions

if TYPE_CHECKING:
    from consumer.massive.flat_file_store import FlatFileStore
    from consumer.settings import Settings


def part_batch(settings: Settings) -> int:
    """Symbols a part: as many as the budget lets through in about a minute, so that a crash repeats little."""
    if settings.requests_per_minute is None:
        return 100
    return max(5, min(100, settings.requests_per_minute))


def task_options(settings: Settings) -> TaskOptions:
    """Return what of the settings the tasks need."""
    return TaskOptions(
        ohlc_sessions=settings.ohlc_sessions,
        slot_sessions=settings.slot_sessions,
        restate_sessions=settings.restate_sessions,
        details_refresh_days=settings.details_refresh_days,
        batch=part_batch(settings),
        requests_at_once=max(1, settings.requests_in_flight // settings.parts_at_once),
    )


def flat_file_store(settings: Settings) -> FlatFileStore | None:
    """Return where the vendor's flat files are, None where they are not used. Raises FlatFilesNotInstalled."""
    if settings.flat_files is None:
        return None
    return open_store(
        settings.flat_files, kept_in=settings.data_dir / "flat-files", access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key, endpoint=settings.s3_endpoint,
    )  # fmt: skip

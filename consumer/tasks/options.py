"""Takes from the settings what the tasks need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from consumer.massive.flat_file_bucket import open_store
from consumer.tasks.part import TaskOptions
from consumer.tasks.passes import PASS_LASTS
from market.data_source import SourceKind
from producers.simulated_market.identity import source_of_folder

if TYPE_CHECKING:
    from consumer.massive.flat_file_store import FlatFileStore
    from consumer.settings import Settings
    from market.data_source import DataSource


def part_batch(settings: Settings) -> int:
    """Symbols a part: as many as the budget lets through in about a minute, so that a crash repeats little."""
    if settings.requests_per_minute is None:
        return 100
    return max(5, min(100, settings.requests_per_minute))


def requests_per_second(settings: Settings) -> float | None:
    """The budget as a rate; None where there is no limit."""
    per_minute = None if settings.requests_per_minute is None else settings.requests_per_minute / 60
    limits = [limit for limit in (settings.requests_per_second, per_minute) if limit is not None]
    return min(limits, default=None)


def task_options(settings: Settings) -> TaskOptions:
    """Return what of the settings the tasks need."""
    rate = requests_per_second(settings)
    return TaskOptions(
        ohlc_sessions=settings.ohlc_sessions,
        slot_sessions=settings.slot_sessions,
        restate_sessions=settings.restate_sessions,
        details_refresh_days=settings.details_refresh_days,
        batch=part_batch(settings),
        requests_at_once=max(1, settings.requests_in_flight // settings.parts_at_once),
        requests_per_second=rate,
        requests_a_pass=None if rate is None else max(100, int(rate * PASS_LASTS.total_seconds())),
        deadline=settings.deadline,
    )


def flat_file_store(settings: Settings, source: DataSource) -> FlatFileStore | None:
    """Return where the flat files of *source* are, None where there are none. Raises FlatFilesNotInstalled."""
    if settings.flat_files is None:
        return None
    if not _are_of(settings.flat_files, source):
        logger.warning("flat_files_not_used", flat_files=settings.flat_files, reason=f"not those of {source.words}")
        return None
    return open_store(
        settings.flat_files, kept_in=settings.data_dir / "flat-files", access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key, endpoint=settings.s3_endpoint,
    )  # fmt: skip


def _are_of(flat_files: str, source: DataSource) -> bool:
    """Flat files are the vendor's; a replay may read those of its own folder, and a simulated market has none."""
    if source.kind is SourceKind.REPLAY and not flat_files.startswith("s3://"):
        return source_of_folder(Path(flat_files)).is_same(source)
    return source.kind is SourceKind.VENDOR

"""`maintenance export`: writes sessions as Parquet files to a folder or a bucket, once or for as long as it is left to.

It only reads. What needs polars is imported here, when it is asked for.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from consumer.export.bucket import SCHEME, bucket_at
from consumer.export.exportable import Exportable, UnknownDataSet, wanted
from consumer.export.folder import Folder
from consumer.export.outcome import LACKS, Exported, Outcome
from consumer.export.place import Place, PlaceAway, PlaceError, PlaceUnmeant
from consumer.postgres.source_stamp import read_stamp
from consumer.runtime import stop_signals, utc_now
from consumer.settings import build_calendar
from consumer.terminal.answers import write_json
from consumer.terminal.export_request import ExportRequest
from consumer.terminal.reach import Reached, looking, reached
from consumer.terminal.refused import CommandRefused, unreachable, usage
from consumer.verdict.options import expectations_set
from market.calendar_errors import CalendarError
from market.data_source import VENDOR
from market.schedule import Schedule
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Iterator

    from consumer.export.exporter import Exporter
    from consumer.settings import Settings
    from market.trading_calendar import TradingCalendar


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, once it was found to make sense."""

    request: ExportRequest
    sets: tuple[Exportable, ...]
    schedule: Schedule
    place: Place

    def days(self) -> tuple[dt.date, ...]:
        """The sessions that are over by now."""
        completed = self.schedule.calendar.last_completed(utc_now())
        last = min(completed, self.request.last or completed)
        return self.schedule.calendar.trading_days(self.request.first, last) if self.request.first <= last else ()


async def run(settings: Settings, request: ExportRequest) -> int:
    """Export, and say what became of each file; 3 when something lacks. Raises CommandRefused."""
    asked = _asked(settings, request)
    with _in_words():
        await asked.place.open(one.folder for one in asked.sets)
        try:
            async with (reached if request.follow else looking)(settings) as service:
                exporter = await _exporter(settings, asked, service)
                return await (_follow if request.follow else _once)(asked, exporter, service)
        finally:
            await asked.place.close()


def _asked(settings: Settings, request: ExportRequest) -> Asked:
    try:
        importlib.import_module("polars")
    except ModuleNotFoundError as error:
        text = "Parquet files need polars: pip install 'data-maintenance[export]'"
        raise CommandRefused(text, ExitCode.FAILED) from error
    try:
        sets = wanted(request.names)
        schedule = Schedule(build_calendar(settings), settings.rules)
        if (refusal := _refusal(request, schedule.calendar)) is not None:
            raise usage(refusal)
    except (UnknownDataSet, CalendarError) as error:
        raise usage(error) from error
    with _in_words():
        is_bucket = request.to.startswith(SCHEME)
        place: Place = bucket_at(request.to, settings) if is_bucket else Folder(Path(request.to).absolute())
    return Asked(request=request, sets=sets, schedule=schedule, place=place)


def _refusal(request: ExportRequest, calendar: TradingCalendar) -> str | None:
    """What cannot be meant; a follower may be asked for sessions that are still to come."""
    completed = calendar.last_completed(utc_now())
    last = request.last or max(completed, request.first)
    if request.first > last:
        return f"--from {request.first} is after --to {last}: give the earlier day to --from"
    if last > completed and not request.follow:
        return f"{last} is not over yet: {completed} is the last completed session; or stay for it with --follow"
    if not calendar.trading_days(request.first, last) and request.last is not None:
        return f"no session from {request.first} to {last}: the exchange is closed; name a span with a trading day"
    return None


async def _exporter(settings: Settings, asked: Asked, service: Reached) -> Exporter:
    from consumer.export.exporter import Exporter  # needs polars

    source = await read_stamp(service.pool) or VENDOR
    return Exporter(
        pool=service.pool,
        place=asked.place,
        sets=asked.sets,
        expectations=expectations_set(settings, asked.schedule),
        source=source.mark,
        now=utc_now,
    )


async def _once(asked: Asked, exporter: Exporter, _service: Reached) -> int:
    found = [one async for one in _said(exporter.export(asked.days()), lines=not asked.request.json)]
    if asked.request.json:
        write_json(found)
    counts = {outcome: sum(one.outcome is outcome for one in found) for outcome in Outcome}
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items() if count and outcome != Outcome.NONE)
    sys.stderr.write(f"{asked.place.name}: {told or 'nothing to export'}\n")
    return ExitCode.FINDING if any(one.outcome in LACKS for one in found) else ExitCode.OK


async def _said(files: AsyncIterator[Exported], *, lines: bool) -> AsyncIterator[Exported]:
    """The same, with a line for what was written or lacks as it comes."""
    async for one in files:
        if lines and one.outcome not in (Outcome.UNCHANGED, Outcome.NONE):
            _write(one.words)
        yield one


async def _follow(asked: Asked, exporter: Exporter, service: Reached) -> int:
    from consumer.export.following import Follower  # needs polars

    async with stop_signals() as stop:
        follower = Follower(exporter, service.redis, stop, asked.days)
        sys.stderr.write(f"{asked.place.name}: following; Ctrl-C stops\n")
        async for one in follower.run():
            if one.outcome is not Outcome.NONE:
                _write(msgspec.json.encode(one).decode() if asked.request.json else one.words)
    sys.stderr.write("stopped\n")
    return ExitCode.OK


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except PlaceAway as error:
        raise unreachable(str(error)) from error
    except PlaceUnmeant as error:
        raise usage(error) from error
    except PlaceError as error:
        raise CommandRefused(str(error), ExitCode.FAILED) from error

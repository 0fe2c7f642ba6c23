"""`maintenance adopt`: a person says whose data a database and a Redis hold that do not tell it themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import source_stamp as in_postgres
from consumer.postgres.migrate import SchemaMismatch, migrate
from consumer.postgres.versions import Waiting
from consumer.redis_cache import source_stamp as in_redis
from consumer.runtime import utc_now
from consumer.source.judgement import told_by
from consumer.terminal.answers import AdoptedSource, write_json
from consumer.terminal.cancel import operator
from consumer.terminal.reach import reached
from consumer.terminal.refused import CommandRefused
from market.data_source import VENDOR, DataSource, SourceKind, folder_source, simulated_source
from process.exit_codes import ExitCode
from simulated_market.identity import source_of_folder

if TYPE_CHECKING:
    from consumer.settings import Settings
    from consumer.terminal.reach import Reached


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """What the person says: the kind of source, its size or folder, and whether a stamp may be replaced by it."""

    kind: SourceKind
    tickers: int | None = None
    replay: Path | None = None
    replace: bool = False
    as_json: bool = False


def refusal(adoption: Adoption) -> str | None:
    """Why *adoption* names no source; None where it does."""
    if adoption.kind is SourceKind.REPLAY:
        folder = adoption.replay
        if folder is None or not (folder / "us_stocks_sip").is_dir():
            return "--source replay: name the folder that was replayed with --replay DIR"
    elif adoption.replay is not None:
        return f"--replay goes with --source replay, not with {adoption.kind.value}"
    return None


def source_named(settings: Settings, adoption: Adoption) -> DataSource:
    """The source that the person means."""
    if adoption.replay is not None:
        return source_of_folder(adoption.replay)
    if adoption.kind is SourceKind.SIMULATED:
        tickers = adoption.tickers or settings.simulated_tickers
        return simulated_source(seed=settings.simulated_seed, tickers=tickers)
    return VENDOR if settings.market_data_folder is None else folder_source(settings.market_data_folder)


async def adopt(settings: Settings, adoption: Adoption) -> int:
    """Write the stamps and say what was known before; 3 where another one stands and may not be replaced."""
    source = source_named(settings, adoption)
    try:
        async with reached(settings, any_tables=True) as service:
            return await _adopt(service, source, adoption)
    except (SchemaMismatch, Waiting) as error:
        raise CommandRefused(str(error), ExitCode.FAILED) from error


async def _adopt(service: Reached, source: DataSource, adoption: Adoption) -> int:
    held, mark = await in_postgres.read_stamp(service.pool), await in_redis.read_stamp(service.redis)
    others = [
        f"{server} is stamped {stamp!r}"
        for server, stamp in (("PostgreSQL", held and held.mark), ("Redis", mark))
        if stamp is not None and stamp != source.mark
    ]
    replace = adoption.replace
    if others and not replace:
        text = f"{' and '.join(others)}: to say {source.mark!r} instead, add --replace"
        raise CommandRefused(text, ExitCode.FINDING)
    by_loads = told_by(await in_postgres.read_loads(service.pool))
    await migrate(service.pool)
    await in_postgres.write_stamp(service.pool, source, now=utc_now(), by=operator(), replace=replace)
    await in_redis.write_stamp(service.redis, source.mark, replace=replace)
    before = held.words if held is not None else f"no stamp, by its loads {by_loads.value}"
    if adoption.as_json:
        write_json(AdoptedSource(source=source.words, mark=source.mark, before=before))
    else:
        sys.stdout.write(f"data of {source.words} from now on; before: {before}\n")
    return ExitCode.OK

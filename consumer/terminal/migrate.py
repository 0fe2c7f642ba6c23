"""`maintenance migrate`: brings the tables up to date before a deployment, and with `--finish` after it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from consumer.postgres import packaged
from consumer.postgres.adoption import adoption_at, read_adopted
from consumer.postgres.migrate import SchemaMismatch, finish, migrate, pending
from consumer.postgres.versions import Waiting, read_versions
from consumer.runtime import utc_now
from consumer.settings import build_calendar, schemas_set
from consumer.terminal.answers import Migrated, write_json
from consumer.terminal.reach import reach_postgres
from consumer.terminal.refused import CommandRefused
from consumer.terminal.servers import locate
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.adoption import Adopted
    from consumer.postgres.pool import Pool
    from consumer.settings import Settings


async def bring_up_to_date(settings: Settings, *, finishing: bool, adopting: bool, as_json: bool) -> int:
    """Apply and say what was applied, what is left, and whom the tables serve. Raises CommandRefused."""
    now = utc_now()
    adoption = adoption_at(now, build_calendar(settings)) if adopting else None
    async with await reach_postgres(settings, locate(settings).database_url) as pool:
        try:
            applied = await migrate(pool, prices=settings.reader_prices, adoption=adoption)
            if finishing:
                applied += await finish(pool)
        except (SchemaMismatch, Waiting) as error:
            raise CommandRefused(str(error), ExitCode.FAILED) from error
        just = [one for one in await read_adopted(pool) if one.adopted_at == now] if adopting else []
        found = await _read(settings, pool, list(applied), just)
    if as_json:
        write_json(found)
    else:
        lines = [f"applied {name}" for name in found.applied] + (_adopted(just) if adopting else [])
        sys.stdout.write("\n".join([*lines, *_told(found)]) + "\n")
    return ExitCode.OK


def _adopted(just: Sequence[Adopted]) -> list[str]:
    if not just:
        return ["nothing to adopt: no relation of the earlier service stands where our views do"]
    lines = []
    for one in just:
        taken = f"{one.rows_taken:,} rows taken over as adjusted, {one.rows_refused:,} not"
        rows = taken if one.rows_taken or one.rows_refused else "its contents come with the first night"
        lines.append(f"adopted {one.name}, kept as {one.kept_as}: {rows}")
    return lines


async def _read(settings: Settings, pool: Pool, applied: list[str], just: list[Adopted]) -> Migrated:
    versions = await read_versions(pool, schemas_set(settings))
    assert versions is not None, "just brought up to date"
    return Migrated(
        applied=applied,
        adopted=just,
        version=versions.version,
        oldest_served=versions.oldest_served,
        program=packaged.version(),
        prices=await pool.fetchval("SELECT prices FROM reader_prices"),
        to_be_applied=[one.name for one in await pending(pool)],
    )


def _told(found: Migrated) -> list[str]:
    stands = (
        f"tables of version {found.version}, serving programs from {found.oldest_served} on; "
        f"this program is of version {found.program}"
    )
    prices = found.prices
    left = [f"still to be applied: {name}" for name in found.to_be_applied]
    cure = ["once nobody wants to go back to the release before: `maintenance migrate --finish`"] if left else []
    return [stands, f"market_data_daily and volume_slots show SQL readers {prices} prices", *left, *cure]

"""Says how the tables of a database stand to this program, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import packaged
from consumer.postgres.packaged import Half
from consumer.postgres.schemas import find_former, has_table, schemas_of
from consumer.postgres.versions import Versions, read_versions

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """*made*: whether there are any tables of ours. The rest are names of migrations.

    *newer*: what a newer program has added, and this one does not read. *unfinished*: halves that `maintenance migrate
    --finish` applies. Of the others each one is in the way.
    """

    made: bool
    foreign: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
    versions: Versions | None = None

    @property
    def fits(self) -> bool:
        return self.made and not (self.foreign or self.altered or self.missing)


async def read_schema(pool: Pool) -> Schema:
    """Compare what was applied with what is packaged. Raises one of CONNECTION_ERRORS, or what refuses us."""
    schemas = await schemas_of(pool)
    place = await find_former(pool) or schemas.tables
    if not await has_table(pool, place, "schema_migration"):
        return Schema(made=False)
    rows = await pool.fetch(f'SELECT name, checksum FROM "{place}".schema_migration')
    applied = {row["name"]: row["checksum"] for row in rows}
    ours = {migration.name: migration for migration in packaged.migrations()}
    others = sorted(applied.keys() - ours.keys())
    absent = [one for name, one in ours.items() if name not in applied]
    return Schema(
        made=True,
        foreign=tuple(name for name in others if packaged.number_of(name) <= packaged.version()),
        altered=tuple(sorted(name for name in applied.keys() & ours.keys() if applied[name] != ours[name].checksum)),
        missing=tuple(one.name for one in absent if one.half is Half.BEFORE),
        newer=tuple(name for name in others if packaged.number_of(name) > packaged.version()),
        unfinished=tuple(one.name for one in absent if one.half is Half.AFTER),
        versions=await read_versions(pool, schemas),
    )

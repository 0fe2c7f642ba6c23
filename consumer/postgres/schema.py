"""Says how the tables of a database stand to this program, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.postgres.migrate import migrations
from consumer.postgres.schemas import find_former, has_table, schemas_of

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """*made*: whether there are any tables of ours. The rest are names of migrations."""

    made: bool
    foreign: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        return self.made and not (self.foreign or self.altered or self.missing)


async def read_schema(pool: Pool) -> Schema:
    """Compare what was applied with what is packaged. Raises one of CONNECTION_ERRORS, or what refuses us."""
    place = await find_former(pool) or (await schemas_of(pool)).tables
    if not await has_table(pool, place, "schema_migration"):
        return Schema(made=False)
    rows = await pool.fetch(f'SELECT name, checksum FROM "{place}".schema_migration')
    applied = {row["name"]: row["checksum"] for row in rows}
    ours = {migration.name: migration.checksum for migration in migrations()}
    return Schema(
        made=True,
        foreign=tuple(sorted(applied.keys() - ours.keys())),
        altered=tuple(sorted(name for name in applied.keys() & ours.keys() if applied[name] != ours[name])),
        missing=tuple(sorted(ours.keys() - applied.keys())),
    )

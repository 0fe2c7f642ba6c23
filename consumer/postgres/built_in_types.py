"""Keeps what the catalog says of arrays of built-in types, so that the driver need not ask for it in every session.

For each array type that a session meets the driver sends a query over the whole catalog: ten milliseconds of the
server, several times a session, a tenth of what a small night costs it. The answer is the same in every database: types
below FIRST_OF_OTHERS are PostgreSQL's own, and keep their number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Sequence

    _Connection = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection

FIRST_OF_OTHERS = 16384  # FirstNormalObjectId in the server's access/transam.h
# bool, name, int2, int4, text, int8, float4, float8, timestamp, date, timestamptz, numeric: what our statements take.
ARRAYS = frozenset({1000, 1003, 1005, 1007, 1009, 1016, 1021, 1022, 1115, 1182, 1185, 1231})


class _Asked:
    """Stands for the statement that would have asked: it was no nameless one, which would have cost the caller his."""

    name = "kept"


class KnowsBuiltInTypes(_Connection):
    """A connection that asks for arrays of built-in types once a process."""

    _catalog: ClassVar[Sequence[Any]] = ()

    async def _introspect_types(self, typeoids: Sequence[int], timeout: float | None) -> tuple[Sequence[Any], Any]:
        """What the catalog says of *typeoids*: the driver's question, whose name is private and would be missed."""
        wanted = set(typeoids)
        if not wanted <= ARRAYS:
            return await super()._introspect_types(typeoids, timeout)  # type: ignore[misc,no-any-return]
        if KnowsBuiltInTypes._catalog:
            return KnowsBuiltInTypes._catalog, _Asked
        rows, statement = await super()._introspect_types(sorted(ARRAYS), timeout)  # type: ignore[misc]
        KnowsBuiltInTypes._catalog = rows
        return rows, statement

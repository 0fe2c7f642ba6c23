"""Exports sessions one after another: what a file says already is skipped, what stands otherwise is written anew.

While one session is written the next is read, so of memory it takes two sessions' rows, however long the span is.
Whatever ends it, the same call goes on: a file is in its place whole or not at all, and tells by its stamp that it is
done.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumer.export import parquet
from consumer.export.ahead import one_ahead
from consumer.export.outcome import Exported, Outcome
from consumer.export.place import PlaceRefused
from consumer.export.reading import Unwritten, Wanted, read
from consumer.postgres.copy_columns import Unreadable
from consumer.verdict.reading import judge_sessions

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from consumer.export.described import Described
    from consumer.export.exportable import Exportable
    from consumer.export.place import Place
    from consumer.postgres.pool import Pool
    from consumer.verdict.ruler import Expectations

    Step = Callable[[], Awaitable[list[Exported | Unwritten]]]


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """Writes *sets* to *place*, of the database behind *pool*, which holds the data of *source*."""

    pool: Pool
    place: Place
    sets: tuple[Exportable, ...]
    expectations: Expectations
    source: str
    now: Callable[[], dt.datetime]

    def export(self, days: Sequence[dt.date]) -> AsyncGenerator[Exported]:
        """Export each of *days*, then what describes the present; the files of a session one by one.

        Raises PlaceError, and what a database raises that is away.
        """
        return self._written([*(functools.partial(self._read_session, day) for day in days), *self._present_steps()])

    def session(self, day: dt.date) -> AsyncGenerator[Exported]:
        """Export one session, as of one instant."""
        return self._written([functools.partial(self._read_session, day)])

    def present(self) -> AsyncGenerator[Exported]:
        """Export what describes the present, each table as of one instant."""
        return self._written(self._present_steps())

    def _present_steps(self) -> list[Step]:
        return [functools.partial(self._read_present, one) for one in self.sets if not one.by_session]

    async def _written(self, steps: Sequence[Step]) -> AsyncGenerator[Exported]:
        async with contextlib.aclosing(one_ahead(steps)) as each:
            async for found in each:
                while found:
                    yield await self._settle(found.pop(0))  # taken out, so that what is written is held no longer

    async def _read_session(self, day: dt.date) -> list[Exported | Unwritten]:
        sets = [one for one in self.sets if one.by_session]
        if not sets:
            return []
        known = [await self._known(one, day) for one in sets]
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            now = self.now()
            judged = await judge_sessions(connection, self.expectations, now=now, days=[day])
            verdict = judged.verdicts[day]
            wanted = [
                Wanted(one=one, verdict=verdict, known=before, source=self.source, now=now)
                for one, before in zip(sets, known, strict=True)
            ]
            return [await read(connection, one) for one in wanted]

    async def _read_present(self, one: Exportable) -> list[Exported | Unwritten]:
        known = await self._known(one, None)
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            wanted = Wanted(one=one, verdict=None, known=known, source=self.source, now=self.now())
            return [await read(connection, wanted)]

    async def _settle(self, found: Exported | Unwritten) -> Exported:
        if isinstance(found, Exported):
            return found
        try:
            about, body = await asyncio.to_thread(_encoded, found)
        except Unreadable as error:
            return found.wanted.told(Outcome.UNWRITABLE, why=str(error))
        await self.place.put(found.wanted.one.key(found.wanted.day), body, parquet.check_of(about))
        return found.wanted.told(Outcome.WRITTEN, rows=about.rows, size=len(body))

    async def _known(self, one: Exportable, day: dt.date | None) -> Described | None:
        """What the file that is there says; of another source it is nobody's to replace."""
        key = one.key(day)
        tail = await self.place.tail(key, parquet.LIKELY_FOOTER)
        if tail is not None and (more := parquet.missing_of_footer(tail)):
            tail = await self.place.tail(key, len(tail) + more)
        known = None if tail is None else parquet.described_in(tail)
        if known is not None and known.source != self.source:
            raise PlaceRefused(
                f"{self.place.name} holds an export of {known.source}, and this database holds {self.source}: name "
                "another --to-dir"
            )
        return known


def _encoded(found: Unwritten) -> tuple[Described, bytes]:
    frame, about = found.framed()
    return about, parquet.encode(frame, about)

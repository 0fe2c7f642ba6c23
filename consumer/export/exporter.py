"""Exports sessions one after another: what a file says already is skipped, what stands otherwise is written anew.

Of memory it takes one session's rows, however long the span is.  Whatever ends it, the same call goes on: a file is in
its place whole or not at all, and tells by its stamp that it is done.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumer.export import parquet
from consumer.export.outcome import Exported, Outcome
from consumer.export.place import PlaceRefused
from consumer.export.reading import Unwritten, Wanted, read
from consumer.verdict.reading import judge_sessions

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Callable, Sequence

    from consumer.export.described import Described
    from consumer.export.exportable import Exportable
    from consumer.export.place import Place
    from consumer.postgres.pool import Pool
    from consumer.verdict.ruler import Expectations


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """Writes *sets* to *place*, of the database behind *pool*, which holds the data of *source*."""

    pool: Pool
    place: Place
    sets: tuple[Exportable, ...]
    expectations: Expectations
    source: str
    now: Callable[[], dt.datetime]

    async def export(self, days: Sequence[dt.date]) -> AsyncIterator[Exported]:
        """Export each of *days*, then what describes the present; the files of a session one by one.

        Raises PlaceError, and what a database raises that is away.
        """
        for day in days:
            async for one in self.session(day):
                yield one
        async for one in self.present():
            yield one

    async def session(self, day: dt.date) -> AsyncIterator[Exported]:
        """Export one session, as of one instant."""
        sets = [one for one in self.sets if one.by_session]
        if not sets:
            return
        known = [await self._known(one, day) for one in sets]
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            now = self.now()
            judged = await judge_sessions(connection, self.expectations, now=now, days=[day])
            verdict = judged.verdicts[day]
            wanted = [
                Wanted(one=one, verdict=verdict, known=before, source=self.source, now=now)
                for one, before in zip(sets, known, strict=True)
            ]
            found = [await read(connection, one) for one in wanted]
        for each in found:
            yield await self._settle(each)

    async def present(self) -> AsyncIterator[Exported]:
        """Export what describes the present, each table as of one instant."""
        for one in self.sets:
            if not one.by_session:
                known = await self._known(one, None)
                async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
                    wanted = Wanted(one=one, verdict=None, known=known, source=self.source, now=self.now())
                    found = await read(connection, wanted)
                yield await self._settle(found)

    async def _settle(self, found: Exported | Unwritten) -> Exported:
        if isinstance(found, Exported):
            return found
        body = await asyncio.to_thread(parquet.encode, found.frame, found.about)
        await self.place.put(found.wanted.one.key(found.wanted.day), body, parquet.check_of(found.about))
        return found.wanted.told(Outcome.WRITTEN, rows=found.about.rows, size=len(body))

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

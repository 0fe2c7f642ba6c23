"""Keeps answers that were read from PostgreSQL for as long as what stands is the same, and bounds what reading costs.

An answer is kept under the version of the data sets that it is made from, looked at a few times a second at most, and
no longer than a minute: what no load of theirs tells, such as a row that somebody has changed by hand, is seen then.
Reads have connections of their own, few at a time; who would wait too long is sent away.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from consumer.postgres.symbol_reads import Stands
from consumer.web.known import Known, look

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from consumer.postgres.pool import Connection, Pool
    from market.trading_calendar import TradingCalendar

#: Connections that read at a time; the workers' own are others.
AT_ONCE = 4


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What reading may cost: bytes kept, answers made and waited for at a time, and seconds."""

    most_bytes: int = 64 * 1024 * 1024
    at_once: int = AT_ONCE
    waiting: int = 256
    within_s: float = 5.0
    look_every_s: float = 0.25
    kept_s: float = 60.0


class TooBusy(Exception):
    """More is asked than is answered in time; the text names the cure."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A body of JSON and what it is as of; *status* 404 is a problem document, kept like any other."""

    body: bytes
    stands: Stands | None = None
    status: int = 200
    etag: str = ""


Make: TypeAlias = "Callable[[Connection, Known], Awaitable[Answer]]"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, as *key*; of what the answer is *made_from*; and what makes it, of one statement."""

    key: str
    made_from: tuple[str, ...]
    make: Make


class Counts(msgspec.Struct, kw_only=True):
    """What became of the questions since the process began; *refused*: sent away, or not answered in time."""

    hits: int = 0
    misses: int = 0
    refused: int = 0


class _Kept(msgspec.Struct, frozen=True):
    answer: Answer
    version: str
    until: float


class Reads:
    """Answers from PostgreSQL, each made once for all who ask for it meanwhile."""

    def __init__(
        self,
        pool: Pool,
        calendar: TradingCalendar,
        bounds: Bounds | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = Counts()
        self.kept_bytes = 0
        self._pool = pool
        self._bounds = bounds or Bounds()
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._making: dict[tuple[str, str], asyncio.Task[Answer]] = {}
        self._known = Known(calendar=calendar)
        self._looking: asyncio.Task[Known] | None = None
        self._looked_at = float("-inf")
        self._gate = asyncio.Semaphore(self._bounds.at_once)

    async def answer(self, question: Question) -> Answer:
        """Return the kept answer, or make it. Raises TooBusy."""
        try:
            async with asyncio.timeout(self._bounds.within_s):
                known = await self._what_stands()
                version = known.version(question.made_from)
                kept = self._kept.get(question.key)
                if kept is not None and kept.version == version and self._clock() < kept.until:
                    self._kept.move_to_end(question.key)
                    self.counts.hits += 1
                    return kept.answer
                self.counts.misses += 1
                return await asyncio.shield(self._made(question, known, version))
        except TimeoutError as error:
            raise self._refused(f"no answer within {self._bounds.within_s:g} s") from error

    async def read(self, make: Make) -> Answer:
        """Return what *make* gives, and keep nothing of it. Raises TooBusy."""
        try:
            async with asyncio.timeout(self._bounds.within_s):
                return await self._read(make, await self._what_stands())
        except TimeoutError as error:
            raise self._refused(f"no answer within {self._bounds.within_s:g} s") from error

    async def close(self) -> None:
        """Make nothing any more: the connections are about to be closed."""
        tasks = [*self._making.values(), *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _what_stands(self) -> Known:
        if self._clock() - self._looked_at < self._bounds.look_every_s:
            return self._known
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def _look(self) -> Known:
        at = self._clock()  # of before the question: what is committed meanwhile may not be in its answer
        self._known = await look(self._pool, self._known)
        self._looked_at = at
        return self._known

    def _made(self, question: Question, known: Known, version: str) -> asyncio.Task[Answer]:
        name = (question.key, version)
        making = self._making.get(name)
        if making is None:
            if len(self._making) >= self._bounds.at_once + self._bounds.waiting:
                raise self._refused(f"{len(self._making)} answers are being read already")
            making = self._making[name] = asyncio.create_task(self._make(question, known, version))
            making.add_done_callback(lambda done: self._ended(name, done))
        return making

    def _ended(self, name: tuple[str, str], done: asyncio.Task[Answer]) -> None:
        del self._making[name]
        if not done.cancelled():
            done.exception()  # whoever waited was told; where nobody does any more, nobody is to be

    async def _make(self, question: Question, known: Known, version: str) -> Answer:
        async with asyncio.timeout(self._bounds.within_s):
            made = await self._read(question.make, known)
        tagged = msgspec.structs.replace(made, etag=hashlib.blake2b(made.body, digest_size=12).hexdigest())
        self._keep(question.key, _Kept(tagged, version, self._clock() + self._bounds.kept_s))
        return tagged

    async def _read(self, make: Make, known: Known) -> Answer:
        async with self._gate, self._pool.acquire() as connection:
            return await make(connection, known)

    def _keep(self, key: str, one: _Kept) -> None:
        self._forget(key)
        if len(one.answer.body) > self._bounds.most_bytes:
            return
        self._kept[key] = one
        self.kept_bytes += _size(key, one)
        while self.kept_bytes > self._bounds.most_bytes:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: str) -> None:
        if (gone := self._kept.pop(key, None)) is not None:
            self.kept_bytes -= _size(key, gone)

    def _refused(self, why: str) -> TooBusy:
        self.counts.refused += 1
        return TooBusy(f"{why}: ask again in a second, or less at a time")


def _size(key: str, one: _Kept) -> int:
    return len(key) + len(one.answer.body) + 1_500  # what the objects around them take, the version's text included

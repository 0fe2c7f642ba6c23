"""Says whether the service can do its work now: tables, group, a worker and a catch-up that beat, beside the servers.

Of the consumer of the same process its own beats count; a process without one (`maintenance run`) asks for any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from consumer.cycle.heartbeat import BEATS_WITHIN, last_look
from consumer.postgres.schema import read_schema
from consumer.runtime import end_all
from consumer.web.health import AT_WORK_WITHIN_MS, Check, Question, Spoilt
from contract import keys

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool

_START = "start a consumer (`python -m consumer`, or `maintenance run`), or see why it ended: its log says so"


class Readiness:
    """Asks Redis and PostgreSQL side by side, each question once however many ask."""

    def __init__(self, pool: Pool, redis: Redis, *, consumer: str | None, now: Callable[[], dt.datetime]) -> None:
        self._pool, self._redis, self._consumer, self._now = pool, redis, consumer, now
        self._of_schema = Question(self._ask_schema)
        self._of_group = Question(self._ask_group)
        self._of_worker = Question(self._ask_worker)
        self._of_catch_up = Question(self._ask_catch_up)

    async def look(self, servers: Mapping[str, Check]) -> dict[str, Check]:
        """A check each, of what the *servers* that answer tell."""
        found: dict[str, Check] = {}
        if servers["postgresql"].connected:
            found["schema"] = await self._of_schema.answer()
        if servers["redis"].connected:
            found["group"] = await self._of_group.answer()
            found["worker"] = await self._of_worker.answer()
            found["catch_up"] = await self._of_catch_up.answer()
        return found

    async def close(self) -> None:
        """End the questions that still wait."""
        questions = (self._of_schema, self._of_group, self._of_worker, self._of_catch_up)
        await end_all(one.asking for one in questions if one.asking is not None)

    async def _ask_schema(self) -> None:
        schema = await read_schema(self._pool)
        if not schema.fits:
            wrong = (*schema.missing, *schema.foreign, *schema.altered)
            which = f"migration {wrong[0]}" if wrong else "there are none"
            raise Spoilt(f"the tables are not this program's ({which}): run `maintenance migrate`")

    async def _ask_group(self) -> None:
        try:
            groups: Any = await self._redis.xinfo_groups(keys.TASKS.name)
        except ResponseError:
            groups = []  # no stream
        if not any(one["name"] == keys.GROUP for one in groups):
            raise Spoilt(f"{keys.TASKS.name} has no group {keys.GROUP}, which a worker makes: {_START}")

    async def _ask_worker(self) -> None:
        try:
            workers: Any = await self._redis.xinfo_consumers(keys.TASKS.name, keys.GROUP)
        except ResponseError:
            workers = []
        own = [one for one in workers if self._consumer in (None, one["name"])]
        if not any(int(one["idle"]) < AT_WORK_WITHIN_MS for one in own):
            raise Spoilt(f"no worker has asked for work for {AT_WORK_WITHIN_MS // 1000} s: {_START}")

    async def _ask_catch_up(self) -> None:
        at = await last_look(self._redis, self._consumer)
        if at is None or self._now() - at > BEATS_WITHIN:
            since = f"{BEATS_WITHIN.total_seconds():g} s"
            raise Spoilt(f"no catch-up has looked for {since}, and what is due or lost stays so: {_START}")

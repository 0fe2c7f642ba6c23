"""A Redis client whose every command passes the gate of its process.

The commands reach a real server over one real connection: at most one is under way at a time.
"""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from consumer.delivery import redis_scripts
from tests.simulator.gates import Step

if TYPE_CHECKING:
    from tests.simulator.gates import Actor


def script_names() -> dict[str, str]:
    """The name of every delivery script by its SHA-1, as the product would load it now."""
    return {
        hashlib.sha1(redis_scripts.script_text(name).encode(), usedforsecurity=False).hexdigest(): name
        for name in redis_scripts.SCRIPTS
    }


class GatedRedis(Redis):  # type: ignore[type-arg]
    """What a simulated process takes for its Redis client."""

    def __init__(self, actor: Actor, server: Redis, names: dict[str, str]) -> None:
        super().__init__(connection_pool=server.connection_pool)
        self._actor = actor
        self._names = names

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        words = without_block(args)
        name, detail = self._describe(words)
        run = functools.partial(super().execute_command, *words, **options)
        return await self._actor.pass_through(Step(self._actor, "redis", name, detail, run))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> GatedPipeline:
        pipeline = GatedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipeline.actor = self._actor
        return pipeline

    def _describe(self, words: tuple[Any, ...]) -> tuple[str, str]:
        match words:
            case ("EVALSHA", sha, number, *rest) if sha in self._names:
                return self._names[sha], " ".join(str(word) for word in rest[int(number) + 1 :])
            case ("EVAL", text, number, *rest):
                sha = hashlib.sha1(str(text).encode(), usedforsecurity=False).hexdigest()
                return self._names.get(sha, "EVAL"), " ".join(str(word) for word in rest[int(number) + 1 :])
            case _:
                return str(words[0]), " ".join(str(word) for word in words[1:])


class GatedPipeline(Pipeline):  # type: ignore[type-arg]
    """Several commands in one round trip."""

    actor: Actor

    async def execute(self, raise_on_error: bool = True) -> Any:
        run = functools.partial(super().execute, raise_on_error)
        return await self.actor.pass_through(Step(self.actor, "redis", "pipeline", str(len(self)), run))


def without_block(words: tuple[Any, ...]) -> tuple[Any, ...]:
    """A read that waits would wait in real time: here it is the scheduler that lets time pass."""
    if words[0] == "XREADGROUP" and "BLOCK" in words:
        at = words.index("BLOCK")
        return words[:at] + words[at + 2 :]
    return words

"""Stops every process of the simulation before each round trip, and holds the reply until the scheduler lets it go.

A `Step` is one round trip. Whoever wants to make it waits at the gate of its `Actor`; the scheduler performs the step
and delivers its reply, or lets one of the two get lost, or never comes back to an actor that has crashed.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from tests.simulator.gated_postgres import GatedConnection
    from tests.simulator.virtual_time import SimulatedLoop

POLLS = ("promote", "claim", "XREADGROUP")
_IN_PLACE_OF_THE_PRODUCT = ("/simulator/workload.py", "/simulator/mutants.py", "/schedules/cures.py")
NOTHING_FOUND: tuple[Any, ...] = (None, [], {}, [0])


class Phase(Enum):
    WAITING = "waiting"
    UNDER_WAY = "under way"
    ANSWERED = "answered"
    OVER = "over"


class Step:
    """One round trip that *actor* wants to make. *server*: redis, postgres or vendor."""

    def __init__(
        self, actor: Actor, server: str, name: str, detail: str, run: Callable[[], Awaitable[Any]],
        connection: GatedConnection | None = None,
    ) -> None:  # fmt: skip
        self.actor, self.server, self.name, self.detail, self.connection = actor, server, name, detail, connection
        self.run = run
        self.not_before = 0  # held back until this step of the schedule
        self.locks = False  # a SELECT that takes a lock
        self.task_of_actor = asyncio.current_task()  # which may be one of several of its process
        self.phase = Phase.WAITING
        self.reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[Any] | None = None
        self.result: Any = None
        self.failure: BaseException | None = None

    @property
    def is_poll(self) -> bool:
        """What an idle worker does all the time, and nobody waits for."""
        return self.name in POLLS and (self.phase is not Phase.ANSWERED or self.result in NOTHING_FOUND)

    def deliver(self) -> None:
        """Let the actor have the reply."""
        self.phase = Phase.OVER
        if self.reply.done():  # it was cancelled while it waited
            return
        if self.failure is not None:
            self.reply.set_exception(self.failure)
        else:
            self.reply.set_result(self.result)


_actor: contextvars.ContextVar[Actor] = contextvars.ContextVar("actor")


class Actor:
    """A process of the simulation: what runs in it, and the steps at which it waits."""

    def __init__(self, name: str, loop: SimulatedLoop) -> None:
        self.name = name
        self.loop = loop
        self.steps: list[Step] = []
        self.tasks: set[asyncio.Task[Any]] = set()
        self.alive = True
        self.frozen = False
        self.dismantled = False
        self.weight = 1.0

    @property
    def moves(self) -> bool:
        return self.alive and not self.frozen

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run *work* as part of this process; so is every task that it starts."""
        context = contextvars.copy_context()
        context.run(_actor.set, self)
        return self.loop.create_task(work, context=context)

    async def pass_through(self, step: Step) -> Any:
        """Wait until the scheduler has performed *step* and delivers its reply."""
        if self.dismantled:
            raise asyncio.CancelledError
        self.steps.append(step)
        try:
            return await step.reply
        finally:
            self.steps.remove(step)

    async def dismantle(self) -> None:
        """Take the process apart: nothing of it reaches a server any more."""
        self.dismantled = True
        for _ in range(100):
            if not self.tasks:
                return
            for task in list(self.tasks):
                task.cancel()
            await self.loop.quiet()
        raise AssertionError(f"{self.name} does not let itself be dismantled: {self.tasks}")


def current_actor() -> Actor:
    """The process that the running code belongs to."""
    return _actor.get()


def task_of_actor(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
    """A task factory that knows whose task it is."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    context = options.get("context")
    actor = _actor.get(None) if context is None else context.get(_actor)
    if actor is not None:
        actor.tasks.add(task)
        task.add_done_callback(actor.tasks.discard)
    return task


def calling_function() -> str:
    """The function of the product, or of a simulated part, that asks for this round trip."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if "/consumer/" in name or name.endswith(_IN_PLACE_OF_THE_PRODUCT):
            return frame.f_code.co_name
        frame = frame.f_back  # type: ignore[assignment]
    return "?"

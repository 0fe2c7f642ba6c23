"""Sends what several callers want at the same time as one call, and gives each of them its own answer.

What comes while a call is under way goes together in the next one, so a busy consumer pays one round trip for many
entries and an idle one waits for nothing. The calls are made one after the other, in the order of asking.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

Q = TypeVar("Q")
A = TypeVar("A")


class GroupCommit(Generic[Q, A]):
    """*send* takes up to *most* questions and gives their answers in the same order; an answer that is an exception
    is raised to its asker alone."""

    def __init__(self, send: Callable[[list[Q]], Awaitable[Sequence[A | Exception]]], *, most: int) -> None:
        self._send = send
        self._most = most
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._sending: asyncio.Task[None] | None = None

    def ask(self, question: Q) -> asyncio.Future[A]:
        """Return what will hold the answer; who stops waiting before its call is made is left out of it."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._sending is None:
            # A task begins after everything that is ready now: whoever asks in this turn of the loop goes along.
            self._sending = asyncio.create_task(self._send_all())
        return answer

    async def _send_all(self) -> None:
        under_way: list[tuple[Q, asyncio.Future[A]]] = []
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                under_way = [(question, answer) for question, answer in batch if not answer.done()]
                if under_way:
                    await self._send_batch(under_way)
        finally:
            self._sending = None
            for _, answer in under_way + self._waiting:
                answer.cancel()  # only when this task was cancelled: then nobody answers any more

    async def _send_batch(self, batch: list[tuple[Q, asyncio.Future[A]]]) -> None:
        (outcome,) = await asyncio.gather(self._send([question for question, _ in batch]), return_exceptions=True)
        answers = [outcome] * len(batch) if isinstance(outcome, BaseException) else outcome
        for (_, waiting), answer in zip(batch, answers, strict=True):
            if waiting.done():
                continue
            if isinstance(answer, BaseException):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)

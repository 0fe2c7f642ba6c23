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
        self._under_way: list[tuple[Q, asyncio.Future[A]]] = []
        self._call: asyncio.Task[Sequence[A | Exception]] | None = None

    def ask(self, question: Q) -> asyncio.Future[A]:
        """Return what will hold the answer; who stops waiting before its call is made is left out of it."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._call is None:
            self._begin_call()
        return answer

    def _begin_call(self) -> None:
        self._call = asyncio.create_task(self._make_call())
        self._call.add_done_callback(self._end_call)

    async def _make_call(self) -> Sequence[A | Exception]:
        # A task begins after everything that is ready now: whoever asks in the same turn of the loop goes along.
        waiting = [(question, answer) for question, answer in self._waiting if not answer.done()]
        self._under_way, self._waiting = waiting[: self._most], waiting[self._most :]
        return await self._send([question for question, _ in self._under_way]) if self._under_way else []

    def _end_call(self, call: asyncio.Task[Sequence[A | Exception]]) -> None:
        answered, self._under_way, self._call = self._under_way, [], None
        failure = asyncio.CancelledError() if call.cancelled() else call.exception()
        answers = [failure] * len(answered) if failure is not None else call.result()
        for (_, waiting), answer in zip(answered, answers, strict=True):
            if waiting.done():
                continue
            if isinstance(answer, asyncio.CancelledError):  # the loop is closing
                waiting.cancel()
            elif isinstance(answer, BaseException):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)
        if self._waiting:
            self._begin_call()

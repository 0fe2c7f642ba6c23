"""A connection pool whose every statement and commit passes the gate of its process.

The statements run on real sessions. BEGIN travels with the first statement of its transaction: alone it has no effect
that anybody could see.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import asyncpg

from tests.simulator.gates import Step, calling_function

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from tests.simulator.gates import Actor

    Session = asyncpg.Connection[asyncpg.Record]


class Sessions:
    """The sessions of all simulated processes, opened once and used again."""

    def __init__(self, opened: list[Session]) -> None:
        self._free = list(reversed(opened))
        self.in_use: list[GatedConnection] = []
        self.left: list[GatedConnection] = []

    def take(self, actor: Actor) -> GatedConnection:
        connection = GatedConnection(actor, self._free.pop())
        self.in_use.append(connection)
        return connection

    def give_back(self, connection: GatedConnection) -> None:
        """Nothing of its process uses it any more; it may still be in a transaction, or wait for a lock."""
        if connection in self.in_use:
            self.in_use.remove(connection)
            self.left.append(connection)

    def free(self, connection: GatedConnection) -> None:
        """It is clean again."""
        self.left.remove(connection)
        self._free.append(connection.session)


class GatedConnection:
    """One connection of a simulated process."""

    def __init__(self, actor: Actor, session: Session) -> None:
        self.actor = actor
        self.session = session
        self.in_block = False
        self.begin = "BEGIN"
        self.begun = False  # whether the server knows of the transaction
        self.cut = False  # the server, or the network, has ended this connection
        self.under_way: Step | None = None

    async def fetch(self, query: str, *args: Any) -> Any:
        return await self._pass("fetch", query, args)

    async def fetchrow(self, query: str, *args: Any) -> Any:
        return await self._pass("fetchrow", query, args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        return await self._pass("fetchval", query, args)

    async def execute(self, query: str, *args: Any) -> Any:
        return await self._pass("execute", query, args)

    async def executemany(self, query: str, args: Any) -> Any:
        return await self._pass("executemany", query, (list(args),))

    def transaction(self, *, isolation: str = "read committed") -> GatedTransaction:
        self.begin = f"BEGIN ISOLATION LEVEL {isolation.replace('_', ' ')}"
        return GatedTransaction(self)

    async def end(self, command: str) -> None:
        """COMMIT or ROLLBACK, if the server knows of a transaction at all."""
        self.in_block = False
        if self.cut:
            raise asyncpg.InterfaceError("connection is closed")
        if self.begun:
            await self._pass("execute", command, ())

    async def _pass(self, method: str, query: str, args: tuple[Any, ...]) -> Any:
        statement = " ".join(query.split())
        name = f"{calling_function()} {' '.join(statement.split()[:2])}"
        detail = ", ".join(str(arg) for arg in args)
        run = functools.partial(self._run, functools.partial(getattr(self.session, method), query, *args), statement)
        step = Step(self.actor, "postgres", name, detail, run, self)
        step.locks = " FOR " in statement or "lock(" in statement
        return await self.actor.pass_through(step)

    async def _run(self, call: Callable[[], Awaitable[Any]], statement: str) -> Any:
        if self.cut:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        if self.in_block and not self.begun:
            await self.session.execute(self.begin)
            self.begun = True
        try:
            return await call()
        finally:
            if statement in ("COMMIT", "ROLLBACK"):
                self.begun = False


class GatedTransaction:
    """BEGIN … COMMIT or ROLLBACK."""

    def __init__(self, connection: GatedConnection) -> None:
        self._connection = connection

    async def __aenter__(self) -> None:
        assert not self._connection.in_block, "a transaction within a transaction: not simulated"
        self._connection.in_block = True

    async def __aexit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.end("COMMIT" if failure is None else "ROLLBACK")


class Acquired:
    """`async with pool.acquire()`."""

    def __init__(self, sessions: Sessions, actor: Actor) -> None:
        self._sessions, self._actor = sessions, actor

    async def __aenter__(self) -> GatedConnection:
        self._connection = self._sessions.take(self._actor)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        self._sessions.give_back(self._connection)


class GatedPool:
    """What a simulated process takes for its pool."""

    def __init__(self, actor: Actor, sessions: Sessions) -> None:
        self._actor, self._sessions = actor, sessions

    def acquire(self) -> Acquired:
        return Acquired(self._sessions, self._actor)

    async def fetch(self, query: str, *args: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.execute(query, *args)

"""Opens sessions on PostgreSQL that depend on no default of a server, role, database or pooler.

What matters is set by SQL after connecting: a pooler refuses start-up parameters, and SQL outranks what
`ALTER ROLE … SET` and `ALTER DATABASE … SET` say. Nobody sets anything else for longer than a transaction, so a session
is not reset when it goes back to its pool: that would take these settings along, and cost a round trip.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import msgspec

from consumer.postgres.built_in_types import KnowsBuiltInTypes
from consumer.postgres.errors import DatabaseUnreachable
from consumer.postgres.line import KEEPALIVE, Line, listen
from consumer.postgres.schemas import BY_DEFAULT, Schemas
from consumer.postgres.versions import read_versions, refuse_unserved, session_name

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Mapping

CONNECTED_WITHIN_S = 10.0  # with its settings: beyond that a start looks like an outage to whoever waits
CLOSED_WITHIN_S = 2.0  # a good-bye that is not answered; then the socket is simply closed
# A sixth of a part's deadline: no statement of a night comes near it, and one given up is tried again within that part.
LONGEST_STATEMENT_MS = 300_000
# A night has some 250 statements, which would push each other out of the driver's hundred: over four nights 896 were
# prepared, with this many 650. It costs the server two or three megabytes a session.
STATEMENTS_KEPT = 400
WHATEVER_THE_SERVER_SAYS = {
    "jit": "off",  # compiling costs more than any of our statements gains
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "row_security": "off",  # rows hidden by a policy would look like rows that are missing: an error instead
}
FILES_OF_A_DSN = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")
# Asked of the server too, for its own end (ignored on a unix socket): locks of a machine that is gone go with it. But
# what is on its way may wait for as long as a statement may take: also a client that does not read for a while lives.
_OF_THE_SERVER = {
    "tcp_keepalives_idle": KEEPALIVE["TCP_KEEPIDLE"],
    "tcp_keepalives_interval": KEEPALIVE["TCP_KEEPINTVL"],
    "tcp_keepalives_count": KEEPALIVE["TCP_KEEPCNT"],
    "tcp_user_timeout": LONGEST_STATEMENT_MS,
}
_SINCE = {"idle_session_timeout": 140_000, "transaction_timeout": 170_000}


class Session(KnowsBuiltInTypes):
    """A connection that knows since when it waits for an answer, and never waits for its own end."""

    asked_at: float | None = None  # seconds of the loop's clock
    line: Line | None = None
    given_up: str | None = None  # why it was closed in the middle of a question
    patient = False  # whether its statements may take as long as they do
    backend: int = 0  # the process on the server; the driver knows only what a pooler made up

    @property
    def silent_since(self) -> float | None:
        """When the question was put, or something moved last; None while nothing is asked."""
        if self.asked_at is None or self.line is None:
            return self.asked_at
        return max(self.asked_at, self.line.moved_at)

    def give_up(self, reason: str) -> None:
        """Close it at once: whoever waits for its answer is told *reason*."""
        self.given_up = reason
        self.terminate()

    def get_reset_query(self) -> str:
        """Nothing: see the module. Asked for at each return to the pool, where a migration is over."""
        self.patient = False
        return ""

    async def close(self, *, timeout: float | None = None) -> None:
        """Say good-bye; where nobody answers, the socket is closed all the same."""
        with contextlib.suppress(TimeoutError):
            await super().close(timeout=CLOSED_WITHIN_S if timeout is None else min(timeout, CLOSED_WITHIN_S))

    async def _cancel(self, *waiters: Any) -> None:
        """Ask the server to end a statement that nobody waits for any more; one that does not is left alone.

        The driver waits for ever, and whoever gives the connection back to its pool waits with it.
        """
        async with asyncio.timeout(None) as limit:
            limit.reschedule(asyncio.get_running_loop().time() + CLOSED_WITHIN_S)
            await super()._cancel(*waiters)  # type: ignore[misc]  # swallows its own cancellation
        if limit.expired() and not self.is_closed():
            self.terminate()


def _asking(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(method)
    async def asked(self: Session, *args: Any, **kwargs: Any) -> Any:
        if self.asked_at is not None:  # part of a question that is being asked
            return await method(self, *args, **kwargs)
        self.asked_at = asyncio.get_running_loop().time()
        try:
            return await method(self, *args, **kwargs)
        except Exception as error:
            # The driver raises all sorts of things when its connection is closed under it.
            if self.given_up is not None or isinstance(error, OSError):
                raise DatabaseUnreachable(self.given_up or f"{type(error).__name__}: {error}") from error
            raise
        finally:
            self.asked_at = None

    return asked


for _name in (
    "execute",
    "executemany",
    "fetch",
    "fetchval",
    "fetchrow",
    "fetchmany",
    "prepare",
    "copy_from_table",
    "copy_from_query",
    "copy_to_table",
    "copy_records_to_table",
):
    setattr(Session, _name, _asking(getattr(asyncpg.Connection, _name)))


async def allow_long_statements(connection: Session | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]) -> None:
    """Let a migration take its time, and wait for locks: this session's transaction has no bound but the server."""
    await connection.execute("SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0")
    session: Any = getattr(connection, "_con", connection)
    if issubclass(type(session), Session):  # for the driver's `isinstance` any connection is one
        session.patient = True


async def prepare_connection(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Let jsonb columns take and give Python values."""
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """As whom a session connects, to which schemas, how long it may take to be of use, and whether it only reads."""

    name: str = "maintenance"
    schemas: Schemas = BY_DEFAULT
    within_s: float = CONNECTED_WITHIN_S
    read_only: bool = False


async def connect(dsn: str, *, lease: dt.timedelta, client: Client) -> Session:
    """Return a session as this service needs it. Raises DatabaseUnreachable (NotServed), or what refuses us."""
    session: Session | None = None
    within_s = client.within_s
    _require_files(dsn)
    try:
        async with asyncio.timeout(within_s):
            named = {"application_name": session_name(client.name, client.schemas)}
            kept: dict[str, Any] = {"connection_class": Session, "statement_cache_size": STATEMENTS_KEPT}
            session = await asyncpg.connect(dsn, timeout=within_s, server_settings=named, **kept)
            await _make_ours(session, lease, client)
        return session
    except BaseException as error:
        if session is not None:
            session.terminate()
        if (unreachable := _unreachable(error, within_s)) is not None:
            raise unreachable from error
        raise


def _unreachable(error: BaseException, within_s: float) -> DatabaseUnreachable | None:
    """What an error says where it is of a server that is away; a TimeoutError is an OSError too."""
    match error:
        case TimeoutError():
            return DatabaseUnreachable(
                f"no answer within {within_s:g} s (of a server, or of a pooler that has no session free)"
            )
        case OSError():
            return DatabaseUnreachable(f"{type(error).__name__}: {error}")
        case _:
            return None


async def _make_ours(session: Session, lease: dt.timedelta, client: Client) -> None:
    session.line, schemas = listen(session), client.schemas
    own = schemas.in_session() | ({"default_transaction_read_only": "on"} if client.read_only else {})
    await _make_independent(session, _set(settings_of(lease, session.get_server_version()) | own))
    session.backend = await session.fetchval("SELECT pg_backend_pid()")
    # Asked for each session: whoever lost its sessions while the tables moved on finds out with the next one.
    refuse_unserved(await read_versions(session, schemas))
    await prepare_connection(session)


def _require_files(dsn: str) -> None:
    """Raises ClientConfigurationError for a file that *dsn* names and that is not there: no server's absence."""
    for name, values in parse_qs(urlsplit(dsn).query).items():
        if name in FILES_OF_A_DSN and values[0] != "system" and not Path(values[0]).is_file():
            raise asyncpg.ClientConfigurationError(f"{name}={values[0]}: there is no such file")


def longest_lock_wait_s(lease: dt.timedelta) -> float:
    """Seconds for which a statement of ours waits for a lock."""
    return max(lease.total_seconds(), 2.0)


def settings_of(lease: dt.timedelta, version: Any) -> dict[str, str]:
    """What is set in each session: no lock is waited for, and no transaction left open, for longer than a lease."""
    milliseconds = str(int(longest_lock_wait_s(lease) * 1000))
    number = version.major * 10_000
    return {
        "statement_timeout": str(LONGEST_STATEMENT_MS),  # first: a role's may be a millisecond
        "lock_timeout": milliseconds,
        "idle_in_transaction_session_timeout": milliseconds,
        **{setting: str(value) for setting, value in _OF_THE_SERVER.items()},
        **WHATEVER_THE_SERVER_SAYS,
        **{setting: "0" for setting, since in _SINCE.items() if number >= since},
    }


async def _make_independent(session: Session, statements: str) -> None:
    """Some milliseconds that a role allows a statement are enough for ours; on a busy machine not always at once."""
    for last in (False, False, False, True):
        try:
            await session.execute(statements)
        except asyncpg.QueryCanceledError:
            if last:
                raise
        else:
            return


def _set(settings: Mapping[str, str]) -> str:
    return "; ".join(f"SET {name} = '{value}'" for name, value in settings.items())

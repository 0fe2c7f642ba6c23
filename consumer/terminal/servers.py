"""Finds the servers that a command works on: those of the settings, else the embedded ones.

Embedded servers are per source (DATA_DIR/<source>/…); one file, DATA_DIR/servers.json, names those of the newest run.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from consumer import private_files
from consumer.embedded.data_dir import DataDirLock, make_data_dir
from consumer.embedded.errors import DataDirInUse
from consumer.embedded.keep_alive import keep_alive, start
from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.embedded.redis_server import EmbeddedRedis
from consumer.embedded.source_dirs import refuse_old_layout, source_dir
from consumer.runtime import end_all, watched
from consumer.terminal.refused import unreachable
from market.small_files import FileTooLarge, read_small

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from consumer.settings import Settings
    from market.data_source import DataSource


ADDRESSES = "servers.json"
LOOK_EVERY_S = 0.1
LOOKS_WAITED_FOR = 300  # half a minute: a look takes one or two seconds


class Servers(msgspec.Struct, frozen=True, kw_only=True):
    """Where Redis and PostgreSQL are; a socket is None where the server is the operator's own.

    *home* is the folder in which the embedded ones keep their data.
    """

    redis_url: str
    database_url: str
    redis_socket: str | None = None
    postgres_socket_dir: str | None = None
    home: str | None = None


def locate(settings: Settings) -> Servers:
    """Return the servers without starting any: a run has written down where its own are. Raises CommandRefused."""
    if settings.redis_url is not None and settings.database_url is not None:
        return Servers(redis_url=settings.redis_url, database_url=settings.database_url)
    path = settings.data_dir / ADDRESSES
    try:
        return msgspec.json.decode(read_small(path), type=Servers)
    except PermissionError as error:
        raise unreachable(f"{path} may be read by the user alone whose run wrote it: ask as that user") from error
    except (OSError, FileTooLarge, msgspec.DecodeError) as error:
        raise unreachable(
            f"no run has left its addresses in {path}: start ./start-data-maintenance.sh, or set REDIS_URL and "
            "DATABASE_URL (or DATA_DIR) as it has them"
        ) from error


@contextlib.asynccontextmanager
async def started(
    settings: Settings, source: DataSource, *, on_loss: Callable[[BaseException], None]
) -> AsyncIterator[Servers]:
    """Start the embedded servers of *source* that the settings need, and stop them at the end. Raises EmbeddedError.

    They are started again whenever they end; *on_loss* hears of one that cannot be.
    """
    private_files.narrow(settings.data_dir / ADDRESSES)  # of a release that left it open
    home = source_dir(settings.data_dir, source)
    wanted: list[EmbeddedRedis | EmbeddedPostgres] = []
    if settings.redis_url is None:
        wanted.append(EmbeddedRedis(home))
    if settings.database_url is None:
        wanted.append(EmbeddedPostgres(home))
    async with contextlib.AsyncExitStack() as stack:
        if wanted:
            stack.enter_context(await lock_after_looks(settings.data_dir))
            refuse_old_layout(settings.data_dir, source, [server.FOLDER for server in wanted])
        for server in wanted:
            await start(server)
            stack.push_async_callback(server.stop)
        await stack.enter_async_context(_watched(wanted, on_loss))
        yield addresses(settings, wanted, home)


def announce(settings: Settings, servers: Servers) -> None:
    """Write down where the servers are, with their passwords, for commands; only once the run may work on them."""
    make_data_dir(settings.data_dir)  # not made by anybody else where both servers are the operator's own
    private_files.write_private(settings.data_dir / ADDRESSES, msgspec.json.encode(servers))


async def lock_after_looks(data_dir: Path) -> DataDirLock:
    """Return the held lock of *data_dir*; a command that is having a look there is waited for. Raises DataDirInUse."""
    lock = DataDirLock(data_dir)
    for _ in range(LOOKS_WAITED_FOR):
        try:
            lock.acquire()
        except DataDirInUse as error:
            if not error.by_a_look:
                raise
            await asyncio.sleep(LOOK_EVERY_S)
        else:
            return lock
    lock.acquire()
    return lock


def addresses(settings: Settings, embedded: Sequence[EmbeddedRedis | EmbeddedPostgres], home: Path) -> Servers:
    """Where the servers of a run are, of which *embedded* are its own."""
    own = Servers(redis_url=settings.redis_url or "", database_url=settings.database_url or "")
    return with_addresses(own, embedded, home)


def with_addresses(servers: Servers, embedded: Sequence[EmbeddedRedis | EmbeddedPostgres], home: Path) -> Servers:
    """Return *servers* with the addresses of *embedded*, which have started; those of the others stay."""
    for server in embedded:
        match server:
            case EmbeddedRedis():
                at, socket = server.url, str(server.socket_path)
                servers = replace(servers, redis_url=at, redis_socket=socket, home=str(home))
            case EmbeddedPostgres():
                at, socket = server.dsn, str(server.socket_dir)
                servers = replace(servers, database_url=at, postgres_socket_dir=socket, home=str(home))
    return servers


@contextlib.asynccontextmanager
async def _watched(
    servers: list[EmbeddedRedis | EmbeddedPostgres], on_loss: Callable[[BaseException], None]
) -> AsyncIterator[None]:
    watches = [watched(keep_alive(server), on_loss) for server in servers]
    try:
        yield
    finally:
        await end_all(watches)

"""Finds the servers that a command works on: those of the settings, else the embedded ones.

Embedded servers are per source (DATA_DIR/<source>/…); one file, DATA_DIR/servers.json, names those of the newest run.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from consumer import private_files
from consumer.embedded.data_dir import DataDirLock, make_data_dir
from consumer.embedded.keep_alive import keep_alive, start
from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.embedded.redis_server import EmbeddedRedis
from consumer.embedded.source_dirs import refuse_old_layout, source_dir
from consumer.runtime import end_all, watched
from market.small_files import FileTooLarge, read_small

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from consumer.settings import Settings
    from market.data_source import DataSource


ADDRESSES = "servers.json"


class NotRunning(Exception):
    """There is no service to talk to; the text names the cure."""


class Servers(msgspec.Struct, frozen=True, kw_only=True):
    """Where Redis and PostgreSQL are; a socket is None where the server is the operator's own."""

    redis_url: str
    database_url: str
    redis_socket: str | None = None
    postgres_socket_dir: str | None = None


def locate(settings: Settings) -> Servers:
    """Return the servers without starting any: a run has written down where its own are. Raises NotRunning."""
    if settings.redis_url is not None and settings.database_url is not None:
        return Servers(redis_url=settings.redis_url, database_url=settings.database_url)
    path = settings.data_dir / ADDRESSES
    try:
        return msgspec.json.decode(read_small(path), type=Servers)
    except PermissionError as error:
        raise NotRunning(f"{path} may be read by the user alone whose run wrote it: ask as that user") from error
    except (OSError, FileTooLarge, msgspec.DecodeError) as error:
        raise NotRunning(
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
            stack.enter_context(DataDirLock(settings.data_dir))
            refuse_old_layout(settings.data_dir, source, [server.FOLDER for server in wanted])
        for server in wanted:
            await start(server)
            stack.push_async_callback(server.stop)
        await stack.enter_async_context(_watched(wanted, on_loss))
        yield _addresses(settings, wanted)


def announce(settings: Settings, servers: Servers) -> None:
    """Write down where the servers are, with their passwords, for commands; only once the run may work on them."""
    make_data_dir(settings.data_dir)  # not made by anybody else where both servers are the operator's own
    private_files.write_private(settings.data_dir / ADDRESSES, msgspec.json.encode(servers))


def _addresses(settings: Settings, embedded: list[EmbeddedRedis | EmbeddedPostgres]) -> Servers:
    redis = next((server for server in embedded if isinstance(server, EmbeddedRedis)), None)
    postgres = next((server for server in embedded if isinstance(server, EmbeddedPostgres)), None)
    return Servers(
        redis_url=redis.url if redis else settings.redis_url or "",
        database_url=postgres.dsn if postgres else settings.database_url or "",
        redis_socket=str(redis.socket_path) if redis else None,
        postgres_socket_dir=str(postgres.socket_dir) if postgres else None,
    )


@contextlib.asynccontextmanager
async def _watched(
    servers: list[EmbeddedRedis | EmbeddedPostgres], on_loss: Callable[[BaseException], None]
) -> AsyncIterator[None]:
    watches = [watched(keep_alive(server), on_loss) for server in servers]
    try:
        yield
    finally:
        await end_all(watches)

"""Lets a command that reads look into the embedded servers of a run that has ended: they are started for that look.

They belong to the run and end with it, as after `--once`; what it left would otherwise only be read by starting all of
it again. The data directory is held meanwhile, so that a run that starts in the same moment waits for the look to end.
Nothing of ours is written: the database takes no writes (save for `doctor`, which asks whether it does, and undoes what
it tries), and no key of Redis changes. Servers that were killed put their own files in order when they start.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from consumer.embedded.data_dir import DataDirLock
from consumer.embedded.errors import DataDirInUse, EmbeddedError
from consumer.embedded.keep_alive import start
from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.embedded.redis_server import EmbeddedRedis
from consumer.terminal.refused import unreachable
from consumer.terminal.servers import LOOK_EVERY_S, LOOKS_WAITED_FOR, Servers, locate, with_addresses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from consumer.settings import Settings

NO_WRITES = {"default_transaction_read_only": "on"}
TOLD = (
    "(its run has ended: its servers were started for this look; ./start-data-maintenance.sh goes on with the work)\n"
)


@contextlib.asynccontextmanager
async def looked_at(settings: Settings, *, read_only: bool = True, redis_alone: bool = False) -> AsyncIterator[Servers]:
    """Give the servers until the block ends; those of a run that has ended are started for it.

    *read_only* False is for whoever asks whether it takes writes, *redis_alone* for whoever asks nothing of PostgreSQL.
    Raises CommandRefused where there are none, or they do not start.
    """
    servers = locate(settings)
    async with contextlib.AsyncExitStack() as stack:
        if servers.home is not None:
            # Below what is locked, whatever the file names: a copy or a moved one names the folder of another.
            home = settings.data_dir.absolute() / Path(servers.home).name
            embedded = _embedded(home, servers, NO_WRITES if read_only else {}, redis_alone=redis_alone)
            if embedded and await _nobody_runs(stack, settings.data_dir):
                servers = await _started(stack, servers, home, embedded)
        yield servers


async def _nobody_runs(stack: contextlib.AsyncExitStack, data_dir: Path) -> bool:
    """Whether the data directory is ours until *stack* ends: no run holds it. Another look is waited for."""
    for left in reversed(range(LOOKS_WAITED_FOR)):
        try:
            stack.enter_context(DataDirLock(data_dir, look=True))
        except DataDirInUse as error:
            if not error.by_a_look:
                return False
            if not left:
                raise unreachable(str(error)) from error
            await asyncio.sleep(LOOK_EVERY_S)
        except OSError as error:
            raise unreachable(
                f"{data_dir} cannot be used: {error.strerror}: run this as the user of the service"
            ) from error
        else:
            break
    return True


def _embedded(
    home: Path, servers: Servers, writes: Mapping[str, str], *, redis_alone: bool
) -> list[EmbeddedRedis | EmbeddedPostgres]:
    found: list[EmbeddedRedis | EmbeddedPostgres] = []
    if servers.redis_socket is not None:
        found.append(EmbeddedRedis(home))
    if servers.postgres_socket_dir is not None and not redis_alone:
        found.append(EmbeddedPostgres(home, writes))
    return found


async def _started(
    stack: contextlib.AsyncExitStack, servers: Servers, home: Path, embedded: list[EmbeddedRedis | EmbeddedPostgres]
) -> Servers:
    for server in embedded:
        if not (home / server.FOLDER).is_dir():  # it would be made anew, and answer as if nothing had ever been there
            raise unreachable(f"{home / server.FOLDER} is gone, which held the data of the last run: start a new one")
    try:
        for server in embedded:
            await start(server)
            stack.push_async_callback(server.stop)
    except (EmbeddedError, OSError) as error:
        raise unreachable(f"the servers of the last run cannot be started for a look: {error}") from error
    sys.stderr.write(TOLD)
    return with_addresses(servers, embedded, home)

"""Runs both servers as `maintenance run` does, says so on standard output, and waits for its end of input."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from consumer.embedded.data_dir import DataDirLock
from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.embedded.redis_server import EmbeddedRedis


async def serve(data_dir: Path) -> None:
    redis, postgres = EmbeddedRedis(data_dir), EmbeddedPostgres(data_dir)
    await asyncio.gather(redis.start(), postgres.start())
    ready = {"redis_url": redis.url, "postgres_dsn": postgres.dsn, "pids": (redis.pid, postgres.pid)}
    print(json.dumps(ready), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await asyncio.gather(redis.stop(), postgres.stop())


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    with DataDirLock(directory):
        asyncio.run(serve(directory))

"""Claims about the processes of a run: one that refuses to run ends the run, and is not started again and again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from consumer.terminal.children import Child, ChildFailed

if TYPE_CHECKING:
    from pathlib import Path

NOTHING_SET = {"REDIS_URL": "", "DATABASE_URL": "", "MASSIVE_API_KEY": "", "POLYGON_API_KEY": ""}


async def test_a_worker_that_refuses_to_run_is_not_started_again(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    worker = Child("worker-1", ("consumer", "--no-http"), environment=NOTHING_SET, log=log)
    await worker.start()
    with pytest.raises(ChildFailed, match="worker-1 refuses to run; its log"):
        await asyncio.wait_for(worker.keep_running(), 30)
    text = log.read_text("utf-8")
    assert text.count("MASSIVE_API_KEY is not set") == 1
    assert "POLYGON_API_KEY" in text

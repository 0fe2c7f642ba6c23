"""Gives the tests one headless Chromium for all, which looks at a page that this process serves.

The browser's own calls block, so they are made in a thread of their own while the loop serves what they ask for.
"""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from aiohttp.test_utils import TestServer

from consumer.page import shared
from tests.cycle.conftest import clock, market, postgres_dsn, stack
from tests.page.serving import page_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.cycle.stack import Stack

__all__ = ["clock", "market", "postgres_dsn", "stack"]

T = TypeVar("T")
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 15_000


def _is_ours(said: Any) -> bool:
    """Whether a line of the console is a fault of the page's: that the service is away, or refuses, is told by it."""
    return said.type in ("error", "warning") and not said.text.startswith("Failed to load resource")


class Browser:
    """A Chromium, and the thread that speaks to it."""

    def __init__(self, program: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="browser")
        self._thread.submit(self._open, program).result()

    def _open(self, program: str) -> None:
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self._chromium = self._playwright.chromium.launch(executable_path=program, headless=True)

    async def look(self, url: str, act: Callable[[Any], T], **context: Any) -> T:
        """Open *url* and do *act* with the page; fails where the page has said an error."""

        def visit() -> T:
            with self._chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}) as opened:
                page = opened.new_page()
                page.set_default_timeout(PATIENCE_MS)
                errors: list[str] = []
                page.on("pageerror", lambda error: errors.append(str(error)))
                page.on("console", lambda said: errors.append(said.text) if _is_ours(said) else None)
                page.goto(url)
                page.wait_for_selector("#table .grid, #verdict[data-state=error]")
                found = act(page)
                assert errors == []
                return found

        return await asyncio.get_running_loop().run_in_executor(self._thread, visit)

    def close(self) -> None:
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def _close(self) -> None:
        self._chromium.close()
        self._playwright.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The one Chromium of the run; skips where there is none."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed: the extra `dev` brings it")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    opened = Browser(program)
    yield opened
    opened.close()


@pytest.fixture
async def url(stack: Stack, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Where the page of *stack* is served."""
    monkeypatch.setattr(shared, "SAME_ANSWER_S", 0.0)
    async with TestServer(page_of(stack, redis_url)) as server:
        yield str(server.make_url("/"))

"""What a cycle says in the log does not grow with the market."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from tests.cycle.stack import Stack


async def test_a_cycle_logs_a_handful_of_lines_whatever_the_number_of_tickers(stack: Stack) -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, level="INFO", format="{message} {extra}")
    try:
        assert (await stack.run_cycle()).state == "complete"
    finally:
        logger.remove(sink)
    listed = await stack.value("SELECT count(*) FROM listed_ticker WHERE is_active")
    assert 1 <= len(lines) <= 10 < listed, "\n".join(lines)

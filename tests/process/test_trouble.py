"""Trouble that lasts is told at once, then once a minute, and waited for with growing pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from loguru import logger

from process.trouble import LONGEST_PAUSE_S, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    found: list[Any] = []
    number = logger.add(lambda message: found.append(message.record), level="INFO")
    yield found
    logger.remove(number)


def lasting(trouble: Trouble, now: list[float], seconds: float, **how: Any) -> list[float]:
    pauses = []
    ends_at = now[0] + seconds
    while now[0] < ends_at:
        pauses.append(trouble.met(ConnectionError("away"), **how))
        now[0] += pauses[-1]
    return pauses


def test_three_minutes_of_trouble_are_a_handful_of_lines_and_pauses_that_grow_to_a_bound(lines: list[Any]) -> None:
    now = [0.0]
    trouble = Trouble("loop_postponed", clock=lambda: now[0])
    pauses = lasting(trouble, now, 180)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.5, LONGEST_PAUSE_S)
    assert [line["message"] for line in lines] == ["loop_postponed"] * 3
    assert all(line["extra"]["reason"] == "ConnectionError: away" for line in lines)
    trouble.over()
    trouble.over()
    assert [line["message"] for line in lines[3:]] == ["trouble_is_over"]
    assert lines[3]["extra"]["lasted_s"] >= 180


def test_what_comes_and_goes_is_told_once_a_minute_and_is_news_again_after_that(lines: list[Any]) -> None:
    now = [0.0]
    trouble = Trouble("loop_postponed", clock=lambda: now[0])
    for _ in range(120):  # a minute of it, each time over at once
        assert trouble.met(ConnectionError("away")) == 0.5
        trouble.over()
        now[0] += 0.5
    assert [line["message"] for line in lines] == ["loop_postponed", "trouble_is_over"]
    trouble.met(ConnectionError("away"))
    assert len(lines) == 3


def test_trouble_of_another_kind_is_news_and_what_does_not_pass_is_an_error_with_its_traceback(
    lines: list[Any],
) -> None:
    trouble = Trouble("loop_postponed", clock=lambda: 0.0)
    trouble.met(ConnectionError("away"))
    trouble.met(ValueError("no such column"), event="loop_refused", runbook="statement-refused")
    assert [(line["level"].name, line["message"]) for line in lines] == [
        ("WARNING", "loop_postponed"), ("ERROR", "loop_refused"),
    ]  # fmt: skip
    assert lines[1]["exception"] is not None
    assert lines[1]["extra"]["runbook"] == "statement-refused"

"""Holds docs/http-api.md to the routes: each path and parameter stands there, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.web.app import Access, routes_of
from consumer.web.asked import names_of
from consumer.web.problem_kinds import KINDS
from consumer.web.reads import Reads
from consumer.web.triggers import TriggerBody
from tests.web.conftest import clock, market, monitor_of, postgres_dsn, stack

if TYPE_CHECKING:
    from consumer.web.routes import Route
    from tests.cycle.stack import Stack

__all__ = ["clock", "market", "postgres_dsn", "stack"]
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "http-api.md").read_text("utf-8")


def sections() -> dict[str, str]:
    """What stands under each heading of a route, by "METHOD path"."""
    found = re.split(r"^### ((?:GET|POST) \S+)$", PAGE, flags=re.MULTILINE)
    return {
        name: re.split(r"^##", text, flags=re.MULTILINE)[0] for name, text in zip(found[1::2], found[2::2], strict=True)
    }


def parameters(section: str) -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


@pytest.fixture
def routes(stack: Stack) -> list[Route]:
    monitor = monitor_of(stack)
    reads = Reads(stack.pool, stack.services.calendar)
    return routes_of(monitor, stack.stream, reads, Access(), max_deliveries=5)


def test_every_route_has_its_chapter_and_no_other_has_one(routes: list[Any]) -> None:
    assert sorted(sections()) == sorted(f"{route.method} {route.path}" for route in routes)


def test_every_parameter_stands_in_the_chapter_of_its_route_and_no_other_does(routes: list[Any]) -> None:
    for route in routes:
        if route.method == "GET":
            assert parameters(sections()[f"GET {route.path}"]) == set(names_of(route.asked)), route.path
        elif route.body is not None and (route.body is not TriggerBody or route.path == "/trigger"):
            fields = {field.encode_name for field in msgspec.structs.fields(route.body)}
            assert parameters(sections()[f"POST {route.path}"]) == fields, route.path


def test_every_kind_of_problem_stands_in_the_table_and_no_other_does() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \| (\d+) \| (.*) \|$", PAGE.partition("is `/problems/…`")[2], re.MULTILINE)
    for one in KINDS.values():
        file, _, heading = (one.runbook or "docs/runbook.md#dead-letters").partition("#")
        assert f"\n## {heading}\n" in (ROOT / file).read_text("utf-8"), one.name
    assert listed[: len(KINDS)] == [(one.name, str(one.status), one.title) for one in KINDS.values()]

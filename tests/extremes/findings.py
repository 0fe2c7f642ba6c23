"""Reads what became of the extremes: what was set aside, what the caches hold, and what the oracle expects."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from consumer.catalogue.registry import CACHES
from consumer.tasks.redis_sync import sync_cache
from market.bounded_fields import ENDPOINTS
from tests.extremes import oracle
from tests.extremes.oracle import LOST
from tests.extremes.values import EXTREMES, Case

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.tasks.conftest import Desk


async def set_aside(desk: Desk, data_set: str) -> Counter[tuple[str | None, str | None]]:
    """(symbol, field) of what was set aside; each with a flaw and, while it was kept, what came."""
    rows = await desk.pool.fetch("SELECT symbol, field, flaw, evidence FROM set_aside WHERE data_set = $1", data_set)
    for row in rows:
        assert row["flaw"]
        json.loads(row["evidence"], parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
        assert len(row["evidence"]) < 30_000
    counted = await desk.pool.fetchval(
        "SELECT sum(value::bigint) FROM data_load, jsonb_each_text(rejected) WHERE rejected <> '{}'"
    )
    assert (counted or 0) >= len(rows)
    return Counter((row["symbol"], row["field"]) for row in rows)


def expected_lost(tried: Iterable[Case]) -> Counter[tuple[str | None, str | None]]:
    return Counter(found for case in tried if (found := oracle.lost(case)) is not None)


def whole_rows(tried: Iterable[Case]) -> list[dict[str, Any]]:
    return [fields for case in tried if (fields := oracle.row(case)) is not None]


def value(fields: dict[str, Any], name: str) -> Any:
    return None if fields[name] is LOST else fields[name]


def assert_each_was_tried(endpoint: str, tried: list[Case]) -> None:
    spoiled = [case for case in tried if case.field is not None]
    print(f"{endpoint}: {len(ENDPOINTS[endpoint])} fields x {len(EXTREMES)} extremes = {len(spoiled)}")
    assert len(spoiled) == len(ENDPOINTS[endpoint]) * len(EXTREMES)


async def caches(desk: Desk, *names: str) -> None:
    for name in names:
        report = await desk.run(partial(sync_cache, cache=CACHES[name]), {}, fence=2)
        assert report.warnings == ()


def strict(text: str | None) -> dict[str, Any]:
    assert text is not None
    return dict(json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON")))

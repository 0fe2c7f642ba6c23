"""Parts are as large as the budget lets them end in time, however many run together."""

from __future__ import annotations

import pytest

from consumer.options import task_options
from consumer.settings import read_settings
from consumer.vendor.questions import Question

BARS, DETAILS = Question.RANGE_BARS, Question.TICKER_DETAILS


def sizes(environment: str) -> tuple[int, int]:
    options = task_options(read_settings(dict(word.split("=", 1) for word in environment.split(" and "))))
    return options.batch_of(BARS), options.batch_of(DETAILS)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ("MASSIVE_REQUESTS_PER_SECOND=0", (100, 100)),
        ("MASSIVE_REQUESTS_PER_SECOND=100", (100, 100)),
        ("MASSIVE_REQUESTS_PER_MINUTE=5", (5, 5)),
        ("MASSIVE_REQUESTS_PER_MINUTE=1", (1, 1)),
        ("MASSIVE_REQUESTS_PER_MINUTE=20 and MAINTENANCE_WORKERS=8 and MAINTENANCE_PARTS_AT_ONCE=8", (3, 3)),
        ("MASSIVE_ENDPOINT_BUDGETS=range_bars=20/m", (20, 100)),
        ("MASSIVE_REQUESTS_PER_MINUTE=300 and MASSIVE_ENDPOINT_BUDGETS=ticker_details=2/m", (100, 2)),
        ("MASSIVE_REQUESTS_PER_MINUTE=20 and MAINTENANCE_PART_TIMEOUT=1m", (1, 1)),
    ],
)
def test_a_part_has_as_many_symbols_as_the_budget_of_its_endpoint_gives_in_time(
    environment: str, expected: tuple[int, int]
) -> None:
    assert sizes(environment) == expected


@pytest.mark.parametrize("per_minute", [1, 5, 20, 60, 300])
@pytest.mark.parametrize(("workers", "parts"), [(1, 1), (2, 4), (8, 8)])
def test_all_parts_that_run_together_end_in_a_third_of_the_deadline(per_minute: int, workers: int, parts: int) -> None:
    batch, _ = sizes(
        f"MASSIVE_ENDPOINT_BUDGETS=range_bars={per_minute}/m and MAINTENANCE_WORKERS={workers} "
        f"and MAINTENANCE_PARTS_AT_ONCE={parts}".replace("  ", " ")
    )
    assert batch == 1 or batch * workers * parts / per_minute <= 10.0


def test_a_part_asks_for_two_thirds_of_its_deadline() -> None:
    asks_for = task_options(read_settings({"MAINTENANCE_PART_TIMEOUT": "30m"})).ask_for
    assert asks_for is not None
    assert asks_for.total_seconds() == 20 * 60

"""A consumer whose machine does not know what time it is: it stays up, and works once it does."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from tests.cycle.stack import EVENING, until

if TYPE_CHECKING:
    from tests.faults.conftest import Starts
    from tests.faults.service import Fingerprint, Place, TickingClock


@pytest.mark.parametrize("year", [1970, 2031])
async def test_a_consumer_that_starts_with_a_clock_outside_the_calendar_stays_up_and_works_once_it_is_right(
    year: int, undisturbed: Fingerprint, place: Place, consumer: Starts, clock: TickingClock,
    logged: list[dict[str, Any]],
) -> None:  # fmt: skip
    clock.at = dt.datetime(year, 1, 2, tzinfo=dt.UTC)
    async with consumer(every_s=0.2):

        async def told() -> bool:
            return any("set this machine's clock" in str(line.get("problem")) for line in logged)

        await until(told, what="the complaint")
        clock.at = EVENING
        await place.complete()
        await place.at_rest()
    assert await place.fingerprint() == undisturbed

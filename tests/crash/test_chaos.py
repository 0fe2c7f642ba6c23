"""The short form of the chaos run: each kind of fault at least once, then the data of an undisturbed run."""

from __future__ import annotations

import os

import pytest

from tests.conftest import QUICK_AND_FORGETFUL
from tests.crash.chaos import Options, chaos

pytestmark = pytest.mark.crash

SEED = int(os.environ.get("CHAOS_SEED", "1"))
KINDS = 13


@pytest.mark.long(30)
async def test_whatever_is_killed_frozen_flushed_or_restarted_the_data_are_those_of_an_undisturbed_run() -> None:
    report = await chaos(
        Options(
            minutes=0.25, tickers=150, seed=SEED, pause_s=0.9, settings={"OHLC_SESSIONS": "16", "SLOT_SESSIONS": "5"},
            postgres=QUICK_AND_FORGETFUL,
        )
    )  # fmt: skip
    print(f"\n{report.text()}")

    assert report.data_equal, report.differences
    assert not report.left_over
    assert not report.breaches, "\n".join(report.breaches)
    assert report.history["Gone"]
    assert report.history["Published"]
    assert not report.defects
    assert report.consumers["maintenance:tasks, holding entries"] == 0
    assert report.consumers["market:session, holding entries"] == 0
    assert report.consumers["maintenance:tasks"] <= 3 + sum(exits.get("SIGKILL", 0) for exits in report.exits.values())
    assert report.cycles["complete"] >= 1
    assert sum(report.asked_twice.values()) <= report.asked_twice_at_most, "more than deliveries were cut short for"
    assert len(report.faults) + len(report.faults_that_met_another) >= KINDS - 3, "the deck is dealt through"

"""The declarations fit together, or the program does not start."""

from __future__ import annotations

import msgspec
import pytest

from consumer.catalogue.registry import (
    BEFORE_CACHES,
    BY_NAME,
    CACHE_STAGE,
    CACHES,
    DATA_SETS,
    Misdeclared,
    inputs_of,
    kind_of,
    ordered,
    placed,
    stages_of,
)
from consumer.data_sets.declaration import Covers
from consumer.postgres.ledger import PartPlan
from contract import data_sets as names


def test_each_data_set_comes_after_all_that_it_is_made_from() -> None:
    seen: set[str] = set()
    for one in DATA_SETS:
        assert seen.issuperset(inputs_of(one)), one.name
        seen.add(one.name)


def test_an_input_that_nobody_declares_is_refused() -> None:
    astray = msgspec.structs.replace(BY_NAME[names.ATR], name="astray", made_from=("nobodys",))
    with pytest.raises(Misdeclared, match="astray names nobodys, which no module of consumer/data_sets declares"):
        ordered([*DATA_SETS, astray])


def test_data_sets_that_are_made_from_each_other_are_refused() -> None:
    first = msgspec.structs.replace(BY_NAME[names.ATR], name="first", made_from=("second",))
    second = msgspec.structs.replace(BY_NAME[names.ATR], name="second", made_from=("first",))
    with pytest.raises(Misdeclared, match=r"first|second"):
        ordered([*DATA_SETS, first, second])


def test_a_second_data_set_of_symbols_is_refused_since_it_would_be_judged_by_the_rows_of_the_first() -> None:
    second = msgspec.structs.replace(BY_NAME[names.VOLUME_SLOTS], name="trades_per_slot")
    with pytest.raises(Misdeclared, match="trades_per_slot and volume_slots cover a session and symbol: only one"):
        ordered([*DATA_SETS, second])


def test_caches_do_not_wait_for_what_they_are_not_made_of() -> None:
    assert "metadata_enrich/calendar" not in BEFORE_CACHES
    assert {"ohlc_daily/recheck", "volume_slots/prove", "metadata_enrich/derived", "ohlc_daily/atr"} <= set(
        BEFORE_CACHES
    )


def test_every_part_has_a_stage_and_waits_only_for_stages_that_there_are() -> None:
    stages = {stage for one in DATA_SETS for stage in stages_of(one.name)} | {CACHE_STAGE}
    for one in DATA_SETS:
        for kind in one.kinds:
            plan = placed(PartPlan(task=one.task, part=kind.name))
            assert plan.stage in stages
            assert stages.issuperset(plan.needs)
            assert plan.stage not in plan.needs, "it would wait for itself"


def test_caches_wait_for_all_that_they_could_be_made_of() -> None:
    for cache in CACHES.values():
        plan = placed(PartPlan(task="redis_sync", part=cache.part))
        assert (plan.stage, plan.needs) == (CACHE_STAGE, BEFORE_CACHES)
        assert BY_NAME.keys() >= {*cache.made_from, *cache.requires}


def test_a_part_that_no_declaration_knows_has_no_place() -> None:
    assert kind_of("ohlc_daily", "horoscope") is None
    with pytest.raises(Misdeclared, match="no declaration knows a part horoscope of ohlc_daily"):
        placed(PartPlan(task="ohlc_daily", part="horoscope"))


def test_what_covers_sessions_has_a_window_or_a_rule_of_its_own() -> None:
    for one in DATA_SETS:
        if one.covers in (Covers.SESSION, Covers.SYMBOL_AND_SESSION):
            assert one.window is not None or one.missing is not None, one.name

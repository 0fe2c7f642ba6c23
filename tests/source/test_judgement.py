"""Claims which run may write where: every pair of what stands there and what the run loads from."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from consumer.massive.client import RAW
from consumer.massive.pagination import with_query
from consumer.postgres.source_stamp import LoadsHeld
from consumer.redis_cache.source_stamp import RedisHeld
from consumer.source.judgement import (
    Held,
    SourceRefused,
    Unstamped,
    grouped_daily_target,
    refuse_postgres,
    refuse_redis,
    told_by,
)
from market.data_source import VENDOR, DataSource, replay_source, simulated_source
from simulated_market.answer import request_id_of

SANDBOX = simulated_source(seed=1, tickers=50)
LARGER = simulated_source(seed=1, tickers=60)
RESEEDED = simulated_source(seed=2, tickers=50)
REPLAY = replay_source(digest="0123456789abcdef", name="real-market")
GROWN = replay_source(digest="fedcba9876543210", name="real-market")
ALL = (VENDOR, SANDBOX, LARGER, RESEEDED, REPLAY, GROWN)
DAY = dt.date(2025, 11, 11)
OURS = request_id_of(grouped_daily_target(DAY))
CACHES = {"cache:atr": json.dumps({"fence": 7})}


def refused(check: object, *arguments: object, **named: object) -> str:
    """The refusal's text; "" where there is none."""
    try:
        check(*arguments, **named)  # type: ignore[operator]
    except SourceRefused as error:
        return str(error)
    return ""


@pytest.mark.parametrize("held", ALL, ids=lambda one: one.slug)
def test_a_stamp_lets_in_its_own_source_only_and_the_refusal_names_both_and_the_cure(held: DataSource) -> None:
    for ours in ALL:
        for text, other in (
            (refused(refuse_postgres, ours, held), "another, empty database in DATABASE_URL"),
            (refused(refuse_redis, ours, RedisHeld(stamp=held.mark), cache_tokens={}), "another database number"),
        ):
            assert bool(text) != ours.is_same(held)
            if text:
                assert (VENDOR.words if held is VENDOR else held.identity[:8]) in text
                assert ours.words in text
                assert other in text
                assert "nothing was written" in text


@pytest.mark.parametrize(
    ("held", "cure"),
    [
        (VENDOR, "set MASSIVE_API_KEY and leave MARKET_DATA_FOLDER, --simulated and --replay out"),
        (RESEEDED, "SIMULATED_SEED=2 and --simulated --tickers 50"),
        (REPLAY, "start with --replay and the folder real-market as it was"),
    ],
    ids=lambda one: getattr(one, "slug", ""),
)
def test_the_cure_says_how_to_go_on_with_the_data_that_is_there(held: DataSource, cure: str) -> None:
    assert cure in refused(refuse_postgres, LARGER, held)


@pytest.mark.parametrize(
    ("held", "let_in"),
    [
        (Unstamped.EMPTY, ALL),
        (Unstamped.VENDOR, (VENDOR,)),
        (Unstamped.SIMULATED, (SANDBOX, LARGER, RESEEDED)),
        (Unstamped.REPLAYED, (REPLAY, GROWN)),
        (Unstamped.MIXED, ()),
        (Unstamped.UNTOLD, ()),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_a_database_from_before_the_stamp_is_taken_for_what_its_loads_say_or_asked_about(
    held: Held, let_in: tuple[DataSource, ...]
) -> None:
    for ours in ALL:
        text = refused(refuse_postgres, ours, held)
        assert (ours in let_in) == (text == ""), (ours, text)
        if held in (Unstamped.MIXED, Unstamped.UNTOLD):
            assert "maintenance adopt --source" in text


@pytest.mark.parametrize(
    ("loads", "told"),
    [
        (LoadsHeld(), Unstamped.EMPTY),
        (LoadsHeld(loads=3), Unstamped.UNTOLD),
        (LoadsHeld(loads=3, request_ids=((DAY, "6a7e466379af0a71039d60cc78e72282"),)), Unstamped.VENDOR),
        (LoadsHeld(loads=3, request_ids=((DAY, OURS),)), Unstamped.SIMULATED),
        (LoadsHeld(loads=3, request_ids=((DAY, OURS),), replayed=True), Unstamped.REPLAYED),
        (LoadsHeld(loads=9, request_ids=((DAY, OURS), (DAY, "f" * 32)), replayed=True), Unstamped.MIXED),
        # The same id for another day is no answer to that day's question.
        (LoadsHeld(loads=1, request_ids=((dt.date(2025, 11, 10), OURS),)), Unstamped.VENDOR),
    ],
)
def test_request_ids_tell_the_simulated_market_from_the_vendor(loads: LoadsHeld, told: Unstamped) -> None:
    assert told_by(loads) is told


def test_the_question_whose_id_is_known_is_the_one_that_is_asked() -> None:
    asked = with_query(f"/v2/aggs/grouped/locale/us/market/stocks/{DAY}", RAW.items())
    assert grouped_daily_target(DAY) == asked


@pytest.mark.parametrize(
    ("redis", "tokens", "sandbox_may"),
    [
        (RedisHeld(), {}, True),
        (RedisHeld(cached="metadata:ticker:AAPL"), {}, False),
        (RedisHeld(cached="maintenance:caches", marks=CACHES), {}, False),
        (RedisHeld(cached="maintenance:caches", marks=CACHES), {"cache:atr": 7}, True),
        (RedisHeld(cached="maintenance:caches", marks=CACHES), {"cache:atr": 8}, False),
        (RedisHeld(cached="maintenance:caches", marks=CACHES), {"cache:atr": 7, "cache:metadata": 6}, False),
        (RedisHeld(cached="maintenance:caches", marks={"cache:atr": "rubbish"}), {"cache:atr": 7}, False),
    ],
)
def test_a_simulated_market_keeps_off_caches_that_its_ledger_has_not_written(
    redis: RedisHeld, tokens: dict[str, int], sandbox_may: bool
) -> None:
    for ours in (SANDBOX, REPLAY):
        text = refused(refuse_redis, ours, redis, cache_tokens=tokens)
        assert (text == "") == sandbox_may
        assert sandbox_may or "may be other services'" in text
    assert refused(refuse_redis, VENDOR, redis, cache_tokens=tokens) == "", "the vendor's run takes them over"


def test_a_stamp_that_cannot_be_read_is_asked_about_by_everybody() -> None:
    for ours in ALL:
        text = refused(refuse_redis, ours, RedisHeld(stamp="{rubbish}"), cache_tokens={})
        assert "{rubbish}" in text
        assert "maintenance adopt" in text

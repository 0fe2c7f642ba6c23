"""Settings: any text for any variable gives settings or a refusal that names the variable and repeats no secret."""

from __future__ import annotations

import asyncio
import datetime as dt
import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from consumer.runtime import connect_blocking_redis, connect_redis
from consumer.settings import SETTINGS, BadSettings, Settings, build_calendar, read_settings
from market.schedule import Schedule
from producers.market_session.settings import read_settings as read_for_the_producer

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 25, 21, tzinfo=dt.UTC)
SECRET = "hunter2-and-more"
NAMES = [setting.name for setting in SETTINGS]
SECRETS = [setting.name for setting in SETTINGS if setting.secret or setting.hidden]
# Texts that look like values, so that more than the first check is reached.
TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(alphabet=string.digits + ":.smh+-/s3 ", max_size=12),
    st.sampled_from(["redis", "rediss", "unix", "postgresql", "postgres", "http", "https", "s3"]).flatmap(
        lambda scheme: st.text(alphabet="ab0159:/@?&=#%[],. ~", max_size=30).map(lambda rest: f"{scheme}://{rest}")
    ),
)


def problems_of(environment: dict[str, str]) -> list[str]:
    try:
        read_settings(environment)
    except BadSettings as refused:
        return refused.problems
    return []


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(NAMES), suffix=st.sampled_from(["", "_FILE"]), value=TEXTS)
@example(name="EARLY_EXTENDED_CLOSE", suffix="", value="15:00")
@example(name="REDIS_URL", suffix="", value="redis://host:port/0")
@example(name="DATABASE_URL", suffix="", value="postgresql://[::1/x")
@example(name="MASSIVE_API_KEY", suffix="_FILE", value="/dev/zero")
@example(name="DATA_DIR", suffix="", value="a\0b")
@example(name="SLOT_SESSIONS", suffix="", value="１２")
def test_any_text_for_any_setting_gives_settings_that_work_or_a_refusal_that_names_it(
    name: str, suffix: str, value: str
) -> None:
    try:
        found = read_settings({name + suffix: value})
    except BadSettings as refused:
        assert all(name in problem for problem in refused.problems)
        return
    if name in ("EARLY_EXTENDED_CLOSE", "TRADING_CALENDAR_OVERRIDES", "MAINTENANCE_SCHEDULE"):
        assert Schedule(build_calendar(found), found.rules).next_due(NOW)
    if found.redis_url is not None:
        connect_blocking_redis(found.redis_url).connection_pool.make_connection()
        connect_redis(found.redis_url).connection_pool.make_connection()


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(SECRETS), before=TEXTS, after=TEXTS)
@example(name="REDIS_URL", before="redis://:", after="@host:port/0")
@example(name="REDIS_URL", before="redis://host/0?", after="=1")
@example(name="REDIS_URL", before="redis://host:", after="")
@example(name="DATABASE_URL", before="postgresql://u:", after="@h:99999/x")
@example(name="MASSIVE_BASE_URL", before="https://h/?apiKey=", after="")
@example(name="MASSIVE_S3_ENDPOINT", before="ftp://u:", after="@h")
@example(name="MASSIVE_API_KEY", before="", after="\n")
def test_no_refusal_repeats_what_may_be_a_secret(name: str, before: str, after: str) -> None:
    assert SECRET not in "\n".join(problems_of({name: before + SECRET + after, "SLOT_SESSIONS": "none"}))


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [
        ("EARLY_EXTENDED_CLOSE", "15:00", "from 16:00 to 20:00"),
        ("REDIS_URL", "redis://host:port/0", "port from 1 to 65535"),
        ("REDIS_URL", "redis://host:70000/0", "port from 1 to 65535"),
        ("REDIS_URL", "redis://host:6379/zero", "database number"),
        ("REDIS_URL", "redis://host/0?frobnicate=1", "parameter frobnicate"),
        ("REDIS_URL", "redis://host/0?socket_timeout=1", "leave it out"),
        ("REDIS_URL", "redis://host/0?ssl_ca_certs=/ca.pem", "leave it out"),
        ("REDIS_URL", "redis://host/0?db=1&db=2", "twice"),
        ("REDIS_URL", "redis://:pa#ss@host/0", "%23"),
        ("REDIS_URL", "redis://:p@ss/w@host:x/0", "%2F"),
        ("REDIS_URL", "redis:host", "//"),
        ("REDIS_URL", "unix://", "names no socket"),
        ("DATABASE_URL", "postgresql://u:p@host:port/x", "port from 1 to 65535"),
        ("DATABASE_URL", "postgresql://u:p@host/x?frobnicate=1", "parameter frobnicate"),
        ("DATABASE_URL", "postgresql://u:p@host/x?connect_timeout=3", "leave it out"),
        ("DATABASE_URL", "postgresql://u:p@host/x?port=none", "port from 1 to 65535"),
        ("DATABASE_URL", "postgresql://u:p@host/x?sslmode=yes", "verify-full"),
        ("DATABASE_URL", "mysql://u:p@host/x", "postgresql://"),
        ("MASSIVE_BASE_URL", "https://host:port", "port from 1 to 65535"),
        ("MASSIVE_S3_ENDPOINT", "https://", "names no host"),
        ("MASSIVE_ENDPOINT_BUDGETS", "range_bars=40/s range_bars=50/s", "keep one"),
        ("HTTP_HOST", "not an address", "0.0.0.0"),
        ("HTTP_ALLOWED_HOSTS", "good.example *", "maintenance.example.com"),
        ("MAINTENANCE_SCHEDULE", "POST_MARKET+1x", "+1h30m"),
        ("MAINTENANCE_PART_TIMEOUT", "10s", "MAINTENANCE_LEASE"),
        ("MASSIVE_API_KEY_FILE", "/nowhere/key", "correct the path"),
        ("DATA_DIR", "/dev/null", "name a folder"),
    ],
)
def test_a_value_that_would_fail_later_is_refused_when_read_with_its_name_and_cure(
    name: str, value: str, cure: str
) -> None:
    others = {"MAINTENANCE_LEASE": "20s", "MASSIVE_API_KEY": "key"} if "_FILE" not in name else {}
    (problem,) = problems_of({**others, name: value})
    assert problem.startswith(name)
    assert cure in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "redis://localhost"),
        ("REDIS_URL", "redis://:p%40ss%2Fw@[::1]:6379/0"),
        ("REDIS_URL", "rediss://user:word@host:6380/3?ssl_cert_reqs=none&client_name=me"),
        ("REDIS_URL", "unix:///run/redis.sock?db=2"),
        ("DATABASE_URL", "postgresql://postgres@/postgres?host=/run/pg&port=5432"),
        ("DATABASE_URL", "postgres://u:p%23w@one:5432,two:5433/db?sslmode=verify-full&target_session_attrs=read-write"),
        ("DATABASE_URL", "postgresql:///db"),
        ("HTTP_HOST", "::1"),
        ("HTTP_HOST", "127.0.0.2"),
        ("HTTP_ALLOWED_HOSTS", "a.example, b.example"),
    ],
)
def test_what_drivers_understand_is_taken_as_it_is(name: str, value: str) -> None:
    assert problems_of({name: value}) == []


def test_all_bad_values_are_told_together_and_one_that_was_refused_contradicts_nothing() -> None:
    bad = {"SLOT_SESSIONS": "4", "MAINTENANCE_API_TOKEN_FILE": "/nowhere", "HTTP_HOST": "0.0.0.0", "LOG_LEVEL": "loud"}
    problems = problems_of(bad)
    assert [problem.partition("=")[0] for problem in problems] == [
        "SLOT_SESSIONS", "MAINTENANCE_API_TOKEN_FILE", "LOG_LEVEL",
    ]  # fmt: skip


@pytest.mark.parametrize("held", [b"", b" \n", b"\xff\xfe" + SECRET.encode(), b"one\ntwo"])
def test_a_secret_in_a_file_that_holds_none_is_refused_and_not_repeated(tmp_path: Path, held: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(held)
    (problem,) = problems_of({"MASSIVE_API_KEY_FILE": str(file)})
    assert "MASSIVE_API_KEY_FILE" in problem
    assert SECRET not in problem
    assert "0xff" not in problem


def test_every_process_reads_a_setting_alike(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("redis://:word@elsewhere:6379/3\n")
    environment = {"REDIS_URL_FILE": str(file), "EARLY_EXTENDED_CLOSE": "20:00", "SESSION_CATCH_UP_DAYS": "3"}
    consumer, producer = read_settings(environment), read_for_the_producer(environment)
    assert isinstance(consumer, Settings)
    assert producer.redis_url == consumer.redis_url == "redis://:word@elsewhere:6379/3"
    assert producer.catch_up.days == consumer.session_catch_up_days == 3
    for name, value in (("EARLY_EXTENDED_CLOSE", "15:00"), ("REDIS_URL", "redis://h:p"), ("LOG_LEVEL", "loud")):
        with pytest.raises(BadSettings) as refused:
            read_for_the_producer({name: value})
        assert refused.value.problems == problems_of({name: value})


async def test_a_url_that_was_taken_makes_a_client(redis_url: str) -> None:
    async with connect_redis(read_settings({"REDIS_URL": redis_url}).redis_url or "") as redis:
        async with asyncio.timeout(5):
            assert await redis.ping()


@pytest.mark.parametrize("between", ["\n", "\r\n", "\t", "  \n\t"])
def test_the_words_of_a_list_may_stand_on_lines_of_their_own_as_in_a_block_of_yaml(between: str) -> None:
    lists = {
        "MAINTENANCE_SCHEDULE": "POST_MARKET+1h CLOSED+15m",
        "MASSIVE_ENDPOINT_BUDGETS": "range_bars=40/s ticker_details=300/m",
        "HTTP_ALLOWED_HOSTS": "a.example b.example",
    }
    broken = {name: value.replace(" ", between) + "\n" for name, value in lists.items()}
    assert read_settings(broken) == read_settings(lists)
    for no_list in ({"HTTP_HOST": f"a{between}b"}, {"HTTP_ALLOWED_HOSTS": "a\x1cb"}, {"HTTP_ALLOWED_HOSTS": "a\x00b"}):
        assert any("control character" in problem for problem in problems_of(no_list)), no_list


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"ALERT_WEBHOOK_SECRET": "open sesame"}, "ALERT_WEBHOOK_SECRET signs what goes to ALERT_WEBHOOK_URL"),
        ({"ALERT_WEBHOOK_URL": "https://x.example/y", "ALERT_WEBHOOK_SECRET": "whsec_no base64"}, "no base64: copy it"),
        ({"HEALTHCHECK_URL": "hc-ping.com/17"}, "is no URL of the kind http"),
    ],
)
def test_an_address_or_key_that_could_not_be_used_is_refused_unsaid(environment: dict[str, str], problem: str) -> None:
    with pytest.raises(BadSettings, match=problem) as refused:
        read_settings({"MASSIVE_API_KEY": "k", **environment})
    assert not any(value in str(refused.value) for value in ("open sesame", "whsec_no base64", "hc-ping.com/17"))


def test_a_webhooks_address_may_have_parameters() -> None:
    url = "https://prod.example.com/workflows/17/triggers?api-version=1&sig=abc"
    assert read_settings({"MASSIVE_API_KEY": "k", "ALERT_WEBHOOK_URL": url}).alert_webhook_url == url

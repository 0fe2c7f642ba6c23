"""An environment that configures servers, in whatever spelling, is understood or refused by name, never passed over.

The names are those of the compose file and the settings of the service that this one replaces, of libpq, of the images.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from asyncpg.connect_utils import _parse_connect_dsn_and_args
from hypothesis import given
from hypothesis import strategies as st

from consumer.runtime import connect_blocking_redis
from consumer.settings import SETTINGS, BadSettings, Settings, read_settings
from process.redaction import forget, redacted
from process.settings.secret_values import hide_secrets
from process.settings.understood import set_anew
from producers.market_session.settings import read_settings as read_for_the_producer

if TYPE_CHECKING:
    from pathlib import Path

SESAME = "open-Sesame-17"
#: As their compose file and .env give them to this service.
THEIRS = {
    "TIMEZONE": "America/New_York", "MAINTENANCE_SCHEDULE": "MARKET_CLOSE", "POLYGON_API_KEY": "key-of-the-vendor",
    "REDIS_HOST": "redis", "REDIS_PORT": "6379", "REDIS_DB": "0", "REDIS_PASSWORD": SESAME,
    "DB_HOST": "timescaledb", "DB_PORT": "5432", "DB_NAME": "tradeul", "DB_USER": "tradeul_user", "DB_PASSWORD": SESAME,
    "POSTGRES_DB": "tradeul", "POSTGRES_USER": "tradeul_user", "POSTGRES_PASSWORD": SESAME,
    "POLYGON_S3_ACCESS_KEY": "", "POLYGON_S3_SECRET_KEY": "", "LOG_LEVEL": "INFO", "LOG_FORMAT": "json",
}  # fmt: skip

# NUL, line breaks and halves of pairs no environment holds, or no setting takes.
passwords = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30)


def problems_of(environment: dict[str, str]) -> list[str]:
    try:
        read_settings(environment)
    except BadSettings as refused:
        return refused.problems
    return []


def redis_of(found: Settings) -> dict[str, object]:
    assert found.redis_url is not None
    kwargs: dict[str, object] = dict(connect_blocking_redis(found.redis_url).connection_pool.connection_kwargs)
    return {name: kwargs.get(name) for name in ("host", "port", "db", "username", "password", "path") if name in kwargs}


def postgres_of(found: Settings) -> tuple[list[tuple[str, int]], str, str, str | None]:
    """Host and port, user, database and password, as the driver reads the URL that we give it."""
    addresses, parameters = _parse_connect_dsn_and_args(
        dsn=found.database_url, host=None, port=None, user=None, password=None, passfile=None, database=None, ssl=None,
        direct_tls=None, server_settings=None, target_session_attrs=None, krbsrvname=None, gsslib=None,
        service=None, servicefile=None,
    )[:2]  # fmt: skip
    return addresses, parameters.user, parameters.database, parameters.password


def test_the_environment_of_the_earlier_service_means_what_it_meant() -> None:
    found = read_settings(THEIRS)
    assert redis_of(found) == {"host": "redis", "port": 6379, "db": 0, "password": SESAME}
    assert postgres_of(found) == ([("timescaledb", 5432)], "tradeul_user", "tradeul", SESAME)
    assert [rule.text for rule in found.rules] == ["POST_MARKET+1h", "CLOSED+15m"]
    assert found.api_key == "key-of-the-vendor"
    assert read_for_the_producer(THEIRS).redis_url == found.redis_url


def test_names_in_small_letters_mean_the_same_as_they_did_there() -> None:
    assert read_settings({name.lower(): text for name, text in THEIRS.items()}) == read_settings(THEIRS)


@given(user=passwords, password=passwords, name=passwords.filter(lambda text: "/" not in text))
def test_any_user_password_and_database_reach_the_driver_as_they_are(user: str, password: str, name: str) -> None:
    found = read_settings({"DB_HOST": "h", "DB_USER": user, "DB_PASSWORD": password, "DB_NAME": name})
    assert postgres_of(found) == ([("h", 5432)], user, name, password)
    found = read_settings({"REDIS_HOST": "h", "REDIS_USERNAME": user, "REDIS_PASSWORD": password})
    assert (redis_of(found)["username"], redis_of(found)["password"]) == (user, password)


@pytest.mark.parametrize("prefix", ["DB_", "DATABASE_", "POSTGRES_", "POSTGRESQL_", "PG", "PG_", "TIMESCALE_", "DB"])
@pytest.mark.parametrize("name", ["DB", "NAME", "DATABASE", "DBNAME"])
def test_every_family_of_names_configures_the_database(prefix: str, name: str) -> None:
    given_ = {f"{prefix}HOST": "h:5433", f"{prefix}USER": "u", f"{prefix}{name}": "d", f"{prefix}PASSWORD": "p"}
    assert postgres_of(read_settings(given_)) == ([("h", 5433)], "u", "d", "p")


@pytest.mark.parametrize(
    "name", ["DATABASE_URI", "database_url", "DB_URL", "POSTGRES_URL", "TIMESCALE_DSN", "SQLALCHEMY_DATABASE_URI",
             "PG_URI", "POSTGRESQL_URL", "async_database_url", "DB_CONNECTION_STRING"]
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg2"])
def test_every_name_of_a_url_configures_the_database_whatever_driver_it_names(name: str, scheme: str) -> None:
    assert postgres_of(read_settings({name: f"{scheme}://u:p@h/d"})) == ([("h", 5432)], "u", "d", "p")


@pytest.mark.parametrize(
    "half",
    [
        {"DB_HOST": "timescaledb"},
        {"DB_PASSWORD": SESAME},
        {"POSTGRES_PASSWORD": SESAME, "POSTGRES_USER": "u", "POSTGRES_DB": "d"},
        {"TIMESCALE_HOST": "h", "TIMESCALE_DB": "d"},
        {"PGUSER": "u"},
        {"PGSERVICE": "prod"},
        {"database_host": "h"},
        {"REDIS_PASSWORD": SESAME},
        {"REDIS_PORT": "6380"},
        {"redis_db": "1"},
        {"REDIS_HOST": "h", "REDIS_SSL": "true"},
    ],
    ids=lambda half: " ".join(half),
)
def test_half_an_address_is_refused_with_its_names_and_ours_and_no_server_of_ours_is_started(
    half: dict[str, str],
) -> None:
    (problem,) = problems_of(half)
    assert any(name.upper() in problem for name in half)
    assert "REDIS_URL" in problem or "DATABASE_URL" in problem
    assert SESAME not in problem


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({"DATABASE_URL": f"postgresql://u:{SESAME}@h/d", "DB_HOST": "other"}, ("DATABASE_URL", "DB_HOST")),
        ({"DATABASE_URL": f"postgresql://u:{SESAME}@h/d", "DB_PASSWORD": "x"}, ("DATABASE_URL", "DB_PASSWORD")),
        ({"DATABASE_URL": "postgresql://u@h/d", "TIMESCALE_DB": "e"}, ("DATABASE_URL", "TIMESCALE_DB")),
        ({"DATABASE_URL": "postgresql://u@h/d", "DB_URL": "postgresql://u@g/d"}, ("DATABASE_URL", "DB_URL")),
        ({"DB_HOST": "h", "POSTGRES_HOST": "g", "DB_NAME": "d", "DB_USER": "u"}, ("DB_HOST", "POSTGRES_HOST")),
        ({"REDIS_URL": "redis://h:6380", "REDIS_PORT": "6379"}, ("REDIS_URL", "REDIS_PORT")),
        ({"REDIS_URL": "redis://h/1", "REDIS_DB": "0"}, ("REDIS_URL", "REDIS_DB")),
        ({"REDIS_URL": "redis://h", "redis_url": "redis://g"}, ("REDIS_URL", "redis_url")),
        ({"MASSIVE_API_KEY": SESAME, "POLYGON_API_KEY": "other"}, ("MASSIVE_API_KEY", "POLYGON_API_KEY")),
        ({"SESSION_EVENTS_STREAM": "a", "STREAM_SESSION_EVENTS": "b"}, ("SESSION_EVENTS_STREAM", "STREAM_SESSION_")),
    ],
    ids=lambda what: " ".join(what),
)  # fmt: skip
def test_two_names_of_one_thing_that_differ_are_refused_with_both(
    environment: dict[str, str], names: tuple[str, str]
) -> None:
    (problem,) = problems_of(environment)
    assert all(name in problem for name in names)
    assert SESAME not in problem


@pytest.mark.parametrize(
    ("environment", "redis", "database"),
    [
        ({"REDIS_URL": "redis://h:6379/0", "REDIS_HOST": "H", "REDIS_PORT": "6379"}, "redis://h:6379/0", None),
        ({"REDIS_URL": "redis://h", "REDIS_PASSWORD": "p"}, "redis://:p@h", None),
        ({"REDIS_URL": "rediss://h?ssl_cert_reqs=none", "REDIS_SSL": "true"}, "rediss://h?ssl_cert_reqs=none", None),
        ({"DATABASE_URL": "postgresql://u@h/d", "PGPASSWORD": "p"}, None, "postgresql://u:p@h/d"),
        ({"DATABASE_URL": "postgresql://u@a,b/d", "PGHOST": "a"}, None, "postgresql://u@a,b/d"),
        ({"PGHOST": "/run/postgresql", "PGUSER": "u", "PGDATABASE": "d"}, None, "postgresql://u@/d?host=/run/postgresql"),
        ({"REDIS_HOST": "::1"}, "redis://[::1]/", None),
        # What Kubernetes says of a service called redis, nobody has configured.
        ({"REDIS_PORT": "tcp://10.0.0.1:6379", "REDIS_SERVICE_HOST": "10.0.0.1"}, None, None),
        ({"PGDATA": "/var/lib", "PG_VERSION": "17", "DB_POOL_SIZE": "5", "REDIS_SSL": "false"}, None, None),
    ],
    ids=str,
)  # fmt: skip
def test_what_agrees_is_one_address_and_what_is_no_address_none(
    environment: dict[str, str], redis: str | None, database: str | None
) -> None:
    found = read_settings(environment)
    assert (found.redis_url, found.database_url) == (redis, database)


def test_a_password_may_stand_in_a_file_under_any_name(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SESAME}\n")
    server = {"DB_HOST": "h", "DB_NAME": "d", "DB_USER": "u", "DB_PASSWORD_FILE": str(tmp_path / "secret")}
    assert postgres_of(read_settings(server))[-1] == SESAME


@pytest.mark.parametrize(
    ("name", "same", "other"),
    [("TIMEZONE", "US/Eastern", "UTC"), ("MARKET_CLOSE", "16:00", "13:00"), ("POST_MARKET_END", "20:00", "18:00"),
     ("KEY_PREFIX_MARKET", "market", "mkt"), ("RVOL_SLOT_MINUTES", "5", "1")],
)  # fmt: skip
def test_what_cannot_be_set_here_is_accepted_where_it_is_so_and_refused_where_it_is_not(
    name: str, same: str, other: str
) -> None:
    assert problems_of({name: same}) == []
    (problem,) = problems_of({name: other})
    assert problem.startswith(name)


def test_a_child_is_given_a_setting_anew_without_the_spellings_that_its_parent_had() -> None:
    parent = {"POLYGON_API_KEY": SESAME, "massive_api_key_file": "/nowhere", "maintenance_catch_up": "on", "PATH": "/"}
    anew = set_anew(parent, SETTINGS, {"MASSIVE_API_KEY": "simulated-market", "MAINTENANCE_CATCH_UP": "off"})
    found = read_settings(parent | anew)
    assert (found.api_key, found.catch_up) == ("simulated-market", False)


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "redis_password", "PGPASSWORD", "POLYGON_S3_SECRET_KEY", "DATABASE_URI"]
)
def test_a_secret_is_hidden_in_all_that_is_said_under_whatever_name_it_came(name: str) -> None:
    value = f"postgresql+asyncpg://u:{SESAME}@h/d" if name == "DB_URI" else SESAME
    try:
        hide_secrets(SETTINGS, {name: value})
        assert SESAME not in redacted(f"connecting with {SESAME} failed")
    finally:
        forget()


@pytest.mark.parametrize(
    "command", [("consumer.terminal", "run", "--once"), ("consumer.terminal", "doctor"), ("consumer",)]
)
def test_no_command_starts_servers_of_ours_beside_half_an_address_or_says_its_secret(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "DATA_DIR": str(tmp_path / "data"), "DB_PASSWORD": SESAME, "redis_password": "x:/@"},
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 2
    assert "DB_PASSWORD is set, DB_HOST and DB_NAME and DB_USER are not" in said
    assert "Sesame" not in said
    assert not (tmp_path / "data").exists()

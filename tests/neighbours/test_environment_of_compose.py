"""The compose fragment adds one service to a stack that runs, under the names its people know, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.earlier_settings import EARLIER
from consumer.settings import SETTINGS, hears_others, read_settings
from consumer.worker_settings import required
from process.settings.server_names import is_of_a_server
from process.settings.understood import names_of

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.join.yml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICE: dict[str, Any] = COMPOSE["services"]["data_maintenance"]
#: Of the compose specification what a service of ours has use for; another word is a typing error to it.
WORDS = {
    "build", "image", "container_name", "command", "init", "restart", "read_only", "tmpfs", "cap_drop", "security_opt",
    "stop_grace_period", "networks", "ports", "environment",
}  # fmt: skip
THEIRS = {"DB_PASSWORD": "open-Sesame-17", "POLYGON_API_KEY": "key", "MAINTENANCE_API_TOKEN": "a-token-of-ours"}


def filled(environment: dict[str, str]) -> dict[str, str]:
    """The container's environment, as compose fills it from *environment*."""

    def fill(match: re.Match[str]) -> str:
        name, how, other = match[1], match[2], match[3]
        if environment.get(name):
            return environment[name]
        if how == ":?":
            raise LookupError(f"{name}: {other}")
        return str(other)

    pattern = re.compile(r"\$\{(\w+)(:[-?])([^}]*)\}")
    return {name: pattern.sub(fill, str(text)) for name, text in SERVICE["environment"].items()}


def test_it_starts_this_service_alone_under_the_names_that_people_type() -> None:
    assert list(COMPOSE["services"]) == ["data_maintenance"]
    assert SERVICE["container_name"] == "tradeul_data_maintenance"
    assert SERVICE["ports"] == ["127.0.0.1:8008:8008"]
    assert SERVICE["command"] == ["python", "-m", "consumer"]  # no producer, no servers, no simulated market
    assert set(SERVICE) <= WORDS, "depends_on, links, volumes_from and profiles would start or want others"


def test_it_joins_a_network_that_is_there_and_makes_none_and_no_volume() -> None:
    assert set(COMPOSE) == {"name", "services", "networks"}
    [network] = COMPOSE["networks"].values()
    assert network["external"] is True
    assert SERVICE["networks"] == list(COMPOSE["networks"])


def test_every_variable_that_it_sets_is_one_that_the_settings_know() -> None:
    known = names_of(SETTINGS) | frozenset(EARLIER) | {"OTEL_EXPORTER_OTLP_ENDPOINT"}  # which OpenTelemetry reads
    assert [name for name in SERVICE["environment"] if name not in known and not is_of_a_server(name)] == []


def test_with_three_secrets_it_is_a_consumer_beside_their_servers_and_their_market_session() -> None:
    settings = read_settings(filled(THEIRS))
    assert [name for name, value, _ in required(settings) if value is None] == []
    assert settings.redis_url == "redis://redis:6379/0"
    assert settings.database_url == "postgresql://tradeul_user:open-Sesame-17@timescaledb:5432/tradeul"
    assert hears_others(settings)
    assert settings.session_events_stream == "events:session"
    assert settings.session_events_channels == ("events:session:changed",)
    assert (settings.publish_completion, settings.publish_new_day) == (True, False)


def test_the_variables_of_their_own_env_file_are_followed() -> None:
    theirs = THEIRS | {"REDIS_PASSWORD": "p", "DB_USER": "other", "DB_NAME": "d", "MAINTENANCE_ALLOW_EVICTION": "on"}
    settings = read_settings(filled(theirs))
    assert (settings.redis_url, settings.allow_eviction) == ("redis://:p@redis:6379/0", True)
    assert settings.database_url == "postgresql://other:open-Sesame-17@timescaledb:5432/d"


@pytest.mark.parametrize("name", THEIRS)
def test_a_secret_that_lacks_is_named_before_anything_starts(name: str) -> None:
    with pytest.raises(LookupError, match=f"{name}: set it in .env"):
        filled({other: text for other, text in THEIRS.items() if other != name})


def test_the_readme_and_the_head_of_the_file_say_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for command in (
        "COMPOSE_FILE=compose.join.yml",
        "docker compose up -d data_maintenance",
        "docker logs tradeul_data_maintenance",
    ):
        assert command in readme
        assert command in TEXT


def test_the_images_build_has_what_it_copies() -> None:
    assert SERVICE["build"] == "."
    for folder in re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE):
        assert (ROOT / folder).is_dir()


def test_compose_itself_takes_the_file_where_it_is_installed() -> None:
    command = ["docker", "compose", "-f", "compose.join.yml", "config", "--services"]
    environment = {"PATH": os.environ["PATH"], **THEIRS}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT, env=environment
        )
    except FileNotFoundError:
        pytest.skip("there is no docker here")
    if (
        "unknown command" in done.stderr
        or "is not a docker command" in done.stderr
        or "unknown shorthand" in done.stderr
    ):
        pytest.skip("this docker has no compose")
    assert (done.returncode, done.stdout.split()) == (0, ["data_maintenance"]), done.stderr

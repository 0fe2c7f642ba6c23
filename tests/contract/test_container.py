"""The image and the compose file ask and set what the program has: its health check, its settings, its tokens."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.settings import SETTINGS, BadSettings, read_settings
from consumer.worker_settings import missing
from process.settings.understood import names_of

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SECRETS = {"POSTGRES_PASSWORD": "letters1", "MAINTENANCE_API_TOKEN": "a-token", "MASSIVE_API_KEY": "key"}


def filled(environment: dict[str, str]) -> dict[str, str]:
    """The consumer's environment, as compose fills it."""
    wanted = COMPOSE["services"]["consumer"]["environment"]
    pattern = re.compile(r"\$\{(\w+)(?::[-?][^}]*)?\}")
    return {name: pattern.sub(lambda match: environment.get(match[1], ""), str(text)) for name, text in wanted.items()}


def test_the_health_check_of_the_image_is_a_module_that_it_holds() -> None:
    module = re.search(r'HEALTHCHECK .* CMD \["python", "-m", "([\w.]+)"\]', (ROOT / "Dockerfile").read_text("utf-8"))
    assert module is not None
    assert importlib.util.find_spec(module[1]) is not None
    assert f"COPY {module[1].split('.')[0]} " in (ROOT / "Dockerfile").read_text("utf-8")


def test_with_three_secrets_compose_starts_a_consumer_that_listens_beyond_loopback_with_a_token() -> None:
    settings = read_settings(filled(SECRETS))
    assert missing(settings) == []
    assert (settings.http_host, settings.api_token, settings.read_token) == ("0.0.0.0", "a-token", None)
    assert read_settings(filled(SECRETS | {"MAINTENANCE_READ_TOKEN": "r"})).read_token == "r"
    of_the_exporter = {"OTEL_EXPORTER_OTLP_ENDPOINT"}  # OpenTelemetry reads it by itself
    assert [name for name in filled(SECRETS) if name not in names_of(SETTINGS) | of_the_exporter] == []


def test_without_the_token_compose_names_it_and_the_program_would_not_start_either() -> None:
    assert ":?" in COMPOSE["services"]["consumer"]["environment"]["MAINTENANCE_API_TOKEN"]
    with pytest.raises(BadSettings, match="set MAINTENANCE_API_TOKEN as well"):
        read_settings(filled({name: text for name, text in SECRETS.items() if name != "MAINTENANCE_API_TOKEN"}))


def test_the_image_can_be_built_with_the_extra_that_traces_want_and_compose_hands_their_settings_through() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    assert re.search(r"^ARG EXTRAS=flat-files$", text, re.MULTILINE)
    assert '".[${EXTRAS}]"' in text
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert {"flat-files", "otel"} <= set(extras)
    assert "--build-arg EXTRAS=flat-files,otel" in (ROOT / "docs" / "metrics.md").read_text("utf-8")
    joined = yaml.safe_load((ROOT / "compose.join.yml").read_text("utf-8"))["services"]["data_maintenance"]
    for environment in (COMPOSE["services"]["consumer"]["environment"], joined["environment"]):
        for name in ("MAINTENANCE_TRACING", "OTEL_EXPORTER_OTLP_ENDPOINT"):
            assert environment[name] == f"${{{name}:-}}"
    assert read_settings(filled(SECRETS)).tracing is False

"""No secret leaves a process by what it says, whichever way it is written."""

from __future__ import annotations

import base64
import html
import io
import json
import sys
import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from consumer.alert_settings import ALERT_SETTINGS
from consumer.postgres.evidence import evidence_json
from process import redaction
from process.redaction import forget, guard_output, hide, redacted, secrets_of_url
from process.settings.secret_values import _secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = 'se/am é"+&<k=y>%'


@pytest.fixture(autouse=True)
def _as_in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(redaction, "_forms", set())
    monkeypatch.setattr(redaction, "_pattern", None)
    yield
    forget()


def forms(secret: str) -> dict[str, str]:
    raw = secret.encode()
    return {
        "as it is": secret,
        "percent-encoded": quote(secret, safe=""),
        "percent-encoded in small letters": quote(secret, safe="").lower(),
        "in a path": quote(secret),
        "in a query": quote_plus(secret),
        "in JSON": json.dumps(secret),
        "in JSON of JSON": json.dumps(json.dumps({"key": secret})),
        "in a repr": repr(secret),
        "in HTML": html.escape(secret),
        **{f"in base64 after {n}": base64.b64encode(b"user:"[:n] + raw + b"@").decode() for n in range(5)},
        "in base64 for URLs": base64.urlsafe_b64encode(raw).decode(),
    }


@pytest.mark.parametrize("form", forms(SECRET))
def test_a_secret_is_hidden_in_every_form_and_what_is_around_it_stays(form: str) -> None:
    hide([SECRET.lower() if "small" in form else SECRET])
    said = redacted(f"before {forms(SECRET)[form]} after")
    assert said.startswith("before ") and said.endswith(" after") and "***" in said
    assert not any(encoded in said for encoded in forms(SECRET).values())


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("redis://:sesame-1@host:6379/0", "sesame-1"),
        ("postgresql://user:ses%2Fame@host/db", "ses/ame"),
        ("postgresql://user:ses%2Fame@host/db", "ses%2Fame"),
        ("postgresql://host/db?user=u&password=sesame-1&sslmode=require", "sesame-1"),
        ("redis://user:sesame/and#more@host:6379", "sesame/and#more"),
        ("redis://user:sesame/and#more@host:6379", "sesame"),
    ],
)
def test_the_password_of_a_url_is_known_as_it_is_written_and_as_it_is_meant(url: str, password: str) -> None:
    assert password in set(secrets_of_url(url))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://maintenance:maintenance@h:5432/d",
        "postgresql://u:maintenance@h:5432/maintenance",
        "postgresql://h/d?user=maintenance&password=maintenance",
        "postgresql://maintenance:maintenance@h:99999999/d#torn",
    ],
)
def test_a_password_that_is_a_name_in_its_own_url_is_no_secret(url: str) -> None:
    assert "maintenance" not in set(secrets_of_url(url))


@pytest.mark.parametrize("url", ["https://sesame-1:sesame-1@host", "https://u:sesame-1@host/sesame-1"])
def test_a_key_that_stands_twice_in_the_address_of_a_vendor_is_a_secret(url: str) -> None:
    assert "sesame-1" in set(secrets_of_url(url))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:sesame-1@one.example:5432,two.example/prices?application_name=ann@desk",
        "redis://u:sesame-1@[::1]:6379/0?client_name=ann@desk",
        "unix://:sesame-1@/run/some/redis.sock?client_name=ann@desk",
    ],
)
def test_of_a_url_that_can_be_followed_the_password_alone_is_secret(url: str) -> None:
    assert set(filter(None, secrets_of_url(url))) == {"sesame-1"}


@pytest.mark.parametrize(
    "torn", ["ses/ame-1", "ses?ame-1", "ses#ame-1", "ses@me/and-1", "12/ame-1", "12?ame-1", "12#ame-1"]
)
def test_a_password_that_tears_its_url_apart_is_known_whole(torn: str) -> None:
    for server in ("u", ""):
        assert torn in set(secrets_of_url(f"redis://{server}:{torn}@host:6379/0"))


def test_short_words_and_numbers_are_left_alone_and_a_line_of_json_stays_one() -> None:
    hide(["redis", "123456", "12345678901", "987654321012"])
    line = {"server": "redis", "rows": 123456, "volume": 12345678901.0, "at": 9987654321012, "key": 987654321012}
    assert json.loads(redacted(json.dumps(line))) == line | {"key": 0}


def test_a_word_within_another_is_left_alone_and_a_word_behind_an_escape_is_hidden() -> None:
    hide(["maintenance", "AbCdEfGhIjKlMnOpQrStUv"])
    for name in ("maintenance_cycle_finished", "premaintenance", "maintenance2", "_maintenance"):
        assert redacted(name) == name
    for before in ("", ":", "%3A", "%2f", "\\n", "\\x1b", "\\u000a", "\x1b[31m", "\x1b[m", "=", "é"):
        for after in ("", "@", "%40", "\\n", "\x1b[0m", '"', "é"):
            assert redacted(f"{before}maintenance{after}") == f"{before}***{after}", (before, after)
    assert redacted("keyAbCdEfGhIjKlMnOpQrStUv9") == "key***9"


def test_a_shorter_secret_does_not_leave_the_rest_of_a_longer_one() -> None:
    hide(["sesame", "sesame/and#more"])
    assert redacted("sesame/and#more sesame") == "*** ***"


def test_whatever_a_process_writes_is_without_them_tracebacks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    monkeypatch.setattr(sys, "stdout", said)
    guard_output()
    guard_output()
    hide([SECRET])
    try:
        raise ValueError(f"bad url redis://:{SECRET}@host")
    except ValueError:
        traceback.print_exc()
    print("answered", SECRET, json.dumps(SECRET))
    sys.stderr.writelines([SECRET, "\n"])
    assert said.getvalue().count("***") == 4
    assert SECRET not in said.getvalue()


def test_what_is_kept_of_a_row_that_echoes_a_secret_is_without_it_and_can_be_read() -> None:
    hide([SECRET, "123456789012"])
    assert json.loads(evidence_json({"T": f"A{SECRET}", SECRET: 123456789012})) == {"T": "A***", "***": 123456789012}


def test_the_address_of_a_webhook_is_a_secret_whole_and_its_host_and_a_short_path_are_not() -> None:
    hook = "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"
    environment = {"ALERT_WEBHOOK_URL": hook, "HEALTHCHECK_URL": "http://pings.internal/alerts"}
    hide(_secrets(ALERT_SETTINGS, environment))
    assert "XXXX" not in redacted(f"refused: {hook}")
    assert "XXXX" not in redacted("POST /services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX")
    assert redacted("Cannot connect to host hooks.slack.com:443") == "Cannot connect to host hooks.slack.com:443"
    assert redacted("alerts_postponed") == "alerts_postponed"
    assert "pings.internal" not in redacted("http://pings.internal/alerts")

"""No command says a secret, whichever setting is wrong; `python -m tests.outages noisy-night` tries a night."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SESAME = "open-Sesame-17"
NOBODY = "127.0.0.1:9"
SERVERS = {"REDIS_URL": f"redis://:{SESAME}@{NOBODY}", "DATABASE_URL": f"postgresql://u:{SESAME}@{NOBODY}/d"}
COMMANDS = {
    "doctor, servers away": (("consumer.terminal", "doctor", "--offline"), SERVERS),
    "doctor, an address with a password": (
        ("consumer.terminal", "doctor", "--offline"),
        {**SERVERS, "MASSIVE_BASE_URL": f"ftp://user:{SESAME}@{NOBODY}", "MASSIVE_API_KEY": "any"},
    ),
    "consumer, an address with a password": (
        ("consumer", "--no-http"),
        {**SERVERS, "MASSIVE_S3_ENDPOINT": f"ftp://{SESAME}:{SESAME}@{NOBODY}", "MASSIVE_FLAT_FILES": f"s3://{SESAME}"},
    ),
    "producer, no URL of a Redis": (("producers.market_session",), {"REDIS_URL": f"http://:{SESAME}@{NOBODY}"}),
}


@pytest.mark.parametrize("what", COMMANDS)
def test_what_is_wrong_with_an_address_is_said_without_its_password(what: str, tmp_path: Path) -> None:
    arguments, settings = COMMANDS[what]
    done = subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "DATA_DIR": str(tmp_path), "HTTP_PORT": "0", "LOG_LEVEL": "debug", **settings},
    )  # fmt: skip
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert said
    assert "Sesame" not in said

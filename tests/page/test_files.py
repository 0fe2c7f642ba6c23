"""The page's files: small, of one place, and under a policy that lets nothing else in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import consumer.page

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient

    Client = TestClient[Any, Any]

FOLDER = Path(consumer.page.__file__).parent / "static"
HEAVIEST = 150_000
FILES = sorted(one.name for one in FOLDER.iterdir())


def test_the_page_weighs_less_than_a_photograph() -> None:
    assert sum((FOLDER / name).stat().st_size for name in FILES) < HEAVIEST


async def test_the_page_is_served_under_a_policy_that_lets_nothing_run_but_its_own_files(client: Client) -> None:
    answer = await client.get("/")
    assert (answer.status, answer.content_type) == (200, "text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    text = await answer.text()
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", text)


@pytest.mark.parametrize("name", FILES)
async def test_every_file_is_served_and_asks_for_nothing_from_elsewhere(client: Client, name: str) -> None:
    answer = await client.get(f"/page/files/{name}")
    assert answer.status == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    text = await answer.text()
    if not name.startswith("uPlot"):
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)
    for had in (answer.headers["ETag"], "*"):
        known = await client.get(f"/page/files/{name}", headers={"If-None-Match": had})
        assert known.status == 304, had


@pytest.mark.parametrize("name", ["other.js", "..%2f__init__.py", "%2e%2e/routes.py"])
async def test_there_is_no_other_file(client: Client, name: str) -> None:
    assert (await client.get(f"/page/files/{name}")).status == 404


def test_the_charts_come_with_their_licence() -> None:
    assert "MIT License" in (FOLDER / "uPlot-licence.txt").read_text("utf-8")

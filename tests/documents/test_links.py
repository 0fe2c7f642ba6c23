"""Every link of every document leads somewhere: to a file that is there, at a heading that it has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from tests.documents.documents import PATHS, ROOT, anchors, links, name_of, slug_of

if TYPE_CHECKING:
    from pathlib import Path

# Places of a running service, and of others; these are not asked by tests.
_ELSEWHERE = re.compile(r"https?://[a-z0-9.-]+(?::\d+)?(?:/[^\s]*)?", re.ASCII)


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_every_link_leads_to_a_file_that_is_there_and_a_heading_that_it_has(path: Path) -> None:
    lost = []
    for link in links(path):
        if link.startswith(("http://", "https://")):
            if not _ELSEWHERE.fullmatch(link):
                lost.append(link)
            continue
        parts = urlsplit(link)
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        is_there = not parts.scheme and target.exists() and target.is_relative_to(ROOT)
        if not is_there or parts.fragment not in ("", *(anchors(target) if target.suffix == ".md" else ())):
            lost.append(link)
    assert lost == []


def test_the_index_names_every_document_once() -> None:
    index = ROOT / "docs" / "README.md"
    named = [(index.parent / link).resolve() for link in links(index)]
    wanted = [path for path in PATHS if path.parent == index.parent and path != index]
    assert sorted(path for path in named if path.parent == index.parent and path.suffix == ".md") == wanted
    assert {ROOT / "README.md", ROOT / "streams.md", ROOT / "CHANGELOG.md"} <= set(named)


@pytest.mark.parametrize(
    ("heading", "slug"),
    [
        ("How fast", "how-fast"),
        ("Is the data whole?", "is-the-data-whole"),
        ("`maintenance:events`", "maintenanceevents"),
        ("GET /api/rvol/hist-avg", "get-apirvolhist-avg"),
        ("0028 Trades come [beside](x.md) the slots, and more", "0028-trades-come-beside-the-slots-and-more"),
    ],
)
def test_a_heading_has_the_anchor_that_a_browser_is_given(heading: str, slug: str) -> None:
    assert slug_of(heading) == slug

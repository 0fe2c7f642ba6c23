"""Reads this project's documents: their fenced blocks, their headings and their links."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
PATHS = tuple(sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]))
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!\\)\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_HEADING = re.compile(r"^#{1,6} +(.*?)(?: +#+)?$", re.MULTILINE)
_INLINE_CODE = re.compile(r"`[^`\n]*`")


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """A fenced block: the document it stands in, its language ("" where none is named) and its text."""

    path: Path
    language: str
    text: str


def name_of(path: Path) -> str:
    """The path as it is said in a failure."""
    return path.relative_to(ROOT).as_posix()


def fences(path: Path) -> list[Fence]:
    """The fenced blocks of a document, in order."""
    text = path.read_text("utf-8")
    return [Fence(path=path, language=one["language"], text=one["text"]) for one in _FENCE.finditer(text)]


def links(path: Path) -> list[str]:
    """The targets of the links and pictures of a document; not those that are shown as code."""
    prose = _INLINE_CODE.sub("", _FENCE.sub("", path.read_text("utf-8")))
    return [one[1] for one in _LINK.finditer(prose)]


def anchors(path: Path) -> set[str]:
    """What a link can name of a document after #, as GitHub makes it of the headings."""
    seen: Counter[str] = Counter()
    found = set()
    for one in _HEADING.finditer(_FENCE.sub("", path.read_text("utf-8"))):
        slug = slug_of(one[1])
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def slug_of(heading: str) -> str:
    """The anchor of a heading: small letters, digits, hyphens and underscores; blanks become hyphens."""
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")

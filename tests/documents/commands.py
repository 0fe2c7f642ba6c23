"""Takes the commands out of the documents' shell blocks, and says which are tried elsewhere or cannot be tried here."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import msgspec

from tests.documents.documents import PATHS, ROOT, fences, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHELLS = ("sh", "bash", "console")
#: Documents whose commands another test follows in order: one depends on what the one before has done.
FOLLOWED_ELSEWHERE = {
    "docs/adoption.md": "tests/neighbours/test_sql_adoption.py",
    "docs/extending.md": "tests/contract/test_extending.py",
    "docs/migration.md": "tests/neighbours/test_migration.py",
}
#: Programs that tests do not start, and why not.
NOT_STARTED = {
    "docker": "no container runs in tests; tests/neighbours/test_environment_of_compose.py reads the compose files",
    "xdg-open": "opens a person's browser; tests/browser opens the page in one",
    "crontab": "belongs to the machine",
}
_ASSIGNMENT = re.compile(r"[A-Z_][A-Z0-9_]*=")


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command line of a document: the program, as it is called, and its words."""

    document: str
    program: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document}: {self.program} {shlex.join(self.words)}"


def commands() -> list[Command]:
    """All commands that are to be tried one by one."""
    return [
        command
        for path in PATHS
        if name_of(path) not in FOLLOWED_ELSEWHERE
        for fence in fences(path)
        if fence.language in SHELLS
        for command in _commands_of(path, fence.text)
    ]


def _commands_of(path: Path, text: str) -> Iterator[Command]:
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        while words and _ASSIGNMENT.match(words[0]):  # set for the one command
            words.pop(0)
        if words:
            program = words[0].rpartition("/")[2] if words[0].startswith(".venv/") else words[0]
            yield Command(document=name_of(path), program=program, words=tuple(words[1:]))


def exists(path: str) -> bool:
    """Whether the project has a file of that name."""
    return (ROOT / path).exists()

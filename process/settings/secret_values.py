"""Names the secrets of the environment, so that nothing this process says has one of them in it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from market.small_files import read_small
from process.redaction import guard_output, hide, secrets_of_url
from process.settings.reading import LONGEST_FILE
from process.settings.server_names import SERVERS
from process.settings.servers import server_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from process.settings.reading import Setting

#: A shorter one may be a word like any other.
SHORTEST_PATH = 16


def hide_secrets(settings: Iterable[Setting], environment: Mapping[str, str]) -> None:
    """To be called before the settings are read: also what refuses them may quote them."""
    hide(_secrets(settings, environment))
    guard_output()


def _secrets(settings: Iterable[Setting], environment: Mapping[str, str]) -> Iterator[str]:
    for setting in settings:
        for name in (setting.name, *setting.aliases):
            for value in _values(name, environment):
                if "://" in value:
                    yield from secrets_of_url(value)
                    yield from _address(value) if setting.secret else ()
                elif setting.secret:
                    yield value
    for value in server_secrets(environment, SERVERS):
        yield from secrets_of_url(value) if "://" in value else [value]


def _address(url: str) -> Iterator[str]:
    """Whoever knows the address of a webhook may post to it: it is a secret as a whole, and so is a long path."""
    if url.startswith(("http://", "https://")):
        path = url.partition("://")[2].partition("/")[2]
        yield url
        if len(path) >= SHORTEST_PATH:
            yield path


def _values(name: str, environment: Mapping[str, str]) -> Iterator[str]:
    for spelling, value in environment.items():
        if spelling.upper() == name:
            yield value.strip()
        elif spelling.upper() == f"{name}_FILE" and (path := value.strip()):
            with contextlib.suppress(OSError, ValueError):
                yield read_small(Path(path), most=LONGEST_FILE).decode("utf-8").strip()

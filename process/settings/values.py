"""Reads values out of text: numbers, durations, words, paths, names. A refusal says what to write instead."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING

from process.settings.reading import BadValue

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?\.?", re.ASCII)


def text(value: str) -> str:
    """Any text."""
    return value


def whole(least: int, most: int) -> Callable[[str], int]:
    """Reads whole numbers between the two, both included."""

    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            raise BadValue(f"is no whole number from {least} to {most}")
        return int(value)

    return read


def limit(value: str) -> int | None:
    """Reads a number; 0 is no limit."""
    return whole(0, 1_000_000)(value) or None


def duration(least: float, most: float) -> Callable[[str], dt.timedelta]:
    """Reads 500ms, 10s, 30m, 1h; *least* and *most* in seconds."""

    def read(value: str) -> dt.timedelta:
        match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h)", value)
        if match is None:
            raise BadValue("is no duration: write for example 10s, 500ms or 30m")
        seconds = float(match[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[match[2]]
        if not least <= seconds <= most:
            raise BadValue(f"is outside {least:g}s to {most:g}s")
        return dt.timedelta(seconds=seconds)

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """Reads one of *words*, in whatever case."""

    def read(value: str) -> str:
        if value.lower() not in words:
            raise BadValue(f"is none of {', '.join(words)}")
        return value.lower()

    return read


def schema_name(value: str) -> str:
    """Reads the name of a PostgreSQL schema that needs no quotes, and is not the server's own."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,39}", value) or value.startswith("pg_") or value == "information_schema":
        raise BadValue("is no name of a schema: write small letters, digits and _, such as maintenance")
    return value


def switch(value: str) -> bool:
    """Reads on and off."""
    return one_of("on", "off")(value) == "on"


def time_of_day(value: str) -> dt.time:
    """Reads HH:MM."""
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise BadValue("is no time of day: write HH:MM, New York time")
    return dt.time.fromisoformat(value)


def folder(value: str) -> Path:
    """Reads the path of a folder that is there."""
    if not Path(value).is_dir():
        raise BadValue("is no folder: create it, or correct the path")
    return Path(value).resolve()


def folder_to_be(value: str) -> Path:
    """Reads the path of a folder that is there or can be made."""
    path = Path(value).absolute()
    if path.exists() and not path.is_dir():
        raise BadValue("is a file: name a folder, which is made where there is none")
    return path


def file(value: str) -> Path:
    """Reads the path of a file that is there."""
    if not Path(value).is_file():
        raise BadValue("is no file: create it, or correct the path")
    return Path(value).resolve()


def names(value: str) -> tuple[str, ...]:
    """Reads names of machines, as browsers and proxies send them in `Host`."""
    found = tuple(value.replace(",", " ").split())
    for name in found:
        if not _NAME.fullmatch(name):
            raise BadValue(f"has {name[:80]!r}, which is no name: write for example maintenance.example.com")
    return found


def listening_on(value: str) -> str:
    """Reads an address or name of this machine."""
    if not is_address(value) and not _NAME.fullmatch(value):
        raise BadValue("is no address of this machine: write 127.0.0.1, 0.0.0.0 for all, ::1 or ::")
    return value


def is_address(value: str) -> bool:
    """Whether *value* is an IP address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether nobody from another machine reaches what listens on *host*."""
    return ipaddress.ip_address(host).is_loopback if is_address(host) else host.lower() == "localhost"

"""`maintenance doctor --live`: asks the real vendor, with a key, about everything that was only assumed of it.

Thirty requests at most, and no server of ours. What was seen is printed and written to a file that a person can send
back: it holds no key.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumer.runtime import utc_now
from consumer.settings import SETTINGS
from consumer.terminal.refused import unreachable, usage
from consumer.vendor.errors import ProviderUnavailable
from consumer.vendor.first_contact import MOST_REQUESTS, Standing
from consumer.vendors import Surroundings, first_contact, open_web
from process.exit_codes import ExitCode
from process.redaction import redacted

if TYPE_CHECKING:
    from consumer.settings import Settings
    from consumer.vendor.first_contact import ContactReport

COLOURS = {Standing.HOLDS: "green", Standing.OTHERWISE: "red", Standing.UNSEEN: "yellow"}


async def examine(settings: Settings, *, report: Path | None, as_json: bool) -> int:
    """Print what was seen and write the report; 3 where something is not as assumed, 4 where nobody answers."""
    if settings.api_key is None:
        raise usage("--live asks the vendor with a key: set MASSIVE_API_KEY")
    path = report or Path(f"first-contact-{utc_now():%Y%m%dT%H%MZ}.json")
    _refuse_unwritable(path)
    surroundings = Surroundings(version=_version(), settings=_set(), now=utc_now, say=_say)
    async with open_web(settings) as web:
        try:
            found = await first_contact(settings, web, surroundings)
        except ProviderUnavailable as error:
            cure = "look at MASSIVE_BASE_URL and the network"
            raise unreachable(f"the vendor does not answer ({error}): {cure}") from error
    text = redacted(msgspec.json.format(msgspec.json.encode(found)).decode()) + "\n"
    path.write_text(text, "utf-8")
    if as_json:
        sys.stdout.write(text)
    else:
        _print(Console(width=None if sys.stdout.isatty() else 200), found)
    sys.stderr.write(f"written without the key, to be sent back: {path}\n")
    return ExitCode.FINDING if found.otherwise else ExitCode.OK


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _refuse_unwritable(path: Path) -> None:
    """Before anything is asked: thirty requests are not made for nothing."""
    if path.is_dir() or not path.parent.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise usage(f"--report {path}: name a file in a folder that can be written to")


def _version() -> str:
    try:
        return version("data-maintenance")
    except PackageNotFoundError:  # run from its source
        return "source"


def _set() -> dict[str, str]:
    """What is set, as far as it can be no secret: names alone of what may be one."""
    return {
        one.name: "set" if one.secret or one.hidden else os.environ[one.name]
        for one in SETTINGS
        if os.environ.get(one.name)
    }


def _print(console: Console, found: ContactReport) -> None:
    console.print(f"{found.vendor} on {found.new_york}: {found.requests} of {MOST_REQUESTS} requests", highlight=False)
    console.print(f"plan: {found.plan}", highlight=False)
    table = Table("assumption", "", "assumed, and seen", box=None, pad_edge=False)
    for one in found.seen:
        lines = [one.assumed, f"  {one.seen}", *([f"→ {one.follows}"] if one.follows else [])]
        lines += [f"→ set {name}={value}" for name, value in one.settings.items()]
        table.add_row(one.assumption, Text(one.standing, COLOURS[one.standing]), Text("\n".join(lines)))
    console.print(table)
    counted = [(standing, sum(one.standing is standing for one in found.seen)) for standing in Standing]
    console.print(", ".join(f"{count} {standing}" for standing, count in counted if count), highlight=False)

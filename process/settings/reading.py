"""Reads declared settings from the environment, once, at start; all bad values are told together, each with its cure.

A secret may also come from a file named by NAME_FILE, as container secrets do. No value that could hold a secret is
repeated, and no driver's own words about one either. A blank value counts as absent. Two variables that mean the same
and differ are refused together: which of them was meant, nobody can know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from market.small_files import FileTooLarge, read_small

LONGEST_VALUE = 4096
LONGEST_FILE = 4 * LONGEST_VALUE  # bytes, of a character each at most
LONGEST_SHOWN = 80
_BETWEEN_WORDS = re.compile(r"[ \t\r\n]+")
# NUL ends a path, a line break an HTTP header, and a half of a surrogate pair is no character.
_MEANT = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*")


class BadSettings(Exception):
    """The environment is refused; *problems* holds one readable line a bad value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class BadValue(ValueError):
    """A value is refused; the text follows the name and the value, and names the cure. It never repeats a secret."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One environment variable: how it is read, its default as text ("" = not set) and what it means.

    *secret*: hidden, and may come from a file. *hidden*: may hold a password all the same, as a URL does. *absent* is
    what not being set means. *words*: a list of them, which may also stand on lines of their own.
    """

    name: str
    field: str
    default: str
    read: Callable[[str], Any]
    meaning: str
    secret: bool = False
    hidden: bool = False
    words: bool = False
    aliases: tuple[str, ...] = ()
    absent: Any = None


class Values(msgspec.Struct, frozen=True, kw_only=True):
    """What was read, by field, and what is wrong with the rest, of which nothing stands in *found*."""

    found: dict[str, Any]
    problems: list[str]

    def of(self, field: str) -> Any:
        """The value of *field*; None where it is not set, or was refused."""
        return self.found.get(field)

    def has(self, *fields: str) -> bool:
        """Whether all of *fields* were read, or not set at all: one that was refused contradicts nothing."""
        return all(field in self.found for field in fields)


def read_values(settings: Iterable[Setting], environment: Mapping[str, str]) -> Values:
    """Read each of *settings*."""
    values = Values(found={}, problems=[])
    for setting in settings:
        name = setting.name
        try:
            name, text = _raw(setting, environment)
            values.found[setting.field] = setting.read(text) if text else setting.absent
        except Unreadable as error:
            values.problems.append(str(error))
        except (ValueError, OSError) as error:
            values.problems.append(f"{name}={_shown(setting, text)} {_told(error)}")
    return values


class Unreadable(Exception):
    """A variable has no value to speak of, or two have two; the text has the variables and the cure."""


def _raw(setting: Setting, environment: Mapping[str, str]) -> tuple[str, str]:
    """The variable that holds the value, and the value; where several hold one, they must agree."""
    given = [
        (name, _meant(name, _BETWEEN_WORDS.sub(" ", text) if setting.words else text))
        for name in (setting.name, *setting.aliases)
        for name, text in spelled(name, environment, secret=setting.secret)
    ]
    for name, text in given[1:]:
        if text != given[0][1]:
            raise Unreadable(f"{given[0][0]} and {name} are both set, and differ: leave one of them out")
    return given[0] if given else (setting.name, setting.default)


def spelled(name: str, environment: Mapping[str, str], *, secret: bool) -> list[tuple[str, str]]:
    """What variable *name* says, and of a secret the file that NAME_FILE names, each with its variable.

    Raises Unreadable.
    """
    given = [(name, text)] if (text := environment.get(name, "").strip()) else []
    if secret and (path := environment.get(f"{name}_FILE", "").strip()):
        given.append((f"{name}_FILE", _from_file(f"{name}_FILE", _meant(f"{name}_FILE", path))))
    return given


def _meant(name: str, text: str) -> str:
    if len(text) > LONGEST_VALUE:
        raise Unreadable(f"{name} has {len(text)} characters: at most {LONGEST_VALUE}")
    if not _MEANT.fullmatch(text):
        raise Unreadable(f"{name} holds a control character or a byte that is no text: write it anew")
    return text


def _from_file(name: str, path: str) -> str:
    try:
        text = read_small(Path(path), most=LONGEST_FILE).decode().strip()
    except (OSError, ValueError) as error:
        why = _why_unreadable(error)
        # Without its cause, whose words may hold bytes of the secret.
        raise Unreadable(
            f"{name}={_short(path)} cannot be read: {why}: correct the path, or what the file holds"
        ) from None
    if not text:
        raise Unreadable(f"{name}={_short(path)} holds nothing: write the secret into it, or leave {name} out")
    return _meant(f"what {name} names", text)


def _why_unreadable(error: OSError | ValueError) -> str:
    match error:
        case OSError():
            return error.strerror or type(error).__name__
        case FileTooLarge():
            return f"it {error}"
        case _:
            return "it is no UTF-8 text"


def _shown(setting: Setting, text: str) -> str:
    return "(hidden)" if setting.secret or setting.hidden else _short(text)


def _short(text: str) -> str:
    return repr(text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…")


def _told(error: Exception) -> str:
    """An OSError's own text would repeat the path, and a reader's that is no BadValue may repeat anything."""
    match error:
        case BadValue():
            return str(error)
        case OSError():
            return f"cannot be used: {error.strerror}: correct it"
        case _:
            return "cannot be read: correct it"

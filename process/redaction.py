"""Takes the secrets of this process out of whatever it says, in every form in which they may come back.

An answer may echo a key as it is, percent-encoded, escaped for JSON or HTML, or in base64; an error may quote a URL.
What is said goes through here last: standard output and error of every process, and what is stored of others' words.
"""

from __future__ import annotations

import base64
import html
import json
import re
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, quote, quote_plus, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HIDDEN = "***"
# A shorter one is a word like any other: to hide it would spoil what is said, and its parts are easily guessed.
SHORTEST = 6
# A shorter one of digits alone is a number like any other: no figure may be changed for it.
SHORTEST_NUMBER = 12
# Up to here letters and digits may be a word, which other words have in them; a longer key is nowhere by chance.
LONGEST_WORD = 20
_WORD = re.compile(rf"\w{{1,{LONGEST_WORD}}}", re.ASCII)
# What may stand before one: no letter or digit, or the escape of a URL, of JSON or a terminal, which ends in one.
_BEFORE = (r"%[\dA-Fa-f]{2}", r"\\[abfnrtv]", r"\\x[\da-f]{2}", r"\\u[\da-f]{4}", r"[\d[]m")
_PASSWORD = re.compile(r"://([^:@/]*):(.*)@")
_HOST = re.compile(r"(?:\[[^\[\]]*\]|[^\[\]:]*)(?::\d{0,5})?", re.ASCII)
_PARAMETER = re.compile(r"[?&](?:ssl)?pass(?:word)?=([^&#]*)", re.IGNORECASE)
_SERVERS = ("postgres", "redis", "unix")  # elsewhere a key may stand as a user, or in a path
_NAMES = {"user", "username", "dbname", "database"}
_BORDERS = re.compile(r"[/?#@:\[\]]")  # at which a URL that is none is broken into pieces, and one of them quoted

_forms: set[tuple[str, bool]] = set()  # each with whether it may be a word
_pattern: re.Pattern[str] | None = None


def hide(secrets: Iterable[str]) -> None:
    """From now on none of *secrets* leaves this process by its output."""
    global _pattern
    for secret in secrets:
        _forms.update(_forms_of(secret))
    # The longest first: a form may have another in it.
    longest = sorted(_forms, key=lambda one: (-len(one[0]), one))
    _pattern = re.compile("|".join(_as_pattern(*one) for one in longest)) if longest else None


def _as_pattern(form: str, may_be_word: bool) -> str:
    """A word or number only where it is one of its own: within others it is a part of their name, or of a figure."""
    if form.isdecimal():
        return rf"(?<!\d){form}(?!\d)"
    if may_be_word and _WORD.fullmatch(form):
        begins = "|".join([rf"(?<![A-Za-z0-9_]{form})", *(rf"(?<={before}{form})" for before in _BEFORE)])
        return rf"{form}(?![A-Za-z0-9_])(?:{begins})"  # the letters first: they are what is seldom found
    return re.escape(form)


def forget() -> None:
    """Hide nothing any more, as in a new process."""
    global _pattern
    _forms.clear()
    _pattern = None


def redacted(text: str) -> str:
    """Return *text* without the secrets."""
    if _pattern is None:
        return text
    return _pattern.sub(lambda match: "0" if match[0].isdecimal() else HIDDEN, text)  # a JSON line stays one


def secrets_of_url(url: str) -> Iterator[str]:
    """The passwords in *url*, as written and decoded; also where it is none that anything could follow.

    One that is the name of its server's user or database is no secret: these are said everywhere.
    """
    if (parts := _followed(url)) is not None:
        user, _, password = parts.netloc.rpartition("@")[0].partition(":")
        named = [value for name, value in parse_qsl(parts.query) if name in _NAMES]
        passwords, names = [password], {unquote(user), unquote(parts.path.strip("/")), *named}
    else:
        found = _PASSWORD.findall(url)
        passwords, names = [password for _, password in found], {unquote(user) for user, _ in found}
    for password in [*passwords, *_PARAMETER.findall(url)]:
        for part in {password, *_BORDERS.split(password)}:
            if unquote(part) not in names or not url.startswith(_SERVERS):
                yield from {part, unquote(part)}


def _followed(url: str) -> SplitResult | None:
    """The parts of a URL that drivers can follow; None where what should be encoded may have torn it elsewhere."""
    try:
        parts = urlsplit(url)
        parse_qsl(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        return None
    hosts = parts.netloc.rpartition("@")[2].split(",")
    torn = "@" in parts.path or "#" in url or not all(map(_HOST.fullmatch, hosts))
    return None if torn else parts


def guard_output() -> None:
    """Have everything that is written to standard output and error go through here: log lines, tables, tracebacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, _Redacting):
            setattr(sys, name, _Redacting(stream))


class _Redacting:
    """A stream of text that says no secret; everything else is the stream's own."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(redacted(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _forms_of(secret: str) -> Iterator[tuple[str, bool]]:
    """The forms that are hidden, each with whether it may be a word."""
    if len(secret) < (SHORTEST_NUMBER if secret.isdecimal() else SHORTEST):
        return
    for form in _written(secret):
        yield form, True
    for form in _within_base64(secret.encode("utf-8", "surrogateescape")):
        if len(form) >= SHORTEST:
            yield form, False  # always amid letters


def _written(secret: str) -> Iterator[str]:
    yield secret
    for encoded in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield encoded
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield json.dumps(json.dumps(secret))[3:-3]
    yield repr(secret)[1:-1]
    yield html.escape(secret)


def _within_base64(secret: bytes) -> Iterator[str]:
    """What of it stands in any base64 that has it somewhere: one of three, by how many bytes come before."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret).decode()
        # The first letters hold bits of what is before, the last of what is after.
        sure = encoded[(0, 2, 3)[before] : len(encoded) - (0, 3, 2)[(before + len(secret)) % 3]]
        yield sure
        yield sure.replace("+", "-").replace("/", "_")

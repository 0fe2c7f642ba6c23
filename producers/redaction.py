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
from urllib.parse import quote, quote_plus, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HIDDEN = "***"
# A shorter one is a word like any other: to hide it would spoil what is said, and its parts are easily guessed.
SHORTEST = 6
_PASSWORD = re.compile(r"://[^:@/]*:(.*)@")
_PARAMETER = re.compile(r"[?&](?:ssl)?pass(?:word)?=([^&#]*)", re.IGNORECASE)
_BORDERS = re.compile(r"[/?#@:\[\]]")  # at which a URL that is none is broken into pieces, and one of them quoted

_forms: set[str] = set()
_pattern: re.Pattern[str] | None = None


def hide(secrets: Iterable[str]) -> None:
    """From now on none of *secrets* leaves this process by its output."""
    global _pattern
    for secret in secrets:
        _forms.update(form for form in _forms_of(secret) if len(form) >= SHORTEST)
    # The longest first: a form may have another in it.
    _pattern = re.compile("|".join(map(_as_pattern, sorted(_forms, key=len, reverse=True)))) if _forms else None


def _as_pattern(form: str) -> str:
    """Of digits alone only where they are a number of their own: within others they are none of ours to change."""
    return rf"(?<!\d){form}(?!\d)" if form.isdecimal() else re.escape(form)


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
    """The passwords in *url*, as written and decoded; also where it is none that anything could follow."""
    found = [*_PASSWORD.findall(url), *_PARAMETER.findall(url)]
    for password in found:
        for part in {password, *_BORDERS.split(password)}:
            yield from {part, unquote(part)}


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


def _forms_of(secret: str) -> Iterator[str]:
    if len(secret) < SHORTEST:
        return
    yield secret
    for encoded in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield encoded
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield json.dumps(json.dumps(secret))[3:-3]
    yield repr(secret)[1:-1]
    yield html.escape(secret)
    yield from _within_base64(secret.encode("utf-8", "surrogateescape"))


def _within_base64(secret: bytes) -> Iterator[str]:
    """What of it stands in any base64 that has it somewhere: one of three, by how many bytes come before."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret).decode()
        # The first letters hold bits of what is before, the last of what is after.
        sure = encoded[(0, 2, 3)[before] : len(encoded) - (0, 3, 2)[(before + len(secret)) % 3]]
        yield sure
        yield sure.replace("+", "-").replace("/", "_")

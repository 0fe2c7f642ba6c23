"""Says what a text has to be that people write and logs, Redis and PostgreSQL keep: one printable line.

Held wherever such a text comes in: stream fields, HTTP bodies, the command line. NUL and halves of surrogate pairs are
refused by PostgreSQL, control characters tear log lines and terminals, and blanks around it do not survive the wire.
"""

from __future__ import annotations

from contract.flat_fields import BadField, quote

LONGEST_TEXT = 200
#: Why a person did something: a sentence or two.
LONGEST_REASON = 1000


def require_plain(name: str, text: str, *, longest: int = LONGEST_TEXT) -> str:
    """Return *text*. Raises BadField, which names *name*, what it held and the cure, where it is no plain text."""
    if len(text) > longest:
        raise BadField(f"{name} {quote(text)} is too long, {len(text)} characters: at most {longest}")
    if not text or text != text.strip() or not text.isprintable():
        raise BadField(f"{name} {quote(text)} is no plain text: one printable line, no blanks around it")
    return text


def require_reason(name: str, text: str) -> str:
    """The same for why a person did something."""
    return require_plain(name, text, longest=LONGEST_REASON)

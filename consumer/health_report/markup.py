"""Writes HTML elements, of which every text and every attribute is escaped.  Pure."""

from __future__ import annotations

import re
from html import escape

#: What HTML may not have even escaped: control characters but line ends and tabs, and halves of surrogate pairs.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Markup(str):
    """HTML that has been made here; any other text is escaped where it is put into an element."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str | None) -> Markup:
    """Return `<name …>children</name>`; an attribute that is None is left out, `class_` and `http_equiv` are spelt so.

    *children* that are no Markup are text.
    """
    return joined(start(name, **attributes), *children, Markup(f"</{name}>"))


def start(name: str, /, **attributes: str | None) -> Markup:
    """Return the start tag alone: of an element that has no end, such as meta."""
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    return Markup(f"<{name}" + "".join(f' {key}="{_as_text(value)}"' for key, value in given.items()) + ">")


def joined(*parts: str) -> Markup:
    """Return the *parts* one after the other; those that are no Markup are text."""
    return Markup("".join(one if isinstance(one, Markup) else _as_text(one) for one in parts))


def shortened(value: str, most: int) -> str:
    """Return *value*, or so much of it that it takes *most* bytes where it is escaped: one sign may become six."""
    if len(_as_text(value).encode()) <= most:
        return value
    kept, left = 0, most - len("…".encode())
    for sign in value:
        left -= len(_as_text(sign).encode())
        if left < 0:
            break
        kept += 1
    return value[:kept] + "…"


def _as_text(value: str) -> str:
    """So that it is read as a text, whatever is in it; what HTML cannot have is shown as a replacement."""
    return escape(_UNWRITABLE.sub("\ufffd", value), quote=True)

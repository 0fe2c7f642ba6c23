"""Writes down what happened, step by step, so that a person can read why a seed fails."""

from __future__ import annotations

import re
from typing import Any

ENTRY_ID = re.compile(r"\b\d{13}-\d+\b")


class ScheduleLog:
    """The steps of one seed; entry ids are shown as E1, E2, … in the order of their appearance."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[str, str] = {}

    def note(self, number: int, who: str, what: str, outcome: str = "") -> None:
        text = f"{number:5}  {who:<9} {what}" + (f"  ->  {outcome}" if outcome else "")
        self.lines.append(ENTRY_ID.sub(self._name, text))

    def rename(self, text: str) -> str:
        return ENTRY_ID.sub(self._name, text)

    def _name(self, found: re.Match[str]) -> str:
        return self._names.setdefault(found[0], f"E{len(self._names) + 1}")


def shortened(value: Any, *, most: int = 110) -> str:
    """One line of *value*."""
    text = " ".join(str(value).split())
    return text if len(text) <= most else text[: most - 1] + "…"

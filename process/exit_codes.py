"""Names what a program of ours answers to the script that called it; the table is in README.md."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a script is to make of a command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    FINDING = 3
    UNREACHABLE = 4
    INTERRUPTED = 130

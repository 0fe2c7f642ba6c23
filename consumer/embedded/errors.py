"""Names what can go wrong with the embedded servers; every message ends with its cure.

EmbeddedError
├── EmbeddedUnavailable   the binaries are missing or cannot run here: install them, or name real servers
├── DataDirInUse          another `maintenance run` works on the same data directory
├── OldLayout             servers of an earlier release lie where no source's folder is (source_dirs.py)
└── ServerFailed          a server did not answer in time, or is given up; carries the last lines of its log
    └── ServerEnded       it ended while it started
"""


class EmbeddedError(Exception):
    """An embedded server cannot be used; the message is meant for the person at the terminal."""


class EmbeddedUnavailable(EmbeddedError):
    """The embedded servers cannot run on this machine as it is."""


class DataDirInUse(EmbeddedError):
    """The data directory belongs to another running service; *by_a_look*: to a command that reads, and soon ends."""

    def __init__(self, told: str, *, by_a_look: bool = False) -> None:
        super().__init__(told)
        self.by_a_look = by_a_look


class ServerFailed(EmbeddedError):
    """An embedded server ended, or did not become ready in time."""


class ServerEnded(ServerFailed):
    """An embedded server, or the program that prepares it, ended while it started: killed, or by its own fault."""

"""Records the history of a chaos run: what PostgreSQL committed and when, and what Redis says it was told, by MONITOR.

Both clocks are this machine's. What Redis did while nobody listened (it was killed, and is listened to again once it is
back) is missing, so nothing is made of what is not there. Judged by tests/histories.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from contract import data_sets as sets
from contract import keys
from tests.histories import audit
from tests.histories.checker import Terms, breaches
from tests.histories.records import Gone, History, Published
from tests.simulator.gated_redis import script_names

if TYPE_CHECKING:
    from tests.crash.workload import Workload

# Commit times are kept, and no commit is lost with a backend that is killed: what is acknowledged has to stand.
POSTGRES = {"track_commit_timestamp": "on", "synchronous_commit": "on"}
#: How far behind the ledger a publication may be: frozen past its lease, a Redis that stands still, one look.
BEHIND_S = 60.0
LISTEN_AGAIN_AFTER_S = 0.05
STATUS = keys.STATUS.pattern.partition("{")[0]
_LINE = re.compile(r"^(?P<at>[\d.]+) \[(?P<db>\d+) (?P<who>[^\]]*)\] (?P<words>.*)$", re.DOTALL)
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Listener:
    """Makes records of the lines of MONITOR."""

    def __init__(self, database: int) -> None:
        self._database = database
        self._scripts = script_names()
        self._settling: dict[str, tuple[str, str, str]] = {}  # by entry: consumer, work, verdict
        self.lines = 0
        self.history: History = []

    async def listen(self, url: str) -> None:
        """Until cancelled."""
        while True:
            client = Redis.from_url(url, socket_timeout=None)
            try:
                async with client.monitor() as monitor:
                    while True:
                        self.hear((await monitor.connection.read_response()).decode("utf-8", "replace"))
            except (RedisError, OSError):
                await asyncio.sleep(LISTEN_AGAIN_AFTER_S)
            finally:
                await client.aclose()

    def hear(self, line: str) -> None:
        """Take down one line, where it is about messages or verdicts."""
        self.lines += 1
        found = _LINE.match(line)
        if found is None or int(found["db"]) != self._database:
            return
        at, words = float(found["at"]), found["words"]
        if words.startswith(('"EVALSHA"', '"EVAL"')):
            self._settling = self._settlements(_words(words))
        elif found["who"] == "lua" and words.startswith('"XDEL"'):
            self._note_gone(at, _words(words)[-1])
        elif words.startswith(f'"SET" "{STATUS}'):
            self._note_published(at, _words(words))
        elif words.startswith(('"flushall"', '"FLUSHALL"')):
            days = {record.day for record in self.history if isinstance(record, Published)}
            self.history += [Published(at=at, day=day, state=None, as_of=at) for day in sorted(days)]

    def _settlements(self, words: list[str]) -> dict[str, tuple[str, str, str]]:
        """What a call of settle.lua is about to end."""
        if self._scripts.get(words[1]) != "settle":
            return {}
        _, consumer, *_, settlements = words[3 + int(words[2]) :]
        return {entry: (consumer, key, verdict) for entry, key, verdict, *_ in json.loads(settlements)}

    def _note_gone(self, at: float, entry: str) -> None:
        if entry not in self._settling:
            return
        consumer, key, verdict = self._settling[entry]
        cycle, _, part = key.partition("/")
        is_part = cycle.isdigit() and "/" in part
        self.history.append(
            Gone(
                at=at, entry=entry, by=consumer, holder=None, cycle=int(cycle) if is_part else None,
                part=part if is_part else None, leads=verdict == "retry",
            )
        )  # fmt: skip

    def _note_published(self, at: float, words: list[str]) -> None:
        status: dict[str, Any] = json.loads(words[2])
        claims = {name: one["loaded"] for name, one in status["data_sets"].items() if name == sets.DAILY_BARS}
        self.history.append(
            Published(
                at=at, day=words[1].removeprefix(STATUS), state=status["state"], claims=claims, as_of=at - BEHIND_S
            )
        )  # fmt: skip


def _words(text: str) -> list[str]:
    """The words of a line, with what MONITOR escapes as it was."""
    return [json.loads(f'"{_BYTE.sub(_as_json, word)}"') for word in _WORD.findall(text)]


_BYTE = re.compile(r"\\(?:x([0-9a-f]{2})|a)")


def _as_json(found: re.Match[str]) -> str:
    return f"\\u00{found[1] or '07'}"


async def committed(workload: Workload) -> History:
    """What PostgreSQL has committed, in the order in which it did."""
    async with workload.ledger() as db:
        rows = await db.fetch(
            "SELECT kind, facts, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at FROM history "
            "ORDER BY pg_xact_commit_timestamp(xmin), history.at"
        )
    return [audit.record_of(row["kind"], json.loads(row["facts"]), at=row["at"]) for row in rows]


async def judged(workload: Workload, listener: Listener) -> tuple[dict[str, int], list[str]]:
    """Return how many records of each kind there are, and every breach with the records that show it."""
    history = sorted([*await committed(workload), *listener.history], key=lambda record: record.at)
    counts: dict[str, int] = {"lines of MONITOR": listener.lines}
    for record in history:
        counts[type(record).__name__] = counts.get(type(record).__name__, 0) + 1
    found = breaches(history, Terms(bound=BEHIND_S))
    return counts, ["\n    ".join(breach.lines()) for breach in found]

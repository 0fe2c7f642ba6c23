"""Counts which ways the product went in a run, in the words of the product, so that a way never gone is noticed.

Told by the replies of the servers and by the history; the product's log is silent here.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from tests.histories.records import CycleTurned, FindingTurned, History, PartTurned, Published

if TYPE_CHECKING:
    from tests.simulator.gates import Step

_ENDINGS = re.compile(r'\["[^"]+","[^"]*","(\w+)",')  # in the arguments of settle.lua
_SETTLED = {
    "retry": "retried", "dead": "dead-lettered", "release": "handed back", "abandon": "abandoned",
}  # fmt: skip


def ways_of_step(step: Step, *, by_reconciler: bool) -> list[str]:
    """What the reply to *step* says of the way that was gone."""
    if step.failure is not None:
        return []
    reply = str(step.result)
    match step.name:
        case "begin":
            ways = {"DUPLICATE": "duplicates dropped", "LOST": "begin refused"}
            return [way for word, way in ways.items() if word in reply]
        case "settle":
            endings = [_SETTLED[ending] for ending in _ENDINGS.findall(step.detail) if ending in _SETTLED]
            return ["settle refused"] if "LOST" in reply else endings
        case "claim" if step.result[0]:
            return ["taken over"]
        case "unheard" if int(step.result):
            return ["unheard handed back"]
        case "promote" if int(step.result[0]):
            return ["due work sent"]
        case "withdraw" if int(step.result):
            return ["withdrawn"]
        case "enqueue" if by_reconciler and int(step.result):
            return ["caught up"]
        case "raise_fence":
            return ["fence raised"]
        case "fenced_write SELECT 1" if step.result is None:
            return ["stale writes rejected"]
        case "take_part UPDATE part" if step.result is None:
            return ["taking refused"]
    return []


def ways_of_history(history: History) -> Counter[str]:
    """How cycles, parts and verdicts ended, and what befell them on the way."""
    ways: Counter[str] = Counter()
    newest = -1.0
    for record in history:
        match record:
            case CycleTurned():
                ways[f"cycle {record.state}"] += 1
                ways["next pass"] += record.state == "running" and record.run_pass > 1
            case PartTurned():
                ways[f"part {record.state}"] += 1
            case Published(state=None):
                ways["verdict lost"] += 1
            case Published():
                ways[f"verdict {record.state}"] += 1
                ways["older verdict came late"] += record.as_of < newest
                newest = max(newest, record.as_of)
            case FindingTurned():
                ways["finding " + ("opened" if record.is_open else "settled")] += 1
    return ways

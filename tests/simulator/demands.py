"""Says from how many seeds on a fault or a way of the product that never came up is a failure of the farm.

Each has the share of seeds in which it was seen, of 300 that nobody had chosen (4200000 and on, Valkey 9.1.2). Half
of that is taken, for other servers and the next change of the weights: something so likely is missed by *n* seeds with
the probability (1 - share / 2) ** n. Once that is below one in a million, it is not chance that it never happened. What
comes up in nine of ten seeds is demanded of 24, in every other of 49, in one of a hundred of 2,757.
"""

from __future__ import annotations

import math

CHANCE = 1e-6
# A share of seeds each; by name of the figure.
SHARES = {
    "fault: ask": 0.26, "fault: ask_by_rule": 0.15, "fault: ask_nonsense": 0.25, "fault: cancel_day": 0.07,
    "fault: crash": 0.89, "fault: delete_by_hand": 0.027, "fault: duplicate": 0.69, "fault: find": 0.28,
    "fault: flush": 0.22, "fault: forget_scripts": 0.09, "fault: freeze": 0.93, "fault: let_time_pass": 0.35,
    "fault: lose_group": 0.12, "fault: lose_reply": 0.49, "fault: lose_request": 0.39, "fault: move_by_hand": 0.1,
    "fault: mute_redis": 0.16, "fault: pass_deadline": 0.25, "fault: roll_back": 0.22, "fault: skew_clock": 0.17,
    "fault: slow_down": 0.84, "fault: stop": 0.31,
    # What the delivery did about them.
    "abandoned": 0.023, "begin refused": 0.16, "caught up": 0.46, "crashes": 0.9, "dead letters": 0.34,
    "dead-lettered": 0.33, "due work sent": 0.87, "duplicates dropped": 0.41, "fence raised": 0.19, "freezes": 0.93,
    "handed back": 0.25, "idle sessions ended": 0.13, "killed by poison": 0.11, "lock timeouts": 0.06,
    "parts given up": 0.12, "parts run": 0.98, "redis rolled back": 0.22, "retried": 0.89, "settle refused": 0.6,
    "stale writes rejected": 0.17, "taken over": 0.87, "taking refused": 0.67, "unheard handed back": 0.01,
    "waits for a lock": 0.65, "withdrawn": 0.06,
    # How cycles and parts came to their ends.
    "cycle cancelled": 0.07, "cycle complete": 0.82, "cycle failed": 0.003, "cycle partial": 0.12,
    "cycle superseded": 0.013, "cycle waiting": 0.2, "next pass": 0.2, "part cancelled": 0.07, "part done": 0.97,
    "part failed": 0.13, "part not_yet": 0.2, "part retrying": 0.86, "part superseded": 0.013,
    # What was published.
    "finding opened": 0.14, "finding settled": 0.05, "older verdict came late": 0.015, "verdict final": 0.1,
    "verdict lost": 0.07, "verdict missing": 0.15, "verdict partial": 0.15, "verdict suspect": 0.013,
}  # fmt: skip


def demanded_from(name: str) -> int:
    """How many seeds it takes until *name* has to have come up."""
    return math.ceil(math.log(CHANCE) / math.log(1 - SHARES[name] / 2))

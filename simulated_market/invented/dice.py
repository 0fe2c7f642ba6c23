"""Rolls dice that depend on nothing but their label.

Every random number is a hash (splitmix64) of seed, purpose, day and position, so an answer is the same
whatever was asked before it, and one ticker's bars cost nothing for the others.
"""

from __future__ import annotations

import hashlib
import math
from enum import IntEnum

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_FACTORS = (np.uint64(_FIRST), np.uint64(_SECOND))


class Purpose(IntEnum):
    """Keeps the dice of one use apart from those of another."""

    UNIVERSE = 1
    TRAITS = 2
    CLOSE = 3
    RANGE = 4
    VOLUME = 5
    TRADED = 6
    MINUTES = 7
    SPLITS = 8
    LIFECYCLE = 9
    COMPANY = 10
    DIVIDENDS = 11


def label(*parts: int | str) -> int:
    """A 64-bit key for these parts; for a handful of keys, not for arrays."""
    state = 0
    for part in parts:
        number = part if isinstance(part, int) else _number(part)
        state = _mix_one((state + _GOLDEN) ^ (number & _MASK))
    return state


def words(key: int, count: int) -> Words:
    """*count* independent 64-bit words under one key."""
    return mix(positions(count) + np.uint64(key))


def positions(count: int) -> Words:
    """The offsets that separate neighbours under one key."""
    steps: Words = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    return steps


def mix(state: Words) -> Words:
    """splitmix64's finaliser, element by element."""
    state = (state ^ (state >> _SHIFTS[0])) * _FACTORS[0]
    state = (state ^ (state >> _SHIFTS[1])) * _FACTORS[1]
    return state ^ (state >> _SHIFTS[2])


def uniform(dice: Words) -> Floats:
    """Numbers in [0, 1) from the upper 53 bits."""
    numbers: Floats = (dice >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers


def bell(dice: Words) -> Floats:
    """Numbers of mean 0 and deviation 1, within ±3.5: the sum of four 16-bit lanes."""
    lanes = dice.astype("<u8").view("<u2").reshape(*dice.shape, 4)
    numbers: Floats = (lanes.sum(axis=-1, dtype=np.float64) / 65536.0 - 2.0) * math.sqrt(3.0)
    return numbers


def _mix_one(state: int) -> int:
    state &= _MASK
    state = ((state ^ (state >> 30)) * _FIRST) & _MASK
    state = ((state ^ (state >> 27)) * _SECOND) & _MASK
    return state ^ (state >> 31)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")

"""Mangled answers never crash a decoder and never yield a wrong row; `python -m tests.massive.fuzz` tries 100,000."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.vendor.errors import VendorError
from tests.massive.judges import problem
from tests.massive.mangling import BODIES, decode, run

KINDS = st.sampled_from(sorted(BODIES))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=4), below, max_size=3),
    max_leaves=8,
)


def usable(kind: str, body: bytes) -> list[object]:
    try:
        return decode(kind, body)
    except VendorError:
        return []


@pytest.mark.parametrize("seed", range(6))
def test_thousands_of_mangled_answers_do_no_harm(seed: int) -> None:
    counts = run(1_000, seed)
    assert counts["refused"] > 100
    assert counts["rows"] > 100


@given(KINDS, st.binary(max_size=200))
def test_noise_is_refused_or_sound(kind: str, body: bytes) -> None:
    assert problem(kind, usable(kind, body)) is None


@given(KINDS, JSON)
def test_any_json_in_place_of_the_results_is_refused_or_sound(kind: str, results: object) -> None:
    answer = results if kind == "closures" else {**BODIES[kind], "results": results}
    body = json.dumps(answer).encode("utf-8", "surrogatepass")
    assert problem(kind, usable(kind, body)) is None


@pytest.mark.parametrize("kind", sorted(BODIES))
def test_the_answers_themselves_are_sound_before_they_are_mangled(kind: str) -> None:
    rows = usable(kind, json.dumps(BODIES[kind]).encode())
    assert len(rows) > 0
    assert problem(kind, rows) is None

"""How the tests are dealt out to processes that share them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.longest_first import spread


def item(file: str, seconds: float) -> Any:
    mark = SimpleNamespace(args=(seconds,)) if seconds else None
    return SimpleNamespace(path=Path(file), seconds=seconds, get_closest_marker=lambda _name: mark)


@given(
    files=st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([0, 0, 0, 0, 5, 30, 80])), max_size=60),
    parts=st.integers(1, 8),
)
def test_every_test_is_dealt_out_once_the_long_ones_of_a_file_side_by_side(
    files: list[tuple[str, int]], parts: int
) -> None:
    items = [item(file, seconds) for file, seconds in files]
    dealt: Any = spread(items, parts)
    assert Counter(map(id, dealt)) == Counter(map(id, items))
    for file in "abcdefgh":
        places = [place for place, one in enumerate(dealt) if one.seconds and one.path == Path(file)]
        assert places == list(range(places[0], places[0] + len(places))) if places else True


def test_each_part_begins_with_its_share_of_the_long_ones() -> None:
    items = [item(f"short-{number}", 0) for number in range(94)]
    items += [item(f"long-{number}", seconds) for number, seconds in enumerate((80, 40, 40, 30, 5, 5))]
    dealt: Any = spread(items, 4)
    heads = [[one.seconds for one in dealt[25 * part : 25 * part + 3]] for part in range(4)]
    assert heads == [[80, 0, 0], [40, 0, 0], [40, 0, 0], [30, 5, 5]]

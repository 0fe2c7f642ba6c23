"""The states that the program names are those that the database accepts, no more and no less."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from consumer.postgres.states import OPEN_STATES, LetterState, PartState
from contract.reports import CycleState

if TYPE_CHECKING:
    from enum import StrEnum

    from consumer.postgres.pool import Connection


@pytest.mark.parametrize(
    ("table", "states"), [("cycle", CycleState), ("part", PartState), ("dead_letter", LetterState)]
)
async def test_the_database_accepts_the_states_that_there_are(
    connection: Connection, table: str, states: type[StrEnum]
) -> None:
    check = await connection.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1", f"{table}_state_check"
    )
    assert set(re.findall(r"'([a-z_]+)'", check)) == {one.value for one in states}


async def test_the_index_on_open_parts_has_the_states_that_are_open(connection: Connection) -> None:
    index = await connection.fetchval("SELECT indexdef FROM pg_indexes WHERE indexname = 'part_open'")
    assert set(re.findall(r"'([a-z_]+)'", index)) == {one.value for one in OPEN_STATES}

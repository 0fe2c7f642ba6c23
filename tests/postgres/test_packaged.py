"""Holds the packaged migrations to their rules: released ones never change, and only a half *after* takes away."""

from __future__ import annotations

import re
from pathlib import Path

from consumer.postgres import packaged
from consumer.postgres.packaged import Half

ROOT = Path(__file__).parents[2]
RELEASED = dict(
    reversed(line.split()) for line in Path(__file__).with_name("released.sha256").read_text("utf-8").splitlines()
)
# What an older program may still read goes with one of these; 0014 is the one that no older program can work beside.
TAKES_AWAY = re.compile(r"\b(DROP|RENAME|SET SCHEMA|SET NOT NULL|TYPE)\b", re.IGNORECASE)
BESIDE_NO_OLDER = "0014_names_of_our_own.before.sql"


def test_a_released_migration_never_changes() -> None:
    """A new release adds the lines of its own: `sha256sum` in the folder of the migrations."""
    packed = {one.name: one.checksum for one in packaged.migrations()}
    assert {name: packed.get(name) for name in RELEASED} == RELEASED
    last = max(map(packaged.number_of, RELEASED))
    assert {name for name in packed if packaged.number_of(name) <= last} == RELEASED.keys()


def test_every_migration_has_the_next_number_and_says_which_half_it_is() -> None:
    names = [one.name for one in packaged.migrations()]
    numbers = sorted({packaged.number_of(name) for name in names})
    assert numbers == list(range(1, numbers[-1] + 1))
    for name in names:
        assert re.fullmatch(r"[0-9]{4}_[a-z0-9_]+" + (r"\.(before|after)\.sql" if name > "0014" else r"\.sql"), name)


def test_what_comes_before_a_deployment_only_adds_and_what_comes_after_says_whom_it_serves() -> None:
    for one in packaged.migrations():
        if one.half is Half.AFTER:
            assert one.serves == one.number, one.name
        elif one.number > 13 and one.name != BESIDE_NO_OLDER:
            assert one.serves is None, one.name
            assert not TAKES_AWAY.search(re.sub(r"--.*", "", one.sql)), one.name


def test_no_statement_asks_for_whatever_columns_there_are() -> None:
    """A column that the next release adds would break a struct, or a prepared statement."""
    asked = re.compile(r"\b(?:SELECT|RETURNING)\s+\*|(?:\bSELECT|\bRETURNING|,)\s+\w+\.\*", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in sorted((ROOT / "consumer").rglob("*.py"))
        for match in asked.finditer(path.read_text("utf-8"))
    ]
    assert found == []

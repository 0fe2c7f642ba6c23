"""Holds the house to its own rules: no circles, no giants, statements on cycles and parts in one room."""

from __future__ import annotations

import ast
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from consumer.postgres.states import LetterState, PartState
from contract.reports import CycleState
from tests.contract.packages import MODULES, ROOT, Module, circles

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_FILE = 300  # lines; 250 is the aim
LONGEST_FUNCTION = 60
#: Functions over 30 lines and over 5 parameters, as the formatter lays them out: these counts only fall.
LONG_FUNCTIONS_LEFT = 0
LONG_SIGNATURES_LEFT = 3
#: Files and functions that are still over the bound; none is added.
FILES_STILL_TO_CUT = frozenset({"consumer/declared_settings.py"})
FUNCTIONS_STILL_TO_CUT: frozenset[str] = frozenset()
#: What only others use: readers of the wire, tests, and the recorder that is to come.
FOR_OTHERS = {
    "contract/reports.py:decode_event",
    "process/redaction.py:forget",
    "market/rvol.py:relative_volume",
    "consumer/delivery/plain_handler.py:PlainHandler",  # examples/delivery_alone.py
    "market/data_source.py:vendor_source",  # docs/extending.md
    "simulated_market/bucket.py:build_bucket",  # tests/first_contact
}
#: Who alone speaks SQL on `cycle` and `part`, in consumer/postgres.
LEDGER_ROOM = ("cycles", "cycle_changes", "ledger", "part_ends", "part_outcomes", "run_figures", "run_timeline")
_STATES = re.compile(r"\bstate (?:=|<>|IN|NOT IN) (\([^)]*\)|'[^']*')")
_QUOTED = re.compile(r"'([a-z_]+)'")
_OF_THE_LEDGER = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO|TABLE)\s+(?:cycle|part)\b(?!\.)")


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return len(named) - (named[:1] != [] and named[0].arg in ("self", "cls"))


def texts(module: Module) -> Iterator[str]:
    """Every literal text, those of f-strings included, as one line."""
    return (
        " ".join(node.value.split())
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def test_no_modules_import_each_other_in_a_circle_not_even_for_their_types() -> None:
    assert circles() == []


def test_every_module_says_its_duty_in_its_first_line() -> None:
    silent = [module.path for module in MODULES.values() if module.tree.body and not ast.get_docstring(module.tree)]
    assert silent == []


def test_no_file_is_longer_than_a_reader_holds_in_mind() -> None:
    long = {module.path for module in MODULES.values() if len(module.text.splitlines()) > LONGEST_FILE}
    assert long - FILES_STILL_TO_CUT == set(), "cut them: 250 lines are the aim"


def test_no_function_is_longer_than_two_screens() -> None:
    long = {node.name for module in MODULES.values() for node in functions(module) if length(node) > LONGEST_FUNCTION}
    assert long - FUNCTIONS_STILL_TO_CUT == set()


def test_functions_that_fill_more_than_a_screen_become_fewer() -> None:
    long = sorted(
        f"{length(node)} {module.path}:{node.name}"
        for module in MODULES.values()
        for node in functions(module)
        if length(node) > 30
    )
    assert len(long) <= LONG_FUNCTIONS_LEFT, "\n".join(long)


def test_signatures_that_want_a_struct_become_fewer() -> None:
    long = sorted(
        f"{parameters(node)} {module.path}:{node.name}"
        for module in MODULES.values()
        for node in functions(module)
        if parameters(node) > 5
    )
    assert len(long) <= LONG_SIGNATURES_LEFT, "\n".join(long)


def test_the_formatter_lays_out_all_of_the_packages() -> None:
    assert [module.path for module in MODULES.values() if "# fmt:" in module.text] == []


@pytest.mark.parametrize(
    "statement", ["SELECT 1 FROM cycle", "UPDATE part SET state", "x JOIN part AS p USING", "INSERT INTO cycle (a)"]
)
def test_a_statement_on_the_ledger_is_known_when_it_is_seen(statement: str) -> None:
    assert _OF_THE_LEDGER.search(statement)


def test_statements_on_cycles_and_parts_stand_in_their_room_alone() -> None:
    rooms = {f"consumer/postgres/{name}.py" for name in LEDGER_ROOM}
    elsewhere = [
        f"{module.path}: {text}"
        for module in MODULES.values()
        if module.path not in rooms
        for text in texts(module)
        if _OF_THE_LEDGER.search(text)
    ]
    assert elsewhere == []


@pytest.mark.parametrize("name", [*LEDGER_ROOM, "dead_letters", "letter_causes"])
def test_a_statement_names_only_states_that_there_are(name: str) -> None:
    of_letters = name in ("dead_letters", "letter_causes")
    known = {one.value for kind in ((LetterState,) if of_letters else (CycleState, PartState)) for one in kind}
    module = MODULES[f"consumer.postgres.{name}"]
    named = [state for text in texts(module) for some in _STATES.findall(text) for state in _QUOTED.findall(some)]
    assert set(named) <= known


def test_states_are_named_by_their_members_outside_of_statements() -> None:
    states = {one.value for kind in (CycleState, PartState) for one in kind} - {"open"}
    compared = [
        f"{module.path}:{node.lineno}"
        for module in MODULES.values()
        if module.path.startswith("consumer/")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Compare) and any(word in states for word in words(node))
    ]
    assert compared == []


def words(compared: ast.Compare) -> Iterator[object]:
    """The literals of a comparison, those of a tuple included."""
    for side in (compared.left, *compared.comparators):
        yield from (node.value for node in ast.walk(side) if isinstance(node, ast.Constant))


def test_nothing_stands_there_that_nothing_of_ours_uses() -> None:
    named = Counter(word for module in MODULES.values() for word in re.findall(r"\w+", module.text))
    unused = {
        f"{module.path}:{name}"
        for module in MODULES.values()
        for name in defined(module)
        # What consumer/data_sets declares is found there by the catalogue, and named nowhere.
        if named[name] == 1 and not name.startswith("__") and not module.path.startswith("consumer/data_sets/")
    }
    assert unused - FOR_OTHERS == set()


def defined(module: Module) -> Iterator[str]:
    """What the module has at its top: functions, classes, constants; not what a framework finds by its decorator."""
    for node in module.tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not node.decorator_list:
                yield node.name
            case ast.ClassDef():
                yield node.name
            case ast.Assign():
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case _:
                pass


def test_the_packages_are_all_there() -> None:
    assert {path.name for path in ROOT.iterdir() if (path / "py.typed").exists()} == {
        module.path.split("/")[0] for module in MODULES.values()
    }

"""Holds the runbook to the code: every heading that a log line names is there, and tells what to do."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contract.packages import MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


def named_in_code() -> set[str]:
    texts = (
        path.read_text("utf-8") for package in ("consumer", "producers") for path in (ROOT / package).rglob("*.py")
    )
    return {name for text in texts for name in re.findall(r'runbook="([\w-]+)"', text)}


def test_every_heading_that_a_log_line_names_is_in_the_runbook() -> None:
    headings = set(re.findall(r"^## ([\w-]+)$", (ROOT / "docs" / "runbook.md").read_text("utf-8"), re.MULTILINE))
    assert named_in_code() <= headings
    assert len(named_in_code()) >= 3


#: What asks for a person; `log` does where one of these levels is named beside it.
ASKING = ("error", "critical", "exception")


def errors(tree: ast.AST) -> Iterator[tuple[int, bool]]:
    """Each call that logs an error, or may: its line, and whether it or its function names a heading."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        named = any(word.arg == "runbook" for call in calls(function) for word in call.keywords)
        may_be = any(isinstance(one, ast.Constant) and one.value in ("ERROR", "CRITICAL") for one in ast.walk(function))
        for call in calls(function):
            if on_a_logger(call) and (name_of(call) in ASKING or (name_of(call) == "log" and may_be)):
                beside = bool([one for one in calls(function) if one is not call and name_of(one) in ASKING])
                yield call.lineno, any(w.arg == "runbook" for w in call.keywords) or (named and not beside)


def calls(node: ast.AST) -> Iterator[ast.Call]:
    return (one for one in ast.walk(node) if isinstance(one, ast.Call))


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def on_a_logger(call: ast.Call) -> bool:
    return any(isinstance(one, ast.Name) and one.id in ("logger", "log") for one in ast.walk(call.func))


def test_every_error_of_the_log_names_a_heading() -> None:
    found = {f"{module.path}:{line}": named for module in MODULES.values() for line, named in errors(module.tree)}
    assert [place for place, named in found.items() if not named] == []
    assert len(found) >= 15


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('logger.error("a")', False),
        ('logger.error("a", runbook="b")', True),
        ('logger.bind(runbook="b").error("a")', True),
        ('logger.log("INFO" if fine else "ERROR", "a")', False),
        ('logger.opt(exception=e).critical("a")', False),
    ],
)
def test_an_error_without_one_is_seen(line: str, named: bool) -> None:
    assert [found for _, found in errors(ast.parse(f"def f():\n    {line}"))] == [named]


def test_what_is_told_at_a_fixed_level_below_is_none() -> None:
    assert list(errors(ast.parse('def f():\n    logger.warning("a")\n    logger.log("INFO", "a")'))) == []

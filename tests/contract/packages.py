"""Reads the packages as text and tree, and finds the circles of their imports, those for types included."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
PACKAGES = ("market", "contract", "process", "producers", "simulated_market", "consumer")


class Module(msgspec.Struct, frozen=True, kw_only=True):
    """A module of ours."""

    path: str
    text: str
    tree: ast.Module


def _read() -> dict[str, Module]:
    modules = {}
    for path in sorted(one for package in PACKAGES for one in (ROOT / package).rglob("*.py")):
        inside = path.relative_to(ROOT)
        name = ".".join(inside.with_suffix("").parts).removesuffix(".__init__")
        text = path.read_text("utf-8")
        modules[name] = Module(path=inside.as_posix(), text=text, tree=ast.parse(text))
    return modules


MODULES = _read()


def imports(name: str) -> set[str]:
    """The modules of ours that *name* imports anywhere: at its head, in a function, or only for its types."""
    named: set[str] = set()
    for node in ast.walk(MODULES[name].tree):
        if isinstance(node, ast.Import):
            named.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= {one if one in MODULES else node.module for one in whole}
    return {one for one in named if one in MODULES and one != name}


def circles() -> list[list[str]]:
    """The first circle that is found; none where there is none."""
    try:
        graphlib.TopologicalSorter({name: imports(name) for name in MODULES}).prepare()
    except graphlib.CycleError as error:
        return [list(error.args[1])]
    return []

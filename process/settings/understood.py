"""Gives an environment as our settings name it, whatever case or other service's names it is written in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from process.settings.any_case import Folded, in_any_case
from process.settings.server_names import is_of_a_server
from process.settings.servers import find_servers

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from process.settings.reading import Setting
    from process.settings.server_names import Server


def names_of(settings: Sequence[Setting]) -> frozenset[str]:
    """Every variable that *settings* may be read from."""
    names = {(name, one.secret) for one in settings for name in (one.name, *one.aliases)}
    return frozenset([*(name for name, _ in names), *(f"{name}_FILE" for name, secret in names if secret)])


def understood(
    environment: Mapping[str, str],
    settings: Sequence[Setting],
    *,
    servers: Sequence[Server],
    others: Collection[str] = (),
) -> Folded:
    """Return *environment* with the names of *settings*, of *servers* and *others* in capitals, and the addresses of
    *servers* in our variables."""
    ours = names_of(settings) | frozenset(others)
    folded = in_any_case(environment, lambda name: name in ours or is_of_a_server(name))
    found = find_servers(folded.environment, servers)
    files = dict.fromkeys((f"{variable}_FILE" for variable in found.urls), "")
    return msgspec.structs.replace(
        folded,
        environment={**folded.environment, **files, **found.urls},
        problems=[*folded.problems, *found.problems],
    )


def set_anew(environment: Mapping[str, str], settings: Sequence[Setting], values: Mapping[str, str]) -> dict[str, str]:
    """Return *values* for a child that inherits *environment*, in which no other spelling of them is left."""
    again = [one for one in settings if one.name in values]
    spellings = names_of(again)
    return {name: "" for name in environment if name.upper() in spellings} | dict(values)

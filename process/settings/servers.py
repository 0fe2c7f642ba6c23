"""Finds the servers that an environment configures, under whatever names, and gives them as REDIS_URL and DATABASE_URL.

Parts that stand singly are put together; what our URL does not say is added to it, as libpq does; two that differ are
refused with both names, half an address with what is wanting. A value is never repeated: it may be a secret.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from process.settings.reading import BadValue, Unreadable, spelled
from process.settings.server_names import SECRET, Part, Server
from process.settings.server_parts import added, address, parts_of, plain_url, same, url_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NO = frozenset({"0", "false", "no", "off"})


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Our variables, as the environment's names mean them, and what cannot be meant."""

    urls: dict[str, str]
    problems: list[str]


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """What variable *name* says of a server."""

    name: str
    part: Part
    text: str


def find_servers(environment: Mapping[str, str], servers: Iterable[Server]) -> Found:
    """Return the URLs of *servers*; one of which *environment*, its names in capitals, says nothing is left out."""
    urls: dict[str, str] = {}
    problems: list[str] = []
    for server in servers:
        try:
            given = list(_given(server, environment))
            others = [one for one in given if not _is_ours(server, one)]
            if others and (url := _meant(server, given)):
                urls[server.variable] = _sound(server, url, given)
        except Unreadable as error:
            problems.append(str(error))
    return Found(urls=urls, problems=problems)


def server_secrets(environment: Mapping[str, str], servers: Iterable[Server]) -> Iterator[str]:
    """The passwords among what *environment* says of *servers*, in whatever case, and URLs that may have one."""
    capital = {name.upper(): value for name, value in environment.items()}
    for server in servers:
        for name in capital:
            if server.part_of(name) in SECRET or server.part_of(name.removesuffix("_FILE")) in SECRET:
                with contextlib.suppress(Unreadable):
                    yield from (text for _, text in spelled(name.removesuffix("_FILE"), capital, secret=True))


def _given(server: Server, environment: Mapping[str, str]) -> Iterator[_Given]:
    """What is said of *server*, its URLs first and of those ours. Raises Unreadable."""
    bare = {name.removesuffix("_FILE") for name in environment if name.endswith("_FILE")} | environment.keys()
    parts = {name: part for name in bare if (part := server.part_of(name)) is not None}
    for name in sorted(parts, key=lambda one: (one != server.variable, parts[one] is not Part.URL, one)):
        part = parts[name]
        for variable, text in spelled(name, environment, secret=part in SECRET):
            # Kubernetes sets such a port for every service that it knows; nobody has configured it.
            if not (part is Part.PORT and text.startswith("tcp://")):
                yield _Given(name=variable, part=part, text=text)


def _is_ours(server: Server, one: _Given) -> bool:
    """Whether it is our variable, with a URL that needs no other reading."""
    return one.name.removesuffix("_FILE") == server.variable and plain_url(one.text) == one.text


def _sound(server: Server, url: str, given: list[_Given]) -> str:
    """Return *url*. Raises Unreadable, with the names that the operator has written, where it is not fit."""
    try:
        return server.read(url)
    except BadValue as error:
        names = " and ".join(dict.fromkeys(one.name for one in given))
        raise Unreadable(f"{names}, read as {server.variable}: it {error}") from error


def _meant(server: Server, given: list[_Given]) -> str:
    """The URL that all of *given* mean together; empty where that is nothing. Raises Unreadable."""
    urls = [one for one in given if one.part is Part.URL]
    for other in urls[1:]:
        _must_agree(urls[0], other, agree=plain_url(urls[0].text) == plain_url(other.text))
    url = plain_url(urls[0].text) if urls else None
    said = {} if url is None else parts_of(url)
    if said is None:
        return url or ""  # refused as it stands, or of several hosts: nothing can be held against it
    by = {part: _Given(name=urls[0].name, part=part, text=text) for part, text in said.items()}
    for one in given:
        if one.part is not Part.URL:
            _take(server, one, by)
    if url is None:
        if not by:
            return ""
        _refuse_half(server, by)
        return url_of(server, {part: one.text for part, one in by.items()})
    more = {part: one.text for part, one in by.items() if part not in said}
    return added(url, more) if more else url


def _take(server: Server, one: _Given, by: dict[Part, _Given]) -> None:
    """Add *one* to what is known *by* part. Raises Unreadable where it contradicts that."""
    if one.part is Part.TLS:
        if one.text.lower() not in _NO and Part.TLS not in by:
            raise Unreadable(f"{one.name} asks for TLS: write {server.variable}=rediss://… in its place")
        return
    if one.part is Part.SERVICE:
        if not by:
            raise Unreadable(f"{one.name} is set and {server.variable} is not: write {server.variable}=postgresql://…")
        return
    for part, text in (address(one.text) if one.part is Part.HOST else {one.part: one.text}).items():
        new = _Given(name=one.name, part=part, text=text)
        _must_agree(by.setdefault(part, new), new, agree=same(part, by[part].text, text))


def _must_agree(one: _Given, other: _Given, *, agree: bool) -> None:
    if not agree:
        raise Unreadable(f"{one.name} and {other.name} are both set, and differ: leave one of them out")


def _refuse_half(server: Server, by: Mapping[Part, _Given]) -> None:
    """Half an address is no address, and no leave to start a server of our own."""
    wanting = [name for part, name in server.wanted.items() if part not in by]
    if wanting:
        names = sorted({one.name for one in by.values()})
        told = f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} set, {' and '.join(wanting)}"
        are = "is" if len(wanting) == 1 else "are"
        raise Unreadable(f"{told} {are} not: set {'it' if len(wanting) == 1 else 'them'}, or {server.variable} alone")

"""Takes the address of a server apart into what variables name singly, and puts one together of such parts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from process.settings.server_names import POSTGRES, REDIS, Part, Server

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

_DRIVER = re.compile(r"^(postgres(?:ql)?)\+[a-z0-9]+(?=://)")
_PARAMETERS = {
    "host": Part.HOST,
    "port": Part.PORT,
    "user": Part.USER,
    "username": Part.USER,
    "password": Part.PASSWORD,
    "dbname": Part.NAME,
    "database": Part.NAME,
    "db": Part.NAME,
    "service": Part.SERVICE,
}
_HOST_AND_PORT = re.compile(r"([^\[\]:/]+|\[[^\[\]]+\]):([0-9]{1,5})")


def plain_url(text: str) -> str:
    """Return a URL without the driver that some libraries want in it: postgresql+asyncpg://."""
    return _DRIVER.sub(r"\1", text)


def parts_of(url: str) -> dict[Part, str] | None:
    """Return what *url* says of its server, each as it is meant; None where it is none that one could take apart."""
    try:
        split = urlsplit(url)
        said = {_PARAMETERS[name]: text for name, text in parse_qsl(split.query) if name in _PARAMETERS}
        user, _, password = split.netloc.rpartition("@")[0].partition(":")
        where = split.netloc.rpartition("@")[2]
        if "," in where or not where.isprintable():
            return None
        host, port = _host_and_port(where)
    except ValueError:
        return None
    path = "" if split.scheme == "unix" else unquote(split.path.strip("/"))
    socket = split.path if split.scheme == "unix" else ""
    plain = {
        Part.HOST: unquote(host) or socket,
        Part.PORT: port,
        Part.USER: unquote(user),
        Part.PASSWORD: unquote(password),
        Part.NAME: path,
        Part.TLS: "yes" if split.scheme == "rediss" else "",
    }
    return said | {part: text for part, text in plain.items() if text}


def address(text: str) -> dict[Part, str]:
    """Return the parts of what a variable named ..._HOST holds: a name, a name and a port, or a whole URL."""
    if "://" in text:
        return parts_of(text) or {Part.HOST: text}
    host, port = _host_and_port(text)
    return {Part.HOST: host, **({Part.PORT: port} if port else {})}


def _host_and_port(text: str) -> tuple[str, str]:
    match = _HOST_AND_PORT.fullmatch(text)
    return (match[1].strip("[]"), match[2]) if match else (text.strip("[]"), "")


def same(part: Part, one: str, other: str) -> bool:
    """Whether two texts say the same of a *part*."""
    if part is Part.HOST:
        return one.lower() == other.lower()
    if part is Part.PORT and one.isdecimal() and other.isdecimal():
        return int(one) == int(other)
    return one == other


def url_of(server: Server, parts: Mapping[Part, str]) -> str:
    """Return the URL that says *parts*."""
    host, port = parts[Part.HOST], parts.get(Part.PORT, "")
    where = f"[{host}]" if ":" in host else quote(host, safe=".-_~")
    where += f":{quote(port, safe='')}" if port else ""
    name = quote(parts.get(Part.NAME, ""), safe="")
    if host.startswith("/"):
        return _of_a_socket(server, parts, host, port=port, name=name)
    scheme = {REDIS.variable: "redis", POSTGRES.variable: "postgresql"}[server.variable]
    return f"{scheme}://{_who(parts)}{where}/{name}"


def _of_a_socket(server: Server, parts: Mapping[Part, str], path: str, *, port: str, name: str) -> str:
    if server is REDIS:
        return f"unix://{_who(parts)}{quote(path)}" + (f"?db={name}" if name else "")
    return f"postgresql://{_who(parts)}/{name}?host={quote(path)}" + (f"&port={port}" if port else "")


def _who(parts: Mapping[Part, str]) -> str:
    user, password = (quote(parts.get(part, ""), safe="") for part in (Part.USER, Part.PASSWORD))
    return f"{user}:{password}@" if password else f"{user}@" if user else ""


def added(url: str, parts: Mapping[Part, str]) -> str:
    """Return *url* with *parts* that it does not say itself."""
    split = urlsplit(url)
    said = parts_of(url) or {}
    userinfo = _who({**said, **parts}) if {Part.USER, Part.PASSWORD} & parts.keys() else _userinfo(split)
    where = split.netloc.rpartition("@")[2]
    if (port := parts.get(Part.PORT)) and where:
        where += f":{quote(port, safe='')}"
    path = split.path if Part.NAME not in parts else f"/{quote(parts[Part.NAME], safe='')}"
    return urlunsplit((split.scheme, userinfo + where, path, split.query, ""))


def _userinfo(split: SplitResult) -> str:
    before, at, _ = split.netloc.rpartition("@")
    return before + at

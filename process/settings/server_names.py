"""Knows under which names people configure a Redis or a PostgreSQL, beside REDIS_URL and DATABASE_URL.

The earlier service's own (DB_HOST, REDIS_PASSWORD), those of libpq (PGHOST), of the servers' images (POSTGRES_USER) and
of others (DATABASE_URI): a server that somebody has configured under any of them is never replaced by one of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from process.settings.urls import database_url, redis_url

if TYPE_CHECKING:
    from collections.abc import Collection


class Part(Enum):
    """What of a server a variable names."""

    URL = "URL"
    HOST = "HOST"
    PORT = "PORT"
    USER = "USER"
    PASSWORD = "PASSWORD"  # noqa: S105
    NAME = "NAME"  # of the database; of Redis its number
    TLS = "TLS"
    SERVICE = "SERVICE"


SECRET = frozenset({Part.URL, Part.PASSWORD})


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of server: our variable, what its address is called, and what is needed where there is no URL."""

    variable: str
    read: Callable[[str], str]
    names: re.Pattern[str]
    words: Mapping[str, Part]
    wanted: Mapping[Part, str]  # with the name to write

    def part_of(self, name: str) -> Part | None:
        """What of this server *name*, in capitals, names; None where it is no name of it."""
        match = self.names.fullmatch(name)
        return None if match is None else self.words[match[1]]


_ANYWHERE = {
    **dict.fromkeys(("URL", "URI", "DSN", "CONNECTION_STRING", "CONNECTION_URL", "CONNECTION_URI"), Part.URL),
    **dict.fromkeys(("HOST", "HOSTNAME", "HOSTADDR", "SERVER", "ADDR", "ADDRESS"), Part.HOST),
    **dict.fromkeys(("USER", "USERNAME"), Part.USER),
    **dict.fromkeys(("PASSWORD", "PASS", "PASSWD", "PWD"), Part.PASSWORD),
    **dict.fromkeys(("DB", "DATABASE", "NAME", "DBNAME", "DB_NAME"), Part.NAME),
    "PORT": Part.PORT,
}


def _names(prefixes: str, words: Collection[str]) -> re.Pattern[str]:
    return re.compile(rf"(?:{prefixes})_?({'|'.join(sorted(words, key=len, reverse=True))})")


_OF_REDIS = {**_ANYWHERE, "SSL": Part.TLS, "TLS": Part.TLS, "USE_SSL": Part.TLS, "USE_TLS": Part.TLS}
_OF_POSTGRES = {**_ANYWHERE, "SERVICE": Part.SERVICE}

REDIS = Server(
    variable="REDIS_URL",
    read=redis_url,
    names=_names("REDIS|VALKEY", _OF_REDIS),
    words=_OF_REDIS,
    wanted={Part.HOST: "REDIS_HOST"},
)
POSTGRES = Server(
    variable="DATABASE_URL",
    read=database_url,
    names=_names(
        "DB|DATABASE|ASYNC_DATABASE|SQLALCHEMY_DATABASE|POSTGRES|POSTGRESQL|PG|TIMESCALE|TIMESCALEDB|TSDB", _OF_POSTGRES
    ),
    words=_OF_POSTGRES,
    wanted={Part.HOST: "DB_HOST", Part.NAME: "DB_NAME", Part.USER: "DB_USER"},
)
SERVERS = (REDIS, POSTGRES)


def is_of_a_server(name: str) -> bool:
    """Whether *name*, in capitals, names a part of a server, or the file of its secret."""
    return any(server.part_of(name) or server.part_of(name.removesuffix("_FILE")) in SECRET for server in SERVERS)

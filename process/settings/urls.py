"""Reads the URLs of Redis, PostgreSQL and HTTP services so that no driver has to stumble over them later.

Drivers take a database named `abc` for 0, a `#` in a password for the end of the URL, a parameter that they do not know
for an argument or a setting of the server's. What they would not do as it is meant is refused here, and never repeated.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, urlsplit

from process.settings.reading import BadValue

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

REDIS = "redis://user:password@host:6379/0, rediss://… or unix:///path/to/socket"
POSTGRES = "postgresql://user:password@host:5432/database"
ESCAPES = "in a password @ is %40, / %2F and # %23"
_REDIS_TLS = {
    "ssl_cert_reqs",
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_password",
    "ssl_check_hostname",
    "ssl_min_version",
}
#: Of those that the driver knows: timeouts, retries and protocol are the service's own.
REDIS_PARAMETERS = {"db", "username", "password", "client_name"}
#: What the driver understands itself, and the settings of a session that the service leaves alone.
POSTGRES_PARAMETERS = {
    "host",
    "port",
    "dbname",
    "database",
    "user",
    "password",
    "passfile",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "sslpassword",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "sslnegotiation",
    "target_session_attrs",
    "krbsrvname",
    "gsslib",
    "service",
    "servicefile",
    "application_name",
    "search_path",
    "options",
    "role",
}
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def redis_url(value: str) -> str:
    """Reads the URL of a Redis."""
    parts = _split(value, ("redis", "rediss", "unix"), REDIS)
    tls = _REDIS_TLS if parts.scheme == "rediss" else set()
    known = _parameters(parts, REDIS_PARAMETERS | tls)
    if parts.scheme == "unix":
        if not parts.path.strip("/") or parts.hostname:
            raise BadValue("names no socket: write unix:///path/to/socket")
    else:
        _port(parts.netloc, REDIS)
        if not re.fullmatch(r"(/[0-9]{0,5})?", parts.path):
            raise BadValue(f"has no database number at its end: write for example {REDIS}; {ESCAPES}")
    if not re.fullmatch(r"[0-9]{0,5}", known.get("db", "")):
        raise BadValue("has a db that is no number: write for example ?db=0")
    if known.get("ssl_cert_reqs", "none") not in ("none", "optional", "required"):
        raise BadValue("has an ssl_cert_reqs that is none of none, optional, required")
    if not re.fullmatch(r"[0-9]{1,4}", known.get("ssl_min_version", "771")):
        raise BadValue("has an ssl_min_version that is no number: write 771 for TLS 1.2, 772 for 1.3")
    return value


def database_url(value: str) -> str:
    """Reads the URL of a PostgreSQL; several hosts stand beside each other, separated by commas."""
    parts = _split(value, ("postgresql", "postgres"), POSTGRES)
    known = _parameters(parts, POSTGRES_PARAMETERS)
    for host in parts.netloc.rpartition("@")[2].split(","):
        _port(host, POSTGRES)
    for port in filter(None, known.get("port", "").split(",")):
        _port(f"host:{port}", POSTGRES)
    if known.get("sslmode", "prefer") not in SSL_MODES:
        raise BadValue(f"has an sslmode that is none of {', '.join(SSL_MODES)}")
    return value


def http_url(example: str, *, whole: bool = False) -> Callable[[str], str]:
    """Reads the address of an HTTP service, to which paths are added; a *whole* one may have parameters."""

    def read(value: str) -> str:
        parts = _split(value, ("http", "https"), example)
        _port(parts.netloc, example)
        if not parts.hostname:
            raise BadValue(f"names no host: write for example {example}")
        if parts.query and not whole:
            raise BadValue(f"has parameters: leave out what follows the question mark, as in {example}")
        return value

    return read


def _split(value: str, schemes: Collection[str], example: str) -> SplitResult:
    try:
        parts = urlsplit(value)
    except ValueError:
        raise BadValue(f"is no URL: write for example {example}") from None
    if parts.scheme not in schemes:
        raise BadValue(f"is no URL of the kind {' or '.join(f'{scheme}://…' for scheme in schemes)}")
    if not value[len(parts.scheme) :].startswith("://"):
        raise BadValue(f"has no // after its scheme: write for example {example}")
    if parts.fragment or value.endswith("#") or re.search(r"\s", value):
        raise BadValue("has a # or a blank in it: write %23 or %20 for one that belongs to a name or password")
    return parts


def _port(netloc: str, example: str) -> None:
    """Raises BadValue for a port that is none; what stands before an @ is a user's, and may hold colons."""
    host = netloc.rpartition("@")[2]
    match = re.fullmatch(r"(?:\[[0-9A-Fa-f:.%\w]+\]|[^\[\]:@]*)(?::([0-9]{1,5}))?", host)
    if match is None or (match[1] is not None and not 1 <= int(match[1]) <= 65_535):
        raise BadValue(
            f"has no host and port from 1 to 65535: write for example {example}; in a password @ is %40, / %2F"
        )


def _parameters(parts: SplitResult, known: Collection[str]) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    for name, _ in pairs:
        if name not in known:
            shown = name if re.fullmatch(r"[a-z_]{1,40}", name) else "one"
            raise BadValue(f"has the parameter {shown}, which is none of {', '.join(sorted(known))}: leave it out")
    if len({name for name, _ in pairs}) < len(pairs):
        raise BadValue("has a parameter twice: keep one")
    return dict(pairs)

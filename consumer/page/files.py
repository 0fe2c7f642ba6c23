"""Serves the page's files, read once, under a policy that lets nothing run or load but them."""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from consumer.page.shared import Answer, answer_of
from consumer.web.etags import is_known

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Nothing from elsewhere, nothing inline; a page of another site may not frame it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
INDEX = "index.html"


class StaticFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it is sent."""

    body: bytes
    packed: bytes
    content_type: str
    tag: str


def read_files() -> Mapping[str, StaticFile]:
    """Return the page's files by name."""
    folder = files("consumer.page").joinpath("static")
    return {one.name: _read(one.name, one.read_bytes()) for one in folder.iterdir() if _ending(one.name) in _TYPES}


def _ending(name: str) -> str:
    return f".{name.rpartition('.')[2]}"


def _read(name: str, body: bytes) -> StaticFile:
    tag = hashlib.sha256(body).hexdigest()[:16]
    return StaticFile(body=body, packed=gzip.compress(body, 9), content_type=_TYPES[_ending(name)], tag=tag)


def answer_file(request: web.Request, file: StaticFile) -> web.Response:
    """Send *file*, or that the browser has it."""
    headers = {**HEADERS, "ETag": f'"{file.tag}"', "Vary": "Accept-Encoding"}
    if is_known(request, file.tag):
        return web.Response(status=304, headers=headers)
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    if packed:
        headers["Content-Encoding"] = "gzip"
    body = file.packed if packed else file.body
    return web.Response(body=body, headers=headers, content_type=file.content_type, charset="utf-8")


def answer_json(request: web.Request, value: object) -> web.Response:
    """Send *value* as JSON, or that the browser has it; an Answer as it is."""
    answer = value if isinstance(value, Answer) else answer_of(value)
    headers = {**HEADERS, "ETag": f'"{answer.tag}"'}
    if is_known(request, answer.tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=answer.body, headers=headers, content_type="application/json")

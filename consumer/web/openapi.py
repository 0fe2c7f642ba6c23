"""Makes GET /openapi.json of the routes themselves: OpenAPI 3.1, with the schemas of what they take and answer.

What the router has stands in it and nothing else. Of the page's own routes there is no more than that they are there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from consumer.web import problem_kinds as kinds
from consumer.web.asked import Nothing, names_of
from consumer.web.callers import READS
from consumer.web.etags import tagged_json
from consumer.web.idempotency import HEADER
from consumer.web.problems import PROBLEM_TYPE, Problem
from consumer.web.tokens import OPEN
from market.symbols import WELL_FORMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consumer.web.routes import Route

TABLE: web.AppKey[dict[tuple[str, str], Route]] = web.AppKey("routes")
_KEPT: web.AppKey[list[dict[str, Any]]] = web.AppKey("openapi")
_REF = "#/components/schemas/{name}"
_DAY = {"type": "string", "format": "date"}
_PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "day": _DAY,
    "first": _DAY,
    "last": _DAY,
    "id": {"type": "integer", "minimum": 1},
    "symbol": {"type": "string", "pattern": f"^{WELL_FORMED.removeprefix('^').removesuffix('$')}$"},
}
#: What the page is made of: it changes with the page, and is no promise to anybody else.
_OF_THE_PAGE = "page"
_ABOUT = (
    "Data maintenance for a US stock market. docs/http-api.md says the same for people. Instants are UTC, days are New "
    "York's. Errors are problem documents (RFC 9457) whose detail names the cure."
)


def describe(app: web.Application, routes: Iterable[Route]) -> None:
    """Let *app* know what its *routes* take and answer."""
    app[TABLE] = {(route.method, route.path): route for route in routes}
    app[_KEPT] = []


async def openapi(request: web.Request) -> web.Response:
    """This document."""
    kept = request.app[_KEPT]
    if not kept:  # made once: what is served is settled by then
        kept.append(document_of(request.app))
    return tagged_json(request, kept[0])


def document_of(app: web.Application) -> dict[str, Any]:
    """Return the document of what *app* serves."""
    table = app[TABLE]
    served = sorted({(route.resource.canonical, route.method) for route in app.router.routes() if route.resource})
    schemas = _Schemas(list(table.values()))
    paths: dict[str, dict[str, Any]] = {}
    for path, method in served:
        if method != "HEAD":  # of each GET
            route = table.get((method, path))
            found = _of_page(method, path) if route is None else _operation(route, schemas)
            paths.setdefault(path, {})[method.lower()] = found
    return {
        "openapi": "3.1.0",
        "info": {"title": "Data maintenance", "version": "1", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": _SECURITY},
    }


_SECURITY = {
    "operate": {"type": "http", "scheme": "bearer", "description": "MAINTENANCE_API_TOKEN: reads and asks for work"},
    "read": {"type": "http", "scheme": "bearer", "description": "MAINTENANCE_READ_TOKEN, where it is set"},
    "browser": {"type": "http", "scheme": "basic", "description": "either token as the password; for reads"},
}


def _components(types: list[Any]) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    return msgspec.json.schema_components(types, schema_hook=_anything, ref_template=_REF)


def _anything(wanted: type) -> dict[str, Any]:
    """The schema of what is told as it stands: any."""
    if wanted is not object:
        raise TypeError(f"{wanted} has no schema")
    return {"description": "as it stands"}


class _Schemas:
    """The schemas of all that routes take and answer, each once."""

    def __init__(self, routes: list[Route]) -> None:
        bodies = [route.body for route in routes if route.body is not None]
        self._types = list(dict.fromkeys([Problem, *(route.answer for route in routes), *bodies]))
        self._schemas, self.components = _components(self._types)

    def of(self, wanted: Any) -> dict[str, Any]:
        return self._schemas[self._types.index(wanted)]


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    reads = route.method in READS
    operation: dict[str, Any] = {
        "summary": _summary(route),
        "operationId": _identity(route.method, route.path),
        "tags": ["read" if reads else "operate"],
        "security": _security(route.path, reads=reads),
        "parameters": [*_in_path(route.path), *_in_query(route.asked), *([] if reads else [_KEY])],
        "responses": _responses(route, schemas, reads=reads),
    }
    if route.body is not None:
        content = {"application/json": {"schema": schemas.of(route.body)}}
        required = any(field.required for field in msgspec.structs.fields(route.body))
        operation["requestBody"] = {"required": required, "content": content}
    return operation


def _summary(route: Route) -> str:
    said = (route.answering.__doc__ or route.path).strip().partition("\n")[0]
    return said.rstrip(".")


def _identity(method: str, path: str) -> str:
    return "_".join([method.lower(), *re.findall(r"\w+", path)])


def _security(path: str, *, reads: bool) -> list[dict[str, list[str]]]:
    """The empty one: where no token is set."""
    if path in OPEN:
        return []
    return [{}, {"read": []}, {"operate": []}, {"browser": []}] if reads else [{}, {"operate": []}]


_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": "^[ -~]{1,202}$"},
    "description": "asked again with the same key and body, the same is answered and nothing is done twice",
}


def _in_path(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _PATH_PARAMETERS.get(name, {"type": "string"})}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _in_query(asked: type[msgspec.Struct]) -> list[dict[str, Any]]:
    if asked is Nothing:
        return []
    _, components = _components([asked])
    own = components[asked.__name__]
    return [
        {"name": name, "in": "query", "required": name in own.get("required", ()), "schema": _never_null(schema)}
        for name, schema in own["properties"].items()
        if name in names_of(asked)
    ]


def _never_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """In a query there is no null: a parameter that says nothing is left out."""
    left = {name: value for name, value in schema.items() if not (name == "default" and value is None)}
    if "anyOf" in left:
        left |= next(one for one in left.pop("anyOf") if one != {"type": "null"})
    return left


def _responses(route: Route, schemas: _Schemas, *, reads: bool) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "what was asked for" if reads else "it is done, or is asked for"}
    done["content"] = {"application/json": {"schema": schemas.of(route.answer)}}
    headers = {"ETag": "of this answer"} if route.tagged else {}
    headers |= {"Location": "where its outcome will stand"} if route.status == 202 else {}
    if headers:
        done["headers"] = {name: {"description": what, "schema": {"type": "string"}} for name, what in headers.items()}
    responses: dict[str, Any] = {str(route.status): done}
    if route.tagged:
        responses["304"] = {"description": "the caller has it already (If-None-Match)"}
    if route.path == "/health":  # its own document, as its readers know it
        responses["503"] = {"description": "a server is away", "content": done["content"]}
    for status in _refusals(route, reads=reads):
        responses.setdefault(str(status), _refusal(status, schemas))
    return responses


def _refusals(route: Route, *, reads: bool) -> list[int]:
    """What may be refused of it: of any request, of those that change something, of those that name something."""
    always = [400, 401, 421, 500, 503]
    changes = [] if reads else [403, 409, 413, 415, 422]
    names = not reads or "{" in route.path or "symbol" in names_of(route.asked)
    return sorted({*always, *changes, *([404] if names else [])})


def _refusal(status: int, schemas: _Schemas) -> dict[str, Any]:
    return {
        "description": kinds.kind_of_status(status).title,
        "content": {PROBLEM_TYPE: {"schema": schemas.of(Problem)}},
    }


def _of_page(method: str, path: str) -> dict[str, Any]:
    return {
        "summary": "Of the page",
        "operationId": _identity(method, path) or "page",
        "tags": [_OF_THE_PAGE],
        "description": "The page's own: it changes with the page.",
        "parameters": _in_path(path),
        "responses": {"default": {"description": "as the page understands it"}},
    }

"""GET /openapi.json is the routes, both ways; and whatever a generator makes of it, the running service keeps to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup

from tests.page.serving import TOKEN, page_of
from tests.web.conftest import clock, market, postgres_dsn, stack

if TYPE_CHECKING:
    from aiohttp import web

    from tests.cycle.stack import Stack

__all__ = ["clock", "market", "postgres_dsn", "stack"]
EXAMPLES = 12
#: The first does not end; the second says 503 without a worker, which a generator takes for a fault. Both have tests.
NOT_TRIED = ("/events", "/readyz")
#: What a schema cannot say is refused with a cure: a day without a session, a symbol that nobody has, a run to come.
NOT_ASKED = ("positive_data_acceptance",)


def served(app: web.Application) -> set[tuple[str, str]]:
    return {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }


async def document_of(client: TestClient[Any, Any]) -> dict[str, Any]:
    return dict(await (await client.get("/openapi.json")).json())


async def test_the_document_has_every_route_and_no_other_and_says_who_may_ask(stack: Stack, redis_url: str) -> None:
    app = page_of(stack, redis_url)
    async with TestClient(TestServer(app)) as client:
        document = await document_of(client)
    operations = {(method, path): one for path, some in document["paths"].items() for method, one in some.items()}
    assert set(operations) == served(app)
    assert document["openapi"] == "3.1.0"
    ours = {name: one for name, one in operations.items() if one["tags"] != ["page"]}
    assert {path for _, path in operations if (_, path) not in ours} >= {"/", "/page/overview", "/events"}
    for (method, path), one in ours.items():
        assert one["summary"] != path, f"{path} says nothing of itself"
        if path in ("/livez", "/readyz", "/health"):
            assert one["security"] == []
        else:
            assert ({"read": []} in one["security"]) is (method == "get"), path
    assert len({one["operationId"] for one in operations.values()}) == len(operations)


@pytest.mark.long(20)
async def test_whatever_is_made_of_the_document_the_service_keeps_to_it(stack: Stack, redis_url: str) -> None:
    await stack.run_cycle()
    async with TestClient(TestServer(page_of(stack, redis_url, token=TOKEN))) as client:
        document = await document_of(client)
        url = str(client.make_url("/"))
        found = await asyncio.to_thread(findings, document, url)
    assert found == [], "\n\n".join(found)


def findings(document: dict[str, Any], url: str) -> list[str]:
    """What a generator of requests finds against the service at *url*; the same requests each time."""
    config = SchemathesisConfig()
    schema = schemathesis.openapi.from_dict(document, config=config)
    checks = [check for check in CHECKS.get_all() if check.__name__ not in NOT_ASKED]
    return [
        problem
        for found in schema.get_all_operations()
        for mode in schemathesis.GenerationMode
        if (operation := found.ok()).path not in NOT_TRIED
        for problem in [tried(operation, mode, checks, url)]
        if problem is not None
    ]


def tried(operation: Any, mode: schemathesis.GenerationMode, checks: list[Any], url: str) -> str | None:
    headers = {"Authorization": f"Bearer {TOKEN}"}

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        response = case.call(base_url=url, headers=headers)
        case.validate_response(response, checks=checks, headers=headers)

    try:
        ask()
    except Unsatisfiable:
        return None  # nothing of it can be wrong
    except FailureGroup as found:
        return f"{operation.label} ({mode.value}): {found!r}"
    return None

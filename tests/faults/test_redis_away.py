"""While Redis is away people are told so, and all that the ledger knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp

from tests.cycle.stack import DAY, until

if TYPE_CHECKING:
    from consumer.embedded.redis_server import EmbeddedRedis
    from tests.faults.conftest import Starts
    from tests.faults.service import Place


async def test_health_and_status_say_that_redis_is_away_and_the_status_tells_the_rest(
    place: Place, consumer: Starts, own_redis: EmbeddedRedis, logged: list[dict[str, Any]]
) -> None:
    async with consumer(http=True), aiohttp.ClientSession() as http:
        await place.complete()
        url = next(str(line["url"]) for line in logged if line["event"] == "http_api_listening")
        await own_redis.stop()
        async with http.get(f"{url}/status") as answer:
            status = await answer.json()
            assert (answer.status, status["streams"], status["last"]["trading_day"]) == (200, None, DAY.isoformat())
        async with http.get(f"{url}/health") as answer:
            health = await answer.json()
            checks = health["checks"]
            assert (answer.status, checks["redis"]["connected"], checks["postgresql"]["connected"]) == (
                503,
                False,
                True,
            )
        async with http.post(f"{url}/trigger", json={}) as answer:
            assert (answer.status, answer.content_type) == (503, "application/problem+json")
        await own_redis.start()

        async def well() -> bool:
            async with http.get(f"{url}/health") as answer:
                return answer.status == 200

        await until(well, what="health")

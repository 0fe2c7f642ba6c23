"""What stands in Redis is compared, whatever somebody has put under its names."""

from __future__ import annotations

from consumer.redis_cache.comparer import CacheComparer
from consumer.runtime import connect_blocking_redis
from contract import keys


def test_bytes_and_other_types_are_differences_and_no_failure(redis_url: str) -> None:
    with connect_blocking_redis(redis_url) as redis:
        for name in ("a:X", "whole", "members", keys.CACHED.pattern.format(cache="some")):
            redis.set(name, b"\xff\xfe")
        redis.set("text:Y", b"\xff")
        redis.hset("b:Z", "1", b"\xff")
        comparer = CacheComparer(redis, cache="some")
        comparer.replace_strings("text:{symbol}", {"Y": "1"})
        comparer.replace_hashes("a:{symbol}", {"X": ["1", "2"]})
        comparer.replace_hashes("b:{symbol}", {"Z": ["1", "2"]})
        comparer.replace_hash("whole", ["1", "2"])
        comparer.replace_set("members", {"M"})
    assert (comparer.compared, comparer.differences) == (5, 5)

"""Where the next page is asked for."""

import pytest

from consumer.massive.pagination import PageTrail, next_target
from consumer.vendor.errors import BadAnswer

RAW = {"adjusted": "false"}


@pytest.mark.parametrize(
    ("next_url", "target"),
    [
        ("https://api.polygon.io/v3/reference/tickers?cursor=YWN0", "/v3/reference/tickers?cursor=YWN0"),
        ("https://api.polygon.io:443:443/v3/reference/tickers?cursor=YWN0", "/v3/reference/tickers?cursor=YWN0"),
        ("/v3/reference/tickers?cursor=YWN0", "/v3/reference/tickers?cursor=YWN0"),
        ("https://evil.example/v3/t?cursor=1&apiKey=SECRET", "/v3/t?cursor=1"),
        ("https://evil.example/v3/t?APIKEY=SECRET&cursor=1", "/v3/t?cursor=1"),
        ("https://h/v3/t?cursor=a%3D%26b&type=A&type=B", "/v3/t?cursor=a%3D%26b&type=A&type=B"),
        ("https://h/v3/t", "/v3/t"),
        ("https://h/v2/aggs/ticker/BRK%2FA/range?cursor=1", "/v2/aggs/ticker/BRK%2FA/range?cursor=1"),
    ],
)
def test_only_path_and_query_are_followed_without_any_key(next_url: str, target: str) -> None:
    assert next_target(next_url, keep={}) == target


def test_raw_bars_stay_raw_on_the_next_page_where_the_cursor_forgot() -> None:
    assert next_target("https://h/v2/x?cursor=1", keep=RAW) == "/v2/x?cursor=1&adjusted=false"
    assert next_target("https://h/v2/x?adjusted=false&cursor=1", keep=RAW) == "/v2/x?adjusted=false&cursor=1"


def test_the_path_of_the_base_url_is_not_repeated() -> None:
    assert next_target("https://proxy/massive/v3/t?c=1", base_path="/massive", keep={}) == "/v3/t?c=1"
    assert next_target("https://proxy/massively/v3/t", base_path="/massive", keep={}) == "/massively/v3/t"


@pytest.mark.parametrize(
    "next_url",
    ["no path", "javascript:alert(1)", "https://host-only?x=1", "/v3/t\r\nX-Evil: 1", "ftp://h/x", "http://[::/x"],
)
def test_a_malformed_next_url_is_a_bad_answer_that_shows_no_query(next_url: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        next_target(next_url, keep={})
    assert "x=1" not in str(caught.value)


def trail(max_pages: int) -> PageTrail:
    return PageTrail("/v3/t?limit=1", base_path="", keep={}, max_pages=max_pages)


def test_a_cursor_that_comes_back_is_a_bad_answer() -> None:
    pages = trail(9)
    pages.follow("https://a/v3/t?cursor=1")
    pages.follow("https://a/v3/t?cursor=2")
    with pytest.raises(BadAnswer, match="circle"):
        pages.follow("https://b/v3/t?cursor=1&apiKey=x")


def test_endless_pages_are_a_bad_answer() -> None:
    pages = trail(3)
    pages.follow("/v3/t?cursor=1")
    pages.follow("/v3/t?cursor=2")
    with pytest.raises(BadAnswer, match="does not end"):
        pages.follow("/v3/t?cursor=3")

"""Finds the next page, on the configured host only.

The vendor's `next_url` is absolute and names a host of its own, now and then a broken one.  Only its path and query are
followed; a key in it is dropped.  A cursor that comes back, or too many pages, is a `BadAnswer`, never an endless loop.
"""

import datetime as dt
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from consumer.vendor.errors import BadAnswer
from market.bounded_fields import NEXT_URL
from market.bounds import check_of

_is_url = check_of(NEXT_URL)


class PageTrail:
    """The pages of one question seen so far."""

    def __init__(self, first: str, *, base_path: str, keep: dict[str, str], max_pages: int) -> None:
        self._seen = {first}
        self._base_path = base_path
        self._keep = keep
        self._max_pages = max_pages

    @property
    def pages(self) -> int:
        """How many pages were asked for."""
        return len(self._seen)

    def follow(self, next_url: str) -> str:
        """The path and query of the next page, relative to the base URL."""
        target = next_target(next_url, base_path=self._base_path, keep=self._keep)
        if target in self._seen:
            raise BadAnswer(f"The vendor's pages run in a circle: page {self.pages} points to one already read")
        if self.pages >= self._max_pages:
            raise BadAnswer(f"The vendor's answer does not end: {self._max_pages} pages and there is a next one")
        self._seen.add(target)
        return target


def next_target(next_url: str, *, base_path: str = "", keep: dict[str, str]) -> str:
    """Path and query of *next_url* without key and host; parameters in *keep* are put back where it lost them."""
    if not _is_url(next_url, dt.date.max):
        raise BadAnswer(f"The vendor's next_url is malformed: {shown(next_url)}")
    try:
        parts = urlsplit(next_url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError as error:
        raise BadAnswer(f"The vendor's next_url is malformed: {shown(next_url)}") from error
    path = parts.path
    if base_path and path.startswith(f"{base_path}/"):
        path = path.removeprefix(base_path)
    if not path.startswith("/") or parts.scheme not in ("", "http", "https"):
        raise BadAnswer(f"The vendor's next_url names no path: {shown(next_url)}")
    kept = [(name, value) for name, value in pairs if name.lower() != "apikey"]
    names = {name for name, _ in kept}
    kept += [(name, value) for name, value in keep.items() if name not in names]
    return with_query(path, kept)


def shown(url: str) -> str:
    """The URL without its query, which may hold a key, fit for a message."""
    return repr(url.partition("?")[0][:80])


def with_query(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """The path with its query, percent-encoded throughout."""
    query = urlencode(list(pairs), quote_via=quote, safe="")
    return f"{path}?{query}" if query else path

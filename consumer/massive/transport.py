"""Carries requests to the vendor and brings back pages or typed errors.

Each request asks the shared budget first and carries the key in a header, to the configured host only.  A 429 pauses
the budget for every process; what is transient is tried a few times with full jitter.  Nothing else is retried here:
longer patience belongs to the delivery of tasks.
"""

import asyncio
import contextlib
import datetime as dt
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from typing import TypeVar

import aiohttp
import msgspec
from yarl import URL

from consumer.massive.access import CONNECT_TIMEOUT, TOTAL_TIMEOUT, Access
from consumer.massive.answer_bounds import BOUNDS
from consumer.massive.answers import Answer, parse_retry_after, read_page
from consumer.massive.circuit_breaker import CircuitBreaker, CircuitRules
from consumer.massive.envelope import BareReader, Page, PageReader
from consumer.massive.trouble_log import TroubleLog
from consumer.vendor.body import ACCEPT_ENCODING, BodyReader
from consumer.vendor.errors import BadAnswer, BudgetUnavailable, ProviderUnavailable, RateLimited, VendorError
from consumer.vendor.questions import Question
from consumer.vendor.requests import note_request
from market.data_source import SourceKind
from process.redaction import hide, redacted
from simulated_market.identity import SOURCE_HEADER

Row = TypeVar("Row", bound=msgspec.Struct)


def open_session(*, max_in_flight: int) -> aiohttp.ClientSession:
    """A session with room for *max_in_flight* connections, kept alive; the caller closes it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=max_in_flight, keepalive_timeout=30),
        timeout=aiohttp.ClientTimeout(
            total=TOTAL_TIMEOUT.total_seconds(), sock_connect=CONNECT_TIMEOUT.total_seconds()
        ),
        headers={"Accept": "application/json", "Accept-Encoding": ACCEPT_ENCODING},
        auto_decompress=False,  # see body.py: what an answer unpacks to is counted while it does
        cookie_jar=aiohttp.DummyCookieJar(),
    )


class Transport:
    """The requests to one vendor under one key."""

    def __init__(self, http: aiohttp.ClientSession, access: Access) -> None:
        self._http = http
        self._source = access.source
        self._on_answer = access.on_answer
        self._budget = access.budget
        self._patience = access.patience
        self.base_url = _checked_base_url(access.base_url)
        self.requests_made: Counter[str] = Counter()
        self._headers = {}
        if access.api_key is not None:
            hide([access.api_key])
            self._headers = {"Authorization": f"Bearer {access.api_key}"}
        self._timeout = aiohttp.ClientTimeout(
            total=access.timeout.total_seconds(), sock_connect=CONNECT_TIMEOUT.total_seconds()
        )
        self._in_flight = asyncio.Semaphore(access.max_in_flight)
        self._bodies = BodyReader()
        self.troubles = TroubleLog(clock=access.patience.clock)
        self.breakers = {question: self._breaker(question) for question in Question}

    def _breaker(self, question: Question) -> CircuitBreaker:
        patience = self._patience
        rules = CircuitRules(
            after=patience.failures_to_open,
            first_pause=patience.first_pause,
            longest_pause=patience.longest_pause,
            clock=patience.clock,
            draw=patience.draw,
        )
        return CircuitBreaker(question.value, rules)

    async def get_page(self, endpoint: Question, target: str, reader: PageReader[Row] | BareReader[Row]) -> Page[Row]:
        """The page at *target* (path and query), after as many tries as `Patience` allows."""
        tries = refusals = 0
        paused = dt.timedelta(0)
        while True:
            try:
                return await self._tried(endpoint, target, reader)
            except RateLimited as error:
                refusals += 1
                if refusals >= self._patience.rate_limited_tries or paused >= self._patience.longest_paused:
                    raise
                paused += await self._wait_for_the_vendor(endpoint, error, refusals)
            except ProviderUnavailable as error:
                tries += 1
                if tries >= self._patience.tries:
                    raise
                await self._back_off(endpoint, error, tries)
            finally:
                self.troubles.tell_due()

    async def _tried(self, endpoint: Question, target: str, reader: PageReader[Row] | BareReader[Row]) -> Page[Row]:
        try:
            return self._read(await self._send(endpoint, target), reader)
        except VendorError as error:
            failure = error
        # Whoever keeps a failure keeps its traceback, whose frames hold the answer, and what it was raised from: a
        # hundred failures of a part were as many bodies.
        failure.__cause__ = failure.__context__ = None
        raise failure.with_traceback(None)

    async def _send(self, endpoint: Question, target: str) -> Answer:
        breaker = self.breakers[endpoint]
        while True:
            # The slot before the grant: a grant that waited for a slot would be sent too late to count as rationed.
            async with self._in_flight:
                if not breaker.on_trial:
                    with self._circuit(breaker):
                        await self._budget.acquire(endpoint.value)
                        return await self._ask(endpoint, breaker, target)
            # The trial may have to wait for the budget. Its outcome tells for all; failing meanwhile tells nothing.
            await breaker.trial_ended()

    async def _ask(self, endpoint: Question, breaker: CircuitBreaker, target: str) -> Answer:
        self.requests_made[endpoint] += 1
        note_request(endpoint.value)
        answer = await self._noted(endpoint, target)
        if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            breaker.succeeded()
        else:
            breaker.failed()
        return answer

    @contextlib.contextmanager
    def _circuit(self, breaker: CircuitBreaker) -> Iterator[None]:
        breaker.enter()
        try:
            yield
        except BudgetUnavailable:
            breaker.abandoned()
            raise
        except BadAnswer:
            breaker.succeeded()  # it answers, and what it says is judged by itself
            raise
        except ProviderUnavailable:
            breaker.failed()
            raise
        except BaseException:
            breaker.abandoned()
            raise

    async def _noted(self, endpoint: Question, target: str) -> Answer:
        status = None
        try:
            answer = await self._answered(endpoint, target)
            status = answer.status
            return answer
        finally:
            self._on_answer(endpoint.value, status)

    async def _answered(self, endpoint: Question, target: str) -> Answer:
        path = target.partition("?")[0]
        try:
            return await self._exchange(endpoint, path, target)
        except TimeoutError as error:
            raise ProviderUnavailable(f"{path} did not answer in full within {self._timeout.total:g} s") from error
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError) as error:
            raise ProviderUnavailable(f"{path} broke off: {type(error).__name__} {str(error)[:200]}") from error

    async def _exchange(self, endpoint: Question, path: str, target: str) -> Answer:
        url = URL(self.base_url + target, encoded=True)
        async with self._http.get(url, headers=self._headers, timeout=self._timeout, allow_redirects=False) as response:
            bound, unread = BOUNDS[endpoint], None
            if response.status == HTTPStatus.OK:
                body = await self._bodies.whole(response, path, most=bound.size)
                bound.check_objects(body, path)
            else:
                body, unread = await self._bodies.beginning(response, path)
            return Answer(
                path=path,
                status=response.status,
                body=body,
                unread=unread,
                retry_after=parse_retry_after(response.headers.get("Retry-After"), now=dt.datetime.now(dt.UTC)),
                market=response.headers.get(SOURCE_HEADER),
            )

    def _read(self, answer: Answer, reader: PageReader[Row] | BareReader[Row]) -> Page[Row]:
        try:
            self._refuse_another_source(answer)
            return read_page(answer, reader)
        except VendorError as error:
            # Whatever the vendor or a proxy echoes into its refusal, the key does not reach a log or a table from here.
            error.args = (redacted(str(error)),)
            raise

    def _refuse_another_source(self, answer: Answer) -> None:
        """Behind one address another market may answer the next request: after a restart, or through a proxy."""
        if self._source is None or answer.status != HTTPStatus.OK:
            return
        expected = None if self._source.kind is SourceKind.VENDOR else self._source.mark
        if answer.market != expected:
            found = "no simulated market" if answer.market is None else f"simulated market {answer.market[:80]!r}"
            raise BadAnswer(f"{answer.path} was answered by {found}; this run loads from {self._source.words}")

    async def _wait_for_the_vendor(self, endpoint: Question, error: RateLimited, refusals: int) -> dt.timedelta:
        pause = error.retry_after or self._budget.recovery(refusals)
        self.troubles.note(
            str(endpoint),
            "The vendor counts too many requests, all requests with this key pause",
            pause_s=pause.total_seconds(),
            refusals=refusals,
            reason=str(error),
        )
        await self._budget.pause(pause)
        return pause

    async def _back_off(self, endpoint: Question, error: ProviderUnavailable, tries: int) -> None:
        ceiling = min(self._patience.first_delay * 2 ** (tries - 1), self._patience.longest_delay)
        delay_s = self._patience.draw() * ceiling.total_seconds()
        self.troubles.note(
            str(endpoint),
            "The vendor did not answer properly, trying again",
            tries=tries,
            delay_s=round(delay_s, 2),
            reason=str(error),
        )
        await self._patience.sleep(delay_s)


def _checked_base_url(base_url: str) -> str:
    url = URL(base_url)
    if url.scheme not in ("http", "https") or not url.host or url.query_string or url.user:
        raise ValueError("MASSIVE_BASE_URL must look like https://api.massive.com: a scheme, a host, no query, no user")
    return base_url.rstrip("/")

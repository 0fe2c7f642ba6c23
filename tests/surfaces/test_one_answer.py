"""One question, "what stands of the newest session, and is it served?", asked of every surface in twelve situations."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from consumer.terminal import status as status_verb
from consumer.web.metrics import Metrics, add_metrics
from process.exit_codes import ExitCode
from tests.cycle.conftest import clock, market, postgres_dsn, stack
from tests.cycle.looks import BEFORE, NEXT
from tests.cycle.stack import AT_FIVE, DAY, EVENING, new_york
from tests.page.serving import monitor_of, page_of, settings_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.settings import Settings
    from tests.cycle.stack import Stack

    Client = TestClient[Any, Any]

__all__ = ["clock", "market", "postgres_dsn", "stack"]
STATES = ("missing", "partial", "provisional", "final", "suspect")
WHOLE = ("provisional", "final", "suspect")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one surface says: of which session, what stands of it, how it is served; None where it does not say that."""

    day: str
    state: str
    service: str | None = None
    sentence: str | None = None


@pytest.fixture(name="settings")
def settings_(redis_url: str, postgres_dsn: str) -> Settings:
    return msgspec.structs.replace(settings_of(redis_url), database_url=postgres_dsn)


@pytest.fixture(name="client")
async def client_(stack: Stack, redis_url: str, settings: Settings) -> AsyncIterator[Client]:
    app = page_of(stack, redis_url)
    add_metrics(app, Metrics(monitor_of(stack), settings, same_answer_s=0))
    async with TestClient(TestServer(app)) as found:
        yield found


class Surfaces:
    """Everything that answers, over one service."""

    def __init__(self, stack: Stack, client: Client, settings: Settings, terminal: pytest.CaptureFixture[str]) -> None:
        self._stack, self._client, self._settings, self._terminal = stack, client, settings, terminal

    async def all(self) -> dict[str, Answer]:
        """What each says, of the session that /status is about."""
        http = await self._http()
        return {
            "http": http,
            "page": await self._page(http.day),
            "command": await self._command(as_json=False, said=http),
            "command --json": await self._command(as_json=True, said=http),
            "redis": await self._redis(http.day),
            "sql": await self._sql(http.day),
            "metrics": await self._metrics(http.day),
        }

    async def _http(self) -> Answer:
        said = await (await self._client.get("/status")).json()
        session, serving = said["session"], said["serving"]
        return Answer(
            day=session["date"], state=session["state"], service=serving["service"], sentence=session["summary"]
        )

    async def _page(self, day: str) -> Answer:
        await self._client.post("/page/recheck")
        said = await (await self._client.get("/page/overview")).json()
        (row,) = [one for one in said["calendar"]["sessions"] if one["trading_day"] == day]
        return Answer(
            day=row["trading_day"],
            state=row["state"],
            service=said["status"]["serving"]["service"],
            sentence=said["sentence"],
        )

    async def _command(self, *, as_json: bool, said: Answer) -> Answer:
        self._terminal.readouterr()
        code = await status_verb.show(self._settings, watch=False, as_json=as_json)
        out = self._terminal.readouterr().out
        if as_json:
            told = json.loads(out)
            session, service = told["session"], told["serving"]["service"]
            fine = service in ("served", "under_way") and bool(told["caches"])
            assert (code == ExitCode.OK) is fine
            return Answer(day=session["date"], state=session["state"], service=service, sentence=session["summary"])
        named = f"{dt.date.fromisoformat(said.day):%a %d %b}  "
        (row,) = [line for line in out.splitlines() if line.startswith(named)]
        state = next(word for word in re.findall(r"[a-z]+", row) if word in STATES)  # in all, before its data sets
        begins = out.splitlines()[0]  # folded at the terminal's width
        whole = said.sentence if said.sentence is not None and said.sentence.startswith(begins.strip()) else begins
        return Answer(day=said.day, state=state, sentence=whole)

    async def _redis(self, day: str) -> Answer:
        """The day's own key, and with it that the two keys that name days name it as its state has them."""
        said = json.loads(str(await self._stack.redis.get(f"maintenance:status:{day}")))
        run, final = await self._stack.redis.mget("maintenance:last_run", "maintenance:last_final")
        assert (run == day) is (said["state"] in WHOLE)
        assert (final == day) is (said["state"] == "final")
        return Answer(day=said["date"], state=said["state"], sentence=said["summary"])

    async def _sql(self, day: str) -> Answer:
        row = await self._stack.pool.fetchrow("SELECT * FROM session_condition WHERE trading_day = $1::text::date", day)
        assert row is not None
        return Answer(day=str(row["trading_day"]), state=row["state"], sentence=row["reason"])

    async def _metrics(self, day: str) -> Answer:
        text = await (await self._client.get("/metrics")).text()
        (state,) = re.findall(r'^maintenance_session_state\{state="(\w+)"\} 1\.0$', text, re.MULTILINE)
        (service,) = re.findall(r'^maintenance_serving\{service="(\w+)"\} 1\.0$', text, re.MULTILINE)
        return Answer(day=day, state=state, service=service)


@pytest.fixture
def surfaces(
    stack: Stack,
    client: Client,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Surfaces:
    """The command's own clock is the stack's."""
    monkeypatch.setattr(status_verb, "utc_now", stack.clock)
    monkeypatch.setattr(status_verb, "expectations_set", lambda *_: stack.expectations)
    return Surfaces(stack, client, settings, capsys)


async def agree(surfaces: Surfaces, stack: Stack, day: dt.date, state: str, service: str) -> None:
    """Every surface says this of *day*, in the same sentence."""
    await stack.reporter.judge()  # as the catch-up does within half a minute
    answers = await surfaces.all()
    wanted = Answer(day=str(day), state=state, service=service, sentence=answers["http"].sentence)
    for name, one in answers.items():
        told = msgspec.structs.replace(
            one,
            service=service if one.service is None else one.service,
            sentence=wanted.sentence if one.sentence is None else one.sentence,
        )
        assert (name, told) == (name, wanted)


async def test_every_surface_says_the_same_from_an_empty_database_to_a_final_session(
    stack: Stack, surfaces: Surfaces
) -> None:
    stack.clock.at = new_york(BEFORE, "20:30")
    await agree(surfaces, stack, BEFORE, "missing", "late")  # 1: nothing was ever loaded
    await stack.run_cycle(BEFORE)
    await agree(surfaces, stack, BEFORE, "final", "served")  # 2
    stack.clock.at = new_york(DAY, "16:30")
    await agree(surfaces, stack, BEFORE, "final", "served")  # 3: another has closed, and is not due yet
    stack.clock.at = AT_FIVE
    await agree(surfaces, stack, DAY, "missing", "under_way")  # 4: due this moment
    await stack.look_and_work()
    await agree(surfaces, stack, DAY, "provisional", "served")  # 5: a first look
    stack.clock.at = EVENING
    await stack.market.fail({"kind": "unknown_key"})
    assert (await stack.look_and_work()).state == "failed"
    await agree(surfaces, stack, DAY, "provisional", "late")  # 6: the final cycle failed
    await stack.market.fail()
    await stack.run_cycle()
    await agree(surfaces, stack, DAY, "final", "served")  # 7


async def test_every_surface_says_the_same_of_what_lacks_is_lost_or_is_doubted(
    stack: Stack, surfaces: Surfaces
) -> None:
    await stack.run_cycle()
    await stack.pool.execute("DELETE FROM session_slots WHERE trading_date = $1 AND symbol IN ('SPY', 'AAPL')", DAY)
    await agree(surfaces, stack, DAY, "partial", "late")  # 8: slots of two symbols lack
    await stack.run_cycle()
    await agree(surfaces, stack, DAY, "final", "served")
    await stack.redis.delete("maintenance:caches")
    await agree(surfaces, stack, DAY, "final", "served")  # 9: the data stands, and the caches of it are lost
    await stack.run_cycle(task="redis_sync", force=True)
    await stack.pool.execute(
        "INSERT INTO session_finding (data_set, trading_day, kind, state, found_at, reason, load_id) "
        "VALUES ('daily_bars', $1, 'volume_off', 'open', now(), 'half the usual volume', 1)",
        DAY,
    )
    await agree(surfaces, stack, DAY, "suspect", "suspect")  # 10
    stack.clock.at = new_york(NEXT, "23:00")
    await stack.market.fail({"kind": "server_error", "endpoint": "grouped_daily", "day": str(NEXT), "status": 503})
    await stack.look_and_work()
    await agree(surfaces, stack, NEXT, "partial", "late")  # 11: the vendor refuses the bars


async def test_every_surface_says_the_same_on_a_holiday(stack: Stack, surfaces: Surfaces) -> None:
    wednesday = DAY.replace(day=26)
    stack.clock.at = new_york(wednesday, "20:30")
    await stack.run_cycle(wednesday)
    stack.clock.at = new_york(DAY.replace(day=27), "12:00")
    await agree(surfaces, stack, wednesday, "final", "served")  # 12: Thanksgiving

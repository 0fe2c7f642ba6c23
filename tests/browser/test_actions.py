"""The page says who did what and why; and behind a read token a browser opens it by a password, its events included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp.test_utils import TestServer

from consumer.page.routes import add_page
from consumer.postgres import actions
from consumer.postgres.actions import Act, Action
from consumer.postgres.decisions import Decision
from consumer.web.app import Access, build_app
from consumer.web.reads import Reads
from tests.cycle.stack import DAY
from tests.page.serving import TOKEN, monitor_of, settings_of

if TYPE_CHECKING:
    from tests.browser.conftest import Browser
    from tests.cycle.stack import Stack


async def test_who_did_what_and_why_is_read_at_a_glance(browser: Browser, stack: Stack, url: str) -> None:
    done = Action(act=Act.CANCEL, about="cycle 1, CLOSED+15m", trading_day=DAY, cycle_id=1)
    decision = Decision(by="ann", reason="wrong <b>key</b>", at=stack.clock(), via="http")
    await actions.note(stack.pool, done, decision)

    def act(page: Any) -> list[str]:
        page.click("#actions summary")
        page.wait_for_selector("#actions-shown td")
        return list(page.locator("#actions-shown tbody tr").first.locator("th, td").all_inner_texts())

    told = await browser.look(url, act)
    assert told[1:] == ["ann", "cancel", f"cycle 1, CLOSED+15m · {DAY} · run 1", "wrong <b>key</b>", "http"]


async def test_behind_a_read_token_a_password_opens_the_page_and_its_events(
    browser: Browser, stack: Stack, redis_url: str
) -> None:
    monitor = monitor_of(stack)
    access = Access(token=TOKEN, read_token="reader")
    app = build_app(monitor, stack.stream, Reads(stack.pool, stack.services.calendar), access, max_deliveries=5)
    add_page(app, settings_of(redis_url, token=TOKEN), monitor, stack.stream)
    async with TestServer(app) as server:

        def act(page: Any) -> str:
            page.wait_for_selector("#live[data-state=live]")
            page.click("#actions summary")
            page.wait_for_selector("#actions-shown p")
            return str(page.inner_text("#actions-shown"))

        credentials = {"username": "anybody", "password": "reader"}
        told = await browser.look(str(server.make_url("/")), act, http_credentials=credentials)
    assert "Nobody has asked for anything" in told

"""What axe finds in every state of the page, light and dark: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestServer

from contract import keys
from tests.browser.test_questions import NO_BARS, PHONE, meanwhile
from tests.cycle.stack import DAY, until
from tests.page.serving import page_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Browser
    from tests.cycle.stack import Stack

SCHEMES: tuple[dict[str, Any], ...] = ({"color_scheme": "light"}, {"color_scheme": "dark"})


def violations(page: Any) -> list[str]:
    """What axe finds, with where."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the extra `dev` brings axe")
    found = axe.Axe().run(page).response["violations"]
    return [f"{one['id']} {node['target']}" for one in found for node in one["nodes"]]


async def looked_at(browser: Browser, url: str, *acts: Callable[[Any], Any], phone: bool = False) -> list[str]:
    """What axe finds after each of *acts*, in both schemes."""
    found: list[str] = []

    def act(page: Any) -> None:
        page.wait_for_selector("#log-shown li, #log-shown p.soft")
        for one in acts:
            one(page)
            found.extend(violations(page))

    for scheme in SCHEMES:
        await browser.look(url, act, **(PHONE if phone else {}), **scheme, reduced_motion="reduce")
    return found


def as_it_is(page: Any) -> None:
    page.wait_for_selector("#again button")


def with_a_day(page: Any) -> None:
    page.click(f'tr[data-day="{DAY}"] th')
    page.wait_for_selector("#day .run")


def with_an_empty_day(page: Any) -> None:
    page.click(f'tr[data-day="{DAY}"] th')
    page.wait_for_selector("#day-heading:focus")


def with_everything_opened(page: Any) -> None:
    for name in ("market", "budget", "decided"):
        page.click(f"#{name} summary")
    page.wait_for_selector("#budget-shown progress")
    page.wait_for_selector("#decided-shown > *")


def with_a_deed(page: Any) -> None:
    page.click("button[data-act='Drop']")
    page.wait_for_selector(".deed form")


async def test_axe_finds_nothing_on_an_empty_page(browser: Browser, url: str) -> None:
    found = await looked_at(browser, url, as_it_is, with_an_empty_day)
    assert found == []


async def test_axe_finds_nothing_on_a_whole_day_a_symbol_and_a_page_that_lost_its_service(
    browser: Browser, stack: Stack, redis_url: str
) -> None:
    await stack.run_cycle()
    symbol = str(await stack.value("SELECT symbol FROM ticker_atr ORDER BY symbol LIMIT 1"))

    def with_a_symbol(page: Any) -> None:
        page.fill("#symbol-name", symbol)
        page.keyboard.press("Enter")
        page.wait_for_selector("#symbol-shown canvas")

    found: list[str] = []
    for scheme in SCHEMES:
        server = TestServer(page_of(stack, redis_url))
        await server.start_server()
        leave = meanwhile(server.close())

        def act(page: Any, leave: Callable[[], Any] = leave) -> None:
            page.wait_for_selector("#market .facts")
            for one in (as_it_is, with_everything_opened, with_a_symbol):
                one(page)
                found.extend(violations(page))
            leave()
            page.wait_for_selector("#live[data-state=away]")
            found.extend(violations(page))

        await browser.look(str(server.make_url("/")), act, **scheme)
    assert found == []


@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
async def test_axe_finds_nothing_on_a_partial_day_opened_and_a_deed_shown(
    browser: Browser, url: str, stack: Stack, phone: bool
) -> None:
    await stack.market.fail(NO_BARS)
    await stack.run_cycle()
    await give_up_an_entry(stack)
    found = await looked_at(browser, url, as_it_is, with_a_day, with_a_deed, phone=phone)
    assert found == []


async def give_up_an_entry(stack: Stack) -> None:
    """One that no worker takes: its day is a Saturday."""
    await stack.redis.xadd(keys.TASKS.name, {"task": "ohlc_daily", "trading_day": "2025-11-08"})

    async def given_up() -> bool:
        return int(await stack.value("SELECT count(*) FROM dead_letter")) == 1

    async with stack.working():
        await until(given_up, what="the letter")

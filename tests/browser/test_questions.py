"""A person's questions, each answered by a look, a click, or the keyboard alone, in a real browser."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestServer

from contract import keys
from tests.cycle.stack import DAY
from tests.page.serving import TOKEN, monitor_of, page_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.browser.conftest import Browser
    from tests.cycle.stack import Stack

BEFORE = dt.date(2025, 11, 10)
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
NO_BARS = {"kind": "server_error", "endpoint": "grouped_daily", "day": str(DAY), "status": 503}


async def lose_bars(stack: Stack, day: dt.date) -> None:
    """Somebody deletes a session's bars."""
    await stack.pool.execute("DELETE FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1", day)
    await stack.pool.execute("DELETE FROM daily_bar WHERE trading_date = $1", day)


def meanwhile(work: Coroutine[Any, Any, Any]) -> Any:
    """Returns what does *work* on the test's loop and waits for it, to be called from the browser's thread."""
    loop = asyncio.get_running_loop()
    return lambda: asyncio.run_coroutine_threadsafe(work, loop).result(60)


def sign(page: Any) -> None:
    """Say who and why."""
    page.fill(".fill input[name=by]", "anna")
    page.fill(".fill input[name=reason]", "a test")


async def test_is_it_fresh_is_answered_before_anything_is_touched(browser: Browser, url: str, stack: Stack) -> None:
    await stack.run_cycle()
    status = await monitor_of(stack).status()

    def act(page: Any) -> tuple[str, str, str]:
        return page.inner_text("#sentence"), page.get_attribute("#verdict", "data-state"), page.title()

    sentence, state, title = await browser.look(url, act)
    assert (sentence, state) == (status.session.summary, status.serving.service.value)
    assert title == f"served · {sentence}"


async def test_what_failed_and_why_is_one_click_away(browser: Browser, url: str, stack: Stack) -> None:
    await stack.market.fail(NO_BARS)
    await stack.run_cycle()

    def act(page: Any) -> str:
        page.click(f'tr[data-day="{DAY}"] .of-daily_bars')
        return str(page.inner_text("#day .run details tbody tr:first-child"))

    failed = await browser.look(url, act)
    assert f"ohlc_daily bars:{DAY}" in failed
    assert "503" in failed


async def test_what_it_waits_for_is_found_with_the_keyboard_alone(browser: Browser, url: str, stack: Stack) -> None:
    await stack.market.fail(NO_BARS)
    await stack.run_cycle()

    def act(page: Any) -> list[str]:
        focused = "document.activeElement"
        press = page.keyboard.press
        press("Tab")  # the skip link
        press("Enter")
        press("Tab")
        seen = [page.evaluate(f"{focused}.parentElement.dataset.day")]
        for key in ("ArrowDown", "ArrowRight", "ArrowUp"):
            press(key)
        seen.append(page.evaluate(f"{focused}.className"))
        press("Enter")
        page.wait_for_selector("#day .waits")
        page.wait_for_selector("#day-heading:focus")
        seen.append(page.inner_text("#day .waits"))
        press("Escape")
        page.wait_for_selector(f"tr[data-day='{DAY}'] > :focus")
        return [*seen, str(page.is_visible("#day"))]

    first, cell, waits, still_open = await browser.look(url, act)
    assert (first, cell, still_open) == (str(DAY), "of-session", "False")
    assert "the next pass of the cycle" in waits


async def test_filling_a_day_says_its_cost_first_and_is_asked_for_by_a_second_click(
    browser: Browser, url: str, stack: Stack
) -> None:
    await stack.run_cycle()
    await lose_bars(stack, BEFORE)

    def act(page: Any) -> tuple[str, int, str]:
        page.click("text=What would filling it cost?")
        page.wait_for_selector(".fill button.main")
        offer = page.inner_text(".fill")
        page.click(".fill button.main")  # nothing is asked for without who and why
        asked_by_then = meanwhile_length()
        sign(page)
        page.click(".fill button.main")
        page.wait_for_selector(".fill .said:not(:empty)")
        return offer, asked_by_then, page.inner_text(".fill .said")

    loop = asyncio.get_running_loop()

    def meanwhile_length() -> int:
        asking = stack.redis.xlen(keys.TASKS.name)
        return int(asyncio.run_coroutine_threadsafe(asking, loop).result(10))  # type: ignore[arg-type]

    offer, asked_by_then, said = await browser.look(url, act)
    assert f"{BEFORE} daily_bars: missing" in offer
    assert "1 grouped_daily" in offer
    assert f"maintenance backfill --from {BEFORE} --to {BEFORE}" in offer
    assert asked_by_then == 0
    assert said.startswith("Asked for")
    ((_, fields),) = await stack.redis.xrange(keys.TASKS.name)
    assert (fields["trading_day"], fields["first_day"]) == (str(BEFORE), str(BEFORE))
    assert (fields["requested_by"], fields["reason"], fields["via"]) == ("anna", "a test", "page")


async def test_a_token_is_asked_for_and_kept_for_the_tab_alone(browser: Browser, stack: Stack, redis_url: str) -> None:
    await stack.run_cycle()
    await lose_bars(stack, BEFORE)

    def act(page: Any) -> tuple[str, list[Any]]:
        page.click("text=What would filling it cost?")
        secret = page.locator(".fill input[type=password]")
        sign(page)
        secret.fill("guess")
        page.click(".fill button.main")
        page.wait_for_selector(".fill .said:not(:empty)")
        refused = page.inner_text(".fill .said")
        secret.fill(TOKEN)
        page.click(".fill button.main")
        page.wait_for_selector(".fill .said:has-text('Asked for')")
        return refused, page.evaluate("[sessionStorage['maintenance-token'], JSON.stringify(localStorage)]")

    async with TestServer(page_of(stack, redis_url, token=TOKEN)) as server:
        refused, (kept, others) = await browser.look(str(server.make_url("/")), act)
    assert "token is needed" in refused
    assert kept == TOKEN
    assert TOKEN not in others


async def test_a_night_is_followed_without_a_reload_unless_the_page_is_paused(
    browser: Browser, url: str, stack: Stack
) -> None:
    first = meanwhile(stack.run_cycle())
    second = meanwhile(stack.run_cycle(force=True))

    def act(page: Any) -> list[str]:
        from playwright.sync_api import expect

        page.wait_for_selector("#live[data-state=live]")
        seen = [page.inner_text("#sentence")]
        first()
        page.wait_for_selector("#log-shown summary")
        page.wait_for_selector("#sentence:has-text('whole and final')")
        page.keyboard.press("p")
        page.wait_for_selector("#live[data-state=paused]")
        logged, older = page.inner_text("#log-shown"), page.inner_text("#log-shown summary")
        second()
        seen.append(str(page.inner_text("#log-shown") == logged))
        page.keyboard.press("p")
        page.wait_for_selector("#live[data-state=live]")
        expect(page.locator("#log-shown summary")).not_to_have_text(older)
        return seen

    before, nothing_new = await browser.look(url, act)
    assert "has no data" in before
    assert nothing_new == "True"


async def test_a_service_that_went_away_is_told_and_the_page_goes_on_when_it_is_back(
    browser: Browser, stack: Stack, redis_url: str
) -> None:
    await stack.run_cycle()
    server = TestServer(page_of(stack, redis_url))
    await server.start_server()
    again = TestServer(page_of(stack, redis_url), port=server.port)
    leave, come_back = meanwhile(server.close()), meanwhile(again.start_server())

    def act(page: Any) -> str:
        page.wait_for_selector("#live[data-state=live]")
        leave()
        page.wait_for_selector("#live[data-state=away]")
        told = str(page.inner_text("#banner"))
        come_back()
        page.wait_for_selector("#live[data-state=live]")
        page.wait_for_selector("#banner", state="hidden")
        return told

    try:
        assert "What you see is as of 20:30:00 ET" in await browser.look(str(server.make_url("/")), act)
    finally:
        await again.close()


async def test_what_is_usual_of_a_symbol_and_where_it_comes_from_is_one_word_away(
    browser: Browser, url: str, stack: Stack
) -> None:
    await stack.run_cycle()
    symbol = str(await stack.value("SELECT symbol FROM ticker_atr ORDER BY symbol LIMIT 1"))

    def act(page: Any) -> tuple[int, str]:
        page.keyboard.press("/")
        page.keyboard.type(symbol)
        page.keyboard.press("Enter")
        page.wait_for_selector("#symbol-shown canvas")
        return page.locator("#symbol-shown canvas").count(), page.inner_text("#symbol-shown")

    charts, text = await browser.look(url, act)
    assert charts == 2
    assert "they differ" not in text
    assert "massive:rest" in text


_UNREADABLE = """() => {
  const lightness = (rgb) => { const [r, g, b] = rgb.map((one) => one / 255).map((one) => one <= .03928 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (one) => { for (let at = one; at; at = at.parentElement) { const [r, g, b, a = 1] = parts(getComputedStyle(at).backgroundColor); if (a === 1) return [r, g, b]; } return [255, 255, 255]; };
  const texts = [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility() && [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
  return texts.filter((one) => { const [a, b] = [lightness(parts(getComputedStyle(one).color).slice(0, 3)), lightness(behind(one))].sort(); return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5; }).map((one) => one.className + ": " + one.textContent.slice(0, 40));
}"""  # noqa: E501  (a script of the browser's)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_word_can_be_read_and_fits_a_phone_and_nothing_moves_for_who_wants_none(
    browser: Browser, url: str, stack: Stack, scheme: str
) -> None:
    await stack.market.fail(NO_BARS)
    await stack.run_cycle()

    def act(page: Any) -> tuple[list[str], int, set[str]]:
        page.click(f'tr[data-day="{DAY}"] th')
        page.wait_for_selector("#day .run")
        moving = page.evaluate("[...document.querySelectorAll('*')].map(one => getComputedStyle(one).animationName)")
        return page.evaluate(_UNREADABLE), page.evaluate("document.documentElement.scrollWidth"), set(moving)

    unreadable, width, moving = await browser.look(url, act, **PHONE, color_scheme=scheme, reduced_motion="reduce")
    assert unreadable == []
    assert width == 390
    assert moving == {"none"}


async def test_a_database_that_is_away_is_told_with_the_cure(browser: Browser, url: str, stack: Stack) -> None:
    await stack.pool.execute("ALTER TABLE cycle RENAME TO cycle_that_was")
    try:

        def act(page: Any) -> str:
            return str(page.inner_text("main"))

        told = await browser.look(url, act)
    finally:
        await stack.pool.execute("ALTER TABLE cycle_that_was RENAME TO cycle")
    assert "Nothing can be said" in told
    assert "maintenance doctor" in told

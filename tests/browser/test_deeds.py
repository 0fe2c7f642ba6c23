"""What a person has done on the page, by clicks or the keyboard alone: shown, signed, done, and to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp.test_utils import TestServer

from tests.browser.test_accessibility import give_up_an_entry
from tests.browser.test_questions import BEFORE, meanwhile
from tests.cycle.stack import DAY
from tests.page.serving import TOKEN, page_of

if TYPE_CHECKING:
    from tests.browser.conftest import Browser
    from tests.cycle.stack import Stack

MOST_TABS = 150


def tab_to(page: Any, selector: str) -> None:
    """Press Tab until what *selector* names has the focus."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached with the keyboard")


async def propose(stack: Stack) -> str:
    """A price has jumped: whether a new series begins waits for a person."""
    symbol = str(await stack.value("SELECT min(symbol) FROM daily_bar WHERE trading_date = $1", DAY))
    await stack.pool.execute(
        "INSERT INTO series_boundary (symbol, boundary_day, state, evidence, found_at) "
        "VALUES ($1, $2, 'proposed', 'opened at 3, the close before was 30', $3)",
        *(symbol, DAY, stack.clock()),
    )
    return symbol


async def test_letters_are_dropped_with_the_keyboard_alone_and_it_is_read_who_did_and_why(
    browser: Browser, url: str, stack: Stack
) -> None:
    await give_up_an_entry(stack)

    def act(page: Any) -> tuple[str, str, str]:
        tab_to(page, "button[data-act='Drop']")
        page.keyboard.press("Enter")
        page.wait_for_selector(".deed input[name=by]:focus")
        shown = page.inner_text(".deed")
        page.keyboard.type("anna")
        page.keyboard.press("Tab")
        page.keyboard.type("a Saturday")
        page.keyboard.press("Enter")
        page.wait_for_selector(".deed .said:focus")
        said = page.inner_text(".deed .said")
        tab_to(page, "#decided summary")
        page.keyboard.press("Enter")
        page.wait_for_selector("#decided-shown tbody tr")
        return shown, said, page.inner_text("#decided-shown tbody tr")

    shown, said, decided = await browser.look(url, act)
    assert "1 letter would be settled without being done" in shown
    assert "2025-11-08" in shown
    assert said == "Done: 1 dropped."
    assert ("anna" in decided, "a Saturday" in decided) == (True, True)
    assert await stack.value("SELECT settled_by || ': ' || settled_reason FROM dead_letter") == "anna: a Saturday"


async def test_which_symbols_may_have_lost_their_history_is_found_and_decided_by_clicks(
    browser: Browser, url: str, stack: Stack
) -> None:
    await stack.run_cycle()
    symbol = await propose(stack)

    def act(page: Any) -> tuple[str, str]:
        page.wait_for_selector(f"#found li:has-text('{symbol} {DAY}')")
        page.click("button[data-act='A new series begins']")
        page.wait_for_selector(".deed form")
        shown = page.inner_text(".deed")
        page.fill(".deed input[name=by]", "anna")
        page.fill(".deed input[name=reason]", "a spin-off")
        page.click(".deed button.main")
        page.wait_for_selector(".deed .said:not(:empty)")
        return shown, page.inner_text(".deed .said")

    shown, said = await browser.look(url, act)
    assert "figures are made of nothing before it" in shown
    assert said.startswith("Done: accepted")
    assert await stack.value("SELECT state || ' ' || decided_by FROM series_boundary") == "accepted anna"


async def test_what_is_typed_and_where_one_is_outlives_news(browser: Browser, url: str, stack: Stack) -> None:
    await stack.run_cycle()
    await propose(stack)
    news = meanwhile(give_up_an_entry(stack))

    def act(page: Any) -> list[Any]:
        page.wait_for_selector("#live[data-state=live]")
        page.click("button[data-act='The series goes on']")
        page.wait_for_selector(".deed form")
        page.fill(".deed input[name=reason]", "half a sente")
        page.focus(".deed input[name=reason]")
        news()
        page.wait_for_selector("#found li:has-text('given up')")
        typed = "[document.activeElement.name, document.activeElement.value]"
        held = page.evaluate(typed)
        page.click(".deed button:has-text('Cancel')")
        page.wait_for_selector(".deed", state="detached")
        return [*held, page.evaluate("document.activeElement.dataset.act")]

    assert await browser.look(url, act) == ["reason", "half a sente", "The series goes on"]


async def test_who_somebody_is_is_asked_once_a_tab_and_why_each_time(browser: Browser, url: str, stack: Stack) -> None:
    await stack.run_cycle()
    await propose(stack)

    def act(page: Any) -> list[str]:
        page.click("button[data-act='The series goes on']")
        page.wait_for_selector(".deed form")
        page.fill(".deed input[name=by]", "anna")
        page.fill(".deed input[name=reason]", "an earnings day")
        page.click(".deed button.main")
        page.wait_for_selector(".deed .said:not(:empty)")
        page.click(f'tr[data-day="{DAY}"] th')
        page.wait_for_selector("#day .fill")
        page.fill("#day input[name=first]", "2025-08-04")
        page.fill("#day input[name=last]", "2025-08-04")
        page.click("#day .fill button[type=submit]")
        page.wait_for_selector("#day .sign")
        by, reason = (page.input_value(f"#day input[name={name}]") for name in ("by", "reason"))
        offered = page.evaluate("document.querySelector('#day .sign datalist option').value")
        return [by, reason, offered, page.evaluate("String(localStorage.getItem('maintenance-by'))")]

    assert await browser.look(url, act) == ["anna", "", "an earnings day", "null"]


async def test_whether_a_hand_has_healed_it_is_looked_at_again_with_the_token(
    browser: Browser, stack: Stack, redis_url: str
) -> None:
    await stack.run_cycle()
    lost = meanwhile(stack.pool.execute("DELETE FROM daily_bar WHERE trading_date = $1", BEFORE))

    def act(page: Any) -> tuple[str, str]:
        lost()
        page.focus("#again button")
        page.keyboard.press("Enter")
        page.wait_for_selector("#again input:focus")
        page.keyboard.type(TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("#again [role=status]:has-text('Looked again')")
        return page.inner_text("#again [role=status]"), page.inner_text("#found")

    async with TestServer(page_of(stack, redis_url, token=TOKEN)) as server:
        said, found = await browser.look(str(server.make_url("/")), act)
    assert said == "Looked again at 20:30:00 ET: 1 finding."
    assert f"daily_bars {BEFORE}: partial" in found


async def test_whether_the_market_is_as_usual_stands_beside_the_verdict_and_tonights_budget_is_one_click_away(
    browser: Browser, url: str, stack: Stack
) -> None:
    await stack.run_cycle()
    rows = await stack.value("SELECT count(*) FROM daily_bar WHERE trading_date = $1", DAY)

    def act(page: Any) -> tuple[str, int, str]:
        page.wait_for_selector("#market .facts")
        told = page.inner_text("#market")
        page.focus("#market summary")
        page.keyboard.press("Enter")
        sessions = page.locator("#market tbody tr:visible").count()
        page.click("#budget summary")
        page.wait_for_selector("#budget-shown dl")
        return told, sessions, page.inner_text("#budget-shown")

    told, sessions, budget = await browser.look(url, act)
    assert "The market on Tue 11 Nov" in told
    assert f"symbols with a bar\n{rows} usual" in told
    assert sessions == 10
    assert "0 of 50 a second" in budget
    assert "due Wed 12 Nov 17:00 ET" in budget
    assert "1 grouped_daily" in budget
    assert "since 2025-11-01" in budget

"""What the terminal draws: a series of bars in plain text, and the page's calendar as a table of words."""

from __future__ import annotations

import datetime as dt
import io

from rich.console import Console

from consumer.page.calendar import Calendar, Cell, Closed, Column, Doing, SessionRow
from consumer.page.symbol import Profile, Symbol
from consumer.postgres.symbol_view import Bar, Mark
from consumer.terminal.calendar_table import calendar_table
from consumer.terminal.chart import HEIGHT, bar_of, bars_chart
from consumer.terminal.symbol import told
from contract.reports import SessionState

FIRST = dt.date(2025, 11, 3)


def bar(place: int, low: float, high: float, close: float, factor: float = 1.0) -> Bar:
    return Bar(
        trading_day=FIRST + dt.timedelta(days=place), traded_as="A", open=close, high=high, low=low, close=close,
        volume=1.0, load_id=None, factor=factor,
    )  # fmt: skip


def test_a_bar_goes_from_low_to_high_and_its_close_is_seen() -> None:
    lines = bars_chart([bar(0, 0.0, 11.0, 11.0), bar(1, 5.0, 5.0, 5.0)], [], width=40)
    columns = ["".join(line.ljust(14)[place] for line in lines[:HEIGHT]) for place in (12, 13)]
    assert columns == ["o" + "|" * 11, " " * 6 + "o" + " " * 5]
    assert lines[0].split() == ["11", "o"]
    assert lines[-1].split() == ["2025-11-03", "2025-11-04"]


def test_prices_before_a_split_are_drawn_on_todays_basis_and_the_split_is_marked() -> None:
    marks = [
        Mark(kind="split", day=FIRST + dt.timedelta(days=1), words="2 for 1", counts=True),
        Mark(kind="dividend", day=FIRST, words="refused by the price", counts=False),
    ]
    lines = bars_chart([bar(0, 20.0, 20.0, 20.0, factor=0.5), bar(1, 10.0, 10.0, 10.0)], marks, width=40)
    assert lines[0].strip() == "21", "nothing has moved: a step is 1"
    assert [line for line in lines if "o" in line] == [f"{'10':>10}  oo"]
    assert lines[HEIGHT].rstrip() == " " * 13 + "S"


def test_only_the_newest_bars_that_fit_are_drawn_and_none_is_said_so() -> None:
    drawn = bars_chart([bar(place, 1.0, 2.0, 1.5) for place in range(100)], [], width=60)
    assert max(map(len, drawn)) <= 60
    assert drawn[-1].endswith(str(FIRST + dt.timedelta(days=99)))
    assert bars_chart([], [], width=60) == ["no bars"]
    assert (len(bar_of(0.5)), len(bar_of(7.0))) == (15, 60)


def test_the_calendar_says_by_words_what_stands_what_is_being_done_and_when_the_exchange_is_shut() -> None:
    friday, wednesday = dt.date(2025, 11, 28), dt.date(2025, 11, 26)
    queued = Cell(data_set="daily_bars", state=SessionState.MISSING, doing=Doing.QUEUED, late=True, is_gap=True)
    brought = Cell(data_set="daily_bars", state=SessionState.FINAL, backfilled=True)
    rows = (
        SessionRow(trading_day=friday, state=SessionState.MISSING, sentence="", closes="13:00 ET", early_close=True,
                   doing=Doing.QUEUED, late=True, cells=(queued,)),
        SessionRow(trading_day=wednesday, state=SessionState.FINAL, sentence="", closes="16:00 ET", cells=(brought,)),
    )  # fmt: skip
    calendar = Calendar(
        columns=(Column(name="daily_bars", meaning=""), Column(name="others", meaning="")),
        sessions=rows,
        closed=(Closed(day=dt.date(2025, 11, 27), reason="Thanksgiving Day"),),
        before=None,
    )
    written = io.StringIO()
    Console(file=written, width=160).print(calendar_table(calendar))
    head, *lines = [" ".join(line.split()) for line in written.getvalue().splitlines()]
    assert head == "session closes in all daily_bars others"
    assert lines == [
        "Fri 28 Nov 13:00 ET early missing, queued, LATE queued, missing, LATE, gap -",
        "Thu 27 Nov closed: Thanksgiving Day",
        "Wed 26 Nov 16:00 ET final final, backfilled -",
    ]


def test_a_symbol_that_never_trades_has_a_usual_volume_of_nought_and_one_without_slots_none() -> None:
    def said(average: list[float | None]) -> str:
        profile = Profile(
            day=FIRST, outcome="no_trades", today=[], average=average, stored_average=average,
            sessions=(FIRST,), as_of=FIRST, equal=True,
        )  # fmt: skip
        symbol = Symbol(
            symbol="A", names=["A"], listing=None, bars=[], marks=[], cut_on=None, compared=[], profile=profile, why=[]
        )
        return "\n".join(told(symbol, width=60))

    assert "no usual volumes" not in said([0.0] * 192)
    assert "  10:00 ET                0          nothing" in said([0.0] * 192)
    assert "no usual volumes" in said([None] * 192)

"""The page of a month: whole HTML, nothing fetched or run, every value a text, and small whatever others wrote."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from consumer.health_report.build import build_report
from consumer.health_report.facts import Evidence
from consumer.health_report.html import page
from consumer.health_report.markup import element, shortened
from consumer.postgres.month_evidence import RestatedOn, SampledOn, SettledBy, SettledFinding
from consumer.postgres.run_figures import CyclesEnded, Origin, TaskWork
from contract import data_sets as sets
from tests.health_report.months import SATURDAY, backfill, facts_of, noted_final, november, utc, whole_november
from tests.health_report.pages import Page
from tests.verdict.worlds import CALENDAR

if TYPE_CHECKING:
    from consumer.health_report.report import Report

HOSTILE = "</td></table><script>alert(1)</script><img src=x onerror='alert(\"2\")'>&amp;<!-- \x00\x1b[31m "
KNOWN = {
    "html", "head", "meta", "link", "title", "style", "body", "main", "header", "h1", "h2", "p", "section", "div",
    "table", "thead", "tbody", "tr", "th", "td", "b", "small", "time", "footer",
}  # fmt: skip


def hostile_month(text: str) -> Report:
    """Every session is suspect and late, and every list is as long as can be; others wrote *text* everywhere."""
    days = CALENDAR.trading_days(november(1), november(30))
    world = whole_november().change(findings={(day, sets.DAILY_BARS): (text,) for day in days[1:]})
    origins = {number: Origin(
        cycle_id=number, kind="backfill", first_day=november(3), trading_day=november(4), requested_by=text,
        state=text, opened_at=utc(20, "15:00"),
    ) for number in range(50)}  # fmt: skip
    findings = [
        SettledFinding(
            trading_day=days[0], data_set=text[:20], kind=text[:20], state="cleared", by=text, reason=text,
            settled_at=utc(20, "15:00"),
        )
        for _ in range(50)
    ]  # fmt: skip
    evidence = Evidence(
        findings=tuple(findings),
        settled=tuple(SettledBy(state="cleared", by=text, findings=9) for _ in range(50)),
        backfills=tuple(origins.values()),
        requests={f"{text}{number}": number for number in range(50)},
        cycles=tuple(CyclesEnded(kind="backfill", state=text, cycles=9, seconds=1e7) for _ in range(50)),
        work=(TaskWork(task=text, parts=1, failed=0, rows=1, seconds=1.0),),
        restated=tuple(
            RestatedOn(data_set=f"{text}{number}", trading_day=days[0], found_on=days[1], rows=10**12)
            for number in range(50)
        ),
        sampled=(SampledOn(data_set=text, trading_day=days[0], checked_on=days[1], compared=9, differed=1),),
    )
    facts = facts_of(world, now=SATURDAY)
    noted = noted_final(facts, d3=utc(28, "15:00"))
    return build_report(facts_of(world, now=SATURDAY, evidence=evidence, noted=noted, origins=origins, source=text))


def test_the_page_of_an_ordinary_month_is_whole_html_without_anything_to_run_or_to_fetch() -> None:
    found = page(build_report(facts_of(whole_november(), now=SATURDAY, source="the vendor (Massive)")))
    read = Page(found)
    assert read.wrong == []
    assert read.declared == ["doctype html"]
    assert read.names() <= KNOWN
    assert read.elements[0] == ("html", {"lang": "en"})
    assert set(read.attributes("href") + read.attributes("src")) == {"data:,"}
    assert read.attributes("style") == []
    assert not re.search(r"url\(|@import|https?:", found)
    assert len(found.encode()) < 20_000


def test_the_policy_of_the_page_allows_its_own_styles_and_nothing_else() -> None:
    read = Page(page(build_report(facts_of(whole_november(), now=SATURDAY))))
    style = "".join(text for name, text in read.texts if name == "style")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(value for value in read.attributes("content") if "default-src" in value)
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "prefers-color-scheme: dark" in style


def test_the_calendar_shows_the_holiday_the_early_close_and_every_session() -> None:
    read = Page(page(build_report(facts_of(whole_november(), now=SATURDAY))))
    texts = [text for _, text in read.texts]
    assert texts.count("final") == 19
    assert "Thanksgiving Day" in texts
    assert "closes 13:00" in texts
    assert read.attributes("datetime")[0] == "2025-11-03"
    assert len(read.attributes("datetime")) == 20


def test_what_others_wrote_is_a_text_wherever_it_stands() -> None:
    found = page(hostile_month(HOSTILE))
    read = Page(found)
    assert read.wrong == []
    assert read.names() <= KNOWN
    assert not any(name.startswith("on") for _, attrs in read.elements for name in attrs)
    assert "\x00" not in found
    assert "\x1b" not in found
    shown = [text for _, text in read.texts if "<script>alert(1)</script>" in text]
    assert len(shown) > 20, "and it is shown"


@pytest.mark.parametrize("text", ['"' * 200, "&" * 200, "<" * 200, "\x01" * 200, "𝕏" * 200, "word " * 40])
def test_a_page_is_below_fifty_kilobytes_whatever_others_wrote(text: str) -> None:
    assert len(page(hostile_month(text)).encode()) < 50_000


def test_a_list_that_is_cut_says_how_many_it_leaves_off() -> None:
    texts = [text for _, text in Page(page(hostile_month("x"))).texts]
    assert "and 38 more" in texts


def test_a_value_is_shortened_by_what_it_takes_on_the_page() -> None:
    assert shortened("a" * 200, 200) == "a" * 200
    assert shortened("a" * 201, 200) == "a" * 197 + "…"
    assert shortened("<" * 51, 200) == "<" * 49 + "…", "four bytes each, and three for the sign at the end"


@pytest.mark.parametrize(
    ("written", "stands"),
    [
        ("<b>", "<p>&lt;b&gt;</p>"),
        ("a & b", "<p>a &amp; b</p>"),
        ("\ud800\x07", "<p>\ufffd\ufffd</p>"),
        ("&lt;", "<p>&amp;lt;</p>"),
    ],
)
def test_a_text_in_an_element_is_escaped_once(written: str, stands: str) -> None:
    assert element("p", written) == stands


def test_a_value_of_an_attribute_cannot_end_it_even_where_it_is_markup() -> None:
    read = Page(element("p", "x", title='" onclick="alert(1)', class_=element("b", "y")))
    assert read.elements == [("p", {"title": '" onclick="alert(1)', "class": "<b>y</b>"})]


def test_a_backfill_is_named_with_who_asked_for_it() -> None:
    own = backfill(7, november(10), november(12), requested_by="ann <ops>")
    evidence = Evidence(
        cycles=(CyclesEnded(kind="backfill", state="complete", cycles=1, seconds=1.0),), backfills=(own,)
    )
    texts = [
        text for _, text in Page(page(build_report(facts_of(whole_november(), now=SATURDAY, evidence=evidence)))).texts
    ]
    assert "ann <ops>" in texts
    assert "2025-11-10 to 2025-11-12" in texts

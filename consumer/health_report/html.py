"""Writes a report as one HTML file: styles within, no script, nothing fetched, and every value a text."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from consumer.health_report.markup import Markup, element, joined, shortened, start
from consumer.health_report.sections import STANDINGS, headline, notes, sections, standing_line
from consumer.health_report.weeks import WEEKDAYS, weeks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.health_report.report import DayHealth, Report
    from consumer.health_report.sections import Rows, Section


#: Of a value in bytes, as it is written: a page stays below 50 kB whatever others wrote.
LONGEST_CELL, LONGEST_LINE = 200, 1000


def page(report: Report) -> str:
    """Return the whole document."""
    title = f"Data maintenance, {report.title}"
    body = element("main", _head(report), _calendar(report), *map(_section, sections(report)), _foot(report))
    document = element("html", _meta(title), element("body", body), lang="en")
    return f"<!doctype html>\n{document}\n"


def _meta(title: str) -> Markup:
    style = resources.files(__package__).joinpath("page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    # Only these very styles: whatever might get into the page by mistake is neither run nor fetched.
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; img-src data:"
    return element(
        "head",
        start("meta", charset="utf-8"),
        start("meta", http_equiv="Content-Security-Policy", content=policy),
        start("meta", name="viewport", content="width=device-width, initial-scale=1"),
        start("meta", name="referrer", content="no-referrer"),
        element("title", title),
        start("link", rel="icon", href="data:,"),
        element("style", Markup(style)),
    )


def _head(report: Report) -> Markup:
    lines = [element("p", line, class_="soft") for line in (standing_line(report), *notes(report))]
    return element("header", element("h1", headline(report)), *lines, class_="whole" if report.is_whole else "lacks")


def _calendar(report: Report) -> Markup:
    head = element("tr", *(element("th", name, scope="col") for name in WEEKDAYS))
    rows = [
        element("tr", *(element("td") if one is None else _cell(one) for one in week)) for week in weeks(report.days)
    ]
    caption = f"Sessions of {report.title}"
    return element("table", element("thead", head), element("tbody", *rows), class_="calendar", aria_label=caption)


def _cell(one: DayHealth) -> Markup:
    day = element("b", element("time", str(one.day.day), datetime=str(one.day)))
    if one.standing is None:
        return element("td", day, one.closed or "", class_="closed")
    early = [] if one.early_close is None else [element("small", f"closes {one.early_close}")]
    gaps = [element("small", "to be seen to")] if one.gaps else []
    classes = one.standing.value + (" gap" if one.gaps else "")
    return element("td", day, STANDINGS[one.standing], *early, *gaps, class_=classes)


def _section(section: Section) -> Markup:
    lines = [element("p", shortened(line, LONGEST_LINE)) for line in section.lines]
    return element(
        "section", element("h2", section.heading), *lines, *(_table(rows, section.heading) for rows in section.tables)
    )


def _table(rows: Rows, heading: str) -> Markup:
    head = element("tr", *_cells("th", rows.columns, rows, scope="col"))
    body = [element("tr", *_cells("td", row, rows)) for row in rows.rows]
    table = element("table", element("thead", head), element("tbody", *body), class_="rows")
    # What is wider than a phone scrolls by itself; by the keyboard too.
    framed = element("div", table, class_="scroll", role="region", aria_label=heading, tabindex="0")
    more = [element("p", f"and {rows.more:,} more", class_="soft")] if rows.more else []
    return joined(framed, *more)


def _cells(name: str, row: Iterable[str], rows: Rows, *, scope: str | None = None) -> list[Markup]:
    return [
        element(name, shortened(value, LONGEST_CELL), class_="number" if place in rows.numbers else None, scope=scope)
        for place, value in enumerate(row)
    ]


def _foot(report: Report) -> Markup:
    source = "" if report.source is None else f", of {shortened(report.source, LONGEST_CELL)}"
    return element("footer", f"as of {report.as_of:%Y-%m-%d %H:%M} UTC{source}; made by maintenance report")

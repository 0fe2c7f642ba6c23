"""Puts a report into words: headings, lines and tables of plain text, which every renderer only lays out.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.health_report.report import Records, Standing, WhyLate
from consumer.verdict.words import new_york

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.health_report.report import DayHealth, LateSession, Report, RestatedRows, SettledOne

#: A table names so many rows, and says how many more there are; a text of somebody else's is cut to so many characters.
MOST_ROWS = 12
LONGEST = 120
#: As people read them; one line says how many of each there are.
STANDINGS = {
    Standing.FINAL: "final",
    Standing.PROVISIONAL: "provisional",
    Standing.PARTIAL: "partial",
    Standing.MISSING: "missing",
    Standing.SUSPECT: "suspect",
    Standing.RETIRED: "retired",
    Standing.NOT_YET_DUE: "not yet due",
    Standing.BEFORE_THE_DATA: "before the data",
}
_WHY_LATE = {WhyLate.BACKFILL: "brought by a backfill", WhyLate.FINDING_SETTLED: "had been suspect", None: ""}
_WORSE_THAN_DUE = (Standing.PARTIAL, Standing.MISSING, Standing.SUSPECT)


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """A table; the columns *numbers* (by their place) are set flush right. *more* rows are left off."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    more: int = 0


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A heading, what is said under it, and its tables."""

    heading: str
    lines: tuple[str, ...] = ()
    tables: tuple[Rows, ...] = ()


def headline(report: Report) -> str:
    """The month in a sentence."""
    sessions = sum(report.counts.values()) - report.counts[Standing.BEFORE_THE_DATA]
    lacking = sum(1 for one in report.days if one.gaps)
    if lacking:
        return f"{report.title} lacks something of {lacking} of {counted(sessions, 'session')}"
    so_far = "" if report.is_over else " so far"
    return f"{report.title} is whole{so_far}: nothing is to be seen to of its {counted(sessions, 'session')}"


def standing_line(report: Report) -> str:
    """How many sessions there are of each standing."""
    return " · ".join(f"{count} {STANDINGS[one]}" for one, count in report.counts.items() if count)


def notes(report: Report) -> tuple[str, ...]:
    """What the reader has to know of the month as a whole."""
    lines = []
    if before := report.counts[Standing.BEFORE_THE_DATA]:
        lines.append(f"the data begin on {report.data_since}: {counted(before, 'session')} before it are not counted")
    if report.records is Records.IN_PART and report.records_since is not None:
        lines.append(f"the records begin on {_instant(report.records_since)}: what was before is not counted below")
    return tuple(lines)


def sections(report: Report) -> tuple[Section, ...]:
    """All that is told below the calendar."""
    return (_lacking(report), _late(report), _restated(report), _repaired(report), *_spent(report), _sampled(report))


def no_records(report: Report) -> str:
    """Why a section has no figures."""
    if report.records is Records.GONE:
        return f"the records of that month are gone: what ended before {_instant(report.records_since)} was deleted"
    began = "" if report.records_since is None else f": the first cycle was opened {_instant(report.records_since)}"
    return f"there are no records of that month{began}"


def counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def cut(text: str) -> str:
    """*text* in one line, and short."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def lasted(seconds: float) -> str:
    """Return e.g. 42 s, 19 min, 1 h 05 min or 3 d 4 h."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def _instant(at: dt.datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def _day(day: dt.date) -> str:
    return f"{day:%a %d %b}"


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], *numbers: int, of: int | None = None) -> Rows:
    every = len(rows) if of is None else max(of, len(rows))
    shown = tuple(tuple(map(cut, row)) for row in rows[:MOST_ROWS])
    return Rows(columns=columns, rows=shown, numbers=frozenset(numbers), more=every - len(shown))


def _lacking(report: Report) -> Section:
    told = [one for one in report.days if one.gaps or one.standing in _WORSE_THAN_DUE]
    if not told:
        return Section(heading="Lacking", lines=("nothing",))
    # All of them: there are no more than a month has.
    rows = tuple((cut(one.sentence or ""), ", ".join(one.gaps)) for one in told)
    return Section(
        heading="Lacking", lines=_to_repair(told), tables=(Rows(columns=("session", "to be seen to"), rows=rows),)
    )


def _to_repair(told: list[DayHealth]) -> tuple[str, ...]:
    """What to do about them: what is suspect is settled, and all else fetched again."""
    days = [one.day for one in told if one.gaps and one.standing is not Standing.SUSPECT]
    suspect = any(one.standing is Standing.SUSPECT for one in told)
    lines = [f"to repair it: maintenance backfill --from {days[0]} --to {days[-1]}"] if days else []
    lines += ["to settle what is suspect: maintenance findings list"] if suspect else []
    return tuple(lines) or ("nothing that is to be seen to yet",)


def _late(report: Report) -> Section:
    late = report.late
    lines = [] if late.sessions else ["no session became whole after its deadline"]
    if late.unknown:
        lines.append(f"of {counted(late.unknown, 'whole session')} it was not noted since when")
    rows = [_late_row(one) for one in late.sessions]
    # All of them: there are no more than a month has.
    table = Rows(columns=("session", "deadline", "so since", "late by", ""), rows=tuple(rows), numbers=frozenset({3}))
    return Section(heading="Late", lines=tuple(lines), tables=(table,) if rows else ())


def _late_row(one: LateSession) -> tuple[str, ...]:
    since = f"{one.state.value} since {new_york(one.since, one.day)}"
    return (_day(one.day), new_york(one.deadline, one.day), since, lasted(one.late_by_seconds), _WHY_LATE[one.why])


def _restated(report: Report) -> Section:
    heading = "Restated by the vendor"
    if report.restated is None:
        return Section(heading=heading, lines=(no_records(report),))
    if not report.restated:
        return Section(heading=heading, lines=("no row of a final session",))
    columns = ("data set", "sessions", "rows", "within 1 day", "2-5 days after", "6-30 days", "later")
    rows = [(one.data_set, *(f"{number:,}" for number in _numbers(one))) for one in report.restated]
    line = "rows of final sessions that the vendor gave otherwise, found in this month"
    return Section(heading=heading, lines=(line,), tables=(_table(columns, rows, *range(1, 7)),))


def _numbers(one: RestatedRows) -> tuple[int, ...]:
    return (one.sessions, one.rows, one.within_1_day, one.after_2_to_5_days, one.after_6_to_30_days, one.later)


def _repaired(report: Report) -> Section:
    own, heading = report.repaired, "Repaired"
    if own is None:
        return Section(heading=heading, lines=(no_records(report),))
    settled = sum(one.findings for one in own.settled)
    lines = [
        f"{counted(own.backfills_opened, 'backfill')} opened; {counted(len(own.sessions), 'session')} of this month "
        f"brought by one" + (f": {', '.join(_day(one.day) for one in own.sessions)}" if own.sessions else ""),
        f"{counted(settled, 'finding')} settled",
    ]
    backfills = [
        (str(one.cycle), f"{one.first_day} to {one.last_day}", one.state, one.requested_by, _instant(one.opened_at))
        for one in own.backfills
    ]
    tables = (
        _table(("cycle", "sessions", "state", "asked for by", "opened"), backfills, 0, of=own.backfills_opened),
        _table(("settled", "by", "findings"), [(one.state, one.by, f"{one.findings:,}") for one in own.settled], 2),
        _table(("session", "data set", "finding", "settled", "why"), [*map(_finding_row, own.findings)], of=settled),
    )
    return Section(heading=heading, lines=tuple(lines), tables=tuple(one for one in tables if one.rows))


def _finding_row(one: SettledOne) -> tuple[str, ...]:
    return (str(one.day), one.data_set, one.kind, f"{one.state} by {one.by}", one.reason)


def _spent(report: Report) -> tuple[Section, ...]:
    own = report.spent
    if own is None:
        return (Section(heading="Spent", lines=(no_records(report),)),)
    requests = [(endpoint, f"{count:,}") for endpoint, count in own.requests.items()]
    cycles = [(one.kind, one.state, f"{one.cycles:,}", lasted(one.seconds)) for one in own.cycles]
    tasks = [(one.task, f"{one.parts:,}", f"{one.failed:,}", f"{one.rows:,}", lasted(one.seconds)) for one in own.tasks]
    letters = own.letters
    fate = f": {letters.open:,} open, {letters.replayed:,} replayed, {letters.dropped:,} dropped by now"
    lines = (
        f"{counted(sum(own.requests.values()), 'request')} of the vendor",
        f"{counted(letters.given_up, 'dead letter')}" + (fate if letters.given_up else ""),
    )
    tables = (
        _table(("endpoint", "requests"), requests, 1),
        _table(("cycles by", "state", "cycles", "open for"), cycles, 2, 3),
        _table(("task", "parts", "failed", "rows", "work"), tasks, 1, 2, 3, 4),
    )
    return (Section(heading="Spent", lines=lines, tables=tuple(one for one in tables if one.rows)),)


def _sampled(report: Report) -> Section:
    heading = "Sampled again"
    if report.sampled is None:
        return Section(heading=heading, lines=(no_records(report),))
    if not report.sampled:
        return Section(heading=heading, lines=("no sample was taken",))
    columns = ("data set", "age of the session", "sessions", "rows compared", "differed", "share")
    rows = [
        (one.data_set, one.age, f"{one.sessions:,}", f"{one.compared:,}", f"{one.differed:,}", f"{one.share:.4%}")
        for one in report.sampled
    ]
    return Section(heading=heading, tables=(_table(columns, rows, 2, 3, 4, 5),))

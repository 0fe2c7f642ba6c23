"""What the working records tell of a month; and that records which are gone are said to be, and never shown as zero."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from consumer.health_report.build import build_report
from consumer.health_report.facts import Evidence, Kept
from consumer.health_report.records import records_of, restated_of, sampled_of
from consumer.health_report.report import Letters, Records, Report, RestatedRows
from consumer.health_report.sections import no_records, sections
from consumer.postgres.month_evidence import LettersOf, RestatedOn, SampledOn, SettledBy
from consumer.postgres.run_figures import CyclesEnded
from tests.health_report.months import NOVEMBER, SATURDAY, backfill, facts_of, november, utc, whole_november

YEARS_AGO = dt.datetime(2022, 3, 1, tzinfo=dt.UTC)


def restated(day: int, found: dt.date, rows: int, data_set: str = "daily_bars") -> RestatedOn:
    return RestatedOn(data_set=data_set, trading_day=november(day), found_on=found, rows=rows)


def sampled(day: dt.date, compared: int, differed: int, data_set: str = "daily_bars") -> SampledOn:
    return SampledOn(data_set=data_set, trading_day=day, checked_on=november(15), compared=compared, differed=differed)


def report_of(evidence: Evidence, **changes: object) -> Report:
    return build_report(facts_of(whole_november(), now=SATURDAY, evidence=evidence, **changes))


def test_restated_rows_are_counted_by_how_many_days_after_the_session() -> None:
    rows = [
        restated(10, november(10), 1),  # the same night
        restated(10, november(11), 10),
        restated(7, november(9), 100),  # two days
        restated(7, november(12), 1_000),  # five
        restated(7, november(13), 10_000),  # six
        restated(7, dt.date(2025, 12, 7), 100_000),  # thirty
        restated(7, dt.date(2025, 12, 8), 1_000_000),
        restated(7, november(8), 5, data_set="volume_slots"),
    ]
    bars, slots = restated_of(rows)
    assert bars == RestatedRows(
        data_set="daily_bars", sessions=2, rows=1_111_111, within_1_day=11, after_2_to_5_days=1_100,
        after_6_to_30_days=110_000, later=1_000_000,
    )  # fmt: skip
    assert (slots.data_set, slots.rows, slots.within_1_day) == ("volume_slots", 5, 5)


def test_samples_are_summed_by_the_age_of_the_session_when_it_was_checked() -> None:
    rows = [
        sampled(november(14), 100, 1),
        sampled(dt.date(2025, 10, 16), 300, 1),  # thirty days
        sampled(dt.date(2025, 10, 15), 1_000, 0),
        sampled(dt.date(2024, 11, 15), 50, 5),  # 365
        sampled(dt.date(2024, 11, 14), 40, 0),
        sampled(november(14), 0, 0, data_set="volume_slots"),
    ]
    found = [(one.data_set, one.age, one.sessions, one.compared, one.differed, one.share) for one in sampled_of(rows)]
    assert found == [
        ("daily_bars", "up to 30 days", 2, 400, 2, 0.005),
        ("daily_bars", "31 to 90 days", 1, 1_000, 0, 0.0),
        ("daily_bars", "91 to 365 days", 1, 50, 5, 0.1),
        ("daily_bars", "more than a year", 1, 40, 0, 0.0),
        ("volume_slots", "up to 30 days", 1, 0, 0, 0.0),
    ]


def test_letters_cycles_and_requests_are_what_the_ledger_counts() -> None:
    report = report_of(
        Evidence(
            requests={"grouped_daily": 60, "splits": 20},
            cycles=(CyclesEnded(kind="schedule", state="complete", cycles=38, seconds=2660.0004),),
            letters=(LettersOf(state="dropped", letters=2), LettersOf(state="open", letters=1)),
        )
    )
    assert report.spent is not None
    assert report.spent.requests == {"grouped_daily": 60, "splits": 20}
    assert report.spent.cycles[0].seconds == 2660.0
    assert report.spent.letters == Letters(given_up=3, open=1, dropped=2)
    lines = {one.heading: one.lines for one in sections(report)}
    assert lines["Spent"] == ("80 requests of the vendor", "3 dead letters: 1 open, 0 replayed, 2 dropped by now")
    assert lines["Sampled again"] == ("no sample was taken",)


def test_sessions_that_a_backfill_brought_are_named_and_so_is_who_settled_what() -> None:
    world = whole_november().bars("2025-11-20T10:05-05:00", day=november(11), cycle=7)
    own = backfill(7, november(10), november(12))
    evidence = Evidence(
        cycles=(CyclesEnded(kind="backfill", state="complete", cycles=1, seconds=60.0),),
        backfills=(own,),
        settled=(SettledBy(state="accepted", by="ann", findings=1), SettledBy(state="cleared", by="x", findings=2)),
    )
    report = build_report(facts_of(world, now=SATURDAY, evidence=evidence, origins={7: own}))
    told = {one.heading: one for one in sections(report)}
    assert told["Repaired"].tables[1].rows == (("accepted", "ann", "1"), ("cleared", "x", "2"))
    assert told["Repaired"].lines == (
        "1 backfill opened; 1 session of this month brought by one: Tue 11 Nov",
        "3 findings settled",
    )


@pytest.mark.parametrize(
    ("kept", "began_at", "records", "since"),
    [
        (Kept(), YEARS_AGO, Records.WHOLE, None),
        (Kept(deleted_before=utc(1, "04:00")), YEARS_AGO, Records.WHOLE, None),
        (Kept(deleted_before=utc(14, "01:30")), YEARS_AGO, Records.IN_PART, utc(14, "01:30")),
        (Kept(deleted_before=utc(1, "04:59", month=12)), YEARS_AGO, Records.IN_PART, utc(1, "04:59", month=12)),
        (Kept(deleted_before=utc(1, "05:00", month=12)), YEARS_AGO, Records.GONE, utc(1, "05:00", month=12)),
        (Kept(), utc(14, "01:30"), Records.IN_PART, utc(14, "01:30")),
        (Kept(), utc(1, "05:00", month=12), Records.NEVER, utc(1, "05:00", month=12)),
        (Kept(), None, Records.NEVER, None),
        # Nothing was there to be deleted yet.
        (Kept(deleted_before=YEARS_AGO), utc(1, "03:00"), Records.WHOLE, None),
        # Kept for 400 days again after it had been 30: the first cycle stands always, the others since December.
        (Kept(deleted_before=utc(1, "03:00"), first_ends=(YEARS_AGO, utc(2, "01:00", month=12))), YEARS_AGO,
         Records.GONE, utc(2, "01:00", month=12)),
        # Never deleted, and long nothing done after the first cycle: that is not gone.
        (Kept(first_ends=(YEARS_AGO, utc(2, "01:00", month=12))), YEARS_AGO, Records.WHOLE, None),
    ],
)  # fmt: skip
def test_whether_a_months_records_stand_follows_from_what_retention_has_deleted(
    kept: Kept, began_at: dt.datetime | None, records: Records, since: dt.datetime | None
) -> None:
    assert records_of(NOVEMBER, kept, began_at=began_at) == (records, since)


def test_records_that_are_gone_are_said_to_be_and_never_shown_as_zero() -> None:
    world = whole_november().change(began_at=YEARS_AGO)
    kept = Kept(deleted_before=utc(5, "01:30", month=12))
    report = build_report(facts_of(world, now=SATURDAY, kept=kept))
    assert (report.restated, report.repaired, report.spent, report.sampled) == (None, None, None, None)
    told = [one for one in sections(report) if one.heading not in ("Lacking", "Late")]
    words = "the records of that month are gone: what ended before 2025-12-05 01:30 UTC was deleted"
    assert [one.lines for one in told] == [(words,)] * 4
    assert all(one.tables == () for one in told)
    assert report.is_whole, "the data are there all the same"


def test_a_month_from_before_the_first_cycle_has_no_records_rather_than_zeros() -> None:
    world = whole_november().change(began_at=utc(3, "01:30", month=12))
    report = build_report(facts_of(world, now=utc(4, "12:00", month=12)))
    assert report.spent is None
    assert no_records(report) == "there are no records of that month: the first cycle was opened 2025-12-03 01:30 UTC"


def test_the_json_is_what_its_schema_says_and_is_read_back_as_the_same_report() -> None:
    report = report_of(Evidence(requests={"splits": 1}), source="the vendor (Massive)")
    written = msgspec.json.encode(report)
    assert msgspec.json.decode(written, type=Report, strict=True) == report
    assert set(msgspec.json.decode(written)) == set(Report.__struct_fields__)
    schema = msgspec.json.schema(Report)
    assert {"is_whole", "counts", "days", "spent"} <= set(schema["$defs"]["Report"]["properties"])

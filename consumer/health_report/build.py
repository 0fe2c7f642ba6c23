"""Makes the report on a month of what stands of it.  Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from consumer.health_report.month import BadMonth
from consumer.health_report.records import records_of, repaired_of, restated_of, sampled_of, spent_of
from consumer.health_report.report import Records, Report, Standing
from consumer.health_report.sessions import data_since, days_of, late_of

if TYPE_CHECKING:
    from consumer.health_report.facts import Facts


def build_report(facts: Facts) -> Report:
    """Return the report. Raises BadMonth where every session of the month is from before the data begin."""
    month, days = facts.month, days_of(facts)
    counts = Counter(one.standing for one in days if one.standing is not None)
    since = data_since(facts)
    if counts.total() == counts[Standing.BEFORE_THE_DATA]:
        raise BadMonth(f"--month {month.name} is before the data begin: the first session that is kept is {since}")
    records, records_since = records_of(month, facts.kept, began_at=facts.judged.holdings.began_at)
    stand = records in (Records.WHOLE, Records.IN_PART)
    return Report(
        month=month.name,
        title=month.words,
        as_of=facts.now,
        is_over=month.ends_at <= facts.now,
        is_whole=not any(one.gaps for one in days),
        data_since=since,
        source=facts.source,
        counts={standing: counts[standing] for standing in Standing},
        days=days,
        late=late_of(facts),
        records=records,
        records_since=records_since,
        restated=restated_of(facts.evidence.restated) if stand else None,
        repaired=repaired_of(facts) if stand else None,
        spent=spent_of(facts.evidence) if stand else None,
        sampled=sampled_of(facts.evidence.sampled) if stand else None,
    )

"""Says what a person may have done about a finding with a click: where it is asked for, and what comes of it.  Pure.

Each is asked for by POST with who and why, after its effect was shown; a *preview* says it from what stands by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from contract.messages import TaskName

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.boundaries import Boundary
    from consumer.postgres.findings import KeptFinding

LETTERS, BOUNDARY, FINDING, TASK = "/page/letters", "/page/boundary", "/page/finding", "/page/task"


class Act(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A button: its *label*, the *path* that the *body* is posted to, and its *effect* or where to ask for it."""

    label: str
    path: str
    body: Mapping[str, object] = {}
    effect: str = ""
    preview: str | None = None


def of_letters(stream: str, fingerprint: str) -> tuple[Act, ...]:
    """Both name the letters that the preview shows, and no others."""
    about = f"{quote(stream, safe='')}/{quote(fingerprint, safe='')}"
    return (
        Act(label="Ask for it again", path=LETTERS, preview=f"{LETTERS}/replay/{about}"),
        Act(label="Drop", path=LETTERS, preview=f"{LETTERS}/drop/{about}"),
    )


def of_boundary(one: Boundary) -> tuple[Act, ...]:
    about = {"symbol": one.company, "day": one.boundary_day}
    where = f"{quote(one.company, safe='')}/{one.boundary_day}"
    return (
        Act(
            label="A new series begins",
            path=BOUNDARY,
            body={**about, "state": "accepted"},
            preview=f"{BOUNDARY}/accepted/{where}",
        ),
        Act(
            label="The series goes on",
            path=BOUNDARY,
            body={**about, "state": "rejected"},
            preview=f"{BOUNDARY}/rejected/{where}",
        ),
    )


def of_finding(one: KeptFinding, *, aside: bool) -> tuple[Act, ...]:
    """To accept what stands; where another answer was kept *aside*, to take that instead."""
    found = Act(
        label="Accept what stands",
        path=FINDING,
        body={"finding_id": one.finding_id},
        effect=f"The rows of {one.trading_day} stay as they are and are no longer suspect; the finding is not reported "
        "again for these rows. Nothing is asked of the vendor.",
    )
    if not aside:
        return (found,)
    taken = Act(
        label="Take the other answer",
        path=FINDING,
        body={"finding_id": one.finding_id, "take_new": True},
        effect=f"The answer that was kept aside takes the place of the rows of {one.trading_day}; what is computed of "
        "them follows with the next cycle. What stood is kept as restated.",
    )
    return (found, taken)


def of_lost_caches(day: dt.date) -> tuple[Act, ...]:
    return (
        Act(
            label="Write the caches anew",
            path=TASK,
            body={"day": day, "task": TaskName.REDIS_SYNC, "force": True},
            effect="Every cache is written anew from PostgreSQL. Nothing is asked of the vendor.",
        ),
    )


def of_what_is_made(day: dt.date, *, caches_only: bool) -> tuple[Act, ...]:
    """For what is brought, or made, together: a cycle plans what lacks of the day and does only that."""
    task = TaskName.REDIS_SYNC if caches_only else TaskName.CYCLE
    effect = (
        "The caches that lack are written from PostgreSQL."
        if caches_only
        else (f"A cycle for {day} plans what lacks of it, asks the vendor for that, and makes the figures and caches.")
    )
    return (Act(label="Have it made", path=TASK, body={"day": day, "task": task}, effect=effect),)

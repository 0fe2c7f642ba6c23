"""Makes the first contact: the questions in their order, at most thirty requests, and the report of what was seen.

What comes early is what the others need; ten tickers' bars come last, since they are what may be cut. What could not be
asked or told is in the report as not seen, never left out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from consumer.massive.first_contact import bars, files, listings, sessions
from consumer.massive.first_contact.asking import NoAnswer, Spent
from consumer.massive.first_contact.assumed import ASSUMED, holds, otherwise, unseen
from consumer.massive.first_contact.facts import Contact
from consumer.vendor.errors import ProviderUnavailable
from consumer.vendor.first_contact import MOST_REQUESTS, ContactReport, Seen, Standing
from market.calendar_errors import CalendarError

if TYPE_CHECKING:
    from collections.abc import Mapping

ENOUGH_TO_TELL = 10  # requests within a minute, of which a free plan would have refused half
FREE = 5  # requests a minute of the free plan
#: What a step may stumble over where nothing of an answer is as documented; the report has the answer's outline.
UNLIKE_ANY = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)

Step = Callable[[Contact], Awaitable[list[Seen]]]

STEPS: tuple[tuple[Step, tuple[str, ...]], ...] = (
    (sessions.newest, ("newest_session", "volume")),
    (sessions.today, ("same_day", "closed_day")),
    (sessions.early_close, ("bar_time", "early_extended_close")),
    (bars.window, ("one_answer_a_ticker",)),
    (listings.tickers, ("listing_page", "next_page")),
    (listings.delisted, ("delisted_order",)),
    (listings.details, ("details", "unknown_ticker")),
    (listings.floats, ("floats",)),
    (listings.dividends, ("dividends_order", "dividend_shares")),
    (listings.closures, ("closures",)),
    (files.files, ("file_times", "missing_file")),
    (bars.snapshot, ("snapshot", "snapshot_delay", "silent_minutes")),
    (sessions.history, ("history",)),
    (bars.accumulated, ("accumulated",)),
)


async def make_contact(contact: Contact, *, version: str, settings: Mapping[str, str]) -> ContactReport:
    """Ask everything. Raises ProviderUnavailable where nobody answers at all; a refused key is in the report."""
    try:
        contact.seen += await listings.splits(contact)
    except NoAnswer as error:
        raise ProviderUnavailable(str(error)) from error
    except UNLIKE_ANY as error:
        contact.seen.append(unseen("key", f"an answer of another shape than any that is known: {error}"))
    accepted = contact.seen[0].standing is not Standing.OTHERWISE
    if accepted:
        for step, about in STEPS:
            contact.seen += await _taken(contact, step, about)
        contact.seen.append(_limit(contact))
    return _report(contact, accepted=accepted, version=version, settings=settings)


async def _taken(contact: Contact, step: Step, about: tuple[str, ...]) -> list[Seen]:
    try:
        return await step(contact)
    except Spent:
        why = f"all {MOST_REQUESTS} requests were made before it"
    except NoAnswer as error:
        why = f"no answer: {error}"
    except CalendarError as error:
        why = str(error)
    except UNLIKE_ANY as error:
        why = f"an answer of another shape than any that is known ({type(error).__name__}: {error}): send this report"
    return [unseen(one, why) for one in about]


def _limit(contact: Contact) -> Seen:
    """What the answers in their minute say of the limit; the settings follow."""
    asker, known = contact.asker, contact.configured.requests_per_minute
    if asker.limited_after is None:
        seen = f"{asker.accepted_in_window} requests within a minute and no refusal"
        if known is not None and asker.accepted_in_window > max(known, ENOUGH_TO_TELL):
            return otherwise("request_limit", seen, "no limit so low", MASSIVE_REQUESTS_PER_MINUTE="0")
        if asker.accepted_in_window <= FREE:
            return unseen("request_limit", f"{seen}: too few to tell, its answers are slow")
        return holds("request_limit", seen)
    wait = "no time to wait" if asker.retry_after is None else f"wait {asker.retry_after.total_seconds():.0f} s"
    seen = f"429 after {asker.limited_after} requests in a minute, and it named {wait}"
    if known == asker.limited_after:
        return holds("request_limit", seen)
    allowed = str(max(asker.limited_after, 1))
    follows = "unless somebody else used the key meanwhile: a running service shares its limit"
    if allowed == str(FREE):
        return holds("request_limit", seen, follows, MASSIVE_REQUESTS_PER_MINUTE=allowed)
    return otherwise("request_limit", seen, follows, MASSIVE_REQUESTS_PER_MINUTE=allowed)


def _report(contact: Contact, *, accepted: bool, version: str, settings: Mapping[str, str]) -> ContactReport:
    found = {one.assumption: one for one in contact.seen}
    found["sector_ranges"] = unseen("sector_ranges", "not the vendor's to say: compare market/sectors.py by hand")
    return ContactReport(
        version=version,
        at=contact.now(),
        new_york=contact.clock,
        vendor=contact.asker.base_url,
        requests=contact.asker.spent,
        key_accepted=accepted,
        plan=contact.plan if accepted else "not told: the key is refused",
        settings=dict(settings),
        seen=[found.get(one) or unseen(one, "the key is refused") for one in ASSUMED],
        exchanges=contact.asker.exchanges,
    )

"""Shows what the plan behind the key gives, as the vendor's own refusals and answers have taught."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.checks.finding import Finding, ok, warning
from consumer.data_sets.vendor_plan import Capability
from consumer.postgres.capabilities import Learned, read_capabilities

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool

CHECK = "vendor plan"
_LACKS = {
    Capability.SAME_DAY: "a day comes after midnight New York time",
    Capability.RANGE_BARS: "no intraday bars: slots come as flat files, or not at all",
    Capability.FLOATS: "no floats",
    Capability.TICKER_DETAILS: "no ticker details: no sectors and market caps",
    Capability.SPLITS: "no splits: nothing is adjusted for them",
    Capability.DIVIDENDS: "no dividends: no total-return closes",
}


async def check_plan(pool: Pool) -> list[Finding]:
    """Say what is known to be given, what is lacking, and what is in doubt since a refusal."""
    learned = await read_capabilities(pool)
    if not learned:
        return [ok(CHECK, "nothing learned yet: the first cycle shows what it gives")]
    given = [one.capability for one in learned if one.available]
    found = [ok(CHECK, f"gives {', '.join(given)}")] if given else []
    return (
        found
        + [_lacking(one) for one in learned if not one.available]
        + [
            warning(
                CHECK,
                f"{one.capability} refused since {one.refused_since:%Y-%m-%d %H:%M} UTC, given before",
                "believed to be lacking when it is refused on another day too",
            )
            for one in learned
            if one.available and one.refused_since is not None
        ]
    )


def _lacking(one: Learned) -> Finding:
    """A plan's limit is no fault of the service: the verdict leaves it out, or expects it later."""
    known = {capability.value: words for capability, words in _LACKS.items()}
    words = known.get(one.capability, one.capability)
    return ok(CHECK, f"{words} (since {one.learned_at:%Y-%m-%d}; the vendor said: {one.evidence[:160]})")

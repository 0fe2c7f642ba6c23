"""Decides whose data a run loads: asked for by name, by the key, or on embedded servers the simulated market.

The simulated market fills servers of the operator's own only when it is asked for by name: a forgotten key must not
fill a real database with invented prices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.settings import names_a_vendor
from consumer.vendors import open_web, source_of_settings
from market.data_source import VENDOR, DataSource, SourceKind
from simulated_market.identity import source_of
from simulated_market.options import SimulatorOptions

if TYPE_CHECKING:
    from consumer.settings import Settings
    from consumer.terminal.run_options import RunOptions

SERVERS_OF_ONES_OWN = (("DATABASE_URL", "database_url"), ("REDIS_URL", "redis_url"))


def starts_a_market(settings: Settings, options: RunOptions) -> bool:
    """Whether the run brings its own market instead of asking the vendor."""
    return options.replay is not None or options.simulated or not names_a_vendor(settings)


def refusal(settings: Settings, options: RunOptions) -> str | None:
    """Why the flags and the settings cannot go together, with the cures; None where they can."""
    if options.replay is not None and options.simulated:
        return "--simulated and --replay are two markets: name one of them"
    if options.tickers is not None and options.replay is not None:
        return "--tickers is the size of the simulated market: a replay has what its folder has, leave --tickers out"
    if options.tickers is not None and not starts_a_market(settings, options):
        return (
            "--tickers is the size of the simulated market, and MASSIVE_API_KEY is set. Add --simulated or leave it out"
        )
    if settings.market_data_folder is not None and starts_a_market(settings, options):
        return "MARKET_DATA_FOLDER is set, and --simulated or --replay is another source: leave one of them out"
    own = [name for name, field in SERVERS_OF_ONES_OWN if getattr(settings, field) is not None]
    if own and not names_a_vendor(settings) and options.replay is None and not options.simulated:
        are = "is" if len(own) == 1 else "are"
        return (
            f"{' and '.join(own)} {are} set and MASSIVE_API_KEY is not: nothing was started. Set MASSIVE_API_KEY to "
            "load from the vendor; or add --simulated to fill these servers from the simulated market"
        )
    return None


def market_options(settings: Settings, options: RunOptions) -> SimulatorOptions:
    """The market that the run brings."""
    return SimulatorOptions(
        tickers=options.tickers or settings.simulated_tickers,
        seed=settings.simulated_seed,
        replay=options.replay,
        latency_ms=round(settings.simulated_latency.total_seconds() * 1000),
    )


async def source_of_run(settings: Settings, options: RunOptions) -> DataSource:
    """Return whose data the run loads; an address that is not the vendor's own is asked, and waited for."""
    if starts_a_market(settings, options):
        return source_of(market_options(settings, options))
    async with open_web(settings) as web:
        return await source_of_settings(settings, web)


def words_for(source: DataSource, settings: Settings, options: RunOptions) -> str:
    """What the first line of a run says of its source."""
    unused = " (MASSIVE_API_KEY is set and not used)" if settings.api_key and starts_a_market(settings, options) else ""
    if source.kind is SourceKind.SIMULATED and starts_a_market(settings, options):
        market = market_options(settings, options)
        return f"simulated market of {market.tickers:,} tickers, seed {market.seed}{unused}"
    if source.is_same(VENDOR):
        return "Massive API"
    return f"{source.words}{unused}"

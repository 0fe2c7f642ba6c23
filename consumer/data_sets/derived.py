"""Declares what metadata derives from bars: market cap, average volumes and prices, the last close."""

from __future__ import annotations

from consumer.data_sets.declaration import Covers, DataSet, PartKind
from consumer.tasks import cache_contents, derived_figures
from consumer.tasks.redis_sync import Cache
from contract import data_sets as names
from contract.messages import TaskName

DERIVED = DataSet(
    name=names.DERIVED,
    task=TaskName.METADATA_ENRICH,
    covers=Covers.NEWEST_SESSION,
    meaning="market cap, average volumes and prices, the last close",
    kinds=(
        PartKind(
            name="derived",
            run=derived_figures.compute_derived,
            after=(
                names.DAILY_BARS,
                names.SPLITS,
                names.PLAUSIBILITY,
                names.SPLIT_CHECK,
                names.UNIVERSE,
                names.FLOATS,
                names.DETAILS,
            ),
        ),
    ),
    made_from=(
        names.DAILY_BARS,
        names.TAKEN,
        names.SPLITS,
        names.SPLIT_CHECK,
        names.IDENTITY,
        names.BOUNDARIES,
        names.DETAILS,
    ),
    planned_with=(names.UNIVERSE, names.FLOATS, names.PLAUSIBILITY),
    in_verdict=True,
    caches=(
        Cache(
            name=names.CACHE_METADATA,
            made_from=(names.UNIVERSE, names.FLOATS, names.DETAILS, names.DERIVED),
            prepare=cache_contents.metadata,
        ),
        Cache(
            name=names.CACHE_AVERAGE_VOLUMES,
            made_from=(names.DERIVED,),
            requires=(names.DERIVED,),
            prepare=cache_contents.average_volumes,
        ),
    ),
)

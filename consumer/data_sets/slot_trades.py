"""Declares the trades of slots: of how many trades each five-minute volume is made; their baselines follow from it."""

from __future__ import annotations

from functools import partial

from consumer.data_sets.declaration import Covers, DataSet
from consumer.tasks import trades_caches
from consumer.tasks.redis_sync import Cache
from contract import data_sets as names
from contract.messages import TaskName

#: Nothing asks for it by itself: a row that lacks it gets it when the row is fetched again, by restatement or force.
SLOT_TRADES = DataSet(
    name=names.SLOT_TRADES,
    task=TaskName.VOLUME_SLOTS,
    covers=Covers.BESIDE,
    meaning="of how many trades each slot's volume is made; it comes with the slots, and no request is its own",
    made_from=(names.VOLUME_SLOTS,),
    window="slot_sessions",
    assumes="trades per slot come in the answers about volume slots: no request of their own, and none for old rows",
    in_verdict=True,
    caches=tuple(
        Cache(
            name=cache,
            made_from=(names.SLOT_PROOF, names.IDENTITY, names.BOUNDARIES, names.DETAILS),
            requires=(names.SLOT_PROOF,),
            prepare=partial(trades_caches.baselines, partition=partition),
        )
        for partition, cache in enumerate(names.CACHE_TRADES)
    ),
)
